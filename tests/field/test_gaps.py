from __future__ import annotations

import cftime
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support import rain
from xdownscale.errors import TimeAxisError
from xdownscale.field.gaps import check_gaps, contiguous, take
from xdownscale.field.times import noted_step, tick_step

MINUTE = 60 * 10**9


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    missing=st.lists(st.integers(1, 9), min_size=3),
)
def test_pieces_cover_every_step_once_and_are_regular(lengths, missing):
    lengths = [6, *lengths]
    starts = np.cumsum([0, *(n + gap for n, gap in zip(lengths[:-1], missing + missing, strict=False))])
    order = np.concatenate([start + np.arange(n) for start, n in zip(starts, lengths, strict=False)])
    lengths = lengths[: len(starts)]
    field = rain((int(order.max()) + 1, 1, 1)).isel(time=order)
    parts = contiguous(field, "time")
    assert [part.stop - part.start for part in parts] == lengths
    for part in parts:
        assert tick_step(take(field, "time", part), "time") == 5 * MINUTE


def test_without_gaps_there_is_one_piece_and_without_times_too():
    assert contiguous(rain(), "time") == [slice(0, 6)]
    assert contiguous(rain().drop_vars("time"), "time") == contiguous(rain(), None) == [slice(None)]
    assert take(rain(), None, slice(None)).identical(rain())


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
def test_the_end_of_february_is_no_gap_in_a_calendar_without_it(calendar):
    days = [0, 1, 2, 3, 5, 6]
    times = cftime.num2date(days, "days since 2004-02-27", calendar)
    field = xr.DataArray(np.zeros(6), coords={"time": times})
    assert contiguous(field, "time") == [slice(0, 4), slice(4, 6)]


def test_float32_hours_have_no_gaps():
    jitter = np.array([0, 3, -2, 1, 0, 2]) * np.timedelta64(100, "us")
    assert contiguous(rain().assign_coords(time=rain().time + jitter), "time") == [slice(0, 6)]


def test_a_lone_step_is_told_its_length_and_the_field_is_not_modified():
    field = rain().isel(time=[0, 1, 2, 5])
    before = field.copy(deep=True)
    alone = take(field, "time", slice(3, 4))
    assert noted_step(alone, "time") == 5 * MINUTE
    assert alone.time.attrs["standard_name"] == "time"
    xr.testing.assert_identical(field, before)


def test_a_noted_width_tells_pieces_of_one_step_from_longer_steps():
    field = rain()
    field.time.attrs["cell_width"] = "240 s"
    with pytest.warns(UserWarning, match=r"no two steps along 'time' touch.*0\.8 of the distance"):
        assert len(contiguous(field, "time")) == 6
    field.time.attrs["cell_width"] = "900 s"
    assert len(contiguous(field, "time")) == 1


@pytest.mark.parametrize(("order", "fix"), [([3, 2, 1, 0], "sortby"), ([0, 1, 1, 2], "drop_duplicates")])
def test_times_that_do_not_increase_are_refused(order, fix):
    with pytest.raises(TimeAxisError, match=fix):
        contiguous(rain().isel(time=order), "time")


def test_a_step_that_is_too_short_is_no_gap():
    field = rain((9, 1, 1)).isel(time=[0, 2, 4, 5, 7])
    with pytest.raises(TimeAxisError, match=r"too short after index 2.*0\.5 steps of 600 s.*resample"):
        contiguous(field, "time")


def test_an_unknown_word_is_refused():
    with pytest.raises(TimeAxisError, match="Pass one of"):
        check_gaps("bridge")
