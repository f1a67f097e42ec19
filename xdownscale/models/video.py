"""Joint video diffusion with predictors: all frames of a sequence at once, z = ȳ + σ_r·r.

STVD (Srivastava et al. 2024, arXiv:2312.06071): ȳ = x↑ + μ(x↑), where x↑ are the coarse targets, brought to [−1, 1],
the predictors and the static fields on the fine grid (bicubic), and μ a U-Net over a sequence of frames; r is drawn by
a few denoising steps of another U-Net, which is shown x↑, ȳ and the feature maps of μ (``nn.video``). Both learn
together (``training.video``). Here μ corrects the interpolation instead of replacing it, so that fresh weights give
the interpolation; and every field is shown by two channels, its value and what :meth:`Transform.features` adds.

Attention looks at all of a window. A domain that is larger than the windows of training is put together from windows
that overlap in space and time, at every step of sampling (``diffusion.fuse``): the domain is one tile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from xdownscale.diffusion.denoise import Denoiser, Velocity
from xdownscale.diffusion.fuse import fused, regions
from xdownscale.diffusion.sample import named_sampler
from xdownscale.errors import ArgumentError
from xdownscale.kernels.blocks import block_repeat
from xdownscale.kernels.gaps import fill_gaps
from xdownscale.kernels.resize import interpolate_cells, resize_axis
from xdownscale.models.conserve import PASSES
from xdownscale.models.generator import FILLED
from xdownscale.models.method import by_target
from xdownscale.models.sampled import Sampled, SampledSettings
from xdownscale.models.transform import HIGHEST
from xdownscale.models.video_recipe import ATTENTIONS
from xdownscale.nn.blocks import repeated
from xdownscale.nn.video import GROUPS, VideoNetwork, VideoSize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from xdownscale.diffusion.fuse import Region
    from xdownscale.diffusion.schedule import NoiseLevel
    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.spans import Spans
    from xdownscale.models.transform import Transform

MAPS = 16
"""Feature maps of the first layer that live at once, over its width: of attention, of skips, of both networks."""


@dataclass(frozen=True)
class VideoSettings(SampledSettings):
    """Everything that is needed to build a :class:`Video` again.

    Parameters
    ----------
    video : VideoSize
        Of both networks. (`size` belongs to other methods.)
    frames, cells : int
        Coarse frames, and coarse cells along y and x, of the windows that it learned from.
    lows, highs : tuple of float
        Latent values of each target that become −1 and 1.
    dry : float
        Latent value of zero rain.
    clip : bool
        Whether ȳ + r̂ is cut to [−1, 1] in every step of sampling.
    sampler : str
        How members are drawn, a name of :func:`xdownscale.diffusion.sample.named_sampler`.
    steps : int, optional
        Of the sampler; None takes its default.

    Raises
    ------
    ArgumentError
        For sizes that do not fit together, and conservation of rain whose ε is so small that it could not act.
    """

    video: VideoSize = field(default_factory=VideoSize)
    frames: int = 5
    cells: int = 48
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    dry: float = 0.0
    clip: bool = False
    sampler: str = "angle"
    steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        count = len(self.transforms)
        if not self.lows and not self.highs:
            object.__setattr__(self, "lows", (-1.0,) * count)
            object.__setattr__(self, "highs", (1.0,) * count)
        if len(self.lows) != count or len(self.highs) != count or self.video.base % GROUPS:
            msg = (
                f"lows={self.lows}, highs={self.highs}, base={self.video.base}: limits for each of {count} targets, "
                f"and channels in groups of {GROUPS}"
            )
            raise ArgumentError(msg)
        if self.video.attention not in ATTENTIONS or not self.video.multipliers:
            msg = f"attention={self.video.attention!r}, multipliers={self.video.multipliers}: use one of {ATTENTIONS}"
            raise ArgumentError(msg)
        named_sampler(self.sampler)
        if self.steps is not None and self.steps < 1:
            msg = f"steps={self.steps}: a sampler takes at least one step"
            raise ArgumentError(msg)
        self._check_conservation()

    def _check_conservation(self) -> None:
        """Offsets of conservation act on latent values of rain up to HIGHEST only."""
        for transform, high in zip(self.transforms, self.highs, strict=True):
            if self.conserving and transform.nonnegative and high > 1.5 * HIGHEST:
                msg = (
                    f"block means of rain are not conserved by a model whose latent values reach {high:.0f}: its ε is "
                    f'too small. Downscale with conserve="none", or train with a larger epsilon, as in "stvd-small".'
                )
                raise ArgumentError(msg)


class VideoWindow(NamedTuple):
    """A coarse domain prepared once and shared by its members."""

    coarse: Tensor
    """Block means of the targets (B, L, C, M, N), NaN where missing."""
    base: Tensor
    """Interpolated targets on the fine grid (B, T·L, C, H, W), physical units."""
    shown: Tensor
    """x↑, (1, T·L, channels, H, W): the targets in [−1, 1] come first."""
    mean: Tensor
    """ȳ, (1, T·L, C, H, W)."""
    features: list[Tensor] | None
    """Feature maps of the downscaler where the domain is one window; None where they are made for each window."""
    regions: list[Region]
    """The windows that cover the domain."""
    style: Tensor
    """The texture that is wanted, (style,)."""
    blocks: Blocks
    """Fine cells per coarse cell along (time, y, x)."""

    @property
    def velocity(self) -> None:
        """Its noise is not advected."""

    def styled(self, style: Tensor) -> VideoWindow:
        """The same with another style vector."""
        return self._replace(style=style)

    def repeated(self, members: int) -> VideoWindow:
        """The same for so many members at once, without a copy; of a single window."""
        return self._replace(coarse=repeated(self.coarse, members), base=repeated(self.base, members))


class Video(Sampled):
    """A deterministic downscaler of sequences, and the diffusion of what it leaves.

    Parameters
    ----------
    settings : VideoSettings
        Factors, transforms, predictors, static fields, sizes.

    Attributes
    ----------
    log_sigma : Parameter, shape (targets,)
        log σ_r, in units of [−1, 1]; 0 for a residual that is not standardised.
    """

    whole: ClassVar[bool] = True

    def __init__(self, settings: VideoSettings) -> None:
        super().__init__()
        self.settings = settings
        targets, static = len(settings.transforms), len(settings.static)
        style = settings.size.style if len(settings.styles) > 1 else 0
        fields = targets + len(settings.predictors)
        inputs = 2 * fields + (fields if settings.masks else 0) + static
        self.mean = VideoNetwork(inputs, targets, settings.video)
        if settings.stochastic:
            self.denoiser = VideoNetwork(
                inputs + 2 * targets, targets, settings.video, injected=True, leveled=True, style=style
            )
        self.styles = nn.Parameter(0.5 * torch.randn(len(settings.styles), settings.size.style))
        self.log_sigma = nn.Parameter(torch.zeros(targets))

    @property
    def kind(self) -> str:
        """Its name in model files."""
        return "video"

    def described(self) -> str:
        """What it is, in a few words."""
        what = "video diffusion" if self.settings.stochastic else "multi-frame downscaler"
        return f"{what} ({self.settings.frames} frames, attention {self.settings.video.attention})"

    def halo(self, blocks: Blocks | None = None) -> tuple[int, int]:
        """Coarse cells and frames that a fine value sees in one window; through overlaps it sees farther."""
        self.only(blocks)
        passes = PASSES if self.settings.conserving else 0
        return self.settings.cells - 1 + passes, self.settings.frames - 1 + passes

    def footprint(self, blocks: Blocks | None = None) -> tuple[float, float]:
        """Bytes per coarse cell and frame, estimated from the maps that live at once; parameters as for every method.

        A domain of several windows needs less: the networks see one at a time.
        """
        maps = self.mean.enter.in_channels + MAPS * self.settings.video.base
        return 0.0, 4.0 * prod(self.only(blocks)) * maps

    def prepare(
        self,
        coarse: Tensor,
        static: Tensor | None = None,
        style: str | None = None,
        *,
        blocks: Blocks | None = None,
        spans: Spans | None = None,  # noqa: ARG002  a sequence is one window
    ) -> VideoWindow:
        """Interpolate a coarse domain and ask the downscaler; parameters as for every method."""
        settings, blocks = self.settings, self.only(blocks)
        filled = self._filled(coarse)
        targets = len(settings.transforms)
        base = torch.stack([interpolate_cells(each, blocks) for each in filled[:targets]], dim=2)
        shown = self._shown(coarse, filled, static)
        frames, cells = settings.frames, settings.cells
        covered = regions(
            (coarse.shape[1], *coarse.shape[-2:]),
            (frames, cells, cells),
            (min(frames - 1, (frames + 1) // 2), cells // 2, cells // 2),
            blocks,
        )
        window = VideoWindow(
            coarse[:, :, :targets], base, shown, shown, None, covered, self.style(style), blocks
        )
        if len(covered) == 1:
            correction, features = self.mean(shown)
            return window._replace(mean=shown[:, :, :targets] + correction, features=features)
        correction = fused(lambda region: self.mean(region.of(shown))[0], covered)
        return window._replace(mean=shown[:, :, :targets] + correction)

    def latent(self, window: VideoWindow, noise: Sequence[Tensor], *, conserve: bool = True) -> Tensor:  # noqa: ARG002
        """Latent fine fields of one member (B, T·L, targets, H, W), the same whether conserved later or not."""
        if not self.settings.stochastic:
            return self.denormalised(window.mean.expand(len(window.coarse), -1, -1, -1, -1))
        sampler, steps = self.settings.drawn
        drawn = noise[0].split(len(self.settings.transforms), dim=2)
        residual = sampler(self._denoiser(window), lambda n: drawn[n], steps=steps)
        return self.denormalised(window.mean + self.spread * residual)

    def _denoiser(self, window: VideoWindow) -> Callable[[Tensor, NoiseLevel], Tensor]:
        """r̂ of a domain from r_n."""
        plain = Denoiser(partial(self.velocity_of, window), Velocity())
        if not self.settings.clip:
            return plain

        def clipped(r_n: Tensor, level: NoiseLevel) -> Tensor:
            whole = window.mean + self.spread * plain(r_n, level)
            return (whole.clamp(-1, 1) - window.mean) / self.spread

        return clipped

    def velocity_of(self, window: VideoWindow, r_n: Tensor, angle: Tensor) -> Tensor:
        """v̂ of a domain, put together from its windows."""

        def of(region: Region) -> Tensor:
            shown, mean = region.of(window.shown), region.of(window.mean)
            features = self.mean(shown)[1] if window.features is None else window.features
            return self.answer(
                region.of(r_n), angle, shown=shown, mean=mean, features=features, style=window.style
            )

        return fused(of, window.regions)

    def answer(
        self,
        r_n: Tensor,
        angle: Tensor,
        *,
        shown: Tensor,
        mean: Tensor,
        features: Sequence[Tensor],
        style: Tensor,
    ) -> Tensor:
        """What the denoiser says of one window, v̂ (B, T·L, targets, H, W).

        Parameters
        ----------
        r_n : Tensor, shape (B, T·L, targets, H, W)
            The noisy residual.
        angle : Tensor, shape (), (B,) or (B, T·L)
            Of the noise level.
        shown, mean, features, style
            As in :class:`VideoWindow`.
        """
        beside = [each.expand(len(r_n), -1, -1, -1, -1) for each in (shown, mean)]
        found: Tensor = self.denoiser(torch.cat([*beside, r_n], dim=2), angle, features, style)[0]
        return found

    def normalised(self, latent: Tensor) -> Tensor:
        """Latent values (…, targets, H, W) in units of [−1, 1]."""
        low, high = self._limits(latent)
        return 2 * (latent - low) / (high - low) - 1

    def denormalised(self, values: Tensor) -> Tensor:
        """Latent values from those in units of [−1, 1]."""
        low, high = self._limits(values)
        return low + (values + 1) / 2 * (high - low)

    def latent_truth(self, truth: Tensor) -> Tensor:
        """Physical fine fields (B, T, targets, H, W) in units of [−1, 1]."""

        def forward(transform: Transform, values: Tensor) -> Tensor:
            latent = transform.forward(values)
            return torch.where(values > 0, latent, self.settings.dry) if transform.nonnegative else latent

        return self.normalised(by_target(forward, self.settings.transforms, truth))

    @property
    def spread(self) -> Tensor:
        """σ_r of every target, to multiply fields (B, T, targets, H, W) by."""
        return self.log_sigma.detach().exp()[:, None, None]

    def _limits(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """What becomes −1 and 1, for fields (…, targets, H, W)."""
        low, high = (
            like.new_tensor(each)[:, None, None] for each in (self.settings.lows, self.settings.highs)
        )
        return low, high

    def _filled(self, coarse: Tensor) -> list[Tensor]:
        """Every target and predictor (B, L, M, N), gaps filled: from neighbours, and far from any by a latent zero."""
        return [
            fill_gaps(values, reach=FILLED, beyond=transform.inverse(values.new_zeros(())))
            for transform, values in zip(self._transforms, coarse.unbind(2), strict=True)
        ]

    def _shown(self, coarse: Tensor, filled: Sequence[Tensor], static: Tensor | None) -> Tensor:
        """x↑: targets in [−1, 1], predictors standardised; the rest of their features; what is known; static fields."""
        settings, targets = self.settings, len(self.settings.transforms)
        parts = [each.features(values) for each, values in zip(self._transforms, filled, strict=True)]
        first, second = (torch.stack([each[..., n, :, :] for each in parts], dim=2) for n in (0, -1))
        first = torch.cat([self.normalised(first[:, :, :targets]), first[:, :, targets:]], dim=2)
        fine = _bicubic(torch.cat([first, second], dim=2), settings.blocks)
        channels = [fine]
        if settings.masks:
            known = (~coarse.isnan()).to(fine.dtype)
            channels.append(block_repeat(known.transpose(1, 2), settings.blocks).transpose(1, 2))
        if static is not None:
            channels.append(static.unsqueeze(1).expand(-1, fine.shape[1], -1, -1, -1))
        return torch.cat(channels, dim=2)

    @property
    def _transforms(self) -> list[Transform]:
        """Of the targets, then of the predictors."""
        return [*self.settings.transforms, *(each.transform for each in self.settings.predictors)]


def _bicubic(coarse: Tensor, blocks: Blocks) -> Tensor:
    """Fields (B, L, C, M, N) on the fine grid: bicubic in space, linear in time."""
    time, y, x = blocks
    steps = resize_axis(coarse, 1, time, dim=1)
    frames = functional.interpolate(
        steps.flatten(0, 1), scale_factor=(y, x), mode="bicubic", align_corners=False
    )
    return frames.unflatten(0, (-1, steps.shape[1]))
