"""Large pools: how much there is on 12 and on 40 cells along a side, and how that changes from step to step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdownscale.training.terms.scored import pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.training.terms.scored import Scored

SIDES = {12: 3.0, 40: 10.0}
"""Sides of large pools in cells, and factors on their scores, and on those of their changes, that make them about as
large as those of cells: without these the amount over a region, where rain changes slowly, changed from step to step up
to twice as much as it should, at a cost that hardly shows in the score of cells."""


def large_pools(scored: Scored) -> Iterator[Tensor]:
    """Amounts of large pools and their changes, times their factors; nothing where a window is smaller."""
    for side, factor in SIDES.items():
        if side <= min(scored.physical.shape[-2:]):
            amount = factor * scored.of(pool(scored.physical, side))
            yield amount
            if amount.shape[2] > 1:
                yield amount.diff(dim=2)
