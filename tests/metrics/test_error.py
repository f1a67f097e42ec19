import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import case_weights, every_kind, missing, sample
from xdownscale.metrics import bias, correlation, mae, mse, rmse

POINT = {"mse": (mse, "mean"), "rmse": (rmse, "mean"), "mae": (mae, "median")}


@every_kind
@pytest.mark.parametrize("name", POINT)
@pytest.mark.parametrize(
    ("dim", "weighted"), [(None, False), (None, True), ("time", False), (["y", "x"], False)]
)
def test_equals_xskillscore_of_the_best_point(kind, name, dim, weighted):
    oracle = pytest.importorskip("xskillscore")
    observations, ensemble = sample(kind)
    metric, point = POINT[name]
    weights = case_weights() if weighted else None
    expected = getattr(oracle, name)(
        observations, getattr(ensemble, point)("member"), dim=dim, weights=weights
    )
    found = metric(observations, ensemble, dim=dim, weights=weights)
    xr.testing.assert_allclose(found.drop_attrs(), expected.drop_attrs().rename(name))


@every_kind
def test_equals_scores(kind):
    oracle = pytest.importorskip("scores.continuous")
    observations, ensemble = sample(kind)
    mean = ensemble.mean("member")
    np.testing.assert_allclose(mse(observations, ensemble), oracle.mse(mean, observations))
    np.testing.assert_allclose(mae(observations, mean), oracle.mae(mean, observations))
    np.testing.assert_allclose(bias(observations, ensemble), oracle.mean_error(mean, observations))


def test_scale_as_their_units_do():
    observations, ensemble = sample()
    for metric, power in ((mse, 2), (rmse, 1), (mae, 1), (bias, 1)):
        np.testing.assert_allclose(
            metric(3 * observations, 3 * ensemble), 3**power * metric(observations, ensemble)
        )
        assert float(metric(observations, observations)) == 0


def test_missing_values_propagate_or_are_left_out_with_their_case():
    observations, ensemble = sample()
    holed, holed_ensemble = missing(observations), missing(ensemble, seed=5)
    complete = holed.notnull() & holed_ensemble.notnull().all("member")
    for metric in (mse, rmse, mae, bias):
        assert metric(holed, ensemble).isnull()
        assert metric(observations, holed_ensemble).isnull()
        expected = metric(holed.where(complete), ensemble.where(complete), skipna=True)
        np.testing.assert_allclose(metric(holed, holed_ensemble, skipna=True), expected)
        flat = metric(
            observations.values[complete.values]
            * xr.ones_like(xr.DataArray(np.zeros(int(complete.sum())), dims="x")),
            xr.DataArray(ensemble.values[:, complete.values], dims=("member", "x")),
        )
        np.testing.assert_allclose(expected, flat)


def test_a_missing_weight_is_a_missing_case():
    observations, ensemble = sample()
    weights = case_weights()
    holed = missing(weights)
    assert mse(observations, ensemble, weights=holed).isnull()
    expected = mse(observations.where(holed.notnull()), ensemble, weights=weights, skipna=True)
    np.testing.assert_allclose(mse(observations, ensemble, weights=holed, skipna=True), expected)


def test_no_weight_and_no_case_give_no_score():
    observations, ensemble = sample()
    assert mse(observations, ensemble, weights=xr.zeros_like(observations)).isnull()
    assert mse(observations * np.nan, ensemble, skipna=True).isnull()


def test_an_empty_dim_gives_the_map():
    observations, ensemble = sample()
    found = mse(observations, ensemble, dim=())
    xr.testing.assert_allclose(found, ((ensemble.mean("member") - observations) ** 2).rename("mse"))


def test_whole_numbers_without_sign_do_not_wrap():
    observations = xr.DataArray(np.array([0, 200], dtype=np.uint8), dims="x")
    assert float(mae(observations, observations[::-1])) == 200
    assert float(mae(observations > 3, observations[::-1] > 3)) == 1


def test_single_precision_averages_in_double():
    observations = xr.DataArray(np.full(2**22, 0.1, np.float32), dims="x")
    np.testing.assert_allclose(mae(observations, xr.zeros_like(observations)), np.float32(0.1), rtol=1e-9)


@every_kind
@pytest.mark.parametrize(
    ("dim", "weighted"), [(None, False), (None, True), ("time", False), (["y", "x"], False)]
)
def test_correlation_equals_xskillscore(kind, dim, weighted):
    oracle = pytest.importorskip("xskillscore")
    observations, ensemble = sample(kind)
    weights = case_weights() if weighted else None
    holed = missing(observations)
    for given, skipna in ((observations, False), (holed, True)):
        expected = oracle.pearson_r(given, ensemble.mean("member"), dim=dim, weights=weights, skipna=skipna)
        found = correlation(given, ensemble, dim=dim, weights=weights, skipna=skipna)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_correlation_of_a_line_and_of_a_constant():
    observations, _ = sample("random")
    np.testing.assert_allclose(correlation(observations, 3 - 2 * observations), -1)
    np.testing.assert_allclose(correlation((observations + 1e4).astype("f4"), observations), 1, rtol=1e-6)
    assert correlation(observations, xr.zeros_like(observations)).isnull()
