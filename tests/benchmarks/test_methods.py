"""The comparison of methods: what it counts beyond the package's scores, means, the bound, the same time for all."""

from dataclasses import replace

import numpy as np
import pytest
import rain
import xarray as xr
from methods import ATTENTIVE, RESIDUAL, SWEEP, contenders, middle, recipes, sampled, squares
from skimage import measure
from verdict import averages, bound, judge, mean, rank_floor, texture

from tests.small_models import model, residual_model
from xdownscale.models.generator import GeneratorSettings
from xdownscale.models.kinds import outline
from xdownscale.models.residual import residual_settings


@pytest.fixture(scope="module")
def truth():
    """Blobs of rain on 60 × 60 km, six steps."""
    random = np.random.default_rng(0)
    smooth = xr.DataArray(random.normal(size=(6, 80, 80)), dims=("time", "y", "x"))
    smooth = smooth.rolling(y=9, x=9, center=True).mean().isel(y=slice(10, 70), x=slice(10, 70))
    field = (60 * smooth).clip(min=0).astype("float32")
    along = {d: (d, 1000.0 * np.arange(60), {"units": "m"}) for d in ("y", "x")}
    time = np.datetime64("2020-01-01", "ns") + np.arange(6) * np.timedelta64(300, "s")
    return field.assign_coords(time=time, **along).assign_attrs(units="mm h-1").rename("rain")


@pytest.fixture(scope="module")
def copies(truth):
    return xr.concat([truth] * 4, "member")


def test_pieces_are_counted_as_by_scikit_image(truth):
    expected = np.mean([measure.label(frame >= 1.0, connectivity=1).max() for frame in truth.values])
    assert rain.components(truth, 1.0) == pytest.approx(expected)
    corners = xr.DataArray(np.eye(3), dims=("y", "x"))
    assert rain.components(corners, 0.5) == 3


def test_perimeters_are_those_of_scikit_image(truth):
    padded = np.pad(truth.values, ((0, 0), (1, 1), (1, 1)))
    expected = np.mean([measure.perimeter_crofton(frame >= 5.0, directions=4) for frame in padded])
    assert texture(truth)["perimeter at 5 mm/h"] == pytest.approx(expected, rel=1e-6)


def test_the_truth_itself_gets_a_perfect_table(truth, copies):
    rows = judge(truth, truth.sr.coarsen(spatial=10, temporal=3), copies)
    for key, value in rows.items():
        if key.endswith(": ratio"):
            assert value == pytest.approx(1.0, abs=2e-3), key  # percentiles interpolate between copies
        if key.startswith(("CRPS", "energy", "variogram", "power", "largest", "LSD", "MAE")):
            assert value == pytest.approx(0.0, abs=1e-4), key
        if key.startswith("FSS"):
            assert value == pytest.approx(1.0), key


def test_faults_show_in_the_row_that_is_meant_for_them(truth, copies):
    coarse = truth.sr.coarsen(spatial=10, temporal=3)
    specks = copies.where(np.indices((60, 60)).sum(0) % 2 == 0, 0.0)
    rows = judge(truth, coarse, specks)
    assert rows["components at 1 mm/h: ratio"] > 5
    assert rows["perimeter at 1 mm/h: ratio"] > 1.5
    noise = np.random.default_rng(2).normal(size=copies.shape)
    assert judge(truth, coarse, (copies + 10 * noise).clip(min=0))["power at 2-3 km, dB over truth"] > 10
    assert rows["largest error of a block mean"] > 0.1
    restless = copies.isel(time=[0, 3, 1, 4, 2, 5]).assign_coords(time=truth["time"])
    streaks = copies.copy(data=copies.values + 5 * (np.indices((60, 60)).sum(0) % 6 == 0))
    assert judge(truth, coarse, streaks)["diagonals: ratio"] > 1.5
    still = xr.concat([truth.isel(time=[0] * 6).assign_coords(time=truth["time"])] * 4, "member")
    assert texture(still)["lag-1"] == pytest.approx(1.0)
    assert texture(restless)["lag-1"] < 0.5


def test_a_member_among_the_others_has_the_rank_deviation_of_chance():
    white = np.random.default_rng(1).normal(size=(10, 20, 50, 50))
    ensemble = xr.DataArray(white, dims=("member", "time", "y", "x"))
    assert rank_floor(ensemble) == pytest.approx(np.sqrt(9 / (20 * 50 * 50)), rel=0.5)
    assert np.isnan(rank_floor(ensemble.isel(member=[0])))


def test_means_of_ratios_are_ratios_of_means():
    found, wanted = np.array([3.0, 8.0, 1.0]), np.array([2.0, 4.0, 0.0])
    rows = [
        {"a: ratio": f / w if w else np.nan, "a: truth": w, "b": f}
        for f, w in zip(found, wanted, strict=True)
    ]
    together = mean(rows)
    assert together["a: ratio"] == pytest.approx(11 / 6)
    assert together["b"] == pytest.approx(4.0)


