"""The two U-Nets of the scale-adaptive framework: one from L coarse frames to the mean, one that denoises what is left.

Defez et al. 2026 (arXiv:2604.21903, section 3.2 and appendix 9). The first one sees L frames on the fine grid. In each
encoder stage every pixel attends to itself in the L frames, and the last frame to a window around each pixel; skips and
decoder have the last frame alone, whose T fine steps are the channels of the answer. The second one sees the noisy
residual, the last frame and the mean; each of its blocks is scaled and shifted by the step of the diffusion, and every
pixel attends to L tokens, one for each frame, which an encoder of the context makes.

What the text leaves open is as in the authors' code, with four exceptions. Every map is normalised over the channels of
a pixel instead of by the statistics of a batch: windows are learned one by one, and an answer must not depend on how
large a domain is. Attention is that of ``nn.attention``, with a learned bias for each offset in place of a feed-forward
layer and drop-out. Tokens know which frame they are of. And the encoder of the context is a part of the network like
any other, where theirs stayed as it was drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional

from xdownscale.nn.attention import TemporalAttention, WindowAttention
from xdownscale.nn.blocks import FrameConvolution, PixelNorm
from xdownscale.nn.video import Residual

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class AdaptiveSize:
    """Sizes of the two U-Nets; the defaults are the published ones, for tiles of 100 × 100 fine cells.

    Parameters
    ----------
    mean_widths, residual_widths : tuple of int
        Channels of every level of the two, the bottleneck last; each level has half the pixels of the one before. Those
        of the second are multiples of 8.
    windows : tuple of int
        n of every level; empty for no attention in space.
    sides : bool
        Whether n is the side of a window, as in the authors' code, n × n pixels and none around for n = 1; otherwise
        the window has (2n + 1) × (2n + 1) pixels, as in the paper.
    heads : int
        Of attention in space and time.
    told : int
        Numbers that tell the step of the diffusion: sines and cosines.
    token : int
        Numbers of a token of the context; 0 for a denoiser that does not see it.
    frames : {"attention", "stacked", "last"}
        How the L frames reach the mean: apart, through attention in time; as channels of one frame, L + 1 with the
        topography, as the text counts them; or the last one alone.
    """

    mean_widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    residual_widths: tuple[int, ...] = (64, 128, 256, 512)
    windows: tuple[int, ...] = (3, 3, 1, 1, 1)
    sides: bool = False
    heads: int = 4
    told: int = 128
    token: int = 256
    frames: str = "attention"

    def radius(self, level: int) -> int | None:
        """Pixels to each side of the window of a level; None for no attention.

        >>> [AdaptiveSize().radius(level) for level in range(5)]
        [3, 3, 1, 1, 1]
        >>> [AdaptiveSize(sides=True).radius(level) for level in range(5)]
        [1, 1, 0, 0, 0]
        """
        if level >= len(self.windows):
            return None
        return (self.windows[level] - 1) // 2 if self.sides else self.windows[level]


class ConvolutionBlock(nn.Module):
    """Two convolutions with rectifiers, and a norm."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first, self.second = FrameConvolution(before, after), FrameConvolution(after, after)
        self.norm = PixelNorm(after)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, before, H, W) to (B, L, after, H, W)."""
        return self.norm(functional.relu(self.second(functional.relu(self.first(x)))))


class EncoderStage(nn.Module):
    """Convolutions, attention in time, convolutions, and attention in space for the last frame.

    Parameters
    ----------
    before, after : int
        Channels.
    length : int
        Frames that meet; 1 for no attention in time.
    heads : int
        Of attention.
    radius : int or None
        Of windows; None for no attention in space.
    """

    def __init__(self, before: int, after: int, *, length: int, heads: int, radius: int | None) -> None:
        super().__init__()
        self.enter, self.leave = ConvolutionBlock(before, after), ConvolutionBlock(after, after)
        self.time = TemporalAttention(after, heads=heads, horizon=length - 1) if length > 1 else None
        self.space = None if radius is None else WindowAttention(after, heads=heads, radius=radius)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, before, H, W) to (B, L, after, H, W)."""
        x = self.enter(x)
        x = self.leave(x if self.time is None else self.time(x))
        if self.space is None:
            return x
        return torch.cat([x[:, :-1], self.space(x[:, -1:])], dim=1)


