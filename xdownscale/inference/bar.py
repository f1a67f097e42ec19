"""A progress bar over regions that any process may finish: it looks at their records."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xdownscale.inference.records import Records

LONG = 20_000_000
"""Fine cells from which on a progress bar is shown by default: work of more than a few seconds."""

SECONDS = 1.0
"""Between two looks."""


@contextmanager
def bar_over(records: Records, keys: Sequence[str], *, shown: bool) -> Iterator[None]:
    """Show how many of some regions are finished, and the time that the rest will take.

    Parameters
    ----------
    records : Records
    keys : sequence of str
        Of the regions.
    shown : bool
        Whether to show anything.
    """
    if not shown:
        yield
        return
    stop = Event()
    with tqdm(total=len(keys), unit="region", desc="downscale") as bar:

        def look() -> None:
            while not stop.wait(SECONDS):
                _update(bar, records, keys)

        looking = Thread(target=look, daemon=True)
        looking.start()
        try:
            yield
        finally:
            stop.set()
            looking.join()
            _update(bar, records, keys)


def _update(bar: tqdm, records: Records, keys: Sequence[str]) -> None:
    bar.n = len(keys) - len(records.unfinished(keys))
    bar.refresh()
