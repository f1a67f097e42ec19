"""Where labels stand in their steps: notes in numbers and words, and the step type of GRIB."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import rain
from xdownscale.errors import TimeAxisError
from xdownscale.field.position import position_of

HOUR = np.timedelta64(60, "m")


def tp(shape=(6, 4, 4), *, step=60, name="valid_time", **attrs):
    """Hourly amounts as the CDS writes them."""
    field = rain(shape, dims=(name, "y", "x"), step=step).rename("tp") / 1000
    return field.drop_attrs(deep=False).assign_attrs(units="m", GRIB_stepType="accum", **attrs)


def placed(field, position, dim="valid_time"):
    label = field[dim]
    return field.assign_coords({dim: label.assign_attrs(cell_position=position)})


@pytest.mark.parametrize(
    ("said", "position"),
    [
        ("start", 0),
        ("left", 0),
        ("middle", 0.5),
        ("center", 0.5),
        ("centre", 0.5),
        ("End", 1),
        ("right", 1),
        ("0.5", 0.5),
    ]
    + [(number, number) for number in (0, 0.25, 1.0, np.float32(1))],
)
def test_a_note_is_a_number_or_a_word(said, position):
    field = placed(tp(), said)
    assert position_of(field, "valid_time", 3600) == (position, "cell_position")
    coarse = field.sr.coarsen(temporal=3)
    assert coarse.valid_time[0] == field.valid_time[0] + round(position * 120) * np.timedelta64(1, "m")


@pytest.mark.parametrize("said", ["ends", "nan", "", None, [0.5, 1.0]])
def test_another_word_is_refused_with_those_that_are_accepted(said):
    field = placed(tp(), said)
    with pytest.raises(TimeAxisError, match=r"'start', 'left', .*'right'") as caught:
        field.sr.coarsen(temporal=3)
    exec(str(caught.value).partition("for example ")[2].rstrip("."), {"field": field})
    assert field.sr.coarsen(temporal=3).valid_time[0] == field.valid_time[2]


def test_hours_of_an_accumulation_end_at_their_labels():
    """The first label is 12:00: the hour from 11:00, whose last quarter ends at 12:00."""
    field = tp()
    assert "6 steps of 3600 s, labels at their end (GRIB_stepType 'accum')" in repr(field.sr)
    fine = field.sr.interpolate(temporal=4)
    assert fine.valid_time[0] == field.valid_time[0] - 3 * HOUR / 4
    assert fine.valid_time[3] == field.valid_time[0]
    coarse = field.sr.coarsen(temporal=3)
    np.testing.assert_array_equal(coarse.valid_time, field.valid_time[2::3])
    assert coarse.valid_time.attrs["cell_position"] == 1.0
    days = field.sr.coarsen(temporal=6).assign_attrs(
        GRIB_stepType="avgua"
    )  # the note holds without the step type
    np.testing.assert_array_equal(days.sr.interpolate(temporal=6).valid_time, field.valid_time)


def test_a_dataset_of_accumulations_gets_the_bounds_of_its_hours():
    field = tp()
    coarse = field.to_dataset().assign(cp=field / 2).sr.coarsen(temporal=3)
    edges = coarse.valid_time_bnds.values
    np.testing.assert_array_equal(edges[:, 1], field.valid_time[2::3])
    assert edges[0, 0] == field.valid_time.values[0] - HOUR


def test_what_is_said_counts_more_than_the_step_type():
    field = tp()
    starts = placed(field, "start")
    once = starts.sr.coarsen(temporal=3)
    np.testing.assert_array_equal(once.valid_time, field.valid_time[::3])
    np.testing.assert_array_equal(once.sr.interpolate(temporal=3).valid_time, field.valid_time)
    edges = np.stack([field.valid_time.values, field.valid_time.values + HOUR], axis=1)
    bounded = field.to_dataset().assign_coords(valid_time_bnds=(("valid_time", "bnds"), edges))
    assert "labels at" not in repr(bounded.sr)
    np.testing.assert_array_equal(bounded.sr.coarsen(temporal=3).valid_time, field.valid_time[::3])


@pytest.mark.parametrize(
    "field",
    [
        tp().assign_attrs(GRIB_stepType="instant"),
        tp().assign_attrs(GRIB_stepType="avgua"),
        tp(step=1440),
        tp().assign_coords(valid_time=tp().valid_time.assign_attrs(standard_name="forecast_reference_time")),
    ],
    ids=["instant", "month", "days, which have the attributes of hours", "start of the forecast"],
)
def test_other_labels_stay_at_the_start(field):
    np.testing.assert_array_equal(field.sr.coarsen(temporal=3).valid_time, field.valid_time[::3])


def test_fields_whose_labels_mean_different_times_are_told_apart():
    field = tp()
    both = xr.Dataset({"tp": field, "t2m": (field + 280).assign_attrs(units="K", GRIB_stepType="instant")})
    with pytest.warns(UserWarning, match=r"ends of the steps of \['tp'\].*dataset\[\['tp'\]\]"):
        coarse = both.sr.coarsen(temporal=3)
    np.testing.assert_array_equal(coarse.valid_time, field.valid_time[::3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both.sr.coarsen(2)
        placed(both, "end").sr.coarsen(temporal=3)
        alone = both[["tp"]].sr.coarsen(temporal=3)
    np.testing.assert_array_equal(alone.valid_time, field.valid_time[2::3])


def test_members_of_an_accumulation_are_those_of_the_steps_that_it_covers():
    """Hours by their ends, and the same hours by their starts, have the same noise."""
    ends = tp((2, 4, 4), name="time").assign_attrs(units="mm")
    starts = ends.assign_coords(time=ends.time - HOUR).assign_attrs(GRIB_stepType="whatever")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = (xdownscale.downscale(each, spatial=2, temporal=4, seed=3) for each in (ends, starts))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one.time, other.time + HOUR / 4)
