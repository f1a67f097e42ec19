"""Noise as a function of (seed, member, absolute time, y, x), never drawn in order.

Space is cut into strips along y, 16 coarse cells wide (8 where a cell has many pixels), at absolute indices. Each strip
of each frame is read from its own place in the stream of a Philox generator (Salmon et al. 2011,
doi:10.1145/2063384.2063405), whose key is (seed, member and map set) and whose counter is (row, strip, time). What a
window sees of a strip therefore never depends on where the window begins, and rows outside of it need not be drawn.

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

    from xdownscale.nn.advected_noise import NoiseMaps

MANY = 5
"""Pixels along a side of a cell beyond which strips are narrower: a window needs the whole width of each."""

FIRST = 2**40
"""Number of the row where y = 0, so that rows before it have numbers as well."""

_MASK = 2**64 - 1


def noise_window(
    maps: Sequence[NoiseMaps],
    *,
    seed: int,
    member: int,
    start: tuple[int, int, int],
    shape: tuple[int, int, int],
    first: int = 0,
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
    first : int
        Number of the first set of maps among those of the network: each has a stream of its own.

    Returns
    -------
    list of Tensor
        Standard normal, each of one window of :meth:`~xdownscale.nn.advected_noise.NoiseMaps.shape`.
    """
    return [
        torch.from_numpy(
            _window(m, (seed & _MASK, ((member << 16) | stream) & _MASK), start, shape)
        ).unsqueeze(0)
        for stream, m in enumerate(maps, first)
    ]


def _window(
    maps: NoiseMaps, key: tuple[int, int], start: tuple[int, int, int], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """One set of maps, cut out of the strips that it touches."""
    rows, columns = maps.pixels
    width = _width(maps)
    window = np.empty(maps.shape(shape), np.float32)
    first = start[0] * maps.frames - maps.lead[0]
    start_y, start_x = (each - more for each, more in zip(start[1:], maps.margin, strict=True))
    wide = shape[2] + 2 * maps.margin[1]

    source = _Source(key)
    # one thread: most of a strip's time is spent where Python lets only one of them work
    for frame, strip in product(range(len(window)), _touched(start_x, wide, width)):
        values = _strip(maps, source, (first + frame, strip), start_y * rows, window.shape[2])
        to, of = _overlap(strip, start_x, wide, width, columns)
        window[frame, :, :, to] = values[..., of].swapaxes(0, 1)
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


def _strip(
    maps: NoiseMaps, source: _Source, place: tuple[int, int], start: int, rows: int
) -> NDArray[np.float32]:
    """Values (rows, maps, columns) of the strip (frame, number) from a row of pixels on."""
    frame, strip = place
    values = np.empty((rows, maps.maps, _width(maps) * maps.pixels[1]), np.float32)
    row = values[0].size // 16  # what one row takes of the counter, which gives 16 values at a time
    bits = source.bits(((FIRST + start) * row, strip, frame, 0), values.size).reshape(values.shape)
    # every index is in the table; "wrap" leaves out the check
    return np.take(_quantiles(), bits, out=values, mode="wrap")


@cache
def _quantiles() -> NDArray[np.float32]:
    """The middles of 65536 equally likely parts of the normal law, at unit variance."""
    from scipy.special import ndtri

    middles = ndtri((np.arange(2**16) + 0.5) / 2**16)
    return np.asarray(middles / middles.std(), np.float32)


def _width(maps: NoiseMaps) -> int:
    """Coarse cells along x of a strip; its rows are whole multiples of 16 pixels."""
    columns = maps.pixels[1]
    return 8 if columns > MANY and columns % 2 == 0 else 16


def _touched(start: int, size: int, width: int) -> range:
    """Strips that a window touches."""
    return range(start // width, (start + size - 1) // width + 1)


def _overlap(strip: int, start: int, size: int, width: int, pixels: int) -> tuple[slice, slice]:
    """Where a strip lies in a window, and which part of the strip that is, in pixels."""
    low, high = max(strip * width, start), min((strip + 1) * width, start + size)
    return (
        slice((low - start) * pixels, (high - start) * pixels),
        slice((low - strip * width) * pixels, (high - strip * width) * pixels),
    )
