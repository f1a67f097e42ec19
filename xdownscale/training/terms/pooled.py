"""Small pools: how much there is on four cells along a side.

An amount in latent units is the transform of a mean, not the mean of transforms, which hardly knows how much it rains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdownscale.training.terms.scored import pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.training.terms.scored import Scored

SIDE = 4
"""Side of a small pool in cells."""


def small_pools(scored: Scored) -> Iterator[Tensor]:
    """Amounts of small pools; nothing where a window is smaller."""
    if min(scored.physical.shape[-2:]) >= SIDE:
        yield scored.of(pool(scored.physical, SIDE))
