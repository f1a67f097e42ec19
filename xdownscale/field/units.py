"""Units of water and temperature: rates, fluxes, amounts per step, kelvin and degrees Celsius."""

from __future__ import annotations

import re
import tokenize
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from xdownscale.errors import UnitsError
from xdownscale.field.attrs import result_attrs
from xdownscale.field.forecasts import lead_dim
from xdownscale.field.gaps import step_beside_gaps
from xdownscale.field.labels import holds_times
from xdownscale.field.times import as_timedelta
from xdownscale.field.water import metres_of_water

if TYPE_CHECKING:
    import xarray as xr

_TEMPERATURES: Final = {
    **dict.fromkeys(("k", "kelvin", "degk", "degkelvin"), (1.0, 0.0)),
    **dict.fromkeys(("c", "celsius", "degc", "degcelsius", "℃"), (1.0, 273.15)),
    **dict.fromkeys(("f", "fahrenheit", "degf", "degfahrenheit", "℉"), (5 / 9, 459.67 * 5 / 9)),
}
"""Scale and offset to kelvin."""

_KNOWN = "mm h-1, mm day-1, kg m-2 s-1, m s-1, inch h-1, mm, m, kg m-2, K, degC, degF"


def to_units(field: xr.DataArray, units: str, *, step: np.timedelta64 | None = None) -> xr.DataArray:
    """A field in other units; lazy for lazy input.

    Parameters
    ----------
    field : DataArray
        A field with ``attrs["units"]``.
    units : str
        Units wanted. Rates and fluxes of water convert into one another, and into amounts per step with
        `step`; temperatures into one another; anything else of the same dimension where pint is installed.
    step : timedelta64, optional
        Length of a time step, for amounts; read from the time coordinate where it is not given. Beside gaps an amount
        still belongs to a step of the usual length.

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
        msg = f'the field has no units, but {units!r} is needed. Set field.attrs["units"], for example to "mm h-1".'
        raise UnitsError(msg)
    if _same(str(present), units):
        return field
    if step is None and _needs_step(str(present), units):
        step = step_of(field)
    scale, offset = unit_scale(str(present), units, step=step)
    converted: xr.DataArray = field.astype(np.result_type(field.dtype, np.float32), copy=False) * scale
    if offset:
        converted = converted + offset
    methods = _new_methods(field, str(present), units)
    converted.attrs = {**result_attrs(field, cell_methods=methods, keep_attrs=True), "units": units}
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
    warm, wanted = _kelvin(from_units), _kelvin(to_units)
    if warm and wanted:
        return (warm[0] / wanted[0], (warm[1] - wanted[1]) / wanted[0])
    source, target = metres_of_water(from_units), metres_of_water(to_units)
    if source is None or target is None:
        return _scale_by_pint(from_units, to_units)
    scale = source[0] / target[0]
    if source[1] != target[1]:
        if step is None:
            msg = (
                f"{from_units!r} to {to_units!r} needs the length of a time step. Use two steps or more, or set it: "
                f"field['time'].attrs['cell_width'] = '300 s', or step=numpy.timedelta64(5, 'm')."
            )
            raise UnitsError(msg)
        seconds = Fraction(int(step / np.timedelta64(1, "ns")), 10**9)
        scale = scale / seconds if target[1] else scale * seconds
    return (float(scale), 0.0)


def dimension(units: str) -> str | None:
    """What units measure, as far as it matters to how time is merged.

    Returns
    -------
    str or None
        "rate" or "amount" of water (lengths and speeds among them), "energy rate" or "energy amount" over an area,
        "temperature"; None for anything else.

    Examples
    --------
    >>> dimension("kg m-2 s-1"), dimension("m"), dimension("J m**-2"), dimension("1")
    ('rate', 'amount', 'energy amount', None)
    """
    water = metres_of_water(units)
    if water is not None:
        return "rate" if water[1] else "amount"
    plain = re.sub(r"\*\*|[\s.^*·]", "", units.lower()).replace("/m2", "m-2")
    if re.fullmatch(r"[kmg]?jm-2|nm-2s|[kmg]?wm-2[sh]", plain):
        return "energy amount"
    if re.fullmatch(r"[kmg]?wm-2|nm-2", plain):
        return "energy rate"
    return "temperature" if _kelvin(units) else None


def _needs_step(present: str, wanted: str) -> bool:
    """Whether one of two units of water is an amount and the other a rate."""
    source, target = metres_of_water(present), metres_of_water(wanted)
    return source is not None and target is not None and source[1] != target[1]


def _new_methods(field: xr.DataArray, present: str, wanted: str) -> str | None:
    """The cell method of converted values where an amount became a rate, or a rate an amount."""
    if not _needs_step(present, wanted):
        return None
    return f"{_time_of(field) or 'time'}: {'mean' if dimension(wanted) == 'rate' else 'sum'}"


def amount_in_a_step(units: str, step: np.timedelta64) -> Fraction | None:
    """Metres of water that a rate of one unit brings in a step; None for units of anything but a rate.

    Parameters
    ----------
    units : str
        Units of a rate of water.
    step : timedelta64
        Length of the step.

    Examples
    --------
    >>> amount_in_a_step("mm day-1", np.timedelta64(1, "D"))
    Fraction(1, 1000)
    """
    water = metres_of_water(units)
    if water is None or not water[1]:
        return None
    return water[0] * Fraction(int(step / np.timedelta64(1, "ns")), 10**9)


def step_of(field: xr.DataArray) -> np.timedelta64 | None:
    """Length of a step of the field's time axis, gaps aside; None where it has none.

    Parameters
    ----------
    field : DataArray
        Only its coordinates are read.
    """
    dim = _time_of(field)
    ticks = None if dim is None else step_beside_gaps(field, dim)
    return None if ticks is None or dim is None else as_timedelta(ticks, field.coords[dim].values)


def _time_of(field: xr.DataArray) -> str | None:
    """The dimension whose coordinate holds times; of a forecast that of the lead."""
    times = (str(d) for d in field.dims if d in field.coords and holds_times(field[d]))
    return lead_dim(field) or next(times, None)


def _scale_by_pint(from_units: str, to_units: str) -> tuple[float, float]:
    """Scale and offset of any other conversion, where pint is installed and the dimensions agree."""
    cannot = f"cannot convert {from_units!r} to {to_units!r}"
    try:
        import pint
        from cf_xarray.units import units as registry
    except ImportError as cause:
        msg = f"{cannot}. Known: {_KNOWN}. For others install pint, or convert the field beforehand."
        raise UnitsError(msg) from cause
    try:
        values = [registry.Quantity(value, from_units).to(to_units).magnitude for value in (0.0, 1.0, 2.0)]
    except (
        pint.PintError,
        tokenize.TokenError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        TypeError,
        ValueError,
    ) as cause:
        msg = f"{cannot}: {str(cause) or 'not understood'}. Convert the field beforehand."
        raise UnitsError(msg) from cause
    offset, scale = values[0], values[1] - values[0]
    if not np.isclose(values[2] - values[1], scale, rtol=1e-9):
        msg = f"{cannot} by a factor: the scale is not linear. Convert the field beforehand."
        raise UnitsError(msg)
    return (float(scale), float(offset))


def _kelvin(units: str) -> tuple[float, float] | None:
    """Scale and offset to kelvin; None for anything but temperatures."""
    return _TEMPERATURES.get(re.sub(r"degrees?|°", "deg", re.sub(r"[\s_.]", "", units.lower())))


def _same(first: str, second: str) -> bool:
    """Whether two spellings mean the same."""
    if first.split() == second.split():
        return True
    water, warm = metres_of_water(first), _kelvin(first)
    return (water is not None and water == metres_of_water(second)) or (
        warm is not None and warm == _kelvin(second)
    )
