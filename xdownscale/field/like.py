"""Labels and other coordinates of a grid from elsewhere, taken where they agree with those that were computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, TimeAxisError
from xdownscale.field.axes import find_axes
from xdownscale.field.bounds import find_bounds
from xdownscale.field.change import fields_of, with_grid_as_coords
from xdownscale.field.gaps import step_beside_gaps
from xdownscale.field.labels import has_labels, holds_times, is_longitude, label_of, labels_of, numbers_of
from xdownscale.field.space import spacing
from xdownscale.field.times import to_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.field.axes import Axes
    from xdownscale.field.labels import Source

Flat = TypeVar("Flat", xr.DataArray, xr.Dataset)

_SHARE = 0.1
"""Share of a cell or step by which labels may differ: GRIB and float32 round labels, another grid is off by more."""


def laid_like(result: Flat, like: Source | None, dims: Mapping[str, str] | None) -> Flat:
    """A result with the labels of another field on the same grid.

    Parameters
    ----------
    result : DataArray or Dataset
        On the fine grid.
    like : DataArray, Dataset or None
        Whose coordinates along y, x and time are wanted; None changes nothing.
    dims : mapping or None
        Names of dimensions by role.

    Raises
    ------
    DimensionError, TimeAxisError
        If the grids differ.
    """
    if like is None:
        return result
    made = xr.Dataset(coords=result.coords)
    for axes in _grids(result, dims):
        result = with_labels(result, coords_like(made, like, axes))
    return result


def with_labels(result: Flat, new: Mapping[str, xr.Variable]) -> Flat:
    """A result with new coordinates, as far as they lie on its dimensions; bounds that they replace are gone."""
    old = [found.name for dim in result.dims if dim in new and (found := find_bounds(result, str(dim)))]
    result = result.drop_vars([name for name in old if name not in new])
    if isinstance(result, xr.Dataset):
        return result.assign_coords(new)
    return result.assign_coords({name: one for name, one in new.items() if set(one.dims) <= set(result.dims)})


def _grids(result: Source, dims: Mapping[str, str] | None) -> set[Axes]:
    """Dimensions of a field, or of each field of a Dataset."""
    if isinstance(result, xr.Dataset):
        return set(fields_of(result, dims).values())
    return {find_axes(result, dims=dims)}


def check_no_tree(field: object, like: Source | None) -> None:
    """Raise where one grid is wanted for the nodes of a tree, of which each may have its own."""
    if like is not None and isinstance(field, xr.DataTree):
        msg = (
            "like is one grid, but each node of a tree may have its own. Process the nodes one by one: "
            "tree[path].to_dataset()."
        )
        raise DimensionError(msg)


def coords_like(made: Source, like: Source, axes: Axes) -> dict[str, xr.Variable]:
    """The coordinates of another field along y, x and time.

    Parameters
    ----------
    made : DataArray or Dataset
        Has the coordinates that were computed.
    like : DataArray or Dataset
        Has those that are wanted. It may lack time.
    axes : Axes
        Dimensions of the result.

    Raises
    ------
    DimensionError, TimeAxisError
        If a dimension is missing, or its size or labels differ by more than a tenth of a cell or step.
    """
    if isinstance(like, xr.Dataset):
        like = with_grid_as_coords(like)
    along = [dim for dim in axes.ordered if dim in like.dims]
    missing = [dim for dim in axes.spatial if dim not in along]
    if missing:
        free = [str(dim) for dim in like.dims if dim not in axes.ordered]
        names = dict(zip(free[len(free) - len(missing) :], missing, strict=False))
        call = f"Rename its own: like.rename({names})" if names else "Take a field on the fine grid"
        msg = (
            f"like has the dimensions {tuple(map(str, like.dims))}, not {' and '.join(map(repr, missing))} of the "
            f"result. {call}."
        )
        raise DimensionError(msg)
    for dim in along:
        _check_labels(made, like, dim, is_time=dim == axes.time)
    return {
        str(name): one.variable
        for name, one in like.coords.items()
        if set(one.dims) & set(along) and not (set(one.dims) - set(along)) & set(made.indexes)
    }


def _check_labels(made: Source, like: Source, dim: str, *, is_time: bool) -> None:
    """Raise where one dimension of two grids differs."""
    if dim in made.sizes and made.sizes[dim] != like.sizes[dim]:
        msg = (
            f"like has {like.sizes[dim]} labels along {dim!r}, the result {made.sizes[dim]}. Select the cells of "
            f'the result without like=: like.sel({dim}=result.{dim}, method="nearest").'
        )
        raise DimensionError(msg)
    if label_of(made, dim) is None or label_of(like, dim) is None:
        return
    apart = _steps_apart(made, like, dim) if is_time else _cells_apart(made, like, dim)
    at = int(np.argmax(apart))
    if apart[at] > _SHARE:
        ours, theirs = (labels_of(grid, dim).values[at] for grid in (made, like))
        msg = (
            f"like lies elsewhere along {dim!r}: {theirs} at index {at}, where the result has {ours}, a distance of "
            f"{apart[at]:.3g} {'steps' if is_time else 'cells'}. Leave like= out, or interpolate it to the "
            f"result without it: like.interp({dim}=result.{dim})."
        )
        raise (TimeAxisError if is_time else DimensionError)(msg)


def _cells_apart(made: Source, like: Source, dim: str) -> np.ndarray:
    """Distance of labels as a share of a cell."""
    if not (has_labels(made, dim) and has_labels(like, dim)):
        return np.where(labels_of(made, dim).values == labels_of(like, dim).values, 0.0, np.inf)
    apart = np.abs(numbers_of(made, dim) - numbers_of(like, dim))
    if is_longitude(labels_of(made, dim)):
        apart = np.minimum(apart % 360.0, -apart % 360.0)
    share: np.ndarray = apart / abs(spacing(made, dim))
    return np.where(np.isnan(share), np.inf, share)


def _steps_apart(made: Source, like: Source, dim: str) -> np.ndarray:
    """Distance of times as a share of a step; beyond measure between calendars."""
    ours, theirs = (labels_of(grid, dim) for grid in (made, like))
    if _kind(ours) != _kind(theirs):
        return np.full(ours.size, np.inf)
    (first, _, unit), (second, _, other) = to_ticks(ours.values), to_ticks(theirs.values)
    scale = {"ns": 1, "us": 1000}
    apart = np.abs(first * scale[unit] - second * scale[other]).astype(np.float64)
    step = step_beside_gaps(made, dim)
    return apart / (abs(step) * scale[unit]) if step else np.where(apart > 0, np.inf, 0.0)


def _kind(label: xr.DataArray) -> str:
    """Kind of times and their calendar."""
    calendar = getattr(label.values.flat[0], "calendar", "") if holds_times(label) else ""
    return label.dtype.kind + str(calendar)
