"""What a field measures, read once from its attributes: how time is merged, what it compares with, what has no mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from xdownscale.errors import TimeAxisError
from xdownscale.field import names as known
from xdownscale.field.attrs import last_method
from xdownscale.field.units import amount_in_a_step, dimension, step_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import xarray as xr

TIME_METHODS: Final = ("mean", "sum", "point")
"""Rates and states are means over their step, amounts are sums, snapshots are points."""

_STEP_TYPES: Final = {
    "accum": "sum",
    "diff": "sum",
    "avg": "mean",
    "avgua": "mean",
    "avgia": "mean",
    "avgd": "mean",
    "instant": "mean",
    "max": "max",
    "min": "min",
}
"""What GRIB's stepType means; values at an instant are states, whose mean over frames is asked for."""

_AMOUNTS, _RATES = ("amount", "energy amount"), ("rate", "energy rate")
_SIDEWAYS: Final = ("area", "x", "y", "lat", "lon", "latitude", "longitude")
_UNITS_OF_DEPTH: Final = (Fraction(1), Fraction(1, 100), Fraction(1, 1000), Fraction(254, 10_000))
"""Metres in a metre, centimetre, millimetre and inch."""


@dataclass(frozen=True)
class Quantity:
    """What a field measures, and how that is known.

    Attributes
    ----------
    name : str
        What messages call the field.
    units, standard_name : str or None
        As the attributes say; None where they say nothing that counts.
    subject : str or None
        What is measured, whatever the units: "precipitation" for all its names, else the CF name without "amount" and
        "flux". None where nothing tells.
    time : str
        "mean", "sum" or "point"; another cell method, such as "maximum"; "running" for totals since a start;
        "contradiction" where units and attributes disagree; "unknown" where rate or amount cannot be told.
    barred : str or None
        "class", "direction" or "total" (over a cell) for values that have no mean over cells.
    reason : str
        What decided `time`, for people.
    sure : bool
        Whether ``cell_methods`` or the user decided.
    """

    name: str
    units: str | None
    standard_name: str | None
    subject: str | None
    time: str
    barred: str | None
    reason: str
    sure: bool = False

    @property
    def precipitation(self) -> bool:
        """Whether it is precipitation at the surface: never negative, mostly zero."""
        return self.subject == known.PRECIPITATION

    @property
    def said(self) -> str | None:
        """The cell method in time, where it was said in so many words; a model keeps it."""
        return f"time: {self.time}" if self.sure and self.time in TIME_METHODS else None

    def __str__(self) -> str:
        """What it is, for a message: name, standard name and units."""
        said = self.standard_name or self.subject
        return f"{self.name!r} ({f'{said} ' if said else ''}in {self.units or 'no units'})"

    def told(self) -> str:
        """One line for people: what was understood, and why."""
        if self.barred:
            return f"{self.barred} (no mean over cells), by {self.reason}"
        ways = {"mean": "averaged", "sum": "added", "point": "sampled"}
        how = f"{ways[self.time]} over time" if self.time in ways else f"{self.time} over time, not merged"
        return f"{self.subject or 'quantity not named'}, {how}: {self.reason}"


def quantity_of(field: xr.DataArray, time: str | None = None) -> Quantity:
    """What a field measures.

    Parameters
    ----------
    field : DataArray
        Any field; its name and attributes are read, its values are not.
    time : str, optional
        Its time dimension, where that is known.

    Examples
    --------
    >>> import xarray as xr
    >>> total = xr.DataArray(0.0, name="tp", attrs={"units": "m", "GRIB_stepType": "accum"})
    >>> quantity_of(total).told()
    "precipitation, added over time: GRIB_stepType 'accum'"
    """
    found = read_quantity(field.name, field.attrs, time)
    if found.time == "contradiction" and _one_unit_a_step(field, found.units or ""):
        return replace(found, time="mean", reason=f"units {found.units!r} are a rate, of one unit in a step")
    return found


def _one_unit_a_step(field: xr.DataArray, units: str) -> bool:
    """Whether a rate and the amount of a step are the same number, as with daily sums in mm/day."""
    try:
        step = step_of(field)
    except TimeAxisError:
        return False
    return step is not None and amount_in_a_step(units, step) in _UNITS_OF_DEPTH


