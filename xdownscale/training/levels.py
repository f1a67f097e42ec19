r"""Shapes of level sets, whose CRPS is the score of pieces, holes and edges in ``training.losses``.

Rain that is right in every cell, pool and wave may still be strewn with crumbs: a single cell above 1 mm/h among others
below it costs next to nothing there. What counts them are the Minkowski functionals of a level set {v ≥ l}: the length
of its edge, and its Euler characteristic χ, pieces less holes. They are functionals of the field, so the truth's own
law minimises the CRPS of their means over a window; and in such a mean a few crumbs more in every member stand out.

As steps of l they would have no gradient. Averaged over a band of levels they have one, and stay exact: with the ramp
s = ∫ 1[v ≥ l] dl over the band, which is v clamped to it, and min(1[a ≥ l], 1[b ≥ l]) = 1[min(a, b) ≥ l],

    V = Σ s(v),   E = Σ s(min of two neighbours),   F = Σ s(min of a square of four),
    χ = V − E + F,   edge = 4·V − 2·E  (|a − b| = a + b − 2·min(a, b), and a cell has four neighbours),

the mean of the functionals of all level sets in the band (``kernels.minkowski`` has the same V, E and F).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

BANDS = range(-2, 5)
"""Lower ends of the bands, each one wide, in latent units; those below zero are empty for a non-negative field.

For rain, v = log(1 + P/ε) with ε = 0.2 mm/h, they end at 0.34, 1.3, 3.8, 11 and 29 mm/h.
"""

LENGTH, COUNT = 10.0, 100.0
"""Units in which edges (in sides of cells, per cell) and χ (per cell) are of about the size of other terms."""


def level_functionals(latent: Tensor, *, nonnegative: bool) -> Tensor:
    """Edge and Euler characteristic of level sets per cell of a frame, averaged over the levels of a band.

    Parameters
    ----------
    latent : Tensor, shape (..., H, W)
        Fields in latent units.
    nonnegative : bool
        Whether nothing lies below zero.

    Returns
    -------
    Tensor, shape (..., 2, bands)
        In units of 1 / :data:`LENGTH` and 1 / :data:`COUNT`. Beyond the frame nothing belongs to a set.

    Examples
    --------
    >>> field = torch.zeros(10, 10)
    >>> field[4, 4] = 1.0  # one cell above every level between 0 and 1
    >>> level_functionals(field, nonnegative=True)[:, 0]
    tensor([0.4000, 1.0000])
    """
    count = latent.shape[-2] * latent.shape[-1]
    rows = torch.minimum(latent[..., 1:, :], latent[..., :-1, :])
    columns = torch.minimum(latent[..., 1:], latent[..., :-1])
    squares = torch.minimum(rows[..., 1:], rows[..., :-1])
    found = []
    for low in BANDS:
        if nonnegative and low < 0:
            continue
        cells, down, across, four = (
            (values.clamp(low, low + 1) - low).sum((-2, -1)) / count
            for values in (latent, rows, columns, squares)
        )
        edge, euler = 4 * cells - 2 * (down + across), cells - down - across + four
        found.append(torch.stack([LENGTH * edge, COUNT * euler]))
    return torch.stack(found).movedim((0, 1), (-1, -2))
