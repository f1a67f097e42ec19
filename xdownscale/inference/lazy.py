"""The engine on dask arrays: a task for each tile, which reads its own window and holds nothing else of the field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.inference.cores import PART, REGIONS
from xdownscale.inference.engine import Job, sample_tile, token_of
from xdownscale.inference.tiles import Tile
from xdownscale.models.generator import FILLED
from xdownscale.models.spans import counted_from
from xdownscale.models.threads import threads_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Chunks = list[list[list["NDArray[np.float32]"]]]
"""Neighbouring chunks of the coarse field by time, y and x, each (K, C, M, N)."""

CHUNK_BYTES = 2**27
"""Of one chunk of the result at most, unless one tile of one member is more: of members that are drawn in one task."""


def sample_lazily(job: Job, coarse: Any, static: NDArray[np.float32] | None = None) -> Any:
    """All members of a field as a dask array, one task for each tile and as many members as fill a chunk.

    Weights and static fields are in the graph once, and every task is given those chunks of the coarse field which its
    window touches; chunks that are much larger than a window are cut up first. Parameters and result as in
    :func:`~xdownscale.inference.engine.sample`, for dask arrays.
    """
    import dask.array as da
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    steps, channels, rows, columns = coarse.shape
    shape, tiles = (steps, rows, columns), job.tiles((steps, rows, columns))
    coarse = _cut_up(coarse.rechunk({1: channels}), tiles)
    groups = _groups(job, tiles)
    name = "xdownscale-" + tokenize(token_of(job), job.members, coarse.name, static)
    held, edges = (f"{name}-job", f"{name}-static"), [_edges(coarse.chunks[axis]) for axis in (0, 2, 3)]
    graph: dict[Any, Any] = {held[0]: (_itself, _Held(job)), held[1]: (_itself, _Held(static))}
    starts = [sorted({tile.core[axis].start for tile in tiles}) for axis in range(3)]
    for tile in tiles:
        wide = tile.widened(FILLED, shape)
        touched = [_touched(part, each) for part, each in zip(wide.window, edges, strict=True)]
        keys = [[[(coarse.name, t, 0, y, x) for x in touched[2]] for y in touched[1]] for t in touched[0]]
        corner = tuple(each[part.start] for part, each in zip(touched, edges, strict=True))
        t, y, x = (starts[axis].index(tile.core[axis].start) for axis in range(3))
        for number, members in enumerate(groups):
            part = _Part(tile, wide, (corner[0], corner[1], corner[2]), members)
            graph[name, number, t, 0, y, x] = (part, *held, keys)
    sizes = [_sizes([tile.core[axis] for tile in tiles], b) for axis, b in enumerate(job.blocks)]
    chunks = (tuple(len(each) for each in groups), sizes[0], (job.targets,), sizes[1], sizes[2])
    layers = HighLevelGraph.from_collections(name, graph, dependencies=[coarse])
    return da.Array(layers, name, chunks, dtype=np.float32, meta=np.empty((0,) * 5, np.float32))


class _Held:
    """What the graph holds once, for dask not to look into."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _itself(held: _Held) -> _Held:
    return held


