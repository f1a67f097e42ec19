"""The velocity along which noise is carried, learned from how the truth moves.

Rounded shifts have no gradient (``nn.carry``), and through white noise none would be of use: it is nothing one pixel
off. The truth is smooth enough: what it was a step before, displaced by the velocity, shall be what it is now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from xdownscale.kernels.resize import resize_axis
from xdownscale.nn.blocks import grow_space

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks

WIDEST = 5
"""Pixels per coarse cell at which movement is looked at, at most: finer detail lives for a step or two only."""

WHOLE = 0.999
"""Interpolated share of pixels that count from which on all of them do: sums of weights may round to less than 1."""


def movement_error(
    velocity: Tensor, truth: Tensor, *, blocks: Blocks, windows: Tensor, known: Tensor | None = None
) -> Tensor:
    """Mean absolute difference between the truth and what it was before, displaced: one fine step and T of them before.

    Parameters
    ----------
    velocity : Tensor, shape (B, L, 2, M, N)
        In coarse cells per coarse frame, along y and x.
    truth : Tensor, shape (B, T·L, S_y·M, S_x·N)
        Latent units.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    windows : Tensor, shape (B,)
        Importance weights of the windows.
    known : Tensor of bool, shape of `truth`, optional
        What counts: only movements from known cells to known ones. None for all.

    Returns
    -------
    Tensor, scalar
        0 for a single frame, where nothing moves.
    """
    steps = blocks[0]
    pool = [
        next(p for p in range(1, size + 1) if size % p == 0 and size // p <= WIDEST) for size in blocks[1:]
    ]
    pixels = (blocks[1] // pool[0], blocks[2] // pool[1])
    field = functional.avg_pool2d(truth, tuple(pool))
    speed = grow_space(resize_axis(velocity, 1, steps, dim=1), (1, 1), pixels)
    lags = [lag for lag in sorted({1, steps}) if lag < field.shape[1]]
    full = torch.ones_like(field) if known is None else _inside(known.to(field), pool)
    errors = [_error(speed[:, lag:] * (lag / steps), field, full, lag, pixels) for lag in lags]
    return (torch.stack(errors).mean(0) * windows).mean() if errors else truth.new_zeros(())


def _inside(known: Tensor, pool: list[int]) -> Tensor:
    """1 for a pixel whose cells are all known, and those of its neighbours, between which it may be interpolated."""
    missing = functional.avg_pool2d(1 - known, tuple(pool))
    return (functional.max_pool2d(missing, 3, stride=1, padding=1) == 0).to(known)


def _error(moved: Tensor, field: Tensor, full: Tensor, lag: int, pixels: tuple[int, int]) -> Tensor:
    """Error for each window; `moved` (B, frames, 2, H, W) in cells, `full` 1 where it counts."""
    before, after = field[:, :-lag].flatten(0, 1), field[:, lag:].flatten(0, 1)
    sources = torch.stack([before, full[:, :-lag].flatten(0, 1)], dim=1)
    rows, columns = field.shape[-2:]
    y, x = (torch.arange(size, device=field.device, dtype=field.dtype) for size in (rows, columns))
    moved = moved.flatten(0, 1)
    place_y = y[:, None] - moved[:, 0] * pixels[0]
    place_x = x - moved[:, 1] * pixels[1]
    unit = torch.stack([2 * place_x / max(1, columns - 1) - 1, 2 * place_y / max(1, rows - 1) - 1], dim=-1)
    carried, share = functional.grid_sample(sources, unit, padding_mode="border", align_corners=True).unbind(
        1
    )
    inside = (unit.detach().abs() <= 1).all(-1) & (torch.minimum(share, full[:, lag:].flatten(0, 1)) > WHOLE)
    off = (carried - after).abs() * inside
    return off.unflatten(0, (len(field), -1)).flatten(1).mean(1)
