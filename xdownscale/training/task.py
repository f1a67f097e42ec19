"""What a run learns from, is judged by, and trains: for one pair of factors, or for many."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from xdownscale.errors import ArgumentError, EmptyFieldError
from xdownscale.field.warn import warn_user
from xdownscale.models.generator import GeneratorSettings
from xdownscale.training import general
from xdownscale.training.detail import with_details
from xdownscale.training.patches import PatchSampler
from xdownscale.training.sources import wet_above

if TYPE_CHECKING:
    from collections.abc import Callable

    from xdownscale.field.factors import FactorChoice, Factors
    from xdownscale.models.method import Method
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.data import TrainingData
    from xdownscale.training.patches import Source
    from xdownscale.training.trainers import Trainer


class Task(NamedTuple):
    """What a run learns from, is judged by, and trains."""

    data: TrainingData
    training: Any
    judging: Any
    settings: Any
    plan: Recipe
    network: Any


def one_pair(
    data: TrainingData,
    plan: Recipe,
    factors: Factors,
    given: Method | None,
    trainer: Trainer,
    *,
    judged: bool,
    seed: int,
) -> Task:
    """A network for one pair of factors.

    Parameters
    ----------
    data : TrainingData
    plan : Recipe
    factors : Factors
    given : Method or None
        Whose weights are the start.
    trainer : Trainer
    judged : bool
        Whether held-out windows are wanted.
    seed : int
    """
    training, judging = _windows(data, plan, factors, judged=judged, seed=seed)
    data = with_details(data, training)
    settings = trainer.settings(_settings(data, plan, factors, given), plan)
    network = trainer.network(settings, given, seed)
    return Task(data, training, judging, settings, trainer.recipe(plan), network)


def many_pairs(
    data: TrainingData,
    plan: Recipe,
    choice: FactorChoice,
    given: Method | None,
    trainer: Trainer,
    *,
    judged: bool,
    seed: int,
) -> Task:
    """One network for many factors and scales.

    Parameters
    ----------
    data : TrainingData
    plan : Recipe
    choice : FactorChoice
    given : Method or None
        Whose weights are the start.
    trainer : Trainer
    judged : bool
        Whether held-out windows are wanted.
    seed : int

    Raises
    ------
    ArgumentError
        For another method than the generator.
    """
    if trainer.kind != "generator":
        msg = f"a model for many factors is a generator, not method={trainer.kind!r}. Leave it out, or pass one pair."
        raise ArgumentError(msg)
    draws = general.draws_for(choice, data.sources)
    windows = partial(general.windows_for, draws=draws, data=data, seed=seed)
    settings = general.settings_for(data, plan, draws, given)
    judging = _judging(windows, data.held_out) if judged else None
    network = general.network_for(settings, given, seed)
    return Task(data, windows(data.sources), judging, settings, plan, network)


def _windows(
    data: TrainingData, plan: Recipe, factors: Factors, *, judged: bool, seed: int
) -> tuple[PatchSampler, PatchSampler | None]:
    """Windows to learn from, and to judge by if that is wanted."""
    windows = partial(
        PatchSampler,
        blocks=factors.blocks,
        cells=plan.cells,
        frames=plan.frames,
        targets=len(data.transforms),
        vectors=data.vectors,
        wet=wet_above(data.transforms),
        seed=(seed + 1) % 2**64,
    )
    return windows(data.sources), _judging(windows, data.held_out) if judged else None


def _settings(data: TrainingData, plan: Recipe, factors: Factors, given: Method | None) -> GeneratorSettings:
    """What the network is built from: the sizes of the recipe, or those of given weights."""
    # a model from before steps could grow apart gets weights for it, with no effect to begin with
    fresh = plan.size.for_targets(len(data.transforms))
    size = fresh if given is None else replace(given.settings.size, apart=None)
    return GeneratorSettings(
        blocks=factors.blocks,
        transforms=data.transforms,
        predictors=data.predictors,
        static=data.static,
        styles=data.products,
        size=size.settled(factors.blocks),
        masks=True,
    )


def _judging(windows: Callable[[list[Source]], Any], held_out: list[Source]) -> Any:
    """Windows to judge by; a warning where there are none."""
    try:
        return windows(held_out)
    except EmptyFieldError:
        warn_user(
            "no window with rain is left to validate on: the last weights are kept, not the best. "
            "Pass validation=another_field to judge by."
        )
        return None
