"""Block means of the result equal the coarse field, without visible cells.

One rule for every variable, on the latent value v with P = inverse(v):

1. several passes add to v a smooth offset, interpolated in space and time from the cells' offset between wanted and
   obtained block mean. It moves the edge of the rain area as well as its amount. (Scaling P instead blows up the thin
   rims of cells that the network left nearly dry: bright rings in every member.) All but the last go further than that,
   and on where the last one went (the heavy ball of Polyak 1964, doi:10.1016/0041-5553(64)90137-5): five come about
   as near as eight plain ones.
2. one exact cell-wise step on P: the ratio c/m for rain; otherwise the difference c − m, or, towards a limit that
   values have, the same share of the distance from it (:func:`_within`).

Dry cells give exactly zero. In a wet cell in which nothing was predicted v is raised until its largest values are wet:
it rains a little where rain was least unlikely. (An even drizzle over the whole cell would be a square.)

Gradient without a rectifier: exact. Block means are linear in the offsets, so the passes need the means of v alone.

Gradient with a rectifier: all passes but the last, and the scale of the exact step, are treated as constants. One
differentiable pass is nearly the first-order solution of the implicit equation m(v + δ) = c, so little is lost but the
cost of remembering the passes; and where the passes have not converged, c/m is large and its gradient, c/m², would
drown the rest.

Missing cells want nothing. Offsets are interpolated from cells with a wanted value alone, so that what stands in a
missing cell, and that nothing is wanted there, changes no value beside it.

A shift of v over a whole cell changes nothing in the result, so training must anchor it (:func:`drift`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange

from xdownscale.kernels.blocks import block_mean, block_mean_by_rows, block_repeat, block_scale
from xdownscale.kernels.resize import interpolate_cells, interpolate_known, resize_axis, share_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.transform import Transform

PASSES = 5
"""Passes of the smooth offset; each reaches one coarse cell and one coarse frame further."""

STRIDE, MOMENTUM = 1.25, 0.2
"""Share of the offset that a pass takes, and of the last move that it repeats."""

RUN = 2**17
"""Fine values that are moved together, of whole coarse frames."""

RAISED = 0.25
"""Latent value to which the largest of a cell without rain is raised: so little that as few cells are wet as in radar
fields (three of 300 at 0.003 mm/h). How much rain it then is, the exact step says."""

LARGEST = 2.0
"""Largest offset of one pass in the latent units of rain, so that no pass overshoots."""


def conserve_cells(
    latent: Tensor,
    coarse: Tensor,
    *,
    transform: Transform,
    blocks: Blocks,
    passes: int = PASSES,
) -> Tensor:
    """Physical fine field whose block means are `coarse`.

    Parameters
    ----------
    latent : Tensor, shape (B, T·L, S_y·M, S_x·N)
        Output of a method before the inverse transform.
    coarse : Tensor, shape (B, L, M, N)
        Wanted block means, NaN where missing: any values there, which nothing else depends on.
    transform : Transform
        Value transform of the method.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    passes : int
        Number of smooth passes.

    Returns
    -------
    Tensor, shape of `latent`
        In the units of `coarse`.
    """
    known = _known(coarse)

    def step(obtained: Tensor) -> Tensor:
        offset = transform.offset(_wanted(coarse, obtained), obtained)
        return offset.clamp(-LARGEST, LARGEST) if transform.nonnegative else offset

    latent = transform.bound(latent)
    if torch.is_grad_enabled() and transform.limits == (None, None):
        missing = step(block_mean(transform.inverse(latent), blocks))
        moved = latent + interpolate_known(_total_offset(missing, known, blocks, passes), known, blocks)
        return exact_step(moved, coarse, transform=transform, blocks=blocks)
    with torch.no_grad():
        shift, move = torch.zeros_like(coarse), torch.zeros_like(coarse)
        for _ in range(passes - 1):
            move = STRIDE * step(_means_after(latent, shift, known, transform, blocks)) + MOMENTUM * move
            shift = shift + move
    if not torch.is_grad_enabled():
        if passes:
            shift = shift + step(_means_after(latent, shift, known, transform, blocks))
        return _settled(latent, shift, coarse, known, transform, blocks)
    if passes:
        moved = latent + interpolate_known(shift, known, blocks)
        obtained = block_mean(transform.inverse(moved), blocks)
        latent = moved + interpolate_known(step(obtained), known, blocks)
    return exact_step(latent, coarse, transform=transform, blocks=blocks)


def _known(coarse: Tensor) -> Tensor | None:
    """1 where a block mean is wanted, 0 where it is missing; None where none is missing."""
    missing = coarse.isnan()
    return (~missing).to(coarse.dtype) if bool(missing.any()) else None


def _wanted(coarse: Tensor, obtained: Tensor) -> Tensor:
    """Wanted block means; those of missing cells are right as they are."""
    return torch.where(coarse.isnan(), obtained, coarse)


def _total_offset(missing: Tensor, known: Tensor | None, blocks: Blocks, passes: int) -> Tensor:
    """The offsets of all passes if means are linear in them: a polynomial of M·I; I interpolates, M takes means."""
    total, move = torch.zeros_like(missing), torch.zeros_like(missing)
    for _ in range(passes - 1):
        move = STRIDE * missing + MOMENTUM * move
        total = total + move
        missing = missing - block_mean(interpolate_known(move, known, blocks), blocks)
    return total + missing if passes else total


def _runs(
    latent: Tensor, shift: Tensor, known: Tensor | None, blocks: Blocks
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Runs of coarse frames, their fine steps, and the moved latent values: temporaries that stay in the cache."""
    steps = resize_axis(shift, 1, blocks[0], dim=-3)  # 0 in missing cells, where nothing is wanted
    weights = None if known is None else resize_axis(known, 1, blocks[0], dim=-3)
    length = max(1, RUN // latent[:, : blocks[0]].numel())
    for start in range(0, shift.shape[-3], length):
        frames = slice(start, start + length)
        fine = slice(start * blocks[0], (start + length) * blocks[0])
        moves = interpolate_cells(steps[:, fine], (1, *blocks[1:]))
        if weights is not None:
            moves = share_of(moves, interpolate_cells(weights[:, fine], (1, *blocks[1:])))
        yield frames, fine, latent[:, fine] + moves


def _means_after(
    latent: Tensor, shift: Tensor, known: Tensor | None, transform: Transform, blocks: Blocks
) -> Tensor:
    """Block means of the field whose latent values are moved by `shift`."""
    means = torch.empty_like(shift)
    for frames, _, moved in _runs(latent, shift, known, blocks):
        means[:, frames] = block_mean_by_rows(transform.inverse(moved), blocks)
    return means


def _settled(
    latent: Tensor, shift: Tensor, coarse: Tensor, known: Tensor | None, transform: Transform, blocks: Blocks
) -> Tensor:
    """The moved field after the exact step."""
    result = torch.empty_like(latent)
    for frames, fine, moved in _runs(latent, shift, known, blocks):
        result[:, fine] = exact_step(moved, coarse[:, frames], transform=transform, blocks=blocks)
    return result


def exact_step(latent: Tensor, coarse: Tensor, *, transform: Transform, blocks: Blocks) -> Tensor:
    """The cell-wise step alone: multiply by c/m (a non-negative field, some rain in every wet cell), or add c − m.

    Parameters
    ----------
    latent, coarse, transform, blocks
        As in :func:`conserve_cells`.
    """
    fine = transform.inverse(latent)
    mean = block_mean if fine.requires_grad else block_mean_by_rows
    obtained = mean(fine, blocks)
    wanted = _wanted(coarse, obtained)
    if not transform.nonnegative:
        return _within(fine, wanted, obtained, transform.limits, blocks)
    without = (obtained <= 0) & (wanted > 0)
    if bool(without.any()):
        _by_cells(fine, blocks)[without] = _raised(latent, without, transform, blocks)
        obtained = mean(fine, blocks)
        wanted = _wanted(coarse, obtained)
    scale = torch.where(obtained > 0, wanted / obtained.clamp_min(torch.finfo(fine.dtype).tiny), 0.0).detach()
    exact = block_scale(fine, scale, blocks)
    if not fine.requires_grad:
        return exact
    tame = block_scale(fine, scale.clamp_max(2.0), blocks)
    return tame + (exact - tame).detach()


def _within(
    fine: Tensor, wanted: Tensor, obtained: Tensor, limits: tuple[float | None, float | None], blocks: Blocks
) -> Tensor:
    """Values moved to the wanted block means c, from m, so that none passes a limit; c − m is added without a limit.

    Values of a cell are drawn towards the limit that lies in the direction of the move, all by the same share of their
    distance: x + (low − x)·(m − c)/(m − low) downwards, x + (high − x)·(c − m)/(high − m) upwards. The mean is exact,
    and the factor of x between 0 and 1. Where c itself lies beyond a limit, as rounding may have it, it is the limit.
    """
    move = wanted - obtained
    moved = fine + block_repeat(move, blocks)
    for limit, towards, farthest in zip(
        limits, (move < 0, move > 0), (torch.minimum, torch.maximum), strict=True
    ):
        if limit is None or not bool(towards.any()):
            continue
        end = torch.where(towards, farthest(wanted, torch.full_like(wanted, limit)), wanted)
        share = torch.where(towards, move / (end - obtained), 0.0).detach()
        drawn = fine + (block_repeat(end, blocks) - fine) * block_repeat(share, blocks)
        moved = torch.where(block_repeat(towards, blocks), drawn, moved)
    return moved


def _raised(latent: Tensor, chosen: Tensor, transform: Transform, blocks: Blocks) -> Tensor:
    """Physical values (cells, T, S_y, S_x) of chosen cells whose largest latent value is raised to :data:`RAISED`."""
    with torch.no_grad():
        cells = _by_cells(latent.detach(), blocks)[chosen]
        return transform.inverse(cells + (RAISED - cells.amax((1, 2, 3), keepdim=True)))


def _by_cells(fine: Tensor, blocks: Blocks) -> Tensor:
    """The same memory as (B, L, M, N, T, S_y, S_x)."""
    t, i, j = blocks
    return rearrange(fine, "b (k t) (m i) (n j) -> b k m n t i j", t=t, i=i, j=j)


def drift(latent: Tensor, coarse: Tensor, *, transform: Transform, blocks: Blocks) -> Tensor:
    """Mean square offset that an unconserved latent field would need: a penalty, zero where its block means are right.

    Parameters as in :func:`conserve_cells`. Missing cells do not count, and dry ones neither: the exact step empties
    them whatever v is.
    """
    obtained = block_mean(transform.inverse(transform.bound(latent)), blocks)
    offset = transform.offset(_wanted(coarse, obtained), obtained)
    wet = (coarse > 0) if transform.nonnegative else ~coarse.isnan()
    return (offset.square() * wet).sum() / wet.sum().clamp_min(1)
