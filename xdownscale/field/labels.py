"""Which coordinate labels a dimension, and what kind of coordinate it is."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import xarray as xr

_LATITUDES = {"latitude", "grid_latitude"}
_LONGITUDES = {"longitude", "grid_longitude"}
_NAMED_LATITUDE = {"lat", "latitude", "rlat", "xlat", "nav_lat"}
_NAMED_LONGITUDE = {"lon", "longitude", "rlon", "xlong", "nav_lon", "long"}

Source: TypeAlias = xr.DataArray | xr.Dataset
"""Where coordinates are read from."""

_PROJECTED = {"projection_x_coordinate", "projection_y_coordinate"}


def holds_times(coordinate: xr.DataArray | xr.Variable) -> bool:
    """Whether a coordinate holds datetime64 or cftime values."""
    if isinstance(coordinate.dtype, np.dtype) and coordinate.dtype.kind == "M":
        return True  # pandas has types of its own for time zones and periods
    first = coordinate.values.flat[0] if coordinate.dtype == object and coordinate.size else None
    return hasattr(first, "calendar")


def is_latitude(coordinate: xr.DataArray) -> bool:
    """Whether a coordinate is a latitude, true or rotated, by CF attributes or, without units, by name."""
    return _is_angle(coordinate, _LATITUDES, _NAMED_LATITUDE, "north")


def is_longitude(coordinate: xr.DataArray) -> bool:
    """Whether a coordinate is a longitude, true or rotated, by CF attributes or, without units, by name."""
    return _is_angle(coordinate, _LONGITUDES, _NAMED_LONGITUDE, "east")


def _is_angle(coordinate: xr.DataArray, standard: set[str], named: set[str], direction: str) -> bool:
    units = str(coordinate.attrs.get("units", "")).lower()
    if coordinate.attrs.get("standard_name") in standard:
        return True
    if units:
        return units.startswith("degree") and (direction in units or str(coordinate.name).lower() in named)
    return str(coordinate.name).lower() in named


def label_of(field: Source, dim: str) -> str | None:
    """The name of the coordinate that labels a dimension; None where there is none, or where several could.

    A coordinate of the name of the dimension is its label. Without one, as in ``XTIME(Time)`` or ``lat(nlat)``, it is
    the only coordinate along the dimension alone that holds times, latitudes, longitudes or projected coordinates.

    Parameters
    ----------
    field : DataArray or Dataset
        Where to look.
    dim : str
        A dimension.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([1.0, 2.0], dims="nlat", coords={"lat": ("nlat", [50.0, 51.0])})
    >>> label_of(rows, "nlat")
    'lat'
    """
    if (
        dim in field.coords and field.coords[dim].ndim == 1
    ):  # two-dimensional ones may have the name of a dimension
        return dim
    along = [label for label in field.coords.values() if label.dims == (dim,)]
    labels = [label for label in along if holds_times(label) or _is_place(label)]
    if len(labels) > 1:
        labels = [label for label in labels if label.attrs.get("standard_name") == "time"]
    return str(labels[0].name) if len(labels) == 1 else None


def _is_place(label: xr.DataArray) -> bool:
    """Whether a coordinate says where cells lie."""
    return label.dtype.kind in "fiu" and (
        is_latitude(label) or is_longitude(label) or label.attrs.get("standard_name") in _PROJECTED
    )


def has_labels(field: Source, dim: str) -> bool:
    """Whether a dimension has a coordinate of numbers."""
    name = label_of(field, dim)
    return name is not None and field.coords[name].dtype.kind in "fiu" and field.sizes[dim] > 0


def labels_of(field: Source, dim: str) -> xr.DataArray:
    """The coordinate that labels a dimension, which must have one."""
    found: xr.DataArray = field.coords[label_of(field, dim) or dim]
    return found


def numbers_of(field: Source, dim: str) -> np.ndarray:
    """The labels of a dimension in double precision."""
    numbers: np.ndarray = labels_of(field, dim).values.astype(np.float64)
    return numbers


def indexed(label: xr.DataArray) -> str:
    """How messages call a field whose dimension is named after its label, as ``sel`` and ``resample`` want it.

    Parameters
    ----------
    label : DataArray
        The label of one dimension.
    """
    dim = label.dims[0]
    return "field" if label.name == dim else f"field.swap_dims({dim}={label.name!r})"
