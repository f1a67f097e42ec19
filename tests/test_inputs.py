"""Every row of docs/inputs.md: what climate scientists open, and what the verbs make of it."""

from __future__ import annotations

import re
from pathlib import Path

import cftime
import numpy as np
import pint
import pytest
import xarray as xr

import xdownscale
from tests.small_models import model
from tests.support import globe, rain, raise_if_dask_computes
from xdownscale.errors import (
    ArgumentError,
    DimensionError,
    QuantityError,
    TimeAxisError,
    UnitsError,
    ValueRangeError,
)
from xdownscale.field.axes import find_axes
from xdownscale.field.sphere import unit_vectors

TABLE = Path(__file__).parents[1] / "docs" / "inputs.md"
MODEL = model()
VERBS = (
    lambda f: xdownscale.coarsen(f, 1),
    lambda f: xdownscale.interpolate(f, 1),
    lambda f: xdownscale.downscale(f, MODEL),
)
STEP = np.timedelta64(300, "s")
NORTH = {"standard_name": "latitude", "units": "degrees_north"}
EAST = {"standard_name": "longitude", "units": "degrees_east"}
LAT, LON = np.round(60.005 + 0.01 * np.arange(8), 3), np.round(5.005 + 0.01 * np.arange(12), 3)


def test_the_table_and_the_tests_agree():
    rows = [
        line
        for line in TABLE.read_text("utf-8").splitlines()
        if line.startswith("| ") and "| test |" not in line
    ]
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert all(len(names) == 1 for names in named)
    tests = {name for name in globals() if name.startswith("test_")} - {"test_the_table_and_the_tests_agree"}
    assert sorted(name for (name,) in named) == sorted(tests)


def there_and_back(field, spatial=4, temporal=3, **options):
    """The coarse field, once the fine grid came back from it and its means too."""
    coarse = xdownscale.coarsen(field, spatial, temporal, **options)
    fine = xdownscale.interpolate(coarse, spatial, temporal, method="conservative")
    for dim in set(field.dims) & set(field.coords):
        np.testing.assert_array_equal(fine[dim], field[dim])
        assert fine[dim].dtype == field[dim].dtype
    again = xdownscale.coarsen(fine, spatial, temporal)
    np.testing.assert_allclose(again.values, coarse.values, rtol=1e-12)
    return coarse


def drawn(coarse, downscaler=MODEL, spatial=4, temporal=3, **options):
    """One member, once its block means, missing cells and labels were seen to be those of the coarse field."""
    fine = xdownscale.downscale(coarse, downscaler, **options).isel(member=0, drop=True)
    again = fine.astype(float).sr.coarsen(spatial, temporal).transpose(*coarse.dims)
    np.testing.assert_allclose(again.values, coarse.values, rtol=1e-6)
    for dim in set(coarse.dims) & set(coarse.coords):
        np.testing.assert_array_equal(again[dim], coarse[dim])
    assert fine.attrs["units"] == coarse.attrs["units"]
    return fine


def plain_means(field, spatial=4, temporal=3):
    """Means of the blocks of (time, y, x) values."""
    t, y, x = field.shape
    return field.values.reshape(t // temporal, temporal, y // spatial, spatial, x // spatial, spatial).mean(
        axis=(1, 3, 5)
    )


def latlon(lat, lon):
    """Rain on latitude and longitude."""
    field = rain((6, len(lat), len(lon))).rename(y="lat", x="lon")
    return field.assign_coords(lat=("lat", lat, NORTH), lon=("lon", lon, EAST))


def curvilinear(lat, lon, dims=("y", "x")):
    """Rain on a grid that only two-dimensional coordinates place on the sphere."""
    field = rain((6, *lat.shape), dims=("time", *dims)).drop_vars(dims)
    return field.assign_coords(lat=(dims, lat, NORTH), lon=(dims, lon, EAST))


# ── axes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_projected_metres():
    field = rain((6, 8, 12))
    coarse = there_and_back(field)
    np.testing.assert_allclose(coarse, plain_means(field), rtol=1e-14)
    np.testing.assert_array_equal(coarse.x, [-2000.0, 2000.0, 6000.0])
    assert coarse.x.attrs["standard_name"] == "projection_x_coordinate"
    drawn(coarse)


def test_projected_kilometres():
    metres = rain((6, 8, 12))
    field = metres.assign_coords({d: (d, metres[d].values / 1000, {"units": "km"}) for d in ("y", "x")})
    coarse = there_and_back(field)
    np.testing.assert_array_equal(coarse, xdownscale.coarsen(metres, 4, 3))
    np.testing.assert_array_equal(coarse.x, [-2.0, 2.0, 6.0])
    assert coarse.x.attrs["units"] == "km"
    other = xdownscale.downscale(xdownscale.coarsen(metres, 4, 3), MODEL)
    np.testing.assert_array_equal(drawn(coarse), other.isel(member=0))


def test_latitude_ascending():
    field = latlon(LAT, LON)
    sines = np.sin(np.deg2rad(np.linspace(60, 60.08, 9)))
    weights = np.diff(sines)[:, None]
    blocks = (field.values * weights).reshape(2, 3, 2, 4, 3, 4).sum(axis=(1, 3, 5))
    expected = blocks / (12 * weights.reshape(2, 4).sum(1)[:, None])
    coarse = there_and_back(field)
    np.testing.assert_allclose(coarse, expected, rtol=1e-12)
    assert not np.allclose(coarse, plain_means(field), rtol=1e-5)
    drawn(coarse)


