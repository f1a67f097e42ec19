"""Predictor and corrector against Gaussians with the exact denoiser."""

import pytest
import torch

from xdownscale.diffusion.correct import predict_and_correct, predictor_corrector
from xdownscale.diffusion.sample import SAMPLERS
from xdownscale.diffusion.schedule import cosine_squared

VARIANCES = torch.tensor([0.05, 0.5, 1.0, 3.0], dtype=torch.float64).repeat(100)
"""Many values to an entry, as a field has: the length of a Langevin step is a mean over them."""


def exact(x_t, level):
    gain = VARIANCES * level.alpha / (VARIANCES * level.alpha**2 + level.sigma**2)
    return 1.0 + gain * (x_t - level.alpha)


def noise(count, seed=0):
    return lambda n: torch.randn(
        count, len(VARIANCES), dtype=torch.float64, generator=torch.Generator().manual_seed(1000 * seed + n)
    )


def test_without_corrections_it_is_ddim_on_the_papers_schedule():
    z = noise(3)
    mine = predictor_corrector()(exact, z, steps=32)
    levels = cosine_squared(32)
    theirs = SAMPLERS["ddim"].rule(exact, levels, z)
    # they begin at the mean of what little signal there is
    torch.testing.assert_close(mine, theirs, rtol=0, atol=5e-3)


def off_by(drawn):
    """Largest deviation of mean and of spread over the four kinds of modes."""
    kinds = drawn.reshape(-1, 100, 4).flatten(0, 1)
    spread = kinds.std(0) / VARIANCES[:4].sqrt() - 1
    return float((kinds.mean(0) - 1).abs().max()), float(spread.abs().max())


def test_corrections_mend_the_spread_of_few_steps():
    levels, off = cosine_squared(16), {}
    for corrections in (0, 4):
        drawn = predict_and_correct(exact, levels, noise(200), corrections=corrections, tau=0.1)
        mean, off[corrections] = off_by(drawn)
        assert mean < 0.03
    assert off[4] < 0.6 * off[0]


def test_mean_and_spread_with_256_steps():
    mean, spread = off_by(predictor_corrector()(exact, noise(200)))
    assert mean < 0.03
    assert spread < 0.03


@pytest.mark.parametrize("corrections", [0, 2])
def test_the_cost_is_what_is_said(corrections):
    asked = []

    def counted(x_t, level):
        asked.append(level)
        return exact(x_t, level)

    sampler = predictor_corrector(corrections=corrections)
    sampler(counted, noise(1), steps=7)
    assert len(asked) == sampler.cost(7)
