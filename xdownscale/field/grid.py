"""Grids: where cells lie, their coordinates after coarsening and refining, their areas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.field.beside import followed, others_of, repeat, split_variable
from xdownscale.field.bounds import Coordinates
from xdownscale.field.labels import Source, has_labels, is_latitude, label_of, labels_of
from xdownscale.field.mapping import move_transforms
from xdownscale.field.space import coarsen_labels, curvilinear, edges, lattice_index, refine_labels, spacing
from xdownscale.field.sphere import merge_points, patch_areas, row_areas, split_points
from xdownscale.field.times import as_timedelta, coarsen_times, refine_times, tick_step, time_index

if TYPE_CHECKING:
    from collections.abc import Collection

    from xdownscale.field.axes import Axes
    from xdownscale.field.factors import Factors


@dataclass(frozen=True)
class Grid:
    """Where the cells of a field lie.

    Attributes
    ----------
    axes : Axes
        Names of the dimensions.
    spacing_y, spacing_x : float
        Width of a cell, positive; 1 without coordinates.
    units : str or None
        Units of the spacing.
    step : timedelta64 or None
        Length of a time step.
    latlon : bool
        Whether y and x are latitude and longitude, so that cells differ in area.
    origin : tuple of int
        Absolute index (time, y, x) of the first cell on the lattice of its own spacing, increasing along the
        array: a crop, or a longer series, of the same field has the same index at the same place.
    """

    axes: Axes
    spacing_y: float
    spacing_x: float
    units: str | None
    step: np.timedelta64 | None
    latlon: bool
    origin: tuple[int, int, int]


def describe(field: Source, axes: Axes) -> Grid:
    """Describe the grid of a field.

    Parameters
    ----------
    field : DataArray or Dataset
        Any field; only its coordinates are read.
    axes : Axes
        Its dimensions.

    Raises
    ------
    TimeAxisError
        If the time axis has a gap, does not increase, or holds no times.
    DimensionError
        If y or x is not evenly spaced.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from xdownscale.field.axes import Axes
    >>> rain = xr.DataArray(
    ...     np.zeros((2, 3)), dims=("y", "x"), coords={"y": [30.0, 20.0], "x": [0.0, 5.0, 10.0]}
    ... )
    >>> grid = describe(rain, Axes("y", "x", None))
    >>> grid.spacing_y, grid.spacing_x, grid.origin
    (10.0, 5.0, (0, -3, 0))
    """
    ticks = None if axes.time is None else tick_step(field, axes.time)
    step, first = None, 0
    if axes.time is not None and ticks is not None:
        step = as_timedelta(ticks, labels_of(field, axes.time).values)
        first = time_index(field, axes.time, ticks)
    units = labels_of(field, axes.x).attrs.get("units") if label_of(field, axes.x) else None
    return Grid(
        axes=axes,
        spacing_y=abs(spacing(field, axes.y)),
        spacing_x=abs(spacing(field, axes.x)),
        units=None if units is None else str(units),
        step=step,
        latlon=has_labels(field, axes.y) and is_latitude(labels_of(field, axes.y)),
        origin=(first, lattice_index(field, axes.y), lattice_index(field, axes.x)),
    )


def check_regular(field: Source, dims: Collection[str], time: str | None) -> None:
    """Raise where one of the dimensions is not evenly spaced.

    Parameters
    ----------
    field : DataArray or Dataset
        Only its coordinates are read.
    dims : collection of str
        Dimensions to check.
    time : str or None
        Which of them is time.

    Raises
    ------
    TimeAxisError, DimensionError
        The message says where, and the call that fixes it.
    """
    for dim in dims:
        if dim == time:
            tick_step(field, dim)
        else:
            spacing(field, dim)


def cell_areas(field: Source, axes: Axes) -> xr.DataArray | None:
    """Relative areas of cells on latitude-longitude and curvilinear grids; None where plain means are right.

    Parameters
    ----------
    field : DataArray or Dataset
        Any field; only its coordinates are read.
    axes : Axes
        Its dimensions.

    Returns
    -------
    DataArray or None
        Areas with a mean of one, on (y,), or on (y, x) for curvilinear grids.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from xdownscale.field.axes import Axes
    >>> field = xr.DataArray(
    ...     np.zeros((2, 2)), dims=("lat", "lon"), coords={"lat": [15.0, 45.0], "lon": [0.0, 30.0]}
    ... )
    >>> cell_areas(field, Axes("lat", "lon", None)).values.round(3)
    array([1.155, 0.845])
    """
    if has_labels(field, axes.y):
        coordinate = labels_of(field, axes.y)
        if is_latitude(coordinate):
            rows = edges(field, axes.y)
            return None if rows is None else _areas(row_areas(rows), field, (axes.y,))
        if "units" in coordinate.attrs:
            return None
    pair = curvilinear(field, axes)
    if pair is None or min(field.sizes[dim] for dim in axes.spatial) < 2:
        return None
    latitude, longitude = (_first_frame(field.coords[name], axes).values for name in pair)
    areas = patch_areas(latitude, longitude)
    return None if areas is None else _areas(areas, field, axes.spatial)


def _first_frame(coordinate: xr.DataArray, axes: Axes) -> xr.DataArray:
    """Coordinate over (y, x): of one that changes with time (WRF repeats it, nests move) the first frame."""
    if axes.time in coordinate.dims:
        coordinate = coordinate.isel({axes.time: 0}, drop=True)
    return coordinate.transpose(*axes.spatial)


def _areas(values: np.ndarray, field: Source, dims: tuple[str, ...]) -> xr.DataArray:
    """Areas with the labels of the field."""
    coords = {dim: field.coords[dim].variable for dim in dims if dim in field.coords}
    return xr.DataArray(values, dims=dims, coords=coords, name="cell_area", attrs={"units": "1"})


def coarsen_coords(field: Source, axes: Axes, factors: Factors, *, point: bool = False) -> Coordinates:
    """Coordinates of a field coarsened by `factors`, whose sizes they divide; with bounds for a Dataset.

    Space labels are cell centres. Time labels follow the input: where its labels lie in its bounds, left
    without bounds.

    Parameters
    ----------
    field : DataArray or Dataset
        The fine field.
    axes : Axes
        Its dimensions.
    factors : Factors
        Cells and steps to merge.
    point : bool
        Whether time is sampled, not merged: labels stay those of the frames that are kept.
    """
    wide = factors.by_dim(axes)
    coords: Coordinates = {}
    for dim in axes.spatial:
        if dim in wide:
            coords |= coarsen_labels(field, dim, wide[dim])
    if axes.time in wide:
        coords |= coarsen_times(field, axes.time, factors.time, point=point)

    def merge(coordinate: xr.Variable) -> xr.Variable:
        here = {dim: n for dim, n in wide.items() if dim in coordinate.dims}
        numbers = {dim: n for dim, n in here.items() if dim != axes.time and coordinate.dtype.kind in "fiu"}
        first = coordinate.isel({dim: slice(None, None, n) for dim, n in here.items() if dim not in numbers})
        return first.coarsen(numbers, "mean", boundary="exact") if numbers else first  # type: ignore[no-untyped-call]

    others = others_of(field, axes, wide, coords, merge, merge_points)
    if axes.time in wide:
        others |= followed(field, axes.time, coords, others, slice(None, None, factors.time))
    return move_transforms(coords | others, field, axes, {dim: float(n) for dim, n in wide.items()})


def refine_coords(field: Source, axes: Axes, factors: Factors, grid: Grid | None = None) -> Coordinates:
    """Coordinates of a field refined by `factors`, with bounds for a Dataset; undoes `coarsen_coords`.

    Parameters
    ----------
    field : DataArray or Dataset
        The coarse field.
    axes : Axes
        Its dimensions.
    factors : Factors
        Cells and steps to split into.
    grid : Grid, optional
        What :func:`describe` says of the field, where that is known: its time axis is not read again.

    Raises
    ------
    DimensionError, TimeAxisError
        If the width of a cell, or the length of a step, cannot be known from one label without bounds.
    """
    narrow = factors.by_dim(axes)
    coords: Coordinates = {}
    for dim in axes.spatial:
        if dim in narrow:
            coords |= refine_labels(field, dim, narrow[dim])
    if axes.time in narrow:
        coords |= refine_times(field, axes.time, factors.time, length=None if grid is None else grid.step)

    def split(coordinate: xr.Variable) -> xr.Variable:
        for dim, n in narrow.items():
            if dim in coordinate.dims:
                line = coordinate.ndim == 1 and coordinate.dtype.kind == "f" and dim != axes.time
                coordinate = split_variable(coordinate, dim, n) if line else repeat(coordinate, dim, n)
        return coordinate

    others = others_of(field, axes, narrow, coords, split, split_points)
    if axes.time in narrow and axes.time in field.dims:
        steps = np.arange(field.sizes[axes.time] * factors.time) // factors.time
        others |= followed(field, axes.time, coords, others, steps)
    lone = any(field.sizes.get(dim) == 1 for dim in axes.spatial if dim in narrow)
    untrue = curvilinear(field, axes) or () if lone else ()  # the width of a lone cell is unknown
    true = coords | {name: coordinate for name, coordinate in others.items() if name not in untrue}
    return move_transforms(true, field, axes, {dim: 1 / n for dim, n in narrow.items()})