def test_events_are_averaged_by_network():
    rows = {"mrms_usa_05": 1.0, "mrms_usa_09": 3.0, "fmi_finland": 5.0, "20150515": 7.0}
    results = {event: {"net": {"CRPS": value}} for event, value in rows.items()}
    found = {network: each["net"]["CRPS"] for network, each in averages(results).items()}
    assert found == {"mrms": 2.0, "fmi": 5.0, "MeteoSwiss": 7.0}
    assert averages(results, by_network=False)["all"]["net"]["CRPS"] == 4.0


def test_a_table_below_the_bound_says_so():
    rows = {
        "ensemble": {"CRPS, blocks of 1 km": 0.4, "MAE of the median": 0.9},
        "net": {"MAE of the median": 0.7},
    }
    assert "holds" in bound(rows)
    rows["net"]["MAE of the median"] = 0.85
    assert "BROKEN" in bound(rows)


def test_both_methods_get_the_same_time_and_networks_of_the_same_size():
    generator, residual = recipes(60.0).values()
    assert generator.schedule.seconds == residual.schedule.seconds == 60.0
    assert generator.size == residual.size
    assert residual.schedule == generator.schedule
    attentive = recipes(60.0, attention=True)["attention"]
    assert replace(attentive, **RESIDUAL, attention=None) == residual


@pytest.mark.parametrize("window", [RESIDUAL, ATTENTIVE], ids=["convolutions", "attention"])
def test_the_window_of_the_residual_holds_what_one_evaluation_looks_at(window):
    settings = residual_settings(GeneratorSettings(blocks=(3, 10, 10)), attention=window.get("attention"))
    reach, frames = outline("residual", settings).denoiser.reach
    assert window["cells"] > 2 * reach
    assert window["frames"] >= 2 * frames + 1


def test_a_residual_with_attention_is_scored_where_there_is_one(tmp_path):
    for name in ("generator", "residual", "median"):
        (residual_model() if name == "residual" else model()).save(tmp_path / f"{name}.safetensors")
    few = [each.label for each in contenders(tmp_path, "rain-10x3")]
    residual_model().save(tmp_path / "attention.safetensors")
    more = [each.label for each in contenders(tmp_path, "rain-10x3")]
    assert set(more) - set(few) == {"residual with attention, angle 6"}
    assert len(more) == len(few) + 1


@pytest.mark.parametrize(("sampler", "steps"), SWEEP)
def test_samplers_of_the_plot_take_one_to_fifty_evaluations(sampler, steps):
    each = sampled(residual_model(), sampler, steps)
    assert 1 <= each.evaluations <= 50
    assert each.model.sampler == f"{sampler}, {steps} steps"


def test_squares_keep_values_and_middles_are_whole_coarse_frames(truth):
    globe = truth.rename(y="lat", x="lon").assign_coords(
        lat=np.linspace(40, 41, 60), lon=np.linspace(5, 6, 60)
    )
    plain = squares(globe)
    assert plain.dims == ("time", "y", "x")
    np.testing.assert_array_equal(plain, truth)
    assert float(plain["x"].diff("x").mean()) == 1000.0
    assert middle(truth, 3).sizes["time"] == 3
    np.testing.assert_array_equal(middle(truth, 3), truth[1:4])
    assert middle(truth[:5], 9).sizes["time"] == 3


def test_the_wettest_place_is_found():
    field = xr.DataArray(np.zeros((3, 60, 60)), dims=("time", "y", "x"))
    field[:, 30:, :30] = 1.0
    field[:, :10, :10] = 1.0
    boxes = rain.places(field, 30)
    assert boxes["wet"] == {"y": slice(30, 60), "x": slice(0, 30)}
    assert boxes["showery"] == {"y": slice(0, 30), "x": slice(0, 30)}


def test_a_flicker_of_whole_regions_is_seen_in_the_spread_of_blocks():
    random = np.random.default_rng(0)
    cells = random.normal(size=(12, 4, 40, 40))
    regions = 0.3 * random.normal(size=(12, 4, 1, 1))
    truth = xr.DataArray(cells[0], dims=("time", "y", "x"))
    right = xr.DataArray(cells[1:], dims=("member", "time", "y", "x"))
    good, bad = (rain.spread_of_blocks(truth, right + shift, (1, 10)) for shift in (0.0, regions[1:]))
    assert good["spread/skill, blocks of 10 km"] == pytest.approx(1.0, abs=0.1)
    assert bad["spread/skill, blocks of 1 km"] == pytest.approx(1.0, abs=0.1)
    assert bad["spread/skill, blocks of 10 km"] > 2
