"""Labels of the finer or coarser grid that a coordinate was made from, so that they come back to the last bit.

xarray joins labels by their bits, and 47.05 is not 47.050000000000004. So a coarse label carries in its attributes the
labels of the cells that it was made from, and a fine label those of the cells that it is a part of. They are used only
where the labels still agree with them, so that they may be cut, turned and written to a file.

A note is text: first label, last label, number of labels; and where evenly spaced decimals are not the labels, how many
floating-point numbers each is away from them, as integers that are packed by zlib and base64.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.field.bounds import COARSER, COARSER_CELLS, FINER, FINER_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

_AGREE = 1e-6
"""Share of a cell, beside rounding, by which labels may differ from what their notes say, and are still meant."""

_MOST = 10**7
"""More labels than any grid has: a note that was damaged must not take the memory."""

_DECIMALS = 11
"""More decimals than these are rounding, not intent."""


@dataclass(frozen=True)
class Blocks:
    """Labels of fine cells, by the coarse cell that they belong to.

    Attributes
    ----------
    labels : ndarray, shape (cells, parts)
        Of the finest grid that is known.
    """

    labels: np.ndarray

    @property
    def parts(self) -> int:
        """Fine cells in a coarse one."""
        return int(self.labels.shape[1])

    def rows(self, parts: int) -> np.ndarray:
        """The labels in blocks of `parts`."""
        return self.labels.reshape(-1, parts)

    def note(self) -> dict[str, Any]:
        """As attributes of the coarse label; nothing where each cell is its own part."""
        return {} if self.parts == 1 else {FINER: _written(self.labels.ravel()), FINER_CELLS: self.parts}


def finer(label: xr.DataArray, width: float, merge: Callable[[np.ndarray], np.ndarray]) -> Blocks | None:
    """The fine labels that a coarse label carries; None where it carries none, or not those of its cells.

    Parameters
    ----------
    label : DataArray
        Coarse labels.
    width : float
        Width of their cells.
    merge : callable
        From fine labels, shape (cells, parts), to coarse ones.
    """
    parts, labels = _read(label, FINER, FINER_CELLS, width)
    if labels is None or labels.size % parts:
        return None
    blocks = labels.reshape(-1, parts)
    places = _places(label.values, merge(blocks), _slack(label, width))
    return None if places is None else Blocks(blocks[places])


def coarser(
    label: xr.DataArray, parts: int, width: float, split: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | None:
    """The coarse labels that a fine label carries, of cells of `parts`; None where these are not its cells.

    Parameters
    ----------
    label : DataArray
        Fine labels.
    parts : int
        Cells to merge, which divides their number.
    width : float
        Width of the fine cells.
    split : callable
        From coarse labels to fine ones, in one row.
    """
    made, labels = _read(label, COARSER, COARSER_CELLS, width)
    if labels is None or made != parts:
        return None
    known, slack = split(labels).reshape(-1, parts), _slack(label, width)
    rows = label.values.reshape(-1, parts)
    places = _places(rows[:, 0], known[:, 0], slack)
    if places is None or float(np.abs(known[places] - rows).max()) > slack:
        return None
    whole: np.ndarray = labels[places]
    return whole


def note_of_coarse(labels: np.ndarray, parts: int) -> dict[str, Any]:
    """Coarse labels as attributes of the labels of their parts."""
    return {COARSER: _written(labels), COARSER_CELLS: parts} if parts > 1 else {}


def still_coarser(label: xr.DataArray, merged: int) -> dict[str, Any]:
    """What fine labels say of their coarse cells, after some of the parts of each were merged."""
    parts, labels = _read(label, COARSER, COARSER_CELLS, 1.0)
    if labels is None or parts % merged or parts == merged:
        return {}
    return {COARSER: label.attrs[COARSER], COARSER_CELLS: parts // merged}


def _slack(label: xr.DataArray, width: float) -> float:
    """How far labels may be off."""
    eps = float(np.finfo(label.dtype).eps) if label.dtype.kind == "f" else 0.0
    return _AGREE * abs(width) + 4 * eps * float(np.abs(label.values).max())


def _places(labels: np.ndarray, known: np.ndarray, slack: float) -> np.ndarray | None:
    """Where each label stands among those that are known; None where one does not."""
    order = np.argsort(known)
    right = np.clip(np.searchsorted(known[order], labels), 1, max(1, known.size - 1))
    left = right - 1
    right = np.minimum(right, known.size - 1)
    nearer = np.abs(known[order[left]] - labels) <= np.abs(known[order[right]] - labels)
    places: np.ndarray = order[np.where(nearer, left, right)]
    near = np.abs(known[places] - labels) <= slack
    return places if bool(near.all()) else None


def _read(label: xr.DataArray, name: str, cells: str, width: float) -> tuple[int, np.ndarray | None]:
    """Parts of a cell and noted labels in the direction of the label; None without a note that can be read."""
    dtype = _plain(label.dtype) if label.dtype.kind == "f" else np.dtype(np.float64)
    try:
        parts, labels = int(label.attrs[cells]), _labels(str(label.attrs[name]), dtype)
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error):
        return 0, None
    if parts < 1:
        return 0, None
    return parts, labels[::-1] if (float(labels[-1]) - float(labels[0])) * width < 0 else labels


def _written(labels: np.ndarray) -> str:
    """Labels as a note."""
    labels = labels.astype(np.int64 if labels.dtype.kind in "iu" else _plain(labels.dtype))
    text = f"{labels[0]} {labels[-1]} {labels.size}"
    apart = _bits(labels) - _bits(_labels(text, labels.dtype))
    if not apart.any():
        return text
    packed = zlib.compress(apart.astype("<i8").tobytes(), 9)
    return f"{text} {base64.b64encode(packed).decode()}"


def _labels(note: str, dtype: np.dtype[Any]) -> np.ndarray:
    """The labels of a note. Every operation is one of IEEE 754, so that all machines get the same bits."""
    first, last, number, *packed = note.split()
    count, ends = int(number), first + last
    if not 1 <= count <= _MOST:
        raise ValueError(number)
    line = float(first) + np.arange(count) * ((float(last) - float(first)) / max(1, count - 1))
    decimals = max(len(end.partition(".")[2]) for end in (first, last))
    if decimals <= _DECIMALS:
        line = np.rint(line * 10.0**decimals) / 10.0**decimals
    labels = line.astype(dtype if set(ends) & set(".e") else np.int64)
    if not packed:
        return labels
    unpacked = zlib.decompressobj().decompress(base64.b64decode(packed[0]), 8 * count)
    apart = np.frombuffer(unpacked, "<i8", count)
    bits = _bits(labels)
    exact: np.ndarray = (bits + apart).astype(bits.dtype).view(labels.dtype)
    return exact


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same precision in the order of bytes of this machine, double at most."""
    return np.dtype(f"f{min(dtype.itemsize, 8)}")


def _bits(labels: np.ndarray) -> np.ndarray:
    """Numbers as integers whose differences count the numbers in between."""
    bits: np.ndarray = labels.view(f"i{labels.dtype.itemsize}")
    return bits
