"""Cell bounds of one-dimensional coordinates: found by CF's ``bounds`` attribute or by name, written beside the label."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr


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


def find_bounds(field: xr.DataArray, dim: str) -> Bounds | None:
    """The bounds that a field carries for a dimension; None where there are none.

    Parameters
    ----------
    field : DataArray
        Any field.
    dim : str
        A dimension with a coordinate.
    """
    for name in _names(field, dim):
        if name not in field.coords:
            continue
        found = field.coords[name].variable
        if found.ndim == 2 and found.dims[0] == dim and found.shape[1] == 2:
            return Bounds(str(name), str(found.dims[1]), np.asarray(found.values))
    return None


def _names(field: xr.DataArray, dim: str) -> list[Hashable]:
    """Names that the bounds of a dimension may have, the best founded first."""
    if dim not in field.coords:
        return []
    label = field.coords[dim]
    said = [source["bounds"] for source in (label.attrs, label.encoding) if source.get("bounds")]
    return [*said, f"{dim}_bnds", f"{dim}_bounds"]


def bounds_name(field: xr.DataArray, dim: str) -> tuple[str, str]:
    """Names for new bounds and their second dimension: the input's own, else ``<dim>_bnds`` and ``bnds``."""
    found = find_bounds(field, dim)
    return (found.name, found.vertex) if found else (f"{dim}_bnds", "bnds")


def labelled(field: xr.DataArray, dim: str, labels: np.ndarray, bounds: np.ndarray | None) -> dict[str, xr.Variable]:
    """New label and bounds of a dimension, as coordinates.

    Parameters
    ----------
    field : DataArray
        The field whose names and attributes are kept.
    dim : str
        The dimension.
    labels : ndarray, shape (cells,)
        New labels.
    bounds : ndarray, shape (cells, 2), or None
        New bounds. Without them a reference to bounds is removed.
    """
    attrs: dict[str, Any] = {k: v for k, v in field.coords[dim].attrs.items() if k != "bounds"}
    if bounds is None:
        return {dim: xr.Variable(dim, labels, attrs)}
    name, vertex = bounds_name(field, dim)
    return {
        dim: xr.Variable(dim, labels, {**attrs, "bounds": name}),
        name: xr.Variable((dim, vertex), bounds),
    }
