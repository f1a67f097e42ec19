"""Interpolation in space, held over the fine steps: the first thing that a user would do without us.

A fine cell lies in one coarse cell, its own. Its value is a weighted mean of coarse values around, axis by
axis, where a value beyond the edge, or missing, is replaced by that of its own cell: so cells under missing
ones are missing and no others, and the outermost rows are held constant. Columns that close the circle have no edge.
"""

from __future__ import annotations

import functools
from typing import Any, Final, Literal, TypeAlias

import numpy as np

Blocks = tuple[int, int, int]

Beyond: TypeAlias = Literal["edge", "wrap"]
"""What lies beyond an end of an axis: the last value again, or the values of the other end."""

METHODS: Final = ("bicubic", "linear", "nearest", "conservative")
"""``nearest`` and ``conservative`` agree here: the only constant that keeps a cell's mean is the mean."""

_REACH: Final = 2
"""Coarse cells that a fine value may depend on, to either side."""


def interpolate_array(values: Any, blocks: Blocks, method: str = "bicubic", *, periodic: bool = False) -> Any:
    """Refine the last three axes (time, y, x); lazy for a dask array.

    Cubic weights are those of Keys (1981) with a = -0.5, which reproduce second-order polynomials. They
    overshoot at edges; where all values around are non-negative the result is cut off at zero.

    Parameters
    ----------
    values : ndarray or dask array, shape (..., K, M, N)
        Coarse values; NaN is missing.
    blocks : tuple of int
        Block lengths (T, S_y, S_x).
    method : {"bicubic", "linear", "nearest", "conservative"}
        Weights in space. Time is held constant over its T steps.
    periodic : bool
        Whether the last column lies beside the first: no edge there, and no seam.

    Returns
    -------
    ndarray or dask array, shape (..., T·K, S_y·M, S_x·N)

    References
    ----------
    Keys (1981), doi:10.1109/TASSP.1981.1163711.

    Examples
    --------
    >>> import numpy as np
    >>> interpolate_array(np.array([[[0.0, 4.0]]]), (1, 1, 2), "linear")
    array([[[0., 1., 3., 4.]]])
    """
    if isinstance(values, np.ndarray):
        return _refine(values, blocks, method, ("edge", _beyond(periodic=periodic)))
    import dask.array
    from dask.array.overlap import ensure_minimum_chunksize, overlap

    cut = [len(values.chunks[axis]) > 1 and method in {"bicubic", "linear"} for axis in (-2, -1)]
    last = values.ndim - 1
    for axis, is_cut in zip((last - 1, last), cut, strict=True):
        if is_cut:
            sizes = ensure_minimum_chunksize(_REACH, values.chunks[axis])  # type: ignore[no-untyped-call]
            values = values.rechunk({axis: sizes})
    chunks = values.chunks[:-3] + tuple(
        tuple(size * n for size in sizes) for sizes, n in zip(values.chunks[-3:], blocks, strict=True)
    )
    depth = {axis: _REACH * is_cut for axis, is_cut in zip((last - 1, last), cut, strict=True)}
    haloed = values
    if any(cut):
        edges = {last - 1: "nearest", last: "periodic" if periodic else "nearest"}
        haloed = overlap(values, depth=depth, boundary=edges)  # type: ignore[no-untyped-call]
    rows: Beyond | None = None if cut[0] else "edge"
    pad = (rows, None if cut[1] else _beyond(periodic=periodic))
    function = functools.partial(_refine, blocks=blocks, method=method, pad=pad)
    meta = np.empty((0,) * values.ndim, values.dtype)
    return dask.array.map_blocks(function, haloed, dtype=values.dtype, chunks=chunks, meta=meta)  # type: ignore[no-untyped-call]


def _beyond(*, periodic: bool) -> Beyond:
    """What lies beyond the last column."""
    return "wrap" if periodic else "edge"


def _refine(
    values: np.ndarray, blocks: Blocks, method: str, pad: tuple[Beyond | None, Beyond | None]
) -> np.ndarray:
    """Refine an array in memory; axes that are not padded here come with their neighbours."""
    t, i, j = blocks
    if method in {"nearest", "conservative"}:
        fine = np.repeat(np.repeat(values, i, axis=-2), j, axis=-1)
    else:
        wide = _widened(_widened(values, -2, pad[0]), -1, pad[1])
        rows, row_floor = _refine_last(np.swapaxes(wide, -1, -2), i, method)
        rows, row_floor = np.swapaxes(rows, -1, -2), np.swapaxes(row_floor, -1, -2)
        fine, _ = _refine_last(rows, j, method)
        floor = _refine_last(row_floor, j, method)[1]
        fine = np.where((floor >= 0) & (fine < 0), 0.0, fine)
    return np.repeat(fine, t, axis=-3).astype(values.dtype, copy=False)


def _widened(values: np.ndarray, axis: int, beyond: Beyond | None) -> np.ndarray:
    """An array with the neighbours that lie beyond both ends of an axis."""
    if beyond is None:
        return values
    width = [(0, 0)] * values.ndim
    width[axis] = (_REACH, _REACH)
    return np.pad(values, width, mode=beyond)


def _refine_last(values: np.ndarray, factor: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Refine the last axis, which has two neighbours more at both ends; also the smallest value used."""
    size = values.shape[-1] - 2 * _REACH
    own = values[..., _REACH : _REACH + size]
    shape = (*values.shape[:-1], size, factor)
    fine, floor = np.empty(shape, values.dtype), np.empty(shape, values.dtype)
    around = [values[..., k : k + size] for k in range(2 * _REACH + 1)]
    around = [np.where(np.isnan(value), own, value) for value in around]
    for phase, weights in enumerate(_weights(factor, method)):
        used = [(w, value) for w, value in zip(weights, around, strict=True) if w != 0]
        fine[..., phase] = sum(value.dtype.type(w) * value for w, value in used)
        floor[..., phase] = functools.reduce(np.minimum, (value for _, value in used))
    flat = (*values.shape[:-1], size * factor)
    return fine.reshape(flat), floor.reshape(flat)


@functools.cache
def _weights(factor: int, method: str) -> tuple[tuple[float, ...], ...]:
    """Weights of the coarse cells -2 … 2 around a fine cell's own, for each of its places in that cell."""
    kernel = _cubic if method == "bicubic" else _hat
    places = [(place + 0.5) / factor - 0.5 for place in range(factor)]
    return tuple(tuple(kernel(abs(cell - place)) for cell in range(-_REACH, _REACH + 1)) for place in places)


def _hat(distance: float) -> float:
    """Linear weight at a distance in coarse cells."""
    return max(0.0, 1.0 - distance)


def _cubic(distance: float) -> float:
    """Cubic convolution weight with a = -0.5 at a distance in coarse cells."""
    a = -0.5
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    if distance < 2:
        return a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return 0.0
