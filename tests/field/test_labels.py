"""The label of a dimension need not have its name."""

from __future__ import annotations

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdownscale
from tests.support import globe, rain
from xdownscale.errors import DimensionError, TimeAxisError
from xdownscale.field.labels import label_of


def weather_model(steps=6, *, moving=0.0):
    """Fields as WRF writes them: times, latitudes and longitudes beside the dimensions, across the date line."""
    dims = ("Time", "south_north", "west_east")
    lat, lon = np.linspace(-20, -18, 8), np.linspace(178.8, 180.2, 8)
    shift = moving * np.arange(steps)[:, None, None]
    shape = (steps, 8, 8)
    lat, lon = np.broadcast_to(lat[:, None] + shift, shape), np.broadcast_to(lon + shift, shape)
    return xr.DataArray(
        np.random.default_rng(0).random(shape).astype("f4"),
        dims=dims,
        coords={
            "XTIME": ("Time", pd.date_range("2020-01-01", periods=steps, freq="h")),
            "XLAT": (dims, lat, {"units": "degree_north"}),
            "XLONG": (dims, (lon + 180) % 360 - 180, {"units": "degree_east"}),
        },
        name="T2",
        attrs={"units": "K"},
    )


def test_coordinates_over_time_y_and_x_go_over_the_sphere():
    field = weather_model()
    coarse = field.sr.coarsen(4, 3)
    np.testing.assert_allclose(coarse.XLONG[0, 0], [179.1, 179.9])
    assert coarse.XLAT.dims == field.XLAT.dims
    back = coarse.sr.interpolate(4, 3)
    np.testing.assert_allclose(back.XLAT[0, :, 0], field.XLAT[0, :, 0], atol=1e-3)
    np.testing.assert_array_equal(back.XTIME, field.XTIME)


def test_a_moving_nest_has_the_mean_place_of_its_steps():
    field = weather_model(moving=0.3)
    coarse = field.sr.coarsen(4, 3)
    np.testing.assert_allclose(coarse.XLAT[0, 0, 0], float(field.XLAT[:3, :4, :4].mean()), atol=1e-3)


def test_times_beside_the_dimension_are_its_label():
    field = weather_model()
    assert label_of(field, "Time") == "XTIME"
    coarse = field.sr.coarsen(1, 3)
    np.testing.assert_array_equal(coarse.XTIME, field.XTIME[::3])
    assert coarse.XTIME.attrs["cell_width"] == "10800 s"


def test_a_gap_in_them_is_mended_by_the_calls_of_the_message():
    field = weather_model(9).isel(Time=[0, 1, 2, 4, 5, 6, 8])
    with pytest.raises(
        TimeAxisError, match=r"field.swap_dims\(Time='XTIME'\).resample\(XTIME='3600s'\).asfreq\(\)"
    ):
        field.sr.coarsen(2, 3)
    filled = field.drop_vars(["XLAT", "XLONG"]).swap_dims(Time="XTIME").resample(XTIME="3600s").asfreq()
    assert filled.sr.coarsen(2, 3).sizes["XTIME"] == 3


def test_latitudes_beside_the_dimension_weigh_rows():
    field = globe().to_dataset().rename(lat="nlat", lon="nlon").rename_vars(nlat="lat", nlon="lon").tas
    assert "nlat" not in field.coords
    coarse = field.sr.coarsen(3)
    np.testing.assert_allclose(coarse.values, globe().sr.coarsen(3).values)
    np.testing.assert_allclose(coarse.lat.values, globe().sr.coarsen(3).lat.values)
    np.testing.assert_allclose(coarse.sr.interpolate(3).lat.values, globe().lat.values)


def test_two_coordinates_that_could_be_the_label_are_none():
    field = xr.DataArray(np.zeros(3), dims="n", coords={"lat": ("n", [1.0, 2, 3]), "lon": ("n", [1.0, 2, 3])})
    assert label_of(field, "n") is None
    assert label_of(field.drop_vars("lat"), "n") == "lon"


