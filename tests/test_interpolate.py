from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import globe, rain, raise_if_dask_computes
from xdownscale.errors import ArgumentError, DimensionError, TimeAxisError, XDownscaleError


@pytest.mark.parametrize("method", ["nearest", "conservative"])
def test_constant_cells_close_the_loop(method):
    coarse = xdownscale.coarsen(rain(), 10, 3)
    again = xdownscale.coarsen(xdownscale.interpolate(coarse, 10, 3, method=method), 10, 3)
    xr.testing.assert_allclose(again, coarse, rtol=1e-14)


@pytest.mark.parametrize("method", ["bicubic", "linear", "nearest"])
def test_the_fine_grid_comes_back(method):
    fine = xdownscale.interpolate(xdownscale.coarsen(rain(), 10, 3), 10, 3, method=method)
    for dim in fine.dims:
        np.testing.assert_array_equal(fine[dim], rain()[dim])
    assert (fine - rain()).shape == rain().shape


def test_amounts_are_shared_out_over_the_steps():
    amount = rain().assign_attrs(units="mm")
    coarse = xdownscale.coarsen(amount, 1, 3)
    fine = xdownscale.interpolate(coarse, 1, 3)
    np.testing.assert_allclose(fine.values.reshape(2, 3, 20, 30).sum(axis=1), coarse.values, rtol=1e-14)


def test_fields_without_time_members_and_integers():
    members = globe((6, 8)).expand_dims(member=[0, 1]).round().astype(int)
    fine = xdownscale.interpolate(members, (2, 3))
    assert fine.dtype == float
    assert fine.dims == ("member", "lat", "lon")
    assert fine.shape == (2, 12, 24)


def test_lazy():
    with raise_if_dask_computes():
        lazy = xdownscale.interpolate(rain().chunk(y=7, x=11), 2, 3)
    xr.testing.assert_equal(lazy.compute(scheduler="synchronous"), xdownscale.interpolate(rain(), 2, 3))


def test_a_dataset_comes_back_as_a_dataset_with_bounds():
    coarse = xdownscale.coarsen(rain().to_dataset(), 10, 3)
    fine = xdownscale.interpolate(coarse, 10, 3)
    assert {"time_bnds", "y_bnds", "x_bnds"} <= set(fine.coords)
    np.testing.assert_array_equal(fine.x_bnds[:, 0], rain().x - 500)


def test_metadata_is_true():
    field = xdownscale.coarsen(rain(), 10, 3)
    field.encoding = {"dtype": "int16"}
    fine = xdownscale.interpolate(field, 10, 3)
    assert fine.encoding == {}
    assert len(fine.attrs["history"].splitlines()) == 2
    assert fine.attrs["units"] == "mm h-1"


@pytest.mark.parametrize(
    ("call", "error", "fix"),
    [
        (lambda f: xdownscale.interpolate(f, 2, method="spline"), ArgumentError, "Pass one of"),
        (lambda f: xdownscale.interpolate(f[:1], 2, 3), TimeAxisError, "cell_width"),
        (lambda f: xdownscale.interpolate(f.isel(y=[0]), 2), DimensionError, "cell_width"),
        (lambda f: xdownscale.interpolate(f.isel(time=[0, 1, 3]), 2, 3), TimeAxisError, "slice"),
    ],
)
def test_every_message_names_the_fix(call, error, fix):
    with pytest.raises(error) as caught:
        call(rain())
    assert fix in str(caught.value)


def test_pieces_between_gaps_are_refined_one_by_one():
    field = xdownscale.coarsen(rain((18, 20, 30)), 10, 3).isel(time=[0, 1, 3, 5])
    whole = xdownscale.interpolate(field, 10, 3, gaps="split")
    pieces = [
        xdownscale.interpolate(field.isel(time=slice(*part)), 10, 3) for part in ((0, 2), (2, 3), (3, 4))
    ]
    expected = xr.concat(pieces, "time", combine_attrs="override", **MINIMAL)
    whole.attrs.pop("history")
    expected.attrs.pop("history")
    xr.testing.assert_identical(whole, expected)
    np.testing.assert_array_equal(whole.time, rain((18, 1, 1)).time[[*range(6), 9, 10, 11, 15, 16, 17]])
    with raise_if_dask_computes():
        lazy = xdownscale.interpolate(field.chunk(time=3, y=1), 10, 3, gaps="split")
    xr.testing.assert_equal(lazy.compute(scheduler="synchronous"), whole)