class DecoderStage(nn.Module):
    """Twice the pixels, and convolutions beside the skip."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.grow, self.norm = FrameConvolution(before, after), PixelNorm(after)
        self.block = ConvolutionBlock(2 * after, after)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Shape (B, 1, before, H/2, W/2) to that of the skip, (B, 1, after, H, W)."""
        wide = functional.interpolate(x[:, 0], scale_factor=2, mode="bicubic", align_corners=False)
        wide = wide[:, None, :, : skip.shape[-2], : skip.shape[-1]]
        grown = functional.relu(self.norm(self.grow(wide)))
        return self.block(torch.cat([skip, grown], dim=2))


class MeanNetwork(nn.Module):
    """The fine steps of the last of L frames.

    Parameters
    ----------
    inputs : int
        Channels of a frame.
    outputs : int
        Channels of the answer: fine steps × targets.
    length : int
        L.
    size : AdaptiveSize
    """

    def __init__(self, inputs: int, outputs: int, length: int, size: AdaptiveSize) -> None:
        super().__init__()
        self.frames, widths = size.frames, size.mean_widths
        first = inputs * length if size.frames == "stacked" else inputs
        together = length if size.frames == "attention" else 1
        self.down = nn.ModuleList(
            EncoderStage(before, after, length=together, heads=size.heads, radius=size.radius(level))
            for level, (before, after) in enumerate(zip((first, *widths), widths, strict=False))
        )
        pairs = list(zip(widths[1:], widths, strict=False))
        self.up = nn.ModuleList(DecoderStage(before, after) for before, after in reversed(pairs))
        self.final = FrameConvolution(widths[0], outputs, size=1, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """The answer (B, outputs, H, W) to frames (B, L, inputs, H, W), zero for fresh weights."""
        if self.frames == "stacked":
            x = rearrange(x, "b l c h w -> b 1 (l c) h w")
        elif self.frames == "last":
            x = x[:, -1:]
        kept = []
        for level, stage in enumerate(self.down):
            x = stage(_shrunk(x) if level else x)
            kept.append(x[:, -1:])
        x = kept.pop()
        for stage in self.up:
            x = stage(x, kept.pop())
        return self.final(x)[:, 0]


class ContextEncoder(nn.Module):
    """A token for each of L frames: a convolution, a mean over all pixels, and two layers of a transformer.

    Parameters
    ----------
    inputs : int
        Channels of a frame.
    length : int
        L.
    token : int
        Numbers of a token.
    """

    def __init__(self, inputs: int, length: int, token: int) -> None:
        super().__init__()
        self.convolution = FrameConvolution(inputs, token)
        self.place = nn.Parameter(0.02 * torch.randn(length, token))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                token,
                nhead=math.gcd(token, 4),
                dim_feedforward=2 * token,
                dropout=0.0,
                batch_first=True,
                norm_first=True,
            )
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, L, token) of frames (B, L, inputs, H, W)."""
        tokens = functional.relu(self.convolution(x)).mean((-2, -1)) + self.place
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


class CrossAttention(nn.Module):
    """Every pixel attends to tokens, with one head; no effect until it is trained.

    Parameters
    ----------
    channels : int
        Of the maps.
    token : int
        Numbers of a token.
    """

    def __init__(self, channels: int, token: int) -> None:
        super().__init__()
        self.norm = PixelNorm(channels)
        self.ask = FrameConvolution(channels, channels, size=1)
        self.key, self.value = nn.Linear(token, channels), nn.Linear(token, channels)
        self.leave = FrameConvolution(channels, channels, size=1, gain=0.0)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Maps (B, K, channels, H, W) of K frames, unchanged in shape; tokens (B or 1, K, L, token)."""
        query, key, value = self.ask(self.norm(x)), self.key(tokens), self.value(tokens)
        key, value = (each.expand(len(x), -1, -1, -1) for each in (key, value))
        scores = torch.einsum("bkchw,bklc->bklhw", query, key) * query.shape[2] ** -0.5
        found = torch.einsum("bklhw,bklc->bkchw", scores.softmax(2), value)
        return x + self.leave(found)


