import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import case_weights, every_kind, sample
from xdownscale.errors import ValueRangeError
from xdownscale.metrics import (
    interval_coverage,
    pit_deviation,
    pit_histogram,
    pooled_pit_deviation,
    rank_histogram,
    spread_skill_ratio,
)


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


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
def test_pit_histogram_spreads_the_rank_histogram(kind, weighted):
    observations, ensemble = sample(kind)
    weights = case_weights() if weighted else None
    shares = rank_histogram(observations, ensemble, weights=weights).values
    found = pit_histogram(observations, ensemble, bins=shares.size, weights=weights)
    np.testing.assert_allclose(found, shares * shares.size, atol=1e-12)
    fine = pit_histogram(observations, ensemble, bins=3 * shares.size, weights=weights)
    np.testing.assert_allclose(fine.values.reshape(-1, 3).mean(1), found)


@pytest.mark.parametrize("kind", ["random", "tied", "zero-inflated"])
@pytest.mark.parametrize("bins", [5, 16])
def test_pit_histogram_is_the_mean_of_random_transforms(kind, bins):
    observations, ensemble = sample(kind, members=6)
    chance = np.random.default_rng(5)
    below = (ensemble < observations).sum("member").values
    ties = (ensemble == observations).sum("member").values
    drawn = (below + chance.random((2000, *below.shape)) * (ties + 1)) / 7
    expected = np.histogram(drawn, bins=bins, range=(0, 1), density=True)[0]
    np.testing.assert_allclose(pit_histogram(observations, ensemble, bins=bins), expected, atol=0.02)


@pytest.mark.parametrize("members", [2, 9, 10])
@pytest.mark.parametrize("kind", ["random", "tied", "zero-inflated"])
def test_intervals_of_a_calibrated_ensemble_cover_their_level(kind, members):
    observations, ensemble = sample(kind, members=members, shape=(20, 50, 50))
    levels = [0.3, 0.5, 0.9, 0.99]
    np.testing.assert_allclose(interval_coverage(observations, ensemble, levels=levels), levels, atol=0.01)
    mean = ensemble.mean("member")
    narrow = interval_coverage(observations, mean + 0.5 * (ensemble - mean), levels=0.5)
    assert narrow < 0.45


def test_coverage_between_members_is_counted():
    observations, ensemble = sample("random", members=9)
    ordered = ensemble.copy(data=np.sort(ensemble.values, axis=0))
    for outer in (0, 2):
        low, high = ordered.isel(member=outer), ordered.isel(member=8 - outer)
        counted = ((low <= observations) & (observations <= high)).mean()
        level = (9 + 1 - 2 * (outer + 1)) / (9 + 1)
        np.testing.assert_allclose(interval_coverage(observations, ensemble, levels=level), counted)


def test_levels_and_bins_out_of_range_are_refused():
    with pytest.raises(ValueRangeError, match=r"levels=\(0.5, 0.9\)"):
        interval_coverage(*sample(), levels=90)
    with pytest.raises(ValueRangeError, match="bins=2"):
        pit_histogram(*sample(), bins=0)


def test_perfect_rain_stays_within_the_noise_floor_and_narrow_rain_does_not():
    chance = np.random.default_rng(7)
    shape = (20, 50, 50)
    wet = chance.random(shape)  # every cell its own climate, which truth and members share
    scale = 5 * chance.random(shape)

    def draw():
        return np.where(chance.random(shape) < wet, scale * chance.gamma(0.7, size=shape), 0)

    def ensemble_of(draws):
        return xr.DataArray(np.stack(draws), dims=("member", "time", "y", "x"))

    truth = xr.DataArray(draw(), dims=("time", "y", "x"))
    good = ensemble_of([draw() for _ in range(10)])
    middle = good.mean("member")
    narrow = (middle + 0.7 * (good - middle)).clip(min=0)
    found = pit_deviation(truth, good)
    assert found < 1.5 * found.attrs["noise_floor"]
    assert pit_deviation(truth, narrow) > 10 * found.attrs["noise_floor"]


def test_the_pooled_pit_cannot_see_calibration():
    observations, ensemble = sample("random", members=10, shape=(20, 50, 50))
    climate = pooled_pit_deviation(observations, ensemble)
    shuffled = ensemble.roll(x=7, y=3, time=5)
    np.testing.assert_allclose(pooled_pit_deviation(observations, shuffled), climate, atol=1e-12)
    all_the_same = shuffled.isel(member=[0] * 10)
    assert pooled_pit_deviation(observations, all_the_same) < 0.01
    assert pit_deviation(observations, all_the_same) > 1
    dry, perfect = sample("zero-inflated", members=10, shape=(20, 50, 50))
    assert pooled_pit_deviation(dry, perfect) > 0.2


@every_kind
def test_the_pooled_pit_by_its_definition(kind):
    observations, ensemble = sample(kind)
    pool = ensemble.values.ravel()
    transforms = np.sort([(pool <= y).mean() for y in observations.values.ravel()])
    ranks = (np.arange(transforms.size) + 0.5) / transforms.size
    expected = np.sqrt(np.mean((transforms - ranks) ** 2))
    np.testing.assert_allclose(pooled_pit_deviation(observations, ensemble), expected)
