"""A prior whose law is known: a Gaussian field on a torus, its linear denoiser, and a network that says nothing."""

import sys
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.models.prior import Prior, PriorSettings
from xdownscale.models.transform import Standard
from xdownscale.nn.unet import UNetSize

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from gaussian import GaussianField

SIDE = 8
FIELD = GaussianField(SIDE, SIDE, slope=3.0, scale=4.0, velocity=(0.4, 0.7))
TRANSFORM = Standard(280.0, 2.0)


def spectra(frames):
    """S_k of frames of the field, for the waves of the half plane."""
    waves = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    phase = 2 * np.pi * (waves[0] * FIELD.velocity[0] + waves[1] * FIELD.velocity[1])
    lag = np.arange(frames)[:, None] - np.arange(frames)
    lagged = FIELD.persistence ** np.abs(lag) * np.exp(-1j * phase[..., None, None] * lag)
    return torch.from_numpy(FIELD.power[:, : SIDE // 2 + 1, None, None] * lagged)


def exact_prior(frames=3, blanket=1, margin=0, **settings):
    """A model of temperature with the law of the field, which is a torus of one tile: its edges may touch."""
    chosen = PriorSettings(
        transforms=(TRANSFORM,),
        centres=(0.0,),
        spreads=(1.0,),
        errors=(0.1,),
        cells=SIDE,
        frames=frames,
        blanket=blanket,
        overlap=4,
        size=UNetSize((4, 4), depth=1),
        linear=True,
        margin=margin,
        **settings,
    )
    method = Prior(chosen)
    variances, modes = torch.linalg.eigh(spectra(frames))
    method.linear.factor.copy_(torch.view_as_real(modes * variances.clamp_min(0).sqrt().unsqueeze(-2)))
    variable = Variable("tas", "K", "air_temperature", "time: mean")
    return Downscaler(
        method.eval(),
        variables=[variable],
        provenance=Provenance(spacing=1000.0, spacing_units="m", step=3600.0),
    )


def fine_field(frames, seed=0):
    """A field that was drawn from the law, as a user has it."""
    values = FIELD.simulate(frames, 1, np.random.default_rng(seed))[0]
    return xr.DataArray(
        (280.0 + 2.0 * values).astype(np.float32),
        dims=("time", "y", "x"),
        coords={
            "time": np.datetime64("2020-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h"),
            "y": ("y", np.arange(SIDE) * 1000.0, {"units": "m"}),
            "x": ("x", np.arange(SIDE) * 1000.0, {"units": "m"}),
        },
        name="tas",
        attrs={"units": "K", "standard_name": "air_temperature", "cell_methods": "time: mean"},
    )
