"""Small untrained models that several tests share: lively weights, no training."""

from __future__ import annotations

from dataclasses import replace

import torch

from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.models.generator import Covariate, Generator, GeneratorSettings
from xdownscale.models.median import median_settings
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.residual import Residual, residual_settings
from xdownscale.models.transform import Bounded, LogRain, Standard

SIZE = NetworkSize(maps=(2, 2, 1), width=16, encoder_blocks=1, decoder_blocks=1, stages=(16, 8, 8, 8))


def model(blocks=(3, 4, 4), *, rain=True, static=(), units="mm h-1", stochastic=True, styles=("training",)):
    """A downscaler with random weights."""
    settings = GeneratorSettings(
        blocks=blocks,
        transforms=(LogRain() if rain else Standard(280.0, 8.0),),
        static=tuple(Covariate(name) for name in static),
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
    return Downscaler(method.eval(), variables=[variable], provenance=provenance, name="test")


def residual_model():
    """A median net and a denoiser with random weights."""
    plain = model()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = Residual(replace(residual_settings(plain.method.settings), dilations=(1,)))
        with torch.no_grad():
            for weight in method.parameters():
                weight.add_(0.05 * torch.randn(weight.shape))
    return Downscaler(method.eval(), variables=plain.variables, provenance=plain.provenance, name="diffused")


def joint_model(
    names=("pr", "tas", "hurs"), *, predictors=("psl",), static=(), kind="generator", blocks=(3, 4, 4)
):
    """A downscaler of several variables with random weights."""
    targets = {
        "pr": (Variable("pr", "mm h-1", "rainfall_rate"), LogRain()),
        "tas": (Variable("tas", "K", "air_temperature"), Standard(280.0, 8.0)),
        "hurs": (Variable("hurs", "%", "relative_humidity"), Bounded(60.0, 30.0, 0.0, 100.0)),
    }
    beside = {
        "psl": (Variable("psl", "Pa", "air_pressure_at_mean_sea_level"), Covariate("psl", 1e5, 500.0)),
        "ta850": (Variable("ta850", "K", "air_temperature"), Covariate("ta850", 270.0, 5.0)),
    }
    settings = GeneratorSettings(
        blocks=blocks,
        transforms=tuple(targets[name][1] for name in names),
        predictors=tuple(beside[name][1] for name in predictors),
        static=tuple(Covariate(name) for name in static),
        size=SIZE,
        masks=True,
    )
    makers = {
        "generator": lambda: Generator(settings),
        "median": lambda: Generator(median_settings(settings)),
        "residual": lambda: Residual(replace(residual_settings(settings), dilations=(1,))),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = makers[kind]()
        with torch.no_grad():
            for weight in method.parameters():
                weight.add_(0.05 * torch.randn(weight.shape))
    return Downscaler(
        method.eval(),
        variables=[targets[name][0] for name in names],
        predictors=[beside[name][0] for name in predictors],
        provenance=Provenance(spacing=1000.0, spacing_units="m", step=300.0),
        name="joint",
    )
