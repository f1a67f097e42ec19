r"""Shapes of level sets, whose CRPS is the score of pieces, holes and edges in the training loss.

Rain that is right in every cell, pool and wave may still be strewn with crumbs and pinholes: a single cell above 1 mm/h
among others below it costs next to nothing there. What counts them are functionals of a level set {v ≥ l}:

* the length of its **edge**, and its Euler characteristic χ, **pieces less holes**: two Minkowski functionals;
* **crumbs**, its area where no square of 3 × 3 (5 × 5) cells fits in, and **pinholes**, the area outside where none
  fits in: what an opening takes away, and what a closing fills. χ alone would set crumbs off against holes.

They are functionals of the field, so the truth's own law minimises the CRPS of their means over a window; and in such a
mean a few crumbs more in every member stand out.

As steps of l they would have no gradient. Averaged over a band of levels they have one, and stay exact: with the ramp
s = ∫ 1[v ≥ l] dl over the band, which is v clamped to it, and min(1[a ≥ l], 1[b ≥ l]) = 1[min(a, b) ≥ l],

    V = Σ s(v),   E = Σ s(min of two neighbours),   F = Σ s(min of a square of four),
    χ = V − E + F,   edge = 4·V − 2·E  (|a − b| = a + b − 2·min(a, b), and a cell has four neighbours),
    crumbs = Σ s(v) − s(opened v),   pinholes = Σ s(closed v) − s(v),

the mean of the functionals of all level sets in the band (``kernels.minkowski`` has the same V, E and F). An opening is
a minimum over squares, then a maximum over the squares that hold a cell; a closing has them the other way round.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from xdownscale.training.terms.scored import Scored

EVERY = 3
"""Level sets of every third frame from a random one are scored: they are expensive, and frames are alike."""

BANDS = range(-2, 5)
"""Lower ends of the bands, each one wide, in latent units; those below zero are empty for a non-negative field.

For rain, v = log(1 + P/ε) with ε = 0.2 mm/h, they end at 0.34, 1.3, 3.8, 11 and 29 mm/h.
"""

SIDES = (3, 5)
"""Sides of the squares that must fit in, in cells. Cells nearer to the border than a side are left out."""

EDGE, EULER, SMALL = 10.0, 100.0, (50.0, 20.0)
"""Factors on edges, χ, and crumbs and pinholes by their side, all per cell, that make them about as large as others."""


def shapes_of_level_sets(scored: Scored) -> Iterator[Tensor]:
    """Functionals of some frames."""
    generator = scored.generator
    first = int(torch.randint(0, EVERY, (), generator=generator, device=generator.device))
    frames = scored.values[:, :, first % scored.values.shape[2] :: EVERY]
    yield level_functionals(frames, nonnegative=scored.nonnegative)


def level_functionals(latent: Tensor, *, nonnegative: bool) -> Tensor:
    """Functionals of level sets per cell of a frame, averaged over the levels of a band.

    Parameters
    ----------
    latent : Tensor, shape (..., H, W)
        Fields in latent units.
    nonnegative : bool
        Whether nothing lies below zero.

    Returns
    -------
    Tensor, shape (..., functionals, bands)
        Edge, χ, then crumbs and pinholes for each side that a frame has room for; times :data:`EDGE`, :data:`EULER` and
        :data:`SMALL`. Beyond the frame nothing belongs to a set.

    Examples
    --------
    >>> field = torch.zeros(10, 10)
    >>> field[4, 4] = 1.0  # one cell above every level between 0 and 1
    >>> level_functionals(field, nonnegative=True)[:2, 0]
    tensor([0.4000, 1.0000])
    """
    rows = torch.minimum(latent[..., 1:, :], latent[..., :-1, :])
    columns = torch.minimum(latent[..., 1:], latent[..., :-1])
    squares = torch.minimum(rows[..., 1:], rows[..., :-1])
    sides = [side for side in SIDES if min(latent.shape[-2:]) > 2 * side]
    small = [(factor, *each) for factor, each in zip(SMALL, opened_and_closed(latent, sides), strict=False)]
    cells = latent.shape[-2] * latent.shape[-1]
    found = []
    for low in BANDS:
        if nonnegative and low < 0:
            continue
        v, down, across, f = (
            _ramp(values, low).sum((-2, -1)) / cells for values in (latent, rows, columns, squares)
        )
        e = down + across
        each = [EDGE * (4 * v - 2 * e), EULER * (v - e + f)]
        for factor, inner, opened, closed in small:
            inside, without, filled = (
                _ramp(values, low).mean((-2, -1)) for values in (inner, opened, closed)
            )
            each += [factor * (inside - without), factor * (filled - inside)]
        found.append(torch.stack(each, dim=-1))
    return torch.stack(found, dim=-1)


def opened_and_closed(values: Tensor, sides: Sequence[int]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Values (..., H, W), their opening and closing, without a border of side − 1 cells; by side, smallest first.

    Squares of n + 1 are squares of two, n times over, so those of the side before are on the way.
    """
    low = high = values
    for before, side in pairwise((1, *sides)):
        for _ in range(side - before):
            low, high = _of_four(low, torch.minimum), _of_four(high, torch.maximum)
        opened, closed = low, high
        for _ in range(side - 1):
            opened, closed = _of_four(opened, torch.maximum), _of_four(closed, torch.minimum)
        inner = slice(side - 1, 1 - side)
        yield values[..., inner, inner], opened, closed


def _of_four(values: Tensor, taken: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    rows = taken(values[..., 1:, :], values[..., :-1, :])
    return taken(rows[..., 1:], rows[..., :-1])


def _ramp(values: Tensor, low: int) -> Tensor:
    """How much of the band from `low` to `low` + 1 lies below the values."""
    return values.clamp(low, low + 1) - low
