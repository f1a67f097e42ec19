"""Laws of the verbs, on fields that hypothesis makes up: composition, inverses, invariances, conservation."""

from __future__ import annotations

import cftime
import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xdownscale
from tests.support import raise_if_dask_computes
from xdownscale.field.axes import find_axes
from xdownscale.field.grid import cell_areas

quick = settings(derandomize=True, max_examples=15, deadline=None, database=None)

CALENDARS = ("numpy", "noleap", "360_day", "standard")
GRIDS = ("metres", "sphere", "curvilinear")
NORTH, EAST = {"units": "degrees_north"}, {"units": "degrees_east"}
factors = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))


def axis_of_time(steps, calendar, seconds, start=0):
    """Times in a calendar, from some steps before the end of February."""
    offsets = seconds * (np.arange(steps) + start)
    if calendar == "numpy":
        return np.datetime64("2000-02-28T18:00", "ns") + offsets * np.timedelta64(1, "s")
    return cftime.num2date(offsets, "seconds since 2000-02-28 18:00", calendar=calendar)


@st.composite
def fields(draw, sizes, *, grids=GRIDS, missing=None, bounds=True):
    """A Dataset of rain of these sizes on a grid and in a calendar of its own, often with gaps, often with bounds."""
    steps, rows, columns = sizes
    seed, grid = draw(st.integers(0, 2**16)), draw(st.sampled_from(grids))
    source = np.random.default_rng(seed)
    values = source.gamma(0.5, 3.0, sizes)
    if draw(st.booleans()) if missing is None else missing:
        values[source.random(sizes) < 0.3] = np.nan
    seconds, share = draw(st.sampled_from((300, 3600, 86400))), draw(st.sampled_from((0.0, 0.5, 1.0)))
    calendar = draw(st.sampled_from(CALENDARS))
    starts, ends = (axis_of_time(steps, calendar, seconds, start) for start in (0, 1))
    labels = (
        axis_of_time(steps, calendar, seconds, share)
        if calendar != "numpy"
        else starts + (ends - starts) * share
    )
    width = draw(st.sampled_from((0.25, 1.0, 2.5)))
    dims = ("lat", "lon") if grid == "sphere" else ("y", "x")
    field = xr.DataArray(
        values,
        dims=("time", *dims),
        coords={"time": ("time", labels if bounds else starts)},
        name="rain",
        attrs={"units": "mm", "cell_methods": draw(st.sampled_from(("time: mean", "time: sum")))},
    )
    up = np.arange(rows)[:: draw(st.sampled_from((1, -1)))]
    y, x = 40 + width * (up + 0.5), -5 + width * (np.arange(columns) + 0.5)
    if grid == "metres":
        field = field.assign_coords(y=("y", 1000 * y, {"units": "m"}), x=("x", 1000 * x, {"units": "m"}))
    elif grid == "sphere":
        field = field.assign_coords(lat=("lat", y, NORTH), lon=("lon", x, EAST))
    else:
        lat, lon = np.meshgrid(y, x, indexing="ij")
        field = field.assign_coords(lat=(("y", "x"), lat + 0.01 * lon, NORTH), lon=(("y", "x"), lon, EAST))
    dataset = field.to_dataset()
    if bounds:
        dataset["time_bnds"] = (("time", "bnds"), np.stack([starts, ends], axis=1))
        dataset["time"].attrs["bounds"] = "time_bnds"
    return dataset


def merged(by, most, data, *, least=1, **options):
    """A Dataset that the factors divide into so many coarse steps, rows and columns."""
    counts = data.draw(st.tuples(*(st.integers(least, n) for n in most)))
    sizes = tuple(n * factor for n, factor in zip(counts, by, strict=True))
    return data.draw(fields(sizes, **options))


def same_grid(one, other, *, curved=1e-9):
    """Labels and bounds of two Datasets agree to the last digit; curvilinear coordinates up to the chord."""
    assert set(one.coords) == set(other.coords)
    for name in one.coords:
        if one[name].ndim == 2 and name in ("lat", "lon"):
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=curved)
        else:
            np.testing.assert_array_equal(one[name].values, other[name].values)
            assert one[name].attrs == other[name].attrs


@quick
@given(first=factors, second=factors, data=st.data())
def test_coarsening_by_a_product_is_coarsening_twice(first, second, data):
    both = tuple(a * b for a, b in zip(first, second, strict=True))
    dataset = merged(both, (2, 2, 2), data, grids=("metres", "sphere"), missing=False)
    once = xdownscale.coarsen(dataset, both[1:], both[0])
    step = xdownscale.coarsen(dataset, first[1:], first[0])
    twice = xdownscale.coarsen(step, second[1:], second[0])
    np.testing.assert_allclose(once["rain"].values, twice["rain"].values, rtol=1e-10)
    assert once["rain"].attrs["cell_methods"] == twice["rain"].attrs["cell_methods"]
    same_grid(once, twice)


@quick
@given(by=factors, data=st.data())
def test_refining_undoes_coarsening_on_labels_and_bounds(by, data):
    dataset = merged(by, (3, 4, 4), data, least=2)
    coarse = xdownscale.coarsen(dataset, by[1:], by[0], min_valid=0.0)
    fine = xdownscale.interpolate(coarse, by[1:], by[0], method="nearest")
    for dim in dataset["rain"].dims:
        if dim in dataset.coords:
            np.testing.assert_array_equal(fine[dim].values, dataset[dim].values)
            assert fine[dim].dtype == dataset[dim].dtype
    np.testing.assert_array_equal(fine["time_bnds"].values, dataset["time_bnds"].values)
    again = xdownscale.coarsen(fine, by[1:], by[0])
    same_grid(again, coarse, curved=0.5)
    np.testing.assert_allclose(again["rain"].values, coarse["rain"].values, rtol=1e-10)


