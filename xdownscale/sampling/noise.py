"""Noise as a function of (seed, member, absolute time, y, x), never drawn in order.

Space is cut into blocks of 16×16 coarse cells (8×8 where a cell has many pixels) at absolute indices. Each block of
each frame is filled by its own Philox generator (Salmon et al. 2011, doi:10.1145/2063384.2063405), whose key is (seed,
member and map set) and whose counter starts at (time, y, x) of the block. What a window sees of a block therefore never
depends on where the window begins.

Normal values are looked up: 16 random bits choose one of 65536 quantiles. That takes a quarter of the time of the
ziggurat, and the law differs from the normal one by less than any network could tell (no value is beyond 4.3).
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from xdownscale.nn.carry import NoiseMaps

MANY = 5
"""Pixels along a side of a cell beyond which blocks are smaller: a window needs all of every block that it touches."""

_MASK = 2**64 - 1


def noise_window(
    maps: Sequence[NoiseMaps],
    *,
    seed: int,
    member: int,
    start: tuple[int, int, int],
    shape: tuple[int, int, int],
) -> list[Tensor]:
    """The noise of one member over a window.

    Parameters
    ----------
    maps : sequence of NoiseMaps
        What the network asks for.
    seed, member : int
        Which ensemble, and which of its members.
    start, shape : tuple of int
        Absolute index of the first coarse cell (time, y, x), and the number of coarse frames and cells.

    Returns
    -------
    list of Tensor
        Standard normal, each of one window of :meth:`~xdownscale.nn.carry.NoiseMaps.shape`.
    """
    return [
        torch.from_numpy(
            _window(m, (seed & _MASK, ((member << 16) | stream) & _MASK), start, shape)
        ).unsqueeze(0)
        for stream, m in enumerate(maps)
    ]


def _window(
    maps: NoiseMaps, key: tuple[int, int], start: tuple[int, int, int], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """One set of maps, cut out of the blocks that it touches."""
    rows, columns = maps.pixels
    side = _side(maps)
    window = np.empty(maps.shape(shape), np.float32)
    first, count = start[0] * maps.frames - maps.lead[0], len(window)
    start_y, start_x = (each - maps.margin for each in start[1:])
    high, wide = (each + 2 * maps.margin for each in shape[1:])

    source = _Source(key)
    # one thread: most of a block's time is spent where Python lets only one of them work
    for frame, (y, x) in product(
        range(count), product(_touched(start_y, high, side), _touched(start_x, wide, side))
    ):
        block = _block(maps, source, (first + frame, y, x))
        (to_y, from_y), (to_x, from_x) = (
            _overlap(y, start_y, high, side, rows),
            _overlap(x, start_x, wide, side, columns),
        )
        window[frame, :, to_y, to_x] = block[:, from_y, from_x]
    return window


class _Source:
    """Philox with a key, read from any counter: moving on takes a fifth of the time of a new generator."""

    def __init__(self, key: tuple[int, int]) -> None:
        self._random = np.random.Philox(key=np.array(key, np.uint64), counter=np.zeros(4, np.uint64))
        self._counter = 0

    def bits(self, words: tuple[int, int, int, int], count: int) -> NDArray[np.uint16]:
        """16 random bits, `count` (a multiple of 4) times, from the counter of these four 64-bit words."""
        wanted = sum((word & _MASK) << (64 * place) for place, word in enumerate(words))
        self._random.advance((wanted - self._counter) % 2**256)
        raw = self._random.random_raw(count // 4)
        self._counter = wanted + -(-len(raw) // 4)  # four words of 64 bits come from one counter
        return np.asarray(raw).astype("<u8", copy=False).view("<u2")


def _block(maps: NoiseMaps, source: _Source, place: tuple[int, int, int]) -> NDArray[np.float32]:
    """All values of a block, always drawn together."""
    side = _side(maps)
    values = np.empty((maps.maps, side * maps.pixels[0], side * maps.pixels[1]), np.float32)
    bits = source.bits((0, *place), values.size).reshape(values.shape)
    # every index is in the table; "wrap" leaves out the check
    return np.take(_quantiles(), bits, out=values, mode="wrap")


@cache
def _quantiles() -> NDArray[np.float32]:
    """The middles of 65536 equally likely parts of the normal law, at unit variance."""
    from scipy.special import ndtri

    middles = ndtri((np.arange(2**16) + 0.5) / 2**16)
    return np.asarray(middles / middles.std(), np.float32)


def _side(maps: NoiseMaps) -> int:
    """Coarse cells along each side of a block."""
    return 8 if max(maps.pixels) > MANY else 16


def _touched(start: int, size: int, side: int) -> range:
    """Blocks that a window touches along an axis."""
    return range(start // side, (start + size - 1) // side + 1)


def _overlap(block: int, start: int, size: int, side: int, pixels: int) -> tuple[slice, slice]:
    """Where a block lies in a window, and which part of the block that is, in pixels."""
    low, high = max(block * side, start), min((block + 1) * side, start + size)
    return (
        slice((low - start) * pixels, (high - start) * pixels),
        slice((low - block * side) * pixels, (high - block * side) * pixels),
    )
