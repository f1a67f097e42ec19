"""How values are merged and refined in time, and which have no mean at all: what a quantity allows a verb to do."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from xdownscale.errors import QuantityError, TimeAxisError, UnitsError
from xdownscale.field.quantity import TIME_METHODS, quantity_of
from xdownscale.field.units import dimension
from xdownscale.field.warn import warn_user

if TYPE_CHECKING:
    import xarray as xr

    from xdownscale.field.axes import Axes
    from xdownscale.field.quantity import Quantity

_LOOKED_AT: Final = 49
"""Steps that are looked at for totals that never fall: two days of hours, with the step between them."""

_RISES: Final = 0.8
"""Share of wet steps without a fall from which values are taken for totals, which may start anew every day."""


def time_method(field: xr.DataArray, axes: Axes, chosen: str = "auto") -> str:
    """How values of a field relate to their time step.

    Parameters
    ----------
    field : DataArray
        Any field. Its attributes decide (:mod:`xdownscale.field.quantity`). Where they tell amounts without saying
        so in ``cell_methods``, values in memory must not look like totals since a start.
    axes : Axes
        Its dimensions.
    chosen : str
        ``"mean"``, ``"sum"`` or ``"point"`` overrule the attributes; ``"auto"`` reads them.

    Raises
    ------
    TimeAxisError
        If `chosen`, or the attribute, is anything else.
    QuantityError
        If rates and amounts cannot be told apart, or values are totals since a start, classes or directions.
    UnitsError
        If units and ``cell_methods`` contradict each other.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdownscale.field.axes import Axes
    >>> rain = xr.DataArray([[[0.0]]], dims=("time", "y", "x"), name="rain", attrs={"units": "mm"})
    >>> time_method(rain, Axes("y", "x", "time"))
    'sum'
    """
    if chosen != "auto" and chosen not in TIME_METHODS:
        msg = f"time_method={chosen!r} is unknown. Pass 'auto' or one of {TIME_METHODS}."
        raise TimeAxisError(msg)
    quantity = quantity_of(field, axes.time)
    method = quantity.time if chosen == "auto" else chosen
    if method != "point" and quantity.barred in ("class", "direction"):
        raise _without_mean(quantity, axes)
    if chosen != "auto":
        return chosen
    if method not in TIME_METHODS:
        raise _not_merged(quantity, axes)
    if method == "sum" and not quantity.sure and axes.time and _never_falls(field, axes.time):
        raise _totals(quantity, axes, "values that never fall from step to step", amounts=True)
    return method


def check_mean_over_cells(quantity: Quantity, axes: Axes) -> None:
    """Raise where values have no mean over cells: classes, directions, totals over a cell.

    Parameters
    ----------
    quantity : Quantity
        What the field measures.
    axes : Axes
        Its dimensions, for the message.
    """
    if quantity.barred:
        raise _without_mean(quantity, axes)


def check_differences(quantity: Quantity) -> None:
    """Raise where values have no differences that could be scored: directions.

    Parameters
    ----------
    quantity : Quantity
        What the observations measure.
    """
    if quantity.barred == "direction":
        msg = (
            f"{quantity} holds directions, and 350 and 10 degrees differ by 20, not by 340. Score the "
            f"components: numpy.sin and numpy.cos of numpy.deg2rad(field.drop_attrs(deep=False)), for both fields."
        )
        raise QuantityError(msg)


def refined_method(field: xr.DataArray, axes: Axes, *, refines_time: bool) -> str:
    """How values of a field relate to their step where a model refines them, or learns from them.

    Parameters
    ----------
    field : DataArray
        Coarse field, or fine field to learn from.
    axes : Axes
        Its dimensions.
    refines_time : bool
        Whether the model makes several steps out of one. Without that only precipitation is asked, since it is
        learned as a rate.

    Raises
    ------
    QuantityError, TimeAxisError
        If the values have no mean, or it is not known how they relate to their step.
    UnitsError
        If units and ``cell_methods`` contradict each other.
    """
    quantity = quantity_of(field, axes.time)
    check_mean_over_cells(quantity, axes)
    if not axes.time or not (refines_time or (quantity.precipitation and quantity.units)):
        return "mean"
    method = time_method(field, axes)
    if quantity.precipitation and method != "sum" and dimension(quantity.units or "") == "amount":
        raise _contradiction(quantity, method)
    return method


def fine_methods(field: xr.DataArray, axes: Axes, *, refines_time: bool) -> str | None:
    """The ``cell_methods`` that fine values add: a model takes snapshots as means, and cannot add rates up.

    Parameters
    ----------
    field : DataArray
        Coarse field.
    axes : Axes
        Its dimensions.
    refines_time : bool
        Whether the model makes several steps out of one.

    Raises
    ------
    QuantityError, TimeAxisError, UnitsError
        As :func:`refined_method`.
    """
    if refined_method(field, axes, refines_time=refines_time) == "point" and refines_time:
        warn_user(
            "the field holds snapshots (cell_methods 'time: point'); they are taken as means over their steps."
        )
        return f"{axes.time}: mean"
    return None


def kept_methods(field: xr.DataArray, axes: Axes, *, refines_time: bool) -> None:
    """Check as :func:`fine_methods` does, for a model that takes snapshots for snapshots: nothing is added.

    Parameters
    ----------
    field, axes, refines_time
        As in :func:`fine_methods`.

    Raises
    ------
    QuantityError, TimeAxisError, UnitsError
        As :func:`refined_method`.
    """
    refined_method(field, axes, refines_time=refines_time)


def _never_falls(field: xr.DataArray, dim: str) -> bool:
    """Whether values in memory grow from step to step, as totals since the start of a forecast do."""
    if field.chunks is not None or field.dtype.kind not in "fiu":
        return False
    values = np.moveaxis(field.isel({dim: slice(0, _LOOKED_AT)}).values, field.get_axis_num(dim), 0)
    grown, fallen, cells = 0, 0, 0
    for before, after in pairwise(values):
        rounding = 1e-4 * float(np.fmax.reduce(np.abs(before), axis=None))
        wet = before > rounding
        rises = int((wet & (after > before + rounding)).sum())
        if bool((wet & (after < before - rounding)).any()):
            fallen += 1
        elif rises:
            grown, cells = grown + 1, cells + rises
    return grown >= 3 and cells >= 16 and grown >= _RISES * (grown + fallen)


def _without_mean(quantity: Quantity, axes: Axes) -> QuantityError:
    """What to do with values that have no mean."""
    y, x = axes.spatial
    ways = {
        "class": f"class numbers, whose mean is not a class. Use the share of a class, for example "
        f'(field == 1).astype(float).drop_attrs(deep=False).rename("share"), or one cell of each block: '
        f"field.isel({y}=slice(None, None, 2), {x}=slice(None, None, 2))",
        "direction": "directions, and the mean of 350 and 10 degrees is 0. Use the components: angle = "
        "numpy.deg2rad(field.drop_attrs(deep=False)), u = numpy.sin(angle), v = numpy.cos(angle), and after "
        "that numpy.rad2deg(numpy.arctan2(u, v)) % 360",
        "total": f"a total over each cell, which must be added, not averaged. Add it with xarray, "
        f"field.coarsen({y}=2, {x}=2).sum(), or make it a density: "
        f'(field / area).assign_attrs(units="m-2", cell_methods="area: mean")',
    }
    msg = (
        f"{quantity} is {ways[quantity.barred or '']}. Drop it from a Dataset: "
        f"dataset.drop_vars({quantity.name!r}). (Known by {quantity.reason}.)"
    )
    return QuantityError(msg)


def _not_merged(quantity: Quantity, axes: Axes) -> UnitsError | TimeAxisError:
    """What to do where it is not known how values relate to their step, or blocks do not follow it."""
    time = axes.time or "time"
    if quantity.time == "contradiction":
        return _contradiction(quantity, "sum")
    if quantity.time == "running":
        return _totals(quantity, axes, quantity.reason, amounts=False)
    if quantity.time == "unknown":
        msg = (
            f"{quantity} may be a rate or an amount over its step: {quantity.reason} tells. Say which: "
            f"field.assign_attrs(cell_methods='{time}: mean') for rates and states, "
            f"field.assign_attrs(cell_methods='{time}: sum') for amounts; or time_method= in coarsen."
        )
        return QuantityError(msg)
    msg = (
        f'{quantity.reason} says "time: {quantity.time}", which is not defined for blocks of time steps. '
        f'Pass time_method="mean" to coarsen, or set field.attrs["cell_methods"] = "time: mean".'
    )
    return TimeAxisError(msg)


def _totals(quantity: Quantity, axes: Axes, by: str, *, amounts: bool) -> QuantityError:
    """What to do with totals since a start."""
    time = axes.time or "time"
    msg = (
        f"{quantity} holds totals since a start, which can be neither averaged nor added (known by {by}). Use the "
        f'increments: steps = field.diff("{time}"). Where the totals restart, the value itself is the increment: anew '
        "= "
        f"(steps < -1e-3 * field.max()).any({axes.spatial}), steps = steps.where(~anew, field.isel({time}=slice(1, "
        f'None))). Then steps.assign_attrs(cell_methods="{time}: sum").'
    )
    if amounts:
        msg += f' If the values are amounts of each step: field.assign_attrs(cell_methods="{time}: sum").'
    return QuantityError(msg)


def _contradiction(quantity: Quantity, method: str) -> UnitsError:
    """Which of units and cell methods to set right."""
    right = "sum" if method != "sum" else "mean"
    msg = (
        f"{quantity} is in {quantity.units!r}, and its values are a {method!r} over time by {quantity.reason}: rates "
        f"are means, amounts are sums. Set field.attrs['cell_methods'] = 'time: {right}'."
    )
    return UnitsError(msg)
