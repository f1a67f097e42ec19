"""A local network that grows a coarse lattice into a fine one.

Nothing finer than a coarse cell is in the input, so depth belongs on the coarse lattice, where it is cheap::

    condition ─ encoder (no noise, shared by members) ─ decoder on coarse cells (noise) ─ frames ×T
              ─ stage 1: more pixels per cell (noise) ─ stage 2 ─ … ─ stage n: S pixels per cell ─ one value

The same operations act at every cell and frame; the reach in cells and frames is known (:attr:`LocalNetwork.reach`).
"""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from xdownscale.kernels.resize import resize_axis
from xdownscale.nn.blocks import (
    FrameConvolution,
    FrameExchange,
    NoiseInjection,
    ResidualBlock,
    convolve_frames,
    grow_space,
    with_neighbours,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class NoiseMaps(NamedTuple):
    """One set of independent normal maps that a network asks for."""

    maps: int
    """Maps per frame."""
    pixels: tuple[int, int]
    """Pixels per coarse cell along y and x."""
    frames: int
    """Frames per coarse frame: 1 or T."""


class Reach(NamedTuple):
    """How far an output looks into the input."""

    cells: int
    """Coarse cells to each side."""
    frames: int
    """Coarse frames to each side."""


def ladder(size: int, steps: int) -> list[int]:
    """Pixels per cell at each stage, from 1 (not listed) to `size` in nearly equal ratios.

    >>> ladder(10, 3)
    [2, 5, 10]
    >>> ladder(25, 5)
    [2, 4, 7, 13, 25]
    """
    return [max(1, round(size ** (i / steps))) for i in range(1, steps + 1)]


class Stage(nn.Module):
    """One step up the ladder: fewer channels, more pixels, fresh noise, the interpolated input once more.

    Parameters
    ----------
    inputs, channels : int
        Channels below and here.
    conditions : int
        Channels of the interpolated input.
    maps : int
        Noise maps; 0 for none.
    deep : bool
        Two convolutions and an exchange of frames, or a single convolution.
    """

    def __init__(self, inputs: int, channels: int, *, conditions: int, maps: int, deep: bool) -> None:
        super().__init__()
        self.narrow = FrameConvolution(inputs, channels, size=1)
        self.condition = FrameConvolution(conditions, channels, size=1, gain=0.3)
        self.noise = NoiseInjection(maps, channels) if maps else None
        self.first = FrameConvolution(channels, channels)
        self.exchange = FrameExchange() if deep else None
        self.second = FrameConvolution(channels, channels, gain=0.5) if deep else None

    def forward(
        self,
        x: Tensor,
        condition: Tensor,
        noise: Tensor | None,
        before: tuple[int, int],
        after: tuple[int, int],
    ) -> Tensor:
        """Features at `before` pixels per cell to features at `after` pixels per cell."""
        x = grow_space(self.narrow(x), before, after)
        spare = not torch.is_grad_enabled()
        given = self._given(condition, noise)
        x = x.add_(given) if spare else x + given
        deep = self.exchange is not None and self.second is not None
        h = nn.functional.silu(x, inplace=spare and not deep)
        h = nn.functional.silu(self.first(h), inplace=spare)
        if self.exchange is None or self.second is None:
            return h
        return x + self.second(self.exchange(h))

    def _given(self, condition: Tensor, noise: Tensor | None) -> Tensor:
        """Condition and noise, mixed to channels by one convolution instead of two: at full resolution passes count."""
        if self.noise is None or noise is None:
            mixed: Tensor = self.condition(condition)
            return mixed
        shown, drawn = self.condition.convolution, self.noise.mixture.convolution
        weight = torch.cat([shown.weight, drawn.weight], dim=1)
        bias = shown.get_parameter("bias") + drawn.get_parameter("bias")
        maps = [condition, *with_neighbours(noise)]
        odd = -weight.shape[1] % 4
        if odd:  # some odd numbers of channels are summed in an order that depends on the size of the field
            weight = nn.functional.pad(weight, (0, 0, 0, 0, 0, odd))
            maps.append(torch.zeros_like(condition[:, :, :1]).expand(-1, -1, odd, -1, -1))
        return convolve_frames(torch.cat(maps, dim=2), weight, bias)


class LocalNetwork(nn.Module):
    """From a coarse window to one value per fine cell and step.

    Parameters
    ----------
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    inputs : int
        Channels of the condition on the coarse lattice.
    conditions : int
        Channels of the interpolated condition, given to every stage.
    maps : tuple of int
        Noise maps of the coarse decoder, of the inner stages and of the last stage; all 0 for a deterministic net.
    width : int
        Channels of the encoder.
    encoder_blocks, decoder_blocks : int
        Residual blocks on the coarse lattice without and with noise.
    stages : tuple of int
        Channels of the decoder, then of the first, the inner and the last stage (the inner ones repeat).
    """

    def __init__(
        self,
        *,
        blocks: tuple[int, int, int],
        inputs: int,
        conditions: int = 1,
        maps: tuple[int, int, int] = (4, 4, 1),
        width: int = 96,
        encoder_blocks: int = 3,
        decoder_blocks: int = 2,
        stages: tuple[int, int, int, int] = (64, 32, 16, 8),
    ) -> None:
        super().__init__()
        self.blocks = tuple(blocks)
        steps = max(1, round(log2(max(blocks[1:]))))
        self.rungs = list(zip(ladder(blocks[1], steps), ladder(blocks[2], steps), strict=True))
        inner = [stages[1], *[stages[2]] * max(0, steps - 2)][: steps - 1]
        channels = [*inner, stages[3]]
        self.maps = [*[maps[0]] * decoder_blocks, *[maps[1]] * (steps - 1), maps[2]]
        self.enter = FrameConvolution(inputs, width)
        self.encoder = nn.ModuleList(ResidualBlock(width) for _ in range(encoder_blocks))
        self.narrow = FrameConvolution(width, stages[0], size=1)
        self.decoder = nn.ModuleList(ResidualBlock(stages[0], maps=maps[0]) for _ in range(decoder_blocks))
        self.stages = nn.ModuleList(
            Stage(below, here, conditions=conditions, maps=count, deep=level < steps - 1)
            for level, (below, here, count) in enumerate(
                zip([stages[0], *channels[:-1]], channels, self.maps[decoder_blocks:], strict=True)
            )
        )
        self.leave = FrameConvolution(channels[-1], 1, gain=0.1)

    @property
    def noise_maps(self) -> list[NoiseMaps]:
        """The noise that one member needs, in the order of :meth:`decode`."""
        frames = self.blocks[0]
        coarse = [NoiseMaps(count, (1, 1), 1) for count in self.maps[: len(self.decoder)] if count]
        fine = [
            NoiseMaps(count, rung, frames)
            for count, rung in zip(self.maps[len(self.decoder) :], self.rungs, strict=True)
            if count
        ]
        return coarse + fine

    @property
    def reach(self) -> Reach:
        """How far an output looks, in coarse cells and frames.

        A residual block reaches two cells (two 3×3 convolutions) and one frame. A stage at r pixels per cell reaches
        one pixel of the rung below by interpolation and at most two of its own; growing the frame axis reaches one
        frame, and so do the exchanges of the fine stages and the noise together.
        """
        below, pixels = 1, 0.0
        for level, rung in enumerate(self.rungs):
            side = min(rung)
            pixels += 1 / below + (2 if level < len(self.rungs) - 1 else 1) / side
            below = side
        trunk = len(self.encoder) + len(self.decoder)
        exchanges = len(self.rungs) - 1
        return Reach(
            cells=1 + 2 * trunk + ceil(pixels + 1 / min(self.rungs[-1])),
            frames=1 + trunk + ceil(exchanges / self.blocks[0]),
        )

    def encode(self, condition: Tensor) -> Tensor:
        """Features of a window, the same for all members.

        Parameters
        ----------
        condition : Tensor, shape (B, L, inputs, M, N)

        Returns
        -------
        Tensor, shape (B, L, decoder channels, M, N)
        """
        x = self.enter(condition)
        for block in self.encoder:
            x = block(x)
        return self.narrow(x)

    def decode(self, features: Tensor, conditions: Sequence[Tensor], noise: Sequence[Tensor]) -> Tensor:
        """One member of the fine field.

        Parameters
        ----------
        features : Tensor, shape (B, L, decoder channels, M, N)
            From :meth:`encode`.
        conditions : sequence of Tensor
            The condition interpolated to each rung: shape (B, T·L, conditions, M·r_y, N·r_x).
        noise : sequence of Tensor
            As :attr:`noise_maps` says, each (B, frames·L + 2, maps, M·r_y, N·r_x); empty for a deterministic net.

        Returns
        -------
        Tensor, shape (B, T·L, S_y·M, S_x·N)
        """
        supply = iter(noise)
        x = features
        for block in self.decoder:
            x = block(x, next(supply, None))
        x = resize_axis(x, 1, self.blocks[0], dim=1)
        rungs = [(1, 1), *self.rungs]
        for level, stage in enumerate(self.stages[:-1]):
            x = stage(x, conditions[level], next(supply, None), rungs[level], rungs[level + 1])
        return self._leave(x, conditions[-1], next(supply, None), rungs[-2], rungs[-1])

    def _leave(
        self,
        x: Tensor,
        condition: Tensor,
        noise: Tensor | None,
        before: tuple[int, int],
        after: tuple[int, int],
    ) -> Tensor:
        """The last stage and the value: frames do not meet any more.

        Without gradients they pass one by one, so that their features stay in the cache. Never as many as would fit:
        results must not depend on the size of the field, and the order of sums in a convolution may on its batch.
        """
        step = condition.shape[1] if torch.is_grad_enabled() else 1
        parts = []
        for first in range(0, condition.shape[1], step):
            now = slice(first, first + step)
            drawn = None if noise is None else noise[:, first : first + step + 2]
            part = self.leave(self.stages[-1](x[:, now], condition[:, now], drawn, before, after))
            parts.append(part.squeeze(2))
        return torch.cat(parts, dim=1)
