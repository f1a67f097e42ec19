"""Cell bounds of one-dimensional coordinates: found by CF's attribute or by name, written beside the label.

A DataArray cannot carry bounds, because its coordinates must lie on its own dimensions; a Dataset can. So
labels also say, in attributes, what a single label alone would lose: ``cell_width``, and
``cell_position`` for times that do not stand at the start of their step. :mod:`xdownscale.field.known` says what
labels of the grid before they carry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import TimeAxisError
from xdownscale.field.labels import Source, holds_times, label_of, labels_of
from xdownscale.field.packing import FILLS

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Coordinates: TypeAlias = dict[str, xr.Variable]

WIDTH = "cell_width"
POSITION = "cell_position"
FINER, FINER_CELLS = "finer_labels", "finer_cells"
COARSER, COARSER_CELLS = "coarser_labels", "coarser_cells"
NOTES = ("bounds", WIDTH, POSITION, FINER, FINER_CELLS, COARSER, COARSER_CELLS)
"""What a change of grid writes about a label; what was written about the label before is not true any more."""


_VERTICES = ("bnds", "bounds", "cell_edges")
"""Names for the second dimension of new bounds; the first that has not another size."""


@dataclass(frozen=True)
class Bounds:
    """Bounds of a coordinate.

    Attributes
    ----------
    name, vertex : str
        Names of the bounds variable and of its second dimension.
    values : ndarray, shape (cells, 2)
        First and last edge of every cell, in the direction of the coordinate.
    turned : bool
        Whether the Dataset holds them the other way round, as (south, north) of a descending latitude.
    """

    name: str
    vertex: str
    values: np.ndarray
    turned: bool = False


def find_bounds(field: Source, dim: str) -> Bounds | None:
    """The bounds that a Dataset carries for a dimension; None where there are none, or none that are known.

    Parameters
    ----------
    field : DataArray or Dataset
        Where to look.
    dim : str
        A dimension with a coordinate.

    Raises
    ------
    TimeAxisError
        If the labels are times and the bounds are numbers.
    """
    for name in _names(field, dim):
        found = field.coords[name].variable if name in field.coords else None
        if found is not None and found.ndim == 2 and found.dims[0] == dim and found.shape[1] == 2:
            return _directed(field, dim, str(name), found)
    return None


def _directed(field: Source, dim: str, name: str, found: xr.Variable) -> Bounds | None:
    """Bounds in the direction of their labels; None where some are unknown, and the labels have to do."""
    label, values = labels_of(field, dim), np.asarray(found.values)
    if (holds_times(label) or label.dtype.kind == "m") and values.dtype.kind in "fiu":
        msg = (
            f"{label.name!r} holds times, its bounds {name!r} hold {values.dtype} values. Decode both, "
            f"xarray.decode_cf(dataset), or drop the bounds: dataset.drop_vars({name!r})."
        )
        raise TimeAxisError(msg)
    if values.size == 0 or bool((values != values).any()):  # noqa: PLR0124  NaN and NaT of any type
        return None
    down = _descends(label)
    turned = down is not None and bool((values[:, int(down)] > values[:, 1 - int(down)]).all())
    return Bounds(name, str(found.dims[1]), values[:, ::-1] if turned else values, turned)


def _descends(label: xr.DataArray) -> bool | None:
    """Whether labels go down; of one label alone its noted width tells, or nothing does."""
    values = label.values
    if values.size > 1:
        return bool(values[-1] < values[0])
    width = label.attrs.get(WIDTH) if label.dtype.kind in "fiu" else None
    return None if width is None else float(width) < 0


def _names(field: Source, dim: str) -> list[Hashable]:
    """Names that the bounds of a dimension may have, the best founded first."""
    name = label_of(field, dim)
    if name is None:
        return []
    label = field.coords[name]
    said = [source["bounds"] for source in (label.attrs, label.encoding) if source.get("bounds")]
    return [*said, f"{name}_bnds", f"{name}_bounds"]


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
    label = labels_of(field, dim)
    attrs = {key: value for key, value in label.attrs.items() if key not in NOTES} | dict(notes or {})
    own = str(label.name)
    if bounds is None or isinstance(field, xr.DataArray):
        return {own: written(xr.Variable(dim, labels, attrs), bounded=False)}
    found = find_bounds(field, dim)
    free = next(
        dim for dim in _VERTICES if field.sizes.get(dim, 2) == 2
    )  # corners of other cells may be more
    name, vertex = (found.name, found.vertex) if found else (f"{own}_bnds", free)
    edges = bounds[:, ::-1] if found and found.turned else bounds
    return {
        own: written(xr.Variable(dim, labels, {**attrs, "bounds": name}), bounded=True),
        name: written(xr.Variable((dim, vertex), edges), bounded=True),
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
