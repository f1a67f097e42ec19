"""Proper scores of an ensemble of two or more members, as training losses.

Every term is the (almost fair) CRPS of some functional of the field, so the truth's own law minimises each of them and
none trades against calibration:

* the value of every cell, in physical units and in latent units;
* pools of cells: how much there is on 4 cells along a side;
* regions: how much there is on 12 and on 40, and how that changes from step to step;
* differences between neighbours on the two sides of a coarse cell's border, where conservation would show;
* **increments** from one step to the next, of cells and pools: random filters hardly see flicker, since what two frames
  have in common is as often added as taken away by them;
* means by **place in the coarse cell** and step, of the value and of its roughness, over all cells of a window: what is
  the same in every cell, a lattice or a seam, is far too faint for a score of single cells, and plain here;
* **sliced energy score of patches**: responses to random filters in space and time, fresh ones at every step. Over
  all filters the CRPS of projections is the energy score of the joint law of a patch (Gneiting & Raftery 2007,
  doi:10.1198/016214506000001437, eq. 22; slicing: the norm is an average over directions), so texture, increments and
  movement are all in it and nothing is left unnamed to game;
* waves of windows of four coarse cells (``training.spectral``), whose phases show lattices locked to the cells;
* edges, pieces, crumbs and pinholes of **level sets** (``training.levels``), which nothing else counts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import reduce
from torch.nn import functional

from xdownscale.training.levels import level_functionals
from xdownscale.training.spectral import spectral_functionals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.recipe import ScoreWeights
    from xdownscale.models.transform import Transform


POOL = 4
"""Side of small pools in cells."""
REGIONS = {12: 3.0, 40: 10.0}
"""Sides of large pools in cells, and factors on their scores, and on those of their changes, that make them about as
large as those of cells: without these the amount over a region, where rain changes slowly, changed from step to step up
to twice as much as it should, at a cost that hardly shows in the score of cells."""
SCALES = (1, 2, 4)
SIDE, FRAMES = 5, 3
EVERY = 3
"""Level sets of every third frame from a random one are scored: they are dear, and frames are alike."""


def ensemble_score(
    members: Tensor,
    truth: Tensor,
    *,
    transform: Transform,
    unit: float,
    weights: ScoreWeights,
    windows: Tensor,
    blocks: Blocks,
    generator: torch.Generator,
) -> Tensor:
    """Training loss of an ensemble.

    Parameters
    ----------
    members : Tensor, shape (M, B, T, H, W)
        Physical units.
    truth : Tensor, shape (B, T, H, W)
    transform : Transform
        Gives the latent units.
    unit : float
        A typical magnitude of the field in physical units, by which they are divided.
    weights : ScoreWeights
    windows : Tensor, shape (B,)
        Importance weights of the windows.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x): where the borders are.
    generator : torch.Generator
        Source of the random filters.

    Returns
    -------
    Tensor, scalar
    """
    physical = torch.cat([truth.unsqueeze(0), members])
    latent = transform.forward(physical)
    mean = partial(_mean_score, windows=windows, alpha=weights.alpha)
    total = members.new_zeros(())
    relative = Units(physical / unit, lambda amount: amount / unit)
    for scale, units in ((weights.physical, relative), (weights.latent, Units(latent, transform.forward))):
        if scale:
            for weight, values in _functionals(units, physical, weights, blocks, generator):
                total = total + scale * weight * mean(values)
    spectral, levels = _in_turn(weights.latent * weights.spectral, weights.levels, generator)
    if spectral:
        # in latent units alone: in physical ones all waves of a window are those of its few largest values
        for waves in spectral_functionals(latent, blocks):
            total = total + spectral * mean(waves)
    if levels:
        first = int(torch.randint(0, EVERY, (), generator=generator, device=generator.device))
        frames = latent[:, :, first % latent.shape[2] :: EVERY]
        shapes = level_functionals(frames, nonnegative=transform.nonnegative)
        total = total + levels * mean(shapes)
    return total


def _in_turn(one: float, other: float, generator: torch.Generator) -> tuple[float, float]:
    """Weights of which one, by lot, is doubled and the other 0: half of the cost for the same expectation.

    At every step they would be more than a fourth of its time.
    """
    if not (one and other):
        return one, other
    lot = int(torch.randint(0, 2, (), generator=generator, device=generator.device))
    return 2 * one * (1 - lot), 2 * other * lot


class Units(NamedTuple):
    """Units in which values are scored."""

    values: Tensor
    """Of the cells, (1 + M, B, T, H, W)."""
    of: Callable[[Tensor], Tensor]
    """From physical units to these."""


def _functionals(
    units: Units, physical: Tensor, weights: ScoreWeights, blocks: Blocks, generator: torch.Generator
) -> Iterator[tuple[float, Tensor]]:
    """What is scored in either unit, (1 + M, B, …), each with its weight; nothing that weighs nothing."""
    stacked = units.values
    if weights.cell:
        yield weights.cell, stacked
    if weights.border:
        for jumps in _across_borders(stacked, blocks):
            yield weights.border, jumps
    if weights.place:
        yield weights.place, _by_place(stacked, blocks)
    yield from _pools(units, physical, weights)
    if weights.increment or weights.sliced:
        yield from _at_scales(stacked, weights, generator)


def _pools(units: Units, physical: Tensor, weights: ScoreWeights) -> Iterator[tuple[float, Tensor]]:
    """Amounts: the logarithm of a mean, not the mean of logarithms, which hardly knows how much it rains."""
    least = min(physical.shape[-2:])
    if weights.pooled and least >= POOL:
        yield weights.pooled, units.of(_pool(physical, POOL))
    for side, factor in REGIONS.items() if weights.regional else ():
        if side <= least:
            amount = units.of(_pool(physical, side))
            yield factor * weights.regional, amount
            if amount.shape[2] > 1:
                yield factor * weights.regional, amount.diff(dim=2)


def _at_scales(
    stacked: Tensor, weights: ScoreWeights, generator: torch.Generator
) -> Iterator[tuple[float, Tensor]]:
    """What is scored of cells and of their pools alike: increments, and patches."""
    for pool in SCALES:
        pooled = stacked if pool == 1 else _pool(stacked, pool)
        if weights.increment and pooled.shape[2] > 1:
            yield weights.increment, pooled.diff(dim=2)
        if weights.sliced and min(pooled.shape[-2:]) > SIDE:
            yield weights.sliced, _filtered(pooled, weights.filters, 2 if pool == 1 else 1, generator)


def pair_score(stacked: Tensor, alpha: float) -> Tensor:
    """Almost fair CRPS of members 1 … M against entry 0, by pairs: cheaper than sorting for few members.

    Parameters
    ----------
    stacked : Tensor, shape (1 + M, ...)
        The truth, then the members.
    alpha : float
        Share of the fair correction, as in :func:`xdownscale.kernels.crps.crps_ensemble`.
    """
    truth, members = stacked[0], stacked[1:]
    count = members.shape[0]
    score = (members - truth).abs().mean(0)
    if count == 1:
        return score
    factor = (1 - (1 - alpha) / count) / (count * (count - 1))
    for i in range(count):
        for j in range(i):
            score = score - factor * (members[i] - members[j]).abs()
    return score


def _mean_score(stacked: Tensor, windows: Tensor, alpha: float) -> Tensor:
    """Score averaged over everything but the windows, then over the windows by their weight."""
    score = pair_score(stacked, alpha)
    return (score.flatten(1).mean(1) * windows).mean()


def _across_borders(stacked: Tensor, blocks: Blocks) -> list[Tensor]:
    """Differences (1 + M, B, …) between the two sides of the borders of coarse cells, along y and along x."""
    _, high, wide = blocks
    along_y = stacked[..., high::high, :] - stacked[..., high - 1 : -1 : high, :]
    along_x = stacked[..., wide::wide] - stacked[..., wide - 1 : -1 : wide]
    return [jumps for jumps, size in ((along_y, high), (along_x, wide)) if size > 1 and jumps.numel()]


def _by_place(stacked: Tensor, blocks: Blocks) -> Tensor:
    """Means (1 + M, B, 2, T, S_y, S_x) over the coarse cells of a window: of values and their distance from a blur."""
    padded = functional.pad(stacked.flatten(0, 2), (1, 1, 1, 1), mode="replicate")
    around = functional.avg_pool2d(padded, 3, stride=1).unflatten(0, stacked.shape[:3])
    both = torch.stack([stacked, (stacked - around).abs()], dim=2)
    t, y, x = blocks
    return reduce(both, "e b k (l t) (m y) (n x) -> e b k t y x", "mean", t=t, y=y, x=x)


def _pool(stacked: Tensor, size: int) -> Tensor:
    """Means of size × size cells."""
    folded = functional.avg_pool2d(stacked.flatten(0, 1), size)
    return folded.unflatten(0, stacked.shape[:2])


def _filtered(stacked: Tensor, count: int, stride: int, generator: torch.Generator) -> Tensor:
    """Responses (1 + M, B, …) to random space–time filters, at every `stride`-th pixel from a random first one."""
    filters = random_filters(count, generator).to(stacked)
    frames = min(FRAMES, stacked.shape[2])
    first = torch.randint(0, stride, (2,), generator=generator, device=generator.device).tolist()
    volume = stacked[..., first[0] :, first[1] :].flatten(0, 1)
    windows = volume.unfold(1, frames, 1).permute(0, 1, 4, 2, 3).flatten(0, 1)
    responses = functional.conv2d(windows, filters[:, :frames], stride=stride)
    return responses.unflatten(0, (*stacked.shape[:2], -1))


def random_filters(count: int, generator: torch.Generator) -> Tensor:
    """Random filters (count, 3 frames, 5, 5) with random Gaussian envelopes and unit L1 norm.

    Three quarters of them have zero mean, since increments and texture are what pools do not see; wide and narrow
    envelopes, in space and in time, make some of them differences between neighbours and others broad patterns. A third
    of those are blind to gradients too and three times as loud: where a product is smooth, the response to any other
    filter is the slope of something larger, and grain of a few cells would hide in it.
    """
    device = generator.device
    weights = torch.randn(count, FRAMES, SIDE, SIDE, generator=generator, device=device, dtype=torch.float32)
    widths = 0.5 + 2.0 * torch.rand(count, 2, generator=generator, device=device, dtype=torch.float32)
    space = torch.arange(SIDE, device=device) - SIDE // 2
    time = torch.arange(FRAMES, device=device) - FRAMES // 2
    radius = space[:, None] ** 2 + space[None, :] ** 2
    envelope = torch.exp(-radius / (2 * widths[:, 0, None, None] ** 2))[:, None] * torch.exp(
        -(time**2) / (2 * widths[:, 1, None] ** 2)
    ).unflatten(-1, (FRAMES, 1, 1))
    weights = weights * envelope
    planes = torch.stack(
        [torch.ones(FRAMES, SIDE, SIDE, device=device), *torch.meshgrid(time, space, space, indexing="ij")]
    )
    kind = torch.arange(count, device=device) % 4
    flat = _without(weights, envelope, planes[:1])
    curved = _without(weights, envelope, planes)
    weights = torch.where((kind != 0)[:, None, None, None], flat, weights)
    weights = torch.where((kind == 3)[:, None, None, None], curved, weights)
    gain = torch.where(kind == 3, 3.0, 1.0).to(weights)[:, None, None, None]
    return gain * weights / weights.abs().sum((1, 2, 3), keepdim=True)


def _without(weights: Tensor, envelope: Tensor, planes: Tensor) -> Tensor:
    """Filters that do not respond to `planes` (n, …): a combination of planes under the envelope is taken off."""
    basis = planes.to(weights.dtype).flatten(1)
    w, e = weights.flatten(1), envelope.flatten(1)
    moments = torch.einsum("ap,fp,bp->fab", basis, e, basis)
    share = torch.linalg.solve(moments, w @ basis.T)
    return (w - e * (share @ basis)).unflatten(1, weights.shape[1:])