def _groups(job: Job, tiles: Sequence[Tile]) -> list[range]:
    """Members by chunks, all but the last of one size: fewer at once where there are few tiles."""
    cells = max(prod(part.stop - part.start for part in tile.core) for tile in tiles)
    values = cells * prod(job.blocks) * job.targets
    fill = CHUNK_BYTES // (4 * values)
    few = max(job.members * len(tiles) // REGIONS, -(-PART // values))
    size = max(1, min(fill, few))
    return [range(low, min(job.members, low + size)) for low in range(0, job.members, size)]


def _cut_up(coarse: Any, tiles: Sequence[Tile]) -> Any:
    """The coarse field (K, C, M, N), an axis cut like the cores where a chunk is over twice as long as a window."""
    cuts = {}
    for axis, place in enumerate((0, 2, 3)):
        longest = max(tile.window[axis].stop - tile.window[axis].start for tile in tiles)
        if max(coarse.chunks[place]) > 2 * longest:
            cuts[place] = _sizes([tile.core[axis] for tile in tiles], 1)
    return coarse.rechunk(cuts) if cuts else coarse


def _sizes(parts: Sequence[slice], block: int) -> tuple[int, ...]:
    """Sizes of the parts of an axis, times the fine cells of a coarse one."""
    found = {part.start: part.stop for part in parts}
    return tuple((found[start] - start) * block for start in sorted(found))


def _edges(chunks: Sequence[int]) -> list[int]:
    """Where chunks begin, and where the last one ends."""
    return [0, *(int(edge) for edge in np.cumsum(chunks))]


def _touched(part: slice, edges: Sequence[int]) -> range:
    """Numbers of the chunks in which a part of an axis lies."""
    numbers = [n for n, (low, high) in enumerate(pairwise(edges)) if high > part.start and low < part.stop]
    return range(numbers[0], numbers[-1] + 1)


@dataclass(frozen=True)
class _Part:
    """One task: some members of one tile.

    Attributes
    ----------
    tile, wide : Tile
        The tile, and the same with as much more to each side as gaps are filled from.
    corner : tuple of int
        Where the first of the chunks begins that it is given.
    members : range
    """

    tile: Tile
    wide: Tile
    corner: tuple[int, int, int]
    members: range

    def __call__(self, held: _Held, ground: _Held, chunks: Chunks) -> NDArray[np.float32]:
        """Fine values (members, time, targets, y, x)."""
        window = _assembled(self.wide, self.corner, chunks)
        static: NDArray[np.float32] | None = ground.value
        first = tuple(
            start + part.start for start, part in zip(held.value.origin, self.wide.window, strict=True)
        )
        job: Job = replace(held.value, origin=first)
        if static is not None:
            static = static[
                :, *(_times(part, b) for part, b in zip(self.wide.window[1:], job.blocks[1:], strict=True))
            ]
        corner = self.wide.window
        inside = Tile(counted_from(self.tile.core, corner), counted_from(self.tile.window, corner))
        frames, rows, columns = (
            (part.stop - part.start) * b for part, b in zip(self.tile.core, job.blocks, strict=True)
        )
        fine = np.empty((len(self.members), frames, job.targets, rows, columns), np.float32)
        with threads_for():  # dask works on several tasks at once
            for number, values in enumerate(sample_tile(job, inside, window, static, self.members)):
                fine[number] = values
        return fine


def _times(part: slice, block: int) -> slice:
    """A part of an axis in fine cells."""
    return slice(part.start * block, part.stop * block)


def _assembled(wide: Tile, corner: tuple[int, int, int], chunks: Chunks) -> NDArray[np.float32]:
    """A window (K, C, M, N) from the chunks that it touches, the first of which begins at `corner`."""
    t, y, x = (slice(each, each) for each in corner)
    span = counted_from(wide.window, (t, y, x))
    sizes = (
        [each[0][0].shape[0] for each in chunks],
        [each[0].shape[2] for each in chunks[0]],
        [each.shape[3] for each in chunks[0][0]],
    )
    channels = chunks[0][0][0].shape[1]
    frames, rows, columns = (part.stop - part.start for part in span)
    window = np.empty((frames, channels, rows, columns), np.float32)
    for place in product(*(range(len(each)) for each in sizes)):
        chunk = chunks[place[0]][place[1]][place[2]]
        to, of = zip(
            *(_overlap(n, each, part) for n, each, part in zip(place, sizes, span, strict=True)), strict=True
        )
        window[to[0], :, to[1], to[2]] = chunk[of[0], :, of[1], of[2]]
    return window


def _overlap(number: int, sizes: Sequence[int], part: slice) -> tuple[slice, slice]:
    """Where a chunk of an axis lies in a part of it, and which part of the chunk that is."""
    start = sum(sizes[:number])
    low, high = max(start, part.start), min(start + sizes[number], part.stop)
    return slice(low - part.start, high - part.start), slice(low - start, high - start)