def test_latitude_descending():
    field = latlon(LAT[::-1], LON)
    coarse = there_and_back(field)
    upright = xdownscale.coarsen(field.isel(lat=slice(None, None, -1)), 4, 3)
    xr.testing.assert_allclose(coarse, upright.isel(lat=slice(None, None, -1)), rtol=1e-13)
    drawn(coarse)


def test_longitude_0_to_360():
    field = globe((8, 12))
    coarse = there_and_back(field, 4, 1)
    np.testing.assert_array_equal(coarse.lon, [60.0, 180.0, 300.0])
    shifted = field.assign_coords(lon=(field.lon.values + 180) % 360)
    with pytest.raises(DimensionError, match=r"% 360 - 180\).sortby"):
        xdownscale.coarsen(shifted, 4)


def test_longitude_180_west_to_east():
    field = globe((8, 12))
    west = field.assign_coords(lon=("lon", (field.lon.values + 180) % 360 - 180, EAST)).sortby("lon")
    coarse = there_and_back(west, 2, 1)
    np.testing.assert_array_equal(coarse.lon, [-150.0, -90.0, -30.0, 30.0, 90.0, 150.0])
    other = xdownscale.coarsen(field, 2)
    np.testing.assert_allclose(coarse, np.roll(other, 3, axis=1), rtol=1e-13)


def rotated():
    """Rain on a rotated pole, with true latitude and longitude beside."""
    labels = np.round(0.01 * np.arange(12) + 0.005, 3)
    lat, lon = np.meshgrid(50 + labels[:8], 10 + 1.5 * labels, indexing="ij")
    field = curvilinear(lat, lon, ("rlat", "rlon")).assign_coords(
        rlat=("rlat", labels[:8], {"standard_name": "grid_latitude", "units": "degrees"}),
        rlon=("rlon", labels, {"standard_name": "grid_longitude", "units": "degrees"}),
        rotated_pole=((), 0, {"grid_mapping_name": "rotated_latitude_longitude"}),
    )
    field.encoding["grid_mapping"] = "rotated_pole"
    return field


def test_rotated_pole():
    field = rotated()
    coarse = there_and_back(field)
    flat = field.drop_vars(["lat", "lon", "rotated_pole"])
    np.testing.assert_array_equal(coarse, xdownscale.coarsen(flat, 4, 3))
    fine = drawn(coarse)
    for result in (coarse, fine):
        assert result.encoding == {"grid_mapping": "rotated_pole"}
        assert result.rotated_pole.attrs["grid_mapping_name"] == "rotated_latitude_longitude"
    np.testing.assert_allclose(fine.lat.transpose("rlat", "rlon"), field.lat, atol=1e-5)


def test_curvilinear():
    lat, lon = np.meshgrid(60 + 0.04 * np.arange(8), 10 + 0.04 * np.arange(12), indexing="ij")
    lat, lon = lat + 0.1 * (lon - 10), lon - 0.1 * (lat - 60)
    field = curvilinear(lat, lon, ("nj", "ni"))
    coarse = there_and_back(field)
    np.testing.assert_allclose(coarse.lat[0, 0], lat[:4, :4].mean(), atol=1e-4)
    assert coarse.lat.attrs == NORTH
    assert float(abs(coarse - plain_means(field)).max()) > 1e-5
    drawn(coarse)


def test_curvilinear_date_line():
    lat, lon = np.meshgrid(89.0 + 0.1 * np.arange(8), 179.5 + 0.1 * np.arange(12), indexing="ij")
    field = curvilinear(lat, (lon + 180) % 360 - 180)
    coarse = there_and_back(field)
    middle = unit_vectors(lat, lon)[:4, 4:8].mean(axis=(0, 1))
    np.testing.assert_allclose(
        unit_vectors(coarse.lat.values, coarse.lon.values)[0, 1], middle / np.linalg.norm(middle), atol=1e-12
    )
    fine = drawn(coarse)
    np.testing.assert_allclose(
        unit_vectors(fine.lat.values, fine.lon.values), unit_vectors(lat, lon), atol=1e-4
    )


def test_no_time():
    frame = rain((1, 8, 12))[0].drop_vars("time")
    coarse = there_and_back(frame, 4, 1)
    assert coarse.dims == ("y", "x")
    drawn(coarse, model((1, 4, 4)), 4, 1)
    with pytest.raises(DimensionError, match=r'expand_dims\("time"\)'):
        xdownscale.downscale(coarse, MODEL)


def test_members_and_levels():
    one = rain((6, 8, 12))
    field = (one * xr.DataArray([1.0, 2.0], dims="level", coords={"level": [850.0, 500.0]})).assign_attrs(
        one.attrs
    )
    field = field.expand_dims(realization=[0, 1]).transpose("time", "level", "y", "x", "realization")
    coarse = there_and_back(field)
    assert coarse.dims == field.dims
    np.testing.assert_array_equal(coarse.level, field.level)
    np.testing.assert_allclose(coarse.sel(level=500.0, realization=1), 2 * xdownscale.coarsen(one, 4, 3))
    fine = drawn(coarse)
    assert fine.sizes["level"] == fine.sizes["realization"] == 2


