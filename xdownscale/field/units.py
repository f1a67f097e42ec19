"""Units of water and temperature: rates, fluxes, amounts per step, kelvin and degrees Celsius."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from xdownscale.errors import UnitsError
from xdownscale.field.axes import find_axes
from xdownscale.field.provenance import result_attrs

if TYPE_CHECKING:
    import xarray as xr

_WATER_DENSITY = 1000
"""kg m-3; so 1 kg m-2 of water stands 1 mm deep."""

_LENGTHS: Final = {
    "m": Fraction(1),
    "cm": Fraction(1, 100),
    "mm": Fraction(1, 1000),
    "um": Fraction(1, 10**6),
}
_LENGTHS_LONG: Final = {
    "metre": "m",
    "meter": "m",
    "metres": "m",
    "meters": "m",
    "millimetre": "mm",
    "millimeter": "mm",
}
_SECONDS: Final = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
}
_TEMPERATURES: Final = {
    **dict.fromkeys(("k", "kelvin", "degk"), (1.0, 0.0)),
    **dict.fromkeys(("degc", "c", "celsius", "degree_celsius", "degrees_celsius", "°c"), (1.0, 273.15)),
    **dict.fromkeys(("degf", "fahrenheit", "degree_fahrenheit", "°f"), (5 / 9, 459.67 * 5 / 9)),
}
"""Scale and offset to kelvin."""

_KNOWN = "mm h-1, mm day-1, kg m-2 s-1, m s-1, mm, m, kg m-2, K, degC"


def to_units(field: xr.DataArray, units: str, *, step: np.timedelta64 | None = None) -> xr.DataArray:
    """A field in other units; lazy for lazy input.

    Parameters
    ----------
    field : DataArray
        A field with ``attrs["units"]``.
    units : str
        Units wanted. Rates and fluxes of water convert into one another, and into amounts per step with
        `step`.
    step : timedelta64, optional
        Length of a time step, for amounts; read from the time coordinate where it is not given.

    Returns
    -------
    DataArray
        New values and a new ``units`` attribute; the field itself where the units agree already.

    Raises
    ------
    UnitsError
        If the field has no units, or units of another dimension.

    Examples
    --------
    >>> import xarray as xr
    >>> rain = xr.DataArray([1.0], dims="x", attrs={"units": "kg m-2 s-1"})
    >>> float(to_units(rain, "mm h-1")[0])
    3600.0
    """
    present = field.attrs.get("units")
    if present is None:
        msg = f'the field has no units, wanted {units!r}. Set field.attrs["units"], for example to "mm h-1".'
        raise UnitsError(msg)
    if _same(str(present), units):
        return field
    if step is None and is_amount(str(present)) != is_amount(units):
        step = _step_of(field)
    scale, offset = unit_scale(str(present), units, step=step)
    converted: xr.DataArray = field.astype(np.result_type(field.dtype, np.float32), copy=False) * scale
    if offset:
        converted = converted + offset
    converted.attrs = {**result_attrs(field, keep_attrs=True), "units": units}
    return converted.drop_encoding()


def unit_scale(from_units: str, to_units: str, *, step: np.timedelta64 | None = None) -> tuple[float, float]:
    """Scale and offset of a conversion: ``new = scale · old + offset``.

    Parameters
    ----------
    from_units, to_units : str
        Units as in CF attributes.
    step : timedelta64, optional
        Length of a time step; needed between an amount per step and a rate.

    Raises
    ------
    UnitsError
        If units are unknown, of different dimensions, or need a `step`.

    Examples
    --------
    >>> unit_scale("mm day-1", "mm h-1")[0] * 24
    1.0
    >>> unit_scale("degC", "K")
    (1.0, 273.15)
    """
    if _same(from_units, to_units):
        return (1.0, 0.0)
    warm, wanted = _TEMPERATURES.get(_clean(from_units)), _TEMPERATURES.get(_clean(to_units))
    if warm and wanted:
        return (warm[0] / wanted[0], (warm[1] - wanted[1]) / wanted[0])
    source, target = _water(from_units), _water(to_units)
    if source is None or target is None:
        msg = f"cannot convert {from_units!r} to {to_units!r}. Known: {_KNOWN}. Convert the field beforehand."
        raise UnitsError(msg)
    scale = source[0] / target[0]
    if source[1] != target[1]:
        if step is None:
            msg = f"{from_units!r} to {to_units!r} needs a time step. Pass step=numpy.timedelta64(5, 'm')."
            raise UnitsError(msg)
        seconds = Fraction(int(step / np.timedelta64(1, "ns")), 10**9)
        scale = scale / seconds if target[1] else scale * seconds
    return (float(scale), 0.0)


def is_amount(units: str) -> bool:
    """Whether units are an amount of water per step, such as ``mm`` or ``kg m-2``.

    Examples
    --------
    >>> is_amount("mm"), is_amount("mm h-1")
    (True, False)
    """
    water = _water(units)
    return water is not None and not water[1]


def is_rate(units: str) -> bool:
    """Whether units are a rate or flux of water, such as ``mm h-1`` or ``kg m-2 s-1``.

    Examples
    --------
    >>> is_rate("kg m-2 s-1"), is_rate("mm")
    (True, False)
    """
    water = _water(units)
    return water is not None and water[1]


def _water(units: str) -> tuple[Fraction, bool] | None:
    """Metres of water (per second, where the flag is set) that one unit stands for; None for other units."""
    powers: dict[str, int] = {}
    for sign, name, exponent in re.findall(r"(/?)\s*([a-zµ]+)(?:\^|\*\*)?(-?\d+)?", _clean(units)):
        short = _LENGTHS_LONG.get(name, name).replace("µ", "u")
        powers[short] = powers.get(short, 0) + int(exponent or 1) * (-1 if sign else 1)
    scale, mass = Fraction(1), powers.pop("kg", 0)
    if mass:
        if mass != 1 or powers.pop("m", 0) != -2:
            return None
        scale /= _WATER_DENSITY
    else:
        length = next((name for name in powers if name in _LENGTHS), None)
        if length is None or powers.pop(length) != 1:
            return None
        scale *= _LENGTHS[length]
    if not powers:
        return scale, False
    (time, exponent), *others = powers.items()
    if others or time not in _SECONDS or exponent != -1:
        return None
    return scale / _SECONDS[time], True


def _step_of(field: xr.DataArray) -> np.timedelta64 | None:
    """Time step of a field, where it has one."""
    from xdownscale.field.grid import describe

    return describe(field, find_axes(field)).step


def _clean(units: str) -> str:
    """Units in small letters, with single spaces."""
    return " ".join(units.lower().replace(".", " ").replace("·", " ").split())


def _same(first: str, second: str) -> bool:
    """Whether two spellings mean the same."""
    if _clean(first) == _clean(second):
        return True
    water = _water(first)
    warm = _TEMPERATURES.get(_clean(first))
    return (water is not None and water == _water(second)) or (
        warm is not None and warm == _TEMPERATURES.get(_clean(second))
    )
