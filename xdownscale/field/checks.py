"""Values that cannot be right: nothing at all, markers of missing data, negative rain, infinities."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.field.numbers import check_numbers
from xdownscale.field.packing import Declared, declared, decoding, is_packed, unpacked
from xdownscale.field.quantity import quantity_of
from xdownscale.field.records import Record, record_of
from xdownscale.field.warn import warn_user

if TYPE_CHECKING:
    import xarray as xr

_SENTINELS: Final = (-32.0, -99.0, -99.9, -999.0, -999.9, -9999.0, -9999.9, -32767.0, -32768.0, -99999.0)
"""Numbers that files use for "missing" and that decoding left in place; -32 dBZ is a radar's "no echo"."""

_NEVER: Final = (1e20, -1e20, 9.999e20, -9.999e20)
"""What CMIP and GrADS write for "missing": no value of a quantity comes as near to them as rounding."""

_WHOLE: Final = {-(2**31), 1 - 2**31, 2**32 - 1, -(2**63), 2 - 2**63, 2**64 - 1, 2**64 - 2}
"""Default fill values of netCDF for whole numbers, and what NaN becomes as a whole number."""

_HUGE: Final = 1e30
"""No quantity is this large: fill values of netCDF (9.97e36), GDAL (3.4e38), CESM (1e36), and their sums and means."""

_NEAR: Final = 1e-6
"""A marker may have been rounded to single precision."""

_PLAIN: Final = 900.0
"""A marker of at least this size is one where it stands alone; smaller ones are where they repeat."""

_ROUNDING: Final = 1e-6
"""Negative rain below this share of the largest value is rounding of packed data, not an error."""

_ELSEWHERE: Final = 1000.0
"""What the largest rain of a lazy field may be: a block of it does not tell."""


def name_of(field: xr.DataArray) -> str:
    """What messages call a field."""
    return "field" if field.name is None else str(field.name)


def checked(
    field: xr.DataArray, name: str | None = None, *, allow_missing: bool = False, forecast: bool = False
) -> xr.DataArray:
    """A field whose values may be computed with: real numbers, unpacked, without markers of missing data.

    Values in memory are looked at at once. Those of a lazy field are when they are computed, block by block, with
    nothing read twice; a whole field without a valid value is not found in it.

    Parameters
    ----------
    field : DataArray
        Any field; not modified.
    name : str, optional
        What the messages call it, an expression; its own name by default.
    allow_missing : bool
        Whether a field without one valid value is accepted.
    forecast : bool
        Whether values may be wrong, as those of a forecast may that is to be scored: infinite, or negative rain.

    Returns
    -------
    DataArray
        Without attributes of packing, fill values and valid ranges. Packed whole numbers are unpacked.

    Raises
    ------
    EmptyFieldError
        If there are no cells, or no valid value.
    ValueRangeError
        If there are no real numbers, or infinities, markers of missing data, values beyond the valid range, or
        negative rain among them. For lazy fields when they are computed.

    Warns
    -----
    UserWarning
        Where there is more rain than was ever measured, so that the units must be others.

    Examples
    --------
    >>> import xarray as xr
    >>> checked(xr.DataArray([0.0, 1.5], dims="x", name="rain", attrs={"_FillValue": -1.0})).attrs
    {}
    """
    called = name or _variable_name(field)
    check_numbers(field, called)
    if field.size == 0:
        msg = f"{called} is empty: its sizes are {dict(field.sizes)}. Check the selection that made it."
        raise EmptyFieldError(msg)
    if is_packed(field):
        field = unpacked(_passed(field, _Rules.of(field, called), allow_missing=True), called)
    rules = _Rules.of(field, called, forecast=forecast)
    return unpacked(_passed(field, rules, allow_missing=allow_missing), called)


def _passed(field: xr.DataArray, rules: _Rules, *, allow_missing: bool) -> xr.DataArray:
    """A field whose values have been looked at, or will be where it is lazy."""
    if field.chunks is not None:
        return field.copy(data=_in_graph(field.data, rules))
    if not rules.hold(field.values) and not allow_missing:
        msg = (
            f"{rules.called} has no valid value: all {field.size} are NaN. Check the file and the selection."
        )
        raise EmptyFieldError(msg)
    return field


