"""Reasons why labels of two fields do not match, and the call that fixes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.field.labels import holds_times
from xdownscale.field.times import to_ticks

if TYPE_CHECKING:
    import xarray as xr

_CIVIL = {"standard", "gregorian", "proleptic_gregorian"}
"""Calendars that agree with datetime64 since 1582."""

_UNITS = {
    1e3: "in kilometres, not metres",
    1e-3: "in metres, not kilometres",
    180 / np.pi: "in radians, not degrees",
    np.pi / 180: "in degrees, not radians",
}
"""Units of labels by the number by which they must be multiplied."""

_OFFSET = 0.01
"""Share of the spacing above which labels are shifted instead of equal."""


@dataclass(frozen=True)
class Labels:
    """Labels of observations and of another field along one dimension.

    Attributes
    ----------
    dim, name : str
        The dimension, and the name of the other field in messages.
    ours, theirs : DataArray
        The coordinates.
    """

    dim: str
    name: str
    ours: xr.DataArray
    theirs: xr.DataArray

    def numbers(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Both as comparable numbers, times in seconds; None for labels of different or other kinds."""
        both = (self.ours, self.theirs)
        if all(labels.dtype.kind in "iuf" for labels in both):
            ours, theirs = (np.asarray(labels.values, dtype=np.float64) for labels in both)
            return ours, theirs
        if not all(holds_times(labels) for labels in both) or len(set(self.calendars())) > 1:
            return None
        ours, theirs = (_microseconds(labels.values) for labels in both)
        return (ours - ours[0]) / 1e6, (theirs - ours[0]) / 1e6

    def calendars(self) -> tuple[str, str]:
        """Calendars of both, with one name for those that agree with datetime64."""
        return _calendar(self.ours), _calendar(self.theirs)

    def explain(self) -> str:
        """Describe how labels differ and what to do."""
        times = [holds_times(labels) for labels in (self.ours, self.theirs)]
        if times[0] is not times[1]:
            return (
                self._of_undecoded(self.ours, "observations", self.name)
                if times[1]
                else self._of_undecoded(self.theirs, self.name, "observations")
            )
        if times[0] and (len(set(self.calendars())) > 1 or self.ours.dtype.kind != self.theirs.dtype.kind):
            return self._of_calendars()
        for labels, name in ((self.ours, "observations"), (self.theirs, self.name)):
            if not labels.to_index().is_unique:
                return f'labels of the {name} repeat. Keep the first: {name}.drop_duplicates("{self.dim}").'
        numbers = self.numbers()
        found = None if numbers is None else self._of_numbers(*numbers)
        return found or self._of_shared(numbers)

    def _of_undecoded(self, labels: xr.DataArray, name: str, other: str) -> str:
        """One has times, the other does not."""
        start = f"the labels of the {name} are no times, those of the {other} are. "
        if "since" in str(labels.attrs.get("units", "")):
            return f'{start}Decode them: xarray.decode_cf({name}.to_dataset(name="field"))["field"].'
        call = f"{name}.assign_coords({self.dim}={other}.{self.dim})"
        return f"{start}If they are the same steps, give them these times: {call}."

    def _of_calendars(self) -> str:
        """Times of different calendars."""
        ours, theirs = self.calendars()
        if ours == theirs:  # the same dates, as datetime64 and as objects of cftime
            objects = "observations" if self.ours.dtype == object else self.name
            call = self._converted(objects, ours)
            return f"the {objects} have times of cftime, with the calendar {ours!r}. Convert: {call}."
        return (
            f"the observations have the calendar {ours!r}, the {self.name} {theirs!r}. Convert the observations: "
            f"{self._converted('observations', theirs)}; dates that the other calendar lacks are left out."
        )

    def _converted(self, name: str, calendar: str) -> str:
        """The call that converts a field to a calendar."""
        where = "" if self.dim == "time" else f', dim="{self.dim}"'
        align = ', align_on="date"' if "360_day" in self.calendars() else ""
        return f'{name}.convert_calendar("{calendar}"{where}{align}, use_cftime={calendar != "standard"})'

    def _of_numbers(self, ours: np.ndarray, theirs: np.ndarray) -> str | None:
        """Differences of the numbers: units, spacing, shifted cells."""
        return (
            self._of_units(ours, theirs) or self._of_resolution(ours, theirs) or self._of_shift(ours, theirs)
        )

    def _of_units(self, ours: np.ndarray, theirs: np.ndarray) -> str | None:
        """Labels in other units of length or angle."""
        if holds_times(self.ours):
            return None
        wide = _spacing(ours), _spacing(theirs)
        for factor, words in _UNITS.items():
            alike = min(wide) > 0 and abs(wide[1] * factor / wide[0] - 1) < _OFFSET
            if alike and _near(ours, theirs * factor).any():
                number = f"{factor:g}" if factor in (1e3, 1e-3) else repr(factor)
                return (
                    f"the labels of the {self.name} are {words}: multiplied by {number} they are those of the "
                    f'observations. Convert: {self.name}.assign_coords({self.dim}=("{self.dim}", '
                    f"{self.name}.{self.dim}.values * {number}, observations.{self.dim}.attrs))."
                )
        return None

    def _of_resolution(self, ours: np.ndarray, theirs: np.ndarray) -> str | None:
        """Cells or steps that are several times as wide as the other field's."""
        wide = [_spacing(labels) for labels in (ours, theirs)]
        if self.name != "forecasts" or not all(wide):
            return None
        ratio = max(wide) / min(wide)
        factor = round(ratio)
        if factor < 2 or abs(ratio - factor) > _OFFSET:
            return None
        coarse, fine = ("observations", "forecasts") if wide[0] > wide[1] else ("forecasts", "observations")
        factors = f"temporal={factor}" if holds_times(self.ours) else f"spatial={factor}"
        return (
            f"the {coarse} are {factor} times as coarse. Score at one resolution: {fine}.sr.coarsen({factors}), or "
            f"{coarse}.sr.interpolate({factors})."
        )

    def _of_shift(self, ours: np.ndarray, theirs: np.ndarray) -> str | None:
        """Labels between those of the other field."""
        wide = _spacing(ours), _spacing(theirs)
        if not all(wide) or abs(wide[0] - wide[1]) > _OFFSET * wide[0] / max(ours.size, theirs.size):
            return None
        shift = (theirs.min() - ours.min()) / wide[0]
        beside = shift - np.floor(shift)
        if not _OFFSET < beside < 1 - _OFFSET:
            return None
        how = f"{self.name}.interp({self.dim}=observations.{self.dim})"
        same = f"{self.name}.assign_coords({self.dim}=observations.{self.dim})"
        if ours.size == theirs.size:
            how = f"if they are the same cells or steps, labelled elsewhere, {same}; else {how}"
        return (
            f"labels of the {self.name} are shifted by {shift:.3g} cells or steps against those of the observations. "
            f"Use {how}."
        )

    def _of_shared(self, numbers: tuple[np.ndarray, np.ndarray] | None) -> str:
        """Some labels are equal, or none."""
        dim, name = self.dim, self.name
        shared = len(self.ours.to_index().intersection(self.theirs.to_index()))
        if shared:
            return (
                f"they share {shared} labels. Take these: observations, {name} = xarray.align(observations, {name}, "
                f'join="inner").'
            )
        if numbers is not None and (close := _near(*numbers)).any():
            unit = f'numpy.timedelta64({round(1e6 * tolerance(numbers[0])) or 1}, "us")'
            near = unit if holds_times(self.ours) else f"{tolerance(numbers[0]):.3g}"
            return (
                f"{close.sum()} labels are the same but for rounding. Give the observations those of the {name}, "
                f"missing where they have none: observations.reindex({dim}={name}.{dim}, "
                f'method="nearest", tolerance={near}).'
            )
        ends = [f"{labels.values[0]} to {labels.values[-1]}" for labels in (self.ours, self.theirs)]
        return (
            f"they share 0 labels: observations go from {ends[0]}, {name} from {ends[1]}. Load those of the same "
            f"places and times; if they are the same under other labels, "
            f"{name}.assign_coords({dim}=observations.{dim})."
        )


