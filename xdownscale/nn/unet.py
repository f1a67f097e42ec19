"""A U-Net that tells signal from noise in windows: frames and variables are its channels.

The network of SDA (Rozet & Louppe 2023, arXiv:2306.10574) that Schmidt et al. (2025, arXiv:2412.15361) took: residual
blocks with a norm over channels, convolutions of stride 2 on the way down, nearest neighbours and a convolution on
the way up, skips that are added, attention of all pixels at the lowest level, and the noise level added to the input
of every block. With ``gains`` the noise level also scales what is inside a block and the answer: how much of x_t is
noise changes by orders of magnitude from level to level, and a network that is trained for minutes cannot learn to
multiply.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from einops import rearrange
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class UNetSize:
    """How large a U-Net is.

    Parameters
    ----------
    channels : tuple of int
        Of every level, from the finest on; each next one has half the cells along y and x.
    depth : int
        Residual blocks of a level, on the way down and again on the way up.
    attention : bool
        Whether all pixels of the lowest level meet after each of its blocks.
    waves : int
        Features of the noise level.
    gains : bool
        Whether the noise level scales as well.
    torus : bool
        Whether convolutions go round the tile; otherwise there is nothing beyond its border.
    """

    channels: tuple[int, ...] = (32, 64, 96)
    depth: int = 2
    attention: bool = False
    waves: int = 32
    gains: bool = True
    torus: bool = True

    @property
    def padding(self) -> Literal["circular", "zeros"]:
        """As convolutions call it."""
        return "circular" if self.torus else "zeros"

    @property
    def multiple(self) -> int:
        """Cells along y and x are a multiple of this."""
        return int(2 ** (len(self.channels) - 1))


class ChannelNorm(nn.Module):
    """Every pixel standardised over its channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, C, H, W), unchanged."""
        variance, mean = torch.var_mean(x, 1, unbiased=False, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + 1e-5)


class PixelAttention(nn.Module):
    """All pixels of a map attend to each other, with one head.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm()
        self.ask = nn.Conv2d(channels, 3 * channels, 1)
        self.leave = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, C, H, W), unchanged."""
        parts = rearrange(self.ask(self.norm(x)), "b (n c) h w -> n b 1 (h w) c", n=3)
        found = nn.functional.scaled_dot_product_attention(*parts)
        return x + self.leave(rearrange(found, "b 1 (h w) c -> b c h w", h=x.shape[2]))


class Block(nn.Module):
    """Two convolutions of what a pixel is and of how noisy it is, added to it.

    Parameters
    ----------
    channels : int
    told : int
        Length of the vector that tells the noise level.
    size : UNetSize
    """

    def __init__(self, channels: int, told: int, size: UNetSize) -> None:
        super().__init__()
        self.shift = nn.Linear(told, channels)
        self.scale = nn.Linear(told, channels) if size.gains else None
        self.norm = ChannelNorm()
        self.first = _convolution(channels, channels, size)
        self.second = _convolution(channels, channels, size)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Shape (B, C, H, W), unchanged; told (B or 1, told)."""
        inside = self.first(self.norm(x + self.shift(told)[..., None, None]))
        if self.scale is not None:
            inside = inside * (1 + self.scale(told)[..., None, None])
        return x + self.second(nn.functional.silu(inside))


class UNet(nn.Module):
    """As many values as it is given, from noisy ones and the noise level.

    Parameters
    ----------
    channels : int
        Out: frames × variables.
    size : UNetSize
    given : int, optional
        Channels in; None for as many as out.
    """

    def __init__(self, channels: int, size: UNetSize, given: int | None = None) -> None:
        super().__init__()
        self.size, told = size, max(size.channels)
        self.level = nn.Sequential(nn.Linear(size.waves, told), nn.SiLU(), nn.Linear(told, told))
        widths = size.channels

        def blocks(level: int) -> nn.ModuleList:
            width, lowest = widths[level], size.attention and level == len(widths) - 1
            return nn.ModuleList(
                nn.ModuleList([Block(width, told, size), *([PixelAttention(width)] if lowest else [])])
                for _ in range(size.depth)
            )

        self.heads = nn.ModuleList([_convolution(given or channels, widths[0], size)])
        self.tails = nn.ModuleList([_convolution(widths[0], channels, size)])
        for fine, coarse in pairwise(widths):
            self.heads.append(_convolution(fine, coarse, size, stride=2))
            up = [ChannelNorm(), nn.Upsample(scale_factor=2), _convolution(coarse, fine, size)]
            self.tails.append(nn.Sequential(*up))
        self.down = nn.ModuleList(blocks(level) for level in range(len(widths)))
        self.up = nn.ModuleList(blocks(level) for level in range(len(widths)))
        self.gain = nn.Linear(told, channels) if size.gains else None

    def silenced(self) -> UNet:
        """The same network, which answers zero until it learns."""
        for weight in self.tails[0].parameters():
            nn.init.zeros_(weight)
        return self

    def forward(self, x_t: Tensor, angle: Tensor) -> Tensor:
        """The answer at a noise level.

        Parameters
        ----------
        x_t : Tensor, shape (B, C, H, W)
            Noisy values; H and W are multiples of ``size.multiple``.
        angle : Tensor, of B or one value
            0 (signal) to π/2 (noise).
        """
        told = nn.functional.silu(self.level(self._waves(angle.to(x_t))))
        kept, x = [], x_t
        for head, level in zip(self.heads, self.down, strict=True):
            x = _through(level, head(x), told)
            kept.append(x)
        for tail, level in zip(reversed(self.tails), reversed(self.up), strict=True):
            x = _through(level, x, told)
            kept.pop()
            x = tail(x) + kept[-1] if kept else tail(x)
        return x if self.gain is None else x * torch.exp(self.gain(told))[..., None, None]

    def _waves(self, angle: Tensor) -> Tensor:
        """Sines and cosines of the noise level, (B or 1, waves).

        Of log(1 + 100·angle), which tells small angles apart as well as large ones.
        """
        level = torch.log1p(100 * angle.reshape(-1, 1)) / 5
        turns = torch.logspace(0, 1.5, self.size.waves // 2, device=angle.device, dtype=angle.dtype)
        return torch.cat([torch.sin(level * turns), torch.cos(level * turns)], dim=1)


def _convolution(given: int, channels: int, size: UNetSize, *, stride: int = 1) -> nn.Conv2d:
    """One of 3 × 3 cells."""
    return nn.Conv2d(given, channels, 3, stride=stride, padding=1, padding_mode=size.padding)


def _through(level: Any, x: Tensor, told: Tensor) -> Tensor:
    """Through the blocks of a level."""
    for block, *attention in level:
        x = block(x, told)
        for each in attention:
            x = each(x)
    return x
