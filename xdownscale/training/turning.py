"""Training windows turned by any angle, so that members do not carry the signature of the grid.

Windows that are mirrored and turned by right angles alone teach a network that axes differ from diagonals, as they do
on the lattice of every product. Turned by any angle, what is learned has no direction of its own. The fine field is
turned and coarsened afterwards. Splines take some power off the shortest waves, so turned windows are mixed with plain
ones.
"""

from __future__ import annotations

from math import ceil, cos, sin
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURNED = 0.5
"""Share of the windows that are turned by any angle; the others are left as they are, or by right angles."""

MARGIN = 3
"""Cells around the corners of a turned window that its splines look at."""


def room_for(angle: float, shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a field from whose middle a window may be cut at an angle.

    >>> room_for(0.0, (10, 20)), room_for(np.pi / 4, (10, 10))
    ((16, 26), (21, 21))
    """
    c, s, (high, wide) = abs(cos(angle)), abs(sin(angle)), shape
    rows, columns = c * high + s * wide, s * high + c * wide
    return ceil(rows - 1e-9) + 2 * MARGIN, ceil(columns - 1e-9) + 2 * MARGIN


def turned(
    values: NDArray[np.float32], angle: float, shape: tuple[int, int], *, least: float | None = None
) -> NDArray[np.float32]:
    """The middle of frames, turned.

    Parameters
    ----------
    values : array, shape (..., rows, columns)
        As large as :func:`room_for` says, or larger; NaN where missing.
    angle : float
        In radians.
    shape : tuple of int
        Rows and columns of the result.
    least : float, optional
        For fields of which much is exactly zero: what is smaller becomes zero, as splines are never exactly so.

    Returns
    -------
    array, shape (..., *shape)
        NaN where a missing value is near.

    Examples
    --------
    >>> line = np.zeros((1, 12, 12), np.float32)
    >>> line[0, 5:7] = 1.0
    >>> turned(line, np.pi / 2, (4, 4))[0].round().astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 1, 1, 0]])
    """
    from scipy import ndimage

    middle = [(size - 1) / 2 for size in values.shape[-2:]]
    y, x = np.indices(shape, dtype=np.float64)
    y, x = y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2
    place = [
        middle[0] + cos(angle) * y - sin(angle) * x,
        middle[1] + sin(angle) * y + cos(angle) * x,
    ]
    frames = values.reshape(-1, *values.shape[-2:])
    made = np.empty((len(frames), *shape), np.float32)
    for frame, result in zip(frames, made, strict=True):
        missing = np.isnan(frame)
        filled = np.where(missing, 0, frame) if missing.any() else frame
        spun = ndimage.map_coordinates(filled, place, order=3, mode="nearest")
        result[:] = spun.clip(filled.min(), filled.max())  # splines overshoot
        if least is not None:
            result[result < least] = 0.0
        if missing.any():
            near = ndimage.binary_dilation(missing, iterations=2).astype(np.float32)
            result[ndimage.map_coordinates(near, place, order=1, mode="nearest") > 0] = np.nan
    return made.reshape(*values.shape[:-2], *shape)
