import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import every_kind, label, sample
from xdownscale.metrics import crps_ensemble, mae, pit_deviation, rank_histogram, spread_skill_ratio

ORDER = ("time", "y", "x", "member")


@every_kind
@pytest.mark.parametrize(("alpha", "estimator"), [(1.0, "fair"), (1.0, "pwm"), (0.0, "nrg"), (0.0, "qd")])
def test_crps_equals_scoringrules(kind, alpha, estimator):
    oracle = pytest.importorskip("scoringrules")
    observations, ensemble = sample(kind)
    if kind == "single-member":
        expected = abs(observations - ensemble.isel(member=0))
    else:
        values = ensemble.transpose(*ORDER).values
        expected = oracle.crps_ensemble(observations.values, values, estimator=estimator, backend="numpy")
    np.testing.assert_allclose(
        crps_ensemble(observations, ensemble, alpha=alpha, dim=()), expected, atol=1e-12
    )


@every_kind
def test_crps_equals_scores_and_xskillscore(kind):
    observations, ensemble = sample(kind)
    scores = pytest.importorskip("scores.probability")
    xskillscore = pytest.importorskip("xskillscore")
    biased = crps_ensemble(observations, ensemble, alpha=0, dim="time")
    np.testing.assert_allclose(
        biased, xskillscore.crps_ensemble(observations, ensemble, dim="time"), atol=1e-12
    )
    if kind != "single-member":
        fair = scores.crps_for_ensemble(
            ensemble, observations, "member", method="fair", preserve_dims=["y", "x"]
        )
        np.testing.assert_allclose(crps_ensemble(observations, ensemble, dim="time"), fair, atol=1e-12)


def test_crps_of_one_member_is_the_absolute_error():
    observations, ensemble = sample()
    one = ensemble.isel(member=0)
    np.testing.assert_allclose(crps_ensemble(observations, one), mae(observations, one))


def test_fair_crps_does_not_depend_on_the_number_of_members():
    observations, ensemble = sample("random", members=40, shape=(20, 40, 40))
    few, many = (crps_ensemble(observations, ensemble.isel(member=slice(n))) for n in (3, 40))
    np.testing.assert_allclose(few, many, rtol=0.01)
    assert crps_ensemble(observations, ensemble.isel(member=slice(3)), alpha=0) > 1.1 * many


def test_crps_is_proper():
    observations, ensemble = sample(members=20, shape=(20, 40, 40))
    best = crps_ensemble(observations, ensemble)
    for worse in (0.6 * ensemble, 1.5 * ensemble, ensemble + 0.2, ensemble.mean("member")):
        assert crps_ensemble(observations, worse) > best


def test_crps_keeps_small_spreads_of_large_values_in_single_precision():
    chance = np.random.default_rng(0)
    observations = label(288 + 0.05 * chance.normal(size=(1, 100, 100)), ("time", "y", "x"))
    ensemble = label(288 + 0.05 * chance.normal(size=(50, 1, 100, 100)), ("member", "time", "y", "x"))
    single = observations.astype("f4"), ensemble.astype("f4")
    exact = crps_ensemble(*(part.astype("f8") for part in single))
    np.testing.assert_allclose(crps_ensemble(*single), exact, rtol=1e-6)


@every_kind
def test_rank_histogram_equals_scores(kind):
    oracle = pytest.importorskip("scores.probability")
    observations, ensemble = sample(kind)
    expected = oracle.rank_histogram(ensemble, observations, "member", preserve_dims=["time"])
    found = rank_histogram(observations, ensemble, dim=("y", "x"))
    np.testing.assert_allclose(found, expected.transpose("time", "rank"), atol=1e-12)
    np.testing.assert_allclose(found.sum("rank"), 1)


def test_rank_histogram_by_hand():
    observations = xr.DataArray([0.0, 1.5, 9.0], dims="x")
    ensemble = xr.DataArray([[0.0, 1.0, 1.0], [0.0, 2.0, 1.0]], dims=("member", "x"))
    found = rank_histogram(observations, ensemble, weights=xr.DataArray([3.0, 1.0, 2.0], dims="x"))
    np.testing.assert_allclose(found, [1 / 6, 2 / 6, 3 / 6])


def test_rank_histogram_keeps_no_rank_in_memory_longer_than_needed_with_many_ranks():
    observations, ensemble = sample(members=20)
    lazy = rank_histogram(observations.chunk(time=1), ensemble.chunk(time=1))
    xr.testing.assert_allclose(lazy.compute(), rank_histogram(observations, ensemble))


@pytest.mark.parametrize("kind", ["random", "tied", "zero-inflated"])
def test_pit_deviation_sees_calibration_and_nothing_else(kind):
    observations, ensemble = sample(kind, members=10, shape=(20, 50, 50))
    calibrated = pit_deviation(observations, ensemble)
    floor = calibrated.attrs["noise_floor"]
    np.testing.assert_allclose(floor, np.sqrt(10 / 50_000))
    assert calibrated < 2 * floor
    mean = ensemble.mean("member")
    assert pit_deviation(observations, mean + 0.7 * (ensemble - mean)) > 10 * floor
    assert pit_deviation(observations, ensemble + 0.3) > 10 * floor


def test_pit_deviation_of_the_worst_forecast():
    observations, ensemble = sample("random", members=4)
    np.testing.assert_allclose(pit_deviation(observations + 1e6, ensemble), np.sqrt((4**2 + 4) / 5))


@pytest.mark.parametrize("members", [2, 5, 30])
def test_spread_matches_skill_for_a_calibrated_ensemble_of_any_size(members):
    observations, ensemble = sample("random", members=members, shape=(30, 40, 40))
    np.testing.assert_allclose(spread_skill_ratio(observations, ensemble), 1, atol=0.03)


def test_spread_scales_with_the_ensemble():
    observations, ensemble = sample("random")
    mean = ensemble.mean("member")
    wide = spread_skill_ratio(observations, mean + 2 * (ensemble - mean))
    np.testing.assert_allclose(wide, 2 * spread_skill_ratio(observations, ensemble))


def test_spread_needs_two_members_and_some_error():
    observations, ensemble = sample()
    assert spread_skill_ratio(observations, ensemble.isel(member=[0])).isnull()
    same = xr.concat([observations, observations], "member")
    assert spread_skill_ratio(observations, same).isnull()
