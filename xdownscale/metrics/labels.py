"""Metadata of a score: name, units, attributes, coordinates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.field.arguments import as_whole
from xdownscale.field.attrs import keeps_attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

_FACTOR = re.compile(r"(?P<symbol>[A-Za-zµ°_%]+)(?:\^|\*\*)?(?P<power>[+-]?\d+)?")
"""One factor of a unit in UDUNITS' plain form: ``mm``, ``h-1``, ``m^2``."""

_DIFFERENCE = dict.fromkeys(
    ("degC", "degree_C", "degrees_C", "degree_Celsius", "celsius", "Celsius", "°C"), "K"
)
"""A difference of two temperatures in degrees Celsius is in kelvin."""

_OF_VALUES = ("standard_name", "long_name", "units", "cell_methods", "cell_measures", "ancillary_variables")
"""Attributes of a field that do not apply to its scores; likewise those starting with ``valid_`` or ``flag_``."""


def difference_units(units: str | None) -> str | None:
    """Units of a difference of two values.

    Examples
    --------
    >>> difference_units("mm h-1"), difference_units("degC")
    ('mm h-1', 'K')
    """
    return None if units is None else _DIFFERENCE.get(units, units)


def squared_units(units: str | None) -> str | None:
    """Units of a squared difference.

    Examples
    --------
    >>> squared_units("mm h-1"), squared_units("mm/h"), squared_units("degC"), squared_units("1")
    ('mm2 h-2', '(mm/h)2', 'K2', '1')
    """
    units = difference_units(units)
    if units is None or units == "1":
        return units
    factors = [_FACTOR.fullmatch(part) for part in re.split(r"[\s.]+", units.strip())]
    if not all(factors):
        return f"({units})2"
    return " ".join(f"{f['symbol']}{2 * int(f['power'] or 1)}" for f in factors if f)


def units_of(field: xr.DataArray) -> str | None:
    """Read the units of a field, None if it has none."""
    units = field.attrs.get("units")
    return None if units is None else str(units)


def threshold_label(thresholds: float | Sequence[float], units: str | None) -> xr.DataArray:
    """Coordinate of thresholds in the units of the data.

    Raises
    ------
    ValueRangeError
        If there is none, or one is not a number.
    """
    attrs = {"long_name": "threshold"} | ({"units": units} if units else {})
    values = threshold_values(thresholds)
    return xr.DataArray(values, dims="threshold", name="threshold", attrs=attrs)


def threshold_values(thresholds: float | Sequence[float]) -> np.ndarray:
    """Thresholds as an array of numbers.

    Raises
    ------
    ValueRangeError
        If there is none, or one is not a number.
    """
    return real_numbers(thresholds, "thresholds", "[0.1, 1, 10]")


def real_numbers(values: float | Sequence[float], name: str, example: str) -> np.ndarray:
    """An argument that is one number or several.

    Raises
    ------
    ValueRangeError
        If there is none, or one is not a finite number.

    Examples
    --------
    >>> real_numbers(0.5, "levels", "[0.5, 0.9]")
    array([0.5])
    """
    try:
        found = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 1 or found.size == 0 or not np.isfinite(found).all():
        msg = f"{name} must be finite numbers, found {values!r}. Pass for example {name}={example}."
        raise ValueRangeError(msg)
    return found


def whole_numbers(values: int | Sequence[int], name: str, *, least: int = 1) -> list[int]:
    """An argument that is one whole number or several.

    Raises
    ------
    ValueRangeError
        If there is none, or one is not a whole number of at least `least`.

    Examples
    --------
    >>> whole_numbers((1, 5), "scales")
    [1, 5]
    """
    found = np.atleast_1d(np.asarray(values))
    if found.ndim != 1 or found.size == 0 or found.dtype.kind not in "iu" or found.min() < least:
        msg = (
            f"{name} must be whole numbers of at least {least}, found {values!r}. Pass for example "
            f"{name}=[{least}, 5]."
        )
        raise ValueRangeError(msg)
    return [int(value) for value in found]


def whole_number(value: int, name: str, *, least: int = 1) -> int:
    """An argument that is a whole number.

    Raises
    ------
    ValueRangeError
        If it is not a whole number of at least `least`.

    Examples
    --------
    >>> whole_number(10, "bins")
    10
    """
    number = as_whole(value, least=least)
    if number is None:
        msg = (
            f"{name} must be a whole number of at least {least}, found {value!r}. Pass for example "
            f"{name}={max(least, 2)}."
        )
        raise ValueRangeError(msg)
    return number


def along(label: xr.DataArray, parts: Sequence[xr.DataArray], *, keep: bool = True) -> xr.DataArray:
    """Scores joined along a new last dimension, which a single score has only if `keep`."""
    score = xr.concat(parts, label).transpose(..., label.name)
    return score if keep else score.isel({label.name: 0})


def dress(
    score: xr.DataArray,
    source: xr.DataArray,
    *,
    name: str,
    long_name: str,
    units: str | None,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Set the name and attributes of a score, and the coordinates of the field that still apply.

    Parameters
    ----------
    score : DataArray
        The values.
    source : DataArray
        The observations.
    name, long_name : str
        Variable name and title.
    units : str or None
        None omits the units, because those of the field are unknown.
    keep_attrs : bool, optional
        Whether to keep the attributes of `source` that do not describe its values; None follows
        ``xarray.set_options(keep_attrs=...)``, whose default keeps them.

    Returns
    -------
    DataArray
    """
    keeps = keeps_attrs(keep_attrs=keep_attrs)
    carried = {str(k): v for k, v in source.attrs.items() if _fits(str(k))} if keeps else {}
    stated = {"long_name": long_name} | ({} if units is None else {"units": units})
    coords = {
        label: coordinate
        for label, coordinate in source.coords.items()
        if set(coordinate.dims) <= set(score.dims) and label not in score.coords
    }
    score = score.assign_coords(coords).rename(name)
    score.attrs = carried | stated
    return score


def _fits(attribute: str) -> bool:
    """Whether an attribute of a field still applies to its scores."""
    return attribute not in _OF_VALUES and not attribute.startswith(("valid_", "flag_", "actual_range"))
