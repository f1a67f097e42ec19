"""Linear interpolation between lattices of cells, exactly the same at every cell.

Each coarse cell holds `before` samples along an axis and shall hold `after`. Output j of a cell lies at the input
position ``p_j = (j + ½)·before/after − ½``, between two neighbouring samples, of which one may belong to the next
cell. The weights depend on j alone, never on where the cell lies, so a crop gives the very bits that the whole gives
(a resize that computes ``scale · index`` in float32 does not). Beyond the border the last sample is repeated.
"""

from __future__ import annotations

from itertools import pairwise
from math import floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def resize_axis(values: Tensor, before: int, after: int, *, dim: int) -> Tensor:
    """Interpolate one axis from `before` to `after` samples per cell.

    Parameters
    ----------
    values : Tensor, size M·before along `dim`
    before, after : int
        Samples per cell of the input and of the result.
    dim : int
        The axis.

    Returns
    -------
    Tensor, size M·after along `dim`
    """
    import torch

    if before == after:
        return values
    dim = dim % values.ndim
    cells = values.unflatten(dim, (-1, before))
    count = cells.shape[dim]
    samples = [cells.select(dim + 1, i) for i in range(before)]
    first, last = samples[0], samples[-1]
    left = torch.cat([first.narrow(dim, 0, 1), last.narrow(dim, 0, count - 1)], dim)
    right = torch.cat([first.narrow(dim, 1, count - 1), last.narrow(dim, count - 1, 1)], dim)
    padded = [left, *samples, right]
    positions = [(j + 0.5) * before / after - 0.5 for j in range(after)]
    # a + w·(b − a) in separate steps: a fused one rounds differently where a vector ends
    slopes = [b - a for a, b in pairwise(padded)]
    phases = [(padded[floor(p) + 1], slopes[floor(p) + 1], p - floor(p)) for p in positions]
    if torch.is_grad_enabled() and values.requires_grad:
        return torch.stack([a + slope * w for a, slope, w in phases], dim + 1).flatten(dim, dim + 1)
    shape = list(first.shape)
    shape.insert(dim + 1, after)
    grown = values.new_empty(shape)
    for j, (a, slope, w) in enumerate(phases):
        torch.add(a, slope * w, out=grown.select(dim + 1, j))
    return grown.flatten(dim, dim + 1)


def interpolate_cells(coarse: Tensor, blocks: tuple[int, int, int]) -> Tensor:
    """Trilinear interpolation from cell centres to the fine cells.

    Parameters
    ----------
    coarse : Tensor, shape (..., K, M, N)
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).

    Returns
    -------
    Tensor, shape (..., T·K, S_y·M, S_x·N)
    """
    time, y, x = blocks
    coarse = resize_axis(resize_axis(coarse, 1, time, dim=-3), 1, x, dim=-1)
    return resize_axis(coarse, 1, y, dim=-2)  # last, since whole rows are the fastest to write


def interpolate_known(values: Tensor, known: Tensor | None, blocks: tuple[int, int, int]) -> Tensor:
    """What :func:`interpolate_cells` gives where all cells are known; beside others, from the known ones alone.

    Their weights are divided by the sum of their weights, so a constant is kept, and 0 stands where none is near.

    Parameters
    ----------
    values : Tensor, shape (..., K, M, N)
        Finite; those of cells that are not known do not count.
    known : Tensor of 0 and 1, shape (..., K, M, N), optional
        Which cells count, None for all.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).

    Examples
    --------
    >>> import torch
    >>> interpolate_known(torch.tensor([[[4.0, 9.0]]]), torch.tensor([[[1.0, 0.0]]]), (1, 1, 2))
    tensor([[[4., 4., 4., 0.]]])
    """
    if known is None:
        return interpolate_cells(values, blocks)
    weights = interpolate_cells(known, blocks)
    return share_of(interpolate_cells(values * known, blocks), weights)


def share_of(weighted: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums over the sums of their weights, 0 where these are; the very sums where they are 1."""
    return weighted / weights.masked_fill(weights == 0, 1.0)
