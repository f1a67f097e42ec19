"""The one-pass generator: v = transform(interpolated coarse fields) + detail · network(coarse window, noise).

A zero network is an interpolation. Trained on proper scores of its own ensemble (``training.terms``) it
needs one network pass per member. The same network without noise, trained on the absolute error, is the median net of
``median.py``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import nn

from xdownscale.errors import ArgumentError
from xdownscale.kernels.blocks import Blocks
from xdownscale.kernels.gaps import fill_gaps
from xdownscale.kernels.resize import interpolate_cells, resize_axis
from xdownscale.models.conserve import PASSES
from xdownscale.models.method import Method, side_by_side
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.spans import Span, Spans, cut, widened
from xdownscale.models.transform import LogRain, Standard, Transform, transform_to_json
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
class Covariate:
    """A field that a method is shown besides its targets, and how it is standardised.

    Static fields, such as topography, are shown on the fine grid; predictors, such as pressure, on the coarse one.

    Parameters
    ----------
    name : str
    mean, scale : float
        Mean and standard deviation over the training fields.
    detail : float, optional
        Of a predictor, the root mean square of what sets coarse cells apart from those around, over `scale`.
    """

    name: str
    mean: float = 0.0
    scale: float = 1.0
    detail: float | None = None

    @property
    def transform(self) -> Standard:
        """From its units to standardised values."""
        return Standard(self.mean, self.scale, detail=self.detail)


class Window(NamedTuple):
    """A coarse window prepared once and shared by its members."""

    coarse: Tensor
    """Block means of the targets (B, L, C, M, N), NaN where missing."""
    features: Tensor
    """Encoded condition (B, L, C, M, N)."""
    velocity: Tensor | None
    """How texture moves, (B, L, 2, M, N), in coarse cells per coarse frame; None for a deterministic net."""
    places: list[list[Shift]]
    """Where its noise comes from."""
    conditions: list[Tensor]
    """Interpolated condition at every rung of the network."""
    steps: list[Tensor]
    """Every target interpolated in time alone, (B, T·L, M, N), physical units."""
    style: Tensor
    """The texture that is wanted, (style,)."""
    blocks: Blocks
    """Fine cells per coarse cell along (time, y, x)."""
    within: Span | None = None
    """Where in the features the rest lies; None where they are of one size."""
    wanted: Tensor | None = None
    """Cells (M, N) whose latent values matter if they will be conserved; None for all."""

    @property
    def base(self) -> Tensor:
        """Interpolated targets on the fine grid (B, T·L, C, H, W), physical units."""
        return side_by_side([interpolate_cells(each, (1, *self.blocks[1:])) for each in self.steps])

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
            steps=[repeated(each, members) for each in self.steps],
        )


@dataclass(frozen=True)
class GeneratorSettings:
    """Everything that is needed to build a :class:`Generator` again.

    Parameters
    ----------
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    transforms : tuple of Transform
        One for each target.
    predictors, static : tuple of Covariate
        Other fields that it is shown, on the coarse grid and on the fine one.
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
    gains : tuple of float
        How loud the noise of each style is, as :func:`xdownscale.calibrate` fits it; empty for 1.

    Raises
    ------
    ArgumentError
        For no target, a name that is there twice, no style, or a default that is none.
    """

    blocks: Blocks
    transforms: tuple[Transform, ...] = field(default_factory=lambda: (LogRain(),))
    predictors: tuple[Covariate, ...] = ()
    static: tuple[Covariate, ...] = ()
    styles: tuple[str, ...] = ("training",)
    default: str | None = None
    size: NetworkSize = field(default_factory=NetworkSize)
    stochastic: bool = True
    conserving: bool = True
    masks: bool = False
    gains: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.gains and len(self.gains) != len(self.styles):
            msg = f"gains={self.gains}: one for each of the styles {self.styles}"
            raise ArgumentError(msg)
        if not self.transforms:
            msg = "transforms=(): a method has one target or more"
            raise ArgumentError(msg)
        for what, given in (("static", self.static), ("predictors", self.predictors)):
            names = [each.name for each in given]
            if len({*names}) < len(names):
                msg = f"{what}={names}: no name twice"
                raise ArgumentError(msg)
        if not self.styles or len({*self.styles}) < len(self.styles):
            msg = f"styles={self.styles}: one style or more, and no name twice"
            raise ArgumentError(msg)
        if self.default is not None and self.default not in self.styles:
            msg = f"default={self.default!r} is none of the styles {self.styles}"
            raise ArgumentError(msg)

    def to_json(self) -> dict[str, Any]:
        """A document of plain values for the model file; :func:`xdownscale.models.schema.parsed` reads it."""
        return {**asdict(self), "transforms": [transform_to_json(each) for each in self.transforms]}


class Generator(Method):
    """A local network, its value transforms and its conservation.

    Parameters
    ----------
    settings : GeneratorSettings
        Factors, transforms, predictors, static fields, sizes.
    """

    calibrated: ClassVar = True

    network: Any

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        size, static, targets = settings.size, len(settings.static), len(settings.transforms)
        shown = [*settings.transforms, *(each.transform for each in settings.predictors)]
        self.network = LocalNetwork(
            blocks=settings.blocks,
            inputs=sum(each.channels + 1 for each in shown) + static,
            conditions=targets + static,
            maps=size.maps if settings.stochastic else (0, 0, 0),
            width=size.width,
            encoder_blocks=size.encoder_blocks,
            decoder_blocks=size.decoder_blocks,
            stages=size.stages,
            style=size.style,
            apart=bool(size.apart),
            outputs=targets,
        )
        self.styles = nn.Parameter(0.5 * torch.randn(len(settings.styles), size.style))

    @property
    def kind(self) -> str:
        """A median net is a generator without noise."""
        return "generator" if self.settings.stochastic else "median"

    def described(self) -> str:
        """What it is, in a few words."""
        return "one-pass generator" if self.settings.stochastic else "median net"

    def network_for(self, blocks: Blocks | None = None) -> Any:
        """The network for factors: the only one that there is, unless a method says otherwise."""
        self.only(blocks)
        return self.network

    def noise_maps(self, blocks: Blocks | None = None) -> list[NoiseMaps]:
        """The noise that one member needs."""
        maps: list[NoiseMaps] = self.network_for(blocks).noise_maps
        return maps

    def halo(self, blocks: Blocks | None = None) -> tuple[int, int]:
        """Coarse cells and coarse frames to each side on which a fine value depends."""
        reach, passes = self.network_for(blocks).reach, PASSES if self.settings.conserving else 0
        shown = max(each.reach for each in self._shown)
        return reach.cells + shown + passes, reach.frames + passes

    def prepare(
        self,
        coarse: Tensor,
        static: Tensor | None = None,
        style: str | None = None,
        *,
        blocks: Blocks | None = None,
        spans: Spans | None = None,
    ) -> Window:
        """Encode a coarse window; parameters as for every method."""
        blocks, network = self.only(blocks), self.network_for(blocks)
        filled = self._filled(coarse)
        features, velocity = network.encode(torch.cat(self._channels(coarse, filled, static), dim=-3))
        targets = len(self.settings.transforms)
        coarse, filled, within, wanted = coarse[:, :, :targets], filled[:targets], None, self._wanted(coarse)
        if spans is not None:
            within, inner = spans.within, spans.inner
            wanted = self._wanted(coarse, inner)
            features = cut(features, spans.outer).contiguous()
            coarse, *filled = (cut(each, inner).contiguous() for each in (coarse, *filled))
            velocity = None if velocity is None else cut(velocity, inner).contiguous()
            static = None if static is None else _beneath(static, inner, blocks)
        steps = [resize_axis(each, 1, blocks[0], dim=1) for each in filled]
        places = network.follow(velocity)
        conditions = [self._condition(steps, rung, static) for rung in network.rungs]
        return Window(
            coarse, features, velocity, places, conditions, steps, self.style(style), blocks, within, wanted
        )

    def _condition(self, steps: Sequence[Tensor], rung: tuple[int, int], static: Tensor | None) -> Tensor:
        """Latent targets, then static fields, at so many pixels per cell, (B, T·L, conditions, H, W)."""
        fields = zip(self.settings.transforms, steps, strict=True)
        shown = side_by_side([t.forward(interpolate_cells(each, (1, *rung))) for t, each in fields])
        if static is None:
            return shown
        fine = _shrink(static, shown.shape[-2:]).unsqueeze(1).expand(-1, shown.shape[1], -1, -1, -1)
        return torch.cat([shown, fine], dim=2)

    def spans(self, core: Span, shape: tuple[int, int, int], blocks: Blocks | None = None) -> Spans:
        """What the decoder and the fine stages need for the values of a core; parameters as for every method."""
        network, passes = self.network_for(blocks), PASSES if self.settings.conserving else 0
        fine, trunk = network.fine_reach, network.decoder_reach
        more = fine.cells + passes
        inner = widened(core, (fine.frames + passes, more, more), shape)
        return Spans(widened(inner, (trunk.frames, trunk.cells, trunk.cells), shape), inner)

    @property
    def coarse_maps(self) -> int:
        """How many of its sets of noise maps belong to the decoder."""
        return sum(count > 0 for count in self.network.maps[: len(self.network.decoder)])

    def _filled(self, coarse: Tensor) -> list[Tensor]:
        """Every target and predictor (B, L, M, N), gaps filled: from neighbours, and far from any by a latent zero."""
        return [
            fill_gaps(values, reach=FILLED, beyond=transform.inverse(values.new_zeros(())))
            for transform, values in zip(self._shown, coarse.unbind(2), strict=True)
        ]

    def _channels(self, coarse: Tensor, filled: Sequence[Tensor], static: Tensor | None) -> list[Tensor]:
        """What the network is shown on the coarse grid: each field, and where it is known; then the static fields."""
        channels = []
        for transform, values, given in zip(self._shown, filled, coarse.unbind(2), strict=True):
            known = ~given.isnan() if self.settings.masks else torch.ones_like(given, dtype=torch.bool)
            channels += [transform.features(values), known.to(coarse.dtype).unsqueeze(-3)]
        if static is not None:
            ground = _shrink(static, coarse.shape[-2:]).unsqueeze(1)
            channels.append(ground.expand(-1, coarse.shape[1], -1, -1, -1))
        return channels

    @property
    def _shown(self) -> list[Transform]:
        """Transforms of the targets, then of the predictors."""
        return [*self.settings.transforms, *(each.transform for each in self.settings.predictors)]

    def latent(self, window: Window, noise: Sequence[Tensor], *, conserve: bool = True) -> Tensor:
        """Latent fine fields of one member, shape (B, T·L, targets, S_y·M, S_x·N).

        Where nothing but dry cells is near it may be the interpolation alone, if it is going to be conserved.
        """
        if self.gain != 1:
            noise = [self.gain * each for each in noise]
        correction = self.network_for(window.blocks).decode(
            window.features,
            window.conditions,
            noise,
            window.places,
            window.style,
            window.wanted if conserve else None,
            within=window.within,
        )
        detail = correction.new_tensor([each.correction for each in self.settings.transforms])
        return torch.addcmul(
            window.conditions[-1][:, :, : correction.shape[2]], correction, detail[:, None, None]
        )

    @property
    def gain(self) -> float:
        """How loud the noise of the default style is."""
        settings = self.settings
        if not settings.gains or settings.default is None:
            return 1.0
        return float(settings.gains[settings.styles.index(settings.default)])

    def _wanted(self, coarse: Tensor, inner: Span | None = None) -> Tensor | None:
        """Cells where a latent value matters: those with rain, and as far around them as conservation looks.

        A dry cell gives exactly zero whatever the network says. None, for all, unless every target is like rain.
        """
        if not (all(each.nonnegative for each in self.settings.transforms) and self.settings.conserving):
            return None
        coarse = coarse[:, :, : len(self.settings.transforms)]
        if inner is not None:
            shape = (coarse.shape[1], *coarse.shape[-2:])
            coarse = cut(coarse, (widened(inner, (PASSES, 0, 0), shape)[0], slice(None), slice(None)))
        wet = (coarse > 0).flatten(0, 2).any(0).to(coarse.dtype)
        side = 2 * PASSES + 1
        near = nn.functional.max_pool2d(wet[None, None], side, stride=1, padding=PASSES)[0, 0] > 0
        return near if inner is None else near[inner[1:]]

    def forward(self, window: Window, noise: Sequence[Tensor], *, passes: int = PASSES) -> Tensor:
        """One member, physical units, shape (B, T·L, targets, S_y·M, S_x·N)."""
        return self.finish(window, self.latent(window, noise), passes=passes)


def is_style(name: str) -> bool:
    """Whether a weight of a generator belongs to the style: the vectors, and what they scale and shift."""
    last = name.rsplit(".", 1)[-1]
    return last in ("styles", "shift") or (last == "scale" and ".norm." not in name)


def draw_noise(
    maps: Sequence[NoiseMaps], window: Sequence[int], *, generator: torch.Generator
) -> list[Tensor]:
    """Noise for training windows of (B, L, C, M, N) coarse fields, drawn in order from `generator`."""
    batch, frames, _, rows, columns = window
    return [
        torch.randn(
            (batch, *m.shape((frames, rows, columns))),
            generator=generator,
            device=generator.device,
            dtype=torch.float32,
        )
        for m in maps
    ]


def _beneath(static: Tensor, span: Span, blocks: Blocks) -> Tensor:
    """Static fields (B, fields, H, W) of a part of the window."""
    y, x = (
        slice(each.start * size, each.stop * size) for each, size in zip(span[1:], blocks[1:], strict=True)
    )
    return static[..., y, x]


def _shrink(static: Tensor, shape: Sequence[int]) -> Tensor:
    """Block means of (B, fields, H, W) on a coarser lattice of the same extent."""
    return nn.functional.adaptive_avg_pool2d(static, (shape[0], shape[1]))