def read_quantity(name: Hashable, attrs: Mapping[str, Any], time: str | None = None) -> Quantity:
    """What a variable of this name, with these attributes, measures.

    ``cell_methods`` decides how time is merged, then ``GRIB_stepType``, then the standard name and the units together,
    then flag attributes, then the name of the variable, if a product is known to use it.

    Parameters
    ----------
    name : str or None
        Name of the variable.
    attrs : mapping
        Its attributes.
    time : str, optional
        Its time dimension.

    Examples
    --------
    >>> read_quantity("sd", {"units": "m", "standard_name": "lwe_thickness_of_surface_snow_amount"}).time
    'mean'
    """
    units = None if attrs.get("units") is None else str(attrs["units"])
    standard, modifier = _standard_name(attrs)
    labels = _labels(name, attrs)
    subject = _subject(standard, labels, units)
    barred, why = _barred(attrs, standard, modifier, labels, units)
    method, reason, sure = _in_time(attrs, standard, subject, labels, units, time)
    return Quantity(
        name="field" if name is None else str(name),
        units=units,
        standard_name=standard,
        subject=subject,
        time=method,
        barred=barred,
        reason=why if barred else reason,
        sure=sure,
    )


def _standard_name(attrs: Mapping[str, Any]) -> tuple[str | None, str]:
    """The CF standard name, under its present alias, and its modifier; None for words that are no name."""
    first, _, modifier = str(attrs.get("standard_name", "")).strip().partition(" ")
    if first.lower() in known.NO_NAMES or modifier not in known.MODIFIERS:
        return None, ""
    return first.replace("large_scale", "stratiform"), modifier


def _labels(name: Hashable, attrs: Mapping[str, Any]) -> list[str]:
    """Whole names that a product may have given, in small letters, the name of the variable first."""
    said = [
        name,
        *(
            attrs.get(key)
            for key in ("standard_name", "GRIB_shortName", "short_name", "long_name", "GRIB_name")
        ),
    ]
    return [re.sub(r"[\s-]+", "_", str(each).strip().lower()) for each in said if each is not None]


def _subject(standard: str | None, labels: list[str], units: str | None) -> str | None:
    """What is measured: by standard name, else by the name that a product gives to it."""
    if standard in known.PRECIPITATION_NAMES:
        return known.PRECIPITATION
    for label in labels:
        subject = known.SUBJECTS.get(label)
        if subject and (standard is None or label == standard) and _fits(subject, units):
            return _stem(subject)
    return None if standard is None else _stem(standard)


def _stem(name: str) -> str:
    """A standard name without what only tells rate, flux and amount apart."""
    bare = re.sub(r"^(lwe_)?(thickness_of_)?(?=.*_(amount|flux|rate|content_.*)$)", "", name)
    bare = re.sub(r"_(amount|flux|rate)$", "", bare)
    return bare.replace("water_evaporation", "water_evapotranspiration")


def _fits(subject: str, units: str | None) -> bool:
    """Whether units can be those of what a name promises."""
    if units is None:
        return True
    found = dimension(units)
    if subject == known.PRECIPITATION or subject in known.WATER_NAMES:
        return found in ("rate", "amount")
    if "wind" in subject.split("_"):
        return found == "rate"
    if "pressure" in subject.split("_"):
        return units.strip().lower() in known.PRESSURES
    return found == ("temperature" if "temperature" in subject.split("_") else "amount")


def _barred(
    attrs: Mapping[str, Any], standard: str | None, modifier: str, labels: list[str], units: str | None
) -> tuple[str | None, str]:
    """Which kind of value without a mean over cells this is, and by what that is known."""
    angle = units is None or units.strip().lower() in known.ANGLES
    words = (standard or "").split("_")
    if any(last_method(str(attrs.get("cell_methods", "")), dim) == "sum" for dim in _SIDEWAYS):
        return "total", "cell_methods 'area: sum'"
    if standard in known.CLASS_NAMES or words[-1] == "flag" or modifier == "status_flag":
        return "class", f"standard_name {attrs['standard_name']!r}"
    if {"direction", "azimuth"} & set(words) and angle:
        return "direction", f"standard_name {standard!r}"
    if words[-1] in ("area", "mass", "volume") and units in known.EXTENSIVE:
        return "total", f"standard_name {standard!r} in {units!r}"
    flags = next((key for key in ("flag_values", "flag_masks", "flag_meanings") if key in attrs), None)
    if flags or "code table" in str(units).lower():
        return "class", flags or f"units {units!r}"
    return (None, "") if standard else _barred_by_name(labels, units)


