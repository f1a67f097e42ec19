"""Bounds of the fine cells and steps that ``downscale`` makes of a Dataset."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

from tests.small_models import model
from tests.support import rain

MODEL = model()  # by 4 in space and 3 in time


@pytest.fixture
def coarse():
    """Hours that are labelled at their middle, on cells with bounds."""
    dataset = rain((4, 6, 5), step=60, spacing=4000.0).to_dataset()
    hour = np.timedelta64(60, "m")
    edges = np.stack([dataset.time.values, dataset.time.values + hour], axis=1)
    dataset = dataset.assign_coords(time=dataset.time + hour / 2, time_bnds=(("time", "bnds"), edges))
    sides = np.stack([dataset.y.values + 2000.0, dataset.y.values - 2000.0], axis=1)
    return dataset.assign_coords(y_bnds=(("y", "bnds"), sides)).assign(gauges=("station", np.arange(3.0)))


def drawn(field, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return field.sr.downscale(MODEL, **options)


def test_they_are_those_of_interpolation_and_come_back(coarse):
    with pytest.warns(UserWarning, match="gauges") as said:
        fine = coarse.sr.downscale(MODEL)
    assert not any("bnds" in str(each.message) for each in said)
    again = coarse.sr.interpolate(4, 3)
    for name in ("time_bnds", "y_bnds", "x_bnds"):
        xr.testing.assert_identical(fine[name].variable, again[name].variable)
        assert fine[name[:-5]].attrs["bounds"] == name
    assert fine.time_bnds.values[0, 1] - fine.time_bnds.values[0, 0] == np.timedelta64(20, "m")
    np.testing.assert_array_equal(fine.time, fine.time_bnds[:, 0] + np.timedelta64(10, "m"))
    back = fine.drop_vars("gauges").sr.coarsen(4, 3)
    np.testing.assert_array_equal(back.time_bnds, coarse.time_bnds)
    np.testing.assert_array_equal(back.y_bnds, coarse.y_bnds)


def test_bounds_that_are_data_variables_are_no_other_fields(coarse):
    fine = drawn(coarse.reset_coords(["time_bnds", "y_bnds"]))
    assert set(fine.data_vars) == {"rain", "gauges"}
    assert {"time_bnds", "y_bnds", "x_bnds"} <= set(fine.coords)


def test_values_and_labels_stay_as_they_were_without_bounds(coarse):
    bare = drawn(coarse.drop_vars(["time_bnds", "y_bnds"])["rain"])
    fine = drawn(coarse.drop_vars(["time_bnds", "y_bnds"]))
    np.testing.assert_array_equal(fine["rain"], bare)
    for dim in ("time", "y", "x"):
        np.testing.assert_array_equal(fine[dim], bare[dim])


def test_pieces_between_gaps_have_bounds_of_their_own(coarse):
    fine = drawn(coarse.isel(time=[0, 1, 3]), gaps="split")
    np.testing.assert_array_equal(fine.time_bnds[::3, 0], coarse.time_bnds[[0, 1, 3], 0])
    np.testing.assert_array_equal(fine.time_bnds[2::3, 1], coarse.time_bnds[[0, 1, 3], 1])


def test_labels_of_another_field_get_bounds_where_they_lie_between_them(coarse):
    like = drawn(coarse)["rain"].isel(member=0)
    fine = drawn(coarse, like=like.assign_coords(y=like.y + 50.0))
    np.testing.assert_array_equal(fine.y, like.y + 50.0)
    assert "y_bnds" in fine.coords
    corners = coarse.assign_coords(y=coarse.y + 1999.0)  # labels near the side of their cells
    fine = drawn(corners)
    assert "y_bnds" not in fine.coords or bool((fine.y <= fine.y_bnds.max("bnds")).all())


def test_a_file_is_read_back_with_them(coarse, tmp_path):
    fine = drawn(coarse)
    fine.to_netcdf(tmp_path / "fine.nc")
    with xr.open_dataset(tmp_path / "fine.nc") as again:
        np.testing.assert_array_equal(again.time_bnds, fine.time_bnds)
        np.testing.assert_array_equal(again.time, fine.time)
