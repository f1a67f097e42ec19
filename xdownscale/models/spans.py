"""Which part of a window a method has to work on: the farther on it is, the less of the halo it still needs.

The encoder sees the whole window of a tile, the coarse decoder needs less of it, and the fine stages, which cost most
of memory and time, need their own reach and that of conservation alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

Span = tuple[slice, slice, slice]
"""Coarse frames, rows and columns of a window."""


class Spans(NamedTuple):
    """The parts of a window that the noisy coarse decoder and the fine stages work on.

    Attributes
    ----------
    outer, inner : tuple of slice
        Coarse frames, rows and columns counted from the corner of the window; the second lies in the first.
    """

    outer: Span
    inner: Span

    @property
    def within(self) -> Span:
        """The inner part counted from the corner of the outer one."""
        return counted_from(self.inner, self.outer)


def whole(shape: tuple[int, int, int]) -> Span:
    """All of a window of so many coarse frames, rows and columns."""
    time, y, x = (slice(0, size) for size in shape)
    return time, y, x


def widened(span: Span, reach: tuple[int, int, int], shape: tuple[int, int, int]) -> Span:
    """A part with so many frames, rows and columns more to each side, as far as the window goes.

    >>> widened((slice(2, 3), slice(0, 4), slice(1, 2)), (1, 2, 0), (9, 5, 5))
    (slice(1, 4, None), slice(0, 5, None), slice(1, 2, None))
    """
    time, y, x = (
        slice(max(0, part.start - more), min(size, part.stop + more))
        for part, more, size in zip(span, reach, shape, strict=True)
    )
    return time, y, x


def counted_from(span: Span, corner: Span) -> Span:
    """A part counted from the corner of another one.

    >>> counted_from((slice(3, 5), slice(1, 2), slice(4, 6)), (slice(2, 9), slice(1, 9), slice(0, 9)))
    (slice(1, 3, None), slice(0, 1, None), slice(4, 6, None))
    """
    time, y, x = (
        slice(part.start - first.start, part.stop - first.start)
        for part, first in zip(span, corner, strict=True)
    )
    return time, y, x


def cut(values: Tensor, span: Span) -> Tensor:
    """A part of fields (B, L, ..., M, N)."""
    return values[:, span[0], ..., span[1], span[2]]
