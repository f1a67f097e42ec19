"""The one-pass generator for every pair of factors and every scale: the same value transform, noise and conservation.

What it refines by is chosen when it is used. What it refines *to*, the side of a fine cell and the length of a fine
step, is told as a :class:`Scale`: the verbs read it from coordinates, :meth:`Multiscale.at` sets it.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from xdownscale.field.factors import FactorRange
from xdownscale.models.generator import Covariate, Generator, GeneratorSettings
from xdownscale.models.method import Method
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.scale import Scale
from xdownscale.models.transform import LogRain, Transform, transform_to_json
from xdownscale.nn.multiscale import Lattice, MultiscaleNetwork

if TYPE_CHECKING:
    from xdownscale.kernels.blocks import Blocks

SHARED = ("transforms", "predictors", "static", "styles", "default", "gains")
"""Settings that are checked as those of a generator for one pair."""


FINEST, COARSEST = Scale(1.0, 5.0), Scale(8.0, 60.0)
"""Between which scales weights for rain are trained unless something else is said."""


@dataclass(frozen=True)
class MultiscaleSettings:
    """Everything that is needed to build a :class:`Multiscale` again.

    Parameters
    ----------
    spatial, temporal : (int, int)
        Least and largest factors that it takes.
    finest, coarsest : Scale
        Between which scales it was trained.
    scale : Scale, optional
        Taken where coordinates do not tell one.
    transforms, predictors, static, styles, default, size, stochastic, conserving, masks, gains
        As for :class:`~xdownscale.models.generator.GeneratorSettings`.

    Raises
    ------
    FactorError
        For a name that is there twice, no style, or a default that is none.
    """

    spatial: tuple[int, int] = (1, 25)
    temporal: tuple[int, int] = (1, 6)
    finest: Scale = FINEST
    coarsest: Scale = COARSEST
    scale: Scale | None = None
    transforms: tuple[Transform, ...] = field(default_factory=lambda: (LogRain(),))
    predictors: tuple[Covariate, ...] = ()
    static: tuple[Covariate, ...] = ()
    styles: tuple[str, ...] = ("training",)
    default: str | None = None
    size: NetworkSize = field(default_factory=NetworkSize)
    stochastic: bool = True
    conserving: bool = True
    masks: bool = True
    gains: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        shared = {name: getattr(self, name) for name in SHARED}
        GeneratorSettings(blocks=(1, 1, 1), **shared)  # raises for what it would refuse

    def to_json(self) -> dict[str, Any]:
        """A document of plain values for the model file; :func:`xdownscale.models.schema.parsed` reads it."""
        return {**asdict(self), "transforms": [transform_to_json(each) for each in self.transforms]}


class Multiscale(Generator):
    """A local network for any factors at any scale, its value transform and its conservation.

    Parameters
    ----------
    settings : MultiscaleSettings
        Range of factors, scales, transform, static fields, sizes.
    """

    settings: MultiscaleSettings
    kind: ClassVar = "multiscale"
    scaled: ClassVar = True

    def __init__(self, settings: MultiscaleSettings) -> None:
        Method.__init__(self)
        self.settings = settings
        size, static, targets = settings.size, len(settings.static), len(settings.transforms)
        shown = [*settings.transforms, *(each.transform for each in settings.predictors)]
        self.network = MultiscaleNetwork(
            inputs=sum(each.channels + 1 for each in shown) + static,
            conditions=targets + static,
            maps=size.maps if settings.stochastic else (0, 0, 0),
            width=size.width,
            encoder_blocks=size.encoder_blocks,
            decoder_blocks=size.decoder_blocks,
            stages=size.stages,
            style=size.style,
            outputs=targets,
        )
        self.styles = nn.Parameter(0.5 * torch.randn(len(settings.styles), size.style))

    def described(self) -> str:
        """What it is, in a few words."""
        return "one-pass generator for any factors"

    @property
    def factors(self) -> FactorRange:
        """Any between the bounds."""
        return FactorRange(self.settings.spatial, self.settings.temporal)

    def only(self, blocks: Blocks | None) -> Blocks:
        """The blocks that are asked for; without any, those that look farthest."""
        low, high = self.settings.spatial
        return blocks or (self.settings.temporal[1], low, max(low, min(high, 2)))

    def at(self, scale: Scale | None) -> Multiscale:
        """The same method, with the same weights, for fields of a scale."""
        known = (scale or Scale()).filled(self.settings.scale)
        method = copy.copy(self)
        method.settings = replace(self.settings, scale=known)
        return method

    @property
    def coarse_maps(self) -> int:
        """How many of its sets of noise maps belong to the decoder."""
        return len(self.network.decoder) if self.network.maps[0] else 0

    def network_for(self, blocks: Blocks | None = None) -> Any:
        """The network for factors at the scale that is set, or at the finest one where none is."""
        scale = (self.settings.scale or Scale()).filled(self.settings.finest)
        return self.network.at(
            Lattice(self.only(blocks), float(scale.km or 1.0), float(scale.minutes or 1.0))
        )
