"""Increments from one step to the next, of cells and of their pools.

Random filters hardly see flicker, since what two frames have in common is as often added as taken away by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdownscale.training.terms.scored import SCALES, pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.training.terms.scored import Scored


def increments(scored: Scored) -> Iterator[Tensor]:
    """Changes at every scale; nothing where a window has one frame."""
    if scored.values.shape[2] > 1:
        for size in SCALES:
            yield pool(scored.values, size).diff(dim=2)
