"""The plan of tiles: cores that cover the domain once, each with the halo on which its values depend.

Cores lie on a lattice that begins in the corner of the domain, so that those of a lazy result have one size, as zarr
stores want it. A method is local: the core of a tile has the very bits that the whole domain would give, wherever the
tiles lie, and there is nothing to blend.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import NamedTuple


class Tile(NamedTuple):
    """A core and the window that is computed for it, as slices of (time, y, x) coarse indices of the domain."""

    core: tuple[slice, slice, slice]
    window: tuple[slice, slice, slice]

    @property
    def cells(self) -> int:
        """Coarse cells and frames of the window."""
        return prod(part.stop - part.start for part in self.window)

    def widened(self, edge: int, shape: tuple[int, int, int]) -> Tile:
        """The same core in a window with so many cells and frames more to each side, as far as the domain goes."""
        time, y, x = (
            slice(max(0, part.start - edge), min(size, part.stop + edge))
            for part, size in zip(self.window, shape, strict=True)
        )
        return Tile(self.core, (time, y, x))


def plan_tiles(
    shape: tuple[int, int, int],
    *,
    core: tuple[int, int, int],
    halo: tuple[int, int, int],
) -> list[Tile]:
    """Tiles that cover a domain.

    Parameters
    ----------
    shape : tuple of int
        Coarse frames and cells of the domain (time, y, x).
    core, halo : tuple of int
        Size of a core, and the halo to each side, cut at the border of the domain. An axis that is shorter than one
        and a half cores is not cut.

    Returns
    -------
    list of Tile

    Examples
    --------
    >>> [t.core[0] for t in plan_tiles((5, 1, 1), core=(2, 1, 1), halo=(1, 0, 0))]
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    cuts = [_cuts(size, length) for size, length in zip(shape, core, strict=True)]
    tiles = []
    for place in product(*cuts):
        window = tuple(
            slice(max(0, part.start - edge), min(size, part.stop + edge))
            for part, edge, size in zip(place, halo, shape, strict=True)
        )
        tiles.append(Tile((place[0], place[1], place[2]), (window[0], window[1], window[2])))
    return tiles


def _cuts(size: int, length: int) -> list[slice]:
    """Parts of an axis, each of `length` but the last one."""
    if size <= length * 3 // 2:
        return [slice(0, size)]
    return [slice(low, min(size, low + length)) for low in range(0, size, length)]
