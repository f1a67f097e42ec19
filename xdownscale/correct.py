"""``correct``: bias correction before :func:`xdownscale.downscale`, with the methods of xsdba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from xdownscale.errors import ArgumentError, DimensionError, OptionalDependencyError
from xdownscale.field.arguments import whole_number
from xdownscale.field.attrs import add_history
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.checks import checked, name_of
from xdownscale.field.compare import check_same
from xdownscale.field.labels import has_labels, numbers_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.units import to_units

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["correct"]

KINDS: Final = {"quantile_mapping": "EmpiricalQuantileMapping", "quantile_delta": "QuantileDeltaMapping"}
"""Classes of xsdba by the values of `kind`."""

GROUPS: Final = ("time", "time.month", "time.season", "time.dayofyear")
"""Parts of the year with separate corrections."""


def correct(
    model_field: xr.DataArray,
    reference: xr.DataArray,
    *,
    historical: xr.DataArray | None = None,
    kind: str = "quantile_mapping",
    group: str = "time.month",
    quantiles: int = 50,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Correct the bias of a coarse model field, cell by cell, so that its distribution is that of a reference.

    Downscaling conserves the coarse field, including its bias: a climate model that is too wet remains too wet.
    Therefore correct first, on the coarse grid, against a reference that was coarsened to it, and then downscale.

    Parameters
    ----------
    model_field : DataArray, dims (time, y, x)
        Field to correct, such as a projection, on the coarse grid.
    reference : DataArray, dims (time, y, x)
        Observations or a reanalysis on the same grid, over the period of `historical`. Units are converted.
    historical : DataArray, optional
        The model run over the period of the reference. None uses `model_field`.
    kind : {"quantile_mapping", "quantile_delta"}
        Empirical quantile mapping; or quantile delta mapping, which keeps the model's change of every quantile
        (Cannon et al. 2015). Precipitation is corrected by ratios, all other variables by differences.
    group : {"time.month", "time", "time.season", "time.dayofyear"}
        Parts of the year with separate corrections.
    quantiles : int
        Number of quantiles.
    dims : mapping, optional
        Names of dimensions by role, where they are not recognised.

    Returns
    -------
    DataArray
        As `model_field`: its dimensions, times, calendar, units and precision.

    Raises
    ------
    OptionalDependencyError
        If xsdba is not installed.
    DimensionError
        If the grids differ, or there is no time.
    QuantityError
        If the fields measure different quantities.
    ArgumentError
        If kind or group is unknown.

    See Also
    --------
    xdownscale.downscale : Draw an ensemble of fine fields.
    xdownscale.coarsen : Block means.

    References
    ----------
    Cannon, Sobie and Murdock (2015), doi:10.1175/JCLI-D-14-00754.1; xsdba, doi:10.21105/joss.05415 (as xclim).

    Examples
    --------
    >>> import xarray as xr
    >>> times = xr.date_range("2001-01-01", periods=730)
    >>> truth = xr.DataArray(
    ...     np.random.default_rng(0).normal(285, 5, (730, 2, 2)),
    ...     {"time": times, "y": [0.0, 1.0], "x": [0.0, 1.0]},
    ...     ("time", "y", "x"),
    ...     "tas",
    ...     {"units": "K", "standard_name": "air_temperature"},
    ... )
    >>> warm = (truth + 3).assign_attrs(truth.attrs)
    >>> bool(abs(correct(warm, truth, group="time") - truth).max() < 1e-3)
    True
    """
    if kind not in KINDS:
        msg = f"kind={kind!r} is not known; pass one of {[*KINDS]}"
        raise ArgumentError(msg)
    if group not in GROUPS:
        msg = f"group={group!r} is not known; pass one of {list(GROUPS)}"
        raise ArgumentError(msg)
    count = whole_number(quantiles, "quantiles", least=2)
    fields = [model_field, reference, model_field if historical is None else historical]
    for what, each in zip(("model_field", "reference", "historical"), fields, strict=True):
        if hasattr(each, "data_vars"):
            msg = f"{what} is a Dataset of {[*map(str, each.data_vars)]}; pass one variable, as in dataset[name]."
            raise DimensionError(msg)
    axes = [find_axes(each, dims=_present(dims, each), need_time=True) for each in fields]
    for what, each, own in zip(("reference", "historical"), (reference, fields[2]), axes[1:], strict=True):
        check_same(
            quantity_of(each, own.time),
            quantity_of(model_field, axes[0].time),
            what=f"{what}=",
            whose="the model field measures",
        )
        _check_grid(what, each, own, model_field, axes[0])
    sim, ref, hist = (
        _ready(each, own, model_field.attrs.get("units"), axes[0])
        for each, own in zip(fields, axes, strict=True)
    )
    calendar = str(sim.time.dt.calendar)
    ref, hist = _on_calendar(ref, calendar), _on_calendar(hist, calendar)
    ref, hist = xr.align(ref, hist, join="inner")
    if not ref.sizes["time"]:
        msg = "reference= and the historical run have no time in common. Pass historical=, the model over that period."
        raise DimensionError(msg)
    rain = quantity_of(model_field, axes[0].time).precipitation
    method = _xsdba(kind).train(ref, hist, nquantiles=count, group=group, kind="*" if rain else "+")
    made = method.adjust(sim, interp="linear")
    line = f"correct(kind={kind!r}, group={group!r}, quantiles={count})"
    made = made.rename({"time": axes[0].time}).transpose(*model_field.dims)
    result = model_field.copy(data=made.data.astype(model_field.dtype))
    return result.assign_attrs(add_history(model_field.attrs, line))


