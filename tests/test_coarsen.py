from __future__ import annotations

import warnings

import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xdownscale
from tests.support import globe, rain, raise_if_dask_computes
from xdownscale.errors import ArgumentError, DimensionError, FactorError, TimeAxisError, ValueRangeError


def test_a_coarse_cell_is_the_mean_of_its_block():
    field = rain((6, 20, 30))
    expected = field.values.reshape(2, 3, 4, 5, 3, 10).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(xdownscale.coarsen(field, (5, 10), 3).values, expected, rtol=1e-14)


def test_axes_may_stand_in_any_order_among_others():
    field = rain((6, 4, 8)).expand_dims(level=[1, 2]).transpose("x", "level", "time", "y")
    coarse = xdownscale.coarsen(field, 2, 3)
    assert coarse.dims == field.dims
    again = xdownscale.coarsen(field.isel(level=0).transpose("time", "y", "x"), 2, 3)
    xr.testing.assert_allclose(coarse.isel(level=0).transpose("time", "y", "x"), again, rtol=1e-14)


@given(
    first=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    second=st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2)),
    method=st.sampled_from(["mean", "sum"]),
    missing=st.booleans(),
)
def test_coarsening_twice_is_coarsening_once(first, second, method, missing):
    both = [a * b for a, b in zip(first, second, strict=True)]
    units = {"mean": "mm h-1", "sum": "mm"}[method]
    field = rain((2 * both[0], 2 * both[1], both[2])).assign_attrs(
        cell_methods=f"time: {method}", units=units
    )
    field = field.where(field > 0.01) if missing else field
    once = xdownscale.coarsen(field, (both[1], both[2]), both[0])
    twice = xdownscale.coarsen(xdownscale.coarsen(field, first[1:], first[0]), second[1:], second[0])
    xr.testing.assert_allclose(once, twice, rtol=1e-12)
    assert once.attrs["cell_methods"] == twice.attrs["cell_methods"]


@pytest.mark.parametrize("descending", [False, True])
def test_coarsening_twice_is_coarsening_once_on_the_sphere(descending):
    field = globe((24, 12), descending=descending)
    once = xdownscale.coarsen(field, 6)
    xr.testing.assert_allclose(once, xdownscale.coarsen(xdownscale.coarsen(field, 2), 3), rtol=1e-12)


def test_means_on_the_sphere_weigh_area():
    field = globe((18, 36))
    sine = field.copy(data=np.broadcast_to(np.sin(np.deg2rad(field.lat.values))[:, None] ** 2, field.shape))
    edges = np.sin(np.deg2rad(np.linspace(-90, 90, 19)))
    weights = np.diff(edges)
    expected = (sine.values[:, 0] * weights).reshape(6, 3).sum(1) / weights.reshape(6, 3).sum(1)
    np.testing.assert_allclose(xdownscale.coarsen(sine, 3).values[:, 0], expected, rtol=1e-12)


def test_the_area_mean_is_conserved_on_the_sphere():
    field = globe((18, 36))
    coarse = xdownscale.coarsen(field, 6)
    fine_weights = np.diff(np.sin(np.deg2rad(np.linspace(-90, 90, 19))))
    coarse_weights = np.diff(np.sin(np.deg2rad(np.linspace(-90, 90, 4))))
    fine_mean = (field.values.mean(1) * fine_weights).sum() / 2
    np.testing.assert_allclose((coarse.values.mean(1) * coarse_weights).sum() / 2, fine_mean, rtol=1e-12)


def test_direction_of_a_coordinate_does_not_matter():
    field = globe((18, 36))
    up = xdownscale.coarsen(field, 3)
    down = xdownscale.coarsen(field.isel(lat=slice(None, None, -1)), 3)
    xr.testing.assert_allclose(up, down.isel(lat=slice(None, None, -1)), rtol=1e-13)


