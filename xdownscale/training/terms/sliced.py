"""The sliced energy score of patches: responses to random filters in space and time, fresh ones at every step.

Over all filters the CRPS of projections is the energy score of the joint law of a patch (Gneiting & Raftery 2007,
doi:10.1198/016214506000001437, eq. 22; slicing: the norm is an average over directions), so texture, increments and
movement are all in it and nothing is left unnamed to game.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from xdownscale.training.terms.scored import SCALES, pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.training.terms.scored import Scored

SIDE, FRAMES = 5, 3
"""Cells along a side and frames of a filter."""


def patches(scored: Scored) -> Iterator[Tensor]:
    """Responses of cells and of their pools, where a window is larger than a filter."""
    for size in SCALES:
        pooled = pool(scored.values, size)
        if min(pooled.shape[-2:]) > SIDE:
            yield filtered(pooled, scored.filters, 2 if size == 1 else 1, scored.generator)


def filtered(stacked: Tensor, count: int, stride: int, generator: torch.Generator) -> Tensor:
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
