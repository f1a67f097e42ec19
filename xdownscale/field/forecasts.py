"""Forecasts with two times, that of their start and the lead: the one that steps are counted along is the lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xdownscale.field.labels import holds_times

if TYPE_CHECKING:
    import xarray as xr

_LEADS: Final = (
    "step",
    "lead_time",
    "leadtime",
    "lead",
    "prediction_timedelta",
    "forecast_period",
    "forecast_hour",
)
"""Names of the lead time in files whose coordinates say nothing else, as cfgrib, WeatherBench and NMME write them."""


def lead_dim(field: xr.DataArray) -> str | None:
    """The dimension of lead times beside one of start times; None where a field has not both.

    Fields that follow each other along the lead follow each other in time; along the starts they do not, they overlap.
    One lead alone is no axis: then the times of the field are those of its starts.

    Parameters
    ----------
    field : DataArray
        Any field.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> starts = np.array(["2020-01-01", "2020-01-02"], "M8[ns]")
    >>> lead_dim(xr.DataArray(np.zeros((2, 3)), dims=("time", "step"), coords={"time": starts}))
    'step'
    """
    labelled = [str(dim) for dim in field.dims if dim in field.coords]
    if not any(holds_times(field.coords[dim]) or _named(field, dim, "reference_time") for dim in labelled):
        return None
    leads = [str(dim) for dim in field.dims if field.sizes[dim] > 1 and _is_lead(field, str(dim))]
    return leads[0] if leads else None


def _is_lead(field: xr.DataArray, dim: str) -> bool:
    """Whether a dimension counts lead times: by standard name, by the kind of its labels, or by its name."""
    if dim in field.coords and (field.coords[dim].dtype.kind == "m" or _named(field, dim, "forecast_period")):
        return True
    return dim.lower() in _LEADS and not (dim in field.coords and holds_times(field.coords[dim]))


def _named(field: xr.DataArray, dim: str, ending: str) -> bool:
    """Whether the standard name of a label ends in some words."""
    return str(field.coords[dim].attrs.get("standard_name", "")).endswith(ending)