def test_amounts_are_added_rates_averaged_snapshots_sampled():
    field = rain()
    mean = xdownscale.coarsen(field, 1, 3)
    total = xdownscale.coarsen(field.assign_attrs(units="mm"), 1, 3)
    np.testing.assert_allclose(total, 3 * mean, rtol=1e-14)
    np.testing.assert_allclose(total.sum(), field.sum(), rtol=1e-12)
    assert total.attrs["cell_methods"] == "time: sum"
    point = xdownscale.coarsen(field, 1, 3, time_method="point")
    np.testing.assert_array_equal(point, field[::3])
    np.testing.assert_array_equal(point.time, field.time[::3])
    assert point.attrs["cell_methods"] == "time: point"
    static = xdownscale.coarsen(field.isel(time=0), 2, time_method="sum")
    np.testing.assert_allclose(static, xdownscale.coarsen(field[:1], 2)[0])


@given(min_valid=st.floats(0, 1), seed=st.integers(0, 5))
def test_missing_values_follow_the_share_that_is_valid(min_valid, seed):
    field = rain((3, 8, 8), seed=seed)
    field = field.where(np.random.default_rng(seed).random(field.shape) < 0.6)
    coarse = xdownscale.coarsen(field, 4, 3, min_valid=min_valid)
    blocks = field.values.reshape(1, 3, 2, 4, 2, 4)
    share = np.isfinite(blocks).mean(axis=(1, 3, 5))
    np.testing.assert_array_equal(np.isfinite(coarse.values), (share >= min_valid - 1e-9) & (share > 0))
    expected = np.nanmean(blocks, axis=(1, 3, 5))
    np.testing.assert_allclose(coarse.values, np.where(np.isfinite(coarse), expected, np.nan), rtol=1e-12)


def test_a_block_without_any_value_is_missing_even_if_none_is_asked_for():
    field = rain((3, 4, 4)) * np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert xdownscale.coarsen(field, 4, 3, min_valid=0.0).isnull().all()


def test_padding_needs_fewer_valid_values():
    field = rain((6, 15, 30))
    padded = xdownscale.coarsen(field, 10, 3, boundary="pad", min_valid=0.5)
    assert padded.notnull().all()
    assert xdownscale.coarsen(field, 10, 3, boundary="pad")[:, 1].isnull().all()
    np.testing.assert_allclose(padded[0, 1, 0], field[:3, 10:, :10].mean())


@pytest.mark.slow
@given(
    chunks=st.tuples(st.integers(1, 6), st.integers(1, 20), st.integers(1, 30)),
    missing=st.booleans(),
    sphere=st.booleans(),
)
def test_chunks_change_nothing(chunks, missing, sphere):
    field = rain((6, 20, 30))
    field = field.where(field > 0.05) if missing else field
    if sphere:
        field = field.assign_coords(y=np.linspace(40, 59, 20)).rename(y="lat")
    with raise_if_dask_computes():
        lazy = xdownscale.coarsen(
            field.chunk(dict(zip(field.dims, chunks, strict=True))), (10, 5), 3, min_valid=0.5
        )
    xr.testing.assert_allclose(
        lazy.compute(scheduler="synchronous"),
        xdownscale.coarsen(field, (10, 5), 3, min_valid=0.5),
        rtol=1e-14,
    )


def test_curvilinear_areas_are_chunked_with_the_field():
    lat, lon = np.meshgrid(np.linspace(40, 59, 20), np.linspace(0, 29, 30), indexing="ij")
    field = rain().drop_vars(["y", "x"]).assign_coords(lat=(("y", "x"), lat), lon=(("y", "x"), lon))
    lazy = xdownscale.coarsen(field.chunk(y=7, x=11), 5)
    xr.testing.assert_allclose(
        lazy.compute(scheduler="synchronous"), xdownscale.coarsen(field, 5), rtol=1e-14
    )


