"""Independent pieces of work, each on a thread of its own.

Operations on a small piece are too short to be worth sharing among threads: while each thread has its own piece, nobody
waits at the end of every operation, what a piece leaves behind is in the cache of the core that needs it, and an
operation sums in the same order however many threads there are.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Piece = TypeVar("Piece")


def each_on_a_thread(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """Do work on every piece, on as many threads as torch would use for one operation; without gradients.

    Parameters
    ----------
    work : callable
        What to do; pieces must not depend on each other.
    pieces : sequence
        What to do it on.
    """
    threads = torch.get_num_threads()
    if min(threads, len(pieces)) < 2:
        for piece in pieces:
            work(piece)
        return

    def alone(piece: Piece) -> None:
        with torch.inference_mode():  # holds for the thread that asks for it
            work(piece)

    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(alone, pieces))
    finally:
        torch.set_num_threads(
            threads
        )  # torch remembers the number last set, for threads that are still to come
