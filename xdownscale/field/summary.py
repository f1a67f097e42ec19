"""What was understood of a field, in a few rows of text: for ``repr``, for notebooks and for ``xdownscale info``."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
import xarray as xr

from xdownscale.errors import XDownscaleError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.gaps import contiguous
from xdownscale.field.grid import describe
from xdownscale.field.labels import labels_of
from xdownscale.field.position import told_position
from xdownscale.field.quantity import quantity_of

NONE: Final = "n/a"


def summary(field: xr.DataArray) -> dict[str, str]:
    """What was understood of a field; ``n/a`` for the rest.

    Parameters
    ----------
    field : DataArray
        Its coordinates and attributes are read, its values are not.

    Returns
    -------
    dict of str
        Rows "time", "y", "x", "members", "values" (what it measures, and how time is merged), "units" and "chunks";
        "grid" where the axes are irregular, with the reason; "gaps" where time has some.

    Examples
    --------
    >>> rain = xr.DataArray([[0.0, 8.0]], dims=("y", "x"), attrs={"units": "mm h-1"})
    >>> summary(rain)["x"]
    'x: 2 cells of 1'
    """
    try:
        axes = find_axes(field)
    except XDownscaleError:
        return {"y, x": NONE}
    rows = {"time": NONE, "y": NONE, "x": NONE, "members": NONE} | _grid_rows(field, axes)
    if axes.member:
        rows["members"] = f"{axes.member}: {field.sizes[axes.member]}"
    rows["values"] = quantity_of(field, axes.time).told()
    rows["units"] = str(field.attrs.get("units", NONE))
    rows["chunks"] = NONE if field.chunks is None else str(dict(field.chunksizes))
    return rows


def _grid_rows(field: xr.DataArray, axes: Axes) -> dict[str, str]:
    """Sizes and spacings; where an axis is irregular, the reason stands there instead."""
    sizes = {role: f"{dim}: {field.sizes[dim]}" for role, dim in _roles(axes).items()}
    step, where = NONE, ""
    try:
        parts = pieces(field, axes)
        grid = describe(field if axes.time is None else field.isel({axes.time: parts[0]}), axes)
        if axes.time and grid.step is not None:
            seconds = float(grid.step / np.timedelta64(1, "s"))
            step, where = f"{seconds:g} s", told_position(field, axes.time, seconds)
    except XDownscaleError as error:
        return sizes | {"grid": str(error)}
    spacings = {"y": grid.spacing_y, "x": grid.spacing_x}
    unit = "degrees" if grid.latlon else grid.units  # those of x are degrees_east
    units = f" {unit}" if unit else ""
    rows = {
        role: f"{text} cells of {spacings[role]:g}{units}" for role, text in sizes.items() if role in spacings
    }
    if axes.time:
        rows = {"time": f"{sizes['time']} steps of {step}{where}"} | rows
        if len(parts) > 1:
            rows["gaps"] = _gaps(field, axes.time, parts)
    rows["area"] = "weighted" if grid.latlon else "plain"
    return rows


def pieces(field: xr.DataArray, axes: Axes) -> list[slice]:
    """The parts of the time axis between its gaps, without a warning.

    Parameters
    ----------
    field : DataArray
        Only its coordinates are read.
    axes : Axes
        Its dimensions.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return contiguous(field, axes.time)


def _gaps(field: xr.DataArray, time: str, parts: list[slice]) -> str:
    """How many gaps there are, and where the first is."""
    labels, last = labels_of(field, time).values, parts[0].stop - 1
    return (
        f"{len(parts) - 1}, the first gap after index {last}: "
        f"{str(labels[last])[:19]} to {str(labels[last + 1])[:19]}"
    )


def _roles(axes: Axes) -> dict[str, str]:
    """Dimensions of a grid by role."""
    return {"y": axes.y, "x": axes.x} | ({"time": axes.time} if axes.time else {})
