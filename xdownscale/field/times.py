"""The time axis: its step, its gaps, the labels of coarser and finer steps, for datetime64 and cftime alike.

All arithmetic is on integer ticks (nano- or microseconds since 1970 in the axis' own calendar), so labels
never drift.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from xdownscale.errors import TimeAxisError
from xdownscale.field.bounds import FINER, POSITION, WIDTH, Coordinates, find_bounds, labelled
from xdownscale.field.labels import Source, holds_times, indexed, label_of, labels_of
from xdownscale.field.position import ends_its_step, position_of

JITTER = 1e-3
"""Share of a step that labels may be off: times decoded from float32 hours are."""

Decode = Callable[[np.ndarray], np.ndarray]

_SECONDS = {
    unit: seconds
    for seconds, units in (
        (1, "s sec second seconds"),
        (60, "min minute minutes"),
        (3600, "h hr hrs hour hours"),
        (86400, "d day days"),
    )
    for unit in units.split()
}
"""Seconds in the units of lead times that decoding left as numbers."""


def to_ticks(values: np.ndarray) -> tuple[np.ndarray, Decode, str]:
    """Times as integers, the way back, and the unit of one tick (``ns`` or ``us``).

    Parameters
    ----------
    values : ndarray
        datetime64, timedelta64, or cftime objects.
    """
    if values.dtype.kind in "mM":
        kind, unit = values.dtype.kind, np.datetime_data(values.dtype)[0]
        tick = "ns" if unit == "ns" else "us"
        return values.astype(f"{kind}8[{tick}]").astype(np.int64), _decode_numpy(values.dtype, tick), tick
    import cftime

    first = values.flat[0]
    since = "microseconds since 1970-01-01"
    ticks = np.asarray(cftime.date2num(values, since, calendar=first.calendar), dtype=np.int64)

    def decode(ticks: np.ndarray) -> np.ndarray:
        return np.asarray(
            cftime.num2date(ticks, since, calendar=first.calendar, only_use_cftime_datetimes=True)
        )

    return ticks, decode, "us"


def _decode_numpy(dtype: np.dtype[Any], tick: str) -> Decode:
    """From ticks to datetime64 of the unit before, or of a finer one where that would lose something."""

    def decode(ticks: np.ndarray) -> np.ndarray:
        fine = ticks.astype(f"{dtype.kind}8[{tick}]")
        own = fine.astype(dtype)
        return own if bool((own == fine).all()) else fine

    return decode


def check_times(field: Source, dim: str) -> bool:
    """Whether the dimension has a coordinate; raises where that does not hold times."""
    if label_of(field, dim) is None or field.sizes[dim] == 0:
        return False
    label = labels_of(field, dim)
    if not (holds_times(label) or label.dtype.kind == "m"):
        raise TimeAxisError(_no_times(label))
    missing = label.isnull().values
    if bool(missing.any()):
        drop = f"field.isel({dim}=field[{label.name!r}].notnull().values)"
        msg = (
            f"{label.name!r} has no value at index {int(np.flatnonzero(missing)[0])}. Drop the missing labels: "
            f"{drop}."
        )
        raise TimeAxisError(msg)
    _check_calendars(label)
    return True


def _check_calendars(label: xr.DataArray) -> None:
    """Raise where labels are of several calendars, which have no time in common."""
    if label.dtype != object:
        return
    calendars = [getattr(time, "calendar", None) for time in label.values.flat]
    other = next((at for at, calendar in enumerate(calendars) if calendar != calendars[0]), None)
    if other is not None:
        msg = (
            f"{label.name!r} changes from the calendar {calendars[0]!r} to {calendars[other]!r} at index "
            f"{other}. Use one part, field.isel({label.dims[0]}=slice(0, {other})), or convert the calendars of the "
            f"parts before they are concatenated: part.convert_calendar({calendars[0]!r})."
        )
        raise TimeAxisError(msg)


def _no_times(label: xr.DataArray) -> str:
    """Say what labels hold instead of times, and how to turn them into some."""
    name, dim = label.name, label.dims[0]
    said = f"the coordinate {name!r} holds {label.dtype} values, not times."
    remove = f"or remove them with field.drop_vars({name!r})."
    seconds = _SECONDS.get(str(label.attrs.get("units", "")).lower())
    if seconds and label.dtype.kind in "fiu":
        times = f"field.{name}.values * numpy.timedelta64({seconds}, 's')"
        return f"{said} Convert them to time differences, field.assign_coords({name}=({dim!r}, {times})), {remove}"
    return f"{said} Decode them with xarray.decode_cf(dataset), {remove}"


def tick_step(field: Source, dim: str) -> int | None:
    """The step of a time axis in ticks; None without a coordinate, or for one label without bounds.

    Raises
    ------
    TimeAxisError
        If labels do not increase, or steps differ; the message says where first.
    """
    if not check_times(field, dim):
        return None
    ticks, _, _ = to_ticks(labels_of(field, dim).values)
    if ticks.size == 1:
        return noted_step(field, dim)
    steps = np.diff(ticks)
    step = usual_step(steps)
    wrong = np.flatnonzero(np.abs(steps - step) > JITTER * abs(step))
    if step <= 0 or wrong.size or bool((steps <= 0).any()):
        raise irregular(field, dim, steps, step)
    return step


def usual_step(steps: np.ndarray) -> int:
    """The step that occurs most often, in ticks."""
    usual, counts = np.unique(steps, return_counts=True)
    return int(usual[counts.argmax()])


def noted_step(field: Source, dim: str) -> int | None:
    """The step that bounds tell, else the width that coarsening noted; None without either."""
    bounds = find_bounds(field, dim)
    if bounds is not None:
        return int(np.diff(to_ticks(bounds.values.ravel())[0])[0]) or None
    label = labels_of(field, dim)
    noted = str(label.attrs.get(WIDTH, "")).removesuffix(" s")
    return round(float(noted) * _per_second(label.values)) if noted else None


def _per_second(values: np.ndarray) -> int:
    """Ticks in a second."""
    return 10**9 if to_ticks(values)[2] == "ns" else 10**6


def irregular(field: Source, dim: str, steps: np.ndarray, step: int) -> TimeAxisError:
    """An error that says where labels first go astray, and how to go on."""
    return TimeAxisError(_astray(labels_of(field, dim), steps, step))


def _astray(label: xr.DataArray, steps: np.ndarray, step: int) -> str:
    """Say where the first gap is, and how to go on."""
    field, dim = indexed(label), str(label.name)
    backward = np.flatnonzero(steps <= 0)
    if backward.size:
        at = int(backward[0])
        return (
            f"{dim!r} does not increase after index {at} ({label.values[at]}). "
            f"Sort it and drop duplicates: {field}.sortby({dim!r}).drop_duplicates({dim!r})."
        )
    short = np.flatnonzero(steps < (1 - JITTER) * step)
    at = int(short[0] if short.size else np.flatnonzero(steps > (1 + JITTER) * step)[0])
    usual = f"{step / _per_second(label.values):g}"
    where = (
        f"after index {at}: {label.values[at]} to {label.values[at + 1]} is {steps[at] / step:.4g} steps "
        f"of {usual} s"
    )
    if short.size:
        return (
            f"{dim!r} has a step that is too short {where}. Resample it to regular steps: "
            f"{field}.resample({dim}='{usual}s').mean()."
        )
    return (
        f"{dim!r} has a gap {where}. Treat the pieces between gaps separately with gaps='split', use the part "
        f"before or after it, {field}.isel({dim}=slice(0, {at + 1})), or fill it: "
        f"{field}.resample({dim}='{usual}s').asfreq()."
    )


def as_timedelta(ticks: int, values: np.ndarray) -> np.timedelta64:
    """A step in ticks as timedelta64."""
    return np.timedelta64(ticks * (10**9 // _per_second(values)), "ns")


def time_index(field: Source, dim: str, step: int | None) -> int:
    """Absolute index of the first step on the lattice of steps since 1970; 0 without times.

    The quarter of a step moves the edge of rounding away from where steps start (on a whole or a half step).
    """
    if step is None or not check_times(field, dim):
        return 0
    ticks, _, _ = to_ticks(labels_of(field, dim).values)
    start = int(_edges(field, dim, ticks, step)[0][0, 0])
    return (4 * start + step) // (4 * step)


def coarsen_times(field: Source, dim: str, factor: int, *, point: bool = False) -> Coordinates:
    """Labels and bounds of steps `factor` times as long; `point` keeps the labels of the sampled frames."""
    step = tick_step(field, dim)
    if step is None:
        return {}
    label = labels_of(field, dim)
    ticks, decode, unit = to_ticks(label.values)
    if point:
        return labelled(field, dim, decode(ticks[::factor]), None, _notes(field, dim, step * factor, 0.0))
    edges, position = _edges(field, dim, ticks, step)
    coarse = np.stack([edges[::factor, 0], edges[factor - 1 :: factor, 1]], axis=1)
    notes = _notes(field, dim, step * factor, position)
    labels = labelled(field, dim, decode(_place(coarse, position)), decode(coarse), notes)
    again = to_ticks(refine_times(xr.Dataset(coords=labels), dim, factor)[str(label.name)].values)[0]
    if FINER in label.attrs or not np.array_equal(again, ticks):
        uneven = " ".join(map(str, (unit, *ticks)))
        labels[str(label.name)].attrs[FINER] = label.attrs.get(FINER, uneven)
    return labels


def refine_times(
    field: Source, dim: str, factor: int, *, length: np.timedelta64 | None = None
) -> Coordinates:
    """Labels and bounds of steps `factor` times as short: the inverse of :func:`coarsen_times`.

    The length of a step is looked for unless it is known.
    """
    if not check_times(field, dim):
        return {}
    label = labels_of(field, dim)
    ticks, decode, unit = to_ticks(label.values)
    step = (
        tick_step(field, dim)
        if length is None
        else int(length.astype(f"timedelta64[{unit}]").astype(np.int64))
    )
    if step is None:
        msg = (
            f"{label.name!r} has one label and no bounds, so the length of its step is unknown. "
            f"Pass two steps or more, or set it: field[{label.name!r}].attrs[{WIDTH!r}] = '900 s'."
        )
        raise TimeAxisError(msg)
    edges, position = _edges(field, dim, ticks, step)
    width = edges[:, 1:] - edges[:, :1]
    cuts = edges[:, :1] + np.rint(width * (np.arange(factor + 1) / factor)).astype(np.int64)
    fine = np.stack([cuts[:, :-1].ravel(), cuts[:, 1:].ravel()], axis=1)
    notes = _notes(field, dim, step / factor, position)
    labels = _as_noted(_place(fine, position), label, unit, step / factor)
    if FINER in label.attrs:
        notes[FINER] = label.attrs[FINER]
    return labelled(field, dim, decode(labels), decode(fine), notes)


def _as_noted(ticks: np.ndarray, label: xr.DataArray, unit: str, step: float) -> np.ndarray:
    """Times as they were before they were coarsened, where a note says that they were a little uneven."""
    noted, *numbers = str(label.attrs.get(FINER, "")).split() or [unit]
    known = np.array(numbers, np.int64)
    if known.size == 0:
        return ticks
    if noted != unit:
        known = known * 1000 if unit == "ns" else known // 1000
    right = np.clip(np.searchsorted(known, ticks), 1, max(1, known.size - 1))
    right, left = np.minimum(right, known.size - 1), right - 1
    nearest: np.ndarray = known[np.where(ticks - known[left] <= known[right] - ticks, left, right)]
    return nearest if bool((np.abs(nearest - ticks) <= 2 * JITTER * step).all()) else ticks


def _notes(field: Source, dim: str, step: float, position: float) -> dict[str, Any]:
    """Width of the steps, and where labels stand in them unless at the start, or where attributes say the end."""
    seconds = step / _per_second(labels_of(field, dim).values)
    return {WIDTH: f"{seconds:.9g} s"} | ({POSITION: position} if position or ends_its_step(field) else {})


def notes_of_bounds(field: Source, dim: str) -> dict[str, Any]:
    """What the bounds of a time axis say, as attributes of its label; nothing without times or bounds.

    Parameters
    ----------
    field : DataArray or Dataset
        Where to look.
    dim : str
        A dimension with a coordinate.
    """
    bounds = find_bounds(field, dim)
    if bounds is None or bounds.values.size == 0 or not holds_times(labels_of(field, dim)):
        return {}
    (first, last), ticks = to_ticks(bounds.values[0])[0], to_ticks(labels_of(field, dim).values[:1])[0]
    width = int(last - first)
    return _notes(field, dim, width, float(ticks[0] - first) / width) if width > 0 else {}


def _edges(field: Source, dim: str, ticks: np.ndarray, step: int) -> tuple[np.ndarray, float]:
    """Bounds of the steps, and where in them labels stand: 0 start (by default), 0.5 centre, 1 end."""
    bounds = find_bounds(field, dim)
    if bounds is not None:
        edges = to_ticks(bounds.values.ravel())[0].reshape(-1, 2)
        width = int(edges[0, 1] - edges[0, 0])
        if width > 0:
            return edges, float(ticks[0] - edges[0, 0]) / width
    position, _ = position_of(field, dim, step / _per_second(labels_of(field, dim).values))
    starts = ticks - round(position * step)
    return np.stack([starts, starts + step], axis=1), position


def _place(edges: np.ndarray, position: float) -> np.ndarray:
    """Labels at a share of the way from the first to the last edge."""
    width = edges[:, 1] - edges[:, 0]
    labels: np.ndarray = edges[:, 0] + np.rint(width * position).astype(np.int64)
    return labels