def test_variable_dimension():
    one = rain((6, 8, 12))
    field = xr.Dataset({"rain": one, "snow": 3 * one}).to_array()
    coarse = there_and_back(field)
    np.testing.assert_allclose(coarse.sel(variable="snow"), 3 * coarse.sel(variable="rain"))
    assert list(coarse["variable"].values) == ["rain", "snow"]


def whole():
    """Rain and its grid mapping, orography, a table without y and x, in one Dataset."""
    dataset = rain((6, 8, 12)).assign_attrs(grid_mapping="crs").to_dataset()
    dataset["crs"] = ((), 0, {"grid_mapping_name": "lambert_conformal_conic"})
    dataset["orography"] = (("y", "x"), np.arange(96.0).reshape(8, 12))
    return dataset


def test_dataset():
    dataset = whole().assign(station=("name", [1.0, 2.0]))
    with pytest.warns(UserWarning, match="passed through unchanged.*station"):
        coarse = xdownscale.coarsen(dataset, 4, 3)
    assert set(coarse.data_vars) == {"rain", "orography", "station"}
    np.testing.assert_array_equal(coarse["rain"], xdownscale.coarsen(rain((6, 8, 12)), 4, 3))
    assert coarse["orography"].shape == (2, 3)
    fine = xdownscale.interpolate(coarse[["rain", "orography"]], 4, 3)
    assert isinstance(fine, xr.Dataset)
    np.testing.assert_array_equal(fine.y, dataset.y)
    assert drawn(coarse["rain"]).encoding["grid_mapping"] == "crs"


def test_datatree():
    tree = xr.DataTree.from_dict({"/radar": whole(), "/gauge/filled": whole()})
    coarse = tree.map_over_datasets(lambda node: node.sr.coarsen(4, 3) if node.data_vars else node)
    xr.testing.assert_equal(coarse["gauge/filled"].to_dataset(), xdownscale.coarsen(whole(), 4, 3))
    xr.testing.assert_equal(
        xdownscale.coarsen(tree, 4, 3)["gauge/filled"].to_dataset(), coarse["gauge/filled"].to_dataset()
    )


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_datetime64():
    for unit in ("s", "ms", "ns"):
        field = rain((6, 8, 12))
        field = field.assign_coords(time=field.time.values.astype(f"M8[{unit}]"))
        coarse = there_and_back(field)
        np.testing.assert_array_equal(coarse.time, field.time[::3])
        assert coarse.time.dtype == field.time.dtype


def in_calendar(calendar, start="2000-02-28"):
    """Daily amounts of rain in a calendar of models."""
    times = cftime.num2date(np.arange(6), f"days since {start}", calendar=calendar)
    field = rain((6, 8, 12)).assign_coords(time=("time", times))
    return field.assign_attrs(units="mm", standard_name="precipitation_amount")


def test_cftime_noleap():
    field = in_calendar("noleap")
    coarse = there_and_back(field)
    assert [str(time)[:10] for time in coarse.time.values] == ["2000-02-28", "2000-03-03"]
    np.testing.assert_allclose(coarse.sum(), field.sum() / 16, rtol=1e-12)


def test_cftime_360_day():
    field = in_calendar("360_day", "2000-02-29")
    coarse = there_and_back(field)
    assert [str(time)[:10] for time in coarse.time.values] == ["2000-02-29", "2000-03-02"]
    with pytest.warns(UserWarning, match="trained on"):
        fine = drawn(coarse)
    np.testing.assert_array_equal(fine.time, field.time)


def bounded(share):
    """Rain whose labels lie at a share of the way through their step."""
    field = rain((6, 8, 12))
    starts = field.time.values
    dataset = field.assign_coords(time=("time", starts + share * STEP, field.time.attrs)).to_dataset()
    dataset["time_bnds"] = (("time", "nv"), np.stack([starts, starts + STEP], axis=1))
    dataset["time"].attrs["bounds"] = "time_bnds"
    return dataset


def check_labels(share):
    """Labels stay at their place in the longer step, on the way down and back up."""
    dataset = bounded(share)
    coarse = xdownscale.coarsen(dataset, 4, 3)
    np.testing.assert_array_equal(coarse.time_bnds[:, 0], dataset.time_bnds[::3, 0])
    np.testing.assert_array_equal(coarse.time_bnds[:, 1], dataset.time_bnds[2::3, 1])
    np.testing.assert_array_equal(coarse.time, coarse.time_bnds[:, 0] + share * 3 * STEP)
    for fine in (xdownscale.interpolate(coarse, 4, 3), xdownscale.downscale(coarse, MODEL)):
        np.testing.assert_array_equal(fine.time, dataset.time)


def test_labels_left():
    check_labels(0)
    np.testing.assert_array_equal(xdownscale.coarsen(rain((6, 8, 12)), 4, 3).time, rain().time[::3])


def test_labels_right():
    check_labels(1)


def test_labels_centred():
    check_labels(0.5)


