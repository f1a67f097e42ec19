from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support import globe, rain
from xdownscale.errors import DimensionError, TimeAxisError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.factors import Factors
from xdownscale.field.grid import cell_areas, check_regular, coarsen_coords, describe, refine_coords
from xdownscale.field.space import lattice_index, spacing
from xdownscale.field.sphere import to_degrees, unit_vectors

AXES = Axes("y", "x", "time")


def there_and_back(source, axes, factors):
    coarse = xr.Dataset(coords=coarsen_coords(source, axes, factors))
    return coarse, xr.Dataset(coords=refine_coords(coarse, axes, factors))


def test_a_grid_says_what_was_understood():
    grid = describe(rain(), AXES)
    assert (grid.spacing_y, grid.spacing_x, grid.units, grid.latlon) == (1000.0, 1000.0, "m", False)
    assert grid.step == np.timedelta64(5, "m")
    assert describe(globe(), Axes("lat", "lon", None)).latlon


def test_a_field_without_coordinates_lies_at_the_origin():
    grid = describe(xr.DataArray(np.zeros((2, 2, 2)), dims=("time", "y", "x")), AXES)
    assert (grid.spacing_y, grid.units, grid.step, grid.origin) == (1.0, None, None, (0, 0, 0))


@given(
    y=st.integers(0, 15),
    x=st.integers(0, 25),
    offset=st.sampled_from([0.0, 0.5, 0.25, 1 / 3, 499.84]),
    width=st.sampled_from([1000.0, 0.01, 0.25, 999.6739, 3750.0]),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_a_crop_has_the_same_index_at_the_same_place(y, x, offset, width, dtype):
    field = rain((1, 20, 30))
    labels_y = ((80 - np.arange(20) + offset) * width).astype(dtype)
    labels_x = ((np.arange(30) - 95 + offset) * width).astype(dtype)
    field = field.assign_coords(y=labels_y, x=labels_x)
    part = field.isel(y=slice(y, None), x=slice(x, None))
    assert lattice_index(part, "y") - lattice_index(field, "y") == y
    assert lattice_index(part, "x") - lattice_index(field, "x") == x


@given(
    factors=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
    width=st.sampled_from([1000.0, 0.1, 0.25, 999.6739]),
    descending=st.booleans(),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_refining_undoes_coarsening_to_the_last_digit(factors, width, descending, dtype):
    y, x, time = factors
    field = rain((2 * time, 3 * y, 2 * x))
    labels = np.array([float(f"{47.05 + width * i:.10g}") for i in range(3 * y)])
    field = field.assign_coords(y=(labels[::-1] if descending else labels).astype(dtype))
    _, back = there_and_back(field.to_dataset(), AXES, Factors(y, x, time))
    for dim in AXES.ordered:
        if back[dim].dtype == np.float32:
            rounding = 2.5e-7 * float(abs(field[dim]).max())
            np.testing.assert_allclose(back[dim].values, field[dim].values, rtol=0, atol=rounding)
        else:
            np.testing.assert_array_equal(back[dim].values, field[dim].values)
        assert back[dim].dtype == field[dim].dtype


def test_bounds_come_back_too():
    dataset = rain((6, 20, 30)).to_dataset()
    edges = dataset.y.values[:, None] + np.array([500.0, -500.0])
    dataset = dataset.assign_coords(y_edges=(("y", "side"), edges))
    dataset["y"].attrs["bounds"] = "y_edges"
    coarse, back = there_and_back(dataset, AXES, Factors(10, 10, 3))
    np.testing.assert_array_equal(coarse.y_edges, [[51_000.0, 41_000.0], [41_000.0, 31_000.0]])
    np.testing.assert_array_equal(back.y_edges, edges)
    assert coarse.y_edges.dims == ("y", "side")
    assert coarse.x.attrs["bounds"] == "x_bnds"
    np.testing.assert_array_equal(coarse.x_bnds[0], [-4000.0, 6000.0])


def test_one_cell_alone_keeps_its_width():
    field = rain((3, 10, 10))
    coarse = xr.DataArray(
        np.zeros((1, 1, 1)), dims=AXES.ordered, coords=coarsen_coords(field, AXES, Factors(10, 10, 3))
    )
    assert describe(coarse, AXES).spacing_y == 10_000.0
    back = refine_coords(coarse, AXES, Factors(10, 10, 3))
    for dim in AXES.ordered:
        np.testing.assert_allclose(
            back[dim].values.astype(float), field[dim].values.astype(float), rtol=1e-12
        )


def test_one_label_without_a_width_is_refused():
    with pytest.raises(DimensionError, match=r"cell_width'\] = 1000.0"):
        refine_coords(rain((1, 1, 4)), AXES, Factors(2, 2, 1))
    assert spacing(rain((1, 1, 4)), "y") == 1.0


def test_a_dataset_with_bounds_needs_no_width():
    dataset = rain((1, 1, 4)).to_dataset().assign_coords(y_bnds=(("y", "bnds"), [[51_000.0, 50_000.0]]))
    np.testing.assert_allclose(
        refine_coords(dataset, AXES, Factors(2, 2, 1))["y"].values, [50_750.0, 50_250.0]
    )


def test_cells_at_the_poles_end_there():
    lat = np.linspace(90, -90, 19)
    dataset = xr.Dataset(coords={"lat": lat, "lon": np.arange(4.0)}).isel(lat=slice(0, 18))
    axes = Axes("lat", "lon", None)
    coarse, back = there_and_back(dataset, axes, Factors(2, 2, 1))
    assert float(coarse.lat_bnds[0, 0]) == 90.0
    assert float(coarse.lat[0]) == 85.0
    np.testing.assert_array_equal(back.lat, dataset.lat)


def test_gaussian_latitudes_are_even_enough_and_split_within_their_bounds():
    nodes = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(64)[0]))
    dataset = xr.Dataset(coords={"lat": nodes, "lon": np.arange(4.0)})
    coarse, back = there_and_back(dataset, Axes("lat", "lon", None), Factors(2, 1, 1))
    np.testing.assert_allclose(back.lat, nodes, atol=0.05)
    np.testing.assert_allclose(back.lat_bnds.values[::2, 0], coarse.lat_bnds.values[:, 0])


