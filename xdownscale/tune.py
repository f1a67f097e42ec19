"""``tune``: search for the recipe that learns most from a fine field."""

from __future__ import annotations

import sys
import time
import warnings
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from xdownscale.errors import ArgumentError, XDownscaleError
from xdownscale.field.arguments import is_number, seed_number, whole_number
from xdownscale.field.factors import FactorChoice, Factors
from xdownscale.train import train
from xdownscale.tuning.log import CHOSEN, SCORES, STUDY, TOOK, optuna, storage_at, study_in, tried
from xdownscale.tuning.settings import SCORES as JUDGED_BY
from xdownscale.tuning.settings import settings_for, value_of, with_values

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.covariates import Predictors

__all__ = ["elbow", "tune"]

FOREVER: Final = 10**9
"""Steps of a trial, which ends by the clock."""

ANCESTRAL, STEPS = "ddpm", 50
"""Maximum number of steps of ancestral sampling for the score of a diffusion, whose recipe may take a thousand."""

MARGINAL: Final = 0.01
"""Minimum improvement by a longer context, as a share of the error."""

LONGEST: Final = 12
"""Coarse frames of the longest tried context."""


def tune(
    field: xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset],
    spatial: int | tuple[int, int] | range | list[int] = 1,
    temporal: int | range | list[int] = 1,
    *,
    minutes: float,
    trials: int = 12,
    method: str | None = None,
    recipe: str | Recipe | None = None,
    targets: Sequence[str] | None = None,
    predictors: Predictors = None,
    static: Static | None = None,
    vectors: Sequence[tuple[str, str]] | None = None,
    styles: Sequence[str] | None = None,
    validation: float | xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset] = 0.1,
    device: str = "auto",
    seed: int = 0,
    log: str | os.PathLike[str] | None = None,
    progress: bool = True,
    dims: Mapping[str, str] | None = None,
) -> Recipe:
    """Search for the settings of a recipe with which a method learns most from a field within a time budget.

    Each trial trains for the same time and is scored on windows of held-out data. The first trial has the settings of
    the given recipe, so the result is no worse on these windows. The tuned settings depend on the method
    (:data:`xdownscale.tuning.settings.SETTINGS`): for the library's own methods, learning rate, windows and size, by
    the fair CRPS over the absolute error of bicubic interpolation.

    For the scale-adaptive framework, they are those that its paper tunes (Defez et al. 2026, section 5.1): first the
    length L of the context, by the error of the mean, increasing until two more frames gain less than one percent each,
    in a third of the time; then β_J, the exponent and the threshold by the deviation of the rank histogram from flat
    (:func:`xdownscale.metrics.pit_deviation`). The paper's own deviation pools all points and does not measure
    calibration (:func:`xdownscale.metrics.pooled_pit_deviation`).

    Parameters
    ----------
    field, spatial, temporal, targets, predictors, static, vectors, styles, validation, device, dims
        As in :func:`xdownscale.train`. Settings are scored on `validation`: pass events that are used for nothing else,
        and use other events for reported scores.
    minutes : float
        Budget of wall-clock time. The first trial is always run; another one only if it is expected to end in time.
    trials : int
        Approximate number of trials in the budget. Fewer trials train longer and are more informative.
    method : str, optional
        As in :func:`xdownscale.train`: "generator" (the default), "median", "residual", "edsr", "video" or
        "scale-adaptive". None uses the method of the recipe.
    recipe : str or Recipe, optional
        Initial recipe; None uses the default of :func:`xdownscale.train`. The result keeps its schedule; trials follow
        the clock instead.
    seed : int
        Seed of the search and of training. The result also depends on the speed of the machine.
    log : path, optional
        File of all trials. A search that finds it continues from there within the same budget, also after it was
        killed; an interrupted trial is repeated. :func:`xdownscale.plot.tuning` draws it.
    progress : bool
        Print a line for each trial.

    Returns
    -------
    Recipe
        As `recipe`, with the found settings, for ``train(..., recipe=...)``.

    Raises
    ------
    OptionalDependencyError
        Without optuna.
    ResumeError
        If the log is of another run.
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, EmptyFieldError, ArgumentError, DeviceError, FileError
        As raised by :func:`xdownscale.train` for the initial settings.

    References
    ----------
    Akiba et al. (2019), doi:10.1145/3292500.3330701, the search library; Defez et al. (2026), arXiv:2604.21903.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((24, 64, 64))
    >>> found = xdownscale.tune(rain, 4, 3, minutes=0.05, recipe="small", trials=2, progress=False)
    >>> model = xdownscale.train(rain, 4, 3, recipe=found, steps=2, progress=False)
    """
    from xdownscale.io import check_place

    seed, trials = seed_number(seed), whole_number(trials, "trials", least=1)
    if not is_number(minutes) or not minutes > 0:
        msg = f"minutes={minutes!r}: pass the time budget, as in minutes=30"
        raise ArgumentError(msg)
    if is_number(validation) and validation == 0:
        msg = "validation=0 leaves no data to compare settings with. Pass a share, as in validation=0.2, or fields."
        raise ArgumentError(msg)
    if log is not None:
        check_place(log, make_folder=True)
    name, plan = _started_from(method, recipe, spatial, temporal)
    options = {
        "targets": targets, "predictors": predictors, "static": static, "vectors": vectors, "styles": styles,
        "validation": validation, "device": device, "seed": seed, "dims": dims,
    }  # fmt: skip

    def trained(chosen: Recipe) -> Downscaler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a trial may lose to bicubic interpolation
            return train(
                field, spatial, temporal, method=name, recipe=chosen, progress=False, **options  # type: ignore[arg-type]
            )  # fmt: skip

    run = {
        "fields": [_fingerprint(each) for each in _fields(field)],
        "validation": validation
        if is_number(validation)
        else [_fingerprint(each) for each in _fields(validation)],
        "factors": repr((spatial, temporal)),
        "method": name,
        "recipe": plan.to_json(),
        "seed": seed,
    }
    search = _Search(name, trained, storage_at(log), run, log, 60.0 * float(minutes), trials, seed, progress)
    if name == "scale-adaptive":
        plan = search.length(plan)
    return search.settings(plan)


