"""The one-pass generator: v = transform(interpolated coarse field) + network(coarse window, noise).

A zero network is an interpolation. Trained on proper scores of its own ensemble (``training.losses``) it
needs one network pass per member. The same network without noise, trained on the absolute error, is the median net of
``median.py``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import nn

from xdownscale.errors import FactorError
from xdownscale.kernels.blocks import Blocks
from xdownscale.kernels.gaps import fill_gaps
from xdownscale.kernels.resize import interpolate_cells, resize_axis
from xdownscale.models.conserve import PASSES
from xdownscale.models.method import Method
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.transform import LogRain, Transform, transform_to_json
from xdownscale.nn.blocks import repeated
from xdownscale.nn.local import LocalNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xdownscale.nn.advected_noise import NoiseMaps, Shift


FILLED = 4
"""Coarse cells and frames up to which a gap is filled from the cells around it; farther in, the value of a latent zero
stands: no rain, or the mean."""


@dataclass(frozen=True)
class StaticField:
    """A static field that a method was trained with, such as topography, and how it is standardised.

    Parameters
    ----------
    name : str
    mean, scale : float
        Mean and standard deviation over the training fields.
    """

    name: str
    mean: float = 0.0
    scale: float = 1.0


class Window(NamedTuple):
    """A coarse window prepared once and shared by its members."""

    coarse: Tensor
    """Block means (B, L, M, N), NaN where missing."""
    features: Tensor
    """Encoded condition (B, L, C, M, N)."""
    velocity: Tensor | None
    """How texture moves, (B, L, 2, M, N), in coarse cells per coarse frame; None for a deterministic net."""
    places: list[list[Shift]]
    """Where its noise comes from."""
    conditions: list[Tensor]
    """Interpolated condition at every rung of the network."""
    base: Tensor
    """Interpolated coarse field on the fine grid (B, T·L, H, W), physical units."""
    style: Tensor
    """The texture that is wanted, (style,)."""
    blocks: Blocks
    """Fine cells per coarse cell along (time, y, x)."""

    def styled(self, style: Tensor) -> Window:
        """The same with another style vector."""
        return self._replace(style=style)

    def repeated(self, members: int) -> Window:
        """The same for so many members at once, without a copy; of a single window."""
        return self._replace(
            coarse=repeated(self.coarse, members),
            features=repeated(self.features, members),
            velocity=None if self.velocity is None else repeated(self.velocity, members),
            places=[[each.repeated(members) for each in level] for level in self.places],
            conditions=[repeated(each, members) for each in self.conditions],
            base=repeated(self.base, members),
        )


@dataclass(frozen=True)
class GeneratorSettings:
    """Everything that is needed to build a :class:`Generator` again.

    Parameters
    ----------
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    transform : Transform
    static : tuple of StaticField
    styles : tuple of str
        Names of the products that the method learned from, each with a vector of its own.
    default : str, optional
        The style that is taken unless another one is asked for; None for the mean of all.
    size : NetworkSize
    stochastic, conserving : bool
        Whether it draws members, and whether block means are conserved.
    masks : bool
        Whether it learned from windows with gaps, so that it is shown which cells are filled. Others are shown filled
        cells as if they were known: what a network makes of a mark that it has never seen is left to chance.
        Model files that do not say it were written before.

    Raises
    ------
    FactorError
        For a name that is there twice, no style, or a default that is none.
    """

    blocks: Blocks
    transform: Transform = field(default_factory=LogRain)
    static: tuple[StaticField, ...] = ()
    styles: tuple[str, ...] = ("training",)
    default: str | None = None
    size: NetworkSize = field(default_factory=NetworkSize)
    stochastic: bool = True
    conserving: bool = True
    masks: bool = False

    def __post_init__(self) -> None:
        names = [each.name for each in self.static]
        if not self.styles or len({*self.styles}) < len(self.styles) or len({*names}) < len(names):
            msg = f"styles={self.styles}, static={names}: one style or more, and no name twice"
            raise FactorError(msg)
        if self.default is not None and self.default not in self.styles:
            msg = f"default={self.default!r} is none of the styles {self.styles}"
            raise FactorError(msg)

    def to_json(self) -> dict[str, Any]:
        """A document of plain values for the model file; :func:`xdownscale.models.schema.parsed` reads it."""
        return {**asdict(self), "transform": transform_to_json(self.transform)}


class Generator(Method):
    """A local network, its value transform and its conservation.

    Parameters
    ----------
    settings : GeneratorSettings
        Factors, transform, static fields, sizes.
    """

    core: ClassVar = (16, 96, 96)
    """Memory grows with it: a tile of factors (10, 3) with its halo at this size takes some 4 GiB; the halo costs least
    where tiles are large."""

    calibrated: ClassVar = True

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        size, static = settings.size, len(settings.static)
        self.network = LocalNetwork(
            blocks=settings.blocks,
            inputs=settings.transform.channels + 1 + static,
            conditions=1 + static,
            maps=size.maps if settings.stochastic else (0, 0, 0),
            width=size.width,
            encoder_blocks=size.encoder_blocks,
            decoder_blocks=size.decoder_blocks,
            stages=size.stages,
            style=size.style,
            apart=bool(size.apart),
        )
        self.styles = nn.Parameter(0.5 * torch.randn(len(settings.styles), size.style))

    @property
    def kind(self) -> str:
        """A median net is a generator without noise."""
        return "generator" if self.settings.stochastic else "median"

    def described(self) -> str:
        """What it is, in a few words."""
        return "one-pass generator" if self.settings.stochastic else "median net"

    def noise_maps(self, blocks: Blocks | None = None) -> list[NoiseMaps]:
        """The noise that one member needs."""
        self.only(blocks)
        return self.network.noise_maps

    def halo(self, blocks: Blocks | None = None) -> tuple[int, int]:
        """Coarse cells and coarse frames to each side on which a fine value depends."""
        self.only(blocks)
        reach, passes = self.network.reach, PASSES if self.settings.conserving else 0
        return reach.cells + passes, reach.frames + passes

    def prepare(
        self,
        coarse: Tensor,
        static: Tensor | None = None,
        style: str | None = None,
        *,
        blocks: Blocks | None = None,
    ) -> Window:
        """Encode a coarse window; parameters as for every method."""
        transform, blocks = self.settings.transform, self.only(blocks)
        filled = fill_gaps(coarse, reach=FILLED, beyond=transform.inverse(coarse.new_zeros(())))
        shown = ~coarse.isnan() if self.settings.masks else torch.ones_like(coarse, dtype=torch.bool)
        channels = [transform.features(filled), shown.to(coarse.dtype).unsqueeze(-3)]
        if static is not None:
            channels.append(
                _shrink(static, coarse.shape[-2:]).unsqueeze(1).expand(-1, coarse.shape[1], -1, -1, -1)
            )
        features, velocity = self.network.encode(torch.cat(channels, dim=-3))
        steps = resize_axis(filled, 1, blocks[0], dim=1)
        conditions, base = [], filled
        for rung in self.network.rungs:
            base = interpolate_cells(steps, (1, *rung))
            shown = transform.forward(base).unsqueeze(2)
            if static is not None:
                fine = _shrink(static, shown.shape[-2:]).unsqueeze(1).expand(-1, shown.shape[1], -1, -1, -1)
                shown = torch.cat([shown, fine], dim=2)
            conditions.append(shown)
        places = self.network.follow(velocity)
        return Window(coarse, features, velocity, places, conditions, base, self.style(style), blocks)

    def latent(self, window: Window, noise: Sequence[Tensor], *, conserve: bool = True) -> Tensor:
        """Latent fine field of one member, shape (B, T·L, S_y·M, S_x·N).

        Where nothing but dry cells is near it may be the interpolation alone, if it is going to be conserved.
        """
        wanted = self._wanted(window.coarse) if conserve else None
        correction = self.network.decode(
            window.features, window.conditions, noise, window.places, window.style, wanted
        )
        return window.conditions[-1][:, :, 0] + correction

    def _wanted(self, coarse: Tensor) -> Tensor | None:
        """Cells where a latent value matters: those with rain, and as far around them as conservation looks.

        A dry cell gives exactly zero whatever the network says.
        """
        if not (self.settings.transform.nonnegative and self.settings.conserving):
            return None
        wet = (coarse > 0).flatten(0, 1).any(0).to(coarse.dtype)
        side = 2 * PASSES + 1
        return nn.functional.max_pool2d(wet[None, None], side, stride=1, padding=PASSES)[0, 0] > 0

    def forward(self, window: Window, noise: Sequence[Tensor], *, passes: int = PASSES) -> Tensor:
        """One member, physical units, shape (B, T·L, S_y·M, S_x·N)."""
        return self.finish(window, self.latent(window, noise), passes=passes)


def is_style(name: str) -> bool:
    """Whether a weight of a generator belongs to the style: the vectors, and what they scale and shift."""
    last = name.rsplit(".", 1)[-1]
    return last in ("styles", "shift") or (last == "scale" and ".norm." not in name)


def draw_noise(
    maps: Sequence[NoiseMaps], window: Sequence[int], *, generator: torch.Generator
) -> list[Tensor]:
    """Noise for training windows of (B, L, M, N) coarse cells, drawn in order from `generator`."""
    return [
        torch.randn(
            (window[0], *m.shape(window[1:])),
            generator=generator,
            device=generator.device,
            dtype=torch.float32,
        )
        for m in maps
    ]


def _shrink(static: Tensor, shape: Sequence[int]) -> Tensor:
    """Block means of (B, fields, H, W) on a coarser lattice of the same extent."""
    return nn.functional.adaptive_avg_pool2d(static, (shape[0], shape[1]))
