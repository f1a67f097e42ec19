"""Fields made ready to learn from: checked, in the units of the model, as arrays without gaps in time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, EmptyFieldError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.cell_methods import refined_method
from xdownscale.field.change import only_field
from xdownscale.field.checks import checked, name_of
from xdownscale.field.compare import check_same
from xdownscale.field.gaps import contiguous
from xdownscale.field.grid import check_regular
from xdownscale.field.limits import limits_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.static import static_on_grid
from xdownscale.field.units import to_units
from xdownscale.models.generator import StaticField
from xdownscale.models.transform import Bounded, LogRain, Standard
from xdownscale.training.blocks import hold_out
from xdownscale.training.patches import Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xdownscale.field.factors import Factors
    from xdownscale.field.quantity import Quantity
    from xdownscale.models.transform import Transform

Fields: TypeAlias = "xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset]"
"""What a user passes: one field, or several events."""

RAIN_UNITS = "mm h-1"
"""Rain is learned in these units, whatever it comes in."""

WET = 0.1
"""A cell is wet above this rate in mm/h: the detection limit of most radar products."""


def as_list(fields: Fields, dims: Mapping[str, str] | None = None) -> list[xr.DataArray]:
    """One field or several, as a list of events; of a Dataset its only field."""
    single = isinstance(fields, (xr.DataArray, xr.Dataset, str)) or not isinstance(fields, Iterable)
    events: list[Any] = [fields] if single else list(fields)
    if not events:
        msg = "there is no field to train on: the sequence is empty"
        raise EmptyFieldError(msg)
    for each in events:
        if not isinstance(each, (xr.DataArray, xr.Dataset)):
            msg = (
                f"a field is a DataArray, or a Dataset with one field, not {type(each).__name__}. Pass one, or a list "
                f"of them, as in train([first, second])."
            )
            raise DimensionError(msg)
    return [only_field(each, dims=dims) for each in events]


def prepared(
    field: xr.DataArray, factors: Factors, dims: Mapping[str, str] | None
) -> tuple[xr.DataArray, Axes]:
    """A field to learn from as (time, y, x) in the units of the model, checked."""
    axes = find_axes(field, dims=dims, need_time=factors.time > 1)
    others = [str(dim) for dim in field.dims if dim not in axes.ordered]
    if others:
        msg = (
            f"fields to learn from are (time, y, x); {field.name!r} also has {others}. Select one entry, "
            f"as in field.isel({others[0]}=0), or pass a list of fields."
        )
        raise DimensionError(msg)
    field = checked(field)
    refined_method(field, axes, refines_time=factors.time > 1)
    if quantity_of(field, axes.time).precipitation:
        field = to_units(field, RAIN_UNITS)
    check_regular(field, axes.spatial, None)
    if axes.time is None:
        field = field.expand_dims("time")
        axes = Axes(axes.y, axes.x, "time")
    return field.transpose(axes.time or "time", *axes.spatial), axes


def alike(
    events: Sequence[tuple[xr.DataArray, Axes]], wanted: Quantity, *, what: str, whose: str
) -> list[tuple[xr.DataArray, Axes]]:
    """Fields of one quantity, in its units.

    Parameters
    ----------
    events : sequence of (DataArray, Axes)
        Prepared fields.
    wanted : Quantity
        What they must measure.
    what, whose : str
        What messages call both.

    Raises
    ------
    QuantityError
        If one of them measures something else.
    """
    for field, axes in events:
        check_same(quantity_of(field, axes.time), wanted, what=what, whose=whose)
    if wanted.units is None:
        return list(events)
    return [(to_units(f, wanted.units) if f.attrs.get("units") else f, axes) for f, axes in events]


def transform_for(fields: Sequence[xr.DataArray]) -> Transform:
    """Logarithmic and rectified for rain, standardised for anything else, within the limits that the quantity has."""
    if quantity_of(fields[0]).precipitation:
        return LogRain()
    values = np.concatenate([np.asarray(field.values, np.float64).ravel() for field in fields])
    mean, scale = float(np.nanmean(values)), float(np.nanstd(values)) or 1.0
    limits = {limits_of(field) for field in fields}
    low, high = limits.pop() if len(limits) == 1 else (None, None)
    return Standard(mean, scale) if low is high is None else Bounded(mean, scale, low, high)


def magnitude(sources: Sequence[Source], transform: Transform) -> float:
    """Mean of wet values, or the scale of the transform."""
    if not transform.nonnegative:
        return float(getattr(transform, "scale", 1.0))
    wet = [source.values[source.values > WET] for source in sources]
    return float(np.concatenate(wet).mean()) if any(w.size for w in wet) else 1.0


def standard_fields(
    fields: Mapping[str, xr.DataArray], events: Sequence[tuple[xr.DataArray, Axes]]
) -> tuple[StaticField, ...]:
    """Mean and standard deviation of every static field over the training grids."""
    standard = []
    for name, each in fields.items():
        laid = np.concatenate([_laid(name, each, *event).ravel() for event in events]).astype(np.float64)
        standard.append(StaticField(name, float(laid.mean()), float(laid.std()) or 1.0))
    return tuple(standard)


def _laid(name: str, static: xr.DataArray, field: xr.DataArray, axes: Axes) -> np.ndarray:
    return static_on_grid(name, static, {dim: field[dim].values for dim in axes.spatial})


def sources_of(
    field: xr.DataArray,
    axes: Axes,
    fields: Mapping[str, xr.DataArray],
    standard: Sequence[StaticField],
    *,
    style: str = "training",
) -> list[Source]:
    """Arrays of one event, cut where time has gaps."""
    ground = None
    if standard:
        laid = [(_laid(s.name, fields[s.name], field, axes) - s.mean) / s.scale for s in standard]
        ground = np.stack(laid).astype(np.float32)
    values = np.asarray(field.values, np.float32)
    if quantity_of(field).precipitation:
        values = np.maximum(values, 0, where=np.isfinite(values), out=values.copy())
    time = axes.time if axes.time in field.coords else None
    parts = contiguous(field, time)
    return [Source(values[part], ground, name=name_of(field), style=style) for part in parts]


def split(events: Sequence[list[Source]], share: float, window: int) -> tuple[list[Source], list[Source]]:
    """Training and held-out sources: whole events where there are several, else blocks of steps of the only one.

    Parameters
    ----------
    events : sequence of list of Source
        The sources of every event, cut where it has gaps in time.
    share : float
        Of the events or steps, to hold out.
    window : int
        Fine steps of a window: no block is shorter.
    """
    if share <= 0:
        return [source for event in events for source in event], []
    if len(events) == 1:
        return hold_out(events[0], share, window)
    count = min(len(events) - 1, max(1, round(share * len(events))))
    training, held_out = events[:-count], events[-count:]
    return [s for event in training for s in event], [s for event in held_out for s in event]
