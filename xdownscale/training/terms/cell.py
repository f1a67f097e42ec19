"""The value of every cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.training.terms.scored import Scored


def cells(scored: Scored) -> Iterator[Tensor]:
    """The values themselves, (1 + M, B, T, H, W)."""
    yield scored.values