def mismatch(dim: str, name: str, sizes: tuple[int, int], labels: Labels | None) -> str:
    """Message that two fields do not match along a dimension, with the reason and the fix.

    Parameters
    ----------
    dim, name : str
        The dimension, and the name of the other field.
    sizes : (int, int)
        Sizes of observations and of the other field.
    labels : Labels or None
        None if one of them has no labels.

    Examples
    --------
    >>> mismatch("x", "forecasts", (4, 3), None)[:70]
    "observations and forecasts do not match along 'x': sizes 4 and 3. With"
    """
    start = f"observations and {name} do not match along {dim!r}: "
    if labels is not None and labels.ours.size and labels.theirs.size:
        same = f"sizes {sizes[0]} and {sizes[1]}; " if sizes[0] != sizes[1] else ""
        return start + same + labels.explain()
    longer = "observations" if sizes[0] > sizes[1] else name
    return (
        f"{start}sizes {sizes[0]} and {sizes[1]}. Without labels nothing says which belong together; cut the longer: "
        f"{longer}.isel({dim}=slice({min(sizes)}))."
    )


def tolerance(labels: np.ndarray) -> float:
    """Largest rounding difference of labels: a thousandth of the spacing, or the rounding error of single precision.

    Examples
    --------
    >>> tolerance(np.array([0.0, 1000.0, 2000.0]))
    1.0
    """
    largest = float(np.abs(labels).max(initial=0.0))
    spacing = _least(labels)
    if spacing is None:
        return 1e-6 * max(largest, 10.0)
    single = 2 * float(np.finfo(np.float32).eps) * largest
    return max(1e-3 * spacing, min(single, 0.1 * spacing))


def _least(labels: np.ndarray) -> float | None:
    """Smallest distance of two labels; None for fewer than two."""
    return float(np.abs(np.diff(np.sort(labels))).min()) if labels.size > 1 else None


def _spacing(labels: np.ndarray) -> float:
    """Distance of neighbours if it is constant, else 0."""
    if labels.size < 2:
        return 0.0
    steps = np.abs(np.diff(labels))
    middle = float(np.median(steps))
    return middle if np.abs(steps - middle).max() <= 10 * tolerance(labels) else 0.0


def _near(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Which of theirs are among ours, up to rounding."""
    known = np.sort(ours)
    after = np.clip(np.searchsorted(known, theirs), 1, max(known.size - 1, 1))
    nearest = np.minimum(
        np.abs(known[np.minimum(after, known.size - 1)] - theirs), np.abs(known[after - 1] - theirs)
    )
    close: np.ndarray = nearest <= tolerance(ours)
    return close


def _calendar(labels: xr.DataArray) -> str:
    """Name of the calendar; the same for all that agree with datetime64."""
    if labels.dtype.kind == "M":
        return "standard"
    name = str(labels.values.flat[0].calendar)
    return "standard" if name in _CIVIL else name


def _microseconds(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Times of one calendar as whole numbers; those of civil calendars as in datetime64."""
    if values.dtype == object and str(values.flat[0].calendar) in _CIVIL:
        values = np.array([time.isoformat() for time in values.flat], dtype="datetime64[us]")
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]").astype(np.int64)
    return to_ticks(values)[0]