def test_bounds():
    dataset = bounded(0)
    edges = dataset.y.values[:, None] + np.array([500.0, -500.0])
    dataset["y_edges"] = (("y", "nv"), edges)
    dataset["y"].attrs["bounds"] = "y_edges"
    coarse = xdownscale.coarsen(dataset, 4, 3)
    np.testing.assert_array_equal(coarse.y_edges, [[51_000.0, 47_000.0], [47_000.0, 43_000.0]])
    np.testing.assert_array_equal(coarse[coarse.x.attrs["bounds"]][0], [-4000.0, 0.0])
    fine = xdownscale.interpolate(coarse, 4, 3)
    np.testing.assert_array_equal(fine.y_edges, edges)
    np.testing.assert_array_equal(fine.time_bnds, dataset.time_bnds)


def test_rates():
    field = rain((6, 8, 12))
    coarse = there_and_back(field)
    np.testing.assert_allclose(coarse.mean(), field.mean(), rtol=1e-12)
    assert coarse.attrs["cell_methods"] == "area: mean time: mean"


def test_amounts():
    field = rain((6, 8, 12)).assign_attrs(units="mm", standard_name="thickness_of_rainfall_amount")
    coarse = there_and_back(field)
    np.testing.assert_allclose(coarse, 3 * plain_means(field), rtol=1e-12)
    assert coarse.attrs["cell_methods"] == "area: mean time: sum"
    fine = drawn(coarse)
    np.testing.assert_allclose(fine.sum(), field.sum(), rtol=1e-6)
    with pytest.raises(UnitsError, match="'time: sum'"):
        xdownscale.downscale(coarse.assign_attrs(cell_methods="time: mean"), MODEL)


def test_points():
    field = rain((6, 8, 12)).assign_attrs(cell_methods="time: point")
    coarse = xdownscale.coarsen(field, 1, 3)
    np.testing.assert_array_equal(coarse, field[::3])
    np.testing.assert_array_equal(coarse.time, field.time[::3])
    with pytest.warns(UserWarning, match="taken as means"):
        drawn(xdownscale.coarsen(field, 4, 3))


def test_irregular_steps():
    field = rain((6, 8, 12))
    uneven = field.assign_coords(time=field.time.values[0] + STEP * np.array([0, 1, 2, 3, 7, 8]))
    for verb in (xdownscale.coarsen, xdownscale.interpolate):
        with pytest.raises(TimeAxisError, match=r"after index 3: 2020-07-01T12:15:00.* is 4 steps of 300 s"):
            verb(uneven, 4, 3)
    np.testing.assert_array_equal(xdownscale.coarsen(uneven, 4).time, uneven.time)


def test_gaps():
    field = rain((9, 8, 12)).isel(time=[0, 1, 2, 6, 7, 8])
    with pytest.raises(TimeAxisError, match=r"gap after index 2.*isel\(time=slice\(0, 3\)\).*asfreq"):
        xdownscale.coarsen(field, 4, 3)
    filled = field.resample(time="300s").asfreq()
    coarse = xdownscale.coarsen(filled, 4, 3)
    np.testing.assert_array_equal(coarse.isnull().any(("y", "x")), [False, True, False])
    np.testing.assert_allclose(coarse[2], plain_means(field)[1])
    split = xdownscale.coarsen(field, 4, 3, gaps="split")
    np.testing.assert_allclose(split, plain_means(field))


# ── products ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def product(name, units, *, hours=1, steps=6, dims=("time", "lat", "lon"), **attrs):
    """A field with the name, the units and the attributes of a product, on latitude and longitude."""
    field = rain((steps, len(LAT), len(LON)), dims=dims).drop_vars(dims).drop_attrs(deep=False).rename(name)
    times = np.datetime64("2020-01-01", "ns") + np.arange(steps) * np.timedelta64(hours, "h")
    field = field.assign_coords({dims[0]: times}).assign_attrs(units=units, **attrs)
    places = {dims[1]: (dims[1], LAT[::-1], NORTH), dims[2]: (dims[2], LON, EAST)}
    return field.assign_coords(places)


def method_of(field):
    """How three steps become one, told from the values."""
    coarse, order = xdownscale.coarsen(field, 1, 3), {next(iter(field.dims)): 3}
    means = field.coarsen(order).mean()
    ways = {"mean": means, "sum": 3 * means}
    return next(way for way, expected in ways.items() if np.allclose(coarse, expected, rtol=1e-5))


def test_product_era5():
    grib = {"standard_name": "unknown", "GRIB_stepUnits": 1, "GRIB_dataType": "fc"}
    dims = ("valid_time", "latitude", "longitude")
    rainy = product("tp", "m", dims=dims, long_name="Total precipitation", GRIB_stepType="accum", **grib)
    assert method_of(rainy) == "sum"
    fine = xdownscale.interpolate(rainy, 2, 3, method="nearest")
    np.testing.assert_allclose(fine.sum("valid_time").mean(), rainy.sum("valid_time").mean(), rtol=1e-9)
    with pytest.raises(ValueRangeError, match="negative"):
        xdownscale.coarsen(rainy - 0.5, 4, 3)
    states = {
        "sd": ("m of water equivalent", "lwe_thickness_of_surface_snow_amount"),
        "t2m": ("K", "unknown"),
        "blh": ("m", "unknown"),
        "tcwv": ("kg m**-2", "lwe_thickness_of_atmosphere_mass_content_of_water_vapor"),
    }
    for name, (units, standard_name) in states.items():
        attrs = {"standard_name": standard_name, "GRIB_stepType": "instant"}
        assert method_of(product(name, units, dims=dims, **attrs)) == "mean"
    sun = {"standard_name": "surface_downwelling_shortwave_flux_in_air", "GRIB_stepType": "accum"}
    assert method_of(product("ssrd", "J m**-2", dims=dims, **sun)) == "sum"


