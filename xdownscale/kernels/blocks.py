"""The block-mean operator A and its adjoint, on the last three axes (time, y, x).

A coarse cell is the mean of its block of ``T × S_y × S_x`` fine cells: ``(A v)_n = Σ_i w_i v_i / Σ_i w_i`` over the
fine cells i of block n. With equal weights the adjoint is ``Aᵀ = repeat / (T·S_y·S_x)``, so ``A · repeat = 1``.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

from einops import rearrange, reduce, repeat

Array = TypeVar("Array", bound=Any)
"""A numpy array, a dask array or a torch tensor."""

Blocks: TypeAlias = tuple[int, int, int]
"""Fine cells per coarse cell along (time, y, x)."""

_FINE = "... (k t) (m i) (n j)"


def block_mean(values: Array, blocks: Blocks) -> Array:
    """Mean of every block of ``(T, S_y, S_x)`` cells.

    Parameters
    ----------
    values : array, shape (..., T·K, S_y·M, S_x·N)
        Fine values; each of the last three sizes is a multiple of its block length.
    blocks : tuple of int
        Block lengths ``(T, S_y, S_x)``.

    Returns
    -------
    array, shape (..., K, M, N)
    """
    t, i, j = blocks
    return reduce(values, f"{_FINE} -> ... k m n", "mean", t=t, i=i, j=j)


def block_mean_by_rows(values: Array, blocks: Blocks) -> Array:
    """What :func:`block_mean` gives, by adding up whole rows: several times as fast for torch, and without gradients.

    Numbers are added one after the other, so that a block has the same bits wherever it lies. Parameters and shapes as
    in :func:`block_mean`.
    """
    t, i, j = blocks
    cells = rearrange(values, "... (k t) (m i) x -> t i ... k m x", t=t, i=i)
    rows = cells[0, 0] * 1  # a copy, to add to
    for step in range(t):
        for row in range(i):
            if step or row:
                rows += cells[step, row]
    columns = rearrange(rows, "... (n j) -> j ... n", j=j)
    means = columns[0] * 1
    for column in range(1, j):
        means += columns[column]
    means /= t * i * j
    return means


def block_sum(values: Array, blocks: Blocks) -> Array:
    """Sum over every block of ``(T, S_y, S_x)`` cells; shapes as in :func:`block_mean`."""
    t, i, j = blocks
    return reduce(values, f"{_FINE} -> ... k m n", "sum", t=t, i=i, j=j)


def block_repeat(values: Array, blocks: Blocks) -> Array:
    """Every coarse value repeated over its block: the adjoint of :func:`block_sum`.

    Parameters
    ----------
    values : array, shape (..., K, M, N)
        Coarse values.
    blocks : tuple of int
        Block lengths ``(T, S_y, S_x)``.

    Returns
    -------
    array, shape (..., T·K, S_y·M, S_x·N)
    """
    t, i, j = blocks
    return repeat(values, f"... k m n -> {_FINE}", t=t, i=i, j=j)


def block_scale(values: Array, factors: Array, blocks: Blocks) -> Array:
    """Fine values times the coarse value of their block; the repeated factors are not held in memory.

    Parameters
    ----------
    values : array, shape (..., T·K, S_y·M, S_x·N)
        Fine values.
    factors : array, shape (..., K, M, N)
        One for each block.
    blocks : tuple of int
        Block lengths ``(T, S_y, S_x)``.
    """
    t, i, j = blocks
    rows = repeat(factors, "... k m n -> ... k 1 m 1 (n j)", j=j)
    scaled = rearrange(values, "... (k t) (m i) x -> ... k t m i x", t=t, i=i) * rows
    return rearrange(scaled, "... k t m i x -> ... (k t) (m i) x")
