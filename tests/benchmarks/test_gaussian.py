"""The closed form of the oracle against brute force: many simulated fields, and those with the wanted blocks."""

import numpy as np
import pytest
from gaussian import GaussianField, Posterior

from xdownscale.kernels.blocks import block_mean

FIELD = GaussianField(6, 6, scale=4.0, velocity=(0.5, 0.25), persistence=0.8)


CASES = {
    "space": ((1, 3, 3), None), "time": ((2, 1, 1), None), "both": ((2, 3, 2), None), "window": ((2, 3, 2), (6, 4))
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def posterior(request):
    blocks, window = request.param
    return Posterior(FIELD, blocks, 2, window)


def test_simulated_fields_have_the_covariance():
    fields = FIELD.simulate(3, 12_000, np.random.default_rng(0)).reshape(12_000, -1)
    found = fields.T @ fields / len(fields)
    # five standard errors of a covariance of unit variances
    np.testing.assert_allclose(found, FIELD.covariance(3), atol=5 * np.sqrt(2 / 12_000))


def test_a_window_has_the_law_that_it_has_in_the_domain():
    whole = FIELD.covariance(2).reshape(2, 6, 6, 2, 6, 6)
    part = FIELD.covariance(2, (4, 2)).reshape(2, 4, 2, 2, 4, 2)
    np.testing.assert_array_equal(part, whole[:, :4, :2, :, :4, :2])


def test_unit_variance_and_movement():
    prior = GaussianField(8, 8, velocity=(0.0, 1.0), persistence=0.9).covariance(2).reshape(2, 8, 8, 2, 8, 8)
    np.testing.assert_allclose(np.einsum("tyxtyx->tyx", prior), 1.0)
    # a whole cell per step: what was here is now one cell further along x, but for what was forgotten
    np.testing.assert_allclose(prior[0, 2, 2, 1, 2, 3], 0.9)
    np.testing.assert_allclose(prior[0, 2, 2, 1], np.roll(0.9 * prior[0, 2, 2, 0], 1, axis=1))


def test_what_the_mean_leaves_is_unrelated_to_the_blocks_and_has_the_covariance(posterior):
    count = 12_000
    fields = posterior.truths(count, np.random.default_rng(1))
    coarse = block_mean(fields, posterior.blocks)
    left = (fields - posterior.mean(coarse)).reshape(count, -1)
    np.testing.assert_allclose(left.T @ coarse.reshape(count, -1) / count, 0.0, atol=0.055)
    np.testing.assert_allclose(left.T @ left / count, posterior.covariance, atol=0.065)


def test_fields_with_the_wanted_blocks_have_the_mean_and_spread():
    posterior = Posterior(GaussianField(4, 4, scale=4.0), (1, 4, 2), 1)
    fields = posterior.field.simulate(1, 200_000, np.random.default_rng(2))
    wanted = np.array([[[0.6, -0.4]]])
    kept = fields[(np.abs(block_mean(fields, posterior.blocks) - wanted) < 0.06).all((1, 2, 3))]
    assert len(kept) > 250
    error = 4 * posterior.deviation.max() / np.sqrt(len(kept)) + 0.03
    np.testing.assert_allclose(kept.mean(0), posterior.mean(wanted), atol=error)
    np.testing.assert_allclose(kept.std(0), posterior.deviation, rtol=0.15)


def test_exact_members_keep_the_blocks(posterior):
    random = np.random.default_rng(3)
    coarse = block_mean(posterior.truths(1, random)[0], posterior.blocks)
    members = posterior.sample(coarse, 2000, random)
    # the root of a rounded zero variance is 1e-8
    np.testing.assert_allclose(block_mean(members, posterior.blocks), coarse[None].repeat(2000, 0), atol=1e-6)
    np.testing.assert_allclose(members.std(0), posterior.deviation, rtol=0.1)
