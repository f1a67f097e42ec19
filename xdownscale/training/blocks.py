"""Steps of one event that are held out: a few blocks, spread over its time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xdownscale.training.reading import steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from xdownscale.training.patches import Source

BLOCKS = 4
"""Most blocks. Each cut costs windows, and what lies beside a cut is nearly a copy: a few long ones are better."""


def hold_out(pieces: Sequence[Source], share: float, window: int) -> tuple[list[Source], list[Source]]:
    """Training and held-out parts of one event. The last block ends where the event does.

    Blocks are at least two windows long where there are several, and never reach over a gap.

    Parameters
    ----------
    pieces : sequence of Source
        The event, cut where it has gaps.
    share : float
        Of its steps, to hold out: at least one window.
    window : int
        Fine steps of a window.

    Returns
    -------
    training, held_out : list of Source
        Nothing is held out where too little would be left to learn from.
    """
    lengths = [len(piece.values) for piece in pieces]
    steps = sum(lengths)
    held = max(window, round(share * steps))
    count = max(1, min(BLOCKS, held // (2 * window), (steps - held) // window))
    starts = np.cumsum([0, *lengths])
    out = np.zeros(steps, bool)
    for number in range(1, count + 1):
        end = number * steps // count
        piece = int(np.searchsorted(starts, end, side="left")) - 1
        first = max(int(starts[piece]), end - held // count)
        out[first : max(end, min(first + held // count, int(starts[piece + 1])))] = True
    training = list(_parts(pieces, starts, ~out))
    if max((len(part.values) for part in training), default=0) < window:
        return list(pieces), []
    return training, list(_parts(pieces, starts, out))


def _parts(
    pieces: Sequence[Source], starts: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> Iterator[Source]:
    """The runs of wanted steps of every piece."""
    for piece, start in zip(pieces, starts[:-1], strict=True):
        own = wanted[start : start + len(piece.values)]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], own, [False]]).astype(np.int8)))
        for first, end in edges.reshape(-1, 2):
            yield replace(piece, values=steps_of(piece.values, slice(int(first), int(end))))
