"""The most rain that was ever measured, by the length of a step: larger values are in other units than the field says.

The envelope of the world's records is 491 mm times the hours to the power of 0.452 (World Meteorological Organization,
Manual on Estimation of Probable Maximum Precipitation, WMO-No. 1045, 2009): 77 mm in a minute, 491 mm in an hour, 2.1 m
in a day. It is for a point; the mean over a cell is less.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from xdownscale.errors import XDownscaleError
from xdownscale.field.units import step_of
from xdownscale.field.water import metres_of_water

if TYPE_CHECKING:
    import xarray as xr

    from xdownscale.field.quantity import Quantity

_HOUR, _POWER = 491.0, 0.452
"""Millimetres in an hour, and the power of the duration."""

_SHORTEST: Final = 1 / 60
"""Hours of the shortest record, for rates whose step is shorter or unknown."""

_LIKELY: Final = {False: ("mm", "0.1 mm", "0.01 mm"), True: ("mm h-1", "mm day-1", "0.01 mm h-1")}
"""Units of amounts, and of rates, in which the values may be instead; the first that fits is named."""


@dataclass(frozen=True)
class Record:
    """The most that a field of rain can hold.

    Attributes
    ----------
    units : str
        Of the field.
    hours : float
        Length of a step.
    """

    units: str
    hours: float

    @property
    def most(self) -> float:
        """In the units of the field."""
        return self._in(self.units)

    def _in(self, units: str) -> float:
        """The record in units of the same kind, amounts of a step or rates."""
        metres, rate = metres_of_water(units) or (1, False)
        depth = _HOUR * self.hours**_POWER / 1000
        return float(depth / (self.hours * 3600 if rate else 1) / float(metres))

    def broken(self, called: str, value: float) -> str:
        """What to say of a value above the record.

        Parameters
        ----------
        called : str
            What messages call the field.
        value : float
            Its largest value.
        """
        rate = (metres_of_water(self.units) or (1, False))[1]
        likely = _LIKELY[rate]
        units = next((each for each in likely if value <= self._in(each)), likely[-1])
        record = self._in("mm") / self.hours
        hourly = value / self.most * record
        return (
            f"{called} holds {value:.4g} {self.units}, which is {hourly:.4g} mm/h over {_length(self.hours)}; the most "
            f"that was ever measured is {record:.3g} mm/h. If the values are in other units, state them: {called} = "
            f"{called}.assign_attrs(units={units!r})."
        )


def record_of(field: xr.DataArray, quantity: Quantity) -> Record | None:
    """The record for a field; None for anything but rain, and where units or, for amounts, the step are unknown.

    Parameters
    ----------
    field : DataArray
        Its coordinates and attributes are read, its values are not.
    quantity : Quantity
        What it measures. Snapshots and extremes of rates are held against the shortest record.
    """
    water = metres_of_water(quantity.units or "")
    if (
        water is None
        or not quantity.precipitation
        or quantity.time in ("running", "contradiction", "unknown")
    ):
        return None
    hours = _hours(field) if quantity.time in ("mean", "sum") else None
    if hours is None and not water[1]:
        return None
    return Record(str(quantity.units), max(hours or 0.0, _SHORTEST))


def _hours(field: xr.DataArray) -> float | None:
    """Length of a step; None where it is not known, of which others tell the user."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step = step_of(field)
    except XDownscaleError:
        return None
    return None if step is None else float(step / np.timedelta64(1, "h"))


def _length(hours: float) -> str:
    """A length of time in the largest unit of which it is one or more."""
    for name, size in (("day", 24.0), ("h", 1.0), ("min", 1 / 60)):
        if hours >= size or math.isclose(hours, size):
            return f"{hours / size:g} {name}"
    return f"{hours * 3600:g} s"
