"""Gaps filled from what is known around them, exactly the same wherever they lie.

A cell beside known ones gets their mean, with binomial weights over its 3 × 3 × 3 neighbours; then those beside these,
and so on. A filled cell depends on cells no farther off than the number of rounds, in each direction and in time, so a
crop with so many cells more gives the very bits that the whole gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def fill_gaps(values: Tensor, *, reach: int, beyond: Tensor | float = 0.0) -> Tensor:
    """Values with missing ones filled from their neighbours in time, y and x.

    Parameters
    ----------
    values : Tensor, shape (..., K, M, N)
        NaN where missing; known values are not changed.
    reach : int
        Rounds: cells up to so many from a known one are filled from their neighbours.
    beyond : Tensor or float
        Value of missing cells that are farther off.

    Returns
    -------
    Tensor, shape of `values`

    Examples
    --------
    >>> import torch
    >>> gaps = torch.tensor([[[1.0, torch.nan, 3.0, torch.nan, torch.nan, torch.nan]]])
    >>> fill_gaps(gaps, reach=2)
    tensor([[[1., 2., 3., 3., 3., 0.]]])
    """
    import torch

    known = ~values.isnan()
    if bool(known.all()):
        return values
    filled = torch.where(known, values, 0.0)
    for _ in range(reach):
        share, total = known.to(values.dtype), filled
        for dim in (-3, -2, -1):
            share, total = _spread(share, dim), _spread(total, dim)
        new = ~known & (share > 0)
        filled = torch.where(new, total / share, filled)
        known = known | new
    return torch.where(known, filled, beyond)


def _spread(values: Tensor, dim: int) -> Tensor:
    """Sum of an entry, weighted by 2, and its two neighbours along an axis; nothing lies beyond the ends.

    Sums alone: a product would be fused with a sum here and there, and round differently where a vector ends.
    """
    spread = values + values
    if values.shape[dim] > 1:
        last = values.shape[dim] - 1
        sides = values.new_zeros(values.shape)
        sides.narrow(dim, 1, last).add_(values.narrow(dim, 0, last))
        sides.narrow(dim, 0, last).add_(values.narrow(dim, 1, last))
        spread = spread + sides
    return spread
