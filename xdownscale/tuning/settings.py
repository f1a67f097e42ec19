"""The settings that are tuned: where each stands in a recipe, and between which values it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from xdownscale.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.models.recipe import Recipe


@dataclass(frozen=True)
class Setting:
    """A setting of a recipe.

    Parameters
    ----------
    path : str
        Where it stands, such as ``"schedule.rate"``.
    low, high : float
        The range that is searched; it is widened where the recipe that is started from lies outside.
    log : bool
        Whether ratios count.
    step : int, optional
        Of whole numbers. None for real ones.
    """

    path: str
    low: float
    high: float
    log: bool = False
    step: int | None = None

    def around(self, recipe: Recipe) -> Setting:
        """The same with a range that holds the value of a recipe."""
        value = value_of(recipe, self.path)
        low, high = min(self.low, value), max(self.high, value)
        if self.step:  # the grid of whole numbers goes through the value
            low = value - (value - low) // self.step * self.step
            high = value + (high - value) // self.step * self.step
        return replace(self, low=low, high=high)

    def asked_of(self, trial: Any) -> float:
        """A value for a trial of optuna."""
        if self.step:
            return int(trial.suggest_int(self.path, int(self.low), int(self.high), step=self.step))
        return float(trial.suggest_float(self.path, self.low, self.high, log=self.log))


_RATE: Final = Setting("schedule.rate", 3e-4, 6e-3, log=True)
_BATCH: Final = Setting("schedule.batch", 1, 4, step=1)
_CELLS: Final = Setting("cells", 6, 12, step=1)
_WIDTH: Final = Setting("size.width", 32, 96, step=16)

SETTINGS: Final[dict[str, tuple[Setting, ...]]] = {
    "generator": (_RATE, _BATCH, _CELLS, _WIDTH),
    "median": (_RATE, _BATCH, _CELLS, _WIDTH),
    "residual": (_RATE, _BATCH, _CELLS, _WIDTH),
    "edsr": (replace(_RATE, low=1e-4), _BATCH, _CELLS, Setting("size.encoder_blocks", 2, 16, step=2)),
    "video": (_RATE, Setting("video.draws", 1, 4, step=1)),
    "scale-adaptive": (
        Setting("adaptive.beta", 2e-3, 1e-1, log=True),
        Setting("adaptive.power", 1 / 3, 2.0, log=True),
        Setting("adaptive.threshold", 0.0, 6e-2),
    ),
}
"""By method. In a budget of minutes what matters is how fast a network learns (rate, windows of a step), how much of
the field it sees at once (coarse cells of a window) and how large it is; of the scale-adaptive framework what its
paper tunes."""

SCORES: Final = {"scale-adaptive": "pit_deviation"}
"""What settings are judged by, where it is not the CRPS over that of bicubic interpolation."""


def settings_for(method: str, recipe: Recipe) -> list[Setting]:
    """The settings of a method, each with a range that holds the value of the recipe.

    Parameters
    ----------
    method : str
    recipe : Recipe
        For the factors at hand.

    Raises
    ------
    ArgumentError
        For a method without any.

    Examples
    --------
    >>> from xdownscale.models.recipe import Recipe
    >>> [each.path for each in settings_for("generator", Recipe.named("small"))]
    ['schedule.rate', 'schedule.batch', 'cells', 'size.width']
    """
    if method not in SETTINGS:
        msg = (
            f"method={method!r} has no settings to tune; there are some for {', '.join(map(repr, SETTINGS))}"
        )
        raise ArgumentError(msg)
    return [each.around(recipe) for each in SETTINGS[method]]


def value_of(recipe: Any, path: str) -> Any:
    """The value at a place of a recipe.

    >>> from xdownscale.models.recipe import Recipe
    >>> value_of(Recipe.named("small"), "schedule.rate")
    0.003
    """
    for name in path.split("."):
        recipe = getattr(recipe, name)
    return recipe


def with_values(recipe: Any, values: Mapping[str, Any]) -> Any:
    """The recipe with other values at some places.

    >>> from xdownscale.models.recipe import Recipe
    >>> with_values(Recipe.named("small"), {"schedule.rate": 0.01, "cells": 6}).schedule.rate
    0.01
    """
    for path, value in values.items():
        name, _, inner = path.partition(".")
        new = with_values(getattr(recipe, name), {inner: value}) if inner else value
        recipe = replace(recipe, **{name: new})
    return recipe
