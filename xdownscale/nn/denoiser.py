"""A local network that tells signal from noise on the fine grid, given what is known of it.

All fine steps of a coarse frame, and small patches of fine cells, are channels of one pixel::

    x_t ──── fold ─ enter ─┐
    mean ─── fold ─ show ──┼─ blocks (dilated convolutions; scaled and shifted by the noise level) ─ leave ─ unfold
    features (coarse) ─────┘

so texture is made where it is cheap, and a pixel sees all T steps at once. Coarse frames meet in one exchange. Where
attention is wanted (``attention.py``), blocks are followed by that of a window, and frames meet by that in time. The
reach of one evaluation is known (:attr:`LocalDenoiser.reach`); a sample reaches as often as far as it is evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn

from xdownscale.nn.attention import TemporalAttention, WindowAttention
from xdownscale.nn.blocks import (
    FrameConvolution,
    FrameExchange,
    PixelNorm,
    convolve_frames,
    grow_space,
    swish,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

FREQUENCIES = (1, 2, 4, 8, 16)
"""Waves of the angle that tell the noise level."""


class LevelBlock(nn.Module):
    """Norm, a dilated convolution scaled and shifted by the noise level, another one.

    Parameters
    ----------
    channels : int
        Channels in and out.
    level : int
        Length of the vector that tells the noise level.
    dilation : int
        Distance between the points of the first kernel.
    exchange : bool
        Whether frames meet here.
    """

    def __init__(self, channels: int, *, level: int, dilation: int, exchange: bool) -> None:
        super().__init__()
        self.dilation = dilation
        self.exchange = FrameExchange() if exchange else None
        self.norm = PixelNorm(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.level = nn.Linear(level, 2 * channels)
        self.second = FrameConvolution(channels, channels, gain=0.2)
        nn.init.zeros_(self.level.weight)
        nn.init.zeros_(self.level.bias)

    @property
    def reach(self) -> tuple[int, int]:
        """Pixels and frames to each side."""
        return self.dilation + 1, 0 if self.exchange is None else 1

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Shape (B, L, C, H, W), unchanged; level (B or 1, level)."""
        h = self.norm(x if self.exchange is None else self.exchange(x))
        first, bias = self.first.weight, self.first.get_parameter("bias")
        h = convolve_frames(swish(h), first, bias, dilation=self.dilation)
        scale, shift = rearrange(self.level(level), "b c -> b 1 c 1 1").chunk(2, dim=2)
        return x + self.second(swish(h * (1 + scale) + shift))


