"""Noise of a stage made round: one power for all directions, the same at every wavelength as before."""

import torch
from round_noise import rounded, transformed


def spread(given, leave, gates):
    """Standard deviation over directions, in dB, of the response to the shortest waves that all directions have."""
    response = torch.einsum(
        "pc,cij,cmij->pmij", gates + 0j, transformed(leave.flip((-1, -2))), transformed(given)
    )
    power = 10 * response.abs().square().mean(0).log10()
    y, x = torch.meshgrid(torch.fft.fftfreq(16), torch.fft.fftfreq(16), indexing="ij")
    return float(power[:, (torch.hypot(y, x) * 16).round() == 7].std(1).max())


def test_a_filter_of_stripes_becomes_round():
    source = torch.Generator().manual_seed(0)
    leave = 0.1 * torch.randn(8, 3, 3, generator=source)
    stripes = 0.2 * torch.tensor([-1.0, 1.0, -1.0]).expand(8, 2, 3, 3)
    given = stripes + 0.1 * torch.randn(8, 2, 3, 3, generator=source)
    gates = torch.rand(20, 8, generator=source)
    found = rounded(given, leave, gates, steps=600)
    assert spread(given, leave, gates) > 4
    assert spread(found, leave, gates) < 0.4 * spread(given, leave, gates)