@pytest.mark.parametrize(
    ("labels", "fix"),
    [
        ([0.0, 1.0, 3.0, 4.0], "interp"),
        ([358.0, 359.0, 0.0, 1.0], "assign_coords"),
        ([1.0, 1.0, 1.0, 1.0], "sortby"),
    ],
)
def test_uneven_spacing_is_located_and_the_way_out_is_named(labels, fix):
    field = xr.DataArray(np.zeros((2, 4)), dims=("lat", "lon"), coords={"lon": labels})
    with pytest.raises(DimensionError, match=fix):
        check_regular(field, ["lon"], None)


def test_areas_of_latitude_rows_in_closed_form():
    areas = cell_areas(globe((6, 8)), Axes("lat", "lon", None))
    edges = np.sin(np.deg2rad(np.linspace(-90, 90, 7)))
    np.testing.assert_allclose(areas, 3 * np.diff(edges), rtol=1e-12)


def test_areas_do_not_depend_on_direction():
    up, down = (cell_areas(globe(descending=d), Axes("lat", "lon", None)) for d in (False, True))
    np.testing.assert_allclose(up.values, down.values[::-1], rtol=1e-12)


def test_plain_means_are_right_on_projected_grids():
    assert cell_areas(rain(), AXES) is None
    assert cell_areas(xr.DataArray(np.zeros((2, 2)), dims=("y", "x")), Axes("y", "x", None)) is None
    assert cell_areas(globe().isel(lat=[0]), Axes("lat", "lon", None)) is None


def curvilinear(shape=(8, 12), *, middle=(40.0, 179.0), width=1.0):
    lat = middle[0] + width * (np.arange(shape[0]) - shape[0] / 2 + 0.5)
    lon = middle[1] + width * (np.arange(shape[1]) - shape[1] / 2 + 0.5)
    lat, lon = np.meshgrid(lat, lon, indexing="ij")
    return xr.DataArray(
        np.zeros(shape),
        dims=("j", "i"),
        coords={
            "lat": (("j", "i"), lat, {"standard_name": "latitude"}),
            "lon": (("j", "i"), (lon + 180) % 360 - 180, {"standard_name": "longitude"}),
        },
    )


