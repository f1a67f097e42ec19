"""The methods on one interface: halo, noise of a member; prepare a window, draw a latent field, finish it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from xdownscale.model.generator import Generator, GeneratorSettings
from xdownscale.model.residual import Residual, ResidualSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

Method: TypeAlias = Generator | Residual
"""What turns (coarse window, static fields, noise) into one fine window."""


def kind_of(method: Method) -> str:
    """What a model file calls it."""
    return "residual" if isinstance(method, Residual) else "generator"


def build(kind: str, settings: Mapping[str, Any]) -> Method:
    """A method with fresh weights from the document of a model file."""
    if kind == "residual":
        return Residual(ResidualSettings.from_json(dict(settings)))
    return Generator(GeneratorSettings.from_json(dict(settings)))


def described(method: Method) -> str:
    """A few words."""
    if isinstance(method, Residual):
        attention = ", with attention" if method.settings.attention else ""
        return f"median net + diffused residual (σ_r {method.settings.scale:.3g}{attention})"
    return "one-pass generator" if method.settings.stochastic else "median net"
