"""The time of a training run: what is over, what a step and a validation take, what is left, and what it will be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdownscale.models.schedule import Schedule

RECENT = 0.2
"""Weight of the last step in the mean time of a step."""


class Clock:
    """Read at every step.

    Parameters
    ----------
    schedule : Schedule
        How many steps, and how many seconds.
    elapsed : float
        Seconds that a run took before it was resumed.
    validation : float
        Steps that a validation takes as long as, until one is measured.
    """

    def __init__(self, schedule: Schedule, elapsed: float = 0.0, validation: float = 0.0) -> None:
        self.schedule = schedule
        self._ratio = validation
        self._started = time.monotonic() - elapsed
        self._last = elapsed
        self.step = 0.0
        """Seconds of a step, averaged over the last ones."""
        self._judging: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    @property
    def judging(self) -> float:
        """Seconds of a validation."""
        return self._ratio * self.step if self._judging is None else self._judging

    def stepped(self) -> None:
        """A step is over."""
        now = self.elapsed
        took, self._last = now - self._last, now
        self.step = took if self.step == 0 else (1 - RECENT) * self.step + RECENT * took

    def mark(self) -> None:
        """Something else is over that is no part of a step."""
        self._last = self.elapsed

    def judged(self) -> None:
        """A validation is over."""
        now = self.elapsed
        self._judging, self._last = now - self._last, now

    def share(self, step: int) -> float:
        """The share of the run that is over when so many steps are; 1 where another step has no time any more."""
        seconds = self.schedule.seconds
        if seconds is None or step == 0:
            return self.schedule.progress(step, 0.0)
        if self.elapsed + self.step + self.judging > seconds:
            return 1.0
        return self.schedule.progress(step, self.elapsed + self.judging)

    def left(self, step: int) -> float:
        """Seconds that are left when so many steps are over."""
        checks = self.schedule.steps // self.schedule.check - step // self.schedule.check
        by_steps = (self.schedule.steps - step) * self.step + checks * self.judging
        if self.schedule.seconds is None:
            return by_steps
        return max(0.0, min(by_steps, self.schedule.seconds - self.elapsed))


def in_words(seconds: float) -> str:
    """A time in words, as exactly as an estimate is.

    >>> in_words(0.2), in_words(50), in_words(1234), in_words(2e4)
    ('1 second', '50 seconds', '21 minutes', '5.6 hours')
    """
    if seconds < 90:
        number = max(1, round(seconds))
        return f"{number} second" + ("s" if number > 1 else "")
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
