"""Area, perimeter and Euler characteristic of sets of cells, exact, on the last two axes.

Outside of the frame nothing belongs to the set, so a set that meets the border has its perimeter there. With s the set
as 0 and 1, padded by one cell of zeros:

    area = Σ s
    perimeter = π/8 · (N_h + N_v) + π/(8√2) · (N_d + N_e)
    Euler characteristic χ = V − E + F

N counts the neighbours that differ along rows, columns and the two diagonals: Crofton's formula with four directions,
exact for discs in the limit of small cells (Legland et al. 2007, doi:10.5566/ias.v26.p83-92). χ takes cells for
vertices V, pairs of neighbours for edges E, and squares of four for faces F: pieces less holes, where pieces join along
sides and holes across corners too.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

FUNCTIONALS = ("area", "perimeter", "euler_characteristic")


def minkowski_functionals(inside: Array) -> Array:
    """Area, perimeter and Euler characteristic of sets of square cells.

    Parameters
    ----------
    inside : array of bool, shape (..., y, x)
        The cells that belong to the set.

    Returns
    -------
    array of float64, shape (..., 3)
        In cells, sides of cells, and 1.
    """
    s = np.pad(inside, [(0, 0)] * (inside.ndim - 2) + [(1, 1), (1, 1)])
    here, right, below, across = s[..., :-1, :-1], s[..., :-1, 1:], s[..., 1:, :-1], s[..., 1:, 1:]
    vertices = _count(inside)
    straight = _count(here != right) + _count(here != below)
    diagonal = _count(here != across) + _count(right != below)
    edges = _count(here & right) + _count(here & below)
    faces = _count(here & right & below & across)
    perimeter = pi / 8 * straight + pi / (8 * sqrt(2)) * diagonal
    return np.stack([vertices, perimeter, vertices - edges + faces], axis=-1).astype(np.float64)


def _count(flags: Array) -> Array:
    """Number of true cells of every frame."""
    return np.count_nonzero(flags, axis=(-2, -1))