class LocalDenoiser(nn.Module):
    """One value of each target per fine cell and step, from noisy values and what is known.

    Parameters
    ----------
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    features : int
        Channels of what is known on the coarse lattice.
    style : int
        Length of the style vector.
    width : int
        Channels.
    dilations : tuple of int
        Of the blocks, in their order.
    windows : tuple of int
        Radius in pixels of the attention after each block, in their order; none where it is 0 or left out.
    horizon : int
        Frames to each side that meet by attention; 0 for the exchange between neighbours.
    heads : int
        Of every attention.
    targets : int
        Variables whose values it gives.
    """

    def __init__(
        self,
        *,
        blocks: tuple[int, int, int],
        features: int,
        style: int,
        width: int = 64,
        dilations: tuple[int, ...] = (1, 2, 4, 1),
        windows: tuple[int, ...] = (),
        horizon: int = 0,
        heads: int = 4,
        targets: int = 1,
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.patch = (_side(blocks[1]), _side(blocks[2]))
        folded = targets * blocks[0] * self.patch[0] * self.patch[1]
        self.known = FrameConvolution(features, width, size=1)
        self.show = FrameConvolution(folded, width)
        self.enter = FrameConvolution(folded, width)
        self.level = nn.Sequential(nn.Linear(2 * len(FREQUENCIES) + style, width), nn.SiLU())
        self.trunk = nn.ModuleList(
            _trunk(width, dilations=dilations, windows=windows, horizon=horizon, heads=heads)
        )
        self.gain = nn.Linear(width, width)
        self.leave = FrameConvolution(width, folded, gain=0.1)
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.gain.bias)

    @property
    def reach(self) -> tuple[float, int]:
        """Coarse cells and coarse frames to each side that one evaluation looks at."""
        blocks = (block for block in self.trunk if isinstance(block, Block))
        pixels, frames = (sum(each) for each in zip((2, 0), *(block.reach for block in blocks), strict=True))
        cells = max(pixels * side / size for side, size in zip(self.patch, self.blocks[1:], strict=True))
        return cells, frames

    def condition(self, features: Tensor, mean: Tensor) -> Tensor:
        """What is known, shared by members and noise levels.

        Parameters
        ----------
        features : Tensor, shape (B, L, features, M, N)
        mean : Tensor, shape (B, T·L, targets, S_y·M, S_x·N)
            A best guess, of about unit size.

        Returns
        -------
        Tensor, shape (B, L, width, S_y·M/p_y, S_x·N/p_x)
        """
        pixels = (self.blocks[1] // self.patch[0], self.blocks[2] // self.patch[1])
        return grow_space(self.known(features), (1, 1), pixels) + self.show(self._folded(mean))

    def forward(self, x_t: Tensor, angle: Tensor, known: Tensor, style: Tensor) -> Tensor:
        """The output at a noise level.

        Parameters
        ----------
        x_t : Tensor, shape (B, T·L, targets, S_y·M, S_x·N)
            Noisy values of unit variance.
        angle : Tensor, of B or one value
            0 (signal) to π/2 (noise).
        known : Tensor
            From :meth:`condition`, of B or one window.
        style : Tensor, shape (style,)
            The texture that is wanted.
        """
        turns = angle.to(x_t).reshape(-1, 1) * x_t.new_tensor(FREQUENCIES)
        wanted = style.to(x_t).expand(len(turns), -1)
        level = self.level(torch.cat([torch.cos(turns), torch.sin(turns), wanted], dim=1))
        h = self.enter(self._folded(x_t)) + known
        for block in self.trunk:
            h = block(h, level) if isinstance(block, LevelBlock) else block(h)
        # how much of x_t is noise changes by orders of magnitude from level to level, and with it the answer
        return self._unfolded(self.leave(h * rearrange(torch.exp(self.gain(level)), "b c -> b 1 c 1 1")))

    def _folded(self, fine: Tensor) -> Tensor:
        t, (p, q) = self.blocks[0], self.patch
        return rearrange(fine, "b (l t) c (h p) (w q) -> b l (c t p q) h w", t=t, p=p, q=q)

    def _unfolded(self, pixels: Tensor) -> Tensor:
        t, (p, q) = self.blocks[0], self.patch
        return rearrange(pixels, "b l (c t p q) h w -> b (l t) c (h p) (w q)", t=t, p=p, q=q)


Block = LevelBlock | WindowAttention | TemporalAttention
"""What a trunk is made of."""


def _trunk(
    width: int, *, dilations: tuple[int, ...], windows: tuple[int, ...], horizon: int, heads: int
) -> Iterator[Block]:
    """Convolutions, each followed by its attention; frames meet in the middle."""
    radii = (*windows, *[0] * (len(dilations) - len(windows)))
    for number, (dilation, radius) in enumerate(zip(dilations, radii, strict=True)):
        meet = number == len(dilations) // 2
        if meet and horizon:
            yield TemporalAttention(width, heads=heads, horizon=horizon)
        yield LevelBlock(width, level=width, dilation=dilation, exchange=meet and not horizon)
        if radius:
            yield WindowAttention(width, heads=heads, radius=radius)


def _side(size: int) -> int:
    """Fine cells along the side of a patch: 2 or 3 if that divides a coarse cell, else 1.

    >>> [_side(size) for size in (10, 25, 9, 1)]
    [2, 1, 3, 1]
    """
    return next((side for side in (2, 3) if size % side == 0), 1)
