import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import case_weights, missing, sample
from tests.support import globe, raise_if_dask_computes
from xdownscale import metrics
from xdownscale.errors import DimensionError, UnitsError, ValueRangeError
from xdownscale.evaluate import evaluate, scores_table

USUAL = [
    "crps_ensemble",
    "mae",
    "rmse",
    "bias",
    "spread_skill_ratio",
    "pit_deviation",
    "emd",
    "percentile_error",
    "lsd",
    "ssim",
    "lag_autocorrelation_error",
]
CHEAP = ["crps_ensemble", "mae", "rmse"]


def test_usual_metrics_are_those_of_the_functions():
    observations, ensemble = sample()
    scores = evaluate(observations, ensemble)
    assert list(scores.data_vars) == USUAL
    assert not scores.indexes.keys() - {"percentile"}
    for name in USUAL:
        options = {"data_range": observations.max() - observations.min()} if name == "ssim" else {}
        options |= {"q": scores.percentile.values} if name == "percentile_error" else {}
        expected = getattr(metrics, name)(observations, ensemble, **options)
        np.testing.assert_allclose(scores[name], expected)
        assert scores[name].attrs["units"] == expected.attrs["units"]
        assert scores[name].attrs["long_name"] == expected.attrs["long_name"]


def test_only_metrics_that_the_data_allow_are_usual():
    observations, ensemble = sample()
    narrow = evaluate(observations.isel(y=slice(6), time=[0]), ensemble.isel(y=slice(6), time=[0]))
    assert set(USUAL) - set(narrow.data_vars) == {"ssim", "lag_autocorrelation_error"}
    series = evaluate(observations.isel(y=0, x=0, drop=True), ensemble.isel(y=0, x=0, drop=True))
    assert set(USUAL) - set(series.data_vars) == {"lsd", "ssim", "lag_autocorrelation_error"}


def test_models_stand_side_by_side():
    observations, ensemble = sample()
    models = {"net": ensemble, "few": ensemble.isel(member=slice(3)), "mean": ensemble.mean("member")}
    scores = evaluate(observations, models, metrics=[*USUAL, "rank_histogram"])
    assert list(scores.model.values) == ["net", "few", "mean"]
    for name, model in models.items():
        np.testing.assert_allclose(
            scores.crps_ensemble.sel(model=name), metrics.crps_ensemble(observations, model)
        )
    assert scores.spread_skill_ratio.sel(model="mean").isnull()
    assert scores.rank_histogram.sel(model="few").notnull().sum() == 4
    np.testing.assert_allclose(scores.crps_ensemble.sel(model="mean"), scores.mae.sel(model="mean"))


def test_a_case_that_one_model_lacks_is_left_out_for_all():
    observations, ensemble = sample()
    holed = missing(ensemble.mean("member"))
    scores = evaluate(missing(observations, seed=7), {"net": ensemble, "holed": holed}, metrics=CHEAP)
    known = holed.notnull() & missing(observations, seed=7).notnull()
    for name in CHEAP:
        expected = getattr(metrics, name)(observations.where(known), ensemble, skipna=True)
        np.testing.assert_allclose(scores[name].sel(model="net"), expected)
        assert scores[name].sel(model="holed").notnull()


def test_metrics_by_name_by_function_and_in_a_mapping():
    observations, ensemble = sample()
    scores = evaluate(observations, ensemble, metrics=["mse", metrics.bias])
    assert list(scores.data_vars) == ["mse", "bias"]
    named = evaluate(
        observations,
        ensemble,
        metrics={"fine": metrics.mae, "mean": lambda o, f, dim=None: abs(o - f).mean(dim)},
    )
    np.testing.assert_allclose(named.fine, metrics.mae(observations, ensemble))
    np.testing.assert_allclose(named["mean"], metrics.mae(observations, ensemble.mean("member")))


def test_metrics_of_xskillscore():
    oracle = pytest.importorskip("xskillscore")
    observations, ensemble = sample()
    scores = evaluate(
        observations, ensemble, metrics=[oracle.pearson_r, oracle.crps_ensemble], dim=["y", "x"]
    )
    expected = oracle.pearson_r(observations, ensemble.mean("member"), dim=["y", "x"])
    np.testing.assert_allclose(scores.pearson_r, expected)
    np.testing.assert_allclose(
        scores.crps_ensemble,
        metrics.crps_ensemble(observations, ensemble, estimator="biased", dim=("y", "x")),
    )


@pytest.mark.parametrize("name", ["nonsense", "power_spectrum", "coarse_consistency"])
def test_unknown_metrics_are_refused(name):
    observations, ensemble = sample()
    with pytest.raises(ValueRangeError, match="crps_ensemble"):
        evaluate(observations, ensemble, metrics=[name])


