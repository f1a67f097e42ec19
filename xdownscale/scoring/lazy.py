"""When lazy fields are read: apart from each other, or one after something else."""

from __future__ import annotations

from typing import Any

import xarray as xr


def read_apart(field: xr.DataArray) -> xr.DataArray:
    """The same values; lazy ones in a reading of their own, so that no block is kept in memory for another use of it.

    Parameters
    ----------
    field : DataArray

    Examples
    --------
    >>> field = xr.DataArray([1.0, 2.0], dims="x").chunk(x=1)
    >>> bool(read_apart(field).equals(field)), read_apart(field).data.name == field.data.name
    (True, False)
    """
    if not field.chunks:
        return field
    from dask.graph_manipulation import clone

    return field.copy(data=clone(field.data))


def read_after(field: xr.DataArray, first: xr.DataArray) -> xr.DataArray:
    """The same values; lazy ones are not read before a single number is known.

    Parameters
    ----------
    field : DataArray
    first : DataArray
        A lazy number.

    Examples
    --------
    >>> field = xr.DataArray([1.0, 2.0], dims="x").chunk(x=1)
    >>> bool(read_after(field, field.sum()).equals(field))
    True
    """
    if not field.chunks:
        return field
    import dask.array

    waiting = dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _first_of_both,
        field.data,
        first.data,
        dtype=field.dtype,
        meta=field.data._meta,  # noqa: SLF001  what dask itself passes on
    )
    return field.copy(data=waiting)


def _first_of_both(block: Any, _: Any) -> Any:
    """A block that waited for something else."""
    return block
