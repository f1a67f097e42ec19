"""Values that cannot be right: nothing at all, markers of missing data, negative rain, infinities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.field.quantity import quantity_of

if TYPE_CHECKING:
    import xarray as xr

_SENTINELS: Final = (-99.0, -99.9, -999.0, -999.9, -9999.0, -32.0, -32768.0, -99999.0)
"""Numbers that files use for "missing" and that decoding left in place; -32 dBZ is a radar's "no echo"."""

_ROUNDING = 1e-6
"""Negative rain below this share of the largest value is rounding of packed data, not an error."""


def name_of(field: xr.DataArray) -> str:
    """What messages call a field."""
    return "field" if field.name is None else str(field.name)


def check_numbers(field: xr.DataArray) -> None:
    """Raise where a field holds anything but real numbers."""
    if field.dtype.kind not in "fiub":
        msg = f"the field holds {field.dtype} values, not real numbers. Convert it: field.astype(float)."
        raise ValueRangeError(msg)


def check_values(field: xr.DataArray, name: str = "field", *, allow_missing: bool = False) -> None:
    """Raise where values in memory cannot be right; a lazy field is not touched.

    Parameters
    ----------
    field : DataArray
        Any field.
    name : str
        What the messages call it.
    allow_missing : bool
        Whether a field without one valid value is accepted.

    Raises
    ------
    EmptyFieldError
        If there are no cells, or no valid value.
    ValueRangeError
        If there are infinities, markers of missing data, or negative rain.

    Examples
    --------
    >>> import xarray as xr
    >>> check_values(xr.DataArray([0.0, 1.5], dims="x", name="rain"))
    """
    if field.size == 0:
        msg = f"{name} is empty: its sizes are {dict(field.sizes)}. Check the selection that made it."
        raise EmptyFieldError(msg)
    if field.chunks is not None or field.dtype.kind not in "fiu":
        return
    values = field.values
    low, high = _range(values)
    if np.isnan(low) and allow_missing:
        return
    if np.isnan(low):
        msg = f"{name} has no valid value: all {field.size} are NaN. Check the file and the selection."
        raise EmptyFieldError(msg)
    if np.isinf(low) or np.isinf(high):
        msg = f"{name} holds infinite values. Make them missing: {name}.where(numpy.isfinite({name}))."
        raise ValueRangeError(msg)
    if low < 0:
        _check_negative(field, values, low, high, name)


def _range(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest valid value; NaN where there is none."""
    if values.dtype.kind in "iu":
        return float(values.min()), float(values.max())
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _check_negative(field: xr.DataArray, values: np.ndarray, low: float, high: float, name: str) -> None:
    """Tell markers of missing data and negative rain from honest negative numbers."""
    rain = quantity_of(field).precipitation
    marker = next((s for s in _SENTINELS if np.isclose(low, s)), None)
    if marker is not None and (rain or _is_reflectivity(field) or _stands_apart(values, low, high)):
        count = int(np.isclose(values, marker).sum())
        condition = f"{name} >= 0" if rain else f"{name} != {marker:g}"
        msg = (
            f"{name} holds {marker:g} {count} times, a marker of missing data. Use {name}.where({condition})."
        )
        raise ValueRangeError(msg)
    if rain and low < -_ROUNDING * max(high, 1.0):
        count = int((values < 0).sum())
        msg = (
            f"{name} is rain and has {count} negative values (lowest {low:g}). Use {name}.where({name} >= 0)."
        )
        raise ValueRangeError(msg)


def _is_reflectivity(field: xr.DataArray) -> bool:
    """Whether a field is in dBZ, whose range hides how far a marker stands from the rest."""
    return str(field.attrs.get("units", "")).lower() == "dbz"


def _stands_apart(values: np.ndarray, low: float, high: float) -> bool:
    """Whether the smallest value repeats, and stands further from the rest than the rest is wide."""
    rest = values[~np.isnan(values) & ~np.isclose(values, low)]
    repeated = values.size - rest.size > 1
    return repeated and rest.size > 0 and float(rest.min()) - low > max(high - float(rest.min()), 1.0)
