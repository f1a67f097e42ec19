"""Fields made ready to learn from: checked, in the units of the model, as arrays without gaps in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, EmptyFieldError
from xdownscale.field.axes import Axes, check_dims, find_axes
from xdownscale.field.cell_methods import refined_method
from xdownscale.field.change import field_of, fields_of, only_field, with_grid_as_coords
from xdownscale.field.checks import checked, name_of
from xdownscale.field.compare import check_same
from xdownscale.field.factors import Factors
from xdownscale.field.gaps import contiguous
from xdownscale.field.grid import check_regular, describe
from xdownscale.field.labels import has_labels, numbers_of
from xdownscale.field.limits import limits_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.static import static_on_grid
from xdownscale.field.units import to_units
from xdownscale.field.warn import warn_user
from xdownscale.models.generator import Covariate
from xdownscale.models.scale import Scale, scale_of
from xdownscale.models.transform import Bounded, LogRain, Standard
from xdownscale.training.blocks import hold_out
from xdownscale.training.patches import Source
from xdownscale.training.reading import Unread, runs, steps_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from xdownscale.field.quantity import Quantity
    from xdownscale.models.transform import Transform

Fields: TypeAlias = "xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset]"
"""What a user passes: one event, or several."""

RAIN_UNITS = "mm h-1"
"""Rain is learned in these units, whatever it comes in."""

WET = 0.1
"""A cell is wet above this rate in mm/h: the detection limit of most radar products."""


@dataclass(frozen=True)
class Event:
    """Fine fields of one stretch of time, on one grid.

    Attributes
    ----------
    targets : list of DataArray
        Each (time, y, x), checked, in the units of the model.
    axes : Axes
        Their dimensions.
    predictors : list of DataArray
        Likewise; on the same cells, or repeated over them from coarse ones.
    aligned : bool
        Whether one of these was coarse.
    """

    targets: list[xr.DataArray]
    axes: Axes
    predictors: list[xr.DataArray] = field(default_factory=list)
    aligned: bool = False


def as_list(fields: Fields) -> list[xr.DataArray | xr.Dataset]:
    """One event or several, as a list."""
    single = isinstance(fields, (xr.DataArray, xr.Dataset, str)) or not isinstance(fields, Iterable)
    events: list[Any] = [fields] if single else list(fields)
    if not events:
        msg = "there is no field to train on: the sequence is empty"
        raise EmptyFieldError(msg)
    for each in events:
        if not isinstance(each, (xr.DataArray, xr.Dataset)):
            msg = (
                f"a field is a DataArray or a Dataset, not {type(each).__name__}. Pass one, or a list "
                f"of them, as in train([first, second])."
            )
            raise DimensionError(msg)
    return events


def targets_of(
    event: xr.DataArray | xr.Dataset,
    names: Sequence[str] | None,
    *,
    others: Collection[str] = (),
    dims: Mapping[str, str] | None,
) -> list[xr.DataArray]:
    """The fields of an event that are to be learned.

    Parameters
    ----------
    event : DataArray or Dataset
    names : sequence of str, optional
        Which of a Dataset. None takes all on y, x and time, or on y and x where none has time.
    others : collection of str
        Those that are predictors.
    dims : mapping, optional
        Names of dimensions by role.

    Raises
    ------
    DimensionError
        If there is none, or no such field.
    """
    if isinstance(event, xr.DataArray):
        if names is not None and list(names) != [name_of(event)]:
            msg = (
                f"targets={list(names)}: the field is a DataArray, {name_of(event)!r}. Pass a Dataset that contains "
                "them."
            )
            raise DimensionError(msg)
        return [event]
    check_dims(event, dims or {})
    found = fields_of(with_grid_as_coords(event), dims)
    if names is None:
        some = {str(name): axes for name, axes in found.items() if name not in others}
        in_time = {name for name, axes in some.items() if axes.time}
        beside = [name for name in some if in_time and name not in in_time]
        if beside:
            warn_user(
                f"{beside} have no time and are not learned. Static fields are passed as such: "
                f"static=dataset[{beside}]."
            )
        names = [name for name in some if name not in beside]
        return [only_field(event, dims=dims)] if not names else [field_of(event, name) for name in names]
    missing = [name for name in names if name not in found]
    if missing or not names:
        msg = f"targets={list(names)}: the dataset has {[str(name) for name in found]} on y and x. Name some of these."
        raise DimensionError(msg)
    return [field_of(event, name) for name in names]


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


def alike(field: xr.DataArray, axes: Axes, wanted: Quantity, *, what: str, whose: str) -> xr.DataArray:
    """A field in the units of a quantity, if it measures that.

    Parameters
    ----------
    field : DataArray
        Prepared.
    axes : Axes
        Its dimensions.
    wanted : Quantity
        What it must measure.
    what, whose : str
        What messages call both.

    Raises
    ------
    QuantityError
        If it measures something else.
    """
    check_same(quantity_of(field, axes.time), wanted, what=what, whose=whose)
    if wanted.units is None or not field.attrs.get("units"):
        return field
    return to_units(field, wanted.units)


def transform_for(fields: Sequence[xr.DataArray]) -> Transform:
    """Logarithmic and rectified for rain, standardised for anything else, within the limits that the quantity has."""
    if quantity_of(fields[0]).precipitation:
        return LogRain()
    mean, scale = _mean_and_deviation(fields)
    limits = {limits_of(field) for field in fields}
    low, high = limits.pop() if len(limits) == 1 else (None, None)
    return Standard(mean, scale) if low is high is None else Bounded(mean, scale, low=low, high=high)


def _mean_and_deviation(fields: Sequence[xr.DataArray]) -> tuple[float, float]:
    """Over all known values; fields of dask are not loaded."""
    if all(field.chunks is None for field in fields):
        values = np.concatenate([np.asarray(field.values, np.float64).ravel() for field in fields])
        return float(np.nanmean(values)), float(np.nanstd(values)) or 1.0
    count, total, squares = np.sum(
        [
            [float(each.astype("float64").compute()) for each in (f.count(), f.sum(), (f**2).sum())]
            for f in (field.astype("float64") for field in fields)
        ],
        axis=0,
    )
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean**2, 0.0))) or 1.0


def wet_above(transforms: Sequence[Transform]) -> float | None:
    """The rate above which a cell is wet, where every target is like rain; None, all cells count, otherwise."""
    return WET if all(each.nonnegative for each in transforms) else None


def magnitudes(sources: Sequence[Source], transforms: Sequence[Transform]) -> tuple[float, ...]:
    """Of every target the mean of wet values, or what interpolation leaves."""
    return tuple(
        _mean_of_wet([run[:, number] for source in sources for run in runs(source.values)])
        if transform.nonnegative
        else float(getattr(transform.graded(), "scale", 1.0))
        for number, transform in enumerate(transforms)
    )


def _mean_of_wet(values: Iterable[np.ndarray]) -> float:
    """Mean of what is wet; of each run the wet values alone are held."""
    wet = [each[each > WET] for each in values]
    return float(np.concatenate(wet).mean()) if any(w.size for w in wet) else 1.0


def standard_fields(fields: Mapping[str, xr.DataArray], events: Sequence[Event]) -> tuple[Covariate, ...]:
    """Mean and standard deviation of every static field over the training grids."""
    return tuple(
        _standard(name, [_laid(name, each, event.targets[0], event.axes) for event in events])
        for name, each in fields.items()
    )


def standard_predictors(names: Sequence[str], events: Sequence[Event]) -> tuple[Covariate, ...]:
    """Mean and standard deviation of every predictor over the events."""
    return tuple(
        _standard(name, [event.predictors[number].values for event in events])
        for number, name in enumerate(names)
    )


def _standard(name: str, values: Sequence[np.ndarray]) -> Covariate:
    """How a field is standardised."""
    every = np.concatenate([each.ravel() for each in values]).astype(np.float64)
    if not np.isfinite(every).any():
        msg = f"{name!r} has no value on the cells of the fields. Leave it out, or pass one that has."
        raise EmptyFieldError(msg)
    return Covariate(name, float(np.nanmean(every)), float(np.nanstd(every)) or 1.0)


def _laid(name: str, static: xr.DataArray, field: xr.DataArray, axes: Axes) -> np.ndarray:
    return static_on_grid(name, static, {dim: field[dim].values for dim in axes.spatial})


def sources_of(
    event: Event,
    fields: Mapping[str, xr.DataArray],
    standard: Sequence[Covariate],
    *,
    style: str = "training",
) -> list[Source]:
    """Arrays of one event, cut where time has gaps."""
    first, axes = event.targets[0], event.axes
    ground = None
    if standard:
        laid = [(_laid(s.name, fields[s.name], first, axes) - s.mean) / s.scale for s in standard]
        ground = np.stack(laid).astype(np.float32)
    values = _side_by_side([*event.targets, *event.predictors])
    time = axes.time if axes.time in first.coords else None
    return [
        Source(
            steps_of(values, slice(*part.indices(len(values))[:2])),
            ground,
            name=name_of(first),
            style=style,
            handed=_handed(first, axes),
            aligned=event.aligned,
            scale=_scale(first, axes),
        )
        for part in contiguous(first, time)
    ]


def _side_by_side(fields: Sequence[xr.DataArray]) -> Any:
    """Channels (time, channels, y, x): in memory, or unread where the first field is of dask."""
    if fields[0].chunks is None:
        return np.stack([_rectified(each) for each in fields], axis=1)
    import dask.array as da

    array = da.stack([da.asarray(each.data) for each in fields], axis=1)
    return Unread(array, tuple(quantity_of(each).precipitation for each in fields))


def _rectified(field: xr.DataArray) -> np.ndarray:
    """Values in single precision; rounding below zero is taken off precipitation."""
    values = np.asarray(field.values, np.float32)
    if quantity_of(field).precipitation:
        values = np.maximum(values, 0, where=np.isfinite(values), out=values.copy())
    return values


def _scale(field: xr.DataArray, axes: Axes) -> Scale:
    """Size of cells and steps, as far as coordinates tell."""
    timed = axes.time in field.coords
    few = field.isel({axes.time: slice(0, 2)}) if timed else field
    grid = describe(few, axes if timed else Axes(axes.y, axes.x, None))
    return scale_of(grid, few.coords, Factors(y=1, x=1, time=1))


def _handed(field: xr.DataArray, axes: Axes) -> int:
    """−1 where the labels of one of y and x decrease, else 1."""
    signs = [
        np.sign(numbers[-1] - numbers[0]) or 1
        for dim in axes.spatial
        if has_labels(field, dim) and (numbers := numbers_of(field, dim)).size
    ]
    return int(np.prod(signs)) if signs else 1


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
