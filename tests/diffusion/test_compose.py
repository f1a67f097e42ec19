"""Denoisers put together from windows, against the joint law."""

from itertools import pairwise

import pytest
import torch

from xdownscale.diffusion.compose import Windows, frames_of, tiles_of
from xdownscale.diffusion.schedule import NoiseLevel
from xdownscale.errors import DimensionError


def gain(length, level, rho):
    """x̂₀ = G·x_t of an AR(1) process of unit variance."""
    lags = torch.arange(length, dtype=torch.float64)
    covariance = rho ** (lags[:, None] - lags).abs()
    noisy = level.alpha**2 * covariance + level.sigma**2 * torch.eye(length, dtype=torch.float64)
    return level.alpha * torch.linalg.solve(noisy, covariance)


def exact(rho):
    """The denoiser of a window (B, 1, time, 1, 1) of any length."""

    def denoise(x_t, level):
        return torch.einsum("ij,bcjyx->bciyx", gain(x_t.shape[2], level, rho), x_t)

    return denoise


def score_error(rho, blanket, sigma, length=40):
    """Relative error of the score of a trajectory put together from windows of 2k + 1 frames."""
    level = NoiseLevel.from_ratio(torch.tensor(sigma, dtype=torch.float64))
    random = torch.Generator().manual_seed(0)
    lags = torch.arange(length, dtype=torch.float64)
    root = torch.linalg.cholesky(rho ** (lags[:, None] - lags).abs())
    clean = torch.randn(200, length, dtype=torch.float64, generator=random) @ root.T
    noise = torch.randn(200, length, dtype=torch.float64, generator=random)
    x_t = (level.alpha * clean + level.sigma * noise).reshape(200, 1, length, 1, 1)
    composed = Windows(exact(rho), 2 * blanket + 1, blanket, portion=64)(x_t, level)
    whole = exact(rho)(x_t, level)
    score = (level.alpha * whole - x_t) / level.sigma**2
    return float((level.alpha * (composed - whole)).norm() / level.sigma**2 / score.norm())


@pytest.mark.parametrize(
    ("rho", "blanket", "error"),
    [(0.9, 1, 0.30), (0.9, 2, 0.17), (0.9, 3, 0.099), (0.9, 4, 0.058), (0.9, 6, 0.024), (0.98, 6, 0.099)],
)
def test_the_error_of_a_score_falls_with_the_blanket(rho, blanket, error):
    assert score_error(rho, blanket, 1.0) == pytest.approx(error, rel=0.15)


def test_the_error_vanishes_with_the_noise():
    """A process that knows its neighbours alone needs no wider blanket once they are clean."""
    errors = [score_error(0.9, 1, sigma) for sigma in (1.0, 0.1, 0.01)]
    assert errors[2] < 1e-2 * errors[0]
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize(
    ("length", "window", "blanket"), [(5, 5, 2), (6, 5, 2), (13, 5, 1), (49, 13, 6), (20, 7, 0)]
)
def test_every_frame_is_answered_for_once_with_its_blanket(length, window, blanket):
    parts = frames_of(length, window, blanket)
    total = torch.zeros(length)
    for start, weights in parts:
        total[start : start + window] += weights
        own = weights.nonzero().flatten() + start
        for i in own.tolist():
            assert i - start >= min(blanket, i)
            assert start + window - 1 - i >= min(blanket, length - 1 - i)
    assert total.tolist() == [1.0] * length


@pytest.mark.parametrize(("length", "tile", "overlap"), [(8, 8, 2), (9, 8, 2), (40, 16, 4), (41, 16, 8)])
def test_tiles_share_everything_out(length, tile, overlap):
    parts = tiles_of(length, tile, overlap)
    total = torch.zeros(length)
    for start, weights in parts:
        total[start : start + tile] += weights
    torch.testing.assert_close(total, torch.ones(length))
    assert all(b.start - a.start <= tile - overlap for a, b in pairwise(parts))


def pointwise(x_t, level):
    return torch.tanh(x_t) * level.alpha


@pytest.mark.parametrize("portion", [1, 3, 100])
def test_a_pointwise_denoiser_stays_what_it_is_in_any_portions_with_its_gradient(portion):
    x_t = torch.randn(2, 3, 9, 11, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
    level = NoiseLevel.from_ratio(torch.tensor(1.0))
    windows = Windows(pointwise, 5, 1, (6, 4), overlap=2, portion=portion)
    answer = windows(x_t, level)
    torch.testing.assert_close(answer, pointwise(x_t, level))
    weights = torch.randn(answer.shape, generator=torch.Generator().manual_seed(1))
    for _ in range(2):  # guidance pulls back more than once
        (mine,) = torch.autograd.grad(answer, x_t, weights, retain_graph=True)
        (theirs,) = torch.autograd.grad(pointwise(x_t, level), x_t, weights)
        torch.testing.assert_close(mine, theirs)


def test_no_more_windows_than_a_portion_go_through_at_once():
    sizes = []

    def denoise(x_t, level):
        sizes.append(len(x_t))
        return x_t

    Windows(denoise, 3, 1, (4, 4), overlap=1, portion=8)(torch.zeros(2, 1, 20, 12, 12), None)
    assert max(sizes) <= 8
    assert sum(sizes) > 100


def test_what_is_smaller_than_a_window_is_refused():
    with pytest.raises(DimensionError, match="smaller than a window"):
        Windows(pointwise, 5, 2, (8, 8))(torch.zeros(1, 1, 4, 8, 8), None)
