"""A local network that grows a coarse lattice into a fine one.

Nothing finer than a coarse cell is in the input, so depth belongs on the coarse lattice, where it is cheap::

    condition ─ encoder (no noise, shared by members) ─ decoder on coarse cells (noise) ─ frames ×T
              ─ stage 1: more pixels per cell (noise) ─ stage 2 ─ … ─ stage n: S pixels per cell ─ one value
             └ velocity, along which the noise of the stages is carried (``advected_noise.py``)

The same operations act at every cell and frame; the reach in cells and frames is known (:attr:`LocalNetwork.reach`).
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log2
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from xdownscale.kernels.resize import resize_axis
from xdownscale.nn.advected_noise import Carried, Movement, NoiseMaps, Shift, carried_maps, shifts
from xdownscale.nn.blocks import FrameConvolution, GrownApart, ResidualBlock
from xdownscale.nn.stage import Given, Stage, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor


BLOCK = 32
"""Coarse cells along each side of what passes the last stages at a time when nothing is learned."""

FINEST = 2
"""Number of stages that are passed block by block."""

RUN, FEW = 3, 128 * 128
"""Fine frames of so few pixels pass together, so many of them: alone they cost more in calls than in arithmetic."""


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


def _parts(size: int) -> list[slice]:
    """Nearly equal parts of an axis, of about `BLOCK` cells."""
    count = max(1, round(size / BLOCK))
    edges = [round(size * n / count) for n in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(edges)]


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
    style : int
        Length of the style vector, which tells the products apart whose texture differs.
    apart : bool
        Whether the steps of a coarse frame may differ by more than interpolation in time (:class:`GrownApart`).
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
        self.leave = FrameConvolution(channels[-1], 1, gain=0.1, even=True)
        self.style = style

    @property
    def noise_maps(self) -> list[NoiseMaps]:
        """The noise that one member needs, in the order of :meth:`decode`."""
        coarse = [NoiseMaps(count, (1, 1), 1) for count in self.maps[: len(self.decoder)] if count]
        fine = [
            carried_maps(count, rung, self.blocks[0], memory)
            for count, rung, memories in zip(
                self.maps[len(self.decoder) :], self.rungs, self.memories, strict=True
            )
            for memory in memories
        ]
        return coarse + fine

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
            cells=1 + cells + ceil(self._pixels(0)),
            frames=1 + len(self.encoder) + frames + ceil(exchanges / self.blocks[0]),
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
        if velocity is None:
            return []
        still = velocity.detach()  # what is rounded to whole pixels has no gradient
        return [
            shifts(still, rung, self.blocks[0], memory)
            for rung, memories in zip(self.rungs, self.memories, strict=True)
            for memory in memories
        ]

    def decode(
        self,
        features: Tensor,
        conditions: Sequence[Tensor],
        noise: Sequence[Tensor],
        places: Sequence[Sequence[Shift]],
        style: Tensor,
        wanted: Tensor | None = None,
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

        Returns
        -------
        Tensor, shape (B, T·L, S_y·M, S_x·N)
        """
        supply, moved = iter(noise), iter(places)
        x = features
        for block in self.decoder:
            x = block(x, next(supply, None), style)
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
        if torch.is_grad_enabled():
            for stage, each in zip(self._stages, given, strict=True):
                x = stage(x, each)
            return self.leave(x).squeeze(2)
        few = given[-1].condition.shape[-2] * given[-1].condition.shape[-1] <= FEW
        runs: Iterator[Tensor] = iter(x.split(RUN if few else 1, dim=1))
        coarser = len(given) - FINEST
        for stage, each in zip(self._stages[:coarser], given[:coarser], strict=True):
            runs = stage.run_by_run(runs, each)
        return self._finest(list(runs), given[max(0, coarser) :], wanted)

    def _finest(self, runs: list[Tensor], given: Sequence[Given], wanted: Tensor | None) -> Tensor:
        """The last stages without gradients, block by block and run by run: what passes lies in the cache.

        Blocks and frames never as many as would fit: results must not depend on the size of the field, and the order of
        sums in a convolution may on its batch.
        """
        before, after = given[0].before, given[-1].after
        batch, rows, columns = (
            runs[0].shape[0],
            runs[0].shape[3] // before[0],
            runs[0].shape[4] // before[1],
        )
        count = sum(run.shape[1] for run in runs)
        fine = runs[0].new_zeros(batch, count, rows * after[0], columns * after[1])
        stages = self._stages[-len(given) :]
        halo = ceil(self._pixels(len(self.rungs) - len(given)))
        for core in (Window(y, x) for y in _parts(rows) for x in _parts(columns)):
            if wanted is not None and not bool(wanted[core.y, core.x].any()):
                continue
            window = core.widened(halo, (rows, columns))
            inside, place = core.within(window).of(after), core.of(after)
            stream: Iterator[Tensor] = (run[(..., *window.of(before))] for run in runs)
            for stage, each in zip(stages, given, strict=True):
                stream = stage.run_by_run(stream, each.part(window))
            start = 0
            for run in stream:
                stop = start + run.shape[1]
                fine[:, start:stop, place[0], place[1]] = self.leave(run)[:, :, 0, inside[0], inside[1]]
                start = stop
        return fine

    def _pixels(self, first: int) -> float:
        """How far the stages from the first given one on look, in cells."""
        sides = [1, *(min(rung) for rung in self.rungs)]
        last = len(self.rungs) - 1
        grown = sum(
            1 / sides[level] + (2 if level < last else 1) / sides[level + 1]
            for level in range(first, last + 1)
        )
        return grown + 1 / sides[-1]

    @property
    def _stages(self) -> list[Stage]:
        return [stage for stage in self.stages if isinstance(stage, Stage)]
