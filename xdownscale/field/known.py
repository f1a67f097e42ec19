"""Labels of the finer or coarser grid that a coordinate was made from, so that they come back to the last bit.

xarray joins labels by their bits, and 47.05 is not 47.050000000000004. So a coarse label carries in its attributes the
labels of the cells that it was made from, and a fine label those of the cells that it is a part of. They are used only
where the labels still agree with them, so that they may be cut, turned and written to a file.

A note is plain text, "first last number", where that gives all labels back, else an array of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.field.bounds import COARSER, COARSER_CELLS, FINER, FINER_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

_AGREE = 1e-6
"""Share of a cell by which labels may differ from what their notes say, and are still meant."""

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
    parts, labels = _read(label, FINER, FINER_CELLS)
    if labels is None or labels.size % parts:
        return None
    blocks = labels.reshape(-1, parts)
    places = _places(label.values, merge(blocks), width)
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
    made, labels = _read(label, COARSER, COARSER_CELLS)
    if labels is None or made != parts or labels.size == 0:
        return None
    known = split(labels).reshape(-1, parts)
    rows = label.values.reshape(-1, parts)
    places = _places(rows[:, 0], known[:, 0], width)
    if places is None or float(np.abs(known[places] - rows).max()) > _AGREE * abs(width):
        return None
    whole: np.ndarray = labels[places]
    return whole


def note_of_coarse(labels: np.ndarray, parts: int) -> dict[str, Any]:
    """Coarse labels as attributes of the labels of their parts."""
    return {COARSER: _written(labels), COARSER_CELLS: parts} if parts > 1 else {}


def still_coarser(label: xr.DataArray, merged: int) -> dict[str, Any]:
    """What fine labels say of their coarse cells, after some of the parts of each were merged."""
    parts, labels = _read(label, COARSER, COARSER_CELLS)
    if labels is None or parts % merged or parts == merged:
        return {}
    return {COARSER: label.attrs[COARSER], COARSER_CELLS: parts // merged}


def _places(labels: np.ndarray, known: np.ndarray, width: float) -> np.ndarray | None:
    """Where each label stands among those that are known; None where one does not."""
    order = np.argsort(known)
    right = np.clip(np.searchsorted(known[order], labels), 1, max(1, known.size - 1))
    left = right - 1
    right = np.minimum(right, known.size - 1)
    nearer = np.abs(known[order[left]] - labels) <= np.abs(known[order[right]] - labels)
    places: np.ndarray = order[np.where(nearer, left, right)]
    near = np.abs(known[places] - labels) <= _AGREE * abs(width)
    return places if bool(near.all()) else None


def _written(labels: np.ndarray) -> Any:
    """Labels as an attribute."""
    text = f"{labels[0]} {labels[-1]} {labels.size}"
    return text if labels.size > 1 and bool(np.array_equal(_line(text, labels.dtype), labels)) else labels


def _read(label: xr.DataArray, name: str, cells: str) -> tuple[int, np.ndarray | None]:
    """How many parts a cell has, and the labels; None where there is no note, or one that cannot be read."""
    dtype = label.dtype if label.dtype.kind == "f" else np.dtype(np.float64)
    try:
        parts, note = int(label.attrs[cells]), label.attrs[name]
        labels = _line(note, dtype) if isinstance(note, str) else np.atleast_1d(note)
    except (KeyError, TypeError, ValueError):
        return 0, None
    if parts < 1 or labels.ndim != 1 or labels.dtype.kind not in "fiu":
        return 0, None
    return parts, labels.astype(dtype) if labels.dtype.kind == "f" else labels


def _line(text: str, dtype: np.dtype[Any]) -> np.ndarray:
    """The labels of a note "first last number": evenly spaced decimals."""
    first, last, number = text.split()
    line = np.linspace(float(first), float(last), int(number))
    if not set(first + last) & set(".eE"):
        return np.rint(line).astype(np.int64)
    decimals = max(len(end.partition(".")[2]) for end in (first, last))
    return (np.round(line, decimals) if decimals <= _DECIMALS else line).astype(dtype)