def elbow(errors: Mapping[int, float], *, marginal: float = MARGINAL) -> int:
    """The smallest length beyond which no tried length gains more than a share of the error per step.

    Parameters
    ----------
    errors : mapping of int to float
        Error for each length, at least one.
    marginal : float
        Share of the error.

    Examples
    --------
    >>> elbow({1: 1.0, 2: 0.8, 3: 0.795, 4: 0.79})
    2
    """
    lengths = sorted(errors)
    return next(
        here
        for here in lengths
        if all(errors[far] >= (1 - marginal) ** (far - here) * errors[here] for far in lengths if far > here)
    )


@dataclass
class _Search:
    """A search within a budget."""

    method: str
    train: Callable[[Recipe], Downscaler]
    storage: Any
    run: Mapping[str, Any]
    path: Any
    budget: float
    trials: int
    seed: int
    shown: bool
    spent: float = 0.0

    def study(self, name: str, *, sampler: bool = False) -> Any:
        """A study with its trials so far, whose time is subtracted from the budget."""
        samplers = optuna().samplers
        study = study_in(self.storage, name, self.run, path=self.path)
        before = study.get_trials(deepcopy=False)
        self.spent += sum(each.user_attrs.get(TOOK, 0.0) for each in before)
        if sampler:  # a search that goes on does not draw the same numbers again
            study.sampler = samplers.TPESampler(seed=(self.seed + len(before)) % 2**32, n_startup_trials=5)
        return study

    def seconds(self, study: Any, share: float) -> float:
        """Seconds of training per trial, as in the first run, so that scores compare after an interruption."""
        if "train" not in study.user_attrs:
            study.set_user_attr("train", share * self.budget / (self.trials + 1))
        return float(study.user_attrs["train"])

    def fits(self, study: Any, budget: float) -> bool:
        """Whether another trial is expected to end within a budget; the first one is always run."""
        before = [each.seconds for each in tried(study)]
        return not before or self.spent + max(before) <= budget

    def attempt(
        self, study: Any, trial: Any, recipe: Recipe, seconds: float, scored: Callable[[Any], float]
    ) -> None:
        """Train a recipe for a trial and record its score."""
        began, first = time.monotonic(), not tried(study)
        schedule = replace(recipe.schedule, steps=FOREVER, seconds=seconds)
        try:
            model = self.train(replace(recipe, schedule=schedule))
            score = scored(model)
        except XDownscaleError:
            if first:
                raise
            score = np.nan  # such as a window that is larger than the field
        took = time.monotonic() - began
        self.spent += took
        trial.set_user_attr(TOOK, took)
        if not np.isfinite(score):
            study.tell(trial, state=optuna().trial.TrialState.FAIL)
            return
        trial.set_user_attr(SCORES, dict(model.provenance.scores))
        study.tell(trial, score)
        self.say(study, trial, score)

    def say(self, study: Any, trial: Any, score: float) -> None:
        """Print a line about a trial."""
        if self.shown:
            from tqdm import tqdm

            values = ", ".join(f"{path} {value:.4g}" for path, value in trial.params.items())
            left = max(0.0, self.budget - self.spent) / 60
            line = f"{trial.number:3d}  {score:.4g} (best {study.best_value:.4g})  {values}  {left:.1f} minutes left"
            tqdm.write(line, file=sys.stderr)

    def length(self, plan: Recipe) -> Recipe:
        """The recipe with the length of the context at the elbow of the error of the mean."""
        study = self.study("length")
        seconds = self.seconds(study, 0.5)
        alone = with_values(plan, {"adaptive.residual": False})
        while CHOSEN not in study.user_attrs:
            errors = {each.values["adaptive.length"]: each.score for each in tried(study)}
            length = max(errors, default=0) + 1
            ended = length > LONGEST or (bool(errors) and elbow(errors) <= length - 3)
            if ended or not self.fits(study, self.budget / 3):
                study.set_user_attr(CHOSEN, {"adaptive.length": elbow(errors)})
                break
            space = {"adaptive.length": optuna().distributions.IntDistribution(1, LONGEST)}
            study.enqueue_trial({"adaptive.length": length})
            trial = study.ask(space)
            self.attempt(
                study, trial, with_values(alone, trial.params), seconds, lambda model: _scored(model, "rmse")
            )
        return with_values(plan, study.user_attrs[CHOSEN])  # type: ignore[no-any-return]

    def settings(self, plan: Recipe) -> Recipe:
        """The recipe with the settings of the best score."""
        space, score = settings_for(self.method, plan), JUDGED_BY.get(self.method, "crps")
        study = self.study(STUDY, sampler=True)
        seconds = self.seconds(study, 2 / 3 if self.method == "scale-adaptive" else 1.0)
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial({each.path: value_of(plan, each.path) for each in space})
        quick = plan
        if plan.adaptive is not None and plan.adaptive.sampler == ANCESTRAL:
            steps = min(STEPS, plan.adaptive.steps or plan.adaptive.levels)
            quick = with_values(plan, {"adaptive.steps": steps})
        while self.fits(study, self.budget):
            trial = study.ask()
            chosen = {each.path: each.asked_of(trial) for each in space}
            self.attempt(
                study, trial, with_values(quick, chosen), seconds, lambda model: _scored(model, score)
            )
        best = study.best_trial.params
        study.set_user_attr(CHOSEN, best)
        return with_values(plan, best)  # type: ignore[no-any-return]


