"""The U-Net of STVD over a sequence of frames: a downscaler, or the denoiser that is shown the downscaler's features.

Srivastava et al. 2024 (arXiv:2312.06071), appendix A.1 and figures 5 and 6. Contractive layers: two residual blocks,
linear attention in space and in time, half the pixels. Bottleneck: a block, quadratic attention in space and in time, a
block. Expansive layers: twice the pixels, two residual blocks, each beside one of the two feature maps of the
contractive layer, and linear attention again. Frames are a batch except where attention in time looks across.

The feature maps of each contractive layer of the downscaler are concatenated to the inputs of both residual blocks of
the same layer of the denoiser. Every residual block of the denoiser is scaled and shifted by the noise level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import nn
from torch.nn import functional

from xdownscale.nn.factorised import LinearSpace, LinearTime, QuadraticSpace, QuadraticTime, WindowSpace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

GROUPS: Final = 8
"""Of group normalisation."""


@dataclass(frozen=True)
class VideoSize:
    """Sizes of one of the two U-Nets; the defaults are those of STVD for tiles of 384 × 384 fine cells.

    Parameters
    ----------
    base : int
        Channels that the multipliers count in, a multiple of 8.
    multipliers : tuple of int
        Channels of each layer over `base`. Each layer but the last one halves the pixels.
    heads, head : int
        Heads of attention, and channels of each.
    patch : int
        Pixels along a side of the patches of attention in the first layer; they halve with every layer.
    attention : {"factorised", "window", "none"}
        In space and time as STVD has it; within frames as a Swin transformer has it; or convolutions alone.
    positions : bool
        Whether frames are told which they are. STVD's are not, so that it cannot know which frames are neighbours.
    """

    base: int = 64
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 3, 4)
    heads: int = 4
    head: int = 32
    patch: int = 192
    attention: str = "factorised"
    positions: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each layer."""
        return tuple(self.base * each for each in self.multipliers)

    @property
    def multiple(self) -> int:
        """Pixels along a side are brought to a multiple of this."""
        return int(2 ** (len(self.multipliers) - 1))


class StandardisedConvolution(nn.Conv2d):
    """A convolution whose weights have mean 0 and variance 1 for each output (Qiao et al. 2019, arXiv:1903.10520)."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolved maps."""
        return self._conv_forward(x, self.standardised(), self.bias)

    def standardised(self) -> Tensor:
        """The weights as they are used."""
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), unbiased=False, keepdim=True)
        return (self.weight - mean) * (variance + 1e-5).rsqrt()


class Half(nn.Module):
    """SiLU(norm(conv(x))·(1 + scale) + shift)."""

    def __init__(self, before: int, after: int, told: int) -> None:
        super().__init__()
        self.convolution = StandardisedConvolution(before, after, 3, padding=1)
        self.norm = nn.GroupNorm(GROUPS, after)
        self.told = nn.Linear(told, 2 * after) if told else None

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        """Maps (B·T, after, X, Y) of maps (B·T, before, X, Y) and what they are told, (B·T, told)."""
        x = self.norm(self.convolution(x))
        if self.told is not None and told is not None:
            gain, lift = self.told(functional.silu(told))[..., None, None].chunk(2, dim=1)
            x = x * (1 + gain) + lift
        return functional.silu(x)


class Residual(nn.Module):
    """Two halves beside a 1 × 1 convolution; the first half is told the noise level."""

    def __init__(self, before: int, after: int, told: int) -> None:
        super().__init__()
        self.first, self.second = Half(before, after, told), Half(after, after, 0)
        self.beside = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        """Maps (B, T, after, X, Y); `told` is (B, T, channels)."""
        frames, flat = x.shape[1], x.flatten(0, 1)
        inner = self.first(flat, None if told is None else told.flatten(0, 1))
        found: Tensor = self.second(inner) + self.beside(flat)
        return found.unflatten(0, (-1, frames))


