"""Coarse fields of other variables, laid on the grid of the field that they help to refine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.change import field_of, fields_of
from xdownscale.field.checks import checked, name_of
from xdownscale.field.gaps import step_beside_gaps
from xdownscale.field.labels import has_labels, holds_times, is_longitude, label_of, labels_of, numbers_of
from xdownscale.field.space import spacing
from xdownscale.field.times import to_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.field.labels import Source

_SHARE = 0.1
"""Share of a cell or step by which labels may differ."""


def named_predictors(
    given: xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray] | None,
    dims: Mapping[str, str] | None = None,
) -> dict[str, xr.DataArray]:
    """Predictors by name, whatever they came in; of a Dataset its variables on y and x.

    Parameters
    ----------
    given : DataArray, Dataset or mapping, optional
        One field, or several by name.
    dims : mapping, optional
        Names of dimensions by role.
    """
    if given is None:
        return {}
    if isinstance(given, xr.DataArray):
        return {name_of(given): given}
    if isinstance(given, xr.Dataset):
        return {str(name): field_of(given, name) for name in fields_of(given, dims)}
    return {str(name): each for name, each in given.items()}


def laid_on(
    name: str, predictor: xr.DataArray, grid: Source, axes: Axes, dims: Mapping[str, str] | None = None
) -> xr.DataArray:
    """A predictor at the cells and steps of a grid.

    Parameters
    ----------
    name : str
        What messages call it.
    predictor : DataArray
        On the wanted cells and steps, or on more such.
    grid : DataArray or Dataset
        Has the wanted labels.
    axes : Axes
        Dimensions of the grid.
    dims : mapping, optional
        Names of dimensions by role.

    Returns
    -------
    DataArray
        With the dimensions of the grid, and with no coordinates.

    Raises
    ------
    DimensionError
        If it has other dimensions, or lacks some of the labels.
    """
    places = {
        own: (dim, places_of(predictor, own, grid, dim)) for own, dim in roles(name, predictor, axes, dims)
    }
    missing = [own for own, (_, place) in places.items() if place is None]
    if missing:
        own = missing[0]
        dim = places[own][0]
        msg = (
            f"the predictor {name!r} does not lie on the cells of the field along {own!r}: {_extent(predictor, own)}; "
            f"it must cover {_extent(grid, dim)}. {_remedy(name, predictor, own, grid, dim)}"
        )
        raise DimensionError(msg)
    return picked(predictor, places)


def _remedy(name: str, predictor: xr.DataArray, own: str, grid: Source, dim: str) -> str:
    """The call that lays a predictor along a dimension."""
    if label_of(predictor, own) is not None and label_of(grid, dim) is not None:
        times = [labels_of(predictor, own), labels_of(grid, dim)]
        if all(holds_times(each) for each in times) and len({_calendar(each) for each in times}) > 1:
            return f"Convert its calendar: {name}.convert_calendar(field.{dim}.dt.calendar, {own!r})."
    return f"Coarsen or interpolate it to them: {name}.interp({own}=field.{dim})."


def _calendar(times: xr.DataArray) -> str:
    """The calendar of dates that are objects; nothing for others."""
    return str(getattr(times.values.flat[0], "calendar", ""))


def roles(
    name: str, predictor: xr.DataArray, axes: Axes, dims: Mapping[str, str] | None
) -> list[tuple[str, str]]:
    """The dimensions of a predictor and those of the grid that they belong to; raises for any other."""
    own = find_axes(predictor, dims=_present(dims, predictor), need_time=False)
    others = [str(dim) for dim in predictor.dims if dim not in own.ordered]
    if others:
        msg = (
            f"the predictor {name!r} also has the dimensions {others}. Select one entry, as in "
            f"{name}.isel({others[0]}=0)."
        )
        raise DimensionError(msg)
    if own.time is not None and axes.time is None:
        msg = (
            f"the predictor {name!r} has times and the field has none. Select one: {name}.isel({own.time}=0)."
        )
        raise DimensionError(msg)
    if own.time is None and axes.time is not None:
        msg = (
            f"the predictor {name!r} has no times and the field has. Repeat it: "
            f"{name}.expand_dims({axes.time}=field.{axes.time})."
        )
        raise DimensionError(msg)
    pairs = [(own.y, axes.y), (own.x, axes.x)]
    return pairs if axes.time is None or own.time is None else [(own.time, axes.time), *pairs]


def picked(predictor: xr.DataArray, places: Mapping[str, tuple[str, np.ndarray | None]]) -> xr.DataArray:
    """Entries of a predictor by place, under the names of dimensions of the grid, checked, without coordinates."""
    entries = predictor.isel({own: place for own, (_, place) in places.items()})
    entries = checked(entries, name_of(predictor), allow_missing=True)
    bare = xr.DataArray(entries.variable, name=predictor.name)
    renamed = bare.rename({own: dim for own, (dim, _) in places.items() if own != dim})
    return renamed.transpose(*(dim for dim, _ in places.values()))


def places_of(field: Source, own: str, grid: Source, dim: str) -> np.ndarray | None:
    """Where a field has the labels of a grid along a dimension; None where it lacks one.

    Parameters
    ----------
    field, grid : DataArray or Dataset
    own, dim : str
        The dimension in the field and in the grid. Without labels in either, sizes must agree; with them, cells are as
        wide.
    """
    size = grid.sizes[dim] if dim in grid.sizes else labels_of(grid, dim).size
    if label_of(field, own) is None or label_of(grid, dim) is None:
        return np.arange(size) if field.sizes[own] == size else None
    if holds_times(labels_of(grid, dim)) != holds_times(labels_of(field, own)):
        return None
    if holds_times(labels_of(grid, dim)):
        return _nearest_times(field, own, grid, dim)
    if not (has_labels(field, own) and has_labels(grid, dim)):
        return np.arange(size) if field.sizes[own] == size else None
    there, wanted = numbers_of(field, own), numbers_of(grid, dim)
    if not _as_wide(there, wanted):
        return None
    turn = 360.0 if is_longitude(labels_of(grid, dim)) else None
    width = abs(spacing(grid, dim)) if size > 1 else abs(spacing(field, own)) if there.size > 1 else 0.0
    return _nearest(there, wanted, _SHARE * width, turn)


def _nearest_times(field: Source, own: str, grid: Source, dim: str) -> np.ndarray | None:
    """Places by time; None between calendars."""
    ours, theirs = labels_of(field, own), labels_of(grid, dim)
    if _calendar(ours) != _calendar(theirs):
        return None
    (there, _, unit), (wanted, _, other) = to_ticks(ours.values), to_ticks(theirs.values)
    scale = {"ns": 1, "us": 1000}
    step = step_beside_gaps(grid, dim)
    width = _SHARE * abs(step) * scale[other] if step else 0.0
    there, wanted = there * scale[unit], wanted * scale[other]
    return _nearest(there, wanted, width, None) if _as_wide(there, wanted) else None


def _as_wide(there: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether labels stand as far apart as the wanted ones: a value of a smaller cell is not the mean of a larger."""
    if min(there.size, wanted.size) < 2:
        return True
    own, width = (float(np.median(np.diff(np.sort(each)))) for each in (there, wanted))
    return abs(own - width) <= _SHARE * width


