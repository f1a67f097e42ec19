"""Fields as people have them, and worse: a description that hypothesis draws, and the field that it describes.

`Odd()` is an ordinary field of rain; every argument makes one thing odd. Values of a description are keys of the tables
below, so that a failing example is one line of code.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass

import cftime
import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import strategies as st

METRES = {axis: {"standard_name": f"projection_{axis}_coordinate", "units": "m"} for axis in ("y", "x")}
DEGREES = {
    "y": {"standard_name": "latitude", "units": "degrees_north"},
    "x": {"standard_name": "longitude", "units": "degrees_east"},
}
NO_ATTRS = {"y": {}, "x": {}}

# ── names of dimensions (time, y, x); None takes those of the grid ───────────────────────────────────────────────────

NAMES = {
    "own": None,
    "short": ("t", "lat", "lon"),
    "projected": ("time", "y", "x"),
    "weather model": ("Time", "south_north", "west_east"),
    "capitals": ("TIME", "LAT", "LON"),
    "grid indices": ("time", "j", "i"),
    "unknown": ("a", "b", "c"),
    "half known": ("time", "lat", "points"),
    "dim_0": ("dim_0", "dim_1", "dim_2"),
    "with blanks": ("the time", "my y", "my x"),
    "numbers": (0, 1, 2),
    "keywords": ("class", "in", "lambda"),
    "turned": ("time", "x", "y"),
    "of members": ("time", "member", "number"),
    "empty": ("", "y", "x"),
}

# ── labels of y and x: (labels, attributes by axis, own names, weights) ──────────────────────────────────────────────

PLAIN, AREA, UNSURE = "plain", "area", "unsure"


def _even(first, width, count):
    return first + width * np.arange(float(count))


def _round(labels, west=-180.0):
    return (labels - west) % 360 + west


def _spoiled(labels, at, value):
    labels = np.asarray(labels).astype(float).copy()
    labels[at % max(labels.size, 1) if labels.size else slice(0)] = value
    return labels


def _to_poles(count):
    return np.linspace(-90, 90, count) if count > 1 else np.zeros(count)


GRIDS = {
    "metres": (lambda n, m: (_even(5e4, -1e3, n), _even(-3e3, 1e3, m)), METRES, ("y", "x"), PLAIN),
    "kilometres": (
        lambda n, m: (_even(50.5, -1, n), _even(-3.5, 1, m)),
        {axis: dict(METRES[axis], units="km") for axis in "yx"},
        ("y", "x"),
        PLAIN,
    ),
    "no attributes": (lambda n, m: (_even(0, 1, n), _even(0, 1, m)), NO_ATTRS, ("y", "x"), PLAIN),
    "no labels": (lambda n, m: (None, None), NO_ATTRS, ("y", "x"), PLAIN),
    "no y": (lambda n, m: (None, _even(0, 1, m)), NO_ATTRS, ("y", "x"), PLAIN),
    "sphere": (lambda n, m: (_even(40.125, 0.25, n), _even(-5.125, 0.25, m)), DEGREES, ("lat", "lon"), AREA),
    "sphere southwards": (
        lambda n, m: (_even(60.125, -0.25, n), _even(4.875, 0.25, m)),
        DEGREES,
        ("lat", "lon"),
        AREA,
    ),
    "sphere of names": (lambda n, m: (_even(-30, 0.1, n), _even(5, 0.1, m)), NO_ATTRS, ("lat", "lon"), AREA),
    "single precision": (
        lambda n, m: (_even(40, 0.1, n).astype("f4"), _even(-5, 0.1, m).astype("f4")),
        DEGREES,
        ("latitude", "longitude"),
        AREA,
    ),
    "to the poles": (lambda n, m: (_to_poles(n), _even(0, 360 / m, m)), DEGREES, ("lat", "lon"), AREA),
    "globe": (
        lambda n, m: (_even(-90 + 90 / n, 180 / n, n), _even(180 / m, 360 / m, m)),
        DEGREES,
        ("lat", "lon"),
        AREA,
    ),
    "date line": (
        lambda n, m: (_even(10, 0.5, n), _round(_even(179, 0.5, m))),
        DEGREES,
        ("lat", "lon"),
        UNSURE,
    ),
    "zero meridian": (
        lambda n, m: (_even(10, 0.5, n), _round(_even(359, 0.5, m), 0.0)),
        DEGREES,
        ("lat", "lon"),
        UNSURE,
    ),
    "beyond the pole": (lambda n, m: (_even(85.0, 1.0, n), _even(0, 1, m)), DEGREES, ("lat", "lon"), UNSURE),
    "rotated": (
        lambda n, m: (_even(-2, 0.11, n), _even(3, 0.11, m)),
        {
            "y": {"standard_name": "grid_latitude", "units": "degrees"},
            "x": {"standard_name": "grid_longitude", "units": "degrees"},
        },
        ("rlat", "rlon"),
        AREA,
    ),
    "gaussian": (
        lambda n, m: (np.rad2deg(np.arcsin(np.linspace(-0.9, 0.9, n))), _even(0, 2, m)),
        DEGREES,
        ("lat", "lon"),
        UNSURE,
    ),
    "a row missing": (
        lambda n, m: (np.delete(_even(0, 1, n + 1), n // 2), _even(0, 1, m)),
        NO_ATTRS,
        ("y", "x"),
        UNSURE,
    ),
    "nan among labels": (
        lambda n, m: (_spoiled(_even(0, 1, n), 1, np.nan), _even(0, 1, m)),
        METRES,
        ("y", "x"),
        UNSURE,
    ),
    "infinite label": (
        lambda n, m: (_even(0, 1, n), _spoiled(_even(0, 1, m), 1, np.inf)),
        METRES,
        ("y", "x"),
        UNSURE,
    ),
    "all labels nan": (
        lambda n, m: (np.full(n, np.nan), np.full(m, np.nan)),
        DEGREES,
        ("lat", "lon"),
        UNSURE,
    ),
    "one label for all": (lambda n, m: (np.zeros(n), np.zeros(m)), METRES, ("y", "x"), UNSURE),
    "unsorted": (lambda n, m: (_even(0, 1, n), np.roll(_even(0, 1, m), 1)), METRES, ("y", "x"), UNSURE),
    "huge labels": (lambda n, m: (_even(1, 1, n) * 1e300, _even(0, 1, m)), METRES, ("y", "x"), UNSURE),
    "tiny cells": (lambda n, m: (_even(0, 1, n) * 1e-300, _even(0, 1, m)), METRES, ("y", "x"), UNSURE),
    "far from zero": (lambda n, m: (1e9 + _even(0, 1e-3, n), _even(0, 1, m)), METRES, ("y", "x"), UNSURE),
    "whole numbers": (lambda n, m: (np.arange(n), np.arange(m)), NO_ATTRS, ("y", "x"), PLAIN),
    "small whole numbers": (
        lambda n, m: (np.arange(n).astype("u1"), np.arange(m).astype("i1")),
        NO_ATTRS,
        ("y", "x"),
        PLAIN,
    ),
    "text": (
        lambda n, m: ([f"row {i}" for i in range(n)], [f"column {i}" for i in range(m)]),
        NO_ATTRS,
        ("y", "x"),
        UNSURE,
    ),
    "objects": (lambda n, m: (np.arange(n).astype(object), _even(0, 1, m)), NO_ATTRS, ("y", "x"), UNSURE),
    "truths": (lambda n, m: (np.arange(n) % 2 == 0, _even(0, 1, m)), NO_ATTRS, ("y", "x"), UNSURE),
    "dates": (
        lambda n, m: (_even(0, 1, n), np.datetime64("2000-01-01", "ns") + np.arange(m)),
        NO_ATTRS,
        ("y", "x"),
        UNSURE,
    ),
    "complex labels": (lambda n, m: (_even(0, 1j, n), _even(0, 1, m)), NO_ATTRS, ("y", "x"), UNSURE),
    "units of numbers": (
        lambda n, m: (_even(0, 1, n), _even(0, 1, m)),
        {"y": {"units": 5, "standard_name": 7}, "x": {"units": None, "axis": 3}},
        ("y", "x"),
        UNSURE,
    ),
    "axes that contradict": (
        lambda n, m: (_even(0, 1, n), _even(0, 1, m)),
        {"y": {"axis": "X"}, "x": {"axis": "Y"}},
        ("y", "x"),
        UNSURE,
    ),
    "both latitudes": (
        lambda n, m: (_even(40, 0.25, n), _even(5, 0.25, m)),
        {"y": DEGREES["y"], "x": DEGREES["y"]},
        ("lat", "lon"),
        UNSURE,
    ),
    # two-dimensional coordinates: labels are made from those of the plain grid
    "curvilinear": (lambda n, m: (_even(40, 0.25, n), _even(5, 0.25, m)), "2-D", ("y", "x"), UNSURE),
    "curvilinear date line": (lambda n, m: (_even(40, 1, n), _even(178, 1, m)), "2-D", ("y", "x"), UNSURE),
    "curvilinear pole": (lambda n, m: (_even(88, 0.5, n), _even(0, 360 / m, m)), "2-D", ("y", "x"), UNSURE),
    "curvilinear with a nan": (lambda n, m: (_even(40, 1, n), _even(5, 1, m)), "2-D nan", ("y", "x"), UNSURE),
    "curvilinear all nan": (
        lambda n, m: (_even(40, 1, n), _even(5, 1, m)),
        "2-D all nan",
        ("y", "x"),
        UNSURE,
    ),
    "curvilinear in time": (lambda n, m: (_even(40, 1, n), _even(5, 1, m)), "3-D", ("y", "x"), UNSURE),
    "curvilinear fill": (lambda n, m: (_even(40, 1, n), _even(5, 1, m)), "2-D fill", ("y", "x"), UNSURE),
    "curvilinear constant": (lambda n, m: (np.full(n, 40.0), np.full(m, 5.0)), "2-D", ("y", "x"), UNSURE),
    "curvilinear lazy": (lambda n, m: (_even(40, 1, n), _even(5, 1, m)), "2-D lazy", ("y", "x"), UNSURE),
    "unstructured": (lambda n, m: (None, _even(0, 1, m)), "cells", ("cell",), UNSURE),
    "healpix": (lambda n, m: (None, np.arange(m)), "cells", ("values",), UNSURE),
}

# ── times: labels, or None for a dimension without labels; a key "none" has no such dimension ────────────────────────


def _cf(calendar, first="2000-02-28 18:00", step=3600):
    return lambda n: cftime.num2date(step * np.arange(n), f"seconds since {first}", calendar=calendar)


def _hours(n, unit="ns", step=1):
    return np.datetime64("2000-02-28T18:00", unit) + np.arange(n) * np.timedelta64(step, "h")


def _replaced(times, at, value):
    times = np.array(times)
    if times.size:
        times[at % times.size] = value
    return times


TIMES = {
    "hours": _hours,
    "days": lambda n: _hours(n, step=24),
    "seconds as unit": lambda n: _hours(n, "s"),
    "noleap": _cf("noleap", step=86400),
    "360_day": _cf("360_day", step=86400),
    "julian": _cf("julian"),
    "standard": _cf("standard"),
    "year one": _cf("proleptic_gregorian", "0001-01-01"),
    "year 5000": lambda n: np.datetime64("5000-01-01", "s") + np.arange(n) * np.timedelta64(1, "h"),
    "none": None,
    "no labels": lambda n: None,
    "undecoded": lambda n: (np.arange(n) / 4, {"units": "hours since 2000-01-01", "calendar": "standard"}),
    "undecoded without units": lambda n: (np.arange(n), {"axis": "T"}),
    "undecoded in months": lambda n: (np.arange(n), {"units": "months since 2000-01-01"}),
    "units of times": lambda n: (_hours(n), {"units": "hours since 2000-01-01", "calendar": 5}),
    "unsorted": lambda n: np.roll(_hours(n), 1),
    "backwards": lambda n: _hours(n)[::-1],
    "a gap": lambda n: np.delete(_hours(n + 1), n // 2),
    "a gap in 360_day": lambda n: np.delete(_cf("360_day")(n + 1), n // 2),
    "doubles": lambda n: _hours(n)[np.arange(n) - (np.arange(n) == n - 1)],
    "all the same": lambda n: np.repeat(_hours(1), n),
    "nat": lambda n: _replaced(_hours(n), 1, np.datetime64("NaT")),
    "all nat": lambda n: np.full(n, np.datetime64("NaT", "ns")),
    "text": lambda n: np.array([f"2000-01-01T{i:02d}" for i in range(n)]),
    "years": lambda n: 2000 + np.arange(n),
    "a little uneven": lambda n: (
        _hours(n) + np.random.default_rng(0).integers(-9, 9, n) * np.timedelta64(100, "ms")
    ),
    "months": lambda n: (
        np.datetime64("2000-01", "M").astype("M8[ns]")
        if n == 0
        else (np.datetime64("2000-01", "M") + np.arange(n)).astype("M8[ns]")
    ),
    "lead times": lambda n: np.arange(n) * np.timedelta64(3600 * 10**9, "ns"),
    "lead times in hours": lambda n: (np.arange(n), {"units": "hours", "standard_name": "forecast_period"}),
    "dates": lambda n: np.array([dt.date(2000, 1, 1) + dt.timedelta(i) for i in range(n)], object),
    "periods": lambda n: pd.period_range("2000-01", periods=n, freq="M"),
    "time zones": lambda n: pd.date_range("2000-01-01", periods=n, freq="h", tz="UTC"),
    "a none": lambda n: _replaced(_cf("noleap")(n), 1, None),
    "two calendars": lambda n: _replaced(
        _cf("noleap")(n), 1, cftime.Datetime360Day(2000, 2, 28, 19) if n else None
    ),
    "empty objects": lambda n: np.full(n, None, object),
    "nan": lambda n: np.full(n, np.nan),
}

BOUNDS = (
    "none",
    "start",
    "centre",
    "end",
    "turned",
    "undecoded",
    "wrong shape",
    "not there",
    "no width",
    "nan",
    "own",
)

# ── what is measured: name, attributes, how time is merged ("refused": no mean; None: left open) ─────────────────────

QUANTITIES = {
    "rain rate": ("rain", {"units": "mm h-1", "standard_name": "rainfall_rate"}, "mean"),
    "rain flux": ("pr", {"units": "kg m-2 s-1", "standard_name": "precipitation_flux"}, "mean"),
    "rain amount": ("rr", {"units": "mm", "standard_name": "precipitation_amount"}, "sum"),
    "era5": ("tp", {"units": "m", "standard_name": "unknown", "GRIB_stepType": "accum"}, "sum"),
    "said sum": ("rain", {"units": "mm", "cell_methods": "time: sum (interval: 1 hour)"}, "sum"),
    "temperature": ("tas", {"units": "K", "standard_name": "air_temperature"}, "mean"),
    "celsius": ("t2m", {"units": "degC", "cell_methods": "area: mean time: mean"}, "mean"),
    "snow": ("sd", {"units": "m", "standard_name": "lwe_thickness_of_surface_snow_amount"}, "mean"),
    "reflectivity": ("dbz", {"units": "dBZ"}, "mean"),
    "humidity": ("hurs", {"units": "%", "standard_name": "relative_humidity"}, "mean"),
    "nothing": (None, {}, None),
    "no units": ("rain", {}, None),
    "direction": ("wdir", {"units": "degree", "standard_name": "wind_from_direction"}, "refused"),
    "classes": ("lc", {"flag_values": [0, 1], "flag_meanings": "a b"}, "refused"),
    "total per cell": ("rain", {"units": "kg", "cell_methods": "area: sum"}, "refused"),
    "maxima": ("tasmax", {"units": "K", "cell_methods": "time: maximum"}, None),
    "points": ("tas", {"units": "K", "cell_methods": "time: point"}, "point"),
    "running": ("RAINNC", {"units": "mm"}, None),
    "contradiction": ("rain", {"units": "mm h-1", "cell_methods": "time: sum"}, None),
    "unknown units": ("rain", {"units": "furlongs per fortnight"}, None),
    "garbage units": ("rain", {"units": "m/^-s**%"}, None),
    "units of numbers": ("rain", {"units": 5}, None),
    "units none": ("rain", {"units": None}, None),
    "units list": ("rain", {"units": ["mm", "h"]}, None),
    "units array": ("rain", {"units": np.array([1.0, 2.0])}, None),
    "units empty": ("rain", {"units": ""}, None),
    "units huge": ("rain", {"units": "m99999999999"}, None),
    "units zero": ("rain", {"units": "0 mm"}, None),
    "units without end": ("rain", {"units": "(" * 50}, None),
    "standard name of numbers": ("tas", {"units": "K", "standard_name": 7}, None),
    "standard name garbage": ("tas", {"units": "K", "standard_name": "???  detection_minimum x"}, None),
    "standard name empty": ("rain", {"units": "mm", "standard_name": ""}, None),
    "standard name of two": (
        "n",
        {"units": "1", "standard_name": "air_temperature number_of_observations"},
        None,
    ),
    "methods garbage": ("tas", {"units": "K", "cell_methods": "nonsense: (("}, None),
    "methods empty": ("tas", {"units": "K", "cell_methods": ""}, None),
    "methods of numbers": ("tas", {"units": "K", "cell_methods": 3}, None),
    "methods list": ("tas", {"units": "K", "cell_methods": ["time: sum"]}, None),
    "methods open": ("tas", {"units": "K", "cell_methods": "time:"}, None),
    "step type odd": ("tp", {"units": "m", "GRIB_stepType": 5}, None),
    "step type unknown": ("tas", {"units": "K", "GRIB_stepType": "whatever"}, None),
    "name number": (7, {"units": "K"}, None),
    "name pair": (("a", 1), {"units": "K"}, None),
    "name empty": ("", {"units": "K"}, None),
    "name keyword": ("class", {"units": "K"}, None),
    "name blanks": ("my rain", {"units": "mm h-1"}, "mean"),
    "name braces": ("{rain}%s", {"units": "mm h-1"}, "mean"),
    "name of a dimension": ("members", {"units": "K"}, None),
    "long name": ("v", {"units": "mm", "long_name": 5, "description": ["a"]}, None),
}

ATTRS = {
    "fill declared": {"_FillValue": -1.0e9},
    "fill among values": {"_FillValue": "first"},
    "fill nan": {"_FillValue": np.nan},
    "fill text": {"_FillValue": "missing"},
    "fill none": {"_FillValue": None},
    "fill list": {"missing_value": [-1.0e9, -2.0e9]},
    "fill empty": {"missing_value": []},
    "fill complex": {"missing_value": 1j},
    "fill infinite": {"_FillValue": np.inf},
    "packed": {"scale_factor": 0.1, "add_offset": 5.0},
    "packed by text": {"scale_factor": "0.1"},
    "packed by nothing": {"scale_factor": None},
    "packed by zero": {"scale_factor": 0.0},
    "packed by nan": {"scale_factor": np.nan},
    "packed by several": {"scale_factor": [0.1, 0.2]},
    "unsigned": {"_Unsigned": "true"},
    "unsigned odd": {"_Unsigned": 5},
    "range": {"valid_range": [-1e6, 1e6]},
    "range turned": {"valid_range": [1e6, -1e6]},
    "range of three": {"valid_range": [0, 1, 2]},
    "range text": {"valid_range": "0 to 5"},
    "range narrow": {"valid_max": 1e-3},
    "range nan": {"valid_min": np.nan},
    "range one": {"valid_min": [0.0, 1.0]},
    "flags": {"flag_masks": [1, 2]},
    "no mapping": {"grid_mapping": "crs"},
    "odd mapping": {"grid_mapping": 5},
    "extended mapping": {"grid_mapping": "crs: y x other: lat lon"},
    "coordinates": {"coordinates": "lat lon"},
    "ancillary": {"ancillary_variables": "quality", "cell_measures": "area: areacella"},
    "odd history": {"history": 5},
    "history list": {"history": ["a", "b"]},
    "dictionary": {"note": {"a": 1}, "other": None, 5: "five"},
    "bounds": {"bounds": "rain_bnds"},
    "axis": {"axis": "Z", "positive": "up"},
    "members": {"standard_name": "realization"},
}

MARKERS = {
    "none": None,
    "-9999": -9999.0,
    "-9999.9": -9999.9,
    "-99": -99.0,
    "1e20": 1e20,
    "9.97e36": 9.969209968386869e36,
    "infinite": np.inf,
    "minus infinite": -np.inf,
    "minus one": -1.0,
    "rounding": -1e-12,
}

DTYPES = (
    "f8", "f4", "f2", ">f4", ">f8", "g", "i1", "i2", ">i2", "i4", "i8", "u1", "u2", "u4", "u8", "bool", "c8", "c16",
    "M8[ns]", "m8[ns]", "U5", "S3", "O", "O none", "O cftime", "O decimal",
)  # fmt: skip
VALUES = ("gamma", "constant", "zero", "huge", "tiny", "negative", "growing", "one wet")
MASKS = ("none", "some", "half", "all", "one step", "all but one", "board")
EXTRAS = (
    "none",
    "level",
    "member",
    "number",
    "bands",
    "no labels",
    "start",
    "empty",
    "doubles",
    "nan",
    "two",
)
CONTAINERS = ("array", "dataset", "crowd", "tree", "numpy", "no variables", "only text", "coordinate")
CHUNKS = (None, (1, 4, 4), (2, 3, 5), (100, 100, 100), (4, 1, 7))
METHODS = ("nearest", "linear", "bicubic", "conservative")
BY = ((2, 2, 2), (1, 2, 2), (1, 1, 1), (3, 1, 1), (1, 1, 3), (2, 3, 1), (1, 5, 2), (7, 7, 7))
ODD_BY = (
    (0, 1, 1),
    (1, -1, 1),
    (1, 2.0, 1),
    (True, 1, 1),
    (1, "2", 1),
    (1, None, 1),
    (10**20, 1, 1),
    (np.int8(2), np.uint64(2), 1),
)
OPTIONS = (
    {"dims": "right"}, {"dims": {"y": "nowhere"}}, {"dims": {"rows": "y"}}, {"dims": {"y": "x", "x": "x"}},
    {"dims": {"y": 5}},
    {"boundary": "trim"}, {"boundary": "pad"}, {"gaps": "split"}, {"gaps": "split", "boundary": "trim"},
    {"min_valid": 0.0}, {"min_valid": 0.5}, {"min_valid": np.nan}, {"min_valid": "all"}, {"min_valid": None},
    {"keep_attrs": False},
    {"time_method": "mean"}, {"time_method": "sum"}, {"time_method": "point"}, {"time_method": 5}, {"boundary": None},
)  # fmt: skip


@dataclass(frozen=True)
class Odd:
    """What a field is like; all defaults together are an ordinary field of rain."""

    sizes: tuple[int, int, int] = (6, 6, 8)
    order: tuple[int, int, int] = (0, 1, 2)
    names: str = "own"
    grid: str = "metres"
    times: str = "hours"
    bounds: str = "none"
    quantity: str = "rain rate"
    attrs: tuple[str, ...] = ()
    dtype: str = "f8"
    values: str = "gamma"
    mask: str = "none"
    marker: str = "none"
    extra: str = "none"
    container: str = "array"
    chunks: tuple[int, int, int] | None = None
    by: tuple = (2, 2, 2)
    options: int | None = None
    method: str = "bicubic"
    seed: int = 0

    def __repr__(self):
        said = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain = {f.name: f.default for f in dataclasses.fields(self)}
        return f"Odd({', '.join(f'{k}={v!r}' for k, v in said.items() if v != plain[k])})"

    @property
    def dims(self):
        """Names of time, y and x; fewer where the field has fewer."""
        own = GRIDS[self.grid][2]
        chosen = NAMES[self.names] or ("time", *own)
        chosen = (chosen[0], *chosen[1 : 1 + len(own)])
        return chosen[1:] if TIMES[self.times] is None else chosen

    @property
    def keywords(self):
        """Options of coarsen."""
        options = {} if self.options is None else dict(OPTIONS[self.options])
        if options.get("dims") == "right":
            options["dims"] = dict(zip(("time", "y", "x")[-len(self.dims) :], self.dims, strict=True))
        return options


# ── from the description to the field ────────────────────────────────────────────────────────────────────────────────


def build(odd):
    """The field that a description describes, in memory."""
    field = _with_attrs(odd, _masked(odd, _values(odd)))
    field = field.assign_coords(_coords(odd, field))
    field = _with_extra(odd, field)
    return _contained(odd, field)


def lazy(odd, field):
    """The same field in chunks."""
    if isinstance(field, np.ndarray):
        return field
    if isinstance(field, xr.DataTree):
        return xr.DataTree.from_dict({node.path: lazy(odd, node.to_dataset()) for node in field.subtree})
    if isinstance(field, xr.Dataset):
        return field.assign({name: lazy(odd, each) for name, each in _lazily(field)})
    chunks = dict(zip(odd.dims, odd.chunks[-len(odd.dims) :], strict=True))
    return field.copy(data=field.variable.chunk({dim: chunks.get(dim, 1) for dim in field.dims}).data)


def _lazily(dataset):
    """What of a Dataset is read in chunks; bounds are read at once, as coordinates are."""
    return [(k, v) for k, v in dataset.data_vars.items() if v.ndim > 1 and "bnds" not in v.dims]


def _values(odd):
    source = np.random.default_rng(odd.seed)
    sizes = odd.sizes[-2:] if TIMES[odd.times] is None else odd.sizes
    sizes = sizes[:-2] + sizes[-1:] if GRIDS[odd.grid][1] == "cells" else sizes
    values = {
        "gamma": lambda: source.gamma(0.5, 3.0, sizes),
        "constant": lambda: np.full(sizes, 3.0),
        "zero": lambda: np.zeros(sizes),
        "huge": lambda: 1e15 * source.random(sizes),
        "tiny": lambda: 1e-30 * source.random(sizes),
        "negative": lambda: source.normal(-20, 5, sizes),
        "growing": lambda: np.cumsum(source.random(sizes), axis=0),
        "one wet": lambda: np.where(np.arange(np.prod(sizes)).reshape(sizes) == 1, 5.0, 0.0),
    }[odd.values]()
    return xr.DataArray(values, dims=odd.dims)


def _masked(odd, field):
    source, values = np.random.default_rng(odd.seed + 1), field.values
    marker = MARKERS[odd.marker]
    if marker is not None and values.size:
        values.flat[source.integers(0, values.size, 3)] = marker
    at = {
        "none": lambda: np.zeros(values.shape, bool),
        "some": lambda: source.random(values.shape) < 0.2,
        "half": lambda: np.arange(values.shape[-1]) < values.shape[-1] / 2,
        "all": lambda: np.ones(values.shape, bool),
        "one step": lambda: np.indices(values.shape)[0] == 0,
        "all but one": lambda: np.arange(values.size).reshape(values.shape) != 0,
        "board": lambda: np.indices(values.shape).sum(axis=0) % 2 == 0,
    }[odd.mask]()
    with np.errstate(all="ignore"):
        values = np.where(at, np.nan, values)
    return field.copy(data=_typed(values, odd.dtype))


def _typed(values, dtype):
    with np.errstate(all="ignore"):
        if dtype == "O none":
            return np.where(np.isnan(values), None, values)
        if dtype == "O cftime":
            return np.full(values.shape, cftime.DatetimeNoLeap(2000, 1, 1))
        if dtype == "O decimal":
            import decimal

            return np.array([decimal.Decimal(str(v)) for v in values.flat], object).reshape(values.shape)
        if np.dtype(dtype).kind in "iubMm":
            values = np.nan_to_num(values, posinf=1e9, neginf=-1e9)
            if dtype[-2:] in ("i1", "i2", "u1", "u2"):
                limits = np.iinfo(dtype)
                values = np.clip(values, limits.min, limits.max)
            elif np.dtype(dtype).kind == "u":
                values = np.clip(values, 0, 1e9)
            return np.clip(values, -1e18, 1e18).astype("i8").astype(dtype)
        return values.astype(dtype)


def _with_attrs(odd, field):
    name, attrs, _ = QUANTITIES[odd.quantity]
    attrs = dict(attrs)
    for key in odd.attrs:
        attrs |= ATTRS[key]
    for key, value in attrs.items():
        if isinstance(value, str) and value == "first" and field.size:
            attrs[key] = field.values.flat[0]
    field.attrs = attrs
    field.name = odd.dims[-1] if odd.quantity == "name of a dimension" and TIMES[odd.times] else name
    return field.transpose(*(odd.dims[i] for i in odd.order if i < len(odd.dims)))


def _coords(odd, field):
    labels, attrs, own, _ = GRIDS[odd.grid]
    dims = odd.dims
    if odd.names == "numbers":
        return {}  # xarray has no labels for such dimensions
    time = dims[0] if TIMES[odd.times] is not None else None
    y, x = (None, dims[-1]) if len(own) == 1 else dims[-2:]
    rows, columns = labels(field.sizes.get(y, 1), field.sizes[x])
    if attrs == "cells":
        coords = {
            "lat": ((x,), 40 + np.arange(columns.size), DEGREES["y"]),
            "lon": ((x,), columns, DEGREES["x"]),
        }
    elif isinstance(attrs, str):
        coords = _curved(attrs, rows, columns, (time, y, x), field.sizes)
    else:
        coords = {y: ((y,), rows, dict(attrs["y"])), x: ((x,), columns, dict(attrs["x"]))}
        coords = {dim: coord for dim, coord in coords.items() if coord[1] is not None}
    if time is not None:
        found = TIMES[odd.times](field.sizes[time])
        found, said = found if isinstance(found, tuple) else (found, {})
        if found is not None:
            coords[time] = ((time,), found, said)
    return coords


def _curved(kind, rows, columns, dims, sizes):
    lat, lon = np.meshgrid(rows, columns, indexing="ij")
    lat, lon = lat + 0.01 * (lon - lon.min()) if lat.size and lat.max() < 60 else lat, _round(lon)
    if kind == "2-D nan" and lat.size:
        lat.flat[-1] = lon.flat[-1] = np.nan
    if kind == "2-D all nan":
        lat[:], lon[:] = np.nan, np.nan
    if kind == "2-D fill" and lat.size:
        lat.flat[0] = lon.flat[0] = 9.96921e36
    if kind == "2-D lazy":
        import dask.array

        lat, lon = dask.array.from_array(lat, 3), dask.array.from_array(lon, 3)
    if kind == "3-D" and dims[0] is not None:
        lat, lon = (np.repeat(each[None], sizes[dims[0]], axis=0) for each in (lat, lon))
    along = dims if kind == "3-D" and dims[0] is not None else dims[1:]
    return {"lat": (along, lat, DEGREES["y"]), "lon": (along, lon, DEGREES["x"])}


def _with_extra(odd, field):
    labels = {
        "level": ("level", [1000.0, 850.0]),
        "member": ("member", [1, 2]),
        "number": ("number", [0, 1]),
        "bands": ("band", ["red", "blue"]),
        "no labels": ("layer", None),
        "empty": ("level", []),
        "doubles": ("level", [5.0, 5.0]),
        "nan": ("level", [np.nan, np.nan]),
        "start": ("start", np.array(["2000-01-01", "2000-01-02"], "M8[ns]")),
        "two": ("level", [1.0, 2.0]),
    }.get(odd.extra)
    if labels is None or labels[0] in field.dims:
        return field
    dim, given = labels
    size = 2 if given is None else len(given)
    attrs = {"standard_name": "forecast_reference_time"} if odd.extra == "start" else {}
    field = field.expand_dims({dim: size}).copy()
    if given is not None:
        field = field.assign_coords({dim: (dim, given, attrs)})
    return field.expand_dims({"realization": 3}, axis=2).copy() if odd.extra == "two" else field


def _bounds(odd, dataset):
    """Bounds of times and cells beside a field."""
    if odd.bounds == "none":
        return dataset
    for dim in odd.dims:
        if dim not in dataset.coords or dataset[dim].ndim != 1:
            continue
        name = f"{dim}_bnds"
        label = dataset[dim]
        both = _both(odd, label)
        if both is None:
            continue
        dataset[dim].attrs["bounds"] = name
        if odd.bounds == "not there":
            continue
        variable = ((dim, "bnds"), both, {"units": 5} if odd.bounds == "undecoded" else {})
        if odd.bounds == "wrong shape":
            variable = ((dim, "bnds"), np.concatenate([both, both[:, :1]], axis=1))
        dataset = (
            dataset.assign({name: variable}) if odd.seed % 2 else dataset.assign_coords({name: variable})
        )
    return dataset


def _both(odd, label):
    """First and last edge of every cell, as odd as the description says; None where labels have no width."""
    values = label.values
    dates = (
        values.dtype == object and len({getattr(value, "calendar", None) for value in values} - {None}) == 1
    )
    if (
        values.size < 2
        or not (dates or values.dtype.kind in "fiuMm")
        or any(value is None for value in values)
    ):
        return None
    if odd.bounds == "no width":
        return np.stack([values, values], axis=1)
    if odd.bounds == "undecoded":
        return np.stack([np.arange(values.size), 1 + np.arange(values.size)], axis=1).astype(float)
    both = _edges(values, {"start": 0, "end": 1}.get(odd.bounds, 0.5))
    if odd.bounds == "nan" and both.dtype.kind in "fMm":
        both[0] = np.nan if both.dtype.kind == "f" else np.datetime64("NaT")
    return both[:, ::-1] if odd.bounds == "turned" else both


def _edges(values, share):
    """Edges of cells with a label at a share of their width."""
    values = values.astype(float) if values.dtype.kind in "iuf" else values
    width = values[-1] - values[-2]
    before = width * share
    if values.dtype.kind in "Mm":
        before = np.array(int(width.astype("i8") * share)).astype(width.dtype)
    return np.stack([values - before, values - before + width], axis=1)


def _contained(odd, field):
    if odd.container == "numpy":
        return field.values
    if odd.container == "array" and odd.bounds == "none":
        return field
    name = "field" if field.name is None or field.name in field.dims else field.name
    dataset = _bounds(odd, field.to_dataset(name=name))
    if odd.container == "crowd":
        dataset["crs"] = ((), 0, {"grid_mapping_name": "rotated_latitude_longitude"})
        dataset[name].attrs["grid_mapping"] = "crs"
        dataset["station"] = ("station", ["a", "b"])
        last = dataset[name].dims[-1]
        dataset["along"] = (last, np.arange(dataset.sizes[last]))
        dataset["still"] = (
            dataset[name].isel({dataset[name].dims[0]: slice(1)}).rename({dataset[name].dims[0]: "once"})
        )
        dataset["again"] = dataset[name].astype(str)
        dataset.attrs = {"Conventions": "CF-1.8", "history": 5}
    if odd.container == "tree":
        nodes = {"/": xr.Dataset(attrs={"title": "t"}), "/fine": dataset, "/empty": xr.Dataset()}
        return xr.DataTree.from_dict(nodes)
    if odd.container == "no variables":
        return dataset.drop_vars(list(dataset.data_vars))
    if odd.container == "only text":
        return dataset.assign({name: dataset[name].astype(str)})
    if odd.container == "coordinate":
        return dataset.set_coords(name)
    return dataset


# ── the draw ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_PRIMES = st.sampled_from((1, 2, 3, 4, 5, 6, 7, 8, 11, 13))

ODDITIES = {
    "sizes": st.tuples(_PRIMES, _PRIMES, _PRIMES)
    | st.sampled_from(((0, 4, 4), (4, 0, 4), (2, 2, 2), (49, 2, 2))),
    "order": st.permutations((0, 1, 2)).map(tuple),
    "names": st.sampled_from(sorted(NAMES)),
    "grid": st.sampled_from(sorted(GRIDS)),
    "times": st.sampled_from(sorted(TIMES)),
    "bounds": st.sampled_from(BOUNDS),
    "quantity": st.sampled_from(sorted(QUANTITIES)),
    "attrs": st.lists(st.sampled_from(sorted(ATTRS)), min_size=1, max_size=2, unique=True).map(tuple),
    "dtype": st.sampled_from(DTYPES),
    "values": st.sampled_from(VALUES),
    "mask": st.sampled_from(MASKS),
    "marker": st.sampled_from(sorted(MARKERS)),
    "extra": st.sampled_from(EXTRAS),
    "container": st.sampled_from(CONTAINERS),
    "chunks": st.sampled_from(CHUNKS[1:]),
    "by": st.sampled_from(BY) | st.sampled_from(ODD_BY),
    "options": st.integers(0, len(OPTIONS) - 1),
}


@st.composite
def odd_fields(draw):
    """Descriptions with up to five oddities on a grid, in a calendar and of a quantity that are in order."""
    plain = {
        "grid": draw(
            st.sampled_from(
                ("metres", "sphere", "sphere southwards", "no labels", "single precision", "curvilinear")
            )
        ),
        "times": draw(st.sampled_from(("hours", "days", "noleap", "360_day", "none"))),
        "quantity": draw(st.sampled_from(("rain rate", "rain flux", "temperature", "said sum"))),
        "chunks": draw(st.sampled_from((None, None, (2, 3, 5)))),
        "container": draw(st.sampled_from(("array", "array", "dataset"))),
        "by": draw(st.sampled_from(((1, 2, 2), (2, 2, 2), (2, 1, 1), (3, 3, 4)))),
        "method": draw(st.sampled_from(METHODS)),
        "seed": draw(st.integers(0, 99)),
    }
    which = draw(st.lists(st.sampled_from(sorted(ODDITIES)), max_size=5, unique=True))
    return Odd(**plain | {name: draw(ODDITIES[name]) for name in which})
