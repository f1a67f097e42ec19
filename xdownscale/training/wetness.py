"""How wet a field is, and how much of it is known, anywhere: two sums over boxes, made by reading the field once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 8
"""Cells along the side of a box."""

READ = 2**24
"""Values that are read at a time."""


class Wetness:
    """Shares of wet and of known cells of any window, to within boxes of 8 × 8 cells.

    Parameters
    ----------
    values : array, shape (time, channels, y, x)
        In memory or not: read once, some frames at a time. The first channel counts.
    wet : float, optional
        A cell is wet above this value; None counts those that are known.

    Attributes
    ----------
    least : float or None
        The smallest value above zero of a field with a threshold.

    Examples
    --------
    >>> rain = np.zeros((4, 1, 16, 16), np.float32)
    >>> rain[..., :8, :] = 0.5
    >>> Wetness(rain, 0.1).shares((0, 0, 0), (4, 16, 8))
    (0.5, 1.0)
    """

    def __init__(self, values: Any, wet: float | None) -> None:
        frames = max(1, READ // max(1, int(np.prod(values.shape[2:]))))
        parts = [
            _boxes(np.asarray(values[first : first + frames, 0], np.float32), wet)
            for first in range(0, len(values), frames)
        ]
        self.least = None if wet is None else min((part[2] for part in parts), default=0.0)
        self._wet, self._known = (_summed(np.concatenate([part[i] for part in parts])) for i in range(2))
        self._shape = (values.shape[0], *values.shape[2:])

    def shares(self, start: tuple[int, ...], shape: tuple[int, ...]) -> tuple[float, float]:
        """Share of wet and of known cells of a window."""
        low = (start[0], start[1] // SIDE, start[2] // SIDE)
        ends = [first + size for first, size in zip(start, shape, strict=True)]
        high = (ends[0], -(-ends[1] // SIDE), -(-ends[2] // SIDE))
        cells = (high[0] - low[0]) * np.prod(
            [min(b * SIDE, n) - a * SIDE for a, b, n in zip(low[1:], high[1:], self._shape[1:], strict=True)]
        )
        return tuple(float(_box(sums, low, high) / cells) for sums in (self._wet, self._known))  # type: ignore[return-value]


def _boxes(
    values: NDArray[np.float32], wet: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Wet and known cells of every box, and the smallest value above zero."""
    known = np.isfinite(values)
    rows, columns = (-size % SIDE for size in values.shape[1:])

    def count(cells: NDArray[np.bool_]) -> NDArray[np.float64]:
        padded = np.pad(cells, ((0, 0), (0, rows), (0, columns)))
        return np.asarray(
            padded.reshape(len(cells), padded.shape[1] // SIDE, SIDE, -1, SIDE).sum((2, 4), dtype=np.float64)
        )

    positive = values[values > 0]
    return count(known if wet is None else values > wet), count(known), float(positive.min(initial=np.inf))


def _summed(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of everything before an index, with a leading zero along every axis."""
    return np.pad(boxes, ((1, 0),) * 3).cumsum(0).cumsum(1).cumsum(2)


def _box(sums: NDArray[np.float64], low: tuple[int, ...], high: tuple[int, ...]) -> float:
    """What lies between two corners."""
    total = 0.0
    for corner in range(8):
        at = tuple((high if corner >> axis & 1 else low)[axis] for axis in range(3))
        total += (-1) ** (3 - corner.bit_count()) * float(sums[at])
    return total