def _barred_by_name(labels: list[str], units: str | None) -> tuple[str | None, str]:
    """The same, by names that products use."""
    plain = "" if units is None else units.strip().lower()
    for label in labels:
        if label in known.DIRECTION_NAMES and plain in known.ANGLES:
            return "direction", f"the name {label!r} in {units!r}"
        if label in known.CODE_NAMES and plain in known.CODES:
            return "class", f"the name {label!r}"
        if label in known.COUNT_NAMES and plain in known.COUNTS:
            return "total", f"the name {label!r}"
    return None, ""


def _in_time(
    attrs: Mapping[str, Any],
    standard: str | None,
    subject: str | None,
    labels: list[str],
    units: str | None,
    time: str | None,
) -> tuple[str, str, bool]:
    """How values relate to their step, by what that is known, and whether that was said in so many words."""
    methods = str(attrs.get("cell_methods", ""))
    said = last_method(methods, time or "time") or last_method(methods, "time")
    found = dimension(units or "")
    if said is not None:
        clash = said == "sum" and found in _RATES
        return "contradiction" if clash else said, f"cell_methods 'time: {said}'", True
    running = next((label for label in labels if label in known.ACCUMULATED_NAMES), None)
    if (running and found in (*_AMOUNTS, None)) or _mixed(attrs):
        return "running", f"the name {running or labels[0]!r}", False
    step = _STEP_TYPES.get(str(attrs.get("GRIB_stepType")))
    if step is not None and not (step == "sum" and found in _RATES):
        return step, f"GRIB_stepType {attrs['GRIB_stepType']!r}", False
    return (*_by_name_and_units(attrs, standard, subject, labels, units), False)


def _mixed(attrs: Mapping[str, Any]) -> bool:
    """Whether a file of GRIB totals says that they begin at different times, as GFS does."""
    said = f"{attrs.get('Grib_Variable_Id', '')} {attrs.get('long_name', '')} {attrs.get('description', '')}".lower()
    return "mixed_intervals" in said or said.lstrip().startswith("accumulated total ")


def _by_name_and_units(
    attrs: Mapping[str, Any], standard: str | None, subject: str | None, labels: list[str], units: str | None
) -> tuple[str, str]:
    """How values relate to their step, by standard name or product name and the units together."""
    found, name = dimension(units or ""), standard or (labels[0] if labels else "")
    by = f"{'standard_name' if standard else 'the name'} {name!r} in {units or 'no units'!r}"
    if found in _RATES:
        return "mean", f"units {units!r} are a rate"
    per_step = name.startswith(known.PER_STEP_WORDS) or name in known.PER_STEP_NAMES
    flux = {"flux", "stress"} & set(name.split("_")) and found == "energy amount"
    if per_step or flux:
        return "sum", by
    moves = subject == known.PRECIPITATION or _moves(standard, labels)
    if moves and found == "amount":
        return "sum", by
    if moves and units is None:
        ends = {"amount": "sum", "flux": "mean", "rate": "mean"}
        return ends.get(name.rpartition("_")[2] if standard else "", "unknown"), by
    if subject is None and found in _AMOUNTS and _may_be_amount(attrs):
        return "unknown", f"nothing but the units {units!r}"
    return "mean", by if (standard or subject) else "nothing says that these are amounts"


def _moves(standard: str | None, labels: list[str]) -> bool:
    """Whether it is water that moves in a step: evaporation, runoff, melt."""
    if standard is not None:
        return standard in known.WATER_NAMES
    return any(known.SUBJECTS.get(label) in known.WATER_NAMES for label in labels)


def _may_be_amount(attrs: Mapping[str, Any]) -> bool:
    """Whether what describes a variable leaves open that it is an amount over a step; so does no description."""
    said = " ".join(str(attrs.get(key, "")) for key in ("standard_name", "long_name", "description"))
    words = set(re.findall(r"[a-z]+", said.lower().replace("_", " ")))
    return not words or bool(words & known.TELLING_WORDS)