def _nearest(
    there: np.ndarray, wanted: np.ndarray, tolerance: float, turn: float | None
) -> np.ndarray | None:
    """The nearest place of every wanted label; None where one is farther off than the tolerance."""
    if turn is not None:
        there, wanted = there % turn, wanted % turn
    order = np.argsort(there)
    ordered = there[order]
    after = np.searchsorted(ordered, wanted).clip(0, there.size - 1)
    before = (after - 1).clip(0)
    place = np.where(np.abs(ordered[after] - wanted) <= np.abs(ordered[before] - wanted), after, before)
    apart = np.abs(ordered[place] - wanted)
    if turn is not None:
        for end in (0, -1):
            around = turn - np.abs(ordered[end] - wanted)
            place = np.where(around < apart, np.arange(there.size)[end], place)
            apart = np.minimum(apart, around)
    return None if (apart > tolerance).any() else order[place]


def _present(dims: Mapping[str, str] | None, field: xr.DataArray) -> dict[str, str]:
    """The names given by the user that a field has."""
    return {role: name for role, name in (dims or {}).items() if name in field.dims}


def _extent(field: Source, dim: str) -> str:
    """Labels of a dimension, in short."""
    if label_of(field, dim) is None:
        return f"{field.sizes[dim]} cells without labels"
    values = labels_of(field, dim).values
    return f"{values.size} labels from {values[0]} to {values[-1]}"
