"""Cell bounds of one-dimensional coordinates: found by CF's attribute or by name, written beside the label.

A DataArray cannot carry bounds, because its coordinates must lie on its own dimensions; a Dataset can. So
labels also say, in two attributes, what a single label alone would lose: ``cell_width``, and
``cell_position`` for times that do not stand at the start of their step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.field.axes import holds_times
from xdownscale.field.packing import FILLS

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Source: TypeAlias = xr.DataArray | xr.Dataset
"""Where coordinates are read from."""

Coordinates: TypeAlias = dict[str, xr.Variable]

WIDTH = "cell_width"
POSITION = "cell_position"


@dataclass(frozen=True)
class Bounds:
    """Bounds of a coordinate.

    Attributes
    ----------
    name, vertex : str
        Names of the bounds variable and of its second dimension.
    values : ndarray, shape (cells, 2)
        First and last edge of every cell, in the direction of the coordinate.
    """

    name: str
    vertex: str
    values: np.ndarray


def find_bounds(field: Source, dim: str) -> Bounds | None:
    """The bounds that a Dataset carries for a dimension; None where there are none.

    Parameters
    ----------
    field : DataArray or Dataset
        Where to look.
    dim : str
        A dimension with a coordinate.
    """
    for name in _names(field, dim):
        found = field.coords[name].variable if name in field.coords else None
        if found is not None and found.ndim == 2 and found.dims[0] == dim and found.shape[1] == 2:
            return Bounds(str(name), str(found.dims[1]), np.asarray(found.values))
    return None


def _names(field: Source, dim: str) -> list[Hashable]:
    """Names that the bounds of a dimension may have, the best founded first."""
    if dim not in field.coords:
        return []
    label = field.coords[dim]
    said = [source["bounds"] for source in (label.attrs, label.encoding) if source.get("bounds")]
    return [*said, f"{dim}_bnds", f"{dim}_bounds"]


def labelled(
    field: Source,
    dim: str,
    labels: np.ndarray,
    bounds: np.ndarray | None,
    notes: Mapping[str, Any] | None = None,
) -> Coordinates:
    """New label and, for a Dataset, bounds of a dimension.

    Parameters
    ----------
    field : DataArray or Dataset
        Whose names and attributes are kept.
    dim : str
        The dimension.
    labels : ndarray, shape (cells,)
        New labels.
    bounds : ndarray, shape (cells, 2), or None
        New bounds. Without them a reference to bounds is removed.
    notes : mapping, optional
        Width and position of the cells, as attributes of the label.
    """
    old = field.coords[dim].attrs
    attrs = {key: value for key, value in old.items() if key not in {"bounds", WIDTH, POSITION}} | dict(
        notes or {}
    )
    if bounds is None or isinstance(field, xr.DataArray):
        return {dim: written(xr.Variable(dim, labels, attrs), bounded=False)}
    found = find_bounds(field, dim)
    name, vertex = (found.name, found.vertex) if found else (f"{dim}_bnds", "bnds")
    return {
        dim: written(xr.Variable(dim, labels, {**attrs, "bounds": name}), bounded=True),
        name: written(xr.Variable((dim, vertex), bounds), bounded=True),
    }


def written(coordinate: xr.Variable, *, bounded: bool) -> xr.Variable:
    """A label or its bounds, told how to stand in a file: CF allows them no fill value, which xarray writes.

    Parameters
    ----------
    coordinate : Variable
        Its encoding is replaced, and attributes that name a fill value are left out.
    bounded : bool
        Whether it is one of a label and its bounds: both must count time from the same moment.
    """
    encoding: dict[str, Any] = {"_FillValue": None} if coordinate.dtype.kind == "f" else {}
    if bounded and holds_times(coordinate):
        encoding["units"] = "seconds since 1970-01-01"
    coordinate.attrs = {key: value for key, value in coordinate.attrs.items() if key not in FILLS}
    coordinate.encoding = encoding
    return coordinate