def test_a_block_lies_in_the_chunk_that_it_begins_in_and_chunks_are_of_one_size():
    field = rain().chunk(y=7, x=11)  # whose blocks begin in chunks by two, one and one
    assert xdownscale.coarsen(field, 5).chunksizes["y"] == (2, 2)
    values = dask.array.zeros((1, 12, 12), chunks=(1, 1, 12))
    assert xdownscale.coarsen(xr.DataArray(values, dims=("time", "y", "x")), 4).shape == (1, 3, 3)


@pytest.mark.parametrize(("dtype", "result"), [("f4", "f4"), ("f8", "f8"), ("i2", "f8"), ("bool", "f8")])
def test_precision(dtype, result):
    field = (10 * rain()).astype(dtype)
    coarse = xdownscale.coarsen(field, 10, 3)
    assert coarse.dtype == result
    np.testing.assert_allclose(coarse, xdownscale.coarsen(field.astype("f8"), 10, 3), rtol=1e-6)


def test_many_small_values_do_not_drown_in_single_precision():
    field = xr.DataArray(np.full((3, 100, 100), 288.1, np.float32), dims=("time", "y", "x"))
    assert (xdownscale.coarsen(field, 100, 3) == np.float32(288.1)).all()


def test_metadata_is_true():
    field = rain().assign_attrs(cell_measures="area: areacella", grid_mapping="crs")
    field.encoding = {"dtype": "int16", "scale_factor": 0.1}
    before = field.copy(deep=True)
    coarse = xdownscale.coarsen(field, 10, 3)
    assert coarse.attrs["cell_methods"] == "area: mean time: mean"
    assert coarse.attrs["grid_mapping"] == "crs"
    assert "cell_measures" not in coarse.attrs
    assert "coarsen(spatial=10, temporal=3)" in coarse.attrs["history"]
    assert coarse.encoding == {}
    assert coarse.name == "rain"
    assert xdownscale.coarsen(field, 10, keep_attrs=False).attrs == {}
    xr.testing.assert_identical(field, before)
    assert field.encoding["dtype"] == "int16"


def dataset():
    whole = rain().to_dataset()
    starts = whole.time.values
    whole["time_bnds"] = (("time", "bnds"), np.stack([starts, starts + np.timedelta64(5, "m")], axis=1))
    whole["time"].attrs["bounds"] = "time_bnds"
    whole["rain"].attrs["grid_mapping"] = "crs"
    whole["crs"] = ((), 0, {"grid_mapping_name": "lambert_conformal_conic"})
    whole["orography"] = (("y", "x"), np.arange(600.0).reshape(20, 30))
    return whole.assign_attrs(title="a test")


def test_a_dataset_comes_back_whole_with_bounds():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coarse = xdownscale.coarsen(dataset(), 10, 3)
    xr.testing.assert_equal(coarse["rain"].drop_vars("crs"), xdownscale.coarsen(rain(), 10, 3))
    assert coarse["orography"].shape == (2, 3)
    assert coarse["orography"].attrs["cell_methods"] == "area: mean"
    assert coarse["crs"].attrs["grid_mapping_name"] == "lambert_conformal_conic"
    assert coarse["time_bnds"].values[0, 1] == rain().time.values[3]
    assert coarse.attrs["title"] == "a test"
    assert "history" in coarse.attrs
    assert "history" not in coarse["rain"].attrs


def test_variables_without_the_dimensions_pass_and_are_named():
    whole = dataset().assign(label=((), 3.0), flag=("time", np.arange(6)))
    with pytest.warns(UserWarning, match=r"passed through.*'label'.*left out.*'flag'") as caught:
        coarse = xdownscale.coarsen(whole, 10, 3)
    assert caught[0].filename == __file__
    assert "flag" not in coarse
    assert float(coarse.label) == 3.0
    with pytest.warns(UserWarning, match="flag"):
        assert xdownscale.coarsen(whole, 10).flag.shape == (6,)


