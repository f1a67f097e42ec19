"""The scale-adaptive framework: a mean of each coarse frame from its past, and a diffused residual, y = D + r.

Defez et al. 2026 (arXiv:2604.21903): D = MC(F(U_det(BI(x_{t−L+1}), …, BI(x_t), topography))), where BI is bicubic
interpolation and MC the conservation of frames (``models.frames``); r is drawn by U_dif, which is shown D, BI(x_t) and
the whole context (``nn.adaptive``), and y goes through F and MC once more. Values are normalised to [0, 1] by the least
and the largest of training. The T fine steps of a coarse frame are answered together and depend on no later frame.

Two things are added. U_det corrects the u of which F makes the interpolation, so that fresh weights give BI(x_t). And a
domain of any size is covered by windows of the size of training, which share half of their extent and whose answers are
averaged at every step of sampling (``diffusion.fuse``): max-pooling and the context tell places of a window apart.
Before the first frame of a series stands that frame again.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property, partial
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional

from xdownscale.diffusion.denoise import Denoiser, Velocity, standardised
from xdownscale.diffusion.fuse import fused, regions
from xdownscale.diffusion.schedule import linear_beta
from xdownscale.kernels.blocks import block_repeat
from xdownscale.kernels.gaps import fill_gaps
from xdownscale.kernels.resize import interpolate_cells
from xdownscale.models.adaptive_settings import ANCESTRAL, AdaptiveSettings, AdaptiveWindow
from xdownscale.models.conserve import PASSES, conserve_cells
from xdownscale.models.frames import conserve_frames, shaped, shift_frames, unpowered
from xdownscale.models.generator import FILLED
from xdownscale.models.method import side_by_side
from xdownscale.models.residual import latent_truth
from xdownscale.models.sampled import Sampled
from xdownscale.models.spans import Spans, cut, whole
from xdownscale.nn.adaptive import ContextEncoder, MeanNetwork, ResidualNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from xdownscale.diffusion.fuse import Region
    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.spans import Span
    from xdownscale.models.transform import Transform

AT_ONCE = 2**18
"""Fine cells that a network passes at once: frames, members and, for the mean, their context."""

MAPS = 12
"""Feature maps of the first layer that live at once, over its width."""


class Adaptive(Sampled):
    """The mean of each coarse frame from its past, and the diffusion of what it leaves.

    Parameters
    ----------
    settings : AdaptiveSettings
        Factors, transforms, predictors, static fields, sizes.
    """

    whole: ClassVar[bool] = True
    causal: ClassVar[bool] = True

    def __init__(self, settings: AdaptiveSettings) -> None:
        super().__init__()
        self.settings = settings
        targets, sizes = len(settings.transforms), settings.adaptive
        fields = targets + len(settings.predictors)
        inputs = fields + (fields if settings.masks else 0) + len(settings.static)
        outputs = targets * settings.blocks[0]
        style = settings.size.style if len(settings.styles) > 1 else 0
        self.inputs = inputs
        self.mean = MeanNetwork(inputs, outputs, settings.length, sizes)
        if settings.stochastic:
            self.denoiser = ResidualNetwork(2 * outputs + targets, outputs, sizes, style=style)
            self.context = ContextEncoder(inputs, settings.length, sizes.token) if sizes.token else None
        self.styles = nn.Parameter(0.5 * torch.randn(len(settings.styles), settings.size.style))

    @property
    def kind(self) -> str:
        """Its name in model files."""
        return "scale-adaptive"

    @property
    def conserves(self) -> str:
        """What is conserved."""
        return self.settings.scope

    def conserved(self, what: str) -> Adaptive:
        """The same method, which conserves something else."""
        method = copy.copy(self)
        method.settings = replace(self.settings, scope=what, conserving=what != "none")
        return method

    def deterministic(self) -> Adaptive:
        """The mean alone, with the same weights."""
        method = copy.copy(self)
        method.settings = replace(self.settings, stochastic=False)
        return method

    def described(self) -> str:
        """What it is, in a few words."""
        settings = self.settings
        what = "scale-adaptive diffusion" if settings.stochastic else "mean of the scale-adaptive framework"
        return f"{what} (L {settings.length}, β_J {settings.beta:g}, F u^{settings.power:g}, a {settings.threshold:g})"

    def values_told(self) -> list[str]:
        """What becomes of the values of each target."""
        limits = zip(self.settings.lows, self.settings.highs, strict=True)
        return [f"normalised by {low:.4g} and {high:.4g}" for low, high in limits]

    def halo(self, blocks: Blocks | None = None) -> tuple[int, int]:
        """Coarse cells that a fine value sees in one window, and frames before its own; later ones it does not see."""
        self.only(blocks)
        passes = PASSES if self.settings.scope == "cell" else 0
        return self.settings.cells - 1 + passes, self.settings.length - 1 + passes

    def footprint(self, blocks: Blocks | None = None) -> tuple[float, float]:
        """Bytes per coarse cell and frame: noise of all steps, and what lives of a frame outside of the networks."""
        kept = self.inputs + sum(each.maps for each in self.noise_maps(blocks))
        return 0.0, 4.0 * prod(self.only(blocks)) * (kept + MAPS)

    def spans(self, core: Span, shape: tuple[int, int, int], blocks: Blocks | None = None) -> Spans:  # noqa: ARG002
        """The frames that are wanted, of the whole domain; the ones before them are context."""
        passes = PASSES if self.settings.scope == "cell" else 0
        frames = slice(max(0, core[0].start - passes), min(shape[0], core[0].stop + passes))
        return Spans(whole(shape), (frames, *whole(shape)[1:]))

    def prepare(
        self,
        coarse: Tensor,
        static: Tensor | None = None,
        style: str | None = None,
        *,
        blocks: Blocks | None = None,
        spans: Spans | None = None,
    ) -> AdaptiveWindow:
        """Ask for the means of a coarse domain and encode its context; parameters as for every method."""
        self.only(blocks)
        targets = len(self.settings.transforms)
        frames = range(coarse.shape[1]) if spans is None else range(*spans.inner[0].indices(coarse.shape[1]))
        chosen = list(range(len(frames)))
        if all(each.nonnegative for each in self.settings.transforms) and self.settings.scope != "none":
            wet = (coarse[:, frames.start : frames.stop, :targets] > 0).flatten(2).any(2).any(0)
            chosen = wet.nonzero().flatten().tolist()
        return self.asked(coarse, static, self.style(style), frames, chosen)

    def asked(
        self, coarse: Tensor, static: Tensor | None, style: Tensor, frames: range, chosen: list[int]
    ) -> AdaptiveWindow:
        """A window of some frames of a domain, of which some are asked for.

        Parameters
        ----------
        coarse, static
            As for :meth:`prepare`.
        style : Tensor, shape (style,)
        frames : range
            The frames that are wanted.
        chosen : list of int
            Which of these the networks are asked for.
        """
        settings, blocks = self.settings, self.settings.blocks
        inner = (slice(frames.start, frames.stop), slice(None), slice(None))
        targets, cells = len(settings.transforms), settings.cells
        filled = self._filled(coarse)
        shown = self.shown(coarse, static)
        own = cut(coarse[:, :, :targets], inner)
        base = torch.stack([interpolate_cells(cut(e, inner), blocks) for e in filled[:targets]], dim=2)
        covered = regions(
            (1, *coarse.shape[-2:]), (1, cells, cells), (0, cells // 2, cells // 2), (1, *blocks[1:])
        )
        past = torch.arange(1 - settings.length, 1)
        contexts = [(frames[number] + past).clamp_min(0).to(shown.device) for number in chosen]
        last = shown[:, [frames[number] for number in chosen], :targets]
        window = AdaptiveWindow(own, base, chosen, last, last, [], covered, style, blocks)
        if not chosen:
            return window._replace(mean=last.new_zeros(1, 0, targets * blocks[0], *last.shape[-2:]))
        wanted = cut(
            torch.stack(filled[:targets], dim=2).masked_fill(coarse[:, :, :targets].isnan(), torch.nan), inner
        )
        means, tokens = [], []
        for region in covered:
            parts = [
                self._of_region(region, shown[0, torch.stack(some)], wanted[0, numbers])
                for some, numbers in _shared_out(contexts, chosen, self._at_once(region, settings.length))
            ]
            means.append(torch.cat([mean for mean, _ in parts])[None])
            found = [token for _, token in parts if token is not None]
            tokens.append(torch.cat(found)[None] if found else None)
        answers = iter(means)
        return window._replace(
            mean=fused(lambda _: next(answers), _stretched(covered, len(chosen))), tokens=tokens
        )

    def _of_region(self, region: Region, context: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor | None]:
        """D (frames, T·targets, h, w) and tokens (frames, L, token) of frames with their context, in one window."""
        _, y, x = region.where
        context = context[..., y, x]
        high, wide = self.settings.blocks[1:]
        rows = slice(y.start // high, y.stop // high)
        columns = slice(x.start // wide, x.stop // wide)
        mean = self.mean_of(context, coarse[..., rows, columns])
        encoder = self.context if self.settings.stochastic else None
        return mean, None if encoder is None else encoder(context)

    def mean_of(self, context: Tensor, coarse: Tensor, *, kept: bool | None = None) -> Tensor:
        """D of frames, normalised, (frames, T·targets, h, w).

        Parameters
        ----------
        context : Tensor, shape (frames, L, channels, h, w)
            What the network is shown.
        coarse : Tensor, shape (frames, targets, m, n)
            Block means, in the units of the model, NaN where missing.
        kept : bool, optional
            Whether the totals of frames are conserved. None leaves it to the settings.
        """
        settings, targets = self.settings, len(self.settings.transforms)
        correction = rearrange(self.mean(context), "k (t c) h w -> c k t h w", c=targets)
        found = []
        for number, transform in enumerate(settings.transforms):
            first = context[:, -1, number, None].expand(-1, settings.blocks[0], -1, -1)
            if transform.nonnegative:
                first = unpowered(first, settings.power, settings.threshold)
            raw = first + correction[number]
            given = self._normalised(coarse[:, number, None], number)
            if settings.kept if kept is None else kept:
                raw = self._conserved(raw, given, transform)
            elif transform.nonnegative:
                raw = shaped(raw, settings.power, settings.threshold)
            found.append(raw)
        return rearrange(torch.stack(found), "c k t h w -> k (t c) h w")

    def _conserved(
        self, raw: Tensor, coarse: Tensor, transform: Transform, *, powered: bool = True
    ) -> Tensor:
        """Frames (B, T·L, H, W) with the totals of coarse ones (B, L, M, N), both normalised."""
        blocks = self.settings.blocks
        if not transform.nonnegative:
            return shift_frames(raw, coarse, blocks=blocks)
        power, threshold = (self.settings.power, self.settings.threshold) if powered else (1.0, 0.0)
        return conserve_frames(raw, coarse, blocks=blocks, power=power, threshold=threshold)

    def latent(self, window: AdaptiveWindow, noise: Sequence[Tensor], *, conserve: bool = True) -> Tensor:  # noqa: ARG002
        """Normalised fine fields of one member before F (B, T·K, targets, H, W), the same whether conserved or not."""
        targets, time = len(self.settings.transforms), self.settings.blocks[0]
        members, frames = window.coarse.shape[:2]
        made = window.mean.new_zeros(members, frames, time * targets, *window.mean.shape[-2:])
        if window.chosen:
            found = window.mean.expand(members, -1, -1, -1, -1)
            if self.settings.stochastic:
                found = found + self._residual(window, noise[0])
            made[:, window.chosen] = found
        return rearrange(made, "b k (t c) h w -> b (k t) c h w", c=targets)

    def _residual(self, window: AdaptiveWindow, noise: Tensor) -> Tensor:
        """The residual of the chosen frames (B, chosen, T·targets, H, W)."""
        settings, (sampler, steps) = self.settings, self.settings.drawn
        targets, time = len(settings.transforms), settings.blocks[0]
        by_frame = rearrange(noise, "b (k t) (n c) h w -> n b k (t c) h w", t=time, c=targets)[
            :, :, window.chosen
        ]
        denoise: Callable[..., Tensor] = Denoiser(partial(self.velocity_of, window), Velocity())
        size = 1.0
        if settings.sampler != ANCESTRAL and not settings.standardised:
            size = float(torch.tensor(settings.scales).square().mean().sqrt())
            denoise = standardised(denoise, size)
        return size * self.spread * sampler(denoise, lambda n: by_frame[n], steps=steps)

    def velocity_of(self, window: AdaptiveWindow, r_n: Tensor, angle: Tensor) -> Tensor:
        """v̂ of a domain, put together from its windows."""
        step, known = self.step_of(angle), iter(window.tokens)

        def of(region: Region) -> Tensor:
            tokens = next(known)
            parts = [
                self.answer(
                    region.of(r_n[:, some]),
                    step,
                    last=region.of(window.last[:, some]),
                    mean=region.of(window.mean[:, some]),
                    tokens=None if tokens is None else tokens[:, some],
                    style=window.style,
                )
                for some in _runs(r_n.shape[1], self._at_once(region, len(r_n)))
            ]
            return torch.cat(parts, dim=1)

        return fused(of, _stretched(window.regions, r_n.shape[1]))

    def answer(
        self,
        r_n: Tensor,
        step: Tensor,
        *,
        last: Tensor,
        mean: Tensor,
        tokens: Tensor | None,
        style: Tensor,
    ) -> Tensor:
        """What the denoiser says of frames of one window, v̂ (B, K, T·targets, H, W).

        Parameters
        ----------
        r_n : Tensor, shape (B, K, T·targets, H, W)
            The noisy residual.
        step : Tensor, shape (), (1,) or (B,)
            j.
        last, mean, tokens, style
            As in :class:`AdaptiveWindow`.
        """
        beside = [each.expand(len(r_n), -1, -1, -1, -1) for each in (last, mean)]
        found: Tensor = self.denoiser(torch.cat([r_n, *beside], dim=2), step, tokens, style)
        return found

    @cached_property
    def _angles(self) -> Tensor:
        """Angles of the noise levels 0 to J of training, rising."""
        return linear_beta(self.settings.levels, last=self.settings.beta).angle.flip(0)

    def step_of(self, angle: Tensor) -> Tensor:
        """The step j of a noise level; between two levels of training, in proportion."""
        angles = self._angles.to(angle.device)
        wanted = angle.to(angles.dtype).clamp(0, float(angles[-1]))
        above = torch.searchsorted(angles, wanted.contiguous()).clamp_min(1)
        low, high = angles[above - 1], angles[above]
        return (above - 1 + (wanted - low) / (high - low)).float()

    def finish(self, window: Any, latent: Tensor, *, conserve: bool = True, passes: int = PASSES) -> Tensor:
        """Physical fine fields from normalised ones, after F and conservation."""
        scope = self.settings.scope if conserve else "none"
        parts = zip(self.settings.transforms, latent.unbind(2), window.coarse.unbind(2), strict=True)
        found = []
        for number, (transform, values, coarse) in enumerate(parts):
            low, high = self.settings.lows[number], self.settings.highs[number]
            if scope == "frame":
                given = self._normalised(coarse, number)
                values = self._conserved(values, given, transform, powered=self.settings.stochastic)  # noqa: PLW2901
            physical = low + (high - low) * values
            if scope == "cell":
                inner = latent_truth(transform, physical.clamp_min(0) if transform.nonnegative else physical)
                blocks = self.settings.blocks
                found.append(conserve_cells(inner, coarse, transform=transform, blocks=blocks, passes=passes))
            else:
                found.append(
                    physical.clamp(*transform.limits) if transform.limits != (None, None) else physical
                )
        return side_by_side(found)

    def forward(self, window: AdaptiveWindow, noise: Sequence[Tensor]) -> Tensor:
        """One member, physical units, shape (B, T·K, targets, S_y·M, S_x·N)."""
        return self.finish(window, self.latent(window, noise))

    def normalised_truth(self, truth: Tensor) -> Tensor:
        """Physical fine fields (1, T, targets, H, W) of one frame, normalised and cut at 1 where they are rain.

        Shape (1, 1, T·targets, H, W).
        """
        parts = []
        for number, (transform, values) in enumerate(
            zip(self.settings.transforms, truth.unbind(2), strict=True)
        ):
            scaled = self._normalised(values, number)
            parts.append(scaled.clamp_max(1) if transform.nonnegative else scaled)
        return rearrange(torch.stack(parts, dim=2), "b t c h w -> b 1 (t c) h w")

    @property
    def spread(self) -> Tensor:
        """What is diffused times this is r: σ_r of every target, or 1, for channels (T·targets, 1, 1)."""
        settings = self.settings
        scales = settings.scales if settings.standardised else (1.0,) * len(settings.scales)
        return torch.tensor(scales * settings.blocks[0], device=self.styles.device)[:, None, None]

    def _normalised(self, values: Tensor, number: int) -> Tensor:
        """Values of a target over its range."""
        low, high = self.settings.lows[number], self.settings.highs[number]
        return (values - low) / (high - low)

    def _at_once(self, region: Region, times: int) -> int:
        """Frames of a window that pass at once."""
        _, y, x = region.where
        return max(1, AT_ONCE // (times * (y.stop - y.start) * (x.stop - x.start)))

    def _filled(self, coarse: Tensor) -> list[Tensor]:
        """Every target and predictor (B, L, M, N), gaps filled from the same frame: no frame knows of a later one."""
        shown = [*self.settings.transforms, *(each.transform for each in self.settings.predictors)]
        frames = coarse.flatten(0, 1)[:, None]
        return [
            fill_gaps(values, reach=FILLED, beyond=transform.inverse(values.new_zeros(()))).reshape(
                coarse[:, :, 0].shape
            )
            for transform, values in zip(shown, frames.unbind(2), strict=True)
        ]

    def shown(self, coarse: Tensor, static: Tensor | None) -> Tensor:
        """What the networks see of coarse frames, on the fine grid, (B, L, channels, H, W).

        Normalised targets and standardised predictors, bicubic; what of these is known; static fields.

        Parameters
        ----------
        coarse, static
            As for :meth:`prepare`.
        """
        settings, targets, filled = self.settings, len(self.settings.transforms), self._filled(coarse)
        _, high, wide = settings.blocks
        coarse_parts = [self._normalised(each, number) for number, each in enumerate(filled[:targets])]
        parts = zip(settings.predictors, filled[targets:], strict=True)
        coarse_parts += [each.transform.forward(values) for each, values in parts]
        stacked = torch.stack(coarse_parts, dim=2)
        fine = functional.interpolate(
            stacked.flatten(0, 1), scale_factor=(high, wide), mode="bicubic", align_corners=False
        ).unflatten(0, stacked.shape[:2])
        channels = [fine]
        if settings.masks:
            channels.append(block_repeat((~coarse.isnan()).to(fine.dtype), (1, high, wide)))
        if static is not None:
            channels.append(static.unsqueeze(1).expand(-1, fine.shape[1], -1, -1, -1))
        return torch.cat(channels, dim=2)


def _stretched(covered: Sequence[Region], frames: int) -> list[Region]:
    """Windows in space over so many frames."""
    return [each._replace(where=(slice(0, frames), *each.where[1:])) for each in covered]


def _runs(count: int, length: int) -> list[slice]:
    """Parts of an axis, each of a length but the last one."""
    return [slice(first, min(count, first + length)) for first in range(0, count, length)]


def _shared_out(
    contexts: list[Tensor], chosen: list[int], length: int
) -> list[tuple[list[Tensor], list[int]]]:
    """Contexts of frames and their numbers, so many at once."""
    return [(contexts[part], chosen[part]) for part in _runs(len(chosen), length)]
