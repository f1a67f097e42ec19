"""Forecasts with start and lead times: steps follow each other along the lead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdownscale.errors import TimeAxisError
from xdownscale.field.axes import find_axes


def forecasts(*, named=True, starts=6, leads=6):
    start, lead = pd.date_range("2020-01-01", periods=starts), pd.to_timedelta(np.arange(1, leads + 1), "h")

    def attrs(name):
        return {"standard_name": name} if named else {}

    return xr.DataArray(
        np.random.default_rng(0).random((starts, leads, 4, 4)),
        dims=("time", "step", "latitude", "longitude"),
        coords={
            "time": ("time", start, attrs("forecast_reference_time")),
            "step": ("step", lead, attrs("forecast_period")),
            "valid_time": (("time", "step"), start.values[:, None] + lead.values, attrs("time")),
            "latitude": 50 - np.arange(4.0),
            "longitude": np.arange(4.0),
        },
        name="t2m",
        attrs={"units": "K"},
    )


@pytest.mark.parametrize("named", [True, False])
def test_steps_are_merged_along_the_lead_for_every_start(named):
    field = forecasts(named=named)
    coarse = field.sr.coarsen(1, 3)
    assert dict(coarse.sizes) == {"time": 6, "step": 2, "latitude": 4, "longitude": 4}
    np.testing.assert_allclose(coarse[:, 0], field[:, :3].mean("step"))
    np.testing.assert_array_equal(coarse.valid_time, field.valid_time[:, ::3])
    back = coarse.sr.interpolate(1, 3)
    for name in ("time", "step", "valid_time"):
        np.testing.assert_array_equal(back[name], field[name])


def test_the_user_may_name_the_starts():
    coarse = forecasts().sr.coarsen(1, 3, dims={"time": "time"})
    assert (coarse.sizes["time"], coarse.sizes["step"]) == (2, 6)


def test_one_lead_alone_is_no_axis():
    assert find_axes(forecasts(leads=1)).time == "time"
    assert find_axes(forecasts().isel(step=0)).time == "time"
    assert find_axes(forecasts().isel(time=0)).time == "step"


def test_start_times_stay_where_leads_are_split():
    one = (
        forecasts().isel(time=0).assign_coords(start=("step", np.full(6, np.datetime64("2020-01-01", "ns"))))
    )
    back = one.sr.coarsen(1, 3).sr.interpolate(1, 3)
    np.testing.assert_array_equal(back.start, one.start)
    np.testing.assert_array_equal(back.valid_time, one.valid_time)


def test_leads_as_numbers_are_turned_into_times_by_the_call_of_the_message():
    field = (
        forecasts()
        .drop_vars("valid_time")
        .assign_coords(step=("step", np.arange(1, 7) * 0.5, {"units": "hours"}))
    )
    with pytest.raises(TimeAxisError, match="time differences") as caught:
        field.sr.coarsen(1, 3)
    call = str(caught.value).split("time differences, ")[1].split(", or remove")[0]
    mended = eval(call, {"field": field, "numpy": np})
    assert mended.step.values[1] == np.timedelta64(1, "h")
    assert mended.sr.coarsen(1, 3).sizes["step"] == 2


def test_amounts_become_rates_by_the_length_of_a_lead():
    from xdownscale.field.units import to_units

    rain = forecasts().rename("tp").assign_attrs(units="mm")
    np.testing.assert_allclose(to_units(rain, "mm h-1"), rain)
