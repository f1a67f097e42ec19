"""What a network that is not local says of any domain: windows that overlap, whose answers are averaged.

Attention over a window sees all of it and nothing beyond. A domain longer or wider than a window is covered by windows
of the size that the network learned from, in space and in time; where they overlap, answers are averaged with weights
that fall towards the border of a window. A sampler asks for such averages at every step, so that neighbours agree
before the noise is gone: what is averaged are expectations, which share one x_t.

What a window says of its border lacks what lies beyond, and x_t does not replace it. For a Markov sequence of
correlation 0.8 and exact answers, mean squares of steps and variances are those of the truth within 3 % at every place
if windows are 16 long and share half of it. Windows of 5 that share 3 leave 18 % too much change where one ends, and
4 % at a correlation of 0.5. Weights are the fourth power of the distance to the border: with the distance itself the
18 % are 42.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor


class Region(NamedTuple):
    """A window, and what its answer counts at each of its places."""

    where: tuple[slice, slice, slice]
    """(time, y, x)"""
    weights: Tensor
    """(T, H, W); the weights of all windows add up to 1."""

    def of(self, fields: Tensor) -> Tensor:
        """The part of fields (B, time, C, y, x) within the window."""
        time, y, x = self.where
        return fields[:, time, :, y, x]


STEEP = 4
"""Power of the distance to the border of a window in its weights."""


def regions(
    shape: Sequence[int], window: Sequence[int], overlap: Sequence[int], blocks: Sequence[int] = (1, 1, 1)
) -> list[Region]:
    """Windows that cover a domain; they begin at whole blocks.

    Parameters
    ----------
    shape, window : sequence of int
        Blocks of the domain and of a window along (time, y, x). A window is cut to the domain.
    overlap : sequence of int
        Blocks that neighbours share at least.
    blocks : sequence of int
        Cells per block.

    Examples
    --------
    >>> one, other = regions((6, 1, 1), (4, 1, 1), (2, 0, 0))
    >>> one.where[0], one.weights.flatten().tolist()
    (slice(0, 4, None), [1.0, 1.0, 0.94..., 0.05...])
    >>> other.where[0]
    slice(2, 6, None)
    """
    axes = [_along(*each) for each in zip(shape, window, overlap, blocks, strict=True)]
    return [
        Region((t[0], y[0], x[0]), t[1][:, None, None] * y[1][:, None] * x[1]) for t, y, x in product(*axes)
    ]


def fused(answer: Callable[[Region], Tensor], windows: Sequence[Region]) -> Tensor:
    """The average of the answers of windows.

    Parameters
    ----------
    answer : callable
        Fields (B, T, C, H, W) of a window.
    windows : sequence of Region

    Returns
    -------
    Tensor, shape (B, time, C, y, x)
    """
    if len(windows) == 1:
        return answer(windows[0])
    ends = [max(each.where[axis].stop for each in windows) for axis in range(3)]
    whole: Tensor | None = None
    for each in windows:
        found = answer(each)
        if whole is None:
            whole = found.new_zeros(len(found), ends[0], found.shape[2], *ends[1:])
        time, y, x = each.where
        whole[:, time, :, y, x] += found * each.weights.to(found)[:, None]
    assert whole is not None  # noqa: S101 (there is at least one window)
    return whole


def _along(size: int, window: int, overlap: int, block: int) -> list[tuple[slice, Tensor]]:
    """Windows along an axis, evenly spread, with their weights."""
    window = min(window, size)
    count = 1 + -(-(size - window) // max(1, window - overlap))
    starts = [round(number * (size - window) / max(1, count - 1)) for number in range(count)]
    cells = window * block
    edge = torch.arange(1, cells + 1)
    parts = []
    for start in starts:
        # at the border of the domain nothing is missing
        before = edge if start > 0 else torch.full_like(edge, cells)
        after = edge.flip(0) if start < size - window else torch.full_like(edge, cells)
        hat = (torch.minimum(before, after).float() / cells) ** STEEP
        parts.append((slice(start * block, start * block + cells), hat))
    total = torch.zeros(size * block)
    for where, hat in parts:
        total[where] += hat
    return [(where, hat / total[where]) for where, hat in parts]
