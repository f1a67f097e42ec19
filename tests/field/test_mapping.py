"""A grid mapping says where the grid lies that it comes with."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("rioxarray")


def raster(*, text=True):
    x, y = np.arange(0.5, 40) * 1000, np.arange(39.5, 0, -1) * 1000
    field = xr.DataArray(
        np.random.default_rng(0).random((40, 40)),
        dims=("y", "x"),
        coords={"y": y, "x": x},
        name="dem",
        attrs={"units": "m"},
    )
    field = field.rio.write_crs(3035).rio.write_transform()
    if not text:
        field.spatial_ref.attrs["GeoTransform"] = np.array([0.0, 1000, 0, 40_000, 0, -1000])
    return field


def transform(field):
    said = field.spatial_ref.attrs["GeoTransform"]
    return [float(number) for number in (said.split() if isinstance(said, str) else said)]


@pytest.mark.parametrize("text", [True, False])
def test_the_transform_follows_the_grid_both_ways(text):
    field = raster(text=text)
    before = transform(field)
    coarse = field.sr.coarsen((10, 5))
    assert transform(coarse) == [0, 5000, 0, 40_000, 0, -10_000]
    assert transform(coarse.sr.interpolate((10, 5))) == [0, 1000, 0, 40_000, 0, -1000]
    assert isinstance(coarse.spatial_ref.attrs["GeoTransform"], str) is text
    assert transform(field) == before


def test_rioxarray_and_gdal_read_the_right_place(tmp_path):
    import rioxarray

    coarse = raster().sr.coarsen(10)
    assert coarse.rio.resolution() == (10_000, -10_000)
    coarse.to_netcdf(tmp_path / "coarse.nc")
    with rioxarray.open_rasterio(tmp_path / "coarse.nc") as read:
        assert read.rio.bounds() == (0, 0, 40_000, 40_000)


def test_one_cell_alone_and_an_ensemble_have_theirs_too():
    assert transform(raster().sr.coarsen(40)) == [0, 40_000, 0, 40_000, 0, -40_000]
    rain = raster().assign_attrs(units="mm h-1").rename("rain").expand_dims(time=2)
    rain = rain.assign_coords(time=np.array(["2020-01-01T00:00", "2020-01-01T00:15"], "M8[ns]"))
    ensemble = rain.isel(y=slice(0, 3), x=slice(2, 5)).sr.downscale(spatial=10, temporal=3)
    assert transform(ensemble) == [2000, 100, 0, 40_000, 0, -100]


def test_a_piece_has_the_place_of_its_labels_not_of_the_file():
    assert transform(raster().isel(y=slice(10, 30)).sr.coarsen(10)) == [0, 10_000, 0, 30_000, 0, -10_000]


def test_where_labels_are_in_other_units_cells_are_scaled():
    field = raster()
    field = field.assign_coords(x=field.x / 1000, y=field.y / 1000)
    assert transform(field.sr.coarsen(10)) == [0, 10_000, 0, 40_000, 0, -10_000]
    assert transform(field.drop_vars(["x", "y"]).sr.coarsen(10)) == [0, 10_000, 0, 40_000, 0, -10_000]


@pytest.mark.parametrize("said", ["", "1 2 3", "north", 7])
def test_what_is_no_transform_is_left_alone(said):
    field = raster()
    field.spatial_ref.attrs["GeoTransform"] = said
    assert field.sr.coarsen(10).spatial_ref.attrs["GeoTransform"] == said
