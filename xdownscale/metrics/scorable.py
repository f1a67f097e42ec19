"""Checks of fields to score: real numbers without missing-data markers and without infinities.

A forecast may be wrong, so negative rain is scored unchanged. An infinite member is refused, because it would
count as a missing case and improve the score.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.field.axes import check_named
from xdownscale.field.checks import checked


def scorable(field: Any, name: str) -> xr.DataArray:
    """Check the values of a field; those of a lazy field are checked block by block when they are computed.

    Parameters
    ----------
    field : DataArray
        Observations or forecasts.
    name : str
        Name of the field in messages.

    Returns
    -------
    DataArray
        The field without packing attributes.

    Raises
    ------
    DimensionError
        If it is not a DataArray, or a dimension has no name.
    EmptyFieldError
        If it has no cells.
    ValueRangeError
        If it holds infinities, missing-data markers, or values that are not real numbers.

    Examples
    --------
    >>> float(scorable(xr.DataArray([1.0], dims="x"), "forecasts")[0])
    1.0
    """
    if not isinstance(field, xr.DataArray):
        msg = f"{name} are a {type(field).__name__}; pass an xarray.DataArray{_way_out(field)}"
        raise DimensionError(msg)
    check_named(field)
    finite: xr.DataArray = checked(field, name, allow_missing=True, forecast=True)
    if finite.chunks is None:
        _refuse_infinite(finite.values, name=name)
        return finite
    import dask.array

    check = partial(_refuse_infinite, name=name)
    data = dask.array.map_blocks(  # type: ignore[no-untyped-call]
        check,
        finite.data,
        dtype=finite.dtype,
        meta=finite.data._meta,  # noqa: SLF001  what dask itself passes on
    )
    return finite.copy(data=data)


def _way_out(field: Any) -> str:
    """How to convert another type to a DataArray."""
    if isinstance(field, dict):
        return ". Names are those of forecasts: observations come first and forecasts second; swap them."
    if isinstance(field, xr.DataTree):
        return ': one of its nodes, as in tree["node"].to_dataset()["rain"].'
    if isinstance(field, xr.Dataset):
        return f": one of its variables {[str(name) for name in field.data_vars]}, as in dataset[name]."
    return ', as in xarray.DataArray(values, dims=("time", "y", "x")).'


def _refuse_infinite(block: np.ndarray[Any, Any], *, name: str) -> np.ndarray[Any, Any]:
    """The block itself, if its values are finite or missing."""
    if block.dtype.kind == "f" and np.isinf(block).any():
        msg = f"there are infinite values in {name}. Make them missing: {name}.where(numpy.isfinite({name}))."
        raise ValueRangeError(msg)
    return block
