r"""Noise that moves with what it makes: texture drifts with the rain instead of being made anew where rain has come to.

Noise is drawn at the *anchors* t_j, the borders of coarse frames, and carried along a velocity u(x) from there. With a
memory of P coarse frames a moment τ sees the 2P anchors that are nearer than P,

    n_τ(x) = Σ_j k(τ − t_j) a_j(x − (τ − t_j) u(x)),        Σ_j k(τ − t_j)² = 1 for every τ,

so n_τ is as white in space and of the same variance as the a_j, and one who moves along with u sees it change as slowly
as k does. k(s) = cos(πs/2) for P = 1 and √⅔·cos²(πs/4) for P = 2. A memory of 0 is fresh noise for every frame.

Interpolated noise would be smooth where it happens to fall between pixels and rough elsewhere; a shift is therefore
rounded. To whole pixels would be too coarse where a pixel has kilometres, so `grain` values are drawn along the sides
of a pixel, and noise is their sum over the pixel, wherever it begins.
"""

from __future__ import annotations

from math import ceil, cos, pi, sqrt
from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import rearrange
from torch import nn

from xdownscale.kernels.resize import interpolate_cells
from xdownscale.nn.blocks import FrameConvolution

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
    margin: int = 0
    """Coarse cells more to each side."""

    def shape(self, window: Sequence[int]) -> tuple[int, int, int, int]:
        """Frames, maps, rows and columns for a window of (L, M, N) coarse cells."""
        steps, rows, columns = window
        return (
            self.frames * steps + sum(self.lead),
            self.maps,
            (rows + 2 * self.margin) * self.pixels[0],
            (columns + 2 * self.margin) * self.pixels[1],
        )


def carried_maps(
    maps: int, pixels: tuple[int, int], frames: int, memory: int, *, grain: int = 1
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
    grain : int
        Values along each side of a pixel.
    """
    if memory == 0:
        return NoiseMaps(maps, pixels, frames, (0, 0))
    finer = (grain * pixels[0], grain * pixels[1])
    return NoiseMaps(maps, finer, 1, (memory - 1, memory), ceil(memory * FASTEST))


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
        trust = torch.sigmoid(trust) + 1e-3
        both = torch.cat([FASTEST * torch.tanh(guess / FASTEST) * trust, trust], dim=2)
        for axis, reach in ((1, self.frames), (-2, self.cells), (-1, self.cells)):
            both = _neighbours(both, axis, reach)
        return both[:, :, :2] / both[:, :, 2:]


class Shift(NamedTuple):
    """Where the noise of every pixel was at one of its anchors."""

    pixel: Tensor
    """(B, L, T, 1, H·W), index into a frame of the anchor, of sums over a pixel."""
    weight: Tensor
    """(T, 1, 1), k(τ − t_j) of the T fine frames."""


def shifts(
    velocity: Tensor, pixels: tuple[int, int], frames: int, memory: int, *, grain: int = 1
) -> list[Shift]:
    """Where noise comes from, for each of the 2P anchors.

    Parameters
    ----------
    velocity : Tensor, shape (B, L, 2, M, N)
        u, in coarse cells per coarse frame, along y and x; none faster than :data:`FASTEST`.
    pixels : tuple of int
        Pixels per coarse cell along y and x.
    frames : int
        T.
    memory, grain : int
        P, and values along each side of a pixel.
    """
    batch, length, _, *size = velocity.shape
    margin = ceil(memory * FASTEST)
    columns = (size[1] + 2 * margin) * pixels[1] * grain - (grain - 1)
    u_y, u_x = (
        interpolate_cells(velocity[:, :, axis], (frames, *pixels)).unflatten(1, (length, frames))
        for axis in range(2)
    )
    y, x = (
        grain * (torch.arange(s * p, device=velocity.device) + margin * p)
        for s, p in zip(size, pixels, strict=True)
    )
    here = y[:, None] * columns + x
    found = []
    for anchor in range(1 - memory, memory + 1):
        since = [(step + 0.5) / frames - anchor for step in range(frames)]
        time = rearrange(u_y.new_tensor(since), "t -> t 1 1")
        pixel = here.new_empty(batch, length, frames, 1, here.numel())
        for frame in range(length):  # one by one, so that what passes lies in the cache
            # small whole numbers, exact in single precision
            way = (u_y[:, frame] * (time * (grain * pixels[0]))).round_().mul_(columns)
            way += (u_x[:, frame] * (time * (grain * pixels[1]))).round_()
            pixel[:, frame, :, 0] = (here - way.long()).flatten(-2)
        found.append(Shift(pixel, time.new_tensor([_kernel(s, memory) for s in since])[:, None, None]))
    return found


def carry(noise: Tensor, places: Sequence[Shift], size: tuple[int, int], *, grain: int = 1) -> Tensor:
    """Noise that has moved with the flow.

    Parameters
    ----------
    noise : Tensor
        As :func:`carried_maps` asks for: (B, L + 2P − 1, maps, rows, columns) at the anchors.
    places : sequence of Shift
        From :func:`shifts`.
    size : tuple of int
        Rows and columns of the result.
    grain : int
        Values along each side of a pixel.

    Returns
    -------
    Tensor, shape (B, T·L, maps, *size)
    """
    anchors = rearrange(_sums(_sums(noise, -2, grain), -1, grain), "b a m h w -> b a 1 m (h w)")
    maps, (batch, frames, steps, _, count) = noise.shape[2], places[0].pixel.shape
    total = noise.new_zeros(batch, frames, steps, maps, count)
    for number, (pixel, weight) in enumerate(places):
        source = anchors[:, number : number + frames].expand(-1, -1, steps, -1, -1)
        total += source.gather(-1, pixel.expand(-1, -1, -1, maps, -1)) * weight
    return rearrange(total, "b l t m (h w) -> b (l t) m h w", h=size[0])


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


def _sums(values: Tensor, dim: int, count: int) -> Tensor:
    """Sums of `count` neighbours at every place, at unchanged variance."""
    if count == 1:
        return values
    size = values.shape[dim] - count + 1
    total = values.narrow(dim, 0, size)
    for first in range(1, count):
        total = total + values.narrow(dim, first, size)
    return total / sqrt(count)


def _kernel(since: float, memory: int) -> float:
    if memory == 1:
        return cos(pi * since / 2)
    return sqrt(2 / 3) * cos(pi * since / 4) ** 2
