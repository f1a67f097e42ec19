"""What a field measures: read from whole names, units and attributes together, in a fixed order."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xdownscale
from tests.support import rain
from xdownscale.field import names as known
from xdownscale.field.quantity import quantity_of, read_quantity
from xdownscale.field.units import to_units

AMOUNTS, RATES = (
    ("mm", "m", "kg m-2", "inch", "m of water equivalent"),
    ("mm h-1", "kg m-2 s-1", "m s-1", "mm/day"),
)
MOVING = sorted(known.PRECIPITATION_NAMES | known.WATER_NAMES)


def read(name=None, **attrs):
    return read_quantity(name, attrs)


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_standard_names_are_in_the_cf_table():
    checker = pytest.importorskip("compliance_checker")
    table = Path(checker.__file__).parent / "data" / "cf-standard-name-table.xml"
    root = ET.parse(table).getroot()
    names = {entry.get("id") for entry in root}
    units = {entry.get("id"): entry.findtext("canonical_units") for entry in root.iter("entry")}
    ours = known.PRECIPITATION_NAMES | known.WATER_NAMES | known.CLASS_NAMES | known.PER_STEP_NAMES
    subjects = {name for name in known.SUBJECTS.values() if name != known.PRECIPITATION}
    assert not (ours | subjects) - names
    for name in known.PRECIPITATION_NAMES | known.WATER_NAMES:
        assert units.get(name, "m") in {"m", "kg m-2", "m s-1", "kg m-2 s-1"}, name


def test_states_of_the_cf_table_are_averaged_and_amounts_over_a_step_are_listed():
    checker = pytest.importorskip("compliance_checker")
    table = Path(checker.__file__).parent / "data" / "cf-standard-name-table.xml"
    for entry in ET.parse(table).getroot().iter("entry"):
        name, units = entry.get("id"), entry.findtext("canonical_units") or "1"
        if units not in {"m", "kg m-2"} or name is None:
            continue
        found = read_quantity("x", {"standard_name": name, "units": units})
        moving = name in known.PRECIPITATION_NAMES | known.WATER_NAMES or name.startswith(
            known.PER_STEP_WORDS
        )
        assert found.time == ("sum" if moving else "mean"), name


@given(name=st.sampled_from(MOVING), units=st.sampled_from(AMOUNTS + RATES))
def test_units_tell_amounts_and_rates_of_every_name_apart(name, units):
    found = read_quantity("x", {"standard_name": name, "units": units})
    assert found.time == ("sum" if units in AMOUNTS else "mean")
    assert found.precipitation == (name in known.PRECIPITATION_NAMES)
    assert found.barred is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("precipitation_amount", "sum"), ("rainfall_rate", "mean"), ("precipitation_flux", "mean")],
)
def test_without_units_the_standard_name_tells(name, expected):
    assert read("x", standard_name=name).time == expected


@pytest.mark.parametrize("name", ["rain", "tp", "pr", "RRR", "precipitationCal"])
def test_precipitation_by_name_alone_may_be_either(name):
    assert read(name).precipitation
    assert read(name).time == "unknown"
    assert read(name, units="mm").time == "sum"
    assert read(name, units="mm/hr").time == "mean"


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("pwat", {"units": "kg m-2", "long_name": "Precipitable water"}),
        ("dm", {"units": "mm", "long_name": "mass-weighted mean raindrop diameter"}),
        ("terrain", {"units": "m", "long_name": "terrain height"}),
        ("pr", {"units": "hPa", "long_name": "pressure"}),
        ("pr", {"units": "%", "long_name": "precipitation anomaly"}),
        ("cp", {"units": "J kg-1 K-1"}),
        ("pressure", {}),
        ("ptype", {"units": "~", "long_name": "Precipitation type"}),
        ("restraint", {"units": "1"}),
        ("x", {"units": "kg m-2", "standard_name": "atmosphere_mass_content_of_liquid_precipitation"}),
        ("x", {"units": "1", "standard_name": "mass_fraction_of_precipitation_in_air"}),
    ],
)
def test_pieces_of_words_are_no_precipitation(name, attrs):
    found = read_quantity(name, attrs)
    assert not found.precipitation
    assert found.time == "mean"


def test_a_word_for_a_missing_name_is_no_name():
    for word in ("unknown", "", "none", "Unknown"):
        assert read("tp", units="m", standard_name=word) == read("tp", units="m")
    assert read("tp", units="m", standard_name="Total precipitation").precipitation
    field = rain().rename("tp").drop_attrs(deep=False).assign_attrs(units="mm")
    assert quantity_of(field * field.y).subject in ("precipitation", None)  # attributes of axes come along


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cell_methods_come_first_then_the_step_type_then_names():
    attrs = {"units": "mm", "standard_name": "precipitation_amount"}
    assert read("x", **attrs).time == "sum"
    assert read("x", **attrs, GRIB_stepType="avg").time == "mean"
    assert read("x", **attrs, GRIB_stepType="avg", cell_methods="time: sum").time == "sum"
    assert read("RAINNC", units="mm").time == "running"
    assert read("RAINNC", units="mm", cell_methods="time: sum").time == "sum"


def test_a_rate_that_was_an_accumulation_is_averaged():
    assert read("tp", units="mm h-1", GRIB_stepType="accum").time == "mean"
    assert read("ssrd", units="W m-2", GRIB_stepType="accum").time == "mean"
    assert read("ssrd", units="J m**-2", GRIB_stepType="accum").time == "sum"
    assert read("x", units="J m-2", standard_name="surface_downwelling_shortwave_flux_in_air").time == "sum"
    assert read("x", units="J m-2", standard_name="atmosphere_energy_content").time == "mean"


def test_a_sum_in_a_rate_is_a_contradiction_unless_a_step_is_the_unit():
    days = rain((3, 4, 4), step=1440).assign_attrs(units="mm/day", cell_methods="time: sum")
    assert quantity_of(days).time == "mean"
    assert quantity_of(days.assign_attrs(units="inch day-1")).time == "mean"
    assert quantity_of(days.assign_attrs(units="mm h-1")).time == "contradiction"
    assert quantity_of(days.isel(time=[0, 2, 1])).time == "contradiction"
    assert read("prcp", units="mm/day", cell_methods="time: sum").time == "contradiction"


def test_other_statistics_are_not_merged():
    assert read("tasmax", units="K", cell_methods="time: maximum").time == "maximum"
    assert read("i10fg", units="m s-1", GRIB_stepType="max").time == "max"


def test_amounts_that_only_units_tell_of_are_not_guessed():
    assert read("x", units="mm").time == "unknown"
    assert read("x", units="mm", long_name="daily rainfall sum at gauges").time == "unknown"
    assert read("x", units="mm", long_name="leaf thickness").time == "mean"
    assert read("x", units="K").time == "mean"
    assert read().time == "mean"


# ── values without a mean ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "attrs", "expected"),
    [
        ("landuse", {"flag_values": [1, 7], "flag_meanings": "water forest"}, "class"),
        ("quality", {"flag_masks": [1, 2], "flag_meanings": "a b"}, "class"),
        ("x", {"standard_name": "area_type"}, "class"),
        ("x", {"standard_name": "rainfall_rate status_flag"}, "class"),
        ("x", {"standard_name": "quality_flag"}, "class"),
        ("ptype", {"units": "~"}, "class"),
        ("x", {"units": "(Code table 4.201)"}, "class"),
        ("LU_INDEX", {"units": ""}, "class"),
        ("x", {"standard_name": "wind_from_direction", "units": "degree"}, "direction"),
        ("mwd", {"units": "Degree true", "standard_name": "unknown"}, "direction"),
        ("wd", {"units": "degrees"}, "direction"),
        ("x", {"standard_name": "cell_area", "units": "m2"}, "total"),
        ("areacella", {"units": "m2", "cell_methods": "area: sum"}, "total"),
        ("population", {}, "total"),
        ("x", {"units": "1", "cell_methods": "lat: lon: sum"}, "total"),
        ("wd", {"units": "m"}, None),
        ("population", {"units": "km-2"}, None),
        ("x", {"standard_name": "sea_surface_wave_directional_spread", "units": "degree"}, None),
        ("x", {"standard_name": "sea_ice_area_fraction", "units": "1"}, None),
        ("tas", {"units": "K", "cell_methods": "area: mean time: sum"}, None),
    ],
)
def test_values_without_a_mean(name, attrs, expected):
    assert read_quantity(name, attrs).barred == expected


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_field_says_what_was_decided_and_why():
    field = rain().rename("tp").assign_attrs(units="m", standard_name="unknown", GRIB_stepType="accum")
    assert "precipitation, added over time: GRIB_stepType 'accum'" in repr(field.sr)
    assert "rate" in repr(rain().sr)
    assert "class (no mean over cells), by flag_values" in repr(rain().assign_attrs(flag_values=[1]).sr)


def test_lazy_values_are_not_looked_at():
    lazy = rain().chunk(time=1).assign_attrs(units="mm")
    assert quantity_of(lazy) == quantity_of(lazy.compute())


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    source=st.sampled_from(AMOUNTS + RATES),
    target=st.sampled_from(AMOUNTS + RATES),
    name=st.sampled_from(
        ["rainfall_rate", "precipitation_amount", "water_evapotranspiration_flux", "runoff_amount"]
    ),
    said=st.booleans(),
    seed=st.integers(0, 3),
)
def test_a_conversion_to_other_units_commutes_with_coarsening(source, target, name, said, seed):
    attrs = {"units": source, "standard_name": name}
    attrs |= {"cell_methods": f"time: {'sum' if source in AMOUNTS else 'mean'}"} if said else {}
    field = rain((6, 8, 8), seed=seed).drop_attrs(deep=False).assign_attrs(attrs)
    first = to_units(xdownscale.coarsen(field, 4, 3), target)
    last = xdownscale.coarsen(to_units(field, target), 4, 3)
    np.testing.assert_allclose(first.values, last.values, rtol=1e-9)
    assert quantity_of(first).time == quantity_of(last).time


@given(name=st.sampled_from(MOVING), units=st.sampled_from(AMOUNTS + RATES))
def test_what_was_coarsened_is_the_same_quantity(name, units):
    field = rain((6, 8, 8)).assign_attrs(units=units, standard_name=name)
    coarse = xdownscale.coarsen(field, 4, 3)
    assert quantity_of(coarse).time == quantity_of(field).time
    assert quantity_of(coarse).subject == quantity_of(field).subject


def test_an_empty_name_means_nothing():
    assert read_quantity(None, {}).subject is None
    assert (
        quantity_of(xr.DataArray(0.0)).told()
        == "quantity not named, averaged over time: nothing says that these are amounts"
    )
