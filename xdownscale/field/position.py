"""Where time labels stand in their steps, where no bounds say it: by a note, else by the step type of GRIB."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from xdownscale.errors import TimeAxisError
from xdownscale.field.bounds import POSITION, find_bounds
from xdownscale.field.labels import Source, label_of, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

_STEP_TYPE: Final = "GRIB_stepType"

_WORDS: Final = {
    "start": 0.0,
    "left": 0.0,
    "middle": 0.5,
    "center": 0.5,
    "centre": 0.5,
    "end": 1.0,
    "right": 1.0,
}

_PROCESSED: Final = ("accum", "diff", "avg", "max", "min")
"""Step types of values over a range of time. Its end is the valid time: in GRIB 1 the reference time plus P2 (code
table 5), in GRIB 2 the end of the overall time interval (template 4.8). Means of months, such as "avgua", are not
listed."""

_DAY: Final = 86_400.0
"""Seconds of a step from which on the step type is not used: daily sums and means, as the CDS computes them, keep the
attributes of the hours that they were made of, and their labels are starts of days."""


def position_of(field: Source, dim: str, seconds: float) -> tuple[float, str]:
    """Share of a step that lies before its label, 0 for labels at the start, and what says so.

    Parameters
    ----------
    field : DataArray or Dataset
        Its time label is read, and its attribute ``GRIB_stepType``.
    dim : str
        The time dimension, which has labels.
    seconds : float
        Length of a step.

    Returns
    -------
    float, str
        The text is empty where nothing says it, and the start is taken.

    Raises
    ------
    TimeAxisError
        If ``cell_position`` is neither a number nor a known word.
    """
    label = labels_of(field, dim)
    if POSITION in label.attrs:
        return _number(label.attrs[POSITION], str(label.name)), POSITION
    starts = label.attrs.get("standard_name") == "forecast_reference_time"
    if ends_its_step(field) and seconds < _DAY and not starts:
        return 1.0, f"{_STEP_TYPE} {field.attrs[_STEP_TYPE]!r}"
    return 0.0, ""


def says_position(field: Source, dim: str) -> bool:
    """Whether bounds or a note say where the labels of a dimension stand."""
    return label_of(field, dim) is not None and (
        find_bounds(field, dim) is not None or POSITION in labels_of(field, dim).attrs
    )


def ends_its_step(field: Source) -> bool:
    """Whether values are those of a range of time that ends at the valid time, by the step type of GRIB."""
    return str(field.attrs.get(_STEP_TYPE)) in _PROCESSED


def with_step_type(grid: xr.Dataset, fields: Iterable[xr.DataArray]) -> xr.Dataset:
    """Coordinates with the step type of the fields that they belong to; without one where these differ in what it says.

    Parameters
    ----------
    grid : Dataset
        Coordinates alone.
    fields : iterable of DataArray
        The fields along one time dimension.
    """
    every = list(fields)
    attrs = {key: value for key, value in grid.attrs.items() if key != _STEP_TYPE}
    if every and all(ends_its_step(each) for each in every):
        attrs[_STEP_TYPE] = every[0].attrs[_STEP_TYPE]
    return grid.drop_attrs(deep=False).assign_attrs(attrs)


def told_position(field: Source, dim: str, seconds: float) -> str:
    """Where labels stand in their steps, in words with the reason; empty for the start."""
    position, reason = position_of(field, dim, seconds)
    where = {0.5: "middle", 1.0: "end"}.get(position, f"share {position:g}")
    return f", labels at their {where} ({reason})" if position else ""


def _number(said: object, name: str) -> float:
    """A position as a number."""
    word = str(said).strip().lower()
    try:
        position = _WORDS[word] if word in _WORDS else float(word)
    except ValueError:
        position = math.nan
    if not math.isfinite(position):
        msg = (
            f"field[{name!r}].attrs[{POSITION!r}] is {said!r}: it is a number from 0 (labels at the start of their "
            f"step) to 1 (at the end), or one of {tuple(_WORDS)}. Set for example "
            f"field[{name!r}].attrs[{POSITION!r}] = 'end'."
        )
        raise TimeAxisError(msg)
    return position
