"""Windows of many scales and factors out of the same fields of one variable: any block mean of a field is a truth.

A field of 1 km and 5 minutes holds fields of 4 km and 30 minutes. For every window the factors, the size of its cells
and the length of its steps are drawn, each for itself, and whatever field is wide and long enough gives it. The number
of fine values of a window is about the same for all, and their weight makes all scales count alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from xdownscale.errors import EmptyFieldError
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.kernels.resize import interpolate_cells
from xdownscale.models.scale import Scale
from xdownscale.training.masks import MASKED, random_mask
from xdownscale.training.patches import LEAST, Batch
from xdownscale.training.turn import Turn
from xdownscale.training.turning import TURNED, room_for, turned
from xdownscale.training.wetness import Wetness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.transform import Transform
    from xdownscale.training.patches import Source

VALUES, CELLS = 80_000, 2500
"""Fine values and coarse cells of a window, at most: either may set its cost."""

SIDE, FEWEST, FRAMES = 120, 4, (2, 6)
"""Fine cells along the side of a window at most; its coarse cells at least; its coarse frames."""

UNEQUAL = 0.1
"""Share of the windows whose factors along y and x are drawn independently."""

PLACES = 12
"""Places of which one is taken, the wetter the likelier."""

FLOOR = 0.04
"""Odds of a window with hardly any rain relative to a wholly wet one."""

TRIES = 200
"""Draws of which one must fit."""

MEASURED = 96
"""Windows by which the size of the score at a scale is measured."""


@dataclass(frozen=True)
class Draws:
    """Which factors and scales are drawn.

    Parameters
    ----------
    spatial, temporal : tuple of int
        Factors to choose from: in space in proportion to 1/S, so that all sizes are as likely on a logarithmic axis.
    km, minutes : (float, float)
        Between which sizes of a fine cell and of a fine step truths are made, evenly on a logarithmic axis.
    """

    spatial: tuple[int, ...] = tuple(range(1, 26))
    temporal: tuple[int, ...] = tuple(range(1, 7))
    km: tuple[float, float] = (1.0, 8.0)
    minutes: tuple[float, float] = (5.0, 60.0)

    def blocks(self, random: np.random.Generator) -> Blocks:
        """Factors along (time, y, x), never all 1."""
        while True:
            time, y = int(random.choice(self.temporal)), self._side(random)
            x = self._side(random) if random.random() < UNEQUAL else y
            if max(time, y, x) > 1 or (max(self.spatial) == 1 == max(self.temporal)):
                return time, y, x

    def scale(self, random: np.random.Generator) -> tuple[float, float]:
        """Kilometres and minutes."""
        km, minutes = (float(np.exp(random.uniform(*np.log(each)))) for each in (self.km, self.minutes))
        return km, minutes

    def _side(self, random: np.random.Generator) -> int:
        odds = 1 / np.asarray(self.spatial, float)
        return int(random.choice(self.spatial, p=odds / odds.sum()))


class Mixed(NamedTuple):
    """Windows of several scales: as a :class:`~xdownscale.training.patches.Batch`, whose parts are of one each."""

    parts: tuple[Batch, ...]

    @property
    def fine(self) -> list[NDArray[np.float32]]:
        """One array for each window."""
        return [part.fine[0] for part in self.parts]

    @property
    def weights(self) -> NDArray[np.float32]:
        """One for each window."""
        return np.concatenate([part.weights for part in self.parts])

    def part(self, chosen: slice) -> Batch:
        """A single window."""
        (part,) = self.parts[chosen]
        return part


class Cut(NamedTuple):
    """What a window is to be cut as."""

    blocks: Blocks
    cells: int
    """Fine cells of the field that make one of the window."""
    steps: int
    """Steps of the field that make one of the window."""
    coarse: tuple[int, int, int]
    """Coarse frames and cells along (time, y, x)."""

    @property
    def fine(self) -> tuple[int, int, int]:
        """Steps and cells of the window."""
        return tuple(n * b for n, b in zip(self.coarse, self.blocks, strict=True))  # type: ignore[return-value]

    @property
    def raw(self) -> tuple[int, int, int]:
        """Steps and cells of the field."""
        t, y, x = self.fine
        return t * self.steps, y * self.cells, x * self.cells

    @property
    def half(self) -> int:
        """Cells of the field that are averaged before a window is turned: half of one of its own, if that is whole."""
        return self.cells // 2 if self.cells % 2 == 0 else 1


class ScaleSampler:
    """Draws windows of many scales from sources, the same for the same seed and step.

    Parameters
    ----------
    sources : sequence of Source
        Fine fields, each with its scale. Their values are read window by window.
    draws : Draws
    transform : Transform
        In whose latent units the size of scores is measured.
    wet : float, optional
        A cell counts as wet above this value; None draws all windows alike.
    seed : int
        Seed of all draws.

    Raises
    ------
    EmptyFieldError
        If a source does not know its scale, or no window fits into any.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        draws: Draws,
        transform: Transform,
        wet: float | None = 0.1,
        seed: int = 0,
    ) -> None:
        self.sources, self.draws, self.transform, self.seed = list(sources), draws, transform, seed
        unknown = [s.name for s in self.sources if s.scale is None or None in (s.scale.km, s.scale.minutes)]
        if unknown or not self.sources:
            msg = (
                f"training on many scales needs the size of cells and steps, missing for {unknown or 'all fields'}. "
                f"Give the fields coordinates with units and times."
            )
            raise EmptyFieldError(msg)
        self.wetness = [Wetness(source.values, wet) for source in self.sources]
        self.rain = wet is not None
        self.level = np.zeros(5)
        self.level = self._measured()

    def batch(self, step: int, size: int) -> Mixed:
        """The windows of training step `step`, turned and mirrored at random, some behind a random mask."""
        random = np.random.default_rng([self.seed, step])
        return Mixed(tuple(self._drawn(random, turn=True) for _ in range(size)))

    def spread(self, size: int) -> Mixed:
        """`size` fixed windows for validation, unturned."""
        random = np.random.default_rng([self.seed, 2**31])
        return Mixed(tuple(self._drawn(random, turn=False) for _ in range(size)))

    def window(
        self, random: np.random.Generator, blocks: Blocks, km: float, minutes: float, *, turn: bool = False
    ) -> Batch | None:
        """A window of given factors and scale; None where none fits, or none of those looked at is wet."""
        fitting = [
            (number, cut)
            for number, source in enumerate(self.sources)
            if (cut := cut_for(source, blocks, km, minutes)) is not None
        ]
        if not fitting:
            return None
        styles = sorted({self.sources[number].style for number, _ in fitting})
        style = styles[random.integers(len(styles))]
        own = [each for each in fitting if self.sources[each[0]].style == style]
        sizes = np.sqrt([float(np.prod(self.sources[number].shape)) for number, _ in own])
        number, cut = own[random.choice(len(own), p=sizes / sizes.sum())]
        return self._cut(number, cut, random, turn=turn)

    def _drawn(self, random: np.random.Generator, *, turn: bool) -> Batch:
        """A window of random factors and scale."""
        for _ in range(TRIES):
            window = self.window(random, self.draws.blocks(random), *self.draws.scale(random), turn=turn)
            if window is not None:
                return window
        sizes = ", ".join(f"{s.name}: {s.shape}" for s in self.sources)
        msg = (
            f"no training window of the wanted factors and scales, with rain, fits into the fields ({sizes}): "
            f"train on larger or wetter fields, or for smaller factors"
        )
        raise EmptyFieldError(msg)

    def _cut(self, number: int, cut: Cut, random: np.random.Generator, *, turn: bool) -> Batch | None:
        """A window of a source, at one of several places."""
        source = self.sources[number]
        shape: tuple[int, ...] = cut.raw
        angle = random.uniform(0, 2 * np.pi) if turn and random.random() < TURNED else None
        if angle is not None:
            side = cut.half
            room = (shape[0], *(side * n for n in room_for(angle, (shape[1] // side, shape[2] // side))))
            if any(size > there for size, there in zip(room, source.shape, strict=True)):
                angle = None
            else:
                shape = room
        starts = [
            tuple(
                int(random.integers(0, there - size + 1))
                for there, size in zip(source.shape, shape, strict=True)
            )
            for _ in range(PLACES)
        ]
        odds = np.asarray([self._odds(number, start, shape) for start in starts])
        if not odds.sum():
            return None
        place = random.choice(PLACES, p=odds / odds.sum())
        weight = min(float(odds.mean() / odds[place]), 4.0)
        frames, rows, columns = (slice(a, a + n) for a, n in zip(starts[place], shape, strict=True))
        values = np.asarray(source.values[frames, 0, rows, columns], np.float32)
        fine = _averaged(values, cut, angle, self.wetness[number].least)
        fine = _mirrored(fine, random, square=cut.blocks[1] == cut.blocks[2]) if turn else fine
        known = block_mean(np.isfinite(fine).astype(np.float64), cut.blocks) == 1
        if known.mean() < LEAST or (self.rain and not np.nan_to_num(fine).any()):
            return None
        if turn and random.random() < MASKED:
            hidden = random_mask(known.shape, random)
            fine = np.where(block_repeat(hidden, cut.blocks), np.float32(np.nan), fine)
        scale = scale_of(source, cut)
        weight *= float(np.exp(-_terms(cut.blocks, scale) @ self.level))
        return Batch(
            fine[None, :, None].astype(np.float32),
            None,
            np.asarray([weight], np.float32),
            (source.style,),
            cut.blocks,
            scale,
        )

    def _odds(self, number: int, start: tuple[int, ...], shape: tuple[int, ...]) -> float:
        wet, known = self.wetness[number].shares(start, shape)
        if known < LEAST or not wet:
            return 0.0
        return wet + FLOOR if self.rain else 1.0

    def _measured(self) -> NDArray[np.float64]:
        """Exponents of the size of a score by factors and scale, so that it is 1 at (10, 3), 1 km and 5 minutes."""
        rows, sizes = [], []
        random = np.random.default_rng([self.seed, 2**32])
        for _ in range(MEASURED):
            batch = self._drawn(random, turn=False)
            fine = torch.from_numpy(batch.fine[:, :, 0])
            blocks = batch.blocks or (1, 1, 1)
            base = interpolate_cells(block_mean(fine, blocks).nan_to_num(0.0), blocks)
            off = (self.transform.forward(fine) - self.transform.forward(base)).abs()
            size = float(off.nanmean())
            if size > 0 and batch.scale is not None:
                rows.append(_terms(blocks, batch.scale))
                sizes.append(np.log(size))
        matrix = np.column_stack([np.ones(len(rows)), *np.asarray(rows).T])
        found = np.linalg.lstsq(matrix, np.asarray(sizes), rcond=None)[0]
        return np.asarray([*found[1:]])


def _averaged(
    values: NDArray[np.float32], cut: Cut, angle: float | None, least: float | None
) -> NDArray[np.float32]:
    """Block means of a window of the field, turned where an angle is given.

    Means over steps are taken first, and halves of the means over cells where these are large: what is turned then is
    smaller, and finer than what comes out.
    """
    fine = block_mean(values, (cut.steps, 1, 1)) if cut.steps > 1 else values
    if angle is None:
        return block_mean(fine, (1, cut.cells, cut.cells)) if cut.cells > 1 else fine
    first = cut.half
    fine = block_mean(fine, (1, first, first)) if first > 1 else fine
    _, high, wide = cut.raw
    fine = turned(fine, angle, (high // first, wide // first), least=least if cut.steps * first == 1 else 0.0)
    rest = cut.cells // first
    return block_mean(fine, (1, rest, rest)) if rest > 1 else fine


def cut_for(source: Source, blocks: Blocks, km: float, minutes: float) -> Cut | None:
    """How a window of a scale is cut from a source; None where it does not fit, or the source is coarser."""
    if source.scale is None or source.scale.km is None or source.scale.minutes is None:
        return None
    cells, steps = (max(1, round(a / b)) for a, b in ((km, source.scale.km), (minutes, source.scale.minutes)))
    if km < source.scale.km / 1.5 or minutes < source.scale.minutes / 1.5:
        return None
    t, y, x = blocks
    there = [size // (b * n) for size, b, n in zip(source.shape, blocks, (steps, cells, cells), strict=True)]
    frames = min(there[0], int(np.clip(round(12 / t), *FRAMES)))
    if frames < FRAMES[0] or min(there) < 1:
        return None
    area = min(VALUES / (t * frames * y * x), CELLS / frames)
    side = [
        min(size, max(FEWEST, int(min(np.sqrt(area), SIDE / b if b < SIDE // FEWEST else FEWEST))))
        for size, b in zip(there[1:], (y, x), strict=True)
    ]
    if min(side) < FEWEST:
        return None
    return Cut(blocks, cells, steps, (frames, side[0], side[1]))


def scale_of(source: Source, cut: Cut) -> Scale:
    """The scale of the cells and steps of a window."""
    given = source.scale or Scale()
    return Scale((given.km or 1.0) * cut.cells, (given.minutes or 1.0) * cut.steps)


def _terms(blocks: Blocks, scale: Scale) -> NDArray[np.float64]:
    """What the size of a score depends on, relative to (10, 3) at 1 km and 5 minutes."""
    time, y, x = blocks
    space = 0.5 * np.log(y * x)
    return np.asarray(
        [
            space - np.log(10),
            (space - np.log(10)) ** 2,
            np.log(time / 3),
            np.log(scale.km or 1.0),
            np.log((scale.minutes or 5.0) / 5),
        ]
    )


def _mirrored(fine: NDArray[np.float32], random: np.random.Generator, *, square: bool) -> NDArray[np.float32]:
    """One of the eight symmetries of the square, or of the four of a rectangle."""
    flip_y, flip_x, swap = (bool(each) for each in random.integers(0, 2, 3))
    return Turn(flip_y=flip_y, flip_x=flip_x, swap=swap and square).of(fine)


def windows_of(
    sampler: ScaleSampler, cases: Sequence[tuple[Blocks, float, float]], count: int, seed: int = 0
) -> Iterator[tuple[int, Batch]]:
    """Fixed unturned windows of listed factors and scales, `count` of each that fits, with the number of its case."""
    for number, (blocks, km, minutes) in enumerate(cases):
        random = np.random.default_rng([seed, number])
        found = 0
        for _ in range(8 * count):
            batch = sampler.window(random, blocks, km, minutes)
            if batch is not None and found < count:
                found += 1
                yield number, batch