def test_product_era5_land():
    attrs = {"long_name": "Total precipitation", "standard_name": "unknown", "GRIB_stepType": "accum"}
    steps = product("tp", "m", steps=24, **attrs)
    total = steps.cumsum("time").assign_coords(time=steps.time)
    with pytest.raises(QuantityError, match=r'totals since a start.*field.diff\("time"\)'):
        xdownscale.coarsen(total, 4, 3)
    each = total.diff("time").assign_attrs(cell_methods="time: sum")
    np.testing.assert_allclose(each, steps[1:], rtol=1e-4, atol=1e-6)
    assert method_of(each.isel(time=slice(0, 6))) == "sum"


def test_product_daymet():
    field = rain((6, 8, 12), step=1440).rename("prcp").drop_attrs(deep=False)
    field = field.assign_coords(time=field.time.values + np.timedelta64(12, "h"))
    attrs = {"long_name": "daily total precipitation", "cell_methods": "area: mean time: sum"}
    field = field.assign_attrs(units="mm/day", **attrs)
    assert method_of(field) == "mean"
    again = xdownscale.coarsen(field, 1, 3)
    np.testing.assert_allclose(xdownscale.coarsen(again, 1, 2)[0], field.mean("time"), rtol=1e-6)
    with pytest.raises(UnitsError, match="'time: mean'"):
        xdownscale.coarsen(field.assign_attrs(units="mm h-1"), 1, 3)


def test_product_prism():
    assert method_of(product("ppt", "mm", hours=24, long_name="Daily total precipitation")) == "sum"
    assert method_of(product("tmean", "degC", hours=24, long_name="mean temperature")) == "mean"


def test_product_gfs_apcp():
    field = product(
        "APCP_surface", "kg/m^2", hours=3, short_name="APCP_surface", long_name="Total Precipitation"
    )
    assert method_of(field) == "sum"
    assert method_of(product("PRATE_surface", "kg/m^2/s", hours=3, long_name="Precipitation Rate")) == "mean"
    with pytest.raises(QuantityError, match="totals since a start"):
        xdownscale.coarsen(field.cumsum("time").assign_coords(time=field.time), 1, 3)
    mixed = "Total precipitation (Mixed_intervals Accumulation) @ Ground or water surface"
    name = "Total_precipitation_surface_Mixed_intervals_Accumulation"
    with pytest.raises(QuantityError, match="totals since a start"):
        xdownscale.coarsen(product(name, "kg.m-2", hours=3, long_name=mixed).chunk(), 1, 3)


def test_product_imerg():
    attrs = {
        "Units": "mm/hr",
        "LongName": "Complete merged microwave-infrared (gauge-adjusted) precipitation",
    }
    for name in ("precipitationCal", "precipitation"):
        field = product(name, "mm/hr", **attrs).transpose("time", "lon", "lat")
        assert method_of(field) == "mean"
        with pytest.raises(ValueRangeError, match="where"):
            xdownscale.coarsen(field.where(field > 0.1, -9999.9), 4, 3)


def test_product_wrf():
    attrs = {"FieldType": 104, "MemoryOrder": "XY ", "stagger": ""}
    dims = ("Time", "south_north", "west_east")
    said = {
        "RAINNC": "ACCUMULATED TOTAL GRID SCALE PRECIPITATION",
        "RAINC": "ACCUMULATED TOTAL CUMULUS PRECIPITATION",
    }
    for name, description in said.items():
        field = product(name, "mm", dims=dims, description=description, **attrs).drop_vars(dims[1:])
        with pytest.raises(QuantityError, match=r'field.diff\("Time"\)'):
            xdownscale.coarsen(field, 4, 3)
        assert xdownscale.coarsen(field, 4).sizes["Time"] == 6
        each = product(name, "mm", steps=7, dims=dims, **attrs).cumsum("Time").diff("Time")
        assert each.sizes["Time"] == 6
        times = field["Time"].values
        assert method_of(each.assign_coords(Time=times).assign_attrs(cell_methods="Time: sum")) == "sum"
    classes = product("LU_INDEX", "", dims=dims, description="LAND USE CATEGORY", **attrs)
    with pytest.raises(QuantityError, match="class numbers"):
        xdownscale.coarsen(classes, 4)


def test_product_cordex():
    attrs = {
        "standard_name": "precipitation_flux",
        "long_name": "Precipitation",
        "cell_methods": "time: mean",
    }
    assert method_of(product("pr", "kg m-2 s-1", **attrs)) == "mean"
    warm = {"standard_name": "air_temperature", "cell_methods": "time: maximum"}
    with pytest.raises(TimeAxisError, match='time_method="mean"'):
        xdownscale.coarsen(product("tasmax", "K", hours=24, **warm), 1, 3)
    xdownscale.coarsen(product("tasmax", "K", hours=24, **warm), 4)
    xdownscale.coarsen(product("tasmax", "K", hours=24, **warm), 1, 3, time_method="mean")


