"""Means over blocks of cells and steps, weighted, with missing values, on numpy and dask arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Blocks = tuple[int, int, int]

_SLAB: Final = 2**20
"""Values that are worked on at once: a few MB in double precision, which stay in the cache."""

_ROUNDING: Final = 1e-9
"""A valid share this little below the limit still counts: 0.7 is not a sum of tenths in binary."""


def block_means(values: Any, weights: np.ndarray | None, blocks: Blocks, min_valid: float = 1.0) -> Any:
    """Mean of the valid cells of every block on the last three axes; lazy for a dask array.

    Sums are in double precision; the result has the precision of the input (double for integers).

    Parameters
    ----------
    values : ndarray or dask array, shape (..., T·K, S_y·M, S_x·N)
        Fine values; NaN is missing.
    weights : ndarray or None, shape (S_y·M, 1) or (S_y·M, S_x·N)
        Relative areas.
    blocks : tuple of int
        Block lengths (T, S_y, S_x).
    min_valid : float
        Share of a block's area and time that must be valid; below it the mean is NaN.

    Returns
    -------
    ndarray or dask array, shape (..., K, M, N)

    Examples
    --------
    >>> import numpy as np
    >>> block_means(np.arange(8.0).reshape(1, 2, 4), None, (1, 2, 2))
    array([[[2.5, 4.5]]])
    """
    if isinstance(values, np.ndarray):
        return _means(values, weights, blocks, min_valid)
    import dask.array

    values = align_chunks(values, blocks)
    chunks = values.chunks[:-3] + tuple(
        tuple(size // n for size in sizes) for sizes, n in zip(values.chunks[-3:], blocks, strict=True)
    )
    dtype = _result_dtype(values.dtype)
    arrays = [values]
    if weights is not None:
        columns = values.chunks[-1] if weights.shape[1] > 1 else (1,)
        chunks_of_weights = (values.chunks[-2], columns)
        chunked = dask.array.from_array(weights, chunks_of_weights)  # type: ignore[no-untyped-call]
        arrays.append(chunked)
    return dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _means_of_block,
        *arrays,
        blocks=blocks,
        min_valid=min_valid,
        dtype=dtype,
        chunks=chunks,
        meta=np.empty((0,) * values.ndim, dtype),
    )


def match_means(fine: Any, coarse: Any, weights: np.ndarray, blocks: Blocks, *, ratio: bool) -> Any:
    """Fine values moved, one factor or shift for each block, until their weighted block means are the coarse ones.

    Parameters
    ----------
    fine : ndarray or dask array, shape (..., T·K, S_y·M, S_x·N)
        Fine values whose block means are nearly right. An ndarray is changed in place.
    coarse : ndarray or dask array, shape (K, M, N)
        Wanted means.
    weights : ndarray, shape (S_y·M, 1) or (S_y·M, S_x·N)
        Relative areas.
    blocks : tuple of int
        Block lengths (T, S_y, S_x).
    ratio : bool
        Whether blocks are scaled (values that may not be negative) or shifted.

    Returns
    -------
    ndarray or dask array, shape of `fine`

    Examples
    --------
    >>> import numpy as np
    >>> match_means(
    ...     np.array([[[1.0, 3.0]]]), np.array([[[4.0]]]), np.array([[3.0, 1.0]]), (1, 1, 2), ratio=True
    ... )
    array([[[2.66666667, 8.        ]]])
    """
    if isinstance(fine, np.ndarray):
        for lead in np.ndindex(fine.shape[:-3]):
            _move(fine[lead], coarse, block_means(fine[lead], weights, blocks, 0.0), blocks, ratio=ratio)
        return fine
    means = block_means(fine, weights, blocks, 0.0)
    return _move(fine, coarse.rechunk(means.chunks[-3:]), means, blocks, ratio=ratio)


def _move(fine: Any, coarse: Any, means: Any, blocks: Blocks, *, ratio: bool) -> Any:
    """Scale or shift every block from its mean to the wanted one; an ndarray in place."""
    step = np.where(means > 0, coarse / np.where(means > 0, means, 1), 1) if ratio else coarse - means
    for axis, n in zip((-3, -2, -1), blocks, strict=True):
        step = np.repeat(step, n, axis=axis)
    step = step.astype(fine.dtype)
    if ratio:
        fine *= step
    else:
        fine += step
    return fine


def align_chunks(values: Any, blocks: Blocks) -> Any:
    """A dask array whose chunks end where blocks end, on the last three axes."""
    return values.rechunk(
        {axis: _aligned(values.chunks[axis], n) for axis, n in zip((-3, -2, -1), blocks, strict=True)}
    )


def _aligned(chunks: Sequence[int], n: int) -> tuple[int, ...]:
    """Chunk sizes with every cut moved to the nearest multiple of n."""
    cuts = np.unique(np.rint(np.cumsum(chunks) / n).astype(int) * n)
    return tuple(int(size) for size in np.diff(np.concatenate([[0], cuts])) if size)


def _means_of_block(
    values: np.ndarray, weights: np.ndarray | None = None, *, blocks: Blocks, min_valid: float
) -> np.ndarray:
    """Block means of one chunk."""
    return _means(values, weights, blocks, min_valid)


def _result_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Floating types stay, anything else becomes double."""
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def _means(values: np.ndarray, weights: np.ndarray | None, blocks: Blocks, min_valid: float) -> np.ndarray:
    """Block means in memory, a slab of coarse steps at a time."""
    t, i, j = blocks
    *lead, steps, rows, columns = values.shape
    frames = values.reshape(-1, t, rows, columns)
    means = np.empty((len(frames), rows // i, columns // j), _result_dtype(values.dtype))
    count = max(1, _SLAB // max(1, t * rows * columns))
    for first in range(0, len(frames), count):
        slab = slice(first, first + count)
        means[slab] = _slab_means(frames[slab], weights, blocks, min_valid)
    return means.reshape(*lead, steps // t, rows // i, columns // j)


def _slab_means(
    frames: np.ndarray, weights: np.ndarray | None, blocks: Blocks, min_valid: float
) -> np.ndarray:
    """Weighted means of the blocks of (coarse step, T, y, x) frames: Σ w v / Σ w over the valid cells."""
    t, i, j = blocks
    area = np.ones((1, 1)) if weights is None else weights
    full = _sum_cells(np.broadcast_to(area, (1, *frames.shape[2:])), i, j) * t
    total = _sum_cells(_weigh(_sum_steps(frames), weights), i, j)
    missing = np.isnan(total)
    if not missing.any():
        return np.asarray(total / full)
    valid = ~np.isnan(frames)
    total = _sum_cells(_weigh(_sum_steps(np.where(valid, frames, frames.dtype.type(0))), weights), i, j)
    covered = _sum_cells(_weigh(_sum_steps(valid), weights), i, j)
    enough = (covered >= (min_valid - _ROUNDING) * full) & (covered > 0)
    return np.where(enough, total / np.where(enough, covered, 1.0), np.nan)


def _weigh(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Values times weights, where there are any."""
    return values if weights is None else values * weights


def _sum_steps(frames: np.ndarray) -> np.ndarray:
    """Sum over axis 1, step after step in double precision: adding whole frames is as fast as memory."""
    total = frames[:, 0].astype(np.float64)
    for step in range(1, frames.shape[1]):
        total += frames[:, step]
    return total


def _sum_cells(values: np.ndarray, i: int, j: int) -> np.ndarray:
    """Sum over blocks of i rows, then of j columns."""
    steps, rows, columns = values.shape
    by_rows = values.reshape(steps, rows // i, i, columns).sum(axis=2)
    sums: np.ndarray = by_rows.reshape(steps, rows // i, columns // j, j).sum(axis=3)
    return sums
