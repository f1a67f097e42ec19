"""Means over blocks of cells and steps, weighted, with missing values, on numpy and dask arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
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
        return _finished(
            _sums(values, weights, blocks), _full(weights, blocks), min_valid, _result_dtype(values.dtype)
        )
    return _lazy_means(values, weights, blocks, min_valid)


def _lazy_means(values: Any, weights: np.ndarray | None, blocks: Blocks, min_valid: float) -> Any:
    """Block means of a dask array: every chunk is summed on its own, then sums of blocks that chunks share are added.

    Fine values are never moved between chunks, so that no more than one chunk of them need be held at a time.
    """
    import dask.array

    cuts = [_Cuts.of(sizes, n) for sizes, n in zip(values.chunks[-3:], blocks, strict=True)]
    lead, dtype = values.chunks[:-3], _result_dtype(values.dtype)
    area, full = np.ones((1, 1)) if weights is None else weights, _full(weights, blocks)
    sums = dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _sums_of_chunk,
        values,
        _chunked(area, values.chunks[-2:]),
        blocks=blocks,
        starts=[cut.starts for cut in cuts],
        dtype=np.complex128,
        chunks=(*lead, *(cut.parts for cut in cuts)),
        meta=np.empty((0,) * values.ndim, np.complex128),
    )
    means = tuple(cut.means for cut in cuts)
    return dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _means_of_sums,
        sums.rechunk((*lead, *(cut.gathered for cut in cuts))),
        _chunked(full, means[-2:]),
        repeats=[cut.repeats for cut in cuts],
        min_valid=min_valid,
        result=dtype,
        dtype=dtype,
        chunks=(*lead, *means),
        meta=np.empty((0,) * values.ndim, dtype),
    )


def match_means(
    fine: Any,
    coarse: Any,
    weights: np.ndarray,
    blocks: Blocks,
    *,
    ratio: bool,
    limits: tuple[float | None, float | None] = (None, None),
) -> Any:
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
        Whether blocks are scaled (rain) or shifted.
    limits : (float or None, float or None)
        The least and the largest value. Towards a limit all values of a shifted block are moved by the same share of
        their distance from it, so that none passes it.

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
            _move(
                fine[lead],
                coarse,
                block_means(fine[lead], weights, blocks, 0.0),
                blocks,
                ratio=ratio,
                limits=limits,
            )
        return fine
    means = block_means(fine, weights, blocks, 0.0)
    return _move(fine, coarse.rechunk(means.chunks[-3:]), means, blocks, ratio=ratio, limits=limits)


def _move(
    fine: Any,
    coarse: Any,
    means: Any,
    blocks: Blocks,
    *,
    ratio: bool,
    limits: tuple[float | None, float | None],
) -> Any:
    """Scale or shift every block from its mean to the wanted one; an ndarray in place."""
    if ratio:
        fine *= _spread(np.where(means > 0, coarse / np.where(means > 0, means, 1), 1), blocks, fine.dtype)
        return fine
    move = coarse - means
    end, share = coarse, np.zeros_like(move)
    for limit, towards, farthest in zip(limits, (move < 0, move > 0), (np.minimum, np.maximum), strict=True):
        if limit is not None:
            end = np.where(towards, farthest(coarse, limit), end)
            share = np.where(towards, move / np.where(towards, end - means, 1), share)
    if limits != (None, None):
        toward = _spread(share, blocks, fine.dtype)
        fine += toward * (_spread(end, blocks, fine.dtype) - fine)
    fine += _spread(np.where(share > 0, 0, move), blocks, fine.dtype)
    return fine


def _spread(values: Any, blocks: Blocks, dtype: Any) -> Any:
    """The value of every block at all its cells."""
    for axis, n in zip((-3, -2, -1), blocks, strict=True):
        values = np.repeat(values, n, axis=axis)
    return values.astype(dtype)


@dataclass(frozen=True)
class _Cuts:
    """How the chunks of one axis cut its blocks.

    Attributes
    ----------
    starts : tuple of int
        First cell of every chunk.
    parts : tuple of int
        Blocks that every chunk holds a part of.
    gathered, means : tuple of int
        Parts, and blocks, of every chunk of the result: a block belongs to the chunk that it begins in.
    repeats : tuple of tuple
        Number of parts of each of those blocks.
    """

    starts: tuple[int, ...]
    parts: tuple[int, ...]
    gathered: tuple[int, ...]
    means: tuple[int, ...]
    repeats: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, sizes: Sequence[int], n: int) -> _Cuts:
        """Chunks of these sizes, blocks of n cells."""
        edges = [0, *(int(edge) for edge in np.cumsum(sizes))]
        held = [range(start // n, -(-stop // n)) for start, stop in pairwise(edges)]
        count = np.bincount([block for blocks in held for block in blocks])
        owner = np.searchsorted(edges, np.arange(count.size) * n, side="right")
        repeats = tuple(tuple(int(k) for k in count[owner == chunk]) for chunk in np.unique(owner))
        return cls(
            starts=tuple(edges[:-1]),
            parts=tuple(len(blocks) for blocks in held),
            gathered=tuple(sum(group) for group in repeats),
            means=tuple(len(group) for group in repeats),
            repeats=repeats,
        )


def _chunked(weights: np.ndarray, chunks: Sequence[tuple[int, ...]]) -> Any:
    """Weights in chunks along y and x, or in one where they do not vary."""
    import dask.array

    sizes = tuple(axis if size > 1 else (1,) for size, axis in zip(weights.shape, chunks, strict=True))
    return dask.array.from_array(weights, sizes)  # type: ignore[no-untyped-call]


def _sums_of_chunk(
    values: np.ndarray,
    area: np.ndarray,
    *,
    blocks: Blocks,
    starts: Sequence[Sequence[int]],
    block_id: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Sums over the parts of blocks that one chunk holds."""
    first = [axis[at] for axis, at in zip(starts, (block_id or (0, 0, 0))[-3:], strict=True)]
    t, i, j = blocks
    steps, rows, columns = values.shape[-3:]
    around = [
        (start % n, -(start + size) % n)
        for start, size, n in zip(first[1:], (rows, columns), (i, j), strict=True)
    ]
    head = min(-first[0] % t, steps)
    tail = (steps - head) % t
    pieces = [
        _sums(*_padded(values[..., part, :, :], area, around), (length, i, j))
        for part, length in (
            (slice(0, head), head),
            (slice(head, steps - tail), t),
            (slice(steps - tail, steps), tail),
        )
        if part.stop > part.start
    ]
    return np.concatenate(pieces, axis=-3)