def test_staggered_variables_keep_their_own_grids():
    whole = xr.Dataset({"a": rain(), "b": rain().rename(x="x_2").isel(x_2=slice(0, 20))})
    coarse = xdownscale.coarsen(whole, 10, 3)
    assert {dim: coarse.sizes[dim] for dim in ("time", "y", "x", "x_2")} == {
        "time": 2,
        "y": 2,
        "x": 3,
        "x_2": 2,
    }
    xr.testing.assert_equal(
        coarse["b"].drop_vars("x_2"), coarse["a"][..., :2].rename(x="x_2").drop_vars("x_2")
    )


def test_a_dataset_of_nothing_is_refused():
    with pytest.raises(DimensionError, match="y and x"):
        xdownscale.coarsen(xr.Dataset({"a": ("z", [1.0])}), 2)
    with pytest.raises(DimensionError, match="time dimension"):
        xdownscale.coarsen(dataset()[["orography"]], 2, 3)


@pytest.mark.parametrize("boundary", ["exact", "trim", "pad"])
def test_a_dataset_without_labels_is_coarsened_and_refined_as_its_field(boundary):
    field = rain((6, 20, 30) if boundary == "exact" else (7, 21, 31)).drop_vars(["time", "y", "x"])
    whole = field.to_dataset()
    coarse = xdownscale.coarsen(whole, 10, 3, boundary=boundary)
    np.testing.assert_array_equal(
        coarse["rain"].values, xdownscale.coarsen(field, 10, 3, boundary=boundary).values
    )
    fine = xdownscale.interpolate(coarse, 10, 3, method="nearest")
    np.testing.assert_allclose(xdownscale.coarsen(fine, 10, 3)["rain"], coarse["rain"], rtol=1e-12)


@pytest.mark.parametrize("verb", [xdownscale.coarsen, xdownscale.interpolate, xdownscale.downscale])
def test_an_array_without_names_of_dimensions_is_refused_with_the_call_that_names_them(verb):
    with pytest.raises(DimensionError, match=r'xarray.DataArray\(field, dims=\("time", "y", "x"\)\)'):
        verb(rain().values, spatial=10, temporal=3)
    named = xr.DataArray(rain((6, 20, 20)).values, dims=("time", "y", "x"), attrs=rain().attrs)
    assert verb(named, spatial=10, temporal=3).ndim >= 3


def test_dimensions_that_are_no_names_are_refused_with_the_call_that_renames():
    field = xr.DataArray(rain().values, dims=("time", "y", 0), attrs=rain().attrs)
    with pytest.raises(DimensionError, match=r"field.rename\(\{0: "):
        xdownscale.coarsen(field, 10)
    assert xdownscale.coarsen(field.rename({0: "x"}), 10).sizes["x"] == 3


def test_a_written_file_is_read_back_with_its_bounds(tmp_path):
    pytest.importorskip("netCDF4")  # old builds warn of another numpy when they are imported
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xdownscale.coarsen(dataset(), 10, 3).to_netcdf(tmp_path / "coarse.nc")
    with xr.open_dataset(tmp_path / "coarse.nc", decode_coords="all") as read:
        assert {"time_bnds", "y_bnds", "x_bnds", "crs"} <= set(read.coords)
        fine = xdownscale.interpolate(read, 10, 3, method="nearest")
    np.testing.assert_array_equal(fine.time, rain().time)
    np.testing.assert_array_equal(fine.y, rain().y)