def test_metrics_of_thresholds_need_thresholds():
    observations, ensemble = sample()
    with pytest.raises(ValueRangeError, match="thresholds="):
        evaluate(observations, ensemble, metrics=["fss"])
    scores = evaluate(observations, ensemble, metrics=["mse"], thresholds=[0.5, 2])
    assert list(scores.data_vars) == ["mse", "brier_score", "fss"]
    assert scores.fss.sizes == {"threshold": 2, "scale": 3}
    np.testing.assert_allclose(
        scores.fss, metrics.fss(observations, ensemble, thresholds=[0.5, 2], scales=(1, 5, 11))
    )
    one = evaluate(observations, ensemble, metrics=["fss"], thresholds=2)
    np.testing.assert_allclose(one.fss, scores.fss.sel(threshold=2))
    series = {"y": 0, "x": 0}
    flat = evaluate(
        observations.isel(series, drop=True), ensemble.isel(series, drop=True), metrics=[], thresholds=1
    )
    assert list(flat.data_vars) == ["brier_score"]


@pytest.mark.parametrize("dim", ["time", ("y", "x"), ()])
def test_dims_and_weights_reach_the_metrics(dim):
    observations, ensemble = sample()
    weights = case_weights()
    scores = evaluate(observations, ensemble, metrics=CHEAP, dim=dim, weights=weights)
    for name in CHEAP:
        expected = getattr(metrics, name)(observations, ensemble, dim=dim, weights=weights)
        np.testing.assert_allclose(scores[name], expected)
        assert set(scores[name].coords) == set(expected.dims)


def test_area_weights():
    field = globe()
    scores = evaluate(field, field + (field.lat > 0), metrics=["mse"], weights="area")
    np.testing.assert_allclose(scores.mse, 0.5)


def test_skill_over_a_reference():
    observations, ensemble = sample()
    baseline = ensemble.mean("member") + 1
    models = {"net": ensemble, "baseline": baseline}
    scores = evaluate(observations, models, metrics=["mse", "ssim", "bias"], reference="baseline")
    assert "bias_skill" not in scores
    mse = {name: metrics.mse(observations, model) for name, model in models.items()}
    np.testing.assert_allclose(scores.mse_skill.sel(model="net"), 1 - mse["net"] / mse["baseline"])
    np.testing.assert_allclose(scores.mse_skill.sel(model="baseline"), 0)
    ssim = scores.ssim
    expected = (ssim[0] - ssim[1]) / (1 - ssim[1])
    np.testing.assert_allclose(scores.ssim_skill.sel(model="net"), expected)
    alone = evaluate(observations, ensemble, metrics=["mse"], reference=baseline)
    np.testing.assert_allclose(alone.mse_skill, scores.mse_skill.sel(model="net"))
    assert alone.mse_skill.ndim == 0
    with pytest.raises(ValueRangeError, match="bicubic"):
        evaluate(observations, ensemble, reference="bicubic")
    with pytest.raises(ValueRangeError, match=r"\['net', 'baseline'\]"):
        evaluate(observations, models, reference="bicubic")


def test_lazy_until_asked_for():
    observations, ensemble = sample()
    models = {"net": ensemble.chunk(time=1), "mean": ensemble.mean("member").chunk(time=2)}
    with raise_if_dask_computes():
        scores = evaluate(
            observations.chunk(time=2), models, metrics=["mse", "ssim"], reference="mean", thresholds=1
        )
    expected = evaluate(
        observations,
        {"net": ensemble, "mean": ensemble.mean("member")},
        metrics=["mse", "ssim"],
        reference="mean",
        thresholds=1,
    )
    xr.testing.assert_allclose(scores.compute(scheduler="synchronous"), expected)


def test_bootstrap_of_a_mean_is_that_of_its_blocks():
    observations, ensemble = sample("random", shape=(8, 12, 16))
    scores = evaluate(observations, {"net": ensemble}, metrics=["mse"], bootstrap=400).isel(model=0)
    by_step = metrics.mse(observations, ensemble, dim=("y", "x")).values
    blocks = by_step.reshape(4, 2).mean(axis=1)
    drawn = np.random.default_rng(0).multinomial(4, [1 / 4] * 4, size=400) @ blocks / 4
    wide = blocks.mean() + np.sqrt(4 / 3) * (drawn - blocks.mean())
    np.testing.assert_allclose(scores.mse_low, np.quantile(wide, 0.025))
    np.testing.assert_allclose(scores.mse_high, np.quantile(wide, 0.975))
    assert scores.mse_low.attrs["units"] == "mm2 h-2"


def test_bootstrap_intervals_cover_the_truth():
    steps = np.random.default_rng(4).normal(size=(121, 20, 20))
    error = xr.DataArray(steps[1:] + steps[:-1], dims=("time", "y", "x"))
    scores = evaluate(xr.zeros_like(error), error, metrics=["mse"], dim="time", bootstrap=200)
    covered = (scores.mse_low < 2) & (scores.mse_high > 2)
    np.testing.assert_allclose(covered.mean(), 0.92, atol=0.05)