def test_product_e_obs():
    attrs = {"long_name": "rainfall", "standard_name": "thickness_of_rainfall_amount"}
    assert method_of(product("rr", "mm", hours=24, **attrs)) == "sum"
    assert method_of(product("tg", "Celsius", hours=24, standard_name="air_temperature")) == "mean"


def test_product_chirps():
    attrs = {
        "standard_name": "convective precipitation rate",
        "long_name": "Climate Hazards group InfraRed Precipitation with Stations",
    }
    field = product("precip", "mm/day", hours=24, **attrs)
    assert method_of(field) == "mean"
    with pytest.raises(ValueRangeError, match="where"):
        xdownscale.coarsen(field.where(field > 0.1, -9999.0), 4, 3)


def test_product_forecast():
    grib = {"long_name": "Total precipitation", "standard_name": "unknown", "GRIB_stepType": "accum"}
    total = product("tp", "kg m**-2", dims=("step", "lat", "lon"), **grib).cumsum("step")
    start = np.datetime64("2020-01-01", "ns")
    steps = (1 + np.arange(6)) * np.timedelta64(1, "h")
    field = total.assign_coords(time=start, step=steps, valid_time=("step", start + steps))
    field = field.swap_dims(step="valid_time")
    with pytest.raises(QuantityError, match="totals since a start"):
        xdownscale.coarsen(field, 4, 3)
    each = field.diff("valid_time").assign_attrs(cell_methods="valid_time: sum")
    coarse = xdownscale.coarsen(each.isel(valid_time=slice(0, 3)), 1, 3)
    np.testing.assert_allclose(coarse[0], field[3] - field[0], rtol=1e-5)


def test_product_geotiff():
    field = rain((1, 8, 12), dims=("band", "y", "x")).assign_coords(band=[1]).rename("band_data")
    attrs = {"AREA_OR_POINT": "Area", "scale_factor": 1.0, "add_offset": 0.0}
    field = field.drop_attrs(deep=False).assign_attrs(attrs)
    field = field.assign_coords(spatial_ref=((), 0, {"grid_mapping_name": "transverse_mercator"}))
    coarse = xdownscale.coarsen(field, 4)
    assert coarse.dims == ("band", "y", "x")
    np.testing.assert_allclose(coarse, plain_means(field, 4, 1), rtol=1e-12)
    assert coarse["spatial_ref"].attrs["grid_mapping_name"] == "transverse_mercator"


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_missing_values():
    field = rain((6, 8, 12))
    field[0, 0, 0] = field[3:, 4:, 8:] = np.nan
    coarse = xdownscale.coarsen(field, 4, 3, min_valid=0.5)
    missing = np.zeros((2, 2, 3), bool)
    missing[1, 1, 2] = True
    np.testing.assert_array_equal(np.isnan(coarse), missing)
    np.testing.assert_allclose(coarse[0, 0, 0], field[:3, :4, :4].mean())
    assert int(xdownscale.coarsen(field, 4, 3).isnull().sum()) == 2
    fine = xdownscale.interpolate(coarse, 4, 3)
    np.testing.assert_array_equal(np.isnan(fine), np.kron(missing, np.ones((3, 4, 4))) > 0)
    np.testing.assert_array_equal(np.isnan(drawn(coarse)), np.isnan(fine))


def test_sentinels():
    field = rain((6, 8, 12))
    for marker in (-99.0, -999.0, -9999.0):
        with pytest.raises(
            ValueRangeError, match=rf"{marker:g} .* marker of missing data.*where\(rain >= 0\)"
        ):
            xdownscale.coarsen(field.where(field > 0.1, marker), 4, 3)
    echo = 10 * np.log10(200 * field.clip(0.1) ** 1.6).drop_attrs(deep=False)
    echo = echo.rename("reflectivity").assign_attrs(units="dBZ")
    assert xdownscale.coarsen(echo, 4, 3).notnull().all()
    with pytest.raises(ValueRangeError, match=r"-32 .*where\(reflectivity != -32\)"):
        xdownscale.coarsen(echo.where(field > 0.1, -32.0), 4, 3)
    for marker in (1e20, 9.96921e36, np.inf):
        for call in VERBS:
            with pytest.raises(ValueRangeError, match=r"rain.where\("):
                call(field.where(field > 0.1, marker))
            with pytest.raises(ValueRangeError, match=r"rain.where\("):
                call(field.where(field > 0.1, marker).chunk(time=3)).compute()


def test_undecoded():
    values = xdownscale.coarsen(rain((6, 8, 12)), 4, 3)
    packed = (values / 0.25).round().astype("i2")
    packed.attrs = {"units": "mm h-1", "scale_factor": 0.25, "_FillValue": np.int16(-1)}
    for call in VERBS[1:]:
        decoded = xr.decode_cf(packed.to_dataset())["rain"]
        np.testing.assert_array_equal(call(packed), call(decoded))
        assert not {"scale_factor", "_FillValue"} & call(packed).attrs.keys()
        with pytest.raises(ValueRangeError, match=r"_FillValue.*decode_cf"):
            call(packed.where(packed > 9, -1).astype("i2").assign_attrs(packed.attrs))


