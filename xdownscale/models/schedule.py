"""How long and how fast a network learns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from xdownscale.models.shown import Shown


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Parameters
    ----------
    steps : int
        Optimiser steps.
    seconds : float, optional
        Wall-clock budget of steps and validations: the cosine schedule follows the clock where that is further than the
        step count, and no step begins that would end after it, but for the first. Such a run is not reproducible to the
        bit.
    batch : int
        Windows per step.
    members : int
        Members per window in the loss.
    rate : float
        Peak learning rate of Adam.
    last : float
        The rate at the end of the cosine.
    style_rate : float
        Learning rate of the style, relative to the rest: few weights, each moved by a part of the windows.
    warmup : int
        Steps of linear warm-up.
    average : float
        Decay of the exponential moving average of the weights, reached gradually.
    clip : float
        Largest norm of the gradient.
    check : int
        Steps between validations and checkpoints.
    patience : int
        Validations without improvement before stopping.
    passes : int
        Conservation passes in training; sampling takes more.
    validation : int
        Windows of the validation split that are scored.
    """

    steps: int = 4000
    seconds: float | None = None
    batch: int = 4
    members: int = 2
    rate: float = 1.5e-3
    last: float = 0.0
    style_rate: float = 4.0
    warmup: int = 50
    average: float = 0.998
    clip: float = 1.0
    check: int = 200
    patience: int = 20
    passes: int = 4
    validation: int = 24

    def progress(self, step: int, elapsed: float) -> float:
        """Share of the run that is over, 0 to 1, by steps or by the clock, whichever is further.

        >>> Schedule(steps=100, seconds=10.0).progress(20, 5.0)
        0.5
        """
        by_clock = elapsed / self.seconds if self.seconds else 0.0
        return min(1.0, max(step / self.steps, by_clock))

    def with_steps(self, steps: int | None) -> Schedule:
        """The schedule with another number of steps; warm-up and checks shrink with it. None changes nothing."""
        if steps is None:
            return self
        warmup, check = min(self.warmup, max(1, steps // 10)), min(self.check, max(1, steps // 2))
        return replace(self, steps=steps, warmup=warmup, check=check)


class Scheduled(Shown):
    """A recipe that has a schedule, as all have."""

    schedule: Schedule

    def with_steps(self, steps: int | None) -> Self:
        """The recipe with another number of steps; warm-up and checks shrink with it. None changes nothing.

        Parameters
        ----------
        steps : int or None
            Optimiser steps.

        Returns
        -------
        recipe
            A copy.
        """
        return replace(self, schedule=self.schedule.with_steps(steps))  # type: ignore[type-var]

    def to_json(self) -> dict[str, Any]:
        """Plain values for the model file.

        Returns
        -------
        dict
            Values by the names of fields, nested.
        """
        return asdict(self)  # type: ignore[call-overload]
