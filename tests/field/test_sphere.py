"""A pixel without a place leaves no trace around it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xdownscale.field.axes import find_axes
from xdownscale.field.grid import cell_areas
from xdownscale.field.sphere import merge_points, patch_areas, split_points, to_degrees, unit_vectors


def swath(bad=None):
    lat, lon = np.meshgrid(50 + np.arange(20) / 10, np.arange(20) / 10, indexing="ij")
    if bad is not None:
        lat[7, 8] = bad
    return xr.DataArray(
        np.random.default_rng(0).random((2, 20, 20)),
        dims=("time", "ny", "nx"),
        coords={
            "lat": (("ny", "nx"), lat, {"units": "degrees_north"}),
            "lon": (("ny", "nx"), lon, {"units": "degrees_east"}),
        },
        name="tb",
        attrs={"units": "K"},
    )


@pytest.mark.parametrize("bad", [np.nan, -999.0, 9.97e36, np.inf])
def test_one_bad_pixel_changes_no_value_and_hardly_a_label(bad):
    good, coarse = swath().sr.coarsen(5), swath(bad).sr.coarsen(5)
    np.testing.assert_allclose(coarse, good, rtol=0.05)
    np.testing.assert_allclose(coarse.lat, good.lat, atol=0.02)
    elsewhere = (good.lat < 50.5) | (good.lat > 51) | (good.lon < 0.5) | (good.lon > 1)
    np.testing.assert_array_equal(coarse.where(elsewhere), coarse.where(elsewhere))
    np.testing.assert_allclose(coarse.where(elsewhere), good.where(elsewhere), rtol=1e-2)
    fine = swath(bad).sr.interpolate(2)
    assert int(np.isnan(fine.lat).sum()) == 4
    areas = cell_areas(swath(bad), find_axes(swath(bad)))
    assert bool((areas > 0).all())


def test_a_block_without_a_place_has_none():
    vectors = unit_vectors(np.full((1, 2, 4), [1.0, 1.0, np.nan, np.nan]), np.zeros((1, 2, 4)))
    latitude, _ = to_degrees(merge_points(vectors, (1, 2, 2)), east=False)
    np.testing.assert_allclose(latitude, [[[1.0, np.nan]]])


def test_where_nothing_has_a_place_means_are_plain():
    assert patch_areas(np.full((3, 3), np.nan), np.zeros((3, 3))) is None
    field = swath().assign_coords(lat=swath().lat * np.nan)
    np.testing.assert_allclose(field.sr.coarsen(5)[0, 0, 0], field[0, :5, :5].mean())


def test_points_are_held_in_time_and_linear_in_space():
    lat = np.array([[[0.0, 0.0], [2.0, 2.0]], [[4.0, 4.0], [6.0, 6.0]]])
    fine = split_points(unit_vectors(lat, np.zeros_like(lat)), (2, 2, 1))
    latitude, _ = to_degrees(fine, east=False)
    np.testing.assert_allclose(latitude[:2, :, 0], [[-0.5, 0.5, 1.5, 2.5]] * 2, atol=1e-3)
    np.testing.assert_allclose(latitude[2:, :, 0], [[3.5, 4.5, 5.5, 6.5]] * 2, atol=1e-3)


def test_cells_of_no_area_take_that_of_their_neighbour():
    lat, lon = np.meshgrid(np.arange(4.0), np.arange(5.0), indexing="ij")
    lat[:, 0:3], lon[:, 0:3] = 0.0, 0.0
    assert bool((patch_areas(lat, lon) > 0).all())
