"""How each kind of method is trained: settings and recipe from the common ones, and the run itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdownscale.errors import ArgumentError
from xdownscale.models.kinds import kind_named
from xdownscale.models.median import median_recipe, median_settings
from xdownscale.models.residual import residual_settings
from xdownscale.nn.fresh import FreshWeights
from xdownscale.training.adaptive import adaptive_settings, fit_adaptive
from xdownscale.training.adaptive import planned as planned_adaptive
from xdownscale.training.fit import fit
from xdownscale.training.residual import fit_residual
from xdownscale.training.video import fit_video, planned, video_settings
from xdownscale.training.warm_start import start_from

if TYPE_CHECKING:
    from xdownscale.models.generator import GeneratorSettings
    from xdownscale.models.recipe import Recipe


@dataclass(frozen=True)
class Trainer:
    """How a kind of method is trained.

    Parameters
    ----------
    kind : str
        Its name in model files.
    settings : callable
        Its settings from those of the network that all methods share, and the recipe.
    recipe : callable
        Its recipe from the one that was asked for.
    learn : callable
        The run, with the arguments of :func:`xdownscale.training.fit.fit`.
    attends : bool
        Whether it has a place for the attention of a recipe.
    """

    kind: str
    settings: Callable[[GeneratorSettings, Recipe], GeneratorSettings]
    recipe: Callable[[Recipe], Recipe]
    learn: Callable[..., Any]
    attends: bool = False

    def network(self, settings: GeneratorSettings, given: Any, seed: int) -> Any:
        """A method with fresh weights, or with those of another one as far as they fit."""
        with FreshWeights(seed):
            made = kind_named(self.kind).build(settings)
        if given is not None:
            start_from(made.trunk, given.trunk)
        return made


TRAINERS: dict[str, Trainer] = {
    "generator": Trainer("generator", lambda settings, _: settings, lambda plan: plan, fit),
    "residual": Trainer(
        "residual",
        lambda settings, plan: residual_settings(settings, attention=plan.attention),
        lambda plan: plan,
        fit_residual,
        attends=True,
    ),
    "video": Trainer("video", video_settings, lambda plan: plan, fit_video),
    "scale-adaptive": Trainer("scale-adaptive", adaptive_settings, lambda plan: plan, fit_adaptive),
    "median": Trainer("median", lambda settings, _: median_settings(settings), median_recipe, fit),
    "edsr": Trainer("edsr", lambda settings, _: median_settings(settings), median_recipe, fit),
}
"""By the word that ``train(method=...)`` takes."""

RECIPES: dict[str | None, str] = {
    "video": "stvd-small",
    "scale-adaptive": "scale-adaptive-small",
    "edsr": "edsr",
}
"""The recipe of a method where none is given, if it is not "standard"."""


def trainer_named(name: str | None, plan: Recipe) -> Trainer:
    """The trainer of a method, if there is such a method and the recipe is for it.

    Parameters
    ----------
    name : str or None
        As the user typed it; None takes the one that the recipe is for, if there is only one, else the generator.
    plan : Recipe

    Raises
    ------
    ArgumentError
        If there is none, or the recipe has what the method has no place for, or lacks what it needs.
    """
    chosen = name or ("scale-adaptive" if plan.adaptive else "video" if plan.video else "generator")
    if chosen not in TRAINERS:
        known = ", ".join(f'method="{each}"' for each in (*TRAINERS, "prior"))
        msg = f"method={name!r} is not known; pass one of {known}"
        raise ArgumentError(msg)
    if plan.attention is not None and not TRAINERS[chosen].attends:
        msg = (
            f"the recipe has attention, which method={chosen!r} does not use. "
            f'Train with method="residual", or with a recipe whose attention is None.'
        )
        raise ArgumentError(msg)
    for own, part, needed, what in (
        ("video", plan.video, planned, "a video diffusion"),
        ("scale-adaptive", plan.adaptive, planned_adaptive, "the scale-adaptive framework"),
    ):
        if chosen == own:
            needed(plan)
        elif part is not None:
            msg = f'the recipe is of {what}: train with method="{own}", not {chosen!r}, or another recipe'
            raise ArgumentError(msg)
    return TRAINERS[chosen]
