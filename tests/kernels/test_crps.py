"""The ensemble CRPS: against the double sum, closed forms, and its own two halves (numpy, torch)."""

import numpy as np
import pytest
import torch

from xdownscale.kernels.crps import crps_ensemble


def double_sum(observation, members, alpha):
    count = len(members)
    pairs = np.abs(members[:, None] - members[None]).sum((0, 1))
    factor = (1 - (1 - alpha) / count) / (2 * count * (count - 1))
    return np.abs(members - observation).mean(0) - factor * pairs


@pytest.mark.parametrize("alpha", [0.0, 0.95, 1.0])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_equals_the_double_sum_with_ties_and_zeros(count, alpha):
    random = np.random.default_rng(count)
    members = np.maximum(random.normal(size=(count, 200)), 0)
    observation = np.maximum(random.normal(size=200), 0)
    np.testing.assert_allclose(
        crps_ensemble(observation, members, alpha=alpha), double_sum(observation, members, alpha), atol=1e-12
    )


def test_alpha_zero_is_the_score_of_the_ensemble_as_it_stands():
    members, observation = np.array([[0.0], [2.0]]), np.array([1.0])
    assert crps_ensemble(observation, members, alpha=0.0)[0] == pytest.approx(1.0 - 0.5 * 1.0)


def test_one_member_gives_the_absolute_error():
    assert crps_ensemble(np.array([3.0]), np.array([[1.0]]))[0] == 2.0


def test_fair_score_of_a_perfect_gaussian_ensemble_is_sigma_over_root_pi():
    random = np.random.default_rng(1)
    score = crps_ensemble(random.normal(size=200_000), random.normal(size=(5, 200_000))).mean()
    assert score == pytest.approx(1 / np.sqrt(np.pi), rel=0.01)


def test_torch_and_numpy_agree_on_any_axis():
    random = np.random.default_rng(2)
    members, observation = random.normal(size=(7, 4, 3)), random.normal(size=(7, 3))
    ours = crps_ensemble(torch.from_numpy(observation), torch.from_numpy(members), axis=1)
    np.testing.assert_allclose(ours.numpy(), crps_ensemble(observation, members, axis=1))


def test_float32_keeps_a_small_spread_on_a_large_mean():
    random = np.random.default_rng(3)
    members = 288 + 0.05 * random.normal(size=(50, 1000))
    observation = 288 + 0.05 * random.normal(size=1000)
    exact = crps_ensemble(observation.astype("f4").astype("f8"), members.astype("f4").astype("f8")).mean()
    assert crps_ensemble(observation.astype("f4"), members.astype("f4")).mean() == pytest.approx(
        exact, rel=1e-5
    )


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 2, 3, 0), (3, 0, 2, 1)])
def test_pieces_change_nothing_in_any_memory_order(order):
    random = np.random.default_rng(4)
    members, observation = random.normal(size=(6, 5, 30, 40)), random.normal(size=(5, 30, 40))
    stored = np.ascontiguousarray(members.transpose(order)).transpose(np.argsort(order))
    np.testing.assert_allclose(crps_ensemble(observation, stored), double_sum(observation, members, 1.0))


def test_whole_numbers_and_missing_values():
    members = np.arange(12).reshape(4, 3)
    found = crps_ensemble(np.array([0, 5, 20]), members)
    np.testing.assert_allclose(found, double_sum(np.array([0.0, 5, 20]), members.astype(float), 1.0))
    holed = np.where(members == 4, np.nan, members)
    np.testing.assert_array_equal(
        np.isnan(crps_ensemble(np.array([np.nan, 5, 20]), holed)), [True, True, False]
    )


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_negative_share_is_the_score_of_quantiles_in_numpy_and_torch(count):
    random = np.random.default_rng(5)
    members, observation = np.sort(random.normal(size=(count, 50)), axis=0), random.normal(size=50)
    levels = np.arange(1, count + 1)[:, None] / (count + 1)
    expected = 2 * np.mean(((observation < members) - levels) * (members - observation), axis=0)
    alpha = (1 - count) / (1 + count)
    np.testing.assert_allclose(crps_ensemble(observation, members, alpha=alpha), expected, atol=1e-12)
    ours = crps_ensemble(torch.from_numpy(observation), torch.from_numpy(members), alpha=alpha)
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-12)
