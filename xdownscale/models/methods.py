"""The methods on one interface: halo, noise of a member; prepare a window, draw a latent field, finish it."""

from __future__ import annotations

from typing import TypeAlias

import torch

from xdownscale.models.generator import Generator, GeneratorSettings
from xdownscale.models.residual import Residual, ResidualSettings

Method: TypeAlias = Generator | Residual
"""What turns (coarse window, static fields, noise) into one fine window."""


def kind_of(method: Method) -> str:
    """What a model file calls it."""
    return "residual" if isinstance(method, Residual) else "generator"


SETTINGS: dict[str, type[GeneratorSettings]] = {"generator": GeneratorSettings, "residual": ResidualSettings}
"""What a model file of each kind holds as its settings."""


def outline(settings: GeneratorSettings) -> Method:
    """A method without weights: names and shapes, and no memory for them. They are assigned later."""
    with torch.device("meta"):
        return Residual(settings) if isinstance(settings, ResidualSettings) else Generator(settings)


def described(method: Method) -> str:
    """A few words."""
    if isinstance(method, Residual):
        attention = ", with attention" if method.settings.attention else ""
        return f"median net + diffused residual (σ_r {method.settings.scale:.3g}{attention})"
    return "one-pass generator" if method.settings.stochastic else "median net"
