r"""Noise that moves with what it makes: texture drifts with the rain instead of being made anew where rain has come to.

Noise is drawn at the *anchors* t_j, the borders of coarse frames, and carried along a velocity u(x) from there. With a
memory of P coarse frames a moment τ sees the 2P anchors that are nearer than P,

    n_τ(x) = Σ_j k(τ − t_j) a_j(x − (τ − t_j) u(x)),        Σ_j k(τ − t_j)² = 1 for every τ,

so n_τ is as white in space and of the same variance as the a_j, and one who moves along with u sees it change as slowly
as k does. k(s) = √(4/3P)·cos²(πs/2P) for P ≥ 2, and the cosine of an angle from one anchor to the next for P = 1
(:func:`_angles`). Every frame is then as like the last one, across a border of coarse frames too. A memory of 0 is
fresh noise for every frame.

Interpolated noise would be smooth where it happens to fall between pixels and rough elsewhere; shifts are therefore
rounded to whole pixels.
"""

from __future__ import annotations

from math import ceil, cos, pi, sqrt
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from xdownscale.kernels.resize import interpolate_cells
from xdownscale.nn.blocks import FrameConvolution, repeated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

FASTEST = 2.5
"""Largest velocity along an axis, in coarse cells per coarse frame."""


class NoiseMaps(NamedTuple):
    """One set of independent normal maps that a network asks for."""

    maps: int
    """Maps per frame."""
    pixels: tuple[int, int]
    """Pixels per coarse cell along y and x."""
    frames: int
    """Frames per coarse frame: 1 or T."""
    lead: tuple[int, int] = (1, 1)
    """Frames more at either end."""
    margin: tuple[int, int] = (0, 0)
    """Coarse cells more to each side, along y and x."""

    def shape(self, window: Sequence[int]) -> tuple[int, int, int, int]:
        """Frames, maps, rows and columns for a window of (L, M, N) coarse cells."""
        steps, rows, columns = window
        return (
            self.frames * steps + sum(self.lead),
            self.maps,
            (rows + 2 * self.margin[0]) * self.pixels[0],
            (columns + 2 * self.margin[1]) * self.pixels[1],
        )


def carried_maps(
    maps: int,
    pixels: tuple[int, int],
    frames: int,
    memory: int,
    fastest: tuple[float, float] = (FASTEST, FASTEST),
) -> NoiseMaps:
    """What must be drawn for noise of a memory.

    Parameters
    ----------
    maps : int
        Maps per frame.
    pixels : tuple of int
        Pixels per coarse cell along y and x.
    frames : int
        Fine frames per coarse frame, T.
    memory : int
        P, in coarse frames.
    fastest : (float, float)
        Largest velocity along y and x, in coarse cells per coarse frame.
    """
    if memory == 0:
        return NoiseMaps(maps, pixels, frames, (0, 0))
    return NoiseMaps(maps, pixels, 1, (memory - 1, memory), margin_of(memory, fastest))


def stage_maps(
    counts: Sequence[int],
    rungs: Sequence[tuple[int, int]],
    memories: Sequence[Sequence[int]],
    frames: int,
    fastest: tuple[float, float] = (FASTEST, FASTEST),
) -> list[NoiseMaps]:
    """The advected noise of all stages, in their order.

    Parameters
    ----------
    counts, rungs, memories : sequence
        Of each stage, its maps, its pixels per coarse cell, and its memories.
    frames, fastest
        As in :func:`carried_maps`.
    """
    return [
        carried_maps(count, rung, frames, memory, fastest)
        for count, rung, some in zip(counts, rungs, memories, strict=True)
        for memory in some
    ]


def stage_shifts(
    velocity: Tensor | None,
    rungs: Sequence[tuple[int, int]],
    memories: Sequence[Sequence[int]],
    frames: int,
    fastest: tuple[float, float] = (FASTEST, FASTEST),
) -> list[list[Shift]]:
    """Where the noise of :func:`stage_maps` comes from, the same for all members; nothing without a velocity."""
    if velocity is None:
        return []
    still = velocity.detach()  # what is rounded to whole pixels has no gradient
    return [
        shifts(still, rung, frames, memory, fastest)
        for rung, some in zip(rungs, memories, strict=True)
        for memory in some
    ]


def margin_of(memory: int, fastest: tuple[float, float]) -> tuple[int, int]:
    """Coarse cells along y and x over which noise of a memory may have come."""
    return ceil(memory * fastest[0]), ceil(memory * fastest[1])


class Movement(nn.Module):
    """The velocity along which noise is carried: one guess for every cell, averaged over a neighbourhood by its trust.

    Rain of a region moves together, and a cell alone, of which only block means are known, tells little.

    Parameters
    ----------
    channels : int
        Features of a cell.
    """

    cells, frames = 4, 1
    """How far guesses are averaged, in coarse cells and frames to each side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.guess = FrameConvolution(channels, 3, size=1, gain=0.0)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, L, C, M, N) to a velocity (B, L, 2, M, N) in coarse cells per coarse frame, along y and x."""
        guess, trust = self.guess(features).float().split([2, 1], dim=2)
        return self.averaged(FASTEST * torch.tanh(guess / FASTEST), trust, self.cells)

    def averaged(self, guess: Tensor, trust: Tensor, cells: int) -> Tensor:
        """Guesses (B, L, 2, M, N) averaged over so many coarse cells to each side, by their trust (B, L, 1, M, N)."""
        trust = 1 / (1 + torch.exp(-trust)) + 1e-3  # torch.sigmoid rounds differently at the end of a field
        both = torch.cat([guess * trust, trust], dim=2)
        for axis, reach in ((1, self.frames), (-2, cells), (-1, cells)):
            both = _neighbours(both, axis, reach)
        return both[:, :, :2] / both[:, :, 2:]


