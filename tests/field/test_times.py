from __future__ import annotations

import cftime
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support import rain
from xdownscale.errors import TimeAxisError
from xdownscale.field.times import (
    JITTER,
    as_timedelta,
    coarsen_times,
    noted_step,
    notes_of_bounds,
    refine_times,
    tick_step,
    time_index,
    to_ticks,
    usual_step,
)


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


@pytest.mark.parametrize("share", [0.0, 0.0009, 0.0011, 0.5])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_label_may_be_off_by_a_thousandth_of_a_step(share, sign):
    times = starts(6, step=1000)
    times[3] += np.timedelta64(int(sign * share * 1e12), "ns")  # both of its steps change
    if share <= JITTER:
        assert tick_step(axis(times), "time") == 1000 * 10**9
        return
    with pytest.raises(TimeAxisError, match="too short after index") as caught:
        tick_step(axis(times), "time")
    assert f"index {2 if sign < 0 else 3}:" in str(caught.value)


def test_the_usual_step_is_the_most_frequent_one():
    assert usual_step(np.array([600, 300, 300, 900, 300, 600])) == 300
    assert usual_step(np.array([300, 600, 600])) == 600


def test_the_first_gap_is_named_with_its_length_and_the_call_that_mends_it():
    field = rain((9, 1, 1)).isel(time=[0, 1, 2, 5, 6, 8])
    with pytest.raises(TimeAxisError, match=r"gap after index 2: .*12:10.* to .*12:25.* is 3 steps of 300 s"):
        tick_step(field, "time")
    assert tick_step(field.resample(time="300s").asfreq(), "time") == 300 * 10**9
    short = rain((9, 1, 1)).isel(time=[0, 2, 4, 6, 7])
    with pytest.raises(TimeAxisError, match=r"too short after index 3: .*12:30.* is 0.5 steps of 600 s"):
        tick_step(short, "time")


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_ticks_count_from_1970_and_lead_back(unit):
    times = np.array(["1970-01-01T00:00:01", "1969-12-31T23:59:59"], f"M8[{unit}]")
    ticks, decode, tick = to_ticks(times)
    second = 10**9 if unit == "ns" else 10**6
    assert (ticks.tolist(), tick) == ([second, -second], "ns" if unit == "ns" else "us")
    back = decode(ticks)
    assert back.dtype == times.dtype
    np.testing.assert_array_equal(back, times)
    assert decode(ticks + second // 2).dtype != times.dtype or unit != "s"


def test_ticks_of_other_calendars_count_in_their_calendar():
    times = cftime.num2date([0, 59], "days since 1970-01-01", "noleap")
    ticks, decode, tick = to_ticks(times)
    assert (ticks.tolist(), tick) == ([0, 59 * 86_400 * 10**6], "us")
    assert decode(ticks).tolist() == times.tolist()


@pytest.mark.parametrize("position", [0.0, 0.5, 1.0])
def test_bounds_are_the_same_whichever_side_labels_stand_on(position):
    """Left, centre, right: after merging three steps, and after splitting them again in six."""
    left, step = starts(6), np.timedelta64(300, "s")
    labels = left + (step * position).astype("m8[ns]")
    coarse = rebuilt(coarsen_times(axis(labels, bounds=np.stack([left, left + step], 1)), "time", 3))
    np.testing.assert_array_equal(coarse.time_bounds, np.stack([left[::3], left[::3] + 3 * step], 1))
    np.testing.assert_array_equal(coarse.time, left[::3] + (3 * step * position).astype("m8[ns]"))
    assert coarse.time.attrs["cell_width"] == "900 s"
    assert coarse.time.attrs.get("cell_position", 0.0) == position
    fine = rebuilt(refine_times(coarse, "time", 6))
    half = step // 2
    np.testing.assert_array_equal(fine.time_bounds.values[:, 0], left[0] + half * np.arange(12))
    np.testing.assert_array_equal(fine.time_bounds.values[:, 1], left[0] + half * np.arange(1, 13))
    np.testing.assert_array_equal(fine.time, fine.time_bounds[:, 0] + (half * position).astype("m8[ns]"))
    assert fine.time.attrs["cell_width"] == "150 s"


def test_labels_say_where_they_stand_as_attributes_without_bounds():
    """Centre: merged and split again from the attribute alone."""
    labels = starts(6) + np.timedelta64(150, "s")
    field = axis(labels)
    field["time"].attrs["cell_position"] = 0.5
    coarse = rebuilt(coarsen_times(field, "time", 3))
    np.testing.assert_array_equal(coarse.time, starts(2, step=900) + np.timedelta64(450, "s"))
    np.testing.assert_array_equal(refine_times(coarse, "time", 3)["time"].values, labels)


def test_splitting_a_step_that_the_factor_does_not_divide_loses_no_time():
    fine = rebuilt(refine_times(axis(starts(3, step=1)), "time", 7))
    edges = fine.time_bnds.values
    np.testing.assert_array_equal(edges[1:, 0], edges[:-1, 1])
    np.testing.assert_array_equal(edges[[0, 7, 14], 0], starts(3, step=1))
    widths = np.diff(edges, axis=1).astype(int)
    assert set(widths.ravel()) <= {142_857_142, 142_857_143}


@pytest.mark.parametrize("position", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("unit", ["ns", "us"])
def test_the_index_counts_steps_since_1970_whichever_side_labels_stand_on(position, unit):
    step = np.timedelta64(300, "s")
    left = np.array(["1970-01-01T00:10", "1970-01-01T00:15"], f"M8[{unit}]")
    field = axis(left + (step * position), bounds=np.stack([left, left + step], 1))
    assert time_index(field, "time", tick_step(field, "time")) == 2
    for off in (-0.7, -0.3, 0.3, 0.7):  # a quarter of a step more than whole ones is the edge of rounding
        moved = axis(left + np.timedelta64(int(300e6 * off), "us").astype(f"m8[{unit}]"))
        assert time_index(moved, "time", tick_step(moved, "time")) == np.floor(2 + off + 0.25)


def test_a_lone_step_has_the_length_of_its_bounds_or_of_its_note():
    left, step = starts(1), np.timedelta64(300, "s")
    assert tick_step(axis(left, bounds=np.stack([left, left + step], 1)), "time") == 300 * 10**9
    noted = axis(starts(1, unit="us"))
    noted["time"].attrs["cell_width"] = "900 s"
    assert noted_step(noted, "time") == 900 * 10**6
    assert noted_step(axis(left), "time") is None
    assert noted_step(axis(left, bounds=np.stack([left, left], 1)), "time") is None
    assert as_timedelta(900 * 10**6, starts(1, unit="us")) == np.timedelta64(900, "s")
    assert as_timedelta(300 * 10**9, left) == np.timedelta64(300, "s")


def test_notes_of_bounds_are_what_a_field_needs_to_know_of_them():
    left, step = starts(4), np.timedelta64(300, "s")
    bounds = np.stack([left, left + step], 1)
    assert notes_of_bounds(axis(left, bounds=bounds), "time") == {"cell_width": "300 s"}
    right = notes_of_bounds(axis(left + step, bounds=bounds), "time")
    assert right == {"cell_width": "300 s", "cell_position": 1.0}
    centre = notes_of_bounds(axis(left + step / 2, bounds=bounds), "time")
    assert centre == {"cell_width": "300 s", "cell_position": 0.5}
    assert notes_of_bounds(axis(left), "time") == {}
    assert notes_of_bounds(axis(left, bounds=np.stack([left, left], 1)), "time") == {}


@pytest.mark.parametrize(("off", "even"), [(270, True), (330, False)])
def test_labels_may_be_off_by_a_thousandth_of_a_step(off, even):
    """Of 300 s: 270 ms are rounding of the file, 330 ms are not."""
    seconds = 1000 * 300 * np.arange(6)
    seconds[2:] += off
    times = np.datetime64("2020-01-01", "ns") + seconds * np.timedelta64(1, "ms")
    field = xr.DataArray(np.zeros(6), coords={"time": times})
    if even:
        assert tick_step(field, "time") == 300 * 10**9
    else:
        with pytest.raises(TimeAxisError):
            tick_step(field, "time")