def test_bootstrap_is_lazy_repeatable_and_works_with_weights_and_gaps():
    observations, ensemble = sample(shape=(6, 12, 16))
    weights = xr.DataArray(np.arange(1.0, 7), dims="time")
    holed = observations.where(observations.time >= observations.time[2])
    options = {"metrics": ["mse", "mae"], "bootstrap": 50, "weights": weights}
    eager = evaluate(holed, ensemble, **options)
    xr.testing.assert_identical(eager, evaluate(holed, ensemble, **options))
    with raise_if_dask_computes():
        lazy = evaluate(holed.chunk(time=3), ensemble.chunk(time=3), **options)
    xr.testing.assert_allclose(lazy.compute(scheduler="synchronous"), eager)
    assert (eager.mse_low <= eager.mse).all()
    assert (eager.mse <= eager.mse_high).all()


def test_bootstrap_needs_steps_to_draw_from():
    observations, ensemble = sample()
    with pytest.raises(DimensionError, match="at least 4 steps"):
        evaluate(observations, ensemble, metrics=["mse"], bootstrap=10)
    long, forecast = sample(shape=(6, 12, 16))
    with pytest.raises(DimensionError, match="among the averaged"):
        evaluate(long, forecast, metrics=["mse"], dim=("y", "x"), bootstrap=10)
    with pytest.raises(ValueRangeError, match="bootstrap must be a whole number"):
        evaluate(long, forecast, metrics=["mse"], dim="time", bootstrap=0)


def test_datasets_are_scored_by_variable():
    observations, ensemble = sample()
    truth = xr.Dataset({"rain": observations, "snow": 2 * observations, "mask": observations > 0})
    forecasts = xr.Dataset({"rain": ensemble, "snow": ensemble})
    scores = evaluate(truth, forecasts, metrics=["mae"])
    assert list(scores.data_vars) == ["rain_mae", "snow_mae"]
    np.testing.assert_allclose(scores.snow_mae, metrics.mae(2 * observations, ensemble))
    one = evaluate(truth, forecasts[["rain"]], metrics=["mae"])
    np.testing.assert_allclose(one.mae, metrics.mae(observations, ensemble))
    np.testing.assert_allclose(evaluate(observations, forecasts[["rain"]], metrics=["mae"]).mae, one.mae)
    np.testing.assert_allclose(evaluate(truth, {"net": ensemble}, metrics=["mae"]).mae[0], one.mae)
    only = observations.rename(None).to_dataset(name="precipitation")
    np.testing.assert_allclose(evaluate(only, ensemble, metrics=["mae"]).mae, one.mae)
    with pytest.raises(DimensionError, match="no variable is in both"):
        evaluate(only, forecasts[["rain"]])
    with pytest.raises(DimensionError, match="rename"):
        evaluate(truth, ensemble.rename("wind"))


def test_mismatch_is_noticed_before_anything_is_scored():
    observations, ensemble = sample()
    with pytest.raises(DimensionError, match="swap"):
        evaluate(ensemble, observations)
    with pytest.raises(DimensionError, match=r"xarray.align"):
        evaluate(observations, {"good": ensemble, "bad": ensemble.isel(x=slice(3))})
    with pytest.raises(UnitsError):
        evaluate(observations, ensemble.assign_attrs(units="K"))
    with pytest.raises(DimensionError, match="no forecasts"):
        evaluate(observations, {})


def test_inputs_stay_as_they_are():
    observations, ensemble = sample()
    models = {"net": ensemble}
    before = observations.copy(deep=True), ensemble.copy(deep=True)
    evaluate(observations, models, reference=ensemble.isel(member=0))
    assert list(models) == ["net"]
    xr.testing.assert_identical(observations, before[0])
    xr.testing.assert_identical(ensemble, before[1])


def test_table_has_a_line_for_each_metric_and_states_the_bound():
    observations, ensemble = sample()
    models = {"net": ensemble, "bicubic": ensemble.mean("member")}
    table = scores_table(evaluate(observations, models, thresholds=[0.5, 2])).splitlines()
    assert table[0].split() == ["score", "net", "bicubic"]
    assert any(line.startswith("percentile_error 99 [mm h-1]") for line in table)
    assert any(line.startswith("fss 0.5 5 ") for line in table)
    assert len(table) == 1 + 10 + 2 + 2 + 6 + 1
    assert table[-1].endswith("holds")
    assert len({len(line) for line in table[:-1]}) == 1


def test_table_of_one_model_and_of_a_wrong_score():
    observations, ensemble = sample()
    assert scores_table(evaluate(observations, ensemble, metrics=["mse"])).splitlines()[0].split() == [
        "score",
        "value",
    ]
    wrong = xr.Dataset({"crps_ensemble": 0.1, "mae": 0.3})
    assert "is beaten" in scores_table(wrong)
    maps = evaluate(observations, ensemble, metrics=CHEAP, dim=("y", "x"))
    assert "CRPS >=" not in scores_table(maps)
