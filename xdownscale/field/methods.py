"""How values relate to their time step: a mean over it, a sum over it, or a point in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xdownscale.errors import TimeAxisError, UnitsError
from xdownscale.field.provenance import cell_method
from xdownscale.field.units import is_amount, is_rate
from xdownscale.field.values import is_rain
from xdownscale.field.warn import warn_user

if TYPE_CHECKING:
    import xarray as xr

    from xdownscale.field.axes import Axes

TIME_METHODS: Final = ("mean", "sum", "point")
"""Rates are means, amounts are sums, snapshots are points."""


def time_method(field: xr.DataArray, axes: Axes, chosen: str = "auto") -> str:
    """How values of a field relate to their time step.

    ``cell_methods`` decides. Without it, precipitation in units of an amount (mm, kg m-2) is a sum, anything
    else a mean.

    Parameters
    ----------
    field : DataArray
        Any field; only its attributes are read.
    axes : Axes
        Its dimensions.
    chosen : str
        ``"mean"``, ``"sum"`` or ``"point"`` overrule the attributes; ``"auto"`` reads them.

    Raises
    ------
    TimeAxisError
        If `chosen`, or the attribute, is anything else.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdownscale.field.axes import Axes
    >>> rain = xr.DataArray([[[0.0]]], dims=("time", "y", "x"), name="rain", attrs={"units": "mm"})
    >>> time_method(rain, Axes("y", "x", "time"))
    'sum'
    """
    if chosen in TIME_METHODS:
        return chosen
    if chosen != "auto":
        msg = f"time_method={chosen!r} is unknown. Pass 'auto' or one of {TIME_METHODS}."
        raise TimeAxisError(msg)
    said = cell_method(field, axes.time or "time") or cell_method(field, "time")
    if said in TIME_METHODS:
        return said
    if said is not None:
        msg = (
            f'cell_methods says "time: {said}", which blocks of time do not follow. '
            f'Pass time_method="mean" to coarsen, or set field.attrs["cell_methods"] = "time: mean".'
        )
        raise TimeAxisError(msg)
    amount = "amount" in str(field.attrs.get("standard_name", "")) or (
        is_rain(field) and is_amount(str(field.attrs.get("units", "")))
    )
    return "sum" if amount else "mean"


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
    UnitsError
        If units and ``cell_methods`` contradict each other.
    """
    method = time_method(field, axes) if axes.time and refines_time else "mean"
    units = str(field.attrs.get("units", ""))
    if is_rate(units) if method == "sum" else is_amount(units):
        msg = (
            f"the field is in {units!r}, and its values are a {method!r} over time by cell_methods: rates are means, "
            f"amounts are sums. Set field.attrs['cell_methods'] = 'time: {'sum' if is_amount(units) else 'mean'}'."
        )
        raise UnitsError(msg)
    if method == "point":
        warn_user(
            "the field holds snapshots (cell_methods 'time: point'); they are taken as means over their steps."
        )
        return f"{axes.time}: mean"
    return None
