"""Fields that are read where a window is cut, so that an archive larger than memory can be learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RUN = 2**24
"""Values that are read at a time where all of a field is needed."""


class Unread:
    """A dask array (time, channels, y, x) that gives NumPy arrays of what is asked for.

    Parameters
    ----------
    array : dask array
    rectified : tuple of bool
        Which channels are precipitation, whose rounding below zero is taken off.

    Examples
    --------
    >>> import dask.array as da
    >>> values = Unread(da.full((6, 1, 4, 4), -1.0, chunks=2), (True,))
    >>> values.shape, values[1:3, 0, 2:].tolist()[0]
    ((6, 1, 4, 4), [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    """

    def __init__(self, array: Any, rectified: tuple[bool, ...]) -> None:
        self.array, self.rectified = array, rectified

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along (time, channels, y, x)."""
        return tuple(int(size) for size in self.array.shape)

    def __len__(self) -> int:
        """Steps."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """What is asked for, read."""
        whole = key if isinstance(key, tuple) else (key,)
        values = np.array(self.array[key], np.float32)
        channels = np.arange(self.shape[1])[whole[1] if len(whole) > 1 else slice(None)]
        if channels.ndim == 0:
            return np.maximum(values, 0) if self.rectified[int(channels)] else values
        for number, channel in enumerate(channels):
            if self.rectified[channel]:
                values[:, number] = np.maximum(values[:, number], 0)  # NaN stays
        return values

    def steps(self, first: int, end: int) -> Unread:
        """A stretch of steps, unread."""
        return Unread(self.array[first:end], self.rectified)


def steps_of(values: Any, part: slice) -> Any:
    """A stretch of steps of an array, or of what is not yet read.

    Parameters
    ----------
    values : array or Unread
    part : slice
    """
    return values.steps(part.start, part.stop) if isinstance(values, Unread) else values[part]


def runs(values: Any) -> Iterator[NDArray[np.float32]]:
    """All of an array, some steps at a time; what is in memory at once.

    Parameters
    ----------
    values : array or Unread, shape (time, channels, y, x)
    """
    if not isinstance(values, Unread):
        yield values
        return
    frames = max(1, RUN // max(1, int(np.prod(values.shape[1:]))))
    for first in range(0, len(values), frames):
        yield values[first : first + frames]
