from __future__ import annotations

import cftime
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support import rain
from xdownscale.errors import TimeAxisError
from xdownscale.field.times import coarsen_times, refine_times, tick_step, time_index


def axis(times, *, bounds=None):
    dataset = xr.Dataset(coords={"time": ("time", times)})
    if bounds is not None:
        dataset["time"].attrs["bounds"] = "time_bounds"
        dataset = dataset.assign_coords(time_bounds=(("time", "nv"), bounds))
    return dataset


def starts(count, *, step=300, unit="ns"):
    return (np.datetime64("2001-02-27", "s") + np.arange(count) * np.timedelta64(step, "s")).astype(
        f"M8[{unit}]"
    )


def calendars():
    return [
        cftime.num2date(np.arange(12) * 6, "hours since 2001-02-27", name) for name in ("noleap", "360_day")
    ]


def rebuilt(coords):
    return xr.Dataset(coords=coords)


@given(
    factor=st.integers(1, 6),
    blocks=st.integers(1, 4),
    position=st.sampled_from([0.0, 0.5, 1.0]),
    unit=st.sampled_from(["ns", "us", "s"]),
)
def test_refining_undoes_coarsening_for_any_convention_of_labels(factor, blocks, position, unit):
    left = starts(factor * blocks, unit=unit)
    step = np.timedelta64(300, "s")
    fine = axis(left + step * position, bounds=np.stack([left, left + step], axis=1))
    coarse = rebuilt(coarsen_times(fine, "time", factor))
    back = rebuilt(refine_times(coarse, "time", factor))
    np.testing.assert_array_equal(back.time.values, fine.time.values)
    np.testing.assert_array_equal(back.time_bounds.values, fine.time_bounds.values)
    np.testing.assert_array_equal(coarse.time_bounds.values[:, 0], left[::factor])


@pytest.mark.parametrize("times", calendars(), ids=["noleap", "360_day"])
def test_refining_undoes_coarsening_in_other_calendars(times):
    fine = axis(times)
    coarse = rebuilt(coarsen_times(fine, "time", 4))
    assert coarse.time.values[1] == times[4]
    assert coarse.time_bnds.values[0, 1] == times[4]
    np.testing.assert_array_equal(refine_times(coarse, "time", 4)["time"].values, times)


def test_a_field_cannot_carry_bounds_so_its_labels_say_where_they_stand():
    left = starts(6)
    step = np.timedelta64(300, "s")
    dataset = axis(left + step, bounds=np.stack([left, left + step], axis=1)).assign(
        rain=("time", np.zeros(6))
    )
    coarse = rebuilt(coarsen_times(dataset, "time", 3)).assign(rain=("time", np.zeros(2)))["rain"]
    assert "time_bounds" not in coarse.coords
    fine = refine_times(coarse, "time", 3)
    np.testing.assert_array_equal(fine["time"].values, left + step)
    assert set(fine) == {"time"}
    assert "bounds" not in fine["time"].attrs


def test_one_step_alone_keeps_its_length():
    coarse = coarsen_times(rain(), "time", 6)
    alone = xr.DataArray([0.0], dims="time", coords=coarse)
    np.testing.assert_array_equal(refine_times(alone, "time", 6)["time"].values, rain().time.values)


def test_one_label_without_a_length_is_refused():
    with pytest.raises(TimeAxisError, match=r"cell_width.*900 s"):
        refine_times(rain()[:1], "time", 3)
    assert tick_step(rain()[:1], "time") is None
    assert coarsen_times(rain()[:1], "time", 1) == {}


def test_sampling_keeps_the_labels_of_the_frames():
    coords = coarsen_times(axis(starts(6), bounds=np.stack([starts(6)] * 2, axis=1)), "time", 3, point=True)
    np.testing.assert_array_equal(coords["time"].values, starts(6)[::3])
    assert set(coords) == {"time"}


def test_bounds_of_no_width_are_those_of_snapshots():
    fine = axis(starts(6), bounds=np.stack([starts(6)] * 2, axis=1))
    np.testing.assert_array_equal(coarsen_times(fine, "time", 3)["time"].values, starts(6)[::3])


def test_a_step_that_seconds_do_not_hold_gets_a_finer_unit():
    fine = refine_times(axis(starts(2, step=1, unit="s")), "time", 2)["time"].values
    assert np.diff(fine)[0] == np.timedelta64(500, "ms")


def test_a_gap_is_located_and_the_way_out_is_named():
    with pytest.raises(
        TimeAxisError, match=r"gap after index 2: 2020-07-01T12:10.*2 steps of 300 s.*slice\(0, 3\)"
    ):
        tick_step(rain().isel(time=[0, 1, 2, 4, 5]), "time")


@pytest.mark.parametrize("order", [[0, 1, 1, 2], [3, 2, 1, 0]])
def test_times_that_do_not_increase_are_refused(order):
    with pytest.raises(TimeAxisError, match="sortby"):
        tick_step(rain().isel(time=order), "time")


def test_numbers_are_not_times():
    with pytest.raises(TimeAxisError, match="decode_cf"):
        tick_step(xr.DataArray([0.0, 0.0], dims="time", coords={"time": [0, 1]}), "time")


def test_lead_times_are_times():
    lead = xr.DataArray(np.zeros(4), dims="step", coords={"step": np.arange(4) * np.timedelta64(3600, "s")})
    assert tick_step(lead, "step") == 3600 * 10**6 or tick_step(lead, "step") == 3600 * 10**9


def test_no_coordinate_no_labels():
    field = rain().drop_vars("time")
    assert coarsen_times(field, "time", 3) == refine_times(field, "time", 3) == {}
    assert time_index(field, "time", 300) == 0


@given(first=st.integers(0, 40), factor=st.integers(1, 5))
def test_a_later_start_moves_the_index_by_the_steps_between(first, factor):
    whole = rain((60, 1, 1))
    step = tick_step(whole, "time")
    part = whole.isel(time=slice(first, None))
    assert time_index(part, "time", step) - time_index(whole, "time", step) == first


def test_float32_hours_are_regular_enough():
    jitter = np.array([0, 3, -2, 1, 0, 2]) * np.timedelta64(100, "us")
    field = rain().assign_coords(time=rain().time + jitter)
    assert tick_step(field, "time") is not None