def _started_from(method: str | None, recipe: Any, spatial: Any, temporal: Any) -> tuple[str, Recipe]:
    """The name of the method, and the recipe with the initial settings."""
    from xdownscale.models.prior_recipe import PriorRecipe
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.trainers import RECIPES, trainer_named

    if method == "prior" or isinstance(recipe, PriorRecipe):
        msg = 'a prior has no settings to tune. Tune a method that takes factors, such as method="generator".'
        raise ArgumentError(msg)
    named = recipe or RECIPES.get(method) or "standard"
    plan = named if isinstance(named, Recipe) else Recipe.named(named)
    name = trainer_named(method, plan).kind
    choice = FactorChoice.parse(spatial, temporal)
    return name, plan.for_factors(Factors.parse(spatial, temporal)) if choice is None else plan


def _scored(model: Downscaler, name: str) -> float:
    """A score on held-out windows: errors relative to those of bicubic interpolation, as a mean over the targets."""
    found = []
    for variable in model.variables:
        scores = model.scores(variable.name)
        found.append(scores.get(name, np.nan) / scores.get(f"{name}_bicubic", 1.0))
    return float(np.mean(found))


def _fields(fields: Any) -> list[Any]:
    """Fields as a list, one event each."""
    return [fields] if isinstance(fields, xr.DataArray | xr.Dataset) else [*fields]


def _fingerprint(field: xr.DataArray | xr.Dataset) -> str:
    """Fingerprint of a field: names, sizes and some values."""
    each = [field] if isinstance(field, xr.DataArray) else list(field.data_vars.values())
    parts = []
    for one in each:
        ends = one.isel({one.dims[0]: [0, -1]}) if one.ndim else one
        parts.append(
            f"{one.name} {dict(one.sizes)} {zlib.crc32(np.ascontiguousarray(ends.values).tobytes())}"
        )
    return "; ".join(parts)