def _padded(
    values: np.ndarray, area: np.ndarray, around: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Whole blocks: cells that other chunks hold count nothing here."""
    if not any(sum(pair) for pair in around):
        return values, area
    width = [(0, 0)] * (values.ndim - 2) + list(around)
    return np.pad(values, width), np.pad(np.broadcast_to(area, values.shape[-2:]), around)


def _means_of_sums(
    sums: np.ndarray,
    full: np.ndarray,
    *,
    repeats: Sequence[Sequence[Sequence[int]]],
    min_valid: float,
    result: np.dtype[Any],
    block_id: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Means of the blocks that begin in one chunk, from the sums over their parts."""
    for axis, (groups, at) in enumerate(zip(repeats, (block_id or (0, 0, 0))[-3:], strict=True)):
        parts = groups[at]
        if max(parts) > 1:
            sums = np.add.reduceat(sums, np.cumsum([0, *parts[:-1]]), axis=axis - 3)
    return _finished(sums, full, min_valid, result)


def _result_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Floating types stay, anything else becomes double."""
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def _full(weights: np.ndarray | None, blocks: Blocks) -> np.ndarray:
    """Weight of whole blocks, shape (K, M), (K, 1) or (1, 1)."""
    t, i, j = blocks
    if weights is None:
        return np.full((1, 1), float(t * i * j))
    columns = j if weights.shape[1] == 1 else 1
    full: np.ndarray = _sum_cells(weights[None], i, 1 if columns > 1 else j)[0] * (t * columns)
    return full


def _finished(sums: np.ndarray, full: np.ndarray, min_valid: float, dtype: np.dtype[Any]) -> np.ndarray:
    """Means from sums of values (real part) and of the weights of valid cells (imaginary part)."""
    total, covered = sums.real, sums.imag
    whole = np.abs(covered - full) <= _ROUNDING * full
    enough = (covered >= (min_valid - _ROUNDING) * full) & (covered > 0)
    divisor = np.where(whole, full, np.where(enough, covered, 1.0))
    means: np.ndarray = np.where(enough, total / divisor, np.nan).astype(dtype)
    return means


def _sums(values: np.ndarray, weights: np.ndarray | None, blocks: Blocks) -> np.ndarray:
    """Σ w v and Σ w over the valid cells of every block, as real and imaginary part; a slab of coarse steps at a time.

    One complex array carries both through dask, and adds both at once.
    """
    t, i, j = blocks
    *lead, steps, rows, columns = values.shape
    frames = values.reshape(-1, t, rows, columns)
    sums = np.empty((len(frames), rows // i, columns // j), np.complex128)
    count = max(1, _SLAB // max(1, t * rows * columns))
    for first in range(0, len(frames), count):
        slab = slice(first, first + count)
        sums.real[slab], sums.imag[slab] = _slab_sums(frames[slab], weights, blocks)
    return sums.reshape(*lead, steps // t, rows // i, columns // j)


def _slab_sums(
    frames: np.ndarray, weights: np.ndarray | None, blocks: Blocks
) -> tuple[np.ndarray, np.ndarray]:
    """Σ w v and Σ w over the valid cells of the blocks of (coarse step, T, y, x) frames."""
    t, i, j = blocks
    area = np.ones((1, 1)) if weights is None else weights
    total = _sum_cells(_weigh(_sum_steps(frames), weights), i, j)
    if not np.isnan(total).any():
        return total, _sum_cells(np.broadcast_to(area, (1, *frames.shape[2:])), i, j) * t
    valid = ~np.isnan(frames)
    total = _sum_cells(_weigh(_sum_steps(np.where(valid, frames, frames.dtype.type(0))), weights), i, j)
    return total, _sum_cells(_weigh(_sum_steps(valid), weights), i, j)


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
