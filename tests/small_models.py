"""Small untrained models that several tests share: lively weights, no training."""

from __future__ import annotations

from dataclasses import replace

import torch

from xdownscale.models.downscaler import Downscaler, Provenance, Variable
from xdownscale.models.generator import Generator, GeneratorSettings, StaticField
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.residual import Residual, residual_settings
from xdownscale.models.transform import LogRain, Standard

SIZE = NetworkSize(maps=(2, 2, 1), width=16, encoder_blocks=1, decoder_blocks=1, stages=(16, 8, 8, 8))


def model(blocks=(3, 4, 4), *, rain=True, static=(), units="mm h-1", stochastic=True, styles=("training",)):
    """A downscaler with random weights."""
    settings = GeneratorSettings(
        blocks=blocks,
        transform=LogRain() if rain else Standard(280.0, 8.0),
        static=tuple(StaticField(name) for name in static),
        styles=styles,
        size=SIZE,
        stochastic=stochastic,
        conserving=stochastic,
        masks=True,
    )
    source = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = Generator(settings)
    with torch.no_grad():
        for weight in method.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=source))
    variable = Variable("rain", units, "rainfall_rate") if rain else Variable("tas", units, "air_temperature")
    provenance = Provenance(spacing=1000.0, spacing_units="m", step=300.0)
    return Downscaler(method.eval(), variable=variable, provenance=provenance, name="test")


def residual_model():
    """A median net and a denoiser with random weights."""
    plain = model()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = Residual(replace(residual_settings(plain.method.settings), dilations=(1,)))
        with torch.no_grad():
            for weight in method.parameters():
                weight.add_(0.05 * torch.randn(weight.shape))
    return Downscaler(method.eval(), variable=plain.variable, provenance=plain.provenance, name="diffused")
