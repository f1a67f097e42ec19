"""Conservation of whole frames: one factor for all fine cells of a coarse frame, instead of one for each coarse cell.

Defez et al. (2026, arXiv:2604.21903, eq. 1 and section 5.1). Of what a network says of the T fine steps of a coarse
frame, u, and the coarse frame x, with the rectifier r_a(u) = max(0, u − a) before and after F(u) = u^p,

    D = r_a(F(r_a(u))) · (T·S²·Σ x) / (Σ r_a(F(r_a(u)))).

The sum of a frame is right and that of its parts is not: the ratio of two places stays as F left it. Where the
denominator is zero, only the rectifier is applied, D = r_a(u). A larger p gives more of a frame to its largest
values, and a larger a empties more of it.

Fields that may be negative, such as temperature, have neither F nor rectifier; their frames are shifted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xdownscale.kernels.blocks import block_repeat

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks


def conserve_frames(
    raw: Tensor, coarse: Tensor, *, blocks: Blocks, power: float = 1.0, threshold: float = 0.0
) -> Tensor:
    """Non-negative fine fields whose frames have the totals of the coarse ones.

    Parameters
    ----------
    raw : Tensor, shape (B, T·L, S_y·M, S_x·N)
        u, in the units of `coarse`.
    coarse : Tensor, shape (B, L, M, N)
        x, NaN where missing: cells there count on neither side.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    power : float
        p, above 0. 1 is linear.
    threshold : float
        a, 0 or more, in the units of `coarse`.

    Returns
    -------
    Tensor, shape of `raw`

    Examples
    --------
    >>> one = torch.tensor([0.0, 1.0, 3.0, -1.0]).reshape(1, 1, 2, 2)
    >>> conserve_frames(one, torch.tensor(2.0).reshape(1, 1, 1, 1), blocks=(1, 2, 2)).flatten()
    tensor([0., 2., 6., 0.])
    """
    rectified, made = (raw - threshold).clamp_min(0), shaped(raw, power, threshold)
    wanted, obtained = _means(made, coarse, blocks)
    known = obtained > 0
    factor = torch.where(known, wanted / torch.where(known, obtained, 1.0), 1.0).to(raw.dtype)
    known, factor = (_over_frames(each, raw, blocks) for each in (known, factor))
    return torch.where(known, made * factor, rectified)


def shift_frames(raw: Tensor, coarse: Tensor, *, blocks: Blocks) -> Tensor:
    """Fine fields of any sign, shifted until the mean of each frame is that of the coarse one.

    Parameters and shapes as in :func:`conserve_frames`.
    """
    wanted, obtained = _means(raw, coarse, blocks)
    return raw + _over_frames((wanted - obtained).nan_to_num(0.0).to(raw.dtype), raw, blocks)


def shaped(raw: Tensor, power: float, threshold: float) -> Tensor:
    """r_a(F(r_a(u))) with F(u) = u^p and r_a(u) = max(0, u − a), without conservation."""
    return (powered((raw - threshold).clamp_min(0), power) - threshold).clamp_min(0)


def powered(values: Tensor, power: float) -> Tensor:
    """F(u) = u^p of values that are not negative. Its gradient at zero, infinite for p < 1, is zero."""
    if power == 1:
        return values
    wet = values > 0
    return torch.where(wet, torch.where(wet, values, 1.0) ** power, 0.0)


def unpowered(values: Tensor, power: float, threshold: float) -> Tensor:
    """The u of which :func:`shaped` makes `values`; zero where these are not above zero.

    >>> shaped(unpowered(torch.tensor([0.0, 0.2]), 0.5, 0.1), 0.5, 0.1)
    tensor([0.0000, 0.2000])
    """
    wet = values > 0
    return torch.where(wet, (torch.where(wet, values, 0.0) + threshold) ** (1 / power) + threshold, 0.0)


def _means(fine: Tensor, coarse: Tensor, blocks: Blocks) -> tuple[Tensor, Tensor]:
    """Mean of the known coarse cells of every frame, wanted and obtained, shape (B, L), in double precision."""
    known = ~coarse.isnan()
    count = known.sum((-2, -1)).clamp_min(1)
    wanted = torch.where(known, coarse, 0.0).sum((-2, -1), dtype=torch.float64) / count
    there = torch.where(block_repeat(known, blocks), fine, 0.0)
    sums = there.sum((-2, -1), dtype=torch.float64).unflatten(1, (-1, blocks[0])).sum(-1)
    return wanted, sums / (count * blocks[0] * blocks[1] * blocks[2])


def _over_frames(values: Tensor, like: Tensor, blocks: Blocks) -> Tensor:
    """Values (B, L) at all fine cells (B, T·L, H, W)."""
    return values.repeat_interleave(blocks[0], dim=1)[..., None, None].expand_as(like)
