"""Guided denoisers against the posteriors of Gaussian priors, which are known.

The programs of `benchmarks/posterior.py` in small: the law of what a sampler draws is computed, not estimated.
"""

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from posterior import (
    Case,
    ExactDenoiser,
    deviations,
    field_covariance,
    operators,
    posterior_levels,
)

from xdownscale.diffusion.correct import predictor_corrector
from xdownscale.diffusion.guide import FAINT, Moments, Scalar, Seen, guided, minimal_residual
from xdownscale.diffusion.sample import SAMPLERS, Sampler
from xdownscale.diffusion.schedule import PURE_NOISE, NoiseLevel

SHAPE = (1, 6, 4, 4)
COVARIANCE = field_covariance(4, 6)
ANGLE = Sampler(SAMPLERS["angle"].rule, posterior_levels, 20, lambda n: n + 1)
EXACT = Moments(tolerance=1e-6, iterations=200)
SEEN = operators(SHAPE)


def found(name, guidance, sampler=ANGLE, error=0.1):
    operator, blocks = SEEN[name]
    case = Case(COVARIANCE, operator, error)
    return deviations(case, blocks, case.sampled(sampler, guidance))


@pytest.mark.parametrize("name", SEEN)
def test_moment_matching_has_mean_and_spread_of_the_posterior_in_every_part(name):
    for off, ratio in found(name, EXACT).values():
        assert off < 0.02
        assert ratio == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("error", [0.02, 0.5])
def test_it_holds_for_small_and_large_errors(error):
    levels = Sampler(SAMPLERS["angle"].rule, lambda n: posterior_levels(n, error), 24, lambda n: n + 1)
    for off, ratio in found("(4, 3)", EXACT, levels, error).values():
        assert off < 0.02
        assert ratio == pytest.approx(1, abs=0.05)


def test_the_papers_guidance_gives_a_fraction_of_the_spread_of_what_is_seen():
    """The fault that moment matching mends."""
    by_number = found("(4, 1)", Scalar(7.2e-4), predictor_corrector())
    assert by_number["seen"][1] < 0.5
    assert by_number["within blocks"][1] == pytest.approx(1, abs=0.1)


def level(ratio):
    return NoiseLevel.from_ratio(torch.tensor(ratio, dtype=torch.float64))


@pytest.mark.parametrize("ratio", [0.05, 1.0, 20.0])
def test_one_evaluation_is_the_exact_posterior_mean(ratio):
    """E[x₀ | x_t, y] of a Gaussian in closed form: y and x_t/α are two observations of x₀."""
    case = Case(COVARIANCE, SEEN["(4, 3) and points"][0])
    x_t = torch.randn(3, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    at = level(ratio)
    drawn = guided(ExactDenoiser(COVARIANCE), case.observation, EXACT)(x_t, at).flatten(1)
    count = len(COVARIANCE)
    both = torch.cat([case.matrix, torch.eye(count, dtype=torch.float64)])
    errors = torch.cat([torch.full((len(case.matrix),), 0.1**2), torch.full((count,), ratio**2)]).double()
    values = torch.cat([case.seen.expand(3, -1), x_t.flatten(1) / at.alpha], 1)
    gain = torch.linalg.solve(both @ COVARIANCE @ both.T + torch.diag(errors), both @ COVARIANCE).T
    torch.testing.assert_close(drawn, values @ gain.T, rtol=1e-4, atol=1e-4)


def test_a_scalar_case_is_the_algebra_of_sda():
    """One cell of variance λ, seen with σ_y: every letter of the formula."""
    lam, sigma_y, gamma, at = 2.0, 0.3, 0.05, level(0.7)
    prior = ExactDenoiser(torch.tensor([[lam]], dtype=torch.float64))
    seen = Seen(_Identity(), torch.tensor([[1.5]]).double(), torch.tensor(sigma_y**2))
    x_t = torch.tensor([[0.4]], dtype=torch.float64)
    slope = lam * at.alpha / (lam * at.alpha**2 + at.sigma**2)
    mean = slope * x_t
    variance = sigma_y**2 + gamma * (at.sigma / at.alpha) ** 2
    exact = mean + at.sigma**2 / at.alpha * slope * (1.5 - mean) / variance
    torch.testing.assert_close(guided(prior, seen, Scalar(gamma))(x_t, at), exact)
    free = mean + (at.sigma / at.alpha) ** 2 * (1.5 - mean) / variance
    torch.testing.assert_close(guided(prior, seen, Scalar(gamma, exact=False))(x_t, at), free)


class _Identity:
    def __call__(self, x):
        return x

    def adjoint(self, y):
        return y


def test_pure_noise_is_answered_with_the_mean_given_what_is_seen():
    case = Case(COVARIANCE, SEEN["(4, 1)"][0])
    mean = guided(ExactDenoiser(COVARIANCE), case.observation, EXACT)(
        torch.zeros(1, *SHAPE, dtype=torch.float64), PURE_NOISE
    )
    off = (mean.flatten() - case.law[0]).square().mean() / torch.diag(case.law[1]).mean()
    assert float(off.sqrt()) < FAINT


def test_members_of_a_batch_do_not_know_of_each_other():
    case = Case(COVARIANCE, SEEN["(4, 3)"][0])
    x_t = torch.randn(4, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    posterior = guided(ExactDenoiser(COVARIANCE), case.observation)
    together = posterior(x_t, level(1.0))
    torch.testing.assert_close(together[2:3], posterior(x_t[2:3], level(1.0)), rtol=1e-8, atol=1e-8)


def test_the_solver_stops_at_the_stated_tolerance():
    matrix = torch.diag(torch.logspace(0, 3, 40, dtype=torch.float64))
    asked = []

    def system(s):
        asked.append(s)
        return s @ matrix

    wanted = torch.ones(2, 40, dtype=torch.float64)
    for tolerance in (1e-1, 1e-6):
        rest = wanted - minimal_residual(system, wanted, tolerance=tolerance, iterations=500) @ matrix
        assert float(rest.norm() / wanted.norm()) < tolerance
    count = len(asked)
    minimal_residual(system, wanted, tolerance=1e-12, iterations=5)
    assert len(asked) - count == 5


def test_no_gradient_is_left_behind_and_none_is_needed_around():
    case = Case(COVARIANCE, SEEN["(4, 3)"][0])
    posterior = guided(ExactDenoiser(COVARIANCE), case.observation)
    with torch.inference_mode():
        inside = posterior(torch.ones(1, *SHAPE, dtype=torch.float64), level(1.0))
    outside = posterior(torch.ones(1, *SHAPE, dtype=torch.float64), level(1.0))
    assert not outside.requires_grad
    torch.testing.assert_close(inside, outside, rtol=0, atol=0)


def test_a_system_that_is_not_symmetric_is_solved():
    random = torch.Generator().manual_seed(0)
    matrix = torch.eye(20, dtype=torch.float64) + 0.2 * torch.randn(
        20, 20, dtype=torch.float64, generator=random
    )
    wanted = torch.randn(3, 20, dtype=torch.float64, generator=random)
    found = minimal_residual(lambda s: s @ matrix, wanted, tolerance=1e-8, iterations=30)
    torch.testing.assert_close(found @ matrix, wanted, rtol=1e-6, atol=1e-6)