def test_other_types():
    values = xdownscale.coarsen(rain((6, 8, 12)), 4, 3)
    quantity = values.copy(data=pint.UnitRegistry().Quantity(values.values, "mm/hour")).drop_attrs(deep=False)
    calls = {"m8[ns]": "timedelta64", "M8[ns]": "datetime64", "complex": "real", "str": "astype"}
    odd = [(values.astype(dtype), call) for dtype, call in calls.items()] + [(quantity, "dequantify")]
    for field, word in odd:
        for call in VERBS:
            with pytest.raises(ValueRangeError, match=word):
                call(field)


def test_negative_rain():
    field = rain((6, 8, 12))
    wrong = field.copy()
    wrong[0, 0, 0] = -0.5
    for call in VERBS:
        with pytest.raises(ValueRangeError, match=r"1 negative values \(lowest -0.5\).*where\(rain >= 0\)"):
            call(wrong)
    rounding = field.where(field > 0.1, -1e-9)
    assert xdownscale.coarsen(rounding, 4, 3).notnull().all()


def test_units():
    coarse = xdownscale.coarsen(rain((6, 8, 12)), 4, 3)
    ours = drawn(coarse)
    for units, scale in {"kg m-2 s-1": 1 / 3600, "m s-1": 1 / 3.6e6, "mm day-1": 24, "mm/h": 1}.items():
        theirs = drawn((coarse * scale).assign_attrs(coarse.attrs | {"units": units}))
        np.testing.assert_allclose(theirs / scale, ours, rtol=1e-4, atol=1e-6)
    with pytest.raises(UnitsError, match="cannot convert 'K' to 'mm h-1'"):
        xdownscale.downscale(coarse.assign_attrs(units="K"), MODEL)
    celsius = (coarse + 6.85).assign_attrs(units="degC", standard_name="air_temperature")
    fine = xdownscale.downscale(celsius, model(rain=False, units="K"))
    np.testing.assert_allclose(xdownscale.coarsen(fine, 4, 3)[0], celsius, atol=1e-4)


# ── edges and chunks ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_sizes_that_the_factor_does_not_divide():
    field = rain((7, 10, 13))
    with pytest.raises(ArgumentError, match=r"10 cells along 'y', which 4 does not divide.*slice\(0, 8\)"):
        xdownscale.coarsen(field, 4, 7)
    trimmed = xdownscale.coarsen(field, 4, 3, boundary="trim")
    np.testing.assert_array_equal(trimmed, xdownscale.coarsen(field[:6, :8, :12], 4, 3))
    padded = xdownscale.coarsen(field, 4, 3, boundary="pad", min_valid=0.0)
    assert padded.shape == (3, 3, 4)
    np.testing.assert_allclose(padded[2, 2, 3], field[6, 8:, 12].mean())
    np.testing.assert_array_equal(padded.y[:2], trimmed.y)