@pytest.mark.parametrize(
    ("call", "error", "fix"),
    [
        (
            lambda f: xdownscale.coarsen(f.drop_vars("y").rename(y="north"), 2),
            DimensionError,
            'dims={"y": "north"}',
        ),
        (lambda f: xdownscale.coarsen(f.isel(time=0, drop=True), 2, 3), DimensionError, "expand_dims"),
        (lambda f: xdownscale.coarsen(f, 7, 3), FactorError, "boundary='trim'"),
        (lambda f: xdownscale.coarsen(f.isel(time=[0, 1, 3]), 2, 3), TimeAxisError, "slice"),
        (lambda f: xdownscale.coarsen(f.isel(y=[0, 1, 3, 4]), 2), DimensionError, "not evenly spaced"),
        (lambda f: xdownscale.coarsen(f, 2, min_valid=2), ValueRangeError, "min_valid=0.5"),
        (lambda f: xdownscale.coarsen(f - 99, 2), ValueRangeError, ">= 0"),
        (lambda f: xdownscale.coarsen(f.astype(str), 2), ValueRangeError, "astype"),
        (lambda f: xdownscale.coarsen(f, 0), FactorError, "at least 1"),
    ],
)
def test_every_message_names_the_fix(call, error, fix):
    with pytest.raises(error) as caught:
        call(rain())
    assert fix in str(caught.value)


def test_a_gap_in_time_does_not_matter_to_space():
    field = rain().isel(time=[0, 1, 3])
    assert xdownscale.coarsen(field, 10).shape == (3, 2, 3)


@pytest.mark.parametrize("west", [-180.0, 0.0, 0.5])
def test_longitudes_all_the_way_round_stay_in_order(west):
    field = globe((18, 360))
    field = field.assign_coords(lon=("lon", west + np.arange(360.0), field.lon.attrs))
    coarse = xdownscale.coarsen(field.to_dataset(), 6)
    np.testing.assert_allclose(coarse.lon, west + 2.5 + 6 * np.arange(60))
    np.testing.assert_allclose(coarse.lon_bnds[1:, 0], coarse.lon_bnds[:-1, 1])
    rolled = xdownscale.coarsen(field.roll(lon=12), 6)
    xr.testing.assert_allclose(rolled, xdownscale.coarsen(field, 6).roll(lon=2), rtol=1e-14)
    again = xdownscale.interpolate(coarse, 6, method="nearest")
    np.testing.assert_array_equal(again.lon, field.lon)


def gappy(frames, **options):
    """Rain with only these frames of a longer series."""
    return rain((max(frames) + 1, 20, 30), **options).isel(time=frames)


def by_hand(verb, field, *parts):
    """Pieces one by one, put together along time."""
    pieces = [verb(field.isel(time=slice(*part))) for part in parts]
    return xr.concat(pieces, "time", combine_attrs="override", **MINIMAL)


MINIMAL = {"coords": "minimal", "compat": "override", "join": "override"}


@pytest.mark.parametrize("method", ["mean", "sum", "point"])
def test_pieces_between_gaps_are_coarsened_one_by_one(method):
    field = gappy([0, 1, 2, 4, 5, 6, 7, 8, 9, 14, 15, 16])
    whole = xdownscale.coarsen(field, 10, 3, time_method=method, gaps="split")
    expected = by_hand(
        lambda piece: xdownscale.coarsen(piece, 10, 3, time_method=method), field, (0, 3), (3, 9), (9, 12)
    )
    whole.attrs.pop("history")
    expected.attrs.pop("history")
    xr.testing.assert_identical(whole, expected)


def test_pieces_of_a_dataset_keep_bounds_and_what_has_no_time():
    frames = [0, 1, 2, 5, 6, 7]
    whole = rain((8, 20, 30)).to_dataset().isel(time=frames)
    starts = whole.time.values
    whole["time_bnds"] = (("time", "bnds"), np.stack([starts, starts + np.timedelta64(5, "m")], axis=1))
    whole["orography"] = (("y", "x"), np.arange(600.0).reshape(20, 30))
    whole["flag"] = ("time", np.arange(6))
    with pytest.warns(UserWarning, match="left out.*'flag'") as caught:
        coarse = xdownscale.coarsen(whole, 10, 3, gaps="split")
    assert len(caught) == 1
    assert coarse["orography"].dims == ("y", "x")
    np.testing.assert_array_equal(coarse.time_bnds[:, 0], starts[[0, 3]])
    np.testing.assert_array_equal(coarse.time_bnds[:, 1], starts[[2, 5]] + np.timedelta64(5, "m"))
    fine = xdownscale.interpolate(coarse, 10, 3, method="nearest", gaps="split")
    np.testing.assert_array_equal(fine.time, starts)