def _variable_name(field: xr.DataArray) -> str:
    """The name of a field where it can stand in a line of Python."""
    name = name_of(field)
    return name if name.isidentifier() and not keyword.iskeyword(name) else "field"


def _in_graph(values: Any, rules: _Rules) -> Any:
    """A dask array whose blocks are looked at as they are computed."""
    import dask.array

    return dask.array.map_blocks(  # type: ignore[no-untyped-call]
        _looked_at,
        values,
        rules,
        dtype=values.dtype,
        meta=values._meta,  # noqa: SLF001  what dask itself passes on
    )


def _looked_at(block: np.ndarray, rules: _Rules) -> np.ndarray:
    """The block itself, if its values can be right."""
    rules.hold(block)
    return block


@dataclass(frozen=True)
class _Rules:
    """What is wrong in the values of a field, which need not be there any more.

    Attributes
    ----------
    called : str
        What the messages call it.
    rain, echoes, packed, forecast : bool
        Whether it is precipitation, reflectivity in dBZ, packed, a forecast.
    declared : Declared
        What its attributes say.
    largest : float
        The largest rain is at least this, wherever it stands.
    record : Record or None
        The most rain that can be.
    said : list of float
        The value that was warned of: one warning is enough for all blocks.
    """

    called: str
    rain: bool
    echoes: bool
    packed: bool
    forecast: bool
    declared: Declared
    largest: float
    record: Record | None
    said: list[float]

    @classmethod
    def of(cls, field: xr.DataArray, called: str, *, forecast: bool = False) -> _Rules:
        """The rules for a field, from its attributes."""
        packed = is_packed(field)  # the numbers are then not yet of the quantity
        quantity = quantity_of(field)
        return cls(
            called,
            rain=quantity.precipitation and not packed,
            # the range of dBZ hides how far a marker stands from the rest
            echoes=str(field.attrs.get("units", "")).lower() == "dbz" and not packed,
            packed=packed,
            forecast=forecast,
            declared=declared(field),
            largest=1.0 if field.chunks is None else _ELSEWHERE,
            record=None if packed else record_of(field, quantity),
            said=[],
        )

    def hold(self, values: np.ndarray) -> bool:
        """Whether there is a valid value; raises where one cannot be right."""
        if values.size == 0 or values.dtype.kind == "b":
            return values.size > 0
        low, high = _range(values)
        if np.isnan(low):
            return False
        if np.isinf(low) or np.isinf(high):
            if self.forecast:
                return self.hold(values[np.isfinite(values)])
            msg = (
                f"there are infinite values in {self.called}. Make them missing: "
                f"{self.called}.where(numpy.isfinite({self.called}))."
            )
            raise ValueRangeError(msg)
        self._check_declared(values, low, high)
        self._check_impossible(values, low, high)
        self._check_negative(values, low, high)
        self._check_bounds(float(low), float(high))
        if self.record is not None and float(high) > self.record.most and not self.said:
            self.said.append(float(high))
            warn_user(self.record.broken(self.called, float(high)))
        return True

    def _check_declared(self, values: np.ndarray, low: Any, high: Any) -> None:
        """Find fill values that an attribute names."""
        for attr, fill in self.declared.fills:
            slack = _NEAR * abs(float(fill))
            if float(low) - slack <= fill <= float(high) + slack:
                found = values[_equal(values, fill)]
                if found.size:
                    raise ValueRangeError(
                        self._marker(found, f"whose attribute {attr} declares it to be missing")
                    )

    def _check_impossible(self, values: np.ndarray, low: Any, high: Any) -> None:
        """Find numbers that no quantity has."""
        for extreme in (low, high):
            if _is_marker(extreme):
                raise ValueRangeError(self._marker(values[values == extreme], "a marker of missing data"))
        largest = low if -float(low) > float(high) else high
        if abs(float(largest)) >= _HUGE:
            msg = (
                f"{self.called} contains {_literal(largest)}: a marker of missing data, or a value computed from one. "
                f"Use {self.called}.where(abs({self.called}) < {_HUGE:g})."
            )
            raise ValueRangeError(msg)

    def _check_negative(self, values: np.ndarray, low: Any, high: Any) -> None:
        """Tell markers of missing data and negative rain from honest negative numbers."""
        if low >= 0:
            return
        marker = any(np.isclose(float(low), each) for each in _SENTINELS)
        if marker and (self.rain or self.echoes or _stands_apart(values, low, high)):
            raise ValueRangeError(self._marker(values[values == low], "a marker of missing data"))
        if self.rain and not self.forecast and low < -_ROUNDING * max(high, self.largest):
            count = int((values < 0).sum())
            msg = (
                f"there are {count} negative values (lowest {low:g}) in {self.called}, which is rain. "
                f"Use {self.called}.where({self.called} >= 0)."
            )
            raise ValueRangeError(msg)

    def _check_bounds(self, low: float, high: float) -> None:
        """Find values beyond the valid range, but for rounding."""
        least, most = self.declared.low, self.declared.high
        slack = _ROUNDING * max(1.0, *(abs(bound) for bound in (least, most) if np.isfinite(bound)), 0.0)
        if low >= least - slack and high <= most + slack:
            return
        inside = [f"({self.called} >= {least:.9g})"] * bool(np.isfinite(least))
        inside += [f"({self.called} <= {most:.9g})"] * bool(np.isfinite(most))
        msg = (
            f"{self.called} has values from {low:g} to {high:g}, but its attributes give the valid range {least:g} "
            f"to {most:g}. Use {self._call(' & '.join(inside))}, or delete the attribute if it is wrong."
        )
        raise ValueRangeError(msg)

    def _marker(self, found: np.ndarray, what: str) -> str:
        """Say which marker was found, how often, and the call that makes it missing."""
        value = _literal(found[0])
        condition = f"{self.called} >= 0" if self.rain and found[0] < 0 else f"{self.called} != {value}"
        call = self._call(condition)
        return f"{value} stands {found.size} times in {self.called}, {what}. Use {call}."

    def _call(self, condition: str) -> str:
        """The call that makes the values missing where a condition does not hold."""
        call = f"{self.called}.where({condition})"
        return decoding(call) if self.packed else call