def test_areas_of_curvilinear_cells_shrink_with_the_cosine():
    field = curvilinear()
    areas = cell_areas(field, find_axes(field))
    cosine = np.cos(np.deg2rad(field.lat))
    np.testing.assert_allclose(areas[1:-1, 1:-1] / cosine[1:-1, 1:-1], (areas / cosine)[4, 6], rtol=1e-3)


@pytest.mark.parametrize("middle", [(40.0, 179.0), (40.0, 10.0), (85.0, 0.0)])
def test_curvilinear_coordinates_survive_the_date_line(middle):
    field = curvilinear(middle=middle, width=0.2)
    axes = find_axes(field)
    coarse, back = there_and_back(field.to_dataset(name="tas"), axes, Factors(2, 2, 1))
    there = unit_vectors(field.lat.values, field.lon.values)
    np.testing.assert_allclose(unit_vectors(back.lat.values, back.lon.values), there, atol=2e-4)
    assert coarse.lat.shape == (4, 6)
    assert coarse.lon.attrs["standard_name"] == "longitude"


def test_a_lone_curvilinear_cell_has_no_width_so_its_parts_have_no_place():
    field = curvilinear((1, 6))
    axes = find_axes(field)
    assert set(refine_coords(field, axes, Factors(2, 1, 1))) == set()
    assert set(refine_coords(field, axes, Factors(1, 2, 1))) == {"lat", "lon"}


def test_degrees_and_vectors_are_inverse():
    lat, lon = np.array([-90.0, 0.0, 45.0]), np.array([0.0, 200.0, 359.0])
    for east in (True, False):
        new_lat, new_lon = to_degrees(3 * unit_vectors(lat, lon), east=east)
        np.testing.assert_allclose(new_lat, lat, atol=1e-12)
        np.testing.assert_allclose((new_lon - lon + 180) % 360, 180.0, atol=1e-12)


def test_other_coordinates_are_averaged_sampled_or_repeated():
    field = rain((6, 4, 6)).assign_coords(
        height=(("y", "x"), np.arange(24.0).reshape(4, 6)),
        easting=("x", np.arange(6.0)),
        station=("x", list("abcdef")),
        sequence=("time", np.arange(6)),
        crs=0,
        level=5.0,
    )
    field["height"].attrs["bounds"] = "nowhere"
    coarse, back = there_and_back(field, AXES, Factors(2, 2, 3))
    np.testing.assert_array_equal(coarse.height[0], [3.5, 5.5, 7.5])
    assert list(coarse.station.values) == ["a", "c", "e"]
    assert list(coarse.sequence.values) == [0, 3]
    assert float(coarse.level) == 5.0
    assert "bounds" not in coarse.height.attrs
    np.testing.assert_allclose(back.easting, field.easting)
    assert list(back.station.values) == list("aaccee")
    assert back.height.shape == (4, 6)


def test_axes_without_a_factor_keep_their_labels_and_bounds():
    dataset = (
        rain().to_dataset().assign_coords(time_bnds=(("time", "bnds"), np.stack([rain().time] * 2, axis=1)))
    )
    dataset["time"].attrs["bounds"] = "time_bnds"
    coarse = xr.Dataset(coords=coarsen_coords(dataset, AXES, Factors(10, 10, 1)))
    xr.testing.assert_identical(coarse.time_bnds.variable, dataset.time_bnds.variable)
    assert coarse.time.attrs["bounds"] == "time_bnds"


def test_coordinates_lose_their_encoding():
    field = rain()
    field["x"].encoding = {"dtype": "int16", "scale_factor": 10.0}
    field["time"].encoding = {"units": "days since 2020-01-01", "dtype": "int32"}
    coords = coarsen_coords(field, AXES, Factors(2, 2, 1))
    assert coords["x"].encoding == {"_FillValue": None}
    assert coords["time"].encoding == {}
    assert field["time"].encoding


