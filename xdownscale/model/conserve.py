"""Block means of the result equal the coarse field, without visible cells.

One rule for every variable, on the latent value v with P = inverse(v):

1. several passes add to v a smooth offset, interpolated in space and time from the cells' offset between wanted and
   obtained block mean. It moves the edge of the rain area as well as its amount. (Scaling P instead blows up the thin
   rims of cells that the network left nearly dry: bright rings in every member.) All but the last go further than that,
   and on where the last one went (the heavy ball of Polyak 1964, doi:10.1016/0041-5553(64)90137-5): five come about
   as near as eight plain ones.
2. one exact cell-wise step on P: the ratio c/m for a non-negative field, the difference c − m otherwise.

Dry cells give exactly zero. A wet cell in which nothing was predicted takes the interpolated field.

Gradient without a rectifier: exact. Block means are linear in the offsets, so the passes need the means of v alone.

Gradient with a rectifier: all passes but the last, and the scale of the exact step, are treated as constants. One
differentiable pass is nearly the first-order solution of the implicit equation m(v + δ) = c, so little is lost but the
cost of remembering the passes; and where the passes have not converged, c/m is large and its gradient, c/m², would
drown the rest.

A shift of v over a whole cell changes nothing in the result, so training must anchor it (:func:`drift`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xdownscale.kernels.blocks import block_mean, block_mean_by_rows, block_repeat, block_scale
from xdownscale.kernels.resize import interpolate_cells, resize_axis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.model.transform import Transform

PASSES = 5
"""Passes of the smooth offset; each reaches one coarse cell and one coarse frame further."""

STRIDE, MOMENTUM = 1.25, 0.2
"""Share of the offset that a pass takes, and of the last move that it repeats."""

RUN = 2**17
"""Fine values that are moved together, of whole coarse frames."""

LARGEST = 2.0
"""Largest offset of one pass in the latent units of rain, so that no pass overshoots."""


def conserve_cells(
    latent: Tensor,
    coarse: Tensor,
    *,
    transform: Transform,
    blocks: Blocks,
    fallback: Tensor,
    passes: int = PASSES,
) -> Tensor:
    """Physical fine field whose block means are `coarse`.

    Parameters
    ----------
    latent : Tensor, shape (B, T·L, S_y·M, S_x·N)
        Output of a method before the inverse transform.
    coarse : Tensor, shape (B, L, M, N)
        Wanted block means, finite.
    transform : Transform
        Value transform of the method.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    fallback : Tensor, shape of `latent`
        Physical field for wet cells in which nothing was predicted: the interpolated coarse field.
    passes : int
        Number of smooth passes.

    Returns
    -------
    Tensor, shape of `latent`
        In the units of `coarse`.
    """

    def step(obtained: Tensor) -> Tensor:
        offset = transform.offset(coarse, obtained)
        return offset.clamp(-LARGEST, LARGEST) if transform.nonnegative else offset

    latent = transform.bound(latent)
    if torch.is_grad_enabled() and not transform.nonnegative:
        missing = step(block_mean(transform.inverse(latent), blocks))
        moved = latent + interpolate_cells(_total_offset(missing, blocks, passes), blocks)
        return exact_step(transform.inverse(moved), coarse, blocks=blocks, fallback=fallback, ratio=False)
    with torch.no_grad():
        shift, move = torch.zeros_like(coarse), torch.zeros_like(coarse)
        for _ in range(passes - 1):
            move = STRIDE * step(_means_after(latent, shift, transform, blocks)) + MOMENTUM * move
            shift = shift + move
    if not torch.is_grad_enabled():
        if passes:
            shift = shift + step(_means_after(latent, shift, transform, blocks))
        return _settled(latent, shift, coarse, transform, blocks, fallback)
    if passes:
        moved = latent + interpolate_cells(shift, blocks)
        obtained = block_mean(transform.inverse(moved), blocks)
        latent = moved + interpolate_cells(step(obtained), blocks)
    return exact_step(
        transform.inverse(latent), coarse, blocks=blocks, fallback=fallback, ratio=transform.nonnegative
    )


def _total_offset(missing: Tensor, blocks: Blocks, passes: int) -> Tensor:
    """The offsets of all passes if means are linear in them: a polynomial of M·I; I interpolates, M takes means."""
    total, move = torch.zeros_like(missing), torch.zeros_like(missing)
    for _ in range(passes - 1):
        move = STRIDE * missing + MOMENTUM * move
        total = total + move
        missing = missing - block_mean(interpolate_cells(move, blocks), blocks)
    return total + missing if passes else total


def _runs(latent: Tensor, shift: Tensor, blocks: Blocks) -> Iterator[tuple[slice, slice, Tensor]]:
    """Runs of coarse frames, their fine steps, and the moved latent values: temporaries that stay in the cache."""
    steps = resize_axis(shift, 1, blocks[0], dim=-3)
    length = max(1, RUN // latent[:, : blocks[0]].numel())
    for start in range(0, shift.shape[-3], length):
        frames = slice(start, start + length)
        fine = slice(start * blocks[0], (start + length) * blocks[0])
        yield frames, fine, interpolate_cells(steps[:, fine], (1, *blocks[1:])).add_(latent[:, fine])


def _means_after(latent: Tensor, shift: Tensor, transform: Transform, blocks: Blocks) -> Tensor:
    """Block means of the field whose latent values are moved by `shift`."""
    means = torch.empty_like(shift)
    for frames, _, moved in _runs(latent, shift, blocks):
        means[:, frames] = block_mean_by_rows(transform.inverse(moved), blocks)
    return means


def _settled(
    latent: Tensor, shift: Tensor, coarse: Tensor, transform: Transform, blocks: Blocks, fallback: Tensor
) -> Tensor:
    """The moved field after the exact step."""
    result = torch.empty_like(latent)
    for frames, fine, moved in _runs(latent, shift, blocks):
        result[:, fine] = exact_step(
            transform.inverse(moved),
            coarse[:, frames],
            blocks=blocks,
            fallback=fallback[:, fine],
            ratio=transform.nonnegative,
        )
    return result


def exact_step(fine: Tensor, coarse: Tensor, *, blocks: Blocks, fallback: Tensor, ratio: bool) -> Tensor:
    """The cell-wise step alone: multiply by c/m, or add c − m.

    Parameters
    ----------
    fine, coarse, blocks, fallback
        As in :func:`conserve_cells`, `fine` in physical units.
    ratio : bool
        Multiply (non-negative fields) or add.
    """
    obtained = (block_mean if fine.requires_grad else block_mean_by_rows)(fine, blocks)
    if not ratio:
        return fine + block_repeat(coarse - obtained, blocks)
    missing = (obtained <= 0) & (coarse > 0)
    if bool(missing.any()):
        fine = torch.where(block_repeat(missing, blocks), fallback, fine)
        obtained = torch.where(missing, block_mean(fallback, blocks), obtained)
    scale = torch.where(obtained > 0, coarse / obtained.clamp_min(torch.finfo(fine.dtype).tiny), 0.0).detach()
    exact = block_scale(fine, scale, blocks)
    if not fine.requires_grad:
        return exact
    tame = block_scale(fine, scale.clamp_max(2.0), blocks)
    return tame + (exact - tame).detach()


def drift(latent: Tensor, coarse: Tensor, *, transform: Transform, blocks: Blocks) -> Tensor:
    """Mean square offset that an unconserved latent field would need: a penalty, zero where its block means are right.

    Parameters as in :func:`conserve_cells`. Dry cells do not count: the exact step empties them whatever v is.
    """
    obtained = block_mean(transform.inverse(transform.bound(latent)), blocks)
    offset = transform.offset(coarse, obtained)
    wet = (coarse > 0) if transform.nonnegative else torch.ones_like(coarse, dtype=torch.bool)
    return (offset.square() * wet).sum() / wet.sum().clamp_min(1)
