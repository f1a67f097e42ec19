r"""A local network for every pair of factors and every scale: weights of that of ``local.py`` depend on both.

* **Stages are counted from the fine end.** The last, the last but one, and all earlier ones share their weights over
  all pairs of factors: stage k ends at about 2ᵏ fine cells, whatever S is. A 1 × 1 convolution for each stage at which
  the ladder may be entered takes the features of the coarse lattice in.
* **Steps of a coarse frame** grow from basis functions of their phase τ_j = (j + ½)/T, :class:`GrownByPhase`.
* **Scale** is told by a vector (:class:`ScaleCode`): sizes of a pixel, steps, factors. It scales and shifts what enters
  convolutions, as the style does, and so costs nothing per pixel.
* **Velocity** is bounded in km/h, and **memory** of noise counted in minutes, in proportion to the size of a fine cell:
  what is large lives long.
* Where cells are small the trunk looks at farther ones (:attr:`Lattice.dilation`): at S = 1 rain moves by more cells in
  a frame than 3 × 3 kernels reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log2, sqrt
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn

from xdownscale.kernels.resize import resize_axis
from xdownscale.nn.advected_noise import Carried, Movement, NoiseMaps, Shift, stage_maps, stage_shifts
from xdownscale.nn.blocks import (
    FrameConvolution,
    FrameExchange,
    PixelNorm,
    StyledConvolution,
    convolve_frames,
    swish,
    with_neighbours,
)
from xdownscale.nn.climb import Climb
from xdownscale.nn.local import Reach, ladder
from xdownscale.nn.stage import Given, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SHARED = 3
"""Stages with weights of their own, from the fine end; earlier ones share those of the third."""

PHASES = 6
"""Basis functions of the phase of a step within its frame: up to six steps are as free as with weights of their own."""

FASTEST = 100.0
"""Largest velocity along an axis, km/h."""

LIVES = (15.0, 30.0)
"""Minutes over which noise of a fine cell of 1 km is remembered: a short and a long memory."""

LONGEST = 4
"""Coarse frames of the longest memory: each asks for two more anchors."""

VIEW = 5
"""Fine cells between the taps of the trunk's kernels, at least: rain moves by some in a frame."""

CODED = (1.5, 1.5), (4.1, 1.2), (1.6, 1.4), (2.3, 1.4), (1.2, 0.9), (1.0, 0.4)
"""Middle and half width over the training range of log2 of: pixel in km, step in minutes, growth that remains, S, T,
growth of the stage."""

LEARNED = 8
"""Entries of a code that a small network makes of the others."""

CODE = len(CODED) + LEARNED


@dataclass(frozen=True)
class Lattice:
    """What a network is used for: factors, and the size of what they lead to.

    Parameters
    ----------
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    km, minutes : float
        Side of a fine cell, and length of a fine step.

    Examples
    --------
    >>> radar, model = Lattice((3, 10, 10), 1.0, 5.0), Lattice((6, 4, 4), 8.0, 60.0)
    >>> radar.rungs, radar.fastest, radar.memories
    ([(2, 2), (5, 5), (10, 10)], (2.5, 2.5), (1, 2))
    >>> model.rungs, model.fastest, model.memories
    ([(2, 2), (4, 4)], (18.75, 18.75), (0, 1))
    """

    blocks: tuple[int, int, int]
    km: float
    minutes: float

    @property
    def rungs(self) -> list[tuple[int, int]]:
        """Pixels per cell along y and x at each stage."""
        _, y, x = self.blocks
        steps = max(1, round(log2(max(y, x))))
        return list(zip(ladder(y, steps), ladder(x, steps), strict=True))

    @property
    def dilation(self) -> int:
        """Coarse cells between the taps of the first kernel of every block of the trunk."""
        return ceil(VIEW / min(self.blocks[1:]))

    @property
    def fastest(self) -> tuple[float, float]:
        """Largest velocity along y and x, in coarse cells per coarse frame."""
        time, y, x = self.blocks
        way = FASTEST * time * self.minutes / 60
        return way / (self.km * y), way / (self.km * x)

    @property
    def memories(self) -> tuple[int, int]:
        """The short and the long memory in coarse frames; 0 where a frame is longer."""
        frame = self.blocks[0] * self.minutes
        short, long = (min(LONGEST, round(lives * self.km / frame)) for lives in LIVES)
        return short, long

    def features(self, level: int | None) -> list[float]:
        """What :data:`CODED` lists, standardised, for a stage from 0; None for the coarse lattice."""
        time, y, x = self.blocks
        here, below = (1.0, 1.0) if level is None else (self._side(level), self._side(level - 1))
        size = sqrt(y * x)
        told = (self.km * size / here, self.minutes, size / here, size, time, here / below)
        return [(log2(value) - middle) / half for value, (middle, half) in zip(told, CODED, strict=True)]

    def _side(self, level: int) -> float:
        y, x = self.rungs[level] if level >= 0 else (1, 1)
        return sqrt(y * x)