def test_a_description_has_positive_widths_and_the_index_of_the_first_cell_in_time_y_x():
    field = rain((3, 4, 5)).assign_coords(y=-250.0 * np.arange(4) + 1000, x=500.0 * np.arange(5) - 1500)
    field = field.assign_coords(
        time=np.datetime64("1970-01-01T01", "ns") + np.arange(3) * np.timedelta64(1, "h")
    )
    field["x"].attrs["units"] = "m"
    grid = describe(field, AXES)
    assert grid.axes == AXES
    assert (grid.spacing_y, grid.spacing_x, grid.units, grid.step) == (250, 500, "m", np.timedelta64(1, "h"))
    assert grid.origin == (1, -4, -3)
    assert not grid.latlon
    alone = describe(field.isel(time=0, drop=True), Axes("y", "x", None))
    assert (alone.step, alone.origin) == (None, (0, -4, -3))


def test_each_axis_is_checked_by_its_own_rule():
    field = rain((4, 4, 6))
    check_regular(field, AXES.ordered, "time")
    with pytest.raises(TimeAxisError, match="gap"):
        check_regular(field.isel(time=[0, 1, 3]), ["time"], "time")
    with pytest.raises(DimensionError, match="'x' is not evenly spaced"):
        check_regular(field.isel(x=[0, 1, 3]), AXES.ordered, "time")
    check_regular(field.isel(x=[0, 1, 3]), ["y"], None)


def test_cells_have_areas_where_geography_is_known_and_none_in_metres():
    flat = curvilinear()
    metres = flat.assign_coords(j=("j", 1000.0 * np.arange(8), {"units": "m"}))
    plain = flat.assign_coords(j=("j", np.arange(8.0)))
    axes = find_axes(flat)
    assert cell_areas(metres, axes) is None
    assert cell_areas(plain, axes).dims == ("j", "i")
    assert cell_areas(flat.isel(i=[0]), axes) is None
    assert cell_areas(flat.isel(j=[0]), axes) is None
    assert cell_areas(flat.isel(j=[0, 1], i=[0, 1]), axes).shape == (2, 2)
    rows = cell_areas(globe((6, 8)), Axes("lat", "lon", None))
    assert (rows.dims, rows.attrs["units"], float(rows.mean())) == (("lat",), "1", pytest.approx(1))
    np.testing.assert_array_equal(rows.lat, globe((6, 8)).lat)


@pytest.mark.parametrize(("lon", "east"), [(200.0, True), (20.0, False), (-100.0, False)])
def test_longitudes_keep_their_convention(lon, east):
    field = curvilinear((4, 6), middle=(40.0, 0.0)).assign_coords(
        lon=(("j", "i"), np.tile(lon + np.arange(6.0), (4, 1)), {"standard_name": "longitude"})
    )
    coarse, back = there_and_back(field.to_dataset(name="tas"), find_axes(field), Factors(2, 2, 1))
    np.testing.assert_allclose(coarse.lon[0], lon + np.array([0.5, 2.5, 4.5]), atol=1e-9)
    np.testing.assert_allclose(back.lon, field.lon, atol=0.05)
    assert (float(back.lon.max()) > 180) == east


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_what_is_linear_along_an_axis_stays_linear_beyond_its_ends(factor):
    field = rain((2, 3, 4)).assign_coords(ramp=("x", 3.0 - 2 * np.arange(4.0)), lone=("y", np.arange(3.0)))
    coords = refine_coords(field, AXES, Factors(1, factor, 1))
    centres = (np.arange(4 * factor) + 0.5) / factor - 0.5
    np.testing.assert_allclose(coords["ramp"].values, 3 - 2 * centres, atol=1e-12)
    np.testing.assert_array_equal(coords["lone"].values, np.arange(3.0))
    one = refine_coords(field.isel(y=[1]).drop_vars("y"), AXES, Factors(factor, 1, 1))
    np.testing.assert_array_equal(one["lone"].values, np.ones(factor))


