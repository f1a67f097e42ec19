"""The kinds of method that a model file may hold: how each is built again from its document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from xdownscale.errors import ArgumentError, ModelFileError
from xdownscale.models.adaptive import Adaptive
from xdownscale.models.adaptive_settings import AdaptiveSettings
from xdownscale.models.edsr import Edsr
from xdownscale.models.generator import Generator, GeneratorSettings
from xdownscale.models.multiscale import Multiscale, MultiscaleSettings
from xdownscale.models.prior import Prior, PriorSettings
from xdownscale.models.residual import Residual, ResidualSettings
from xdownscale.models.schema import parsed
from xdownscale.models.video import Video, VideoSettings


@dataclass(frozen=True)
class Kind:
    """A kind of method.

    Parameters
    ----------
    settings : type
        The dataclass whose fields the document holds.
    build : callable
        A method, with weights that are yet to be learned or read, of settings.
    """

    settings: type
    build: Callable[[Any], Any]


KINDS: dict[str, Kind] = {
    "generator": Kind(GeneratorSettings, Generator),
    "median": Kind(GeneratorSettings, Generator),
    "edsr": Kind(GeneratorSettings, Edsr),
    "multiscale": Kind(MultiscaleSettings, Multiscale),
    "residual": Kind(ResidualSettings, Residual),
    "video": Kind(VideoSettings, Video),
    "scale-adaptive": Kind(AdaptiveSettings, Adaptive),
    "prior": Kind(PriorSettings, Prior),
}
"""By the name that a model file says. Files of the first versions call a median net a generator without noise."""


def kind_named(name: str) -> Kind:
    """A kind by its name.

    Parameters
    ----------
    name : str
        As :attr:`~xdownscale.models.method.Method.kind` says it.

    Raises
    ------
    ModelFileError
        If there is none.
    """
    if name not in KINDS:
        msg = (
            f"the document of the model file says kind={name!r}, which is none of {[*KINDS]}. "
            f"Fetch it again, or upgrade xdownscale-sr."
        )
        raise ModelFileError(msg)
    return KINDS[name]


def read_settings(name: str, document: object) -> Any:
    """Settings of a method from a document of plain values.

    Parameters
    ----------
    name : str
        Its kind.
    document : object
        What the model file says.

    Raises
    ------
    ModelFileError
        For an unknown kind, or a document that does not fit it.
    """
    return parsed(kind_named(name).settings, document, "settings")


def outline(name: str, settings: Any) -> Any:
    """A method without weights: names and shapes, and no memory for them. They are assigned later.

    Parameters
    ----------
    name : str
        Its kind.
    settings : dataclass
        Of the kind.
    """
    with torch.device("meta"):
        return kind_named(name).build(settings)


def register(name: str, kind: Kind) -> None:
    """Add a kind of method.

    Parameters
    ----------
    name : str
        What model files call it.
    kind : Kind

    Raises
    ------
    ArgumentError
        If the name is taken.
    """
    if name in KINDS:
        msg = f"there is a kind of method {name!r} already: {KINDS[name].settings.__name__}. Give it another name."
        raise ArgumentError(msg)
    KINDS[name] = kind
