"""Area, perimeter and Euler characteristic of level sets {v ≥ u}, exact, on the last two axes; numpy and torch.

Outside of the frame nothing belongs to a set, so a set that meets the border has its perimeter there. All of a set that
these functionals see are windows of 2 × 2 cells (bit quads: Gray 1971, doi:10.1109/T-C.1971.223289). Written with the
numbers of cells S, of neighbouring pairs along x (H), y (V) and the two diagonals (D, E), of squares of four (F) and of
squares with at least three (G), that lie in the set as a whole, and with N_h = 2·(S − H), … the neighbours that differ,

    area = Σ s
    perimeter = N_h + N_v                                      along the sides of cells
              = π/4 · (N_h + N_v)                              Crofton, two directions
              = π/8 · (N_h + N_v) + π/(8√2) · (N_d + N_e)      Crofton, four directions
    Euler characteristic = S − H − V + F                       pieces that join along sides, less holes
                         = S − H − V − D − E + 2·F + G         pieces that join across corners too, less holes

Crofton's formula counts crossings with lines, P = ½·Σ_k Δθ_k·d_k·N_k, with the share Δθ_k of the half circle that is
nearest to direction k and the distance d_k of its lines: in cells of dy × dx, with α = atan2(dy, dx), that is Δθ = α,
π/2 − α, π/4, π/4 and d = dy, dx, dx·dy/√(dx² + dy²) twice (Legland et al. 2007, doi:10.5566/ias.v26.p83-92).

A pair lies in {v ≥ u} where the smaller of its two values does. So S … G are numbers of values at or above u of one
array each, whatever u (:func:`minima`): a field is compared with its neighbours once for all thresholds. Sums of any
increasing function of those arrays in the place of numbers are the relaxation of ``nn.soft_minkowski``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import pi
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

FUNCTIONALS = ("area", "perimeter", "euler_characteristic")

LEVELS = (0.01, *(n / 20 for n in range(1, 20)), 0.99)
"""Levels of the quantiles that are thresholds in Quarenghi et al. (2026, arXiv:2604.11422)."""

PERIMETERS = ("crofton", "crofton2", "edges")
"""Crofton's formula with four directions, with two, and the length along the sides of cells."""


class Minima(NamedTuple):
    """Arrays whose values at or above a threshold are counted; all but the first have a row or a column less."""

    cells: Any
    across: Any
    down: Any
    falling: Any
    rising: Any
    squares: Any
    corners: Any
    """The second smallest value of a square: at or above a threshold where three cells at least are."""


class Cells(NamedTuple):
    """Sizes of the cells of a frame, by row, in one unit of length."""

    areas: Array
    """(rows,)"""
    heights: Array
    """(rows,)"""
    widths: Array
    """Along the border between rows, first and last border included: (rows + 1,)."""


@dataclass(frozen=True)
class Measure:
    """What is measured of a set.

    Parameters
    ----------
    perimeter : {"crofton", "crofton2", "edges"}
    connectivity : {4, 8}
        Whether pieces join along sides alone, or across corners too; holes then do the other.
    cells : Cells, optional
        None for squares of side 1.
    """

    perimeter: str = "crofton"
    connectivity: int = 4
    cells: Cells | None = None

    def weights(self, rows: int) -> Array:
        """Weight of every count of :class:`Minima` in every functional, shape (3, 7, rows)."""
        cells = self.cells or uniform_cells(rows)
        table = np.zeros((3, 7, rows))
        table[0, 0] = cells.areas
        along, between, slanted = self._crossings(cells)
        # a row differs from the one above and the one below: border j lies between rows j − 1 and j
        table[1, 0] = 2 * along + (between + 2 * slanted)[:-1] + (between + 2 * slanted)[1:]
        table[1, 1] = -2 * along
        table[1, 2, :-1] = -2 * between[1:-1]
        table[1, 3:5, :-1] = -2 * slanted[1:-1]
        euler = (1, -1, -1, 0, 0, 1, 0) if self.connectivity == 4 else (1, -1, -1, -1, -1, 2, 1)
        table[2] = np.asarray(euler, float)[:, None]
        return table

    def _crossings(self, cells: Cells) -> tuple[Array, Array, Array]:
        """Length that a crossing stands for: along a row (rows), from row to row and aslant (rows + 1)."""
        heights, widths = cells.heights, cells.widths
        padded = np.concatenate([heights[:1], heights, heights[-1:]])
        tall = (padded[1:] + padded[:-1]) / 2
        if self.perimeter == "edges":
            return heights, widths, 0 * widths
        if self.perimeter == "crofton2":
            return pi / 4 * heights, pi / 4 * widths, 0 * widths
        middle = (widths[1:] + widths[:-1]) / 2
        along = np.arctan2(heights, middle) * heights / 2
        between = (pi / 2 - np.arctan2(tall, widths)) * widths / 2
        diagonal = np.hypot(tall, widths)
        slanted = pi / 8 * widths * tall / np.where(diagonal > 0, diagonal, 1)
        return along, between, slanted


def uniform_cells(rows: int, height: float = 1.0, width: float = 1.0) -> Cells:
    """Cells that are all alike."""
    return Cells(np.full(rows, height * width), np.full(rows, height), np.full(rows + 1, width))


