"""What a prior is told besides the coarse values: areas, errors, and stations laid on the fine grid."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
import xarray as xr

from xdownscale.errors import (
    ArgumentError,
    DimensionError,
    EmptyFieldError,
    MissingValueError,
    ValueRangeError,
)
from xdownscale.field.arguments import is_number
from xdownscale.field.checks import name_of
from xdownscale.field.grid import cell_areas
from xdownscale.field.labels import has_labels, is_latitude, is_longitude, labels_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.times import to_ticks
from xdownscale.field.units import to_units, unit_scale
from xdownscale.models.prior_seen import Beside, Stations
from xdownscale.operators import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xdownscale.field.axes import Axes
    from xdownscale.inference.domain import Piece
    from xdownscale.models.downscaler import Downscaler

Observations: TypeAlias = "xr.DataArray | xr.Dataset | None"
"""Stations as a user passes them."""

Errors: TypeAlias = "float | Mapping[str, float] | None"
"""Errors of coarse values as a user passes them."""


def told(
    model: Downscaler,
    piece: Piece,
    targets: Sequence[xr.DataArray],
    *,
    observations: Observations,
    error: Errors,
) -> Downscaler:
    """The model, told what it needs to know of a coarse field.

    Parameters
    ----------
    model : Downscaler
    piece : Piece
        The coarse field and its fine grid.
    targets : sequence of DataArray
        As the user gave them.
    observations : DataArray or Dataset, optional
        As in :func:`xdownscale.downscale`.
    error : float or mapping, optional
        As in :func:`xdownscale.downscale`.

    Raises
    ------
    ArgumentError
        If the model is no prior, and one of the two is given; or for an error that is not positive.
    DimensionError, ValueRangeError, MissingValueError, EmptyFieldError, UnitsError
        For stations that cannot be used, with the reason.
    """
    if not model.method.whole:
        if observations is not None or error is not None:
            msg = (
                f"observations and error are for a generative prior; the model is a {model.method.described()}. Leave "
                f'them out, or train(field, method="prior").'
            )
            raise ArgumentError(msg)
        return model
    axes = piece.grid.axes
    grid = xr.Dataset(coords=piece.coords)
    found = cell_areas(grid, axes)
    areas = (
        None
        if found is None
        else torch.from_numpy(found.values.reshape(found.shape[0], -1).astype(np.float32))
    )
    beside = Beside(
        areas=areas,
        instant=tuple(quantity_of(each, axes.time).time == "point" for each in targets),
        errors=_errors(error, piece, model),
        stations=tuple(_stations(each, grid, axes, model) for each in _by_variable(observations, model)),
    )
    return model.with_method(model.method.seeing(beside))


def _errors(error: Errors, piece: Piece, model: Downscaler) -> tuple[float | None, ...]:
    """Errors of the targets in the units of the model, None where nothing is said of one; empty for none of all."""
    if error is None:
        return ()
    given = error if isinstance(error, Mapping) else dict.fromkeys(model.targets, error)
    unknown = [name for name in given if name not in model.targets]
    if unknown:
        msg = f"error names {unknown}; the model refines {list(model.targets)}"
        raise ArgumentError(msg)
    found: list[float | None] = []
    for own, variable in zip(piece.targets, model.variables, strict=True):
        value = given.get(variable.name)
        if value is None:
            found.append(None)
            continue
        if not (is_number(value) and np.isfinite(value) and value > 0):
            msg = f"error={value!r}: a standard deviation in the units of the field is positive, as in error=0.1"
            raise ArgumentError(msg)
        found.append(float(value) * _factor(own.units, variable.units, piece.grid.step))
    return tuple(found)


def _factor(here: str | None, there: str | None, step: np.timedelta64 | None) -> float:
    """What a difference in one unit is in another."""
    return 1.0 if here is None or there is None else float(unit_scale(here, there, step=step)[0])


def _by_variable(observations: Any, model: Downscaler) -> list[tuple[int, xr.DataArray]]:
    """Stations of each target, with its number."""
    if observations is None:
        return []
    if not isinstance(observations, (xr.DataArray, xr.Dataset)):
        msg = f"observations are a DataArray or a Dataset of stations, not a {type(observations).__name__}"
        raise DimensionError(msg)
    if isinstance(observations, xr.DataArray):
        if len(model.targets) == 1:
            return [(0, observations)]
        each = {name_of(observations): observations}
    else:
        each = {str(name): values for name, values in observations.data_vars.items()}
    unknown = [name for name in each if name not in model.targets]
    if unknown:
        raise DimensionError(_unknown(unknown, observations, each, model))
    return [(model.targets.index(name), values) for name, values in each.items()]


def _unknown(
    unknown: Sequence[str],
    observations: xr.DataArray | xr.Dataset,
    each: Mapping[str, xr.DataArray],
    model: Downscaler,
) -> str:
    """Say which observations the model does not know, and which of its variables they may be."""
    msg = f"the model {model.name!r} has no variable {unknown}; its variables are {list(model.targets)}."
    near = {name: _nearest(name, each[name], model, each) for name in unknown}
    meant = {name: target for name, target in near.items() if target is not None}
    if isinstance(observations, xr.DataArray):
        return (
            f"{msg} Rename the observations: observations.rename({next(iter(meant.values()))!r})."
            if meant
            else msg
        )
    rename = f" Rename: observations.rename({meant})." if meant else ""
    rest = [name for name in unknown if name not in meant]
    return f"{msg}{rename}" + (f" Leave out: observations.drop_vars({rest})." if rest else "")


def _nearest(
    name: str, values: xr.DataArray, model: Downscaler, taken: Mapping[str, xr.DataArray]
) -> str | None:
    """The variable of the model that observations may be of: of the same quantity, else of a similar name."""
    free = {each.name: each.quantity for each in model.variables if each.name not in taken}
    subject = quantity_of(values).subject
    same = [target for target, own in free.items() if subject is not None and own.subject == subject]
    close = difflib.get_close_matches(name, free, n=1)
    return next(iter([*same, *close]), None)


def _stations(given: tuple[int, xr.DataArray], grid: xr.Dataset, axes: Axes, model: Downscaler) -> Stations:
    """Stations of one target, on the fine grid."""
    number, field = given
    variable = model.variables[number]
    error = _error_of(field)
    factor = _factor(field.attrs.get("units"), variable.units, None)
    values = field if variable.units is None else to_units(field, variable.units)
    roles = {"y": axes.y, "x": axes.x} | ({} if axes.time is None else {"time": axes.time})
    places = {role: _position(field, dim, role, grid) for role, dim in roles.items()}
    places.setdefault("time", xr.DataArray(0.0))
    order = xr.broadcast(values.reset_coords(drop=True), error, *places.values())
    known = np.isfinite(order[0].values)
    if not known.any():
        msg = f"the observations of {variable.name!r} have no valid value: leave them out"
        raise EmptyFieldError(msg)
    flat = [np.asarray(each.values, np.float64)[known] for each in order]
    at = np.stack([flat[2 + list(places).index(role)] for role in ("time", "y", "x")], -1)
    return Stations(
        number,
        torch.from_numpy(at.astype(np.float32)),
        torch.from_numpy(flat[0].astype(np.float32)),
        torch.from_numpy((factor * flat[1]).astype(np.float32)),
    )


def _error_of(field: xr.DataArray) -> xr.DataArray:
    """The standard deviation that stations come with, in their own units: a coordinate or an attribute `error`."""
    error = field.coords.get("error", field.attrs.get("error"))
    if error is None:
        msg = (
            f"observations of {field.name!r} have no error. Assign one, in their units, for all or for each: "
            f"observations.assign_coords(error=0.5)"
        )
        raise MissingValueError(msg)
    values = xr.DataArray(error).reset_coords(drop=True)
    if not bool((values > 0).all()):
        msg = f"the error of the observations of {field.name!r} must be a positive standard deviation everywhere"
        raise ValueRangeError(msg)
    return values


def _position(field: xr.DataArray, dim: str, role: str, grid: xr.Dataset) -> xr.DataArray:
    """Where stations lie along an axis of the fine grid, in cells from the centre of the first one."""
    if not (dim in grid.coords if role == "time" else has_labels(grid, dim)):
        msg = f"stations are placed by coordinates, but the field has none along {dim!r}. Assign them first."
        raise DimensionError(msg)
    labels = grid[dim] if role == "time" else labels_of(grid, dim)
    place = _coordinate(field, dim, role, labels)
    if role == "time":
        ticks, _, _ = to_ticks(np.concatenate([labels.values.ravel(), place.values.ravel()]))
        axis, own = ticks[: labels.size].astype(np.float64), ticks[labels.size :].astype(np.float64)
    else:
        axis, own = np.asarray(labels.values, np.float64), np.asarray(place.values, np.float64).ravel()
        if is_longitude(labels):
            own = axis[0] + (own - axis[0] + 180) % 360 - 180
    step = (axis[-1] - axis[0]) / (axis.size - 1) if axis.size > 1 else 1.0
    cells = (own - axis[0]) / step
    out = (cells < -OUTSIDE) | (cells > axis.size - 1 + OUTSIDE)
    if out.any():
        first = place.values.ravel()[out.argmax()]
        msg = (
            f"{int(out.sum())} of {out.size} observations of {field.name!r} lie outside of the domain along {dim!r}, "
            f"{labels.values[0]} to {labels.values[-1]}; the first at {first}. "
            f"{_inside(place, labels, all_out=bool(out.all()))}"
        )
        raise ValueRangeError(msg)
    return xr.DataArray(cells.reshape(place.shape), dims=place.dims)


def _inside(place: xr.DataArray, labels: xr.DataArray, *, all_out: bool) -> str:
    """The call that keeps the observations between the first and the last label."""
    low, high = sorted((labels.values[0], labels.values[-1]))
    own = f"observations[{place.name!r}]"
    if all_out:
        return "Leave observations out."
    if labels.dtype.kind == "O":
        return f"Take those inside: observations.sel({place.name}=slice({str(low)!r}, {str(high)!r}))."
    if labels.dtype.kind == "M":
        ends = [f"numpy.datetime64({str(end)!r})" for end in (low, high)]
    else:
        ends = [f"{float(end):.9g}" for end in (low, high)]
        if is_longitude(labels):
            own, ends = f"(({own} - {ends[0]}) % 360)", ["0", f"{float(high - low):.9g}"]
    return f"Take those inside: observations.where(({own} >= {ends[0]}) & ({own} <= {ends[1]}), drop=True)."


def _coordinate(field: xr.DataArray, dim: str, role: str, labels: xr.DataArray) -> xr.DataArray:
    """The coordinate of stations that tells where they lie along an axis."""
    if dim in field.coords:
        return field.coords[dim]
    alike = {"y": is_latitude, "x": is_longitude}.get(role)
    if alike is not None and alike(labels):
        found = [each for each in field.coords.values() if alike(each)]
        if len(found) == 1:
            return found[0]
    along = next((repr(str(own)) for own in field.dims if own != dim), "'station'")
    msg = (
        f"observations of {field.name!r} have no coordinate {dim!r}, which gives their position (they have "
        f"{[str(name) for name in field.coords]}). Assign it: observations.assign_coords({dim}=({along}, values))."
    )
    raise DimensionError(msg)
