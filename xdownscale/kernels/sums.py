"""Sums that do not depend on how their terms are grouped.

A sum of floating-point numbers depends on the order in which they are added, in its last digits. Here the part that
every addition rounds away is kept beside the sum (Knuth's two-sum; Ogita et al. 2005, doi:10.1137/030601818): with
s = a + b and t = s − a, the rest e = (a − (s − t)) + (b − t) is exact. The two together have twice the digits of a
double, and what is left of the order lies far below those of the first.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Sum of two numbers in double precision, and what rounding took from it."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def add(first: tuple[Any, Any], second: tuple[Any, Any]) -> tuple[Any, Any]:
    """Sum of two sums, each with its rest."""
    s, e = two_sum(first[0], second[0])
    return two_sum(s, e + (first[1] + second[1]))


def long_sum(values: Array) -> tuple[Array, Array]:
    """Sum over the last axis, and what rounding took from it.

    Parameters
    ----------
    values : array, shape (..., n)

    Returns
    -------
    tuple of array, shape (...)
        The sum to the nearest double, and the rest.
    """
    high = np.asarray(values, dtype=np.float64)
    low = np.zeros_like(high)
    while high.shape[-1] > 1:
        half = high.shape[-1] // 2
        s, e = two_sum(high[..., :half], high[..., half : 2 * half])
        rest = low[..., :half] + low[..., half : 2 * half] + e
        odd = slice(2 * half, None)
        high = np.concatenate([s, high[..., odd]], axis=-1)
        low = np.concatenate([rest, low[..., odd]], axis=-1)
    if high.shape[-1] == 0:
        return high.sum(-1), low.sum(-1)
    found: tuple[Array, Array] = two_sum(high[..., 0], low[..., 0])
    return found
