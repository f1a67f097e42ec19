"""Means by place in the coarse cell and step, over all coarse cells of a window, of the value and of its roughness.

What is the same in every coarse cell, a lattice or a seam, is too faint for a score of single cells, and plain here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import reduce
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.training.terms.scored import Scored


def means_by_place(scored: Scored) -> Iterator[Tensor]:
    """Means of values and of their roughness."""
    yield by_place(scored.values, scored.blocks)


def by_place(stacked: Tensor, blocks: Blocks) -> Tensor:
    """Means (1 + M, B, 2, T, S_y, S_x) over the coarse cells of a window: of values and their distance from a blur."""
    padded = functional.pad(stacked.flatten(0, 2), (1, 1, 1, 1), mode="replicate")
    around = functional.avg_pool2d(padded, 3, stride=1).unflatten(0, stacked.shape[:3])
    both = torch.stack([stacked, (stacked - around).abs()], dim=2)
    t, y, x = blocks
    return reduce(both, "e b k (l t) (m y) (n x) -> e b k t y x", "mean", t=t, y=y, x=x)