class ScaleCode(nn.Module):
    """A vector that tells a scale: standardised logarithms as they are, and what a small network makes of them.

    As they are, they are loud from the first step; a code that is faint at first stays so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(len(CODED), 2 * LEARNED)
        self.outer = nn.Linear(2 * LEARNED, LEARNED)

    def forward(self, lattice: Lattice, level: int | None) -> Tensor:
        """The code of a stage, or of the coarse lattice, shape (CODE,)."""
        told = self.inner.weight.new_tensor(lattice.features(level))
        made = self.outer(torch.tanh(self.inner(told)))
        return torch.cat([told, made / (made.square().mean() + 1e-6).sqrt()])


class GrownByPhase(nn.Module):
    """What each fine step of a coarse frame has of its own: W(τ) = Σ_k φ_k(τ)·W_k, for any number of steps.

    φ_0 = 1, φ_k(τ) = √2·cos(πkτ); φ_k = 0 for k ≥ T, where cosines at T phases are no longer told apart. Starts with no
    effect. Why it is needed, see :class:`xdownscale.nn.blocks.GrownApart`.

    Parameters
    ----------
    channels : int
        Channels in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.parts = FrameConvolution(3 * channels, PHASES * channels, size=1, gain=0.0)

    def forward(self, x: Tensor, steps: int) -> Tensor:
        """Shape (B, L, C, H, W) to (B, steps·L, C, H, W); beyond the ends the last frame is repeated."""
        before, after = torch.cat([x[:, :1], x[:, :-1]], dim=1), torch.cat([x[:, 1:], x[:, -1:]], dim=1)
        convolution, phases = self.parts.convolution, basis(steps).to(x)
        weight = _combined(phases, convolution.weight)
        bias = _combined(phases, convolution.get_parameter("bias"))
        parts = convolve_frames(torch.cat([before, x, after], dim=2), weight, bias)
        return rearrange(parts, "b l (t c) h w -> b (l t) c h w", t=steps)


def basis(steps: int) -> Tensor:
    """φ_k(τ_j), shape (steps, PHASES).

    >>> basis(2)
    tensor([[ 1.,  1.,  0.,  0.,  0.,  0.],
            [ 1., -1.,  0.,  0.,  0.,  0.]])
    """
    phase = (torch.arange(steps, dtype=torch.float64)[:, None] + 0.5) / steps
    number = torch.arange(PHASES, dtype=torch.float64)
    waves = torch.where(number == 0, 1.0, sqrt(2) * torch.cos(torch.pi * number * phase))
    return torch.where(number < steps, waves, 0.0).float()


def _combined(phases: Tensor, weights: Tensor) -> Tensor:
    """Weights ((k c), …) of basis functions to weights ((t c), …) of steps."""
    each = weights.unflatten(0, (PHASES, -1))
    return torch.einsum("tk,k...->t...", phases, each).flatten(0, 1)


