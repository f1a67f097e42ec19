"""The deterministic reference: the generator's network without noise, trained on the absolute error.

Its result is the conditional median of every cell. It does not conserve block means (a median of rain has too little of
it by definition) and serves as a yardstick: no sample has a lower expected absolute error, and no forecast a CRPS below
half of it (``papers`` of the docs, "honest scores").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdownscale.models.generator import GeneratorSettings
    from xdownscale.models.recipe import Recipe


def median_settings(settings: GeneratorSettings) -> GeneratorSettings:
    """Settings of the median net that goes with a generator."""
    return replace(settings, stochastic=False, conserving=False)


def median_recipe(recipe: Recipe) -> Recipe:
    """The recipe whose loss is the absolute error, or the squared one if wanted: one member, single cells."""
    weights = recipe.weights.only(cell=0.0 if recipe.squared else 1.0, physical=1.0, latent=0.0)
    return replace(recipe, weights=weights, schedule=replace(recipe.schedule, members=1))
