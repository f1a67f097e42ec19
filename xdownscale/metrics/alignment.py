"""Alignment of forecasts with observations: reordered where that is safe, refused where labels differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.labels import is_longitude
from xdownscale.metrics.mismatch import Labels, mismatch, tolerance

if TYPE_CHECKING:
    from collections.abc import Hashable

Order: TypeAlias = slice | np.ndarray[Any, Any]


def with_members(observations: xr.DataArray, forecasts: xr.DataArray, member_dim: str) -> xr.DataArray:
    """Forecasts with members along `member_dim`, renamed if only the name of that dimension differs.

    Parameters
    ----------
    observations, forecasts : DataArray
    member_dim : str
        Requested name.

    Returns
    -------
    DataArray
        Renamed if the forecasts have one dimension more than the observations, and its attributes or name identify it
        as the member dimension, such as ``number`` and ``realization``.

    Examples
    --------
    >>> truth = xr.DataArray(np.zeros((2, 2)), dims=("y", "x"))
    >>> with_members(truth, truth.expand_dims(number=3), "member").dims
    ('member', 'y', 'x')
    """
    extra = [d for d in forecasts.dims if d not in observations.dims]
    if member_dim in forecasts.dims or len(extra) != 1 or member_dim in forecasts.coords:
        return forecasts
    axes = _axes(forecasts)
    return forecasts.rename({extra[0]: member_dim}) if axes and axes.member == extra[0] else forecasts


def check_dims(observations: xr.DataArray, forecasts: xr.DataArray, member_dim: str) -> None:
    """Require the same dimensions on both, except the members, which only forecasts have.

    Raises
    ------
    DimensionError
        The message names the call that renames, selects or repeats.
    """
    if member_dim in observations.dims:
        msg = (
            f"the observations have the member dimension {member_dim!r}. Metrics take observations first and "
            f"forecasts second; swap them, or take one member with observations.isel({member_dim}=0)."
        )
        raise DimensionError(msg)
    expected, found = set(observations.dims), set(forecasts.dims) - {member_dim}
    if expected == found:
        return
    names = _renaming(observations, forecasts)
    msg = (
        f"observations have the dimensions {_shown(observations)}, forecasts {_shown(forecasts)}; they differ by "
        f"{sorted(map(str, expected ^ found))}. "
    )
    if names:
        msg += f"Rename them: forecasts.rename({names})."
    elif found - expected:
        extra = next(str(d) for d in forecasts.dims if d in found - expected)
        msg += f'Select with forecasts.isel({extra}=0), or, if it counts members, pass member_dim="{extra}".'
    else:
        lacking = next(str(d) for d in observations.dims if d in expected - found)
        msg += (
            f"Select with observations.isel({lacking}=0), or repeat a constant forecast with "
            f"forecasts.broadcast_like(observations)."
        )
    raise DimensionError(msg)


def matched(observations: xr.DataArray, other: xr.DataArray, name: str = "forecasts") -> xr.DataArray:
    """Another field, reordered if necessary so that its labels are those of the observations.

    Labels that differ by rounding count as equal, and so do longitudes that differ by 360 degrees. A field with rows in
    reverse order, or with steps in another order, is reordered.

    Parameters
    ----------
    observations, other : DataArray
    name : str
        Name of the other field in messages.

    Raises
    ------
    DimensionError
        If labels differ by more; the message names the difference and the call that fixes it.

    Examples
    --------
    >>> south = xr.DataArray([1.0, 2.0], dims="lat", coords={"lat": [45.0, 46.0]})
    >>> matched(south, south[::-1]).values
    array([1., 2.])
    """
    for dim in other.dims:
        if dim in observations.dims:
            order = _order(observations, other, dim, name)
            other = other if order is None else other.isel({dim: order})
    return other


def _order(observations: xr.DataArray, other: xr.DataArray, dim: Hashable, name: str) -> Order | None:
    """Positions of the other field in the order of the observations; None if it already has that order."""
    sizes = observations.sizes[dim], other.sizes[dim]
    both = dim in observations.indexes and dim in other.indexes
    if sizes[0] == sizes[1] and (not both or observations.indexes[dim].equals(other.indexes[dim])):
        return None
    labels = Labels(str(dim), name, observations[dim], other[dim]) if both else None
    numbers = None if labels is None else labels.numbers()
    found = None if numbers is None else _Match.of(*numbers, turning=_turning(observations, other, dim))
    if labels is None or numbers is None or found is None:
        raise DimensionError(mismatch(str(dim), name, sizes, labels))
    return found.order


def _turning(observations: xr.DataArray, other: xr.DataArray, dim: Hashable) -> bool:
    """Whether labels are longitudes, which are periodic with 360 degrees."""
    return any(is_longitude(field[dim]) for field in (observations, other))


@dataclass(frozen=True)
class _Match:
    """Match of the labels of two fields; `order` is None if they are already in the same order."""

    order: Order | None

    @classmethod
    def of(cls, ours: np.ndarray, theirs: np.ndarray, *, turning: bool) -> _Match | None:
        """Match labels one to one, up to rounding; None if that fails."""
        if ours.shape != theirs.shape:
            return None
        near = tolerance(ours)
        if _same(ours, theirs, near):
            return cls(None)
        if _same(ours, theirs[::-1], near):
            return cls(slice(None, None, -1))
        if turning:
            start = ours.min() - max(2 * near, 1e-9)  # so that no label lies where the circle is cut
            ours, theirs = (ours - start) % 360, (theirs - start) % 360
        places, from_ = np.argsort(ours, kind="stable"), np.argsort(theirs, kind="stable")
        gaps = np.diff(ours[places])
        if not _same(ours[places], theirs[from_], near) or (gaps <= 2 * near).any():
            return None
        order = np.empty(ours.size, dtype=int)
        order[places] = from_
        return cls(None if np.array_equal(order, np.arange(order.size)) else order)


def _same(ours: np.ndarray, theirs: np.ndarray, near: float) -> bool:
    return bool(np.all(np.abs(ours - theirs) <= near))


def _renaming(observations: xr.DataArray, forecasts: xr.DataArray) -> dict[str, str]:
    """Dimensions of forecasts to rename, if roles are known and renaming makes the dimensions equal."""
    ours, theirs = _axes(observations), _axes(forecasts)
    if ours is None or theirs is None:
        return {}
    pairs = zip((theirs.time, theirs.y, theirs.x), (ours.time, ours.y, ours.x), strict=True)
    names = {old: new for old, new in pairs if old and new and old != new}
    kept = {names.get(str(d), str(d)) for d in forecasts.dims} - {str(theirs.member)}
    return names if kept == {str(d) for d in observations.dims} - {str(ours.member)} else {}


def _axes(field: xr.DataArray) -> Axes | None:
    """Dimensions by role; None if they are unknown."""
    try:
        return find_axes(field)
    except DimensionError:
        return None


def _shown(field: xr.DataArray) -> tuple[str, ...]:
    return tuple(str(d) for d in field.dims)


def placed(option: Any, observations: xr.DataArray) -> Any:
    """A grouping or region aligned with the observations; anything that is not a field is returned unchanged.

    Parameters
    ----------
    option : DataArray, or a mapping or sequence that may contain some
    observations : DataArray

    Raises
    ------
    DimensionError
        If labels do not match.
    """
    if isinstance(option, xr.DataArray):
        return matched(observations, option, "labels" if option.name is None else str(option.name))
    if isinstance(option, Mapping) and not isinstance(option, xr.Dataset):
        return {name: placed(each, observations) for name, each in option.items()}
    return [placed(each, observations) for each in option] if isinstance(option, list | tuple) else option
