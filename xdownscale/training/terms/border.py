"""Differences between neighbours on the two sides of a coarse cell's border, where conservation would show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.training.terms.scored import Scored


def jumps_across_borders(scored: Scored) -> Iterator[Tensor]:
    """Differences along y and along x."""
    yield from across_borders(scored.values, scored.blocks)


def across_borders(stacked: Tensor, blocks: Blocks) -> list[Tensor]:
    """Differences (1 + M, B, …) between the two sides of the borders of coarse cells, along y and along x."""
    _, high, wide = blocks
    along_y = stacked[..., high::high, :] - stacked[..., high - 1 : -1 : high, :]
    along_x = stacked[..., wide::wide] - stacked[..., wide - 1 : -1 : wide]
    return [jumps for jumps, size in ((along_y, high), (along_x, wide)) if size > 1 and jumps.numel()]
