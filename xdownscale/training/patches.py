"""Windows out of fine fields: where they are, how likely each is drawn, and the weight that makes the draw unbiased.

Most of a rain field is dry, and a dry window teaches nothing (its prediction is exactly zero). Windows are therefore
drawn with a probability that grows with their wet fraction and weighted by its inverse: averages stay those of the
whole set of windows with any rain.

Windows may have gaps: what is scored are the coarse cells that are known as a whole (``training.window``). Some windows
get a random mask on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from einops import rearrange

from xdownscale.errors import EmptyFieldError
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.training.masks import MASKED, random_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xdownscale.kernels.blocks import Blocks

LEAST = 0.25
"""Share of the coarse cells of a window that are known as a whole, at least: with fewer it is not worth its time."""


@dataclass(frozen=True)
class Source:
    """One contiguous piece of fine field: an event of one instrument, without gaps in time.

    Parameters
    ----------
    values : array, shape (time, y, x)
        float32, NaN where missing.
    static : array, shape (fields, y, x), optional
        Standardised static fields.
    name : str
        For messages.
    style : str
        The product that it belongs to.
    """

    values: NDArray[np.float32]
    static: NDArray[np.float32] | None = None
    name: str = "field"
    style: str = "training"


class Patch(NamedTuple):
    """Where a window lies."""

    source: int
    time: int
    y: int
    x: int


class Batch(NamedTuple):
    """Windows ready for a network, as numpy arrays."""

    fine: NDArray[np.float32]
    """(B, T·L, H, W), NaN where missing."""
    static: NDArray[np.float32] | None
    """(B, fields, H, W)"""
    weights: NDArray[np.float32]
    """(B,), mean about 1."""
    styles: tuple[str, ...]
    """The product of every window."""

    def part(self, chosen: slice) -> Batch:
        """Some of the windows."""
        static = None if self.static is None else self.static[chosen]
        return Batch(self.fine[chosen], static, self.weights[chosen], self.styles[chosen])


class PatchSampler:
    """Draws windows from sources, the same for the same seed and step.

    Parameters
    ----------
    sources : sequence of Source
        Fine fields.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    cells, frames : int
        Coarse cells along y and x, and coarse frames, of a window.
    wet : float
        A cell counts as wet above this value, in the units of the field; None draws all windows alike.
    floor : float
        Probability of a window with hardly any rain relative to a wholly wet one.
    seed : int
        Seed of all draws.

    Raises
    ------
    EmptyFieldError
        No window fits, or none has a wet cell.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        blocks: Blocks,
        cells: int,
        frames: int,
        wet: float | None = 0.1,
        floor: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.sources = list(sources)
        self.shape = (blocks[0] * frames, blocks[1] * cells, blocks[2] * cells)
        self.blocks = blocks
        self.seed = seed
        self.patches, fractions = self._survey(wet)
        if not self.patches:
            sizes = ", ".join(f"{s.name}: {s.values.shape}" for s in self.sources)
            msg = (
                f"no training window of {self.shape} (time, y, x) fine cells with rain, and with data in "
                f"{LEAST:.0%} of its coarse cells, fits into the fields ({sizes}); train on a larger or wetter "
                f"field, or pass a recipe with smaller windows"
            )
            raise EmptyFieldError(msg)
        shares = self._shares()
        self.odds = self._level(shares * (fractions + floor))
        self.weights = np.minimum(self._level(shares) / self.odds, 4.0)
        self.weights = self._level(self.odds * self.weights) / self.odds

    def batch(self, step: int, size: int) -> Batch:
        """The windows of training step `step`, moved, turned and mirrored at random, some behind a random mask.

        Parameters
        ----------
        step : int
            Counts from 0; the same step gives the same windows, which is what makes a resumed run equal.
        size : int
            Number of windows.
        """
        random = np.random.default_rng([self.seed, step])
        chosen = random.choice(len(self.patches), size, p=self.odds)
        cut = [self._jittered(self.patches[i], random) for i in chosen]
        turned = [self._turned(fine, static, random) for fine, static in cut]
        hiding = np.random.default_rng([self.seed, step, 1])
        fine = np.stack([self._masked(f, hiding) for f, _ in turned])
        has_static = turned[0][1] is not None
        static = np.stack([s for _, s in turned if s is not None]) if has_static else None
        return Batch(fine, static, self.weights[chosen].astype(np.float32), self._styles(chosen))

    def spread(self, size: int) -> Batch:
        """`size` fixed windows for validation, drawn once, unmoved."""
        random = np.random.default_rng([self.seed, 2**31])
        chosen = random.choice(len(self.patches), size, p=self.odds, replace=size > len(self.patches))
        cut = [self._cut(self.patches[i]) for i in chosen]
        static = None if cut[0][1] is None else np.stack([s for _, s in cut if s is not None])
        weights = self.weights[chosen].astype(np.float32)
        return Batch(np.stack([f for f, _ in cut]), static, weights, self._styles(chosen))

    def _survey(self, wet: float | None) -> tuple[list[Patch], NDArray[np.float64]]:
        """All windows on a half-overlapping lattice that have enough data, and rain somewhere."""
        patches, fractions = [], []
        for number, source in enumerate(self.sources):
            starts = [
                _starts(size, length, max(1, length // 2))
                for size, length in zip(source.values.shape, self.shape, strict=True)
            ]
            for t in starts[0]:
                for y in starts[1]:
                    for x in starts[2]:
                        patch = Patch(number, t, y, x)
                        values = self._cut(patch)[0]
                        known = self._known(values)
                        if known < LEAST:
                            continue
                        fraction = known if wet is None else float((values > wet).mean())
                        if fraction > 0:
                            patches.append(patch)
                            fractions.append(fraction)
        return patches, np.asarray(fractions)

    def _shares(self) -> NDArray[np.float64]:
        """Sources with many windows count by the square root of their number, so that none drowns the others."""
        number = np.asarray([p.source for p in self.patches])
        return np.asarray(1 / np.sqrt(np.bincount(number)[number]))

    def _styles(self, chosen: NDArray[np.int64]) -> tuple[str, ...]:
        """The products of some windows."""
        return tuple(self.sources[self.patches[i].source].style for i in chosen)

    def _level(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values scaled so that every product has the same sum, and all together 1."""
        names = np.asarray([self.sources[p.source].style for p in self.patches])
        kinds, kind = np.unique(names, return_inverse=True)
        return np.asarray(values / np.bincount(kind, values)[kind] / len(kinds))

    def _cut(self, patch: Patch) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        t, h, w = self.shape
        source = self.sources[patch.source]
        rows, columns = slice(patch.y, patch.y + h), slice(patch.x, patch.x + w)
        static = None if source.static is None else source.static[:, rows, columns]
        return source.values[patch.time : patch.time + t, rows, columns], static

    def _jittered(
        self, patch: Patch, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """A window near `patch`, or `patch` itself where the neighbour has too little data."""
        shape = self.sources[patch.source].values.shape
        moves = [random.integers(-(length // 4), length // 4 + 1) for length in self.shape]
        start = [
            int(np.clip(first + move, 0, size - length))
            for first, move, size, length in zip(patch[1:], moves, shape, self.shape, strict=True)
        ]
        moved = self._cut(Patch(patch.source, *start))
        return moved if self._known(moved[0]) >= LEAST else self._cut(patch)

    def _known(self, values: NDArray[np.float32]) -> float:
        """Share of the coarse cells of a window that have no gap."""
        return float((block_mean(np.isfinite(values).astype(np.float64), self.blocks) == 1).mean())

    def _masked(self, fine: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
        """A window as it is, or with a share of its coarse cells hidden."""
        if random.random() >= MASKED:
            return fine
        frames, rows, columns = (n // size for n, size in zip(fine.shape, self.blocks, strict=True))
        hidden = random_mask((frames, rows, columns), random)
        return np.where(block_repeat(hidden, self.blocks), np.float32(np.nan), fine)

    def _turned(
        self, fine: NDArray[np.float32], static: NDArray[np.float32] | None, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """One of the eight symmetries of the square (four when the factors or sizes differ by axis)."""
        flip_y, flip_x, swap = random.integers(0, 2, 3)
        square = self.blocks[1] == self.blocks[2]

        def turn(values: NDArray[np.float32]) -> NDArray[np.float32]:
            values = values[..., :: -1 if flip_y else 1, :: -1 if flip_x else 1]
            return np.ascontiguousarray(
                rearrange(values, "... y x -> ... x y") if swap and square else values
            )

        return turn(fine), None if static is None else turn(static)


def _starts(size: int, length: int, stride: int) -> list[int]:
    """First indices of windows of `length` that cover an axis of `size`, the last one moved inwards."""
    if size < length:
        return []
    return sorted({*range(0, size - length + 1, stride), size - length})