class ScaledBlock(nn.Module):
    """The residual block of ``blocks.py`` whose first convolution knows the scale and may look at farther cells.

    Parameters
    ----------
    channels : int
        Channels in and out.
    maps : int
        Noise maps; 0 for a block without noise.
    style : int
        Length of the style vector.
    """

    def __init__(self, channels: int, *, maps: int = 0, style: int = 0) -> None:
        super().__init__()
        self.exchange = FrameExchange()
        self.norm = PixelNorm(channels)
        self.first = StyledConvolution(channels, channels, style=CODE)
        self.noise = StyledConvolution(3 * maps, channels, style=style + CODE, size=1) if maps else None
        self.second = FrameConvolution(channels, channels, gain=0.2)

    def forward(
        self, x: Tensor, code: Tensor, dilation: int, noise: Tensor | None = None, style: Tensor | None = None
    ) -> Tensor:
        """Shape (B, L, C, H, W), unchanged; noise (B, L + 2, maps, H, W), one frame more at either end."""
        h = swish(self.norm(self.exchange(x)))
        h = convolve_frames(h, *self.first.styled(code), dilation=dilation)
        if self.noise is not None and noise is not None and style is not None:
            h = h + self.noise(with_neighbours(noise), torch.cat([style, code]))
        return x + self.second(swish(h))


class ScaledMovement(Movement):
    """The velocity along which noise is carried, at most :data:`FASTEST`."""

    def at(self, features: Tensor, lattice: Lattice) -> Tensor:
        """Features (B, L, C, M, N) to a velocity (B, L, 2, M, N) in coarse cells per coarse frame, along y and x."""
        guess, trust = self.guess(features).float().split([2, 1], dim=2)
        limit = guess.new_tensor(lattice.fastest)[:, None, None]
        far = lattice.dilation
        return self.averaged(limit * torch.tanh(far * guess / limit), trust, self.cells * far)