def test_pieces_between_gaps_stay_lazy():
    field = gappy([0, 1, 2, 4, 5, 6, 7, 8, 9])
    with raise_if_dask_computes():
        lazy = xdownscale.coarsen(field.chunk(time=2, x=7), 10, 3, gaps="split")
    xr.testing.assert_allclose(
        lazy.compute(scheduler="synchronous"), xdownscale.coarsen(field, 10, 3, gaps="split"), rtol=1e-14
    )


def test_trimming_drops_the_rest_of_every_piece_and_padding_fills_it():
    field = gappy([0, 1, 2, 3, 7, 8, 9, 14, 15])
    trimmed = xdownscale.coarsen(field, 1, 3, gaps="split", boundary="trim")
    np.testing.assert_array_equal(trimmed.time, field.time[[0, 4]])
    padded = xdownscale.coarsen(field, 1, 3, gaps="split", boundary="pad", min_valid=0.3)
    np.testing.assert_array_equal(padded.time, field.time[[0, 3, 4, 7]])
    np.testing.assert_array_equal(padded[1], field[3])
    alone = xdownscale.coarsen(gappy([0, 1, 2, 8]), 1, 3, gaps="split", boundary="pad", min_valid=0.3)
    np.testing.assert_array_equal(alone[1], gappy([0, 1, 2, 8])[3])


def test_without_gaps_or_without_a_factor_in_time_splitting_changes_nothing():
    xr.testing.assert_equal(
        xdownscale.coarsen(rain(), 10, 3, gaps="split"), xdownscale.coarsen(rain(), 10, 3)
    )
    field = gappy([0, 2, 3])
    xr.testing.assert_equal(xdownscale.coarsen(field, 10, gaps="split"), xdownscale.coarsen(field, 10))


@pytest.mark.parametrize(
    ("frames", "options", "error", "message"),
    [
        ([0, 1, 2, 4, 5, 6], {}, TimeAxisError, r"gap after index 2: 2020-07-01T12:10.*gaps='split'"),
        (
            [0, 1, 2, 4, 5, 6, 7, 9, 10, 11],
            {"gaps": "split"},
            FactorError,
            r"piece 2 of 3 .*index 3 to 6, 2020-07-01T12:20.*has 4 steps, which 3 does not.*'trim' \(drops its last 1",
        ),
        (
            [0, 1, 2, 3, 5, 6, 7],
            {"gaps": "split", "boundary": "pad"},
            FactorError,
            "piece 1 of 2 .* reach into the next piece.*'trim'",
        ),
        ([0, 1, 4, 5], {"gaps": "split", "boundary": "trim"}, FactorError, "none of the 2 pieces.*'pad'"),
        ([0, 1, 4, 5], {"gaps": "split", "boundary": "wrap"}, ArgumentError, "Pass one of"),
        ([0, 1, 2], {"gaps": "bridge"}, TimeAxisError, "Pass one of"),
    ],
)
def test_messages_about_gaps_name_the_piece_and_the_fix(frames, options, error, message):
    with pytest.raises(error, match=message):
        xdownscale.coarsen(gappy(frames), 10, 3, **options)


def test_a_call_without_a_factor_is_refused():
    field = rain((6, 8, 12))
    for verb in (xdownscale.coarsen, xdownscale.interpolate):
        with pytest.raises(FactorError, match=f"{verb.__name__} needs a factor"):
            verb(field)
        np.testing.assert_array_equal(verb(field, 1), field)
    with pytest.raises(FactorError, match="needs a factor"):
        field.sr.coarsen(dims={"y": "y"})
