"""The denoiser of a long trajectory on a large domain, put together from that of windows.

**Time** (SDA, Rozet & Louppe 2023, arXiv:2306.10574, section 3.1). Let x_i depend on the rest through the k frames
before and after it, its Markov blanket. Then ∇_{x_i} log p(x_1 … x_L) is that of the window of 2k + 1 frames around
i. A window of w frames thus answers for its w − 2k central frames, the first window for its first frames as well and
the last one for its last. After noise is added a blanket is only nearly enough; the error falls with k and vanishes
with the noise. What is put together is x̂₀: since x̂₀ = (x_t + σ²·∇log p)/α frame by frame, that is the same as
putting scores together.

**Space.** A network that is not local is asked for tiles of the size that it was trained on, and where tiles overlap
their answers are averaged, with weights that fall towards the border of a tile. This is done at every step, so that
neighbours agree before noise is gone.

Windows go through the network in portions, and with gradients each portion is computed anew for its own gradient:
memory is that of one portion, whatever the length and the domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.utils.checkpoint import checkpoint

from xdownscale.errors import DimensionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xdownscale.diffusion.denoise import Denoise
    from xdownscale.diffusion.schedule import NoiseLevel


class Part(NamedTuple):
    """A window along one axis: where it begins, and the weight of each of its entries in the whole."""

    start: int
    weights: Tensor


def frames_of(length: int, window: int, blanket: int) -> list[Part]:
    """Windows over a trajectory: each frame is answered for by one.

    Parameters
    ----------
    length : int
        L, frames of the trajectory, at least as many as a window has.
    window : int
        w, frames of a window.
    blanket : int
        k, frames on each side of a window that only inform; less than half of it.

    Examples
    --------
    >>> [(part.start, part.weights.tolist()) for part in frames_of(4, 3, 1)]
    [(0, [1.0, 1.0, 0.0]), (1, [0.0, 1.0, 1.0])]
    """
    starts = [*range(0, length - window, window - 2 * blanket), length - window]
    ends = [start + window - blanket for start in starts[:-1]] + [length]
    parts, first = [], 0
    for start, end in zip(starts, ends, strict=True):
        weights = torch.zeros(window)
        weights[first - start : end - start] = 1.0
        parts.append(Part(start, weights))
        first = end
    return parts


def tiles_of(length: int, tile: int, overlap: int, margin: int = 0) -> list[Part]:
    """Tiles along an axis, with weights that sum to one everywhere.

    Parameters
    ----------
    length : int
        Cells, at least as many as a tile has.
    tile : int
        Cells of a tile.
    overlap : int
        Cells that neighbours share at least.
    margin : int
        Cells along the border of a tile that count only where no other tile has them farther inside.

    Examples
    --------
    >>> [(part.start, part.weights.tolist()) for part in tiles_of(6, 4, 2)]
    [(0, [1.0, 1.0, 0.667, 0.333]), (2, [0.333, 0.667, 1.0, 1.0])]
    """
    count = 1 + max(0, -(-(length - tile) // (tile - overlap)))
    starts = [round(number * (length - tile) / max(1, count - 1)) for number in range(count)]
    edge = torch.arange(1, tile + 1)
    inwards = torch.minimum(edge, edge.flip(0)).float()
    hat = (
        (inwards - margin).clamp(1e-6, max(1, overlap + 1 - 2 * margin))
        if margin
        else inwards.clamp_max(overlap + 1)
    )
    total = torch.zeros(length)
    for start in starts:
        total[start : start + tile] += hat
    return [Part(start, hat / total[start : start + tile]) for start in starts]


@dataclass(frozen=True)
class Windows:
    """A denoiser of any trajectory on any domain from that of windows.

    Parameters
    ----------
    denoise : callable
        x̂₀ of windows (B, variables, frames, tile, tile) and a noise level.
    frames : int
        Of a window.
    blanket : int
        Frames at each end of a window that only inform.
    tile : (int, int), optional
        Cells of a window along y and x; None where it takes any domain.
    overlap : int
        Cells that neighbouring tiles share at least.
    margin : int
        As in :func:`tiles_of`.
    portion : int
        Windows that go through the network at once.
    """

    denoise: Denoise
    frames: int
    blanket: int
    tile: tuple[int, int] | None = None
    overlap: int = 0
    margin: int = 0
    portion: int = 16

    def __call__(self, x_t: Tensor, level: NoiseLevel) -> Tensor:
        """x̂₀ of trajectories (B, variables, time, y, x), all at one noise level."""
        axes = self._axes(tuple(x_t.shape[-3:]))
        size = tuple(len(parts[0].weights) for parts in axes)
        times, *space = axes
        places = list(product(range(len(times)), product(*space)))
        if len(places) == 1:
            return self.denoise(x_t, level)
        # gradients of slices have the size of what is sliced: slices of a few frames, not of the trajectory
        frames = x_t.unbind(-3)
        slabs = [torch.stack(frames[part.start : part.start + size[0]], -3) for part in times]
        answers = [torch.zeros_like(slab) for slab in slabs]
        count = max(1, self.portion // len(x_t))
        for some in (places[first : first + count] for first in range(0, len(places), count)):
            windows = torch.cat([slabs[number][_region(tile, size[1:])] for number, tile in some])
            found = self._asked(windows, level) if len(places) > count else self.denoise(windows, level)
            for (number, tile), values in zip(some, found.chunk(len(some)), strict=True):
                answers[number][_region(tile, size[1:])] += values * _weights(tile).to(values)
        return torch.cat(
            [answer[..., part.weights > 0, :, :] for part, answer in zip(times, answers, strict=True)], -3
        )

    def _asked(self, windows: Tensor, level: NoiseLevel) -> Tensor:
        """The answers for some windows."""
        if not (torch.is_grad_enabled() and windows.requires_grad):
            return self.denoise(windows, level)
        answer: Tensor = checkpoint(self.denoise, windows, level, use_reentrant=False)
        return answer

    def _axes(self, shape: tuple[int, ...]) -> tuple[list[Part], ...]:
        """Windows along time, and tiles along y and x."""
        least = (self.frames, *(self.tile or shape[1:]))
        if any(has < needs for has, needs in zip(shape, least, strict=True)):
            msg = f"a trajectory of {shape} (time, y, x) is smaller than a window, {least}: extend it by unknown cells"
            raise DimensionError(msg)
        rows, columns = (
            tiles_of(n, each, self.overlap) for n, each in zip(shape[1:], least[1:], strict=True)
        )
        return frames_of(shape[0], self.frames, self.blanket), rows, columns


def _region(tile: Sequence[Part], size: Sequence[int]) -> tuple[Any, ...]:
    """Where a tile lies along y and x."""
    return (..., *(slice(part.start, part.start + n) for part, n in zip(tile, size, strict=True)))


def _weights(tile: Sequence[Part]) -> Tensor:
    """The weight of every cell of a tile, (y, x)."""
    y, x = (part.weights for part in tile)
    return y[:, None] * x