class MultiscaleNetwork(nn.Module):
    """From a coarse window to fine values of each target, for any factors at any scale: see :meth:`at`.

    Parameters
    ----------
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
        Channels of the decoder, then of the third stage from the fine end and those before, of the second, and of the
        last.
    style : int
        Length of the style vector, which tells the products apart whose texture differs.
    outputs : int
        Targets: variables whose values it gives.
    """

    def __init__(
        self,
        *,
        inputs: int,
        conditions: int = 1,
        maps: tuple[int, int, int] = (4, 2, 1),
        width: int = 96,
        encoder_blocks: int = 3,
        decoder_blocks: int = 3,
        stages: tuple[int, int, int, int] = (64, 32, 16, 8),
        style: int = 4,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.maps = maps
        self.code = ScaleCode()
        self.enter = StyledConvolution(inputs, width, style=CODE)
        self.encoder = nn.ModuleList(ScaledBlock(width) for _ in range(encoder_blocks))
        self.narrow = FrameConvolution(width, stages[0], size=1)
        self.move = ScaledMovement(width) if any(maps) else None
        self.decoder = nn.ModuleList(
            ScaledBlock(stages[0], maps=maps[0], style=style) for _ in range(decoder_blocks)
        )
        self.apart = GrownByPhase(stages[0])
        below = (stages[2], stages[1], stages[1])
        self.entries = nn.ModuleList(
            StyledConvolution(stages[0], channels, style=style + CODE, size=1, gain=0.7) for channels in below
        )
        self.stages = nn.ModuleList(
            Stage(
                inner,
                here,
                conditions=conditions,
                maps=maps[1] * 3 if level else maps[2] * 2,
                style=style + CODE,
                deep=level > 0,
            )
            for level, (inner, here) in enumerate(zip(below, (stages[3], stages[2], stages[1]), strict=True))
        )
        self.leave = FrameConvolution(stages[3], outputs, gain=0.1, even=True)

    def at(self, lattice: Lattice) -> Network:
        """The network for a pair of factors and a scale."""
        return Network(self, lattice)


class Network:
    """A :class:`MultiscaleNetwork` for one pair of factors and one scale, with the methods of a local network.

    Parameters
    ----------
    weights : MultiscaleNetwork
    lattice : Lattice
    """

    def __init__(self, weights: MultiscaleNetwork, lattice: Lattice) -> None:
        self.weights, self.lattice = weights, lattice
        self.rungs = lattice.rungs
        short, long = lattice.memories
        inner, last = ((short, long, 0), (0, short)) if any(weights.maps) else ((), ())
        self.memories: list[tuple[int, ...]] = [inner] * (len(self.rungs) - 1) + [last]

    @property
    def noise_maps(self) -> list[NoiseMaps]:
        """The noise that one member needs, in the order of :meth:`decode`."""
        coarse, inner, last = self.weights.maps
        few = [NoiseMaps(coarse, (1, 1), 1) for _ in self.weights.decoder if coarse]
        counts = [inner] * (len(self.rungs) - 1) + [last]
        lattice = self.lattice
        return few + stage_maps(counts, self.rungs, self.memories, lattice.blocks[0], lattice.fastest)

    @property
    def reach(self) -> Reach:
        """How far an output looks, as :attr:`xdownscale.nn.local.LocalNetwork.reach` counts it."""
        weights, far = self.weights, self.lattice.dilation
        encoder, decoder = (len(blocks) * (far + 1) for blocks in (weights.encoder, weights.decoder))
        moving = weights.move is not None
        cells = max(encoder + decoder, encoder + Movement.cells * far + 1 if moving else 0)
        frames = max(len(weights.decoder), Movement.frames if moving else 0)
        return Reach(
            cells=1 + cells + ceil(self._climb.pixels(0)),
            frames=1 + len(weights.encoder) + frames + ceil((len(self.rungs) - 1) / self.lattice.blocks[0]),
        )

    @property
    def decoder_reach(self) -> Reach:
        """How far the coarse decoder looks."""
        count = len(self.weights.decoder)
        return Reach(cells=count * (self.lattice.dilation + 1), frames=count)

    @property
    def fine_reach(self) -> Reach:
        """How far an output looks into what the decoder gives, and into velocity, condition and noise."""
        frames = 1 + ceil((len(self.rungs) - 1) / self.lattice.blocks[0])
        return Reach(cells=ceil(self._climb.pixels(0)), frames=frames)

    def encode(self, condition: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features and movement of a window, the same for all members; as of a local network."""
        weights, code = self.weights, self.weights.code(self.lattice, None)
        x = convolve_frames(condition, *weights.enter.styled(code))
        for block in weights.encoder:
            x = block(x, code, self.lattice.dilation)
        return weights.narrow(x), None if weights.move is None else weights.move.at(x, self.lattice)

    def follow(self, velocity: Tensor | None) -> list[list[Shift]]:
        """Where the carried noise of every stage comes from, the same for all members."""
        lattice = self.lattice
        return stage_shifts(velocity, self.rungs, self.memories, lattice.blocks[0], lattice.fastest)

    def decode(
        self,
        features: Tensor,
        conditions: Sequence[Tensor],
        noise: Sequence[Tensor],
        places: Sequence[Sequence[Shift]],
        style: Tensor,
        wanted: Tensor | None = None,
        *,
        within: tuple[slice, slice, slice] | None = None,
    ) -> Tensor:
        """One member of the fine field; parameters as of :meth:`xdownscale.nn.local.LocalNetwork.decode`."""
        weights, steps = self.weights, self.lattice.blocks[0]
        supply, moved = iter(noise), iter(places)
        code = weights.code(self.lattice, None)
        x = features
        for block in weights.decoder:
            x = block(x, code, self.lattice.dilation, next(supply, None), style)
        if within is not None:
            x = x[:, within[0], :, within[1], within[2]].contiguous()
        x = resize_axis(x, 1, steps, dim=1) + weights.apart(x, steps)
        codes = [weights.code(self.lattice, level) for level in range(len(self.rungs))]
        entry = weights.entries[min(len(self.rungs), SHARED) - 1]
        x = entry([x], torch.cat([style, codes[0]]))
        given = [
            Given(
                condition,
                tuple(Carried(next(supply), next(moved), steps, slice(0, x.shape[1])) for _ in memories),
                torch.cat([style, each]),
                before,
                after,
            )
            for condition, memories, each, (before, after) in zip(
                conditions, self.memories, codes, pairwise([(1, 1), *self.rungs]), strict=True
            )
        ]
        return self._climb.up(x, given, wanted)

    @property
    def _climb(self) -> Climb:
        """The stages from the coarsest of this pair to the finest."""
        last = len(self.rungs) - 1
        stages = [self.weights.stages[min(last - level, SHARED - 1)] for level in range(last + 1)]
        return Climb([stage for stage in stages if isinstance(stage, Stage)], self.weights.leave, self.rungs)
