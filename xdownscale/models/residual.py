"""Mean + residual diffusion, the papers' method: v = v̄ + σ_r·r, r drawn by a few denoising steps.

v̄ is the median net of ``median.py`` and σ_r the root mean square of what it leaves on the training windows, so that r
is standardised: an unstandardised residual loses its spread under few steps (``diffusion.sample``). r is denoised on
the fine grid given v̄ and the median net's features, from noise that is a function of place, and conserved like any
latent value.

Zero rain gets the latent value −0.4 instead of 0: a target at the very edge of the rectifier would come out as drizzle
in every other cell. −0.4 lies as far below the edge as the detection limit of radars, 0.1 mm/h, above it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from math import ceil, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from xdownscale.diffusion.denoise import Denoiser, Velocity
from xdownscale.diffusion.sample import named_sampler
from xdownscale.errors import ArgumentError
from xdownscale.models.conserve import PASSES
from xdownscale.models.generator import Generator, GeneratorSettings, Window
from xdownscale.models.median import median_settings
from xdownscale.models.method import by_target
from xdownscale.models.recipe import Attention
from xdownscale.models.sampled import Sampled, SampledSettings
from xdownscale.nn.blocks import repeated
from xdownscale.nn.denoiser import LocalDenoiser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.spans import Spans
    from xdownscale.models.transform import Transform

DENOISED = 8
"""Fields of as many channels as the denoiser is wide that live at the same time where most memory is taken."""

DRY = -0.4
"""Latent value of zero rain."""

SAMPLER = "angle"
"""Six evaluations; it needs noise only where it starts, as noise of an absolute place is."""


NO_ATTENTION = Attention(windows=(), frames=0)
"""Convolutions alone."""


@dataclass(frozen=True)
class ResidualSettings(SampledSettings):
    """Everything that is needed for a :class:`Residual`: the settings of its median net, and how the rest is drawn.

    Parameters
    ----------
    scales : tuple of float
        σ_r of each target, in latent units.
    dilations : tuple of int
        Of the denoiser's blocks. Its width is that of the generator's decoder.
    attention : Attention, optional
        Of the denoiser; None for convolutions alone.
    sampler : str
        How members are drawn, a name of :data:`xdownscale.diffusion.sample.SAMPLERS`.
    steps : int, optional
        Of the sampler; None takes its default.

    Raises
    ------
    ArgumentError
        For attention that the denoiser has no place for, a sampler that is not known, or no step.
    """

    scales: tuple[float, ...] = ()
    dilations: tuple[int, ...] = (1, 2, 4, 1)
    attention: Attention | None = None
    sampler: str = SAMPLER
    steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.scales:
            object.__setattr__(self, "scales", (1.0,) * len(self.transforms))
        if len(self.scales) != len(self.transforms):
            msg = f"scales={self.scales}: one for each of {len(self.transforms)} targets"
            raise ArgumentError(msg)
        named_sampler(self.sampler)
        if self.steps is not None and self.steps < 1:
            msg = f"steps={self.steps}: a sampler takes at least one step"
            raise ArgumentError(msg)
        if self.attention is not None:
            _check(self.attention, blocks=len(self.dilations), width=self.size.stages[0])


class ResidualWindow(NamedTuple):
    """A coarse window prepared once and shared by its members."""

    window: Window
    """What the median net knows."""
    mean: Tensor
    """v̄, shape (B, T·L, targets, H, W)."""
    known: Tensor
    """What the denoiser is shown."""
    style: Tensor
    """The texture that is wanted, (style,)."""

    @property
    def velocity(self) -> None:
        """Its noise is not advected."""

    @property
    def coarse(self) -> Tensor:
        """Block means, NaN where missing."""
        return self.window.coarse

    @property
    def base(self) -> Tensor:
        """The interpolated coarse field."""
        return self.window.base

    @property
    def blocks(self) -> Blocks:
        """Fine cells per coarse cell along (time, y, x)."""
        return self.window.blocks

    def styled(self, style: Tensor) -> ResidualWindow:
        """The same with another style vector."""
        return self._replace(style=style)

    def repeated(self, members: int) -> ResidualWindow:
        """The same for so many members at once, without a copy; of a single window."""
        return self._replace(
            window=self.window.repeated(members),
            mean=repeated(self.mean, members),
            known=repeated(self.known, members),
        )


class Residual(Sampled):
    """A median net, and a denoiser of what it leaves.

    Parameters
    ----------
    settings : ResidualSettings
    """

    def __init__(self, settings: ResidualSettings) -> None:
        super().__init__()
        self.settings = settings
        self.mean = Generator(mean_settings(settings))
        width, attention = settings.size.stages[0], settings.attention or NO_ATTENTION
        self.denoiser = LocalDenoiser(
            blocks=settings.blocks,
            features=width,
            style=settings.size.style,
            width=width,
            dilations=settings.dilations,
            windows=attention.windows,
            horizon=attention.frames,
            heads=attention.heads,
            targets=len(settings.transforms),
        )
        self.styles = nn.Parameter(0.5 * torch.randn(len(settings.styles), settings.size.style))

    @property
    def kind(self) -> str:
        """Its name in model files."""
        return "residual"

    @property
    def trunk(self) -> Generator:
        """The network whose weights others may start from."""
        return self.mean

    def described(self) -> str:
        """What it is, in a few words."""
        attention = ", with attention" if self.settings.attention else ""
        scales = ", ".join(f"{each:.3g}" for each in self.settings.scales)
        return f"median net + diffused residual (σ_r {scales}{attention})"

    def halo(self, blocks: Blocks | None = None) -> tuple[int, int]:
        """Coarse cells and frames to each side on which a fine value depends.

        The denoiser's reach as often as it is asked, then the reach of what it is shown there.
        """
        sampler, steps = self.settings.drawn
        asked = sampler.cost(steps)
        cells, frames = self.denoiser.reach
        shown, passes = self.mean.halo(blocks), PASSES if self.settings.conserving else 0
        return ceil(asked * cells) + 1 + shown[0] + passes, asked * frames + shown[1] + passes

    def footprint(self, blocks: Blocks | None = None) -> tuple[float, float]:
        """Bytes per coarse cell: its features lie on the fine grid."""
        each, fine = self.mean.footprint(blocks)
        return each, fine + 4.0 * DENOISED * self.settings.size.stages[0] * prod(self.only(blocks))

    def prepare(
        self,
        coarse: Tensor,
        static: Tensor | None = None,
        style: str | None = None,
        *,
        blocks: Blocks | None = None,
        spans: Spans | None = None,  # noqa: ARG002  the denoiser looks at all of the window
    ) -> ResidualWindow:
        """Encode a coarse window; parameters as for the generator."""
        window = self.mean.prepare(coarse, static, style or self.settings.default, blocks=blocks)
        mean = self._bounded(self.mean.latent(window, [], conserve=False))
        known = self.denoiser.condition(window.features, mean)
        return ResidualWindow(window, mean, known, self.style(style))

    def latent(self, window: ResidualWindow, noise: Sequence[Tensor], *, conserve: bool = True) -> Tensor:  # noqa: ARG002
        """Latent fine fields of one member (B, T·L, targets, H, W), the same whether conserved later or not."""
        sampler, steps = self.settings.drawn
        network = partial(self.denoiser, known=window.known, style=window.style)
        drawn = noise[0].split(len(self.settings.transforms), dim=2)
        residual = sampler(Denoiser(network, Velocity()), lambda n: drawn[n], steps=steps)
        return window.mean + self._scales(residual) * residual

    def forward(self, window: ResidualWindow, noise: Sequence[Tensor], *, passes: int = PASSES) -> Tensor:
        """One member, physical units, shape (B, T·L, targets, S_y·M, S_x·N)."""
        return self.finish(window, self.latent(window, noise), passes=passes)

    def remainder(self, window: ResidualWindow, truth: Tensor) -> Tensor:
        """What the denoiser learns: (v − v̄)/σ_r of fine fields in physical units, (B, T·L, targets, H, W)."""
        latent = by_target(latent_truth, self.settings.transforms, truth)
        return (latent - window.mean) / self._scales(latent)

    def _scales(self, like: Tensor) -> Tensor:
        """σ_r of every target, to multiply fields (B, T·L, targets, H, W) by."""
        return like.new_tensor(self.settings.scales)[:, None, None]

    def _bounded(self, latent: Tensor) -> Tensor:
        def bounded(transform: Transform, values: Tensor) -> Tensor:
            return values.clamp_min(DRY) if transform.nonnegative else values

        return by_target(bounded, self.settings.transforms, latent)


def latent_truth(transform: Transform, truth: Tensor) -> Tensor:
    """Latent values of a fine field of one target, zero rain at :data:`DRY`."""
    latent = transform.forward(truth)
    return torch.where(truth > 0, latent, DRY) if transform.nonnegative else latent


def residual_settings(settings: GeneratorSettings, *, attention: Attention | None = None) -> ResidualSettings:
    """Settings of the method that goes with a generator's, with or without attention in its denoiser."""
    return ResidualSettings(**_shared(settings), attention=attention)


def mean_settings(settings: GeneratorSettings) -> GeneratorSettings:
    """Settings of the median net inside."""
    return median_settings(GeneratorSettings(**_shared(settings)))


def _check(attention: Attention, *, blocks: int, width: int) -> None:
    """Whether a denoiser of so many blocks and channels can have it."""
    if len(attention.windows) > blocks:
        msg = f"windows={attention.windows}: the denoiser has {blocks} blocks; give at most as many radii"
        raise ArgumentError(msg)
    if min(attention.windows, default=0) < 0 or attention.frames < 0:
        msg = (
            f"windows={attention.windows}, frames={attention.frames}: a distance is 0 (no attention) or more"
        )
        raise ArgumentError(msg)
    if attention.heads < 1 or width % attention.heads:
        msg = (
            f"heads={attention.heads} cannot share {width} channels; take a divisor of size.stages[0]={width}"
        )
        raise ArgumentError(msg)


def _shared(settings: GeneratorSettings) -> dict[str, Any]:
    """What the settings of a generator and of a residual have in common."""
    return {each.name: getattr(settings, each.name) for each in fields(GeneratorSettings)}
