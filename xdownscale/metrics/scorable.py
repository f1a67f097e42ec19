"""Fields that can be scored: arrays of real numbers without markers of missing data and without infinities.

A forecast may be wrong, so negative rain in it is scored as it is; an infinite member is refused, because it would
count as a missing case and so improve the score.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.values import check_numbers, check_values


def scorable(field: Any, name: str) -> xr.DataArray:
    """Check the values of a field; those of a lazy one are checked block by block, when they are computed.

    Parameters
    ----------
    field : DataArray
        Observations or forecasts.
    name : str
        "observations" or "forecasts", which messages call it.

    Returns
    -------
    DataArray
        The same field.

    Raises
    ------
    DimensionError
        If it is no DataArray.
    EmptyFieldError
        If it has no cells.
    ValueRangeError
        If it holds infinities, markers of missing data, anything but real numbers or, in observations, negative rain.

    Examples
    --------
    >>> float(scorable(xr.DataArray([1.0], dims="x"), "forecasts")[0])
    1.0
    """
    if not isinstance(field, xr.DataArray):
        msg = f"{name} are a {type(field).__name__}; scores take an xarray.DataArray{_way_out(field)}"
        raise DimensionError(msg)
    check_numbers(field)
    about = _about(field, name)
    if field.chunks is None:
        _check(field.values, about, name)
        return field
    import dask.array

    check = partial(_checked_block, about=about, name=name)
    data = dask.array.map_blocks(check, field.data, dtype=field.dtype, meta=field.data._meta)  # type: ignore[no-untyped-call]  # noqa: SLF001
    return field.copy(data=data)


def _way_out(field: Any) -> str:
    """How to make a DataArray of something else."""
    if isinstance(field, xr.DataTree):
        return ': pass one of its nodes, as in tree["node"].to_dataset()["rain"].'
    if isinstance(field, xr.Dataset):
        return f": pass one of its variables {[str(name) for name in field.data_vars]}, as in dataset[name]."
    return ', as xarray.DataArray(values, dims=("time", "y", "x")).'


def _about(field: xr.DataArray, name: str) -> dict[str, Any]:
    """What the check of values shall know: what observations are, and of forecasts the units alone."""
    if name == "observations":
        return {"name": field.name, "attrs": dict(field.attrs)}
    return {"attrs": {key: field.attrs[key] for key in ("units",) if key in field.attrs}}


def _check(values: np.ndarray[Any, Any], about: dict[str, Any], name: str) -> None:
    check_values(
        xr.DataArray(values, dims=[f"d{n}" for n in range(values.ndim)], **about), name, allow_missing=True
    )


def _checked_block(block: np.ndarray[Any, Any], *, about: dict[str, Any], name: str) -> np.ndarray[Any, Any]:
    """A block whose values were checked."""
    if block.size:
        _check(np.asarray(block), about, name)
    return block
