"""From decoder features to fine values: the stages one after the other, block by block where nothing is learned."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import torch

from xdownscale.nn.stage import Given, Stage, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from xdownscale.nn.blocks import FrameConvolution


BLOCK = 32
"""Coarse cells along each side of what passes the last stages at a time when nothing is learned."""

FINEST = 2
"""Number of stages that are passed block by block."""

RUN, FEW = 3, 128 * 128
"""Fine frames of so few pixels pass together, so many of them: alone they cost more in calls than in arithmetic."""


class Climb(NamedTuple):
    """The stages of a network in order, and what makes a value of the features of the last one."""

    stages: Sequence[Stage]
    leave: FrameConvolution
    rungs: Sequence[tuple[int, int]]
    """Pixels per cell along y and x at every stage."""

    def up(self, x: Tensor, given: Sequence[Given], wanted: Tensor | None = None) -> Tensor:
        """Fine values (B, T·L, targets, S_y·M, S_x·N) of features of the coarse lattice.

        Parameters
        ----------
        x : Tensor, shape (B, T·L, C, M, N)
        given : sequence of Given
            What every stage gets beside its features.
        wanted : Tensor, shape (M, N), optional
            Cells whose values will be looked at. Without gradients the last stages leave out blocks without any, and
            give 0 there.
        """
        if torch.is_grad_enabled():
            for stage, each in zip(self.stages, given, strict=True):
                x = stage(x, each)
            return self.leave(x)
        few = given[-1].condition.shape[-2] * given[-1].condition.shape[-1] <= FEW
        runs: Iterator[Tensor] = iter(x.split(RUN if few else 1, dim=1))
        coarser = len(given) - FINEST
        for stage, each in zip(self.stages[:coarser], given[:coarser], strict=True):
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
        count, outputs = sum(run.shape[1] for run in runs), self.leave.convolution.out_channels
        fine = runs[0].new_zeros(batch, count, outputs, rows * after[0], columns * after[1])
        stages = self.stages[-len(given) :]
        halo = ceil(self.pixels(len(self.rungs) - len(given)))
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
                fine[:, start:stop, :, place[0], place[1]] = self.leave(run)[..., inside[0], inside[1]]
                start = stop
        return fine

    def pixels(self, first: int) -> float:
        """How far the stages from the first given one on look, in cells."""
        sides = [1, *(min(rung) for rung in self.rungs)]
        last = len(self.rungs) - 1
        grown = sum(
            1 / sides[level] + (2 if level < last else 1) / sides[level + 1]
            for level in range(first, last + 1)
        )
        return grown + 1 / sides[-1]


def _parts(size: int) -> list[slice]:
    """Nearly equal parts of an axis, of about `BLOCK` cells."""
    count = max(1, round(size / BLOCK))
    edges = [round(size * n / count) for n in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(edges)]
