"""Cells end at the poles: none is empty, none lies beyond, and means by area stay."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support import globe
from xdownscale.errors import DimensionError
from xdownscale.field.axes import find_axes
from xdownscale.field.grid import cell_areas
from xdownscale.field.poles import polar_rows
from xdownscale.field.space import edges


def to_the_poles(step=10.0, *, rain=False, ends=(None, None), columns=36):
    lat = (90 - step * np.arange(round(180 / step) + 1))[slice(*ends)]
    values = np.random.default_rng(0).gamma(0.5, 2.0, (2, lat.size, columns))
    field = xr.DataArray(
        values,
        dims=("time", "lat", "lon"),
        coords={
            "time": np.array(["2020-01-01T00:00", "2020-01-01T00:15"], "M8[ns]"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", np.arange(columns) * 10.0, {"units": "degrees_east"}),
        },
        name="rain" if rain else "tas",
        attrs={"units": "mm h-1" if rain else "K"},
    )
    return field.where(values > 0.5, 0.0) if rain else field


@pytest.mark.parametrize("factor", [2, 3, 4, 10])
@pytest.mark.parametrize("ends", [(None, None), (0, 6), (-6, None)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fine_rows_end_at_the_poles_and_coarse_means_come_back(factor, ends, dtype):
    field = to_the_poles(ends=ends)
    field = field.assign_coords(lat=field.lat.astype(dtype))
    fine = field.sr.interpolate((factor, 1), method="conservative")
    assert float(abs(fine.lat).max()) < 90
    areas = cell_areas(fine, find_axes(fine)).values
    rows = cell_areas(field, find_axes(field)).values
    assert (areas > 0).all()
    np.testing.assert_allclose(
        areas.reshape(-1, factor).mean(axis=1), rows, rtol=1e-4 if dtype == np.float32 else 1e-9
    )
    back = fine.sr.coarsen((factor, 1))
    np.testing.assert_array_equal(back.lat, field.lat)
    np.testing.assert_allclose(back, field, rtol=1e-9)


def test_the_half_cell_at_a_pole_is_cut_into_even_rows():
    fine = to_the_poles().to_dataset().sr.interpolate((2, 1))
    np.testing.assert_allclose(fine.lat[:4], [88.75, 86.25, 82.5, 77.5])
    np.testing.assert_allclose(fine.lat_bnds[:3], [[90, 87.5], [87.5, 85], [85, 80]])
    np.testing.assert_allclose(edges(fine.drop_vars("lat_bnds"), "lat"), fine.lat_bnds)


def test_without_notes_the_polar_cell_still_gets_its_label():
    fine = to_the_poles(ends=(0, 6)).sr.interpolate((4, 1)).drop_attrs(deep=True)
    np.testing.assert_allclose(fine.sr.coarsen((4, 1)).lat, 90 - 10.0 * np.arange(6))
    np.testing.assert_allclose(fine.sr.coarsen((2, 1)).sr.coarsen((2, 1)).lat, 90 - 10.0 * np.arange(6))


def test_every_row_of_a_global_file_merged_into_one_ends_at_both_poles():
    field = to_the_poles(ends=(0, 18))
    whole = field.to_dataset().sr.coarsen((18, 1))
    np.testing.assert_allclose(whole.lat_bnds, [[90, -85]])
    fine = whole.drop_vars("lat_bnds").sr.interpolate((18, 1))
    np.testing.assert_array_equal(fine.lat, field.lat)


@pytest.mark.parametrize("ends", [(0, 4), (-4, None)])
def test_an_ensemble_at_a_pole_is_finite_bounded_and_conserved_by_area(ends):
    rain = to_the_poles(0.25, rain=True, ends=ends, columns=12)
    rain = rain.assign_coords(lon=rain.lon / 40)
    ensemble = rain.sr.downscale(spatial=10, temporal=3, members=2)
    assert np.isfinite(ensemble).all()
    assert float(ensemble.min()) >= 0
    assert float(abs(ensemble.lat).max()) < 90
    back = ensemble.astype(float).sr.coarsen(10, 3)
    assert (back - rain).sizes["lat"] == 4
    np.testing.assert_allclose(
        back.values, np.broadcast_to(rain.values, back.shape), atol=1e-5 * float(rain.max())
    )
    assert float(ensemble.max()) < 300 * float(rain.max())


def test_negative_rounding_of_a_packed_file_is_drawn_as_dry():
    rain = to_the_poles(0.25, rain=True, ends=(4, 8), columns=8).copy() * 200
    rain = rain.assign_attrs(units="mm h-1")
    rain[0, 1, 2] = -2.5e-4
    ensemble = rain.sr.downscale(spatial=10, temporal=3)
    assert float(ensemble.min()) == 0
    assert float(ensemble[0, :3, 10:20, 20:30].max()) == 0


def test_rows_of_usual_width_are_no_polar_rows():
    assert polar_rows(np.array([85.0, 75.0, 65.0]), 10.0) == (0, 0)
    assert polar_rows(globe().lat.values, None) == (0, 0)
    assert polar_rows(np.array([88.75, 86.25]), 5.0) == (0, 0)
    assert polar_rows(np.array([-88.75, -86.25, -82.5, -77.5])[::-1], 5.0) == (0, 2)


@pytest.mark.parametrize("latitudes", [np.arange(88.0, 96.0), np.arange(200.0, 192.0, -1)])
def test_latitudes_beyond_the_pole_are_refused(latitudes):
    field = xr.DataArray(
        np.zeros((8, 4)), dims=("lat", "lon"), coords={"lat": latitudes}, attrs={"units": "K"}
    )
    with pytest.raises(DimensionError, match=r'attrs\["units"\] = "1"'):
        field.sr.coarsen(2)
    field.lat.attrs["units"] = "1"
    assert field.sr.coarsen(2).shape == (4, 2)


def test_a_row_without_width_in_its_bounds_gets_one_from_its_labels():
    dataset = globe((6, 8)).to_dataset()
    dataset["lat_bnds"] = (("lat", "bnds"), np.stack([dataset.lat.values] * 2, axis=1))
    dataset.lat.attrs["bounds"] = "lat_bnds"
    np.testing.assert_allclose(dataset.sr.coarsen(2).tas, globe((6, 8)).sr.coarsen(2))