class ResidualNetwork(nn.Module):
    """The velocity of a noisy residual of frames.

    Parameters
    ----------
    inputs, outputs : int
        Channels of what it is shown, the noisy residual among it, and of the answer.
    size : AdaptiveSize
    style : int
        Numbers of the style that it is told; 0 for none.
    """

    def __init__(self, inputs: int, outputs: int, size: AdaptiveSize, *, style: int = 0) -> None:
        super().__init__()
        widths, told = size.residual_widths, 4 * size.residual_widths[0]
        self.told = size.told
        self.level = nn.Sequential(nn.Linear(size.told, told), nn.SiLU(), nn.Linear(told, told))
        self.style = nn.Linear(style, told) if style else None
        self.down = nn.ModuleList(
            Residual(before, after, told) for before, after in zip((inputs, *widths), widths, strict=False)
        )
        radii = [size.radius(level) for level in range(len(widths))]
        self.space = nn.ModuleList(
            nn.Identity() if radius is None else WindowAttention(width, heads=size.heads, radius=radius)
            for width, radius in zip(widths, radii, strict=True)
        )
        self.cross = nn.ModuleList(CrossAttention(width, size.token) for width in widths if size.token)
        pairs = list(zip(widths[1:], widths, strict=False))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(low, high, 2, stride=2) for low, high in reversed(pairs))
        self.up = nn.ModuleList(Residual(2 * high, high, told) for _, high in reversed(pairs))
        self.final = FrameConvolution(widths[0], outputs, size=1, gain=0.0)

    def forward(self, x: Tensor, step: Tensor, tokens: Tensor | None, style: Tensor | None = None) -> Tensor:
        """The answer (B, K, outputs, H, W), zero for fresh weights.

        Parameters
        ----------
        x : Tensor, shape (B, K, inputs, H, W)
            K frames, each for itself.
        step : Tensor, shape (), (1,) or (B,)
            j, from 0 to J.
        tokens : Tensor, shape (B or 1, K, L, token), or None
            The context of every frame.
        style : Tensor, shape (style,), optional
        """
        told = self.level(step_waves(step.reshape(-1).to(x), self.told))
        if self.style is not None and style is not None:
            told = told + self.style(style)
        told = told[:, None].expand(len(x), x.shape[1], -1)
        kept = []
        for level, (block, space) in enumerate(zip(self.down, self.space, strict=True)):
            x = space(block(_shrunk(x) if level else x, told))
            if tokens is not None and len(self.cross):
                x = self.cross[level](x, tokens)
            kept.append(x)
        x = kept.pop()
        for grow, block in zip(self.grow, self.up, strict=True):
            skip = kept.pop()
            wide = grow(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            x = block(torch.cat([skip, wide[..., : skip.shape[-2], : skip.shape[-1]]], dim=2), told)
        return self.final(x)


def step_waves(step: Tensor, count: int) -> Tensor:
    """Sines and cosines of a step, (B, count), of wavelengths from 2π to 20000π.

    Vaswani et al. 2017 (arXiv:1706.03762, section 3.5).

    >>> step_waves(torch.tensor([0.0]), 4)
    tensor([[0., 0., 1., 1.]])
    """
    half = count // 2
    rates = torch.exp(-math.log(1e4) * torch.arange(half, device=step.device, dtype=step.dtype) / half)
    phase = step[:, None] * rates
    return torch.cat([phase.sin(), phase.cos()], dim=1)


def _shrunk(x: Tensor) -> Tensor:
    """Half the pixels of (B, L, C, H, W): the largest of four; odd sizes are rounded up."""
    return functional.max_pool2d(x.flatten(0, 1), 2, ceil_mode=True).unflatten(0, x.shape[:2])
