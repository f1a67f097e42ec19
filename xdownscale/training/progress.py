"""What a training run shows of itself: how long it will take, a bar, and the time that is left."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from tqdm.auto import tqdm

from xdownscale.training.clock import in_words

if TYPE_CHECKING:
    from types import TracebackType

    from xdownscale.training.clock import Clock

LAYOUT = "train: {percentage:3.0f}%|{bar}| {desc}"
"""The bar tells of time, since neither steps nor their pace are fixed where seconds are."""


class Progress:
    """A bar from the first step on.

    Parameters
    ----------
    clock : Clock
        Of the run.
    step : int
        Steps that were taken before it was resumed.
    shown : bool
        Whether anything is shown.
    """

    def __init__(self, clock: Clock, *, step: int, shown: bool) -> None:
        self.clock, self.shown = clock, shown
        self._bar = tqdm(total=1.0, disable=not shown, bar_format=LAYOUT)
        self._move(step, "starting")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def announce(self, seconds: float, *, steps: int) -> None:
        """Say how long a run of so many steps will take."""
        tqdm.write(f"train: {steps} steps will take about {in_words(seconds)} here", file=sys.stderr)

    def stepped(self, step: int, loss: float, crps: float | None) -> None:
        """Show where a run is after so many steps."""
        if not self.shown:
            return
        known = [f"step {step}", f"loss {loss:.4f}"]
        known += [] if crps is None else [f"validation crps {crps:.4f}"]
        self._move(step, ", ".join([*known, f"{in_words(self.clock.left(step))} left"]))

    def finished(self) -> None:
        """Fill the bar: a run that its clock or its patience ended is complete."""
        self._bar.update(1.0 - self._bar.n)

    def _move(self, step: int, text: str) -> None:
        self._bar.set_description_str(text, refresh=step <= 1)
        self._bar.update(min(1.0, self.clock.share(step)) - self._bar.n)