def minkowski_functionals(inside: Any, measure: Measure | None = None) -> Any:
    """Area, perimeter and Euler characteristic of sets of cells.

    Parameters
    ----------
    inside : array of bool, shape (..., y, x)
        The cells that belong to the set.
    measure : Measure, optional
        By default Crofton's perimeter with four directions, pieces that join along sides, and square cells of side 1.

    Returns
    -------
    array of float64, shape (..., 3)
        In the unit of area of the cells, their unit of length, and 1.
    """
    return level_functionals(inside, [1], measure)[..., 0, :]


def level_functionals(values: Any, thresholds: Any, measure: Measure | None = None) -> Any:
    """Area, perimeter and Euler characteristic of level sets.

    Parameters
    ----------
    values : array, shape (..., y, x)
    thresholds : sequence of float, length Q
    measure : Measure, optional
        As in :func:`minkowski_functionals`.

    Returns
    -------
    array of float64, shape (..., Q, 3)
        Of the cells at or above each threshold; a missing value belongs to no set.
    """
    levels = np.asarray(thresholds, dtype=np.float64)
    table = (measure or Measure()).weights(values.shape[-2])
    if _is_torch(values):
        return _of_tensors(values, levels, table)
    frames = values.reshape(-1, *values.shape[-2:])
    result = np.empty((len(frames), len(levels), 3))
    for frame, place in zip(frames, result, strict=True):  # a frame stays in the cache
        place[:] = _of_frame(frame, levels, table)
    return result.reshape(*values.shape[:-2], len(levels), 3)


def _of_frame(frame: Array, levels: Array, table: Array) -> Array:
    """Functionals (Q, 3) of one frame.

    Values become the numbers of thresholds that they reach, small integers in the same order: they are compared with
    their neighbours, and counted for all thresholds at once.
    """
    order = np.argsort(levels)
    ranks = np.zeros(frame.shape, np.uint8 if len(levels) < 256 else np.uint32)
    for level in levels:
        np.add(ranks, frame >= level, out=ranks)
    by_row = bool((table[..., 1:] != table[..., :-1])[:, 0].any())
    table, found = (table if by_row else table[..., :1]), np.zeros((len(levels), 3))
    for number, array in enumerate(minima(ranks)):
        weights = table[:, number, : array.shape[0]]
        if weights.any():
            found += _reached(array, len(levels), by_row=by_row) @ weights.T
    result = np.empty_like(found)
    result[order] = found
    return result


def _reached(ranks: Array, count: int, *, by_row: bool) -> Array:
    """How many values of every row, or of all, reach each of so many thresholds: (count, rows) or (count, 1)."""
    rows = ranks.shape[0] if by_row else 1
    kinds = count + 1
    places = ranks if not by_row else ranks + kinds * np.arange(rows)[:, None]
    each = np.bincount(places.ravel(), minlength=rows * kinds).reshape(rows, kinds)
    return np.asarray(each[:, :0:-1].cumsum(-1)[:, ::-1].T)


def _of_tensors(values: Any, levels: Array, table: Array) -> Any:
    """The same of tensors, on their device."""
    torch = sys.modules["torch"]
    result, known = 0.0, torch.where(values.isnan(), -torch.inf, values)
    for number, array in enumerate(minima(known)):
        weights = torch.as_tensor(table[:, number, : array.shape[-2]], device=array.device)
        counts = torch.stack([(array >= u).sum(-1) for u in levels.tolist()], dim=-2)
        result = result + counts.double() @ weights.T
    return result


def trapezoid(places: Any) -> Array:
    """Weights of the trapezoidal rule on increasing places; 1 for a single one.

    >>> trapezoid([0.0, 0.5, 1.0]).tolist(), trapezoid([0.3]).tolist()
    ([0.25, 0.5, 0.25], [1.0])
    """
    steps = np.diff(np.asarray(places, dtype=np.float64))
    if not steps.size:
        return np.ones(1)
    return (np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps])) / 2


def minima(values: Any) -> Minima:
    """Smallest values of neighbours, of which the numbers at or above any threshold are those of its level set.

    Parameters
    ----------
    values : array, shape (..., y, x)

    Examples
    --------
    >>> found = minima(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> found.across.tolist(), found.rising.tolist(), found.squares.tolist(), found.corners.tolist()
    ([[1.0], [3.0]], [[2.0]], [[1.0]], [[2.0]])
    """
    library = sys.modules["torch"] if _is_torch(values) else np
    least, most = library.minimum, library.maximum
    left, right = values[..., :-1], values[..., 1:]
    across, larger = least(left, right), most(left, right)
    above, below = across[..., :-1, :], across[..., 1:, :]
    return Minima(
        values,
        across,
        least(values[..., :-1, :], values[..., 1:, :]),
        least(left[..., :-1, :], right[..., 1:, :]),
        least(left[..., 1:, :], right[..., :-1, :]),
        least(above, below),
        least(most(above, below), least(larger[..., :-1, :], larger[..., 1:, :])),
    )


def _is_torch(array: Any) -> bool:
    """True for a torch tensor, without importing torch: it cannot be one if torch was never imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)
