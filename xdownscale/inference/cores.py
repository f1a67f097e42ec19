"""How large a tile is: as large as memory allows, since the halo of a tile is computed and thrown away."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final

from xdownscale.inference.tiles import plan_tiles
from xdownscale.models.spans import widened

if TYPE_CHECKING:
    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.method import Method

TILE_BYTES, IN_MEMORY_BYTES = 2**30, 2**32
"""Memory that one tile may take while it is computed, of a field in chunks and of one in memory; there are as many at a
time as threads."""

REGIONS: Final = 20
"""Parts in which a lazy result is computed, if time allows: what is finished survives an interruption."""

PART: Final = 2**20
"""Fine values of a part, at least: about half a second of work."""

_MORE = 1.25
"""Times the least work that smaller parts may take, as the halo of each is computed and thrown away."""

_FRAMES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
_CELLS = (4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 192)
"""Sizes of cores that are compared."""

Size = tuple[int, int, int]
"""Coarse frames, rows and columns."""


def core_for(shape: Size, method: Method, blocks: Blocks | None = None, *, lazy: bool = True) -> Size:
    """The core that costs the least for a domain, among those whose tile fits into memory.

    A lazy series is cut into shorter parts, towards :data:`REGIONS` of them, as far as they cost little more.

    Parameters
    ----------
    shape : tuple of int
        Coarse frames and cells of the domain.
    method : Method
    blocks : tuple of int, optional
        Fine cells per coarse cell; None for the only ones that the method supports.
    lazy : bool
        Whether the field is in chunks, so that little memory is to be taken: :data:`TILE_BYTES`.

    Examples
    --------
    >>> from xdownscale import zoo
    >>> core_for((12, 60, 60), zoo.load("rain-10x3").method)
    (12, 60, 60)
    """
    rows, columns = (min(_CELLS[0], size) for size in shape[1:])
    least = (1, *shape[1:]) if method.whole else (1, rows, columns)  # one that is whole is cut in time alone
    # where even the smallest tile does not fit, as its halo is large, twice as much is taken as that needs
    most = max(TILE_BYTES if lazy else IN_MEMORY_BYTES, 2 * tile_bytes(least, shape, method, blocks))
    fitting = []
    sizes = [_sizes(size, among) for size, among in zip(shape, _among(), strict=True)]
    if method.whole:
        sizes[1:] = [[size] for size in shape[1:]]
    for time, y, x in product(*sizes):
        core = time, y, x
        if tile_bytes(core, shape, method, blocks) <= most:
            fitting.append((work_of(core, shape, method, blocks), -prod(core), core))
    best = min(fitting)
    if not lazy or method.whole:
        return best[2]
    values = prod(blocks or method.settings.blocks)
    parts = [
        (-min(REGIONS, len(plan_tiles(shape, core=core, halo=(0, 0, 0)))), work, core)
        for work, _, core in fitting
        if core[1:] == best[2][1:] and work <= _MORE * best[0] and prod(core) * values >= PART
    ]
    return min(parts)[2] if parts else best[2]


def tile_bytes(core: Size, shape: Size, method: Method, blocks: Blocks | None = None) -> float:
    """What a tile takes while it is computed, in the middle of a domain; parameters as for :func:`core_for`."""
    window, _, inner = windows(core, shape, method, blocks)
    each, fine = method.footprint(blocks)
    return max(window * each, inner * fine + window * each / 3)


def windows(core: Size, shape: Size, method: Method, blocks: Blocks | None = None) -> tuple[int, int, int]:
    """Coarse cells that the encoder, the decoder and the fine stages see for a core in the middle of a domain."""
    cells, frames = method.halo(blocks)
    sides = _window(core, shape, (frames, cells, cells))
    middle = [(side - size) // 2 for side, size in zip(sides, core, strict=True)]
    time, y, x = (
        slice(low, low + min(size, side)) for low, size, side in zip(middle, core, sides, strict=True)
    )
    spans = method.spans(widened((time, y, x), (0, 0, 0), sides), sides, blocks)
    return prod(sides), *(
        prod(part.stop - part.start for part in span) for span in (spans.outer, spans.inner)
    )


def _window(core: Size, shape: Size, halo: Size) -> Size:
    """Size of the window of a core in the middle of a domain."""
    time, y, x = (min(size, c + 2 * h) for c, size, h in zip(core, shape, halo, strict=True))
    return time, y, x


def work_of(core: Size, shape: Size, method: Method, blocks: Blocks | None = None) -> float:
    """Work for all tiles of a member, in fine values: fine stages for every core and its halo, and the coarse lattice.

    Parameters as for :func:`core_for`.
    """
    window, outer, inner = windows(core, shape, method, blocks)
    fine = prod(blocks or method.settings.blocks)
    tiles = prod(-(-size // c) for size, c in zip(shape, core, strict=True))
    return tiles * (inner * fine + 60 * outer + 15 * window)


def _among() -> tuple[tuple[int, ...], ...]:
    return _FRAMES, _CELLS, _CELLS


def _sizes(size: int, among: tuple[int, ...]) -> list[int]:
    """Cores for an axis: those that cut it, and all of it."""
    return [*(each for each in among if each < size), size] if size <= among[-1] else [*among]
