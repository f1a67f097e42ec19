"""``downscale``: closed loop, one answer, locality, laziness, missing values, units, and errors that name the fix."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

import xdownscale
from tests.small_models import model, residual_model
from tests.support import rain, raise_if_dask_computes
from xdownscale.errors import (
    ArgumentError,
    DeviceError,
    DimensionError,
    FactorError,
    MissingValueError,
    TimeAxisError,
    UnitsError,
    ValueRangeError,
    WeightsNotFoundError,
)
from xdownscale.field.axes import find_axes
from xdownscale.field.grid import describe
from xdownscale.inference.scales import warn_of_other_scales

MODEL = model()


@pytest.fixture
def coarse():
    return rain((5, 9, 8), step=15, spacing=4000.0, seed=1).where(lambda x: x > 0.3, 0.0)


def test_block_means_of_every_member_are_the_input(coarse):
    ensemble = coarse.sr.downscale(MODEL, members=3)
    again = ensemble.astype(float).sr.coarsen(spatial=4, temporal=3)
    wet = coarse > 0
    assert float((abs(again - coarse) / coarse).where(wet).max()) < 1e-6
    assert float(again.where(~wet).max()) == 0
    assert float(ensemble.min()) == 0
    assert not ensemble.isnull().any()
    xr.testing.assert_allclose(
        again.isel(member=0, drop=True).coords.to_dataset(), coarse.coords.to_dataset()
    )


def test_members_differ_and_member_one_of_two_is_member_one_of_five(coarse):
    five, two = coarse.sr.downscale(MODEL, members=5), coarse.sr.downscale(MODEL, members=2)
    np.testing.assert_array_equal(five.isel(member=slice(0, 2)), two)
    assert not np.array_equal(five[0], five[1])
    assert not np.array_equal(two, coarse.sr.downscale(MODEL, members=2, seed=1))


def test_a_style_is_chosen_by_name_recorded_and_survives_a_file(coarse, tmp_path):
    two = model(styles=("smooth", "rough"))
    mean, rough = coarse.sr.downscale(two), coarse.sr.downscale(two, style="rough")
    assert not np.array_equal(mean, rough)
    assert (mean.attrs["xdownscale_style"], rough.attrs["xdownscale_style"]) == ("mean", "rough")
    kept = two.with_style("rough").save(tmp_path / "two.safetensors")
    again = xdownscale.load(kept)
    assert again.styles == ("smooth", "rough")
    assert again.style == "rough"
    np.testing.assert_array_equal(coarse.sr.downscale(again), rough)
    np.testing.assert_array_equal(coarse.chunk().sr.downscale(two, style="rough"), rough)
    with pytest.raises(ArgumentError, match="which has smooth, rough"):
        coarse.sr.downscale(two, style="other")


def test_a_sampler_is_chosen_by_name_and_recorded(coarse):
    diffused = residual_model()
    default, other = coarse.sr.downscale(diffused), coarse.sr.downscale(diffused, sampler="dpm", steps=2)
    assert not np.array_equal(default, other)
    recorded = [field.attrs["xdownscale_sampler"] for field in (default, other)]
    assert recorded == ["angle, 5 steps", "dpm, 2 steps"]
    assert diffused.sampler == "angle, 5 steps"
    np.testing.assert_array_equal(coarse.chunk().sr.downscale(diffused, sampler="dpm", steps=2), other)
    np.testing.assert_array_equal(coarse.sr.downscale(diffused.with_sampler("dpm", 2)), other)
    again = other.astype(float).sr.coarsen(spatial=4, temporal=3)
    np.testing.assert_allclose(again[0], coarse, rtol=1e-5, atol=1e-6)


def test_a_sampler_that_is_not_one_or_has_nothing_to_sample_is_refused(coarse):
    assert "xdownscale_sampler" not in coarse.sr.downscale(MODEL).attrs
    for wrong in ({"sampler": "angle"}, {"steps": 3}):
        with pytest.raises(ArgumentError, match='train\\(method="residual"\\)'):
            coarse.sr.downscale(MODEL, **wrong)
    with pytest.raises(ArgumentError, match="'angle', 'dpm'"):
        coarse.sr.downscale(residual_model(), sampler="euler")
    with pytest.raises(ArgumentError, match="steps is a whole number of at least 1"):
        coarse.sr.downscale(residual_model(), steps=0)


def test_chunks_change_no_bit_and_nothing_is_computed_early(coarse):
    eager = coarse.sr.downscale(MODEL, members=2)
    for chunks in ({"time": 2}, {"y": 3, "x": 5}, {}):
        with raise_if_dask_computes():
            lazy = coarse.chunk(chunks).sr.downscale(MODEL, members=2)
        np.testing.assert_array_equal(lazy.values, eager.values)


def test_tiles_and_the_whole_give_the_same(coarse):
    whole = coarse.sr.downscale(MODEL)
    tiled = coarse.sr.downscale(MODEL, tile=(2, 3, 3))
    np.testing.assert_array_equal(tiled, whole)


def test_crops_and_longer_series_give_the_same_where_context_allows():
    cells, frames = MODEL.method.halo()
    field = rain((2 * frames + 3, 2 * cells + 3, cells + 4), step=15, spacing=4000.0)
    whole = field.sr.downscale(MODEL)
    crop = field.isel(time=slice(1, None), y=slice(1, None), x=slice(2, None)).sr.downscale(MODEL)
    inside = {"time": slice(3 * frames, None), "y": slice(4 * cells, None), "x": slice(4 * cells, None)}
    same = crop.isel(inside)
    assert same.size > 0
    np.testing.assert_array_equal(whole.sel({d: same[d] for d in ("time", "y", "x")}), same)
    shorter = field.isel(time=slice(0, -1)).sr.downscale(MODEL)
    early = {"time": slice(0, shorter.sizes["time"] - 3 * frames)}
    np.testing.assert_array_equal(shorter.isel(early), whole.isel(early))


def test_missing_cells_stay_missing_and_nowhere_else(coarse):
    gaps = coarse.copy()
    gaps[1, 2, 3] = np.nan
    ensemble = gaps.sr.downscale(MODEL, members=2)
    expected = np.kron(np.isnan(gaps.values), np.ones((3, 4, 4))) > 0
    np.testing.assert_array_equal(np.isnan(ensemble.values), np.stack([expected] * 2))
    again = ensemble.astype(float).sr.coarsen(spatial=4, temporal=3)
    assert float((abs(again - gaps) / gaps.where(gaps > 0)).max()) < 1e-6


def test_units_are_converted_and_come_back(coarse):
    flux = (coarse / 3600).assign_attrs(coarse.attrs | {"units": "kg m-2 s-1"})
    ours, theirs = coarse.sr.downscale(MODEL), flux.sr.downscale(MODEL)
    assert theirs.attrs["units"] == "kg m-2 s-1"
    np.testing.assert_allclose(theirs * 3600, ours, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("mm/hour", 1),
        ("mm day-1", 24),
        ("m s-1", 1 / 3.6e6),
        ("1e-3 m s-1", 1 / 3600),
        ("inch h-1", 1 / 25.4),
        ("mm", 0.25),
        ("m", 0.25e-3),
        ("kg m-2", 0.25),
        ("mm/15min", 0.25),
    ],
)
def test_an_ensemble_comes_back_in_the_units_of_the_field(coarse, units, factor):
    theirs = (coarse * factor).assign_attrs(coarse.attrs | {"units": units})
    names = {"time": "when", "y": "rows", "x": "columns"}
    ensemble = theirs.rename(names).sr.downscale(MODEL, dims=names).rename({v: k for k, v in names.items()})
    assert ensemble.attrs["units"] == units
    ours = coarse.sr.downscale(MODEL) * factor
    amount = units in {"mm", "m", "kg m-2"}
    np.testing.assert_allclose(ensemble, ours / (3 if amount else 1), rtol=2e-4, atol=1e-5 * factor)
    again = ensemble.astype(float).sr.coarsen(spatial=4, temporal=3)
    np.testing.assert_allclose(again[0], theirs, rtol=2e-6, atol=1e-9 * factor)


@pytest.mark.parametrize(
    ("units", "scale", "offset"), [("degC", 1, -273.15), ("degF", 1.8, -459.67), ("K", 1, 0)]
)
def test_temperatures_come_back_in_the_units_of_the_field(units, scale, offset):
    warm = model((1, 4, 4), rain=False, units="K")
    kelvin = (rain((2, 5, 4), spacing=4000.0) + 280).assign_attrs(units="K").rename("tas")
    theirs = (kelvin * scale + offset).assign_attrs(units=units, standard_name="air_temperature")
    ensemble = theirs.sr.downscale(warm)
    assert ensemble.attrs["units"] == units
    np.testing.assert_allclose(ensemble.astype(float).sr.coarsen(4)[0], theirs, atol=2e-4)


def test_attributes_tell_how_to_make_it_again(coarse):
    coarse.encoding = {"dtype": "int16", "scale_factor": 0.1}
    ensemble = coarse.sr.downscale(MODEL, members=2, seed=7)
    assert ensemble.attrs["xdownscale_seed"] == 7
    assert ensemble.attrs["xdownscale_model_sha256"] == MODEL.sha256
    assert ensemble.attrs["history"].splitlines()[0].count("downscale(")
    assert not ensemble.encoding
    assert ensemble.dtype == np.float32
    assert ensemble["member"].values.tolist() == [0, 1]


def test_the_input_is_not_modified(coarse):
    before = coarse.copy(deep=True)
    coarse.sr.downscale(MODEL)
    xr.testing.assert_identical(coarse, before)


def test_other_dimensions_are_mapped_over_with_noise_of_their_own(coarse):
    levels = xr.concat([coarse, coarse], dim="level")
    ensemble = levels.sr.downscale(MODEL, members=2)
    assert ensemble.dims == ("member", "level", "time", "y", "x")
    np.testing.assert_array_equal(ensemble.isel(level=0), coarse.sr.downscale(MODEL, members=2))
    assert not np.array_equal(ensemble[:, 0], ensemble[:, 1])


def test_an_entry_with_a_label_is_the_same_alone_and_in_any_company(coarse):
    labels = xr.Variable("driver", ["a", "b"])
    both = xr.concat([coarse, coarse], dim=labels).expand_dims(level=[850, 500]).assign_attrs(coarse.attrs)
    ensemble = both.sr.downscale(MODEL, members=2, seed=3)
    assert ensemble.dims == ("member", "level", "driver", "time", "y", "x")
    assert ensemble.attrs["xdownscale_seed"] == 3
    for part in ({"driver": ["b"]}, {"driver": ["b", "a"], "level": [500]}):
        xr.testing.assert_equal(both.sel(part).sr.downscale(MODEL, members=2, seed=3), ensemble.sel(part))
    turned = both.transpose("driver", "time", "level", "y", "x").sr.downscale(MODEL, members=2, seed=3)
    xr.testing.assert_equal(turned.transpose(*ensemble.dims), ensemble)
    entries = [ensemble.isel(driver=i, level=j).values for i in (0, 1) for j in (0, 1)]
    assert not any(np.array_equal(entries[0], other) for other in entries[1:])


def test_a_field_without_time_and_a_temperature():
    warm = model((1, 4, 4), rain=False, units="K")
    frame = rain((1, 9, 8), spacing=4000.0)[0].drop_vars("time") + 6.85
    frame = frame.assign_attrs(units="degC", standard_name="air_temperature").rename("tas")
    ensemble = frame.sr.downscale(warm)
    assert ensemble.dims == ("member", "y", "x")
    again = ensemble.astype(float).sr.coarsen(spatial=4)
    np.testing.assert_allclose(again[0], frame, atol=1e-4)


def test_static_fields_are_laid_by_coordinates(coarse):
    hilly = model(static=("height",))
    fine = coarse.sr.interpolate(spatial=4, temporal=3)
    height = xr.DataArray(
        np.random.default_rng(0).normal(size=(36 + 4, 32)), dims=("y", "x"),
        coords={
            "y": np.concatenate([fine.y.values[0] + 1000.0 * np.arange(4, 0, -1), fine.y.values]),
            "x": fine.x.values,
        },
        name="height",
    )  # fmt: skip
    ensemble = coarse.sr.downscale(hilly, static=height)
    flipped = coarse.sr.downscale(hilly, static=height.isel(y=slice(None, None, -1)))
    np.testing.assert_array_equal(ensemble, flipped)
    assert not np.array_equal(ensemble, coarse.sr.downscale(hilly, static={"height": height * 3}))
    with pytest.raises(MissingValueError, match=r"as in static=\{'height': field\}"):
        coarse.sr.downscale(hilly)
    with pytest.raises(DimensionError, match="Crop the field"):
        coarse.sr.downscale(hilly, static=height.isel(y=slice(10, None)))
    with pytest.raises(MissingValueError, match="Fill them"):
        coarse.sr.downscale(hilly, static=height.where(height < 0))


def test_conserve_none_gives_what_the_method_drew(coarse):
    free = coarse.sr.downscale(MODEL, conserve="none")
    assert float(abs(free.sr.coarsen(spatial=4, temporal=3) - coarse).max()) > 0.01


def test_a_median_net_conserves_where_it_is_asked_to_and_history_says_what_was_done(coarse):
    median = model(stochastic=False)
    kept, free = coarse.sr.downscale(median, conserve="cell"), coarse.sr.downscale(median)
    np.testing.assert_allclose(kept[0].sr.coarsen(spatial=4, temporal=3), coarse, rtol=1e-5)
    assert float(abs(free[0].sr.coarsen(spatial=4, temporal=3) - coarse).max()) > 0.01
    np.testing.assert_array_equal(free, coarse.sr.downscale(median, conserve="none"))
    np.testing.assert_array_equal(coarse.chunk(time=1).sr.downscale(median, conserve="cell"), kept)
    said = [field.attrs["history"].splitlines()[0] for field in (kept, free, coarse.sr.downscale(MODEL))]
    assert [line.split("conserve=")[1].split(")")[0] for line in said] == ["'cell'", "'none'", "'cell'"]
    assert not median.method.settings.conserving


def test_another_device_leaves_the_model_where_it_is(coarse, monkeypatch):
    """With weights on a device without memory nothing comes back; the model is as before."""
    monkeypatch.setattr("xdownscale.models.device.chosen_device", lambda device: device)
    with pytest.raises(RuntimeError, match="meta"):
        coarse.sr.downscale(MODEL, device="meta")
    assert {weight.device.type for weight in MODEL.method.parameters()} == {"cpu"}


@pytest.mark.parametrize("cells", [1 / 2, 1 / 1.5, 1 / 1.4, 1.4, 1.5, 2.5])
@pytest.mark.parametrize("steps", [1 / 2.5, 1 / 1.4, 1.2, 1.6])
def test_scales_are_warned_of_from_one_and_a_half_times_on(coarse, cells, steps):
    length = (coarse.time - coarse.time[0]) * steps
    other = coarse.assign_coords(y=coarse.y * cells, x=coarse.x * cells, time=coarse.time[0] + length)
    wanted = [f"fine cells of {cells:.3g} km"] if cells in (1 / 2, 1 / 1.5, 1.5, 2.5) else []
    wanted += [f"fine steps of {300 * steps:g} s (trained on 300 s)"] if steps in (1 / 2.5, 1.6) else []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_other_scales(describe(other, find_axes(other)), MODEL, MODEL.factors)
    said = " ".join(str(each.message) for each in caught)
    assert bool(said) == bool(wanted)
    assert all(part in said for part in wanted)
    assert not said or ("0.49 to 0.81" in said and "half of the spread" in said)


def test_degrees_count_along_the_meridian(coarse):
    lonlat = coarse.rename(y="lat", x="lon").assign_coords(
        lat=("lat", 70 - 0.04 * np.arange(coarse.sizes["y"]), {"units": "degrees_north"}),
        lon=("lon", 5 + 0.04 * np.arange(coarse.sizes["x"]), {"units": "degrees_east"}),
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_other_scales(describe(lonlat, find_axes(lonlat)), MODEL, MODEL.factors)
    assert not caught


def test_far_other_scales_are_warned_of(coarse):
    wide = coarse.assign_coords(y=coarse.y * 10, x=coarse.x * 10)
    with pytest.warns(UserWarning, match=r"fine cells of 10 km \(trained on 1 km\)"):
        wide.sr.downscale(MODEL)


def broken(coarse, what):
    odd = {
        "no time": lambda: coarse.rename(time="when").drop_vars("when").rename(y="rows", x="columns"),
        "gap": lambda: coarse.isel(time=[0, 1, 3, 4]),
        "units": lambda: coarse.assign_attrs(units="K"),
        "no units": coarse.drop_attrs,
        "negative": lambda: coarse.where(coarse > 1, -1.0),
        "sentinel": lambda: coarse.where(coarse > 1, -9999.0),
    }
    return odd[what]()


@pytest.mark.parametrize(
    ("what", "error", "fix"),
    [
        ("no time", DimensionError, "dims="),
        ("gap", TimeAxisError, "2020"),
        ("units", UnitsError, "mm h-1"),
        ("no units", UnitsError, "units"),
        ("negative", ValueRangeError, r"\.where"),
        ("sentinel", ValueRangeError, r"\.where"),
    ],
)
def test_bad_fields_are_refused_before_any_work(coarse, what, error, fix, monkeypatch):
    monkeypatch.setattr("xdownscale.models.generator.Generator.prepare", None)
    with pytest.raises(error, match=fix):
        broken(coarse, what).sr.downscale(MODEL)


def test_other_factors_of_rain_name_the_model_that_takes_them(coarse):
    with pytest.raises(FactorError, match=r"refines by \(10, 3\), not by \(5, 3\)") as caught:
        coarse.sr.downscale("rain-10x3", spatial=5)
    call = str(caught.value).rpartition("factors: ")[2].rstrip(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fine = eval(f"xdownscale.{call}", {"xdownscale": xdownscale, "field": coarse[:2]})
    assert fine.attrs["xdownscale_model"] == "rain"
    assert fine.sizes["y"] == 5 * coarse.sizes["y"]
    for other in ({"spatial": 70}, {"spatial": 10, "temporal": 9}):
        with pytest.raises(FactorError, match=r"train\(field, spatial=\d+, temporal=\d\)$"):
            coarse.sr.downscale("rain-10x3", **other)


def test_a_forgotten_factor_in_space_is_said(coarse):
    with pytest.warns(UserWarning, match="spatial is left out, .*spatial=1 if"):
        coarse[:2].sr.downscale(temporal=3)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="spatial is left out")
        fine = coarse[:2].sr.downscale(spatial=1, temporal=3)
        coarse[:2].sr.downscale(spatial=2)
    assert fine.sizes["y"] == coarse.sizes["y"]


def test_bad_arguments_are_refused(coarse):
    with pytest.raises(ArgumentError, match="needs a model or factors"):
        coarse.sr.downscale()
    with pytest.raises(ArgumentError, match="refines by"):
        coarse.sr.downscale(MODEL, spatial=5)
    with pytest.raises(ArgumentError, match="members"):
        coarse.sr.downscale(MODEL, members=0)
    with pytest.raises(ArgumentError, match="conserve"):
        coarse.sr.downscale(MODEL, conserve="frames")
    with pytest.raises(WeightsNotFoundError, match=r"train\(fine_field, spatial=70, temporal=2\)"):
        coarse.sr.downscale(spatial=70, temporal=2)
    with pytest.raises(WeightsNotFoundError, match="no pretrained model"):
        coarse.sr.downscale("rain-99x9")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *(
            ({"tile": tile}, r"tile=(.*) is not accepted")
            for tile in ((0, 4, 4), (-1, 4, 4), 4, (2, 2), (1, 2.5, 3), "abc")
        ),
        *(({"members": members}, "whole number of at least 1") for members in (2.5, "3", None, True)),
        *(({"seed": seed}, "seed is a whole number") for seed in (1.5, "a", None, 2**64)),
        *(({"device": device}, 'device="auto"') for device in ("gpu", 1.5)),
    ],
)
def test_arguments_out_of_range_are_refused_with_what_is_accepted(coarse, wrong, said):
    with pytest.raises((ArgumentError, DeviceError), match=said):
        coarse.sr.downscale(MODEL, **wrong)


@pytest.mark.parametrize("kind", [np.int8, np.uint64])
def test_any_integer_type_will_do(coarse, kind, tmp_path):
    ours = coarse.sr.downscale(MODEL, members=kind(2), seed=kind(5), tile=(kind(2), 3, 3))
    np.testing.assert_array_equal(ours, coarse.sr.downscale(MODEL, members=2, seed=5, tile=(2, 3, 3)))
    ours.to_netcdf(tmp_path / "ensemble.nc")


def test_a_saved_model_gives_the_same_bits(coarse, tmp_path):
    path = MODEL.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(coarse.sr.downscale(path), coarse.sr.downscale(MODEL))
    np.testing.assert_array_equal(
        xdownscale.downscale(coarse, xdownscale.load(path)), coarse.sr.downscale(MODEL)
    )


def test_a_dry_field_stays_dry_without_the_network(coarse, monkeypatch):
    monkeypatch.setattr("xdownscale.models.generator.Generator.prepare", None)
    assert not (coarse * 0).assign_attrs(coarse.attrs).sr.downscale(MODEL).any()


def on_the_sphere(coarse, *, flat):
    """The field on latitude and longitude, as labels or as curvilinear coordinates."""
    lat, lon = 60.0 - 0.04 * np.arange(9), 179.9 + 0.04 * np.arange(8)
    north, east = {"units": "degrees_north"}, {"units": "degrees_east"}
    if flat:
        coords = {"y": ("y", lat, north), "x": ("x", lon, east)}
        return coarse.assign_coords(coords).rename(y="lat", x="lon")
    lat, lon = np.meshgrid(lat, lon, indexing="ij")
    bare = coarse.drop_vars(["y", "x"])
    return bare.assign_coords(lat=(("y", "x"), lat, north), lon=(("y", "x"), (lon + 180) % 360 - 180, east))


@pytest.mark.parametrize("flat", [True, False])
def test_means_by_area_are_the_input_on_the_sphere(coarse, flat):
    field = on_the_sphere(coarse, flat=flat)
    ensemble = field.sr.downscale(MODEL, members=2)
    again = ensemble.astype(float).sr.coarsen(spatial=4, temporal=3)
    assert float((abs(again - field) / field.where(field > 0)).max()) < 1e-6
    assert float(again.where(field == 0).max()) == 0
    assert not np.array_equal(ensemble, coarse.sr.downscale(MODEL, members=2))
    chunked = field.chunk({"time": 2, field.dims[1]: 5}).assign_coords(field.coords)
    with raise_if_dask_computes():
        lazy = chunked.sr.downscale(MODEL, members=2)
    np.testing.assert_array_equal(lazy.values, ensemble.values)
    warm = model(rain=False, units="K")
    tas = (field + 270).assign_attrs(units="K", standard_name="air_temperature")
    again = tas.sr.downscale(warm).astype(float).sr.coarsen(spatial=4, temporal=3)
    np.testing.assert_allclose(again[0], tas, rtol=1e-6)


def test_snapshots_are_taken_as_means_and_contradictions_refused(coarse):
    with pytest.warns(UserWarning, match="snapshots"):
        ensemble = coarse.assign_attrs(cell_methods="time: point").sr.downscale(MODEL)
    assert ensemble.attrs["cell_methods"] == "time: point time: mean"
    np.testing.assert_array_equal(ensemble, coarse.sr.downscale(MODEL))
    with pytest.raises(UnitsError, match="'time: mean'"):
        coarse.assign_attrs(cell_methods="time: sum").sr.downscale(MODEL)
    with pytest.raises(UnitsError, match="'time: sum'"):
        coarse.assign_attrs(cell_methods="time: mean", units="mm").sr.downscale(MODEL)


def test_a_dataset_gives_its_grid_mapping_and_the_place_of_its_labels(coarse):
    step = np.timedelta64(15, "m")
    ends = coarse.time.values
    whole = coarse.assign_attrs(grid_mapping="crs").to_dataset()
    whole["crs"] = ((), 0, {"grid_mapping_name": "lambert_conformal_conic"})
    whole["time_bnds"] = (("time", "bnds"), np.stack([ends - step, ends], axis=1))
    whole["time"].attrs["bounds"] = "time_bnds"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # grid mapping and bounds are no variables that could be left out
        fine = whole.sr.downscale(MODEL)
    assert set(fine.data_vars) == {coarse.name}
    ensemble = fine[coarse.name]
    assert ensemble.crs.attrs["grid_mapping_name"] == "lambert_conformal_conic"
    assert ensemble.encoding == {"grid_mapping": "crs"}
    np.testing.assert_array_equal(ensemble.time[2::3], ends)
    np.testing.assert_array_equal(ensemble.sr.coarsen(spatial=4, temporal=3).time, ends)


def test_a_dataset_keeps_what_fits_the_fine_grid(coarse):
    gauge = ("station", np.arange(3.0))
    whole = (
        coarse.to_dataset()
        .assign(gauge=gauge, height=coarse[0].drop_vars("time"))
        .assign_attrs(title="a test")
    )
    with pytest.warns(
        UserWarning, match=r"without the space dimensions: \['gauge'\]; left out.*\['height'\]"
    ):
        fine = whole.sr.downscale(MODEL, members=2)
    assert fine.attrs["title"] == "a test"
    assert "downscale(" in fine.attrs["history"]
    assert "history" not in fine[coarse.name].attrs
    xr.testing.assert_identical(fine.gauge, whole.gauge)
    xr.testing.assert_equal(fine[coarse.name], coarse.sr.downscale(MODEL, members=2))


def test_pieces_between_gaps_are_downscaled_one_by_one():
    field = rain((9, 5, 4), step=15, spacing=4000.0).isel(time=[0, 1, 2, 5, 7, 8])
    parts = [slice(0, 3), slice(3, 4), slice(4, 6)]
    whole = field.sr.downscale(MODEL, members=2, gaps="split")
    field.time.attrs["cell_width"] = "900 s"
    pieces = [field.isel(time=part).sr.downscale(MODEL, members=2) for part in parts]
    expected = xr.concat(pieces, "time", coords="minimal", compat="override", combine_attrs="override")
    whole.attrs.pop("history")
    expected.attrs.pop("history")
    xr.testing.assert_identical(whole, expected)
    again = whole.astype(float).sr.coarsen(4, 3, gaps="split")
    np.testing.assert_allclose(again, np.stack([field, field]), rtol=1e-6)
    with raise_if_dask_computes():
        lazy = field.chunk(time=2).sr.downscale(MODEL, members=2, gaps="split")
    np.testing.assert_array_equal(lazy.values, whole.values)


def test_noise_of_a_step_does_not_depend_on_the_gaps_before_it():
    frames = MODEL.method.halo()[1]
    field = rain((3 * frames + 4, 4, 4), step=15, spacing=4000.0)
    gappy = field.isel(time=[0, *range(2, field.sizes["time"])])
    whole, split = field.sr.downscale(MODEL), gappy.sr.downscale(MODEL, gaps="split")
    inside = split.isel(time=slice(3 * (1 + frames), None))
    assert inside.sizes["time"] > 0
    np.testing.assert_array_equal(whole.sel(time=inside.time), inside)


def test_a_gap_names_the_way_to_split():
    field = rain((9, 5, 4), step=15, spacing=4000.0).isel(time=[0, 1, 2, 5, 7, 8])
    with pytest.raises(TimeAxisError, match=r"gap after index 2: 2020-07-01T12:30.*gaps='split'"):
        field.sr.downscale(MODEL)
    with pytest.raises(TimeAxisError, match="Pass one of"):
        field.sr.downscale(MODEL, gaps="skip")


def test_the_recorded_hash_is_that_of_the_model_that_was_given(coarse, tmp_path):
    """Whatever style or sampler is asked for; and another number in the document is another hash."""
    two = model(styles=("a", "b"))
    kept = xdownscale.load(two.save(tmp_path / "m.safetensors"))
    for style in (None, "a"):
        assert coarse.sr.downscale(kept, style=style).attrs["xdownscale_model_sha256"] == two.sha256
    two.provenance = replace(two.provenance, seed=8)
    assert coarse.sr.downscale(two).attrs["xdownscale_model_sha256"] == two.sha256 != kept.sha256


@pytest.mark.parametrize("gaps", ["error", "split"])
def test_lazy_results_have_chunks_that_zarr_stores_accept(tmp_path, gaps):
    """Tiles lie on an absolute lattice, so the first ones may be shorter; nothing is computed to mend that."""
    pytest.importorskip("zarr")
    field = rain((6, 3, 7), step=15, spacing=4000.0)
    if gaps == "split":
        field = field.drop_isel(time=1)
    whole = field.sr.downscale(MODEL, members=2, tile=(2, 8, 4), gaps=gaps)
    with raise_if_dask_computes():
        lazy = field.chunk(time=3).sr.downscale(MODEL, members=2, tile=(2, 8, 4), gaps=gaps)
        lazy.to_dataset(name="rain").to_zarr(tmp_path / "e.zarr", compute=False, consolidated=False)
    for sizes in lazy.chunks:
        assert {*sizes[:-1]} <= {sizes[0]}
        assert sizes[-1] <= sizes[0]
    step = lazy.chunksizes["time"][0]
    for start in range(0, lazy.sizes["time"], step):  # one stretch of time after the other
        region = slice(start, min(start + step, lazy.sizes["time"]))
        part = lazy.isel(time=region).drop_vars([n for n in lazy.coords if "time" not in lazy[n].dims])
        part.to_dataset(name="rain").to_zarr(tmp_path / "e.zarr", region={"time": region}, consolidated=False)
    with xr.open_zarr(tmp_path / "e.zarr", consolidated=False) as back:
        np.testing.assert_array_equal(back["rain"].values, whole.values)


def test_the_default_precision_of_torch_changes_nothing(coarse):
    warm = coarse.assign_attrs(units="K", standard_name="air_temperature").rename("tas")
    for each, field in ((MODEL, coarse), (residual_model(), coarse), (model(rain=False, units="K"), warm)):
        wanted = field.sr.downscale(each)
        torch.set_default_dtype(torch.float64)
        try:
            found = field.sr.downscale(each)
            dry = (0 * field).chunk().sr.downscale(each)
            assert dry.compute().dtype == dry.dtype
        finally:
            torch.set_default_dtype(torch.float32)
        np.testing.assert_array_equal(found.values, wanted.values)
        assert found.dtype == np.float32
