"""Chunks of one size, as zarr stores want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def even_chunks(values: Any) -> Any:
    """A dask array whose chunks have one size along every axis, the last one at most that; any other array as it is.

    The largest chunk says the size, so that no chunk of the result holds more than the largest one times parts of its
    neighbours; nothing is computed.

    Parameters
    ----------
    values : array
        Any.

    Examples
    --------
    >>> import dask.array
    >>> even_chunks(dask.array.zeros((8, 9), chunks=((1, 3, 3, 1), (4, 4, 1)))).chunks
    ((3, 3, 2), (4, 4, 1))
    """
    chunks: Sequence[Sequence[int]] | None = getattr(values, "chunks", None)
    if chunks is None:
        return values
    uneven = {axis: max(sizes) for axis, sizes in enumerate(chunks) if not _even(sizes)}
    return values.rechunk(uneven) if uneven else values


def _even(sizes: Sequence[int]) -> bool:
    """Whether all chunks have the size of the first, and the last one at most that."""
    return len(set(sizes[:-1])) <= 1 and sizes[-1] <= sizes[0]