def _is_marker(value: Any) -> bool:
    """Whether a value means "missing" beside whatever others; those of whole numbers are exact."""
    number = value.item()
    return number in _WHOLE or any(np.isclose(float(number), each, rtol=_NEAR, atol=0) for each in _NEVER)


def _literal(value: Any) -> str:
    """The shortest text that is this value in its own precision."""
    short = f"{value:g}"
    return short if value.dtype.kind == "f" and value.dtype.type(short) == value else str(value)


def _range(values: np.ndarray) -> tuple[Any, Any]:
    """Smallest and largest valid value; NaN where there is none."""
    if values.dtype.kind in "iu":
        return values.min(), values.max()
    return np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)


def _equal(values: np.ndarray, fill: float) -> np.ndarray:
    """Where a fill value stands, in the precision of the values or of single numbers."""
    if values.dtype.kind in "iu":
        return np.asarray(values == fill)
    with np.errstate(over="ignore"):
        same = values.dtype.type(fill)
    return np.asarray(np.isclose(values, same, rtol=_NEAR, atol=0))


def _stands_apart(values: np.ndarray, low: Any, high: Any) -> bool:
    """Whether the smallest value stands further from the rest than the rest is wide, and repeats if it is small."""
    rest = values[~np.isnan(values) & ~np.isclose(values, low)]
    repeated = values.size - rest.size > 1
    if rest.size == 0:
        return bool(low <= -_PLAIN)
    gap = float(rest.min()) - float(low)
    return bool(repeated or low <= -_PLAIN) and gap > max(float(high) - float(rest.min()), 1.0)
