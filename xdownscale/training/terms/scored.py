"""An ensemble and its truth as terms of the loss look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks


class Scored(NamedTuple):
    """An ensemble in some units."""

    values: Tensor
    """The truth, then the members, in these units, (1 + M, B, T, H, W)."""
    physical: Tensor
    """The same in physical units."""
    of: Callable[[Tensor], Tensor]
    """From physical units to these."""
    blocks: Blocks
    """Fine cells per coarse cell along (time, y, x)."""
    filters: int
    """Random filters at each scale."""
    nonnegative: bool
    """Whether nothing lies below zero."""
    generator: torch.Generator
    """Source of what is drawn."""


def pool(stacked: Tensor, size: int) -> Tensor:
    """Means of size × size cells of (1 + M, B, T, H, W); what is left over at the end is dropped."""
    if size == 1:
        return stacked
    folded = functional.avg_pool2d(stacked.flatten(0, 1), size)
    return folded.unflatten(0, stacked.shape[:2])


SCALES = (1, 2, 4)
"""Sides of the pools in which increments and patches are scored, in cells."""
