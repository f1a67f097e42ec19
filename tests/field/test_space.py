"""Space axes: the spacing that every crop agrees on, the lattice, edges, angles by name, areas."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes
from xdownscale.field.labels import has_labels, is_latitude, is_longitude
from xdownscale.field.space import (
    _shortest,
    closes_circle,
    coarsen_labels,
    curvilinear,
    edges,
    lattice_index,
    refine_labels,
    spacing,
)
from xdownscale.field.sphere import patch_areas, row_areas, to_degrees, unit_vectors


def axis(labels, dim="x", **attrs):
    return xr.Dataset(coords={dim: (dim, np.asarray(labels), attrs)})


@pytest.mark.parametrize(
    ("value", "tolerance", "short"),
    [(0.30000000000000004, 1e-12, 0.3), (999.67391, 1e-2, 999.67), (-0.25, 0.0, -0.25), (0.1 + 0.2, 0.0, 0.1 + 0.2),
     (1234.5, 40, 1200.0), (1 / 3, 1e-6, 0.333333), (2e5, 1.0, 2e5)],
)  # fmt: skip
def test_the_shortest_number_within_a_tolerance(value, tolerance, short):
    assert _shortest(value, tolerance) == short


@settings(deadline=None, max_examples=50)
@given(
    width=st.sampled_from([0.05, 0.1, 0.25, 1 / 3, 0.28125, 1000.0, 999.6739, -0.25, -1000.0]),
    first=st.sampled_from([0.0, 5.0, -179.875, 47.05, 1e5]),
    cut=st.tuples(st.integers(0, 30), st.integers(2, 30)),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_every_crop_has_the_spacing_of_the_whole_within_what_its_labels_can_tell(width, first, cut, dtype):
    labels = (first + width * np.arange(60)).astype(dtype)
    part = labels[cut[0] : cut[0] + cut[1]]
    told = 2 * float(np.finfo(dtype).eps) * float(np.abs(part).max())
    if told > 0.005 * abs(width):
        return
    assert spacing(axis(part), "x") == pytest.approx(
        width, abs=told / (part.size - 1) * 2 + 1e-11 * abs(width)
    )
    if dtype is np.float64 and width != 1 / 3:
        assert spacing(axis(part), "x") == width


def test_spacing_without_labels_is_one_and_of_a_lone_label_what_is_noted():
    assert spacing(xr.Dataset(coords={"x": ("x", ["a", "b"])}), "x") == 1.0
    assert spacing(xr.DataArray(np.zeros(3), dims="x"), "x") == 1.0
    assert spacing(axis([3.0]), "x") == 1.0
    assert spacing(axis([3.0], cell_width=-0.5), "x") == -0.5
    lone = axis([3.0]).assign_coords(x_bnds=(("x", "bnds"), [[2.0, 4.5]]))
    assert spacing(lone, "x") == 2.5


@pytest.mark.parametrize("off", [0.019, 0.021])
def test_steps_may_differ_by_a_fiftieth_of_the_spacing(off):
    labels = np.arange(101.0)
    labels[50] += off
    if off < 0.02:
        assert spacing(axis(labels), "x") == 1.0
        return
    with pytest.raises(
        DimensionError, match=r"not evenly spaced: 1\.021 after index 49, 1 elsewhere.*interp"
    ):
        spacing(axis(labels), "x")


def test_a_jump_of_a_whole_circle_is_answered_with_continuous_longitudes():
    with pytest.raises(DimensionError, match=r"-359 after index 1, 1 elsewhere. Make longitudes continuous"):
        spacing(axis([358.0, 359.0, 0.0, 1.0, 2.0], "lon"), "lon")
    with pytest.raises(DimensionError, match="even spacing"):
        spacing(axis([0.0, 1.0, 2.0, 350.0, 351.0], "x"), "x")


@pytest.mark.parametrize("width", [0.25, -0.25, 1000.0])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("noise", [-0.02, 0.0, 0.02])
def test_labels_on_whole_half_and_quarter_cells_have_an_index_that_rounding_does_not_move(
    width, offset, noise
):
    """The edge of rounding lies away from all of them."""
    for number in (-7, -1, 0, 3, 12_345):
        labels = (number + offset + noise + np.arange(4)) * width
        assert lattice_index(axis(labels), "x") == number + (1 if offset == 0.75 else 0)
    assert lattice_index(axis(np.array(["a"])), "x") == 0


def test_edges_lie_halfway_and_outer_cells_are_as_wide_as_their_neighbours():
    np.testing.assert_allclose(edges(axis([1.0, 2.0, 4.0]), "x"), [[0.5, 1.5], [1.5, 3.0], [3.0, 5.0]])
    np.testing.assert_allclose(edges(axis([4.0, 2.0]), "x"), [[5.0, 3.0], [3.0, 1.0]])
    assert edges(axis([4.0]), "x") is None
    np.testing.assert_allclose(edges(axis([4.0], cell_width=3.0), "x"), [[2.5, 5.5]])
    np.testing.assert_allclose(edges(axis([4.0], cell_width=-3.0), "x"), [[5.5, 2.5]])
    bounded = axis([1.0, 2.0]).assign_coords(x_bnds=(("x", "bnds"), [[0.0, 1.2], [1.2, 2.0]]))
    np.testing.assert_allclose(edges(bounded, "x"), [[0.0, 1.2], [1.2, 2.0]])


@pytest.mark.parametrize("descending", [False, True])
def test_labels_and_bounds_of_wide_cells_are_those_of_what_they_hold(descending):
    labels = np.arange(6.0) * 2 + 5
    field = axis(labels[::-1] if descending else labels)
    coarse = xr.Dataset(coords=coarsen_labels(field, "x", 3))
    expected = [13.0, 7.0] if descending else [7.0, 13.0]
    assert coarse.x.values.tolist() == expected
    sign = -1 if descending else 1
    np.testing.assert_array_equal(coarse.x_bnds, [[c - 3 * sign, c + 3 * sign] for c in expected])
    assert coarse.x.attrs["cell_width"] == 6.0 * sign
    back = xr.Dataset(coords=refine_labels(coarse, "x", 3))
    np.testing.assert_array_equal(back.x, field.x)
    np.testing.assert_array_equal(back.x_bnds, edges(field, "x"))
    assert back.x.attrs["cell_width"] == 2.0 * sign


def test_cells_that_differ_are_split_within_their_own_edges():
    """As Gaussian latitudes do; cells that differ by rounding alone are split evenly."""
    nodes = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(64)[0]))
    fine = xr.Dataset(coords=refine_labels(axis(nodes, "lat", units="degrees_north"), "lat", 4))
    cuts = edges(axis(nodes, "lat", units="degrees_north"), "lat")
    np.testing.assert_allclose(fine.lat_bnds.values.reshape(64, 4, 2)[:, 0, 0], cuts[:, 0], atol=1e-9)
    np.testing.assert_allclose(fine.lat_bnds.values.reshape(64, 4, 2)[:, -1, 1], cuts[:, 1], atol=1e-9)
    np.testing.assert_allclose(fine.lat, fine.lat_bnds.mean("bnds"), atol=1e-9)
    noisy = np.arange(50.0) + np.random.default_rng(0).uniform(-2e-4, 2e-4, 50)
    even = xr.Dataset(coords=refine_labels(axis(noisy), "x", 2))
    widths = even.x.values[1::2] - even.x.values[::2]
    np.testing.assert_allclose(widths, spacing(axis(noisy), "x") / 2, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "attrs", "latitude", "longitude"),
    [
        ("a", {"standard_name": "latitude"}, True, False),
        ("a", {"standard_name": "grid_longitude"}, False, True),
        ("a", {"units": "degrees_north"}, True, False),
        ("a", {"units": "degree_east"}, False, True),
        ("lat", {"units": "degrees"}, True, False),
        ("rlon", {"units": "degrees"}, False, True),
        ("lat", {"units": "m"}, False, False),
        ("XLAT", {}, True, False),
        ("long", {}, False, True),
        ("y", {}, False, False),
        ("y", {"units": "degrees"}, False, False),
    ],
)
def test_angles_are_known_by_their_attributes_or_else_by_their_name(name, attrs, latitude, longitude):
    coordinate = xr.DataArray(np.zeros(2), dims=name, coords={name: (name, [0.0, 1.0], attrs)})[name]
    assert (is_latitude(coordinate), is_longitude(coordinate)) == (latitude, longitude)


def test_a_circle_is_closed_by_longitudes_all_the_way_round():
    assert closes_circle(axis(np.arange(0, 360, 2.5), "lon"), "lon")
    assert closes_circle(axis(np.arange(179.5, -180, -1.0), "lon"), "lon")
    assert not closes_circle(axis(np.arange(0, 359, 1.0), "lon"), "lon")
    assert not closes_circle(axis(np.arange(0, 361, 1.0), "lon"), "lon")
    assert not closes_circle(axis(np.arange(0, 360, 1.0), "x"), "x")
    assert not closes_circle(xr.DataArray(np.zeros(3), dims="lon"), "lon")
    assert not closes_circle(axis([0.0], "lon", cell_width=360.0), "lon")


def test_labels_are_numbers():
    assert has_labels(axis([1, 2]), "x")
    assert has_labels(axis(np.array([1.0], np.float32)), "x")
    assert not has_labels(axis(np.array([], float)), "x")
    assert not has_labels(axis(["a"]), "x")
    assert not has_labels(xr.DataArray([0.0], dims="x"), "x")


def test_rows_have_the_area_of_their_zone():
    """Archimedes: the zone between two latitudes is 2π (sin φ₂ − sin φ₁); north first or last."""
    rows = np.array([[-90.0, -30.0], [-30.0, 0.0], [0.0, 90.0]])
    np.testing.assert_allclose(row_areas(rows), 1.5 * np.array([0.5, 0.5, 1.0]), rtol=1e-12)
    np.testing.assert_allclose(row_areas(rows[::-1, ::-1]), row_areas(rows)[::-1], rtol=1e-12)


def test_patches_have_the_area_that_their_corners_span():
    """On a regular grid in degrees Δφ·Δλ·cos φ, and the same after the sphere is turned."""
    lat, lon = np.meshgrid(np.arange(30.0, 60, 1), np.arange(0.0, 40, 2), indexing="ij")
    areas = patch_areas(lat, lon)
    assert areas.mean() == pytest.approx(1)
    cosine = np.cos(np.deg2rad(lat))
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose((areas / cosine)[inside], (areas / cosine)[5, 5], rtol=1e-12)
    x, y, z = np.moveaxis(unit_vectors(lat, lon), -1, 0)
    turned = patch_areas(*to_degrees(np.stack([z, x, y], -1), east=False))
    np.testing.assert_allclose(turned, areas, rtol=1e-9)


def test_unit_vectors_point_where_geography_says():
    lat, lon = np.array([0.0, 0.0, 90.0, 0.0, -45.0]), np.array([0.0, 90.0, 0.0, 180.0, -90.0])
    half = np.sqrt(0.5)
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -half, -half]]
    np.testing.assert_allclose(unit_vectors(lat, lon), expected, atol=1e-15)
    assert to_degrees(np.array([[0.0, -1.0, 0.0]]), east=True)[1].tolist() == [270.0]
    assert to_degrees(np.array([[0.0, -1.0, 0.0]]), east=False)[1].tolist() == [-90.0]


def test_a_pair_of_flat_coordinates_is_found_by_its_attributes():
    lat, lon = np.meshgrid(np.arange(3.0), np.arange(4.0), indexing="ij")
    field = xr.DataArray(np.zeros((3, 4)), dims=("j", "i")).assign_coords(
        b=(("j", "i"), lon, {"units": "degrees_east"}), a=(("i", "j"), lat.T, {"units": "degrees_north"})
    )
    axes = Axes("j", "i", None)
    assert curvilinear(field, axes) == ("a", "b")
    assert curvilinear(field.drop_vars("a"), axes) is None
    assert curvilinear(field.drop_vars("b"), axes) is None
