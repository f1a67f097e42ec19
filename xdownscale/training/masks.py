"""Random gaps laid over training windows, so that a network learns to work beside gaps from complete fields too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASKED = 0.15
"""Share of the windows that get a mask: a network that never sees one does not know what its mark means."""

FRAME = 0.2
"""Share of the masks that hide one whole frame; the others hide the same cells of all frames."""

MOST = 0.6
"""Largest share of the cells that a mask of cells hides."""

WAVES = 4
"""Waves whose sum is cut at a level: long ones give edges like those of a domain, short ones coasts and islands."""


def random_mask(shape: tuple[int, int, int], random: np.random.Generator) -> NDArray[np.bool_]:
    """Missing coarse cells of a window: one side of a random coast in all frames, or all cells of one frame.

    Parameters
    ----------
    shape : tuple of int
        Coarse frames and cells (time, y, x).
    random : Generator

    Returns
    -------
    array of bool, shape `shape`
        True where missing.

    Examples
    --------
    >>> random_mask((1, 4, 12), np.random.default_rng(0))[0].astype(int)
    array([[1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
           [1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0],
           [1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0],
           [1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0]])
    """
    missing = np.zeros(shape, bool)
    if shape[0] > 1 and random.random() < FRAME:
        missing[random.integers(shape[0])] = True
        return missing
    y, x = np.indices(shape[1:])
    along_y, along_x = random.normal(size=(2, WAVES)) / max(shape[1:])
    phases = random.uniform(size=WAVES)
    height = sum(
        np.sin(2 * np.pi * (a * y + b * x + c)) for a, b, c in zip(along_y, along_x, phases, strict=True)
    )
    missing[:] = height < np.quantile(height, random.uniform(0, MOST))
    return missing