def test_chunks_that_the_factor_does_not_divide():
    field = rain((6, 8, 12))
    with raise_if_dask_computes():
        coarse = xdownscale.coarsen(field.chunk(time=4, y=3, x=5), 4, 3)
        fine = xdownscale.interpolate(coarse, 4, 3)
        ensemble = xdownscale.downscale(coarse, MODEL)
    np.testing.assert_allclose(coarse.values, xdownscale.coarsen(field, 4, 3).values, rtol=1e-14)
    np.testing.assert_array_equal(fine.values, xdownscale.interpolate(coarse.compute(), 4, 3).values)
    np.testing.assert_array_equal(ensemble.values, xdownscale.downscale(coarse.compute(), MODEL).values)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def from_file(path, variable):
    """The middle of a file, as Dataset with its grid mapping."""
    with xr.open_dataset(path) as dataset:
        axes = find_axes(dataset[variable])
        y, x = ((dataset.sizes[dim] - n) // 2 for dim, n in zip(axes.spatial, (16, 24), strict=True))
        middle = {axes.time: slice(0, 6), axes.y: slice(y, y + 16), axes.x: slice(x, x + 24)}
        names = [variable, *(name for name in ("crs",) if name in dataset)]
        return dataset[names].isel(middle).load()


def check_file(dataset, variable, sphere):
    """The grid comes back, nothing of the packing stays, and means are by area where the grid is a sphere's."""
    field = dataset[variable]
    coarse = xdownscale.coarsen(dataset, 4, 3, min_valid=0.5)
    fine = xdownscale.interpolate(coarse, 4, 3, method="conservative")
    for dim in field.dims:
        np.testing.assert_allclose(
            fine[dim].values.astype(float), field[dim].values.astype(float), rtol=1e-12, atol=1e-12
        )
    assert set(coarse[variable].encoding) <= {"grid_mapping"}
    assert coarse[variable].attrs["units"] == field.attrs["units"]
    np.testing.assert_allclose(
        xdownscale.coarsen(fine, 4, 3)[variable].values, coarse[variable].values, rtol=1e-6
    )
    plain = plain_means(field.astype(float))
    assert (np.nanmax(abs(coarse[variable].values - plain)) > 1e-9 * np.nanmax(abs(plain))) == sphere
    return coarse


def test_file_radar(real_data):
    path = real_data("rain_knmi_netherlands_1km_5min_20100826.nc")
    dataset = from_file(path, "rainfall_rate")
    dataset["rainfall_rate"] = dataset["rainfall_rate"].fillna(0.0)
    coarse = check_file(dataset, "rainfall_rate", sphere=False)
    fine = drawn(coarse["rainfall_rate"])
    assert fine.encoding == {"grid_mapping": "crs"}
    assert "grid_mapping_name" in fine.crs.attrs


def test_file_era5(real_data):
    path = real_data("multivar_era5_britain_t2m_0p25deg_1h_201903.nc")
    coarse = check_file(from_file(path, "tas"), "tas", sphere=True)
    with pytest.warns(UserWarning, match=r"fine cells of 27.8 km \(trained on 1 km\)"):
        drawn(coarse["tas"], model(rain=False, units="K"))


def test_file_wfde5(real_data):
    path = real_data("multivar_wfde5_britain_0p5deg_1h_201701.nc")
    dataset = from_file(path, "pr")
    coarse = check_file(dataset, "pr", sphere=True)
    assert coarse["pr"].isnull().any()
    with pytest.warns(UserWarning, match="trained on"):
        drawn(coarse["pr"])


def test_file_arome(real_data):
    path = real_data("multivar_arome_france_nw_0p025deg_1h_20180501.nc")
    coarse = check_file(from_file(path, "psl"), "psl", sphere=True)
    assert coarse["psl"].attrs["units"] == "Pa"
    start = from_file(path, "pr")
    assert start["pr"][0].isnull().all()
    assert xdownscale.coarsen(start["pr"], 4, 3)[0].isnull().all()


def test_label_on_the_pole():
    field = globe((18, 36)).assign_coords(lat=90 - 10.0 * np.arange(18))
    fine = field.sr.interpolate(2, method="conservative")
    np.testing.assert_allclose(fine.lat[:3], [88.75, 86.25, 82.5])
    xr.testing.assert_allclose(fine.sr.coarsen(2).drop_attrs(), field.drop_attrs())


def test_labels_come_back():
    labels = 49.9166666666667 - np.arange(48) * 0.0416666666667
    field = rain((1, 48, 4)).assign_coords(y=labels)
    back = field.sr.coarsen(4).sr.interpolate(4)
    assert (back - field).sizes == field.sizes
    elsewhere = field.assign_coords(y=np.round(labels, 4))
    assert (field.sr.coarsen(4).sr.interpolate(4, like=elsewhere) - elsewhere).sizes == field.sizes


def test_weather_model():
    dims = ("Time", "south_north", "west_east")
    lat, lon = np.meshgrid(np.linspace(-20, -18, 4), np.linspace(179.1, 179.9, 4), indexing="ij")
    field = xr.DataArray(
        np.random.default_rng(0).random((6, 4, 4)),
        dims=dims,
        coords={
            "XTIME": ("Time", np.datetime64("2020-01-01", "ns") + np.arange(6) * np.timedelta64(1, "h")),
            "XLAT": (dims, np.broadcast_to(lat, (6, 4, 4)), {"units": "degree_north"}),
            "XLONG": (dims, np.broadcast_to(lon, (6, 4, 4)), {"units": "degree_east"}),
        },
        name="T2",
        attrs={"units": "K"},
    )
    back = field.sr.coarsen(2, 3).sr.interpolate(2, 3)
    np.testing.assert_array_equal(back.XTIME, field.XTIME)
    np.testing.assert_allclose(back.XLAT, field.XLAT, atol=1e-3)


def test_swath_with_pixels_without_a_place():
    lat, lon = np.meshgrid(50 + np.arange(8) / 10, np.arange(8) / 10, indexing="ij")
    lat[0, 0] = np.nan
    field = xr.DataArray(
        np.ones((8, 8)),
        dims=("y", "x"),
        coords={"lat": (("y", "x"), lat), "lon": (("y", "x"), lon)},
        name="tb",
    )
    np.testing.assert_allclose(field.sr.coarsen(4), 1.0)


def test_geotiff():
    rioxarray = pytest.importorskip("rioxarray")
    assert rioxarray
    field = xr.DataArray(
        np.ones((4, 4)),
        dims=("y", "x"),
        coords={"y": [3500.0, 2500, 1500, 500], "x": [500.0, 1500, 2500, 3500]},
    )
    field = field.rio.write_crs(3035).rio.write_transform()
    assert field.sr.coarsen(2).spatial_ref.attrs["GeoTransform"] == "0.0 2000.0 0.0 4000.0 0.0 -2000.0"


def test_unstructured():
    field = xr.DataArray(np.zeros((2, 8)), dims=("time", "ncells"))
    with pytest.raises(DimensionError, match="unstructured"):
        field.sr.coarsen(2)


def test_forecast_steps():
    lead = np.arange(1, 7) * np.timedelta64(1, "h")
    start = np.datetime64("2020-01-01", "ns") + np.arange(2) * np.timedelta64(1, "D")
    field = xr.DataArray(
        np.random.default_rng(0).random((2, 6, 4, 4)),
        dims=("time", "step", "latitude", "longitude"),
        coords={"time": start, "step": lead, "valid_time": (("time", "step"), start[:, None] + lead)},
        name="t2m",
        attrs={"units": "K"},
    )
    coarse = field.sr.coarsen(2, 3)
    assert (coarse.sizes["time"], coarse.sizes["step"]) == (2, 2)
    np.testing.assert_array_equal(coarse.sr.interpolate(2, 3).valid_time, field.valid_time)
