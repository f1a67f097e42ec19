"""A local network that grows a coarse lattice into a fine one.

Nothing finer than a coarse cell is in the input, so depth belongs on the coarse lattice, where it is cheap::

    condition ─ encoder (no noise, shared by members) ─ decoder on coarse cells (noise) ─ frames ×T
              ─ stage 1: more pixels per cell (noise) ─ stage 2 ─ … ─ stage n: S pixels per cell ─ targets
             └ velocity, along which the noise of the stages is carried (``advected_noise.py``)

The same operations act at every cell and frame; the reach in cells and frames is known (:attr:`LocalNetwork.reach`).
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log2
from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from xdownscale.kernels.resize import resize_axis
from xdownscale.nn.advected_noise import Carried, Movement, NoiseMaps, Shift, stage_maps, stage_shifts
from xdownscale.nn.blocks import FrameConvolution, GrownApart, ResidualBlock
from xdownscale.nn.climb import Climb
from xdownscale.nn.stage import Given, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


MEMORIES, FINEST_MEMORIES = (1, 2, 0), (0, 1)
"""Memories of the noise of the inner stages and of the last one, in coarse frames (``advected_noise.py``)."""


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


class LocalNetwork(nn.Module):
    """From a coarse window to one value of each target per fine cell and step.

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
    style : int
        Length of the style vector, which tells the products apart whose texture differs.
    apart : bool
        Whether the steps of a coarse frame may differ by more than interpolation in time (:class:`GrownApart`).
    outputs : int
        Targets: variables whose values it gives.
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
        style: int = 4,
        apart: bool = False,
        outputs: int = 1,
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
        self.move = Movement(width) if any(self.maps) else None
        self.decoder = nn.ModuleList(
            ResidualBlock(stages[0], maps=maps[0], style=style) for _ in range(decoder_blocks)
        )
        self.memories = [
            () if count == 0 else MEMORIES if level < steps - 1 else FINEST_MEMORIES
            for level, count in enumerate(self.maps[decoder_blocks:])
        ]
        self.apart = GrownApart(stages[0], self.blocks[0]) if apart else None
        self.stages = nn.ModuleList(
            Stage(
                below,
                here,
                conditions=conditions,
                maps=self.maps[decoder_blocks + level] * len(self.memories[level]),
                style=style,
                deep=level < steps - 1,
            )
            for level, (below, here) in enumerate(pairwise([stages[0], *channels]))
        )
        self.leave = FrameConvolution(channels[-1], outputs, gain=0.1, even=True)
        self.style = style

    @property
    def noise_maps(self) -> list[NoiseMaps]:
        """The noise that one member needs, in the order of :meth:`decode`."""
        coarse = [NoiseMaps(count, (1, 1), 1) for count in self.maps[: len(self.decoder)] if count]
        counts = self.maps[len(self.decoder) :]
        return coarse + stage_maps(counts, self.rungs, self.memories, self.blocks[0])

    @property
    def reach(self) -> Reach:
        """How far an output looks, in coarse cells and frames.

        A residual block reaches two cells (two 3×3 convolutions) and one frame. A stage at r pixels per cell reaches
        one pixel of the rung below by interpolation and at most two of its own; growing the frame axis reaches one
        frame, and so do the exchanges of the fine stages together. The velocity is grown in one go from where the
        encoder, and its own neighbourhood, end.
        """
        trunk = len(self.encoder) + len(self.decoder)
        exchanges = len(self.rungs) - 1
        moving = self.move is not None
        cells = max(2 * trunk, 2 * len(self.encoder) + Movement.cells + 1 if moving else 0)
        frames = max(len(self.decoder), Movement.frames if moving else 0)
        return Reach(
            cells=1 + cells + ceil(self._climb.pixels(0)),
            frames=1 + len(self.encoder) + frames + ceil(exchanges / self.blocks[0]),
        )

    @property
    def decoder_reach(self) -> Reach:
        """How far the coarse decoder looks."""
        return Reach(cells=2 * len(self.decoder), frames=len(self.decoder))

    @property
    def fine_reach(self) -> Reach:
        """How far an output looks into what the decoder gives, and into velocity, condition and noise."""
        return Reach(
            cells=ceil(self._climb.pixels(0)), frames=1 + ceil((len(self.rungs) - 1) / self.blocks[0])
        )

    def encode(self, condition: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features and movement of a window, the same for all members.

        Parameters
        ----------
        condition : Tensor, shape (B, L, inputs, M, N)

        Returns
        -------
        features : Tensor, shape (B, L, decoder channels, M, N)
        velocity : Tensor, shape (B, L, 2, M, N), or None
            In coarse cells per coarse frame along y and x; None for a deterministic net.
        """
        x = self.enter(condition)
        for block in self.encoder:
            x = block(x)
        return self.narrow(x), None if self.move is None else self.move(x)

    def follow(self, velocity: Tensor | None) -> list[list[Shift]]:
        """Where the carried noise of every stage comes from, the same for all members.

        Parameters
        ----------
        velocity : Tensor, shape (B, L, 2, M, N), or None
            From :meth:`encode`.

        Returns
        -------
        list of list of Shift
            For every set of maps of the stages, in the order of :attr:`noise_maps`.
        """
        return stage_shifts(velocity, self.rungs, self.memories, self.blocks[0])

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
        """One member of the fine field.

        Parameters
        ----------
        features : Tensor, shape (B, L, decoder channels, M, N)
            From :meth:`encode`.
        conditions : sequence of Tensor
            The condition interpolated to each rung: shape (B, T·L, conditions, M·r_y, N·r_x).
        noise : sequence of Tensor
            As :attr:`noise_maps` says; empty for a deterministic net.
        places : sequence of sequence of Shift
            From :meth:`follow`.
        style : Tensor, shape (style,)
            The texture that is wanted.
        wanted : Tensor, shape (M, N), optional
            Cells whose values will be looked at. Without gradients the last stages leave out blocks without any, and
            give 0 there.
        within : tuple of slice, optional
            Coarse frames, rows and columns of the features that are made fine; all other arguments but the noise of the
            decoder are of these alone. None for all.

        Returns
        -------
        Tensor, shape (B, T·L, outputs, S_y·M, S_x·N)
        """
        supply, moved = iter(noise), iter(places)
        x = features
        for block in self.decoder:
            x = block(x, next(supply, None), style)
        if within is not None:
            x = x[:, within[0], :, within[1], within[2]].contiguous()
        grown = resize_axis(x, 1, self.blocks[0], dim=1)
        x = grown if self.apart is None else grown + self.apart(x)
        given = [
            Given(
                condition,
                tuple(
                    Carried(next(supply), next(moved), self.blocks[0], slice(0, x.shape[1])) for _ in memories
                ),
                style,
                before,
                after,
            )
            for condition, memories, (before, after) in zip(
                conditions, self.memories, pairwise([(1, 1), *self.rungs]), strict=True
            )
        ]
        return self._climb.up(x, given, wanted)

    @property
    def _climb(self) -> Climb:
        """The stages from decoder features to fine values."""
        return Climb([stage for stage in self.stages if isinstance(stage, Stage)], self.leave, self.rungs)
