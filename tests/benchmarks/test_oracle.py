"""The judge of the oracle: the exact posterior passes, and each fault shows in the column that is meant for it."""

import numpy as np
import pytest
from gaussian import GaussianField, Posterior
from oracle import (
    diffusion_draw,
    exact_draw,
    exact_powers,
    expected_crps,
    judge,
    powers,
    recipe_for,
    trained_draw,
)

import xdownscale
from xdownscale.diffusion.sample import SAMPLERS
from xdownscale.kernels.blocks import block_mean
from xdownscale.kernels.crps import crps_ensemble


@pytest.fixture(scope="module")
def posterior():
    return Posterior(GaussianField(12, 12), (1, 4, 4), 3)


def changed(posterior, change):
    """Exact members, of which `change` makes something else; it gets their anomalies and a generator."""

    def draw(coarse, members, seed):
        random = np.random.default_rng(seed)
        center = posterior.mean(coarse)
        return center + change(posterior.sample(coarse, members, random) - center, random)

    return draw


def test_the_exact_posterior_passes(posterior):
    scores = judge(posterior, exact_draw(posterior))
    assert scores.mean_error < 0.05
    assert scores.blocks < 1e-6
    assert [scores.spread, scores.crps, scores.energy] == pytest.approx([1, 1, 1], abs=0.015)
    assert scores.spectrum == pytest.approx(1, abs=0.06)


def test_too_much_spread_is_measured(posterior):
    scores = judge(posterior, changed(posterior, lambda part, _: 1.3 * part))
    assert scores.spread == pytest.approx(1.3, rel=0.02)
    # a Gaussian ensemble of spread f·s: CRPS = s·(√(2(1 + f²)) − f)/√π
    assert scores.crps == pytest.approx(np.sqrt(2 * (1 + 1.3**2)) - 1.3, rel=0.01)
    assert scores.spectrum == pytest.approx(1.69, rel=0.08)


def test_a_shifted_mean_is_measured(posterior):
    scores = judge(posterior, changed(posterior, lambda part, _: part + 0.5))
    expected = 0.5 / np.sqrt((posterior.deviation[1] ** 2).mean())
    assert scores.mean_error == pytest.approx(expected, rel=0.05)
    assert scores.blocks == pytest.approx(expected, rel=0.01)
    assert scores.crps > 1.1


def test_right_margins_with_a_wrong_covariance_show_in_the_spectrum(posterior):
    def shuffled(part, random):
        return random.permuted(part, axis=0)

    scores = judge(posterior, changed(posterior, shuffled))
    assert [scores.spread, scores.crps] == pytest.approx([1, 1], abs=0.015)
    # the energy score of many cells hardly sees dependence (Pinson & Tastu 2013): no table without a spectrum
    assert 1.0 < scores.energy < 1.03
    assert scores.spectrum > 2
    assert scores.blocks > 0.1


@pytest.mark.parametrize("name", ["angle", "dpm", "heun"])
def test_samplers_with_the_exact_denoiser_reach_the_posterior(posterior, name):
    scores = judge(posterior, diffusion_draw(posterior, SAMPLERS[name], SAMPLERS[name].steps))
    assert scores.mean_error < 0.05
    assert [scores.spread, scores.crps, scores.energy] == pytest.approx([1, 1, 1], abs=0.03)
    assert scores.spectrum == pytest.approx(1, abs=0.12)
    assert scores.blocks < 0.01


def test_expected_crps_is_the_mean_over_truths():
    random = np.random.default_rng(0)
    members, mean, deviation = random.normal(0.3, 1.4, (5, 2)), np.array([0.1, -0.2]), np.array([0.8, 1.1])
    truths = mean + deviation * random.standard_normal((200_000, 2))
    drawn = crps_ensemble(truths, np.broadcast_to(members[:, None], (5, *truths.shape))).mean(0)
    np.testing.assert_allclose(expected_crps(members, mean, deviation), drawn, rtol=0.01)


def test_powers_of_exact_members_have_their_expectation(posterior):
    random = np.random.default_rng(4)
    coarse = block_mean(posterior.field.simulate(3, 1, random)[0], posterior.blocks)
    part = posterior.sample(coarse, 4000, random) - posterior.mean(coarse)
    np.testing.assert_allclose(powers(part[:, 1:2]), exact_powers(posterior), rtol=0.05)


def test_networks_learn_from_windows_of_the_size_that_they_are_shown_and_no_place_twice(monkeypatch):
    seen = {}

    def train(fields, spatial, temporal, **settings):
        seen.update(settings, fields=fields, factors=(temporal, *spatial))

    posterior = Posterior(GaussianField(24, 24), (1, 4, 4), 3, (8, 8))
    monkeypatch.setattr("oracle.EVENTS", 3)
    monkeypatch.setattr(xdownscale, "train", train)
    trained_draw(posterior, "generator", recipe_for(posterior, 10))
    recipe, field = seen["recipe"], seen["fields"][0]
    assert seen["factors"] == posterior.blocks
    assert recipe.cells == 8 // 4
    assert field.shape == (3, 24, 24)
    assert len(np.unique(field)) == field.size
    assert field.sizes["time"] == recipe.frames == posterior.frames


def test_the_recipe_allows_the_spread_that_the_bounds_ask_for(posterior):
    recipe = recipe_for(posterior, 10)
    c = 1 - (1 - recipe.weights.alpha) / recipe.schedule.members
    assert c / np.sqrt(2 - c**2) > 0.99
