"""Predictions: every one leads back to x₀, has the scale it promises, and its loss is the weighted error of x̂₀."""

import pytest
import torch

from xdownscale.diffusion.denoise import (
    Denoiser,
    Noise,
    Residue,
    Signal,
    Velocity,
    denoising_error,
    spread_of,
)
from xdownscale.diffusion.schedule import NoiseLevel

PREDICTIONS = [Signal(), Noise(), Velocity(), Residue(), Residue(0.5), Residue(3.0)]
WEIGHTS = {
    Signal: lambda level, _: torch.ones_like(level.alpha),
    Noise: lambda level, _: (level.alpha / level.sigma).square(),
    Velocity: lambda level, _: (level.alpha.square() + level.sigma.square()) / level.sigma.square(),
    Residue: lambda level, data: (spread_of(level, data) / (level.sigma * data)).square(),
}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_levels(unit):
    """Levels on the unit circle, or with α = 1."""
    ratio = torch.tensor([0.01, 0.3, 1.0, 4.0, 50.0], dtype=torch.float64)
    level = NoiseLevel.from_ratio(ratio) if unit else NoiseLevel(torch.ones_like(ratio), ratio)
    return level.shaped(2)


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_target_leads_back_to_the_signal(prediction, unit):
    level, x_0, noise = some_levels(unit), normal(5, 8), normal(5, 8, seed=1)
    x_t = level.noised(x_0, noise)
    back = prediction.signal(x_t, prediction.target(x_0, noise, level), level)
    torch.testing.assert_close(back, x_0, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_predictions_convert_into_one_another(prediction):
    level, x_0, noise = some_levels(unit=True), normal(5, 8), normal(5, 8, seed=1)
    x_t = level.noised(x_0, noise)
    signal = prediction.signal(x_t, prediction.target(x_0, noise, level), level)
    implied = (x_t - level.alpha * signal) / level.sigma
    for other in PREDICTIONS:
        torch.testing.assert_close(
            other.target(signal, implied, level), other.target(x_0, noise, level), rtol=1e-7, atol=1e-7
        )


def test_without_signal_the_velocity_and_the_residue_still_give_it():
    level = NoiseLevel(torch.zeros(1, 1).double(), torch.ones(1, 1).double())
    x_0, noise = normal(1, 8), normal(1, 8, seed=1)
    for prediction in (Velocity(), Residue(0.5)):
        target = prediction.target(x_0, noise, level)
        torch.testing.assert_close(prediction.signal(noise, target, level), x_0)


@pytest.mark.parametrize("data", [0.05, 1.0, 4.0])
@pytest.mark.parametrize("unit", [True, False])
def test_preconditioning_gives_unit_variance(data, unit):
    level = some_levels(unit)
    x_0, noise = data * normal(5, 200_000), normal(5, 200_000, seed=1)
    shown = level.noised(x_0, noise) / spread_of(level, data)
    target = Residue(data).target(x_0, noise, level)
    for values in (shown, target):
        torch.testing.assert_close(values.std(1), torch.ones(5).double(), rtol=0.01, atol=0)
    # the best linear guess leaves nothing that its input could explain
    assert float((shown * target).mean(1).abs().max()) < 0.01


def test_edm_trigflow_and_velocity_are_one_for_standardised_data():
    level, x_0, noise = some_levels(unit=True), normal(5, 8), normal(5, 8, seed=1)
    torch.testing.assert_close(
        Residue().target(x_0, noise, level), -Velocity().target(x_0, noise, level), rtol=1e-12, atol=1e-12
    )


def test_edm_has_the_coefficients_of_its_table():
    data, sigma = 0.5, torch.tensor([[0.2], [3.0]], dtype=torch.float64)
    level, x, f = NoiseLevel(torch.ones_like(sigma), sigma), normal(2, 4), normal(2, 4, seed=1)
    skip = data**2 / (sigma**2 + data**2)
    out = sigma * data / (sigma**2 + data**2).sqrt()
    torch.testing.assert_close(Residue(data).signal(x, f, level), skip * x + out * f)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_loss_is_the_weighted_error_of_the_posterior_mean(prediction):
    data = getattr(prediction, "data", 1.0)
    level, x_0, noise = some_levels(unit=True), data * normal(5, 8), normal(5, 8, seed=1)
    denoiser = Denoiser(lambda x, t: torch.tanh(x) * torch.cos(t), prediction, data)
    error = (denoiser(level.noised(x_0, noise), level) - x_0).square()
    weight = WEIGHTS[type(prediction)](level, data)
    torch.testing.assert_close(
        denoising_error(denoiser, x_0, noise, level), weight * error, rtol=1e-7, atol=1e-9
    )


def test_the_exact_gaussian_denoiser_has_the_loss_of_its_closed_form():
    # x₀ ~ N(0, λ): the error of E[x₀ | x_t] has variance λσ²/(λα² + σ²)
    variance, level = 0.3, some_levels(unit=True)
    x_0, noise = variance**0.5 * normal(5, 400_000), normal(5, 400_000, seed=1)

    def exact(x_t, angle):
        a, s = torch.cos(angle), torch.sin(angle)
        return a * variance / (variance * a**2 + s**2) * x_t

    error = denoising_error(Denoiser(exact, Signal()), x_0, noise, level).mean(1)
    expected = variance * level.sigma**2 / (variance * level.alpha**2 + level.sigma**2)
    torch.testing.assert_close(error, expected.flatten(), rtol=0.01, atol=0)
