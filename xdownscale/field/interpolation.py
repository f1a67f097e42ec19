"""Interpolation in space, held over the fine steps or linear in time: the first thing that a user would do without us.

A fine cell lies in one coarse cell, its own. Its value is a weighted mean of coarse values around, axis by
axis, where a value beyond the edge, or missing, is replaced by that of its own cell: so cells under missing
ones are missing and no others, and the outermost rows are held constant. Columns that close the circle have no edge.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Blocks = tuple[int, int, int]

Beyond: TypeAlias = Literal["edge", "wrap"]
"""What lies beyond an end of an axis: the last value again, or the values of the other end."""

METHODS: Final = ("bicubic", "linear", "nearest", "conservative")
"""``nearest`` and ``conservative`` agree here: the only constant that keeps a cell's mean is the mean."""

TIMES: Final = ("hold", "linear")
"""Along time: constant over a coarse step, or linear between the middles of coarse steps."""

_REACH: Final = 2
"""Coarse cells that a fine value may depend on, to either side."""


def interpolate_array(
    values: Any, blocks: Blocks, method: str = "bicubic", *, time: str = "hold", periodic: bool = False
) -> Any:
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
        Weights in space.
    time : {"hold", "linear"}
        Weights in time: constant over the T steps, or linear between the middles of coarse steps, and constant before
        the first and after the last of them.
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
    >>> interpolate_array(np.array([[[0.0]], [[4.0]]]), (2, 1, 1), time="linear").ravel()
    array([0., 1., 3., 4.])
    """
    space = "nearest" if method == "conservative" else method
    kinds = ("linear" if time == "linear" and blocks[0] > 1 else "nearest", space, space)
    beyond: tuple[Beyond, Beyond, Beyond] = ("edge", "edge", "wrap" if periodic else "edge")
    if isinstance(values, np.ndarray):
        return _refine(values, blocks, kinds, beyond)
    import dask.array
    from dask.array.overlap import ensure_minimum_chunksize, overlap

    axes = [values.ndim - 3 + k for k in range(3)]
    cut = [len(values.chunks[axis]) > 1 and kind != "nearest" for axis, kind in zip(axes, kinds, strict=True)]
    for axis, is_cut in zip(axes, cut, strict=True):
        if is_cut:
            sizes = ensure_minimum_chunksize(_REACH, values.chunks[axis])  # type: ignore[no-untyped-call]
            values = values.rechunk({axis: sizes})
    chunks = values.chunks[:-3] + tuple(
        tuple(size * n for size in sizes) for sizes, n in zip(values.chunks[-3:], blocks, strict=True)
    )
    haloed = values
    if any(cut):
        depth = {axis: _REACH * is_cut for axis, is_cut in zip(axes, cut, strict=True)}
        edges = dict(zip(axes, ("nearest", "nearest", "periodic" if periodic else "nearest"), strict=True))
        haloed = overlap(values, depth=depth, boundary=edges)  # type: ignore[no-untyped-call]
    pad = tuple(None if is_cut else end for is_cut, end in zip(cut, beyond, strict=True))
    function = functools.partial(_refine, blocks=blocks, kinds=kinds, pad=pad)
    meta = np.empty((0,) * values.ndim, values.dtype)
    return dask.array.map_blocks(function, haloed, dtype=values.dtype, chunks=chunks, meta=meta)  # type: ignore[no-untyped-call]


def _refine(
    values: np.ndarray, blocks: Blocks, kinds: Sequence[str], pad: Sequence[Beyond | None]
) -> np.ndarray:
    """Refine an array in memory, axis by axis; axes that are not padded here come with their neighbours."""
    smooth = [
        axis
        for axis, kind in zip((-2, -1, -3), (kinds[1], kinds[2], kinds[0]), strict=True)
        if kind != "nearest"
    ]
    fine = values
    for axis in smooth:
        fine = _widened(fine, axis, pad[axis])
    floor = None
    for axis in smooth:
        grown, least = _refine_axis(fine, axis, blocks[axis], kinds[axis])
        floor = least if floor is None else _refine_axis(floor, axis, blocks[axis], kinds[axis])[1]
        fine = grown
    if floor is not None:
        fine = np.where((floor >= 0) & (fine < 0), 0.0, fine)
    for axis in (-3, -2, -1):
        if axis not in smooth:
            fine = np.repeat(fine, blocks[axis], axis=axis)
    return fine.astype(values.dtype, copy=False)


def _widened(values: np.ndarray, axis: int, beyond: Beyond | None) -> np.ndarray:
    """An array with the neighbours that lie beyond both ends of an axis."""
    if beyond is None:
        return values
    width = [(0, 0)] * values.ndim
    width[axis] = (_REACH, _REACH)
    return np.pad(values, width, mode=beyond)


def _refine_axis(values: np.ndarray, axis: int, factor: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    """:func:`_refine_last` along another axis."""
    fine, floor = _refine_last(np.moveaxis(values, axis, -1), factor, method)
    return np.moveaxis(fine, -1, axis), np.moveaxis(floor, -1, axis)


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