class Shift(NamedTuple):
    """Where the noise of every pixel was at one of its anchors."""

    pixel: Tensor
    """(B, T·L, H, W), index into a frame of the anchor."""
    weight: list[float]
    """k(τ − t_j) of the T fine frames of a coarse one."""

    def repeated(self, members: int) -> Shift:
        """The same for so many members, without a copy."""
        return self._replace(pixel=repeated(self.pixel, members))


def shifts(
    velocity: Tensor,
    pixels: tuple[int, int],
    frames: int,
    memory: int,
    fastest: tuple[float, float] = (FASTEST, FASTEST),
) -> list[Shift]:
    """Where noise comes from, for each of the 2P anchors; nothing for a memory of 0.

    Parameters
    ----------
    velocity : Tensor, shape (B, L, 2, M, N)
        u, in coarse cells per coarse frame, along y and x.
    pixels : tuple of int
        Pixels per coarse cell along y and x.
    frames : int
        T.
    memory : int
        P.
    fastest : (float, float)
        No velocity is larger along y and x.
    """
    if memory == 0:
        return []
    size = velocity.shape[-2:]
    margin = margin_of(memory, fastest)
    columns = (size[1] + 2 * margin[1]) * pixels[1]
    u_y, u_x = (interpolate_cells(velocity[:, :, axis], (frames, *pixels)) for axis in range(2))
    y, x = (
        torch.arange(s * p, device=velocity.device, dtype=torch.int32) + m * p
        for s, p, m in zip(size, pixels, margin, strict=True)
    )
    here = y[:, None] * columns + x
    found = []
    for anchor in range(1 - memory, memory + 1):
        since = [(step + 0.5) / frames - anchor for step in range(frames)]
        pixel = here.new_empty(u_y.shape)
        for frame in range(u_y.shape[1]):  # one by one, so that what passes lies in the cache
            time = since[frame % frames]
            # small whole numbers, exact in single precision
            way = (u_y[:, frame] * (time * pixels[0])).round_().mul_(columns)
            way += (u_x[:, frame] * (time * pixels[1])).round_()
            pixel[:, frame] = here - way.int()
        found.append(Shift(pixel, _weights(anchor, frames, memory)))
    return found


class Carried(NamedTuple):
    """Noise of a stretch of frames and a rectangle of pixels, which is carried there when it is asked for."""

    noise: Tensor
    """(B, L + 2P − 1, maps, rows, columns) at the anchors, as :func:`carried_maps` asks; or fresh for each frame."""
    places: Sequence[Shift]
    """From :func:`shifts`."""
    steps: int
    """T."""
    frames: slice
    """Fine frames."""
    y: slice = slice(None)
    """Rows."""
    x: slice = slice(None)
    """Columns."""

    def values(self) -> Tensor:
        """The noise where it has come to, shape (B, frames, maps, rows, columns)."""
        if not self.places:
            return self.noise[:, self.frames, :, self.y, self.x]
        flat = self.noise.flatten(-2)
        frames = [self._frame(flat, number) for number in range(self.frames.start, self.frames.stop)]
        return frames[0].unsqueeze(1) if len(frames) == 1 else torch.stack(frames, dim=1)

    def _frame(self, flat: Tensor, number: int) -> Tensor:
        coarse, step = divmod(number, self.steps)
        shape = self.places[0].pixel[:, number, self.y, self.x].shape
        total = flat.new_zeros(shape[0], flat.shape[2], shape[1] * shape[2])
        for anchor, (pixel, weight) in enumerate(self.places):
            index = pixel[:, number, self.y, self.x].flatten(-2).long().unsqueeze(1)
            source = flat[:, coarse + anchor]
            total += source.gather(-1, index.expand(-1, source.shape[1], -1)).mul_(weight[step])
        return total.unflatten(-1, shape[1:])


def _neighbours(values: Tensor, dim: int, reach: int) -> Tensor:
    """Sums over `reach` places to each side, of those that there are; added one by one, the same bits everywhere."""
    dim = dim % values.ndim
    size = values.shape[dim]
    border = values.new_zeros([reach if axis == dim else each for axis, each in enumerate(values.shape)])
    padded = torch.cat([border, values, border], dim)
    total = padded.narrow(dim, 0, size)
    for first in range(1, 2 * reach + 1):
        total = total + padded.narrow(dim, first, size)
    return total


def _weights(anchor: int, frames: int, memory: int) -> list[float]:
    """k(τ − t_j) of the fine frames of a coarse one, for an anchor counted from the border before it."""
    if memory == 1:
        angles = _angles(frames)
        return [cos(angle) for angle in (angles if anchor == 0 else reversed(angles))]
    # the mean of cos⁴ is 3/8, over any three or more equal parts of its period as well
    gain, period = sqrt(4 / (3 * memory)), 2 * memory
    return [gain * cos(pi * ((step + 0.5) / frames - anchor) / period) ** 2 for step in range(frames)]


def _angles(frames: int) -> list[float]:
    """The angles θ_i from one anchor to the next, in equal steps φ and symmetric, with cos φ = cos²θ_0.

    Two frames within a coarse one share both anchors and correlate by cos(θ_i − θ_j); two frames on either side of a
    border share one, by cos²θ_0. Texture is to change there as fast as anywhere.
    """
    middle = (frames - 1) / 2
    low, high = 0.0, pi / 4 / max(middle, 0.5)
    for _ in range(60):  # by halves: the first angle falls, and cos φ with it, as steps get wider
        step = (low + high) / 2
        low, high = (step, high) if cos(step) > cos(pi / 4 - middle * step) ** 2 else (low, step)
    return [pi / 4 + (i - middle) * low for i in range(frames)]
