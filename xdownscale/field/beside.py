"""Coordinates beside the labels of a grid: kept, merged or split with it, or, where they would be untrue, left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.field.bounds import Coordinates, find_bounds, written
from xdownscale.field.labels import Source, holds_times, is_longitude, label_of
from xdownscale.field.space import curvilinear
from xdownscale.field.sphere import split_line, to_degrees, unit_vectors
from xdownscale.field.times import to_ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from xdownscale.field.axes import Axes


def followed(
    field: Source, dim: str, labels: Coordinates, others: Coordinates, taken: slice | np.ndarray
) -> Coordinates:
    """Other times along the time axis, such as ``valid_time`` of lead times, which go along with its labels."""
    name = label_of(field, dim)
    if name is None or name not in labels:
        return {}
    times = {
        key: field.coords[key].variable
        for key in others
        if dim in field.coords[key].dims
        and (holds_times(field.coords[key]) or field.coords[key].dtype.kind == "m")
    }
    before = (field.coords[name], taken)
    return {key: follow(variable, dim, before, labels[name]) for key, variable in times.items()}


def others_of(
    field: Source,
    axes: Axes,
    changed: dict[str, int],
    done: Coordinates,
    change: Callable[[xr.Variable], xr.Variable],
    change_sphere: Callable[[np.ndarray, tuple[int, int, int]], np.ndarray],
) -> Coordinates:
    """Coordinates other than labels and bounds: kept, changed, or, where they would be untrue, left out."""
    coords: Coordinates = {}
    pair = curvilinear(field, axes)
    stale = {field.coords[name].attrs.get("bounds") for name in field.coords if name not in done}
    for dim in changed:
        known = find_bounds(field, dim)
        stale |= {label_of(field, dim)} | ({known.name} if known else set())
    for name, coordinate in field.coords.items():
        if not set(coordinate.dims) & set(changed):
            coords[str(name)] = coordinate.variable.copy(deep=False)
        elif name not in done and name not in stale and name not in (pair or ()):
            coords[str(name)] = _round_the_circle(coordinate, change)
    if pair and set(field.coords[pair[0]].dims) & set(changed):
        coords |= _on_sphere(field, axes, pair, changed, change_sphere)
    bounds = {coordinate.attrs.get("bounds") for coordinate in coords.values()}
    for name, coordinate in coords.items():
        coordinate.encoding = {}
        if coordinate.attrs.get("bounds") not in {None, *coords, *done}:
            coordinate.attrs = {k: v for k, v in coordinate.attrs.items() if k != "bounds"}
        if coordinate.dims == (name,) or name in bounds:
            written(coordinate, bounded=name in bounds or "bounds" in coordinate.attrs)
    return coords


def _on_sphere(
    field: Source,
    axes: Axes,
    pair: tuple[str, str],
    changed: dict[str, int],
    change: Callable[[np.ndarray, tuple[int, int, int]], np.ndarray],
) -> Coordinates:
    """Latitude and longitude of the new cells, over (y, x) or over time, too, through unit vectors."""
    dims = axes.ordered if axes.time in field.coords[pair[0]].dims else axes.spatial
    old = [field.coords[name].transpose(*dims) for name in pair]
    latitude, longitude = (each.values.reshape(-1, *each.shape[-2:]) for each in old)
    steps = changed.get(str(axes.time), 1) if len(dims) > len(axes.spatial) else 1
    blocks = (steps, changed.get(axes.y, 1), changed.get(axes.x, 1))
    points = change(unit_vectors(latitude, longitude), blocks)
    known = longitude[np.isfinite(unit_vectors(latitude, longitude)[..., 0])]
    degrees = to_degrees(points, east=known.size > 0 and float(known.max()) > 180)
    shape = points.shape[-len(dims) - 1 : -1]
    return {
        name: xr.Variable(dims, values.reshape(shape).astype(each.dtype), dict(each.attrs))
        for name, values, each in zip(pair, degrees, old, strict=True)
    }


def _round_the_circle(coordinate: xr.DataArray, change: Callable[[xr.Variable], xr.Variable]) -> xr.Variable:
    """A changed coordinate; longitudes without jumps of 360 degrees on the way, and between the same ends after it."""
    if coordinate.dtype.kind != "f" or coordinate.ndim != 1 or not is_longitude(coordinate):
        return change(coordinate.variable)
    continuous = np.unwrap(coordinate.values, period=360.0)
    changed = change(coordinate.variable.copy(data=continuous))
    west = 0.0 if bool((coordinate.values > 180.0).any()) else -180.0
    inside = (changed.values - west) % 360.0 + west
    jumps = bool((continuous != coordinate.values).any())
    return changed.copy(data=inside.astype(coordinate.dtype)) if jumps else changed


def split_variable(coordinate: xr.Variable, dim: str, n: int) -> xr.Variable:
    """A one-dimensional coordinate at the centres of finer cells."""
    return xr.Variable(dim, split_line(coordinate.values, n, 0), dict(coordinate.attrs))


def repeat(coordinate: xr.Variable, dim: str, n: int) -> xr.Variable:
    """Every value of a coordinate `n` times."""
    return coordinate.isel({dim: np.arange(coordinate.sizes[dim] * n) // n})


def follow(
    times: xr.Variable, dim: str, before: tuple[xr.DataArray, slice | np.ndarray], after: xr.Variable
) -> xr.Variable:
    """Times beside the label of a dimension, such as ``valid_time`` of lead times, at its new labels.

    They go along with the label where each is as far from the next as the labels are; a start time, which is the same
    for many leads, stays.

    Parameters
    ----------
    times : Variable
        Times along `dim`, and perhaps along other dimensions, before the change.
    dim : str
        The dimension.
    before : (DataArray, indexer)
        The label before, and which of the old steps each new one is taken from.
    after : Variable
        The label afterwards.
    """
    label, taken = before
    chosen = times.isel({dim: taken})
    (old, _, unit), (new, _, _), (own, decode, tick) = map(
        to_ticks, (label.values, after.values, chosen.values)
    )
    scale = {"ns": 1, "us": 1000}
    shape = [-1 if one == dim else 1 for one in times.dims]
    whole = to_ticks(times.values)[0]
    axis = times.dims.index(dim)
    steps = (np.diff(old) * scale[unit]).reshape(shape)
    if bool((np.diff(whole, axis=axis) * scale[tick] != steps).any()):
        return chosen
    if label.size == 1 and times.attrs.get("standard_name") != "time":
        return chosen
    shift = ((new - old[taken]) * scale[unit] // scale[tick]).reshape(shape)
    return xr.Variable(times.dims, decode(own + shift), dict(times.attrs))