def test_coordinates_of_whole_numbers_words_and_times_are_taken_from_the_first_cell_and_repeated():
    field = rain((6, 4, 6)).assign_coords(
        number=("x", np.arange(6)),
        day=("x", np.datetime64("2020-01-01", "ns") + np.arange(6) * np.timedelta64(1, "D")),
        lead=("time", 0.5 * np.arange(6)),
    )
    coarse, back = there_and_back(field, AXES, Factors(2, 2, 3))
    np.testing.assert_array_equal(coarse.number, [0.5, 2.5, 4.5])
    np.testing.assert_array_equal(coarse.day, field.day[::2])
    np.testing.assert_array_equal(coarse.lead, [0.0, 1.5])
    np.testing.assert_array_equal(back.day, np.repeat(coarse.day, 2))
    np.testing.assert_array_equal(back.lead, np.repeat([0.0, 1.5], 3))


def test_sampled_frames_keep_their_labels():
    coords = coarsen_coords(rain((6, 4, 6)), AXES, Factors(2, 2, 3), point=True)
    np.testing.assert_array_equal(coords["time"].values, rain().time.values[::3])
    coords = coarsen_coords(rain((6, 4, 6)), AXES, Factors(2, 2, 1))
    np.testing.assert_array_equal(coords["time"].values, rain().time.values)
    assert set(coords) == {"time", "y", "x"}


def rows_with_bounds(order, *, rows=8):
    """Descending latitude whose bounds are (south, north) or (north, south) in every row."""
    lat = rows - 0.5 - np.arange(rows)
    edges = np.stack([lat - 0.5, lat + 0.5], 1)[:, ::order]
    return xr.Dataset(
        {"tas": (("lat", "lon"), np.random.default_rng(0).random((rows, 4)), {"units": "K"})},
        coords={
            "lat": ("lat", lat, {"units": "degrees_north", "bounds": "lat_bnds"}),
            "lon": ("lon", np.arange(4.0), {"units": "degrees_east"}),
            "lat_bnds": (("lat", "bnds"), edges),
        },
    )


@pytest.mark.parametrize("order", [1, -1])
def test_bounds_keep_the_order_that_they_have(order):
    dataset = rows_with_bounds(order)
    once = dataset.sr.coarsen(2)
    np.testing.assert_allclose(once.lat_bnds[:, ::order], [[6, 8], [4, 6], [2, 4], [0, 2]])
    np.testing.assert_allclose(once.sr.coarsen(2).tas, dataset.tas.sr.coarsen(4), rtol=1e-12)
    np.testing.assert_allclose(once.sr.interpolate(2).lat_bnds, dataset.lat_bnds)
    lone = once.isel(lat=[1]).sr.interpolate((2, 1))
    np.testing.assert_allclose(lone.lat_bnds[:, ::order], [[5, 6], [4, 5]])


@pytest.mark.parametrize("order", [1, -1])
def test_padding_goes_on_with_bounds_in_their_order(order):
    coarse = rows_with_bounds(order, rows=7).sr.coarsen((2, 1), boundary="pad")
    np.testing.assert_allclose(coarse.lat_bnds[:, ::order][-1], [-1, 1])


@pytest.mark.parametrize("values", [[np.nan, np.nan], [3.0, 3.0]])
def test_bounds_that_say_nothing_leave_the_labels_to_do(values):
    dataset = rows_with_bounds(1)
    dataset["lat_bnds"][0] = values
    np.testing.assert_allclose(dataset.sr.coarsen(2).tas, rows_with_bounds(1).sr.coarsen(2).tas, rtol=1e-12)


def test_bounds_left_as_numbers_beside_times_are_refused_and_left_out_by_the_call_of_the_message():
    field = rain((6, 4, 4)).to_dataset()
    field["time_bnds"] = (("time", "bnds"), np.stack([np.arange(6.0), np.arange(1.0, 7.0)], 1))
    field.time.attrs["bounds"] = "time_bnds"
    with pytest.raises(TimeAxisError, match=r"hold float64 values.*dataset.drop_vars\('time_bnds'\)"):
        field.sr.coarsen(2, 3)
    assert field.sr.coarsen(2).sizes["time"] == 6
    assert field.drop_vars("time_bnds").sr.coarsen(2, 3).sizes["time"] == 2
