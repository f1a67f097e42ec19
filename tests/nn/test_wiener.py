"""The linear denoiser against Gaussian fields on a torus, whose posterior mean is known."""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from gaussian import GaussianField

from xdownscale.nn.wiener import Wiener, cross_spectra, periodic

FIELD = GaussianField(8, 8, slope=3.0, scale=4.0, velocity=(0.4, 0.7))


def exact(frames):
    """S_k of frames of the field: P·ρ^|s − t|·e^{−ik·v(s − t)}, for the waves of the half plane."""
    waves = np.meshgrid(np.fft.fftfreq(8), np.fft.rfftfreq(8), indexing="ij")
    phase = 2 * np.pi * (waves[0] * FIELD.velocity[0] + waves[1] * FIELD.velocity[1])
    lag = np.arange(frames)[:, None] - np.arange(frames)
    lagged = FIELD.persistence ** np.abs(lag) * np.exp(-1j * phase[..., None, None] * lag)
    return torch.from_numpy(FIELD.power[:, :5, None, None] * lagged)


def test_with_the_true_spectra_it_is_the_posterior_mean():
    frames, angle = 3, torch.tensor(0.6, dtype=torch.float64)
    variances, modes = torch.linalg.eigh(exact(frames))
    linear = Wiener(frames, 8)
    linear.factor.copy_(torch.view_as_real(modes * variances.clamp_min(0).sqrt().unsqueeze(-2)))
    x_t = torch.randn(2, frames, 8, 8, generator=torch.Generator().manual_seed(0))
    covariance = torch.from_numpy(FIELD.covariance(frames))
    alpha, sigma = torch.cos(angle), torch.sin(angle)
    noisy = alpha**2 * covariance + sigma**2 * torch.eye(len(covariance))
    wanted = alpha * torch.linalg.solve(noisy, covariance @ x_t.double().flatten(1).T).T
    torch.testing.assert_close(linear(x_t, angle).flatten(1).double(), wanted, rtol=1e-4, atol=1e-4)


def test_spectra_of_many_frames_are_those_of_the_law():
    """White in space and persistent in time, so that no taper changes the spectrum."""
    random = torch.Generator().manual_seed(0)
    steps, persistence = 4000, 0.8
    state, frames = torch.randn(1, 16, 16, generator=random), []
    for _ in range(steps):
        frames.append(torch.stack([state[0], 0.5 * state[0]]))
        state = persistence * state + (1 - persistence**2) ** 0.5 * torch.randn(1, 16, 16, generator=random)
    factor = torch.view_as_complex(cross_spectra([torch.stack(frames, 1)], 3, 8).double())
    spectra = factor @ factor.mH
    lag = persistence ** (torch.arange(3)[:, None] - torch.arange(3)).abs().double()
    wanted = torch.kron(torch.tensor([[1.0, 0.5], [0.5, 0.25]]).double(), lag)
    mean = spectra.mean((0, 1))
    torch.testing.assert_close(mean.real, wanted, rtol=0.03, atol=0.02)
    assert float(mean.imag.abs().max()) < 0.02


def test_new_spectra_are_seen():
    linear = Wiener(1, 4)
    x_t, angle = torch.ones(1, 1, 4, 4), torch.tensor(0.5)
    assert float(linear(x_t, angle).abs().max()) < 1e-6
    linear.load_state_dict({"factor": torch.ones(4, 3, 1, 1, 2)})
    assert float(linear(x_t, angle).mean()) > 0.5


def test_the_periodic_part_has_no_jump_and_leaves_what_has_none():
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(12.0), indexing="ij")
    wave = torch.sin(2 * torch.pi * y / 16) * torch.cos(4 * torch.pi * x / 12)
    without = periodic(wave + 0.3 * y - 0.5 * x)
    jumps = [(without[0] - without[-1]).abs().max(), (without[:, 0] - without[:, -1]).abs().max()]
    assert max(map(float, jumps)) < 1.0  # of 4.5 and 5.5
    even = 0.3 * (y - 7.5).abs()  # continuous across the border
    torch.testing.assert_close(periodic(even), even, rtol=0, atol=1e-5)