class Fourier(nn.Module):
    """Random Fourier features of a number, then a linear layer, GELU and another.

    Tancik et al. 2020 (arXiv:2006.10739).

    Parameters
    ----------
    channels : int
        Of the result.
    features : int
        Of the number: cosines and sines of frequencies that were drawn once.
    """

    def __init__(self, channels: int, features: int = 32) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(features // 2), requires_grad=False)
        self.layers = nn.Sequential(
            nn.Linear(features + 1, channels), nn.GELU(), nn.Linear(channels, channels)
        )

    def forward(self, number: Tensor) -> Tensor:
        """Shape (…, channels) of numbers (…)."""
        phase = 2 * math.pi * number[..., None] * self.frequencies
        told: Tensor = self.layers(torch.cat([number[..., None], phase.cos(), phase.sin()], dim=-1))
        return told


class Layer(nn.Module):
    """Two residual blocks and attention.

    Parameters
    ----------
    before : tuple of int
        Channels that each of the two blocks takes.
    after : int
        Channels that both give.
    size : VideoSize
    depth : int
        How often pixels were halved.
    told : int
        Channels in which the noise level is told.
    """

    def __init__(self, before: tuple[int, int], after: int, size: VideoSize, depth: int, told: int) -> None:
        super().__init__()
        self.first, self.second = Residual(before[0], after, told), Residual(before[1], after, told)
        self.attention = nn.Sequential(*_attention(after, size, max(1, size.patch // 2**depth)))

    def forward(
        self, x: Tensor, beside: Sequence[Sequence[Tensor]], told: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Maps (B, T, after, Y, X) after the first block, and after the second one and attention.

        Parameters
        ----------
        x : Tensor, shape (B, T, channels, Y, X)
        beside : two sequences of Tensor
            Maps that are concatenated to the inputs of the two blocks.
        told : Tensor, shape (B, T, channels), optional
        """
        first = self.first(torch.cat([x, *beside[0]], dim=2), told)
        return first, self.attention(self.second(torch.cat([first, *beside[1]], dim=2), told))


class VideoNetwork(nn.Module):
    """A U-Net over sequences of frames.

    Parameters
    ----------
    inputs, outputs : int
        Channels of the sequence that it takes and gives.
    size : VideoSize
    injected : bool
        Whether it is shown the features of another U-Net of the same sizes.
    leveled : bool
        Whether it is told a noise level.
    style : int
        Numbers of the style that it is told; 0 for none.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: VideoSize,
        *,
        injected: bool = False,
        leveled: bool = False,
        style: int = 0,
    ) -> None:
        super().__init__()
        self.size, widths = size, size.widths
        told = 4 * size.base if leveled or style or size.positions else 0
        self.enter = nn.Conv2d(inputs, size.base, 7, padding=3)
        self.level = Fourier(told) if leveled else None
        self.place = Fourier(told) if size.positions else None
        self.style = nn.Linear(style, told) if style else None
        more = [width if injected else 0 for width in widths]
        down = zip((size.base, *widths), widths, more, strict=False)
        self.down = nn.ModuleList(
            Layer((before + extra, after + extra), after, size, depth, told)
            for depth, (before, after, extra) in enumerate(down)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(4 * width, width, 1) for width in widths[:-1])
        last = widths[-1]
        self.middle = nn.ModuleList([Residual(last, last, told), Residual(last, last, told)])
        self.middle_attention = nn.Sequential(*_bottleneck(last, size))
        up = list(zip((last, *reversed(widths[1:])), reversed(widths), strict=True))
        self.up = nn.ModuleList(
            Layer((before + after, 2 * after), after, size, len(widths) - 1 - n, told)
            for n, (before, after) in enumerate(up)
        )
        self.grow = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in reversed(widths[1:]))
        self.final = Residual(widths[0] + size.base, size.base, told)
        self.leave = nn.Conv2d(size.base, outputs, 1)
        # the output of fresh weights is zero; on the meta device there is nothing to fill
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias) if self.leave.bias is not None else None

    def forward(
        self,
        x: Tensor,
        level: Tensor | None = None,
        features: Sequence[Tensor] | None = None,
        style: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """The output, and the features of the contractive layers.

        Parameters
        ----------
        x : Tensor, shape (B, T, inputs, Y, X)
            Of any number of frames and pixels.
        level : Tensor, shape (), (B,) or (B, T), optional
            The angle of the noise level, one for all, for each sequence or for each frame.
        features : sequence of Tensor, optional
            What another U-Net gave, for batches of 1 or B.
        style : Tensor, shape (style,), optional

        Returns
        -------
        Tensor, shape (B, T, outputs, Y, X)
        list of Tensor
        """
        rows, columns = x.shape[-2:]
        x = _extended(x, self.size.multiple)
        told = self._told(x, level, style)
        x = entered = _frames(self.enter, x)
        kept: list[Tensor] = []
        found: list[Tensor] = []
        for depth, layer in enumerate(self.down):
            shown = [] if features is None else [features[depth].expand(len(x), -1, -1, -1, -1)]
            first, x = layer(x, (shown, shown), told)
            kept += [first, x]
            found.append(x)
            if depth < len(self.shrink):
                x = _frames(self.shrink[depth], functional.pixel_unshuffle(x, 2))
        x = self.middle[1](self.middle_attention(self.middle[0](x, told)), told)
        for n, layer in enumerate(self.up):
            _, x = layer(x, ([kept.pop()], [kept.pop()]), told)
            if n < len(self.grow):
                x = _frames(self.grow[n], _twice(x))
        x = _frames(self.leave, self.final(torch.cat([x, entered], dim=2), told))
        return x[..., :rows, :columns], found

    def _told(self, x: Tensor, level: Tensor | None, style: Tensor | None) -> Tensor | None:
        """What every frame is told, (B, T, channels): noise level, place in the sequence, style."""
        batch, frames = x.shape[:2]
        parts = []
        if self.level is not None and level is not None:
            shaped = level.to(x.dtype).reshape(*level.shape, *(1,) * (2 - level.ndim))
            parts.append(self.level(shaped.expand(batch, frames)))
        if self.place is not None:
            number = torch.arange(frames, device=x.device, dtype=x.dtype) - (frames - 1) / 2
            parts.append(self.place(number / 8).expand(batch, -1, -1))
        if self.style is not None and style is not None:
            parts.append(self.style(style).expand(batch, frames, -1))
        return sum(parts[1:], start=parts[0]) if parts else None


def _attention(channels: int, size: VideoSize, patch: int) -> list[nn.Module]:
    """Of a layer."""
    sizes = {"heads": size.heads, "width": size.head}
    if size.attention == "factorised":
        return [LinearSpace(channels, patch=patch, **sizes), LinearTime(channels, **sizes)]
    if size.attention == "window":
        return [WindowSpace(channels, patch=patch, moved=each, **sizes) for each in (False, True)]
    return []


def _bottleneck(channels: int, size: VideoSize) -> list[nn.Module]:
    """Of the bottleneck."""
    sizes = {"heads": size.heads, "width": size.head}
    if size.attention == "none":
        return []
    space = QuadraticSpace(channels, **sizes)
    return [space, QuadraticTime(channels, **sizes)] if size.attention == "factorised" else [space]


def _frames(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer of single frames on a sequence (B, T, C, Y, X)."""
    found: Tensor = layer(x.flatten(0, 1))
    return found.unflatten(0, (-1, x.shape[1]))


def _twice(x: Tensor) -> Tensor:
    """Every pixel four times."""
    return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


def _extended(x: Tensor, multiple: int) -> Tensor:
    """The last row and column repeated up to a multiple of so many pixels."""
    beyond = [-size % multiple for size in x.shape[-2:]]
    if not any(beyond):
        return x
    padded = functional.pad(x.flatten(0, 1), (0, beyond[1], 0, beyond[0]), mode="replicate")
    return padded.unflatten(0, (-1, x.shape[1]))
