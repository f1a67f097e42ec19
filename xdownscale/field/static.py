"""Static fields, such as topography, laid on the grid of a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, MissingValueError
from xdownscale.field.axes import find_axes
from xdownscale.field.checks import checked, name_of

Static = xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray]


def named_static(static: Static | None) -> dict[str, xr.DataArray]:
    """Static fields by name, whatever they came in.

    Parameters
    ----------
    static : DataArray, Dataset or mapping, optional
        One field, or several by name.
    """
    if static is None:
        return {}
    if isinstance(static, xr.DataArray):
        return {name_of(static): static}
    fields: Mapping[Any, xr.DataArray] = static.data_vars if isinstance(static, xr.Dataset) else static
    return {str(name): each for name, each in fields.items()}


def static_on_grid(name: str, static: xr.DataArray, coords: Mapping[str, Any]) -> np.ndarray:
    """Values of a static field at the cells of a grid.

    Parameters
    ----------
    name : str
        What the messages call it.
    static : DataArray, dims (y, x)
        On the wanted cells or on more of them.
    coords : mapping
        The wanted labels along y and x, in this order, by the names of the grid's dimensions.

    Returns
    -------
    array, shape (y, x), float32

    Raises
    ------
    DimensionError
        If it does not cover the grid.
    MissingValueError
        If it has missing values there.
    ValueRangeError
        If its values cannot be right.
    """
    axes = find_axes(static)
    chosen = static.transpose(..., *axes.spatial)
    if chosen.ndim != 2:
        msg = f"static field {name!r} has dims {static.dims}; it may have y and x only: select one entry of the others."
        raise DimensionError(msg)
    for own, (dim, labels) in zip(axes.spatial, coords.items(), strict=True):
        wanted = np.asarray(labels)
        tolerance = 1e-3 * float(np.median(np.abs(np.diff(wanted)))) if wanted.size > 1 else None
        try:
            chosen = chosen.sel({own: wanted}, method="nearest", tolerance=tolerance)
        except KeyError as cause:
            msg = (
                f"static field {name!r} has no value at some cells of the fine grid along {dim!r} "
                f"({wanted.min():g} … {wanted.max():g}). Crop the field to the static one with .sel, or interpolate "
                f"the static field: {name}.interp({own}=fine.{dim})."
            )
            raise DimensionError(msg) from cause
    values = np.asarray(checked(chosen, f"static[{name!r}]", allow_missing=True).values, np.float32)
    if not np.isfinite(values).all():
        msg = f"static field {name!r} has missing values on the grid. Fill them first, for instance with .fillna(0)."
        raise MissingValueError(msg)
    return values