@quick
@given(by=factors, order=st.permutations(range(4)), data=st.data())
def test_the_order_of_dimensions_does_not_matter(by, order, data):
    field = merged(by, (2, 3, 3), data, least=2, bounds=False)["rain"]
    field = xr.concat([field, 2 * field], dim="level").assign_attrs(field.attrs)
    mixed = field.transpose(*(field.dims[i] for i in order))
    for verb in (xdownscale.coarsen, xdownscale.interpolate):
        roles = dict(zip(("y", "x"), field.dims[2:], strict=True))
        expected = verb(field, by[1:], by[0], dims=roles)
        result = verb(mixed, by[1:], by[0], dims=roles)
        assert result.dims == mixed.dims
        xr.testing.assert_allclose(result.transpose(*field.dims), expected, rtol=1e-12)


@quick
@given(by=factors, flips=st.tuples(st.booleans(), st.booleans()), data=st.data())
def test_the_direction_of_coordinates_does_not_matter(by, flips, data):
    field = merged(by, (2, 3, 3), data, bounds=False)["rain"]
    turn = {dim: slice(None, None, -1) for dim, flip in zip(field.dims[1:], flips, strict=True) if flip}
    result = xdownscale.coarsen(field.isel(turn), by[1:], by[0], min_valid=0.5)
    expected = xdownscale.coarsen(field, by[1:], by[0], min_valid=0.5).isel(turn)
    np.testing.assert_allclose(result.values, expected.values, rtol=1e-9)
    for dim in set(field.dims) & set(field.coords):
        np.testing.assert_array_equal(result[dim].values, expected[dim].values)


@quick
@given(by=factors, chunks=st.tuples(*[st.integers(1, 7)] * 3), data=st.data())
def test_chunks_do_not_matter(by, chunks, data):
    dataset = merged(by, (3, 3, 3), data)
    lazy = dataset.assign(rain=dataset["rain"].chunk(dict(zip(dataset["rain"].dims, chunks, strict=True))))
    lazy = lazy.assign_coords({name: dataset[name] for name in dataset.coords})
    with raise_if_dask_computes():
        coarse = xdownscale.coarsen(lazy, by[1:], by[0], min_valid=0.4)
        fine = xdownscale.interpolate(coarse, by[1:], by[0], method="linear")
    expected = xdownscale.coarsen(dataset, by[1:], by[0], min_valid=0.4)
    # sums of a block that chunks cut are added in another order: a last bit may differ
    xr.testing.assert_allclose(coarse.compute(scheduler="synchronous"), expected, rtol=1e-12, atol=1e-12)
    xr.testing.assert_allclose(
        fine.compute(scheduler="synchronous"),
        xdownscale.interpolate(expected, by[1:], by[0], method="linear"),
        rtol=1e-12,
        atol=1e-12,
    )


@quick
@given(by=factors, data=st.data())
def test_precision_does_not_matter(by, data):
    dataset = merged(by, (2, 3, 3), data)
    single = dataset.assign(rain=dataset["rain"].astype(np.float32))
    result = xdownscale.coarsen(single, by[1:], by[0], min_valid=0.5)
    expected = xdownscale.coarsen(dataset, by[1:], by[0], min_valid=0.5)
    assert result["rain"].dtype == np.float32
    np.testing.assert_allclose(result["rain"], expected["rain"], rtol=1e-6)
    same_grid(result, expected)
    counts = dataset.assign(rain=dataset["rain"].fillna(0).round().astype(np.int16).assign_attrs(units="mm"))
    assert xdownscale.coarsen(counts, by[1:], by[0])["rain"].dtype == np.float64


@quick
@given(by=factors, data=st.data())
def test_totals_over_valid_cells_are_conserved(by, data):
    """Σ area · value over the valid fine cells = Σ valid area · coarse value, in every calendar and on every grid."""
    field = merged(by, (2, 3, 3), data, bounds=False)["rain"]
    field = field.assign_attrs(cell_methods="time: mean")
    areas = cell_areas(field, find_axes(field))
    weights = xr.ones_like(field) if areas is None else areas.broadcast_like(field)
    weights = weights.transpose(*field.dims).values * np.isfinite(field.values)
    t, y, x = by
    steps, rows, columns = field.shape
    blocks = weights.reshape(steps // t, t, rows // y, y, columns // x, x).sum(axis=(1, 3, 5))
    coarse = xdownscale.coarsen(field, by[1:], by[0], min_valid=0.0)
    total = float(np.nansum(weights * field.values))
    np.testing.assert_allclose(np.nansum(blocks * coarse.values), total, rtol=1e-10)
    np.testing.assert_array_equal(np.isnan(coarse.values), blocks == 0)


@quick
@given(by=factors, data=st.data())
def test_amounts_add_up_over_the_steps(by, data):
    dataset = merged(by, (3, 2, 2), data, missing=False)
    field = dataset.assign(rain=dataset["rain"].assign_attrs(cell_methods="time: sum"))
    coarse = xdownscale.coarsen(field, 1, by[0])
    np.testing.assert_allclose(coarse["rain"].sum("time"), field["rain"].sum("time"), rtol=1e-12)
    fine = xdownscale.interpolate(coarse, 1, by[0])
    np.testing.assert_allclose(fine["rain"].sum("time"), field["rain"].sum("time"), rtol=1e-12)
