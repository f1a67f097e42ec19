import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import every_kind, label, sample
from xdownscale.metrics import pit_deviation, rank_histogram, spread_skill_ratio


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
