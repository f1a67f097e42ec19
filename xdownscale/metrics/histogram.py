"""Histograms of values, and the distance between two; histograms of parts add up to that of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from xdownscale.errors import ValueRangeError
from xdownscale.metrics.labels import real_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def checked_edges(edges: Sequence[float]) -> Array:
    """Edges of bins as an array.

    Raises
    ------
    ValueRangeError
        If there are fewer than two, or they do not increase.
    """
    found = real_numbers(edges, "edges", "numpy.linspace(0, 200, 2001)")
    if found.ndim != 1 or found.size < 2 or not np.all(np.diff(found) > 0):
        msg = "edges of bins must increase. Pass for example edges=numpy.linspace(0, 200, 2001)."
        raise ValueRangeError(msg)
    return found


def histogram(values: Array, weight: Array, edges: Array) -> Array:
    """Sum of the weights in every bin, lower edge included; values beyond the ends are in the first or last bin."""
    count = edges.size - 1
    at = np.searchsorted(edges[1:-1], values, side="right")
    return np.bincount(at, weights=weight, minlength=count).astype(np.float64)


def histogram_distance(ours: Array, theirs: Array, edges: Array) -> Array:
    """Earth mover's distance of two histograms, shape (..., bins): values are at the centres of their bins.

    The share that must move from one centre to the next is the difference of the cumulative shares.
    """
    shares = [np.cumsum(h, axis=-1) / np.sum(h, axis=-1, keepdims=True) for h in (ours, theirs)]
    centres = (edges[1:] + edges[:-1]) / 2
    moved: Array = np.abs(shares[0] - shares[1])[..., :-1] @ np.diff(centres)
    return moved