def _xsdba(kind: str) -> Any:
    """The class of xsdba; raises an error if xsdba is not installed."""
    try:
        import xsdba
    except ImportError as cause:
        msg = "correct needs xsdba, which is not installed: pip install 'xdownscale-sr[correct]'"
        raise OptionalDependencyError(msg) from cause
    return getattr(xsdba, KINDS[kind])


def _ready(field: xr.DataArray, axes: Axes, units: Any, grid: Axes) -> xr.DataArray:
    """A field with the dimensions of the model field, time in one chunk, in its units."""
    field = checked(field, allow_missing=True)
    if units is not None and field.attrs.get("units"):
        field = to_units(field, str(units))
    renamed = {axes.time: "time", axes.y: grid.y, axes.x: grid.x}
    field = field.rename({own: name for own, name in renamed.items() if own != name})
    field = field.drop_vars([name for name in field.coords if name != "time"])
    if field.chunks is not None:
        field = field.chunk({"time": -1})
    return field.assign_attrs(units=str(units or "1"))


def _on_calendar(field: xr.DataArray, calendar: str) -> xr.DataArray:
    """A field on the calendar of another, without dates that do not exist there."""
    if field.time.dt.calendar == calendar:
        return field
    return field.convert_calendar(
        calendar, align_on="date", use_cftime=calendar not in ("standard", "proleptic_gregorian")
    )


def _check_grid(what: str, field: xr.DataArray, axes: Axes, wanted: xr.DataArray, grid: Axes) -> None:
    """Raise an error if the cells of a field differ from those of the model field."""
    for own, dim in zip(axes.spatial, grid.spatial, strict=True):
        labels = [
            numbers_of(each, name) if has_labels(each, name) else np.arange(float(each.sizes[name]))
            for each, name in ((field, own), (wanted, dim))
        ]
        same = labels[0].size == labels[1].size
        width = float(np.abs(np.diff(labels[1])).min()) if labels[1].size > 1 else 1.0
        if not same or np.abs(labels[0] - labels[1]).max(initial=0.0) > 0.1 * width:
            msg = (
                f"{what}= ({name_of(field)!r}) lies on other cells than the model field along {own!r}. Bring both to "
                f"one grid first: {what}.sr.coarsen(...), or {what}.interp({own}=model_field.{dim})."
            )
            raise DimensionError(msg)


def _present(dims: Mapping[str, str] | None, field: xr.DataArray) -> dict[str, str]:
    """The names passed by the user that exist in a field."""
    return {role: name for role, name in (dims or {}).items() if name in field.dims}