def test_one_frame_between_gaps_takes_the_usual_step():
    field = rain((8, 4, 4)).isel(time=[0, 1, 2, 7])
    fine = xdownscale.interpolate(field, 1, 5, gaps="split")
    assert fine.time.values[-1] - field.time.values[-1] == np.timedelta64(4, "m")
    assert field.time.attrs == rain().time.attrs


@pytest.mark.parametrize("method", ["bicubic", "linear", "nearest"])
@pytest.mark.parametrize("chunks", [None, {"lon": 5, "lat": 4}, {"lon": -1, "lat": 4}, {"lon": 1}])
def test_there_is_no_seam_where_longitudes_close_the_circle(method, chunks):
    field = globe((9, 12)) + np.random.default_rng(0).normal(size=(9, 12))
    field = field.where(np.random.default_rng(1).random((9, 12)) > 0.1)
    rolled = field.roll(lon=5)  # values alone: longitudes stay 0 to 360
    if chunks is not None:
        field, rolled = field.chunk(chunks), rolled.chunk(chunks)
    whole = xdownscale.interpolate(field, (2, 3), method=method)
    xr.testing.assert_equal(xdownscale.interpolate(rolled, (2, 3), method=method), whole.roll(lon=15))


@pytest.mark.parametrize("west", [-180, 0, 20])
def test_the_seam_may_lie_anywhere_and_both_sides_meet(west):
    field = globe((6, 24)).roll(lon=6)  # steepest at the seam, and as steep half way round
    field = field.assign_coords(lon=field.lon.copy(data=field.lon.values + west))
    assert xdownscale.interpolate(field, 1, 1).equals(field)
    fine = xdownscale.interpolate(field.sortby("lon", ascending=west != 20), 5)
    jumps = np.abs(np.diff(fine.values, axis=1, append=fine.values[:, :1]))
    np.testing.assert_allclose(jumps[:, -1], jumps[:, 59], rtol=1e-6)
    assert (np.sign(np.diff(fine.lon)) == np.sign(np.diff(fine.lon))[0]).all()


def test_part_of_a_circle_has_edges():
    field = globe((6, 24)).isel(lon=slice(0, 23))
    fine = xdownscale.interpolate(field, (1, 4), method="linear")
    np.testing.assert_array_equal(fine[:, 0], field[:, 0])
    projected = globe((6, 24)).rename(lon="x", lat="y").drop_attrs(deep=True)
    fine = xdownscale.interpolate(projected, (1, 4), method="linear")
    np.testing.assert_array_equal(fine[:, 0], projected[:, 0])


MINIMAL = {"coords": "minimal", "compat": "override", "join": "override"}


def test_linear_in_time_is_for_numbers():
    coarse = rain((4, 3, 3))
    fine = xdownscale.interpolate(coarse, 1, 2, time="linear")
    np.testing.assert_allclose(
        fine[1:3], [coarse[0] * 0.75 + coarse[1] * 0.25, coarse[0] * 0.25 + coarse[1] * 0.75]
    )
    with pytest.raises(ArgumentError, match=r"'hold', 'linear'"):
        xdownscale.interpolate(coarse, 1, 2, time="cubic")
    direction = coarse.assign_attrs(units="degree", standard_name="wind_from_direction")
    with pytest.raises(XDownscaleError):
        xdownscale.interpolate(direction, 1, 2, time="linear")
    assert xdownscale.interpolate(direction, 1, 2, method="nearest").sizes["time"] == 8
