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

from xdownscale.errors import EmptyFieldError
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.training.masks import MASKED, random_mask
from xdownscale.training.reading import runs
from xdownscale.training.turn import Turn
from xdownscale.training.turning import TURNED, room_for, turned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.scale import Scale

LEAST = 0.25
"""Share of the coarse cells of a window that are known as a whole, at least: with fewer it is not worth its time."""


@dataclass(frozen=True)
class Source:
    """One contiguous piece of fine fields: an event of one instrument, without gaps in time.

    Parameters
    ----------
    values : array, shape (time, channels, y, x)
        The targets, then the predictors; float32, NaN where missing. Or a :class:`~xdownscale.training.reading.Unread`.
    static : array, shape (fields, y, x), optional
        Standardised static fields.
    name : str
        For messages.
    style : str
        The product that it belongs to.
    scale : Scale, optional
        Size of its cells and steps, as far as it is known.
    handed : int
        −1 where one of the axes y and x, and not the other, has labels that decrease: there a turn of the array by a
        quarter turns the field the other way round. Else 1.
    aligned : bool
        Whether windows begin at whole coarse cells, as predictors ask that are known on the coarse grid alone.
    """

    values: NDArray[np.float32]
    static: NDArray[np.float32] | None = None
    name: str = "field"
    style: str = "training"
    scale: Scale | None = None
    handed: int = 1
    aligned: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Steps and cells (time, y, x)."""
        steps, _, rows, columns = self.values.shape
        return steps, rows, columns


class Patch(NamedTuple):
    """Where a window lies."""

    source: int
    time: int
    y: int
    x: int


class Batch(NamedTuple):
    """Windows ready for a network, as numpy arrays."""

    fine: NDArray[np.float32]
    """Targets, then predictors, (B, T·L, C, H, W), NaN where missing."""
    static: NDArray[np.float32] | None
    """(B, fields, H, W)"""
    weights: NDArray[np.float32]
    """(B,), mean about 1."""
    styles: tuple[str, ...]
    """The product of every window."""
    blocks: Blocks | None = None
    """Fine cells per coarse cell along (time, y, x); None for the only ones of a method."""
    scale: Scale | None = None
    """Size of cells and steps; None for a method that does not ask."""

    def part(self, chosen: slice) -> Batch:
        """Some of the windows."""
        static = None if self.static is None else self.static[chosen]
        return self._replace(
            fine=self.fine[chosen], static=static, weights=self.weights[chosen], styles=self.styles[chosen]
        )


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
    targets : int
        How many of the channels are targets; the others are predictors.
    vectors : sequence of (int, int), or None
        Channels that are the eastward and the northward component of a vector: they turn with the window. None turns no
        window, as a component that stands alone asks.
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
        targets: int = 1,
        vectors: Sequence[tuple[int, int]] | None = (),
        wet: float | None = 0.1,
        floor: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.sources = list(sources)
        self.shape = (blocks[0] * frames, blocks[1] * cells, blocks[2] * cells)
        self.blocks = blocks
        self.targets, self.vectors = targets, None if vectors is None else tuple(vectors)
        self.seed = seed
        self.least = [None if wet is None else _smallest(source.values) for source in self.sources]
        self.patches, fractions = self._survey(wet)
        if not self.patches:
            sizes = ", ".join(f"{s.name}: {s.shape}" for s in self.sources)
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

        Half of them are turned by any angle (``training.turning``), where that can be.

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
        turning = np.random.default_rng([self.seed, step, 2])
        cut = [self._at_an_angle(i, turning) or window for window, i in zip(cut, chosen, strict=True)]
        turned = [
            self._turned(*window, random, handed=self._source(i).handed)
            for window, i in zip(cut, chosen, strict=True)
        ]
        hiding = np.random.default_rng([self.seed, step, 1])
        fine = np.stack([self._masked(f, hiding) for f, _ in turned])
        has_static = turned[0][1] is not None
        static = np.stack([s for _, s in turned if s is not None]) if has_static else None
        return Batch(fine, static, self.weights[chosen].astype(np.float32), self._styles(chosen), self.blocks)

    def spread(self, size: int) -> Batch:
        """`size` fixed windows for validation, drawn once, unmoved."""
        random = np.random.default_rng([self.seed, 2**31])
        chosen = random.choice(len(self.patches), size, p=self.odds, replace=size > len(self.patches))
        cut = [self._cut(self.patches[i]) for i in chosen]
        static = None if cut[0][1] is None else np.stack([s for _, s in cut if s is not None])
        weights = self.weights[chosen].astype(np.float32)
        return Batch(np.stack([f for f, _ in cut]), static, weights, self._styles(chosen), self.blocks)

    def _survey(self, wet: float | None) -> tuple[list[Patch], NDArray[np.float64]]:
        """All windows on a half-overlapping lattice that have enough data, and rain somewhere."""
        patches, fractions = [], []
        for number, source in enumerate(self.sources):
            starts = [
                _starts(size, length, max(1, length // 2), whole=block if source.aligned else 1)
                for size, length, block in zip(source.shape, self.shape, self.blocks, strict=True)
            ]
            for t in starts[0]:
                frames = source.values[t : t + self.shape[0]]  # read once
                for y in starts[1]:
                    for x in starts[2]:
                        patch = Patch(number, t, y, x)
                        values = frames[:, :, y : y + self.shape[1], x : x + self.shape[2]]
                        known = self._known(values)
                        if known < LEAST:
                            continue
                        fraction = known if wet is None else float((values[:, : self.targets] > wet).mean())
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
        return tuple(self._source(i).style for i in chosen)

    def _source(self, number: int) -> Source:
        """Where a window comes from."""
        return self.sources[self.patches[number].source]

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
        return source.values[patch.time : patch.time + t, :, rows, columns], static

    def _jittered(
        self, patch: Patch, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """A window near `patch`, or `patch` itself where the neighbour has too little data."""
        source = self.sources[patch.source]
        moves = [random.integers(-(length // 4), length // 4 + 1) for length in self.shape]
        start = [
            int(np.clip(first + move, 0, size - length))
            for first, move, size, length in zip(patch[1:], moves, source.shape, self.shape, strict=True)
        ]
        if source.aligned:
            start = [first - first % block for first, block in zip(start, self.blocks, strict=True)]
        moved = self._cut(Patch(patch.source, *start))
        return moved if self._known(moved[0]) >= LEAST else self._cut(patch)

    def _at_an_angle(
        self, number: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None] | None:
        """The window turned about its middle by any angle; None for some, and where it cannot be.

        Windows with a vector are turned by right angles alone, and so are those at the border of a field and those that
        begin at whole coarse cells.
        """
        angle, chosen = random.uniform(0, 2 * np.pi), random.random() < TURNED
        source, patch = self._source(number), self.patches[number]
        room = room_for(angle, (self.shape[1], self.shape[2]))
        first = [
            start - (wide - length) // 2
            for start, wide, length in zip(patch[2:], room, self.shape[1:], strict=True)
        ]
        fits = all(
            start >= 0 and start + wide <= size
            for start, wide, size in zip(first, room, source.shape[1:], strict=True)
        )
        if not chosen or self.vectors != () or source.aligned or not fits:
            return None
        rows, columns = (slice(start, start + wide) for start, wide in zip(first, room, strict=True))
        values = source.values[patch.time : patch.time + self.shape[0], :, rows, columns]
        made = turned(values, angle, (self.shape[1], self.shape[2]), least=self.least[patch.source])
        if self._known(made) < LEAST:
            return None
        ground = None if source.static is None else source.static[:, rows, columns]
        return made, None if ground is None else turned(ground, angle, (self.shape[1], self.shape[2]))

    def _known(self, values: NDArray[np.float32]) -> float:
        """Share of the coarse cells of the targets of a window that have no gap."""
        finite = np.isfinite(values[:, : self.targets]).astype(np.float64)
        return float((block_mean(finite.swapaxes(0, 1), self.blocks) == 1).mean())

    def _masked(self, fine: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
        """A window as it is, or with a share of the coarse cells of its targets hidden."""
        if random.random() >= MASKED:
            return fine
        frames, rows, columns = (n // size for n, size in zip(self.shape, self.blocks, strict=True))
        hidden = block_repeat(random_mask((frames, rows, columns), random), self.blocks)[:, None]
        chosen = np.arange(fine.shape[1])[:, None, None] < self.targets
        return np.where(hidden & chosen, np.float32(np.nan), fine)

    def _turned(
        self,
        fine: NDArray[np.float32],
        static: NDArray[np.float32] | None,
        random: np.random.Generator,
        *,
        handed: int,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """One of the eight symmetries of the square (four when the factors or sizes differ by axis).

        With wind there are no mirror images: in them air would turn around a low as on the other hemisphere.
        """
        flip_y, flip_x, swap = (bool(each) for each in random.integers(0, 2, 3))
        if self.vectors is None:
            return fine, static
        swap = swap and self.blocks[1] == self.blocks[2]
        if self.vectors:
            flip_x = flip_y != swap
        turn = Turn(flip_y=flip_y, flip_x=flip_x, swap=swap)
        turned = turn.of(fine, vectors=self.vectors, handed=handed)
        return turned, None if static is None else turn.of(static)


def _smallest(values: NDArray[np.float32]) -> float:
    """The smallest value above zero: products of rain have a threshold."""
    frames = (frame for run in runs(values) for frame in run)
    return float(min((part[part > 0].min(initial=np.inf) for part in frames), default=np.inf))


def _starts(size: int, length: int, stride: int, *, whole: int = 1) -> list[int]:
    """First indices of windows of `length` that cover an axis of `size`, the last one moved inwards.

    All are multiples of `whole`.

    >>> _starts(10, 4, 2), _starts(10, 4, 2, whole=4)
    ([0, 2, 4, 6], [0, 4])
    """
    if size < length:
        return []
    starts = {*range(0, size - length + 1, stride), size - length}
    return sorted({start - start % whole for start in starts})