def test_longitudes_beside_the_dimension_pass_the_date_line():
    line = (178.8 + 0.2 * np.arange(8) + 180) % 360 - 180
    field = rain((2, 4, 8)).assign_coords(lon=("x", line, {"units": "degrees_east"}))
    coarse = field.sr.coarsen((1, 4))
    np.testing.assert_allclose(coarse.lon, [179.1, 179.9])
    np.testing.assert_allclose(coarse.sr.interpolate((1, 4)).lon % 360, line % 360)


@pytest.mark.parametrize("first", [170.0, -10.0])
def test_longitudes_that_jump_are_mended_by_the_call_of_the_message(first):
    lon = first + 2.0 * np.arange(10)
    lon = (lon + 180) % 360 - 180 if first > 0 else lon % 360
    field = xr.DataArray(
        np.zeros((2, 10)), dims=("lat", "lon"), coords={"lon": lon}, name="tas", attrs={"units": "K"}
    )
    with pytest.raises(xdownscale.XDownscaleError) as caught:
        field.sr.coarsen(2)
    call = str(caught.value).split("continuous: ")[1].rstrip(".")
    assert eval(call, {"field": field}).sr.coarsen(2).sizes["lon"] == 5


def test_a_label_that_is_no_number_is_located():
    field = globe().copy()
    field = field.assign_coords(lat=np.where(np.arange(18) == 3, np.nan, field.lat))
    with pytest.raises(xdownscale.XDownscaleError, match=r"nan at index 3.*isel\(lat=slice\(4, None\)\)"):
        field.sr.coarsen(2)
    assert field.isel(lat=slice(4, None)).sr.coarsen(2).sizes["lat"] == 7


def test_a_time_that_is_missing_is_dropped_by_the_call_of_the_message():
    field = rain((4, 4, 4))
    field = field.assign_coords(time=np.where(np.arange(4) == 3, np.datetime64("NaT"), field.time))
    with pytest.raises(TimeAxisError, match=r"field.isel\(time=field\['time'\].notnull\(\).values\)"):
        field.sr.coarsen(2, 3)
    assert field.isel(time=field["time"].notnull().values).sr.coarsen(2, 3).sizes["time"] == 1


def test_times_of_two_calendars_are_refused_and_each_part_is_accepted():
    noleap, other = (
        cftime.num2date(3600 * np.arange(8), "seconds since 2000-02-01", calendar=c)
        for c in ("noleap", "360_day")
    )
    field = rain((8, 4, 4)).assign_coords(time=[*noleap[:4], *other[4:]])
    with pytest.raises(TimeAxisError, match="'noleap' to '360_day' at index 4") as caught:
        field.sr.coarsen(2, 2)
    assert "field.isel(time=slice(0, 4))" in str(caught.value)
    assert field.isel(time=slice(0, 4)).sr.coarsen(2, 2).sizes["time"] == 2


def test_labels_of_text_are_refused_where_cells_change_and_the_calls_of_the_message_work():
    field = rain((4, 2, 4)).assign_coords(y=["north", "south"])
    with pytest.raises(DimensionError, match=r"field.drop_vars\('y'\)"):
        field.sr.coarsen(2)
    assert field.drop_vars("y").sr.coarsen(2).sizes["y"] == 1
    assert field.assign_coords({"y": np.arange(2)}).sr.coarsen(2)["y"].item() == 0.5
    assert list(field.sr.coarsen((1, 2))["y"].values) == ["north", "south"]


def test_two_dimensional_coordinates_may_be_called_like_dimensions():
    lat, lon = np.meshgrid(np.arange(40.0, 44), np.arange(5.0, 11), indexing="ij")
    field = xr.DataArray(np.ones((4, 6)), dims=("lat", "lon"))
    field = field.assign_coords(lat=(("lat", "lon"), lat), lon=(("lat", "lon"), lon))
    assert label_of(field, "lat") is None
    assert field.sr.coarsen(2)["lat"].shape == (2, 3)
