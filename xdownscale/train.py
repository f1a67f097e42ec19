"""``train``: train a model on fine fields."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from xdownscale.errors import ArgumentError
from xdownscale.field.arguments import is_number, seed_number, whole_number
from xdownscale.field.compare import check_same
from xdownscale.field.factors import FactorChoice, Factors
from xdownscale.training.run import Run

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.method import Method
    from xdownscale.models.minkowski import MinkowskiLoss
    from xdownscale.models.prior_recipe import PriorRecipe
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.covariates import Predictors
    from xdownscale.training.data import TrainingData
    from xdownscale.training.sources import Fields

GENTLE = 0.2
"""Share of the learning rate of a named recipe for training from given weights: at the full rate they lose more
in sixty steps than they can learn from a few frames (``benchmarks/README.md``, "Adapting")."""


def train(
    field: xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset],
    spatial: int | tuple[int, int] | range | list[int] = 1,
    temporal: int | range | list[int] = 1,
    *,
    targets: Sequence[str] | None = None,
    predictors: Predictors = None,
    static: Static | None = None,
    vectors: Sequence[tuple[str, str]] | None = None,
    styles: Sequence[str] | None = None,
    model: Downscaler | str | os.PathLike[str] | None = None,
    recipe: str | Recipe | PriorRecipe | None = None,
    method: str | None = None,
    loss: str | MinkowskiLoss | Sequence[str | MinkowskiLoss] | None = None,
    steps: int | None = None,
    validation: float | xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset] = 0.1,
    device: str = "auto",
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    dims: Mapping[str, str] | None = None,
) -> Downscaler:
    """Train a model on fine fields, which are coarsened to make the training pairs.

    Parameters
    ----------
    field : DataArray, Dataset or sequence of them
        Fine field(s) with y, x and (for ``temporal > 1``) time, one event each. The fields of a Dataset are learned
        jointly. Dask fields, as from ``xarray.open_dataset(path, chunks={})``, are read window by window, except
        predictors; others are held in memory. Gaps in time split a field, and no window spans a gap. Coarse cells with
        a missing value are not scored.
    spatial : int, (int, int), range or list of int
        Fine cells per coarse cell (along y and x). A range or list of factors, such as ``range(1, 26)``, trains one
        network for all of them at many scales: targets are block means of the fields, with cells up to eight times and
        steps up to twelve times as large. Such a network learns one variable, without predictors or static fields; at
        inference, factors are chosen and the scale is computed from coordinates.
    temporal : int, range or list of int
        Fine steps per coarse step, likewise.
    targets : sequence of str, optional
        The variables of the Dataset to learn. None uses all variables on y, x and time that are not predictors.
    predictors : DataArray, Dataset, mapping or sequence of str, optional
        Other variables that are available when the model is used, such as pressure and humidity: fields on the grid of
        `field`, whose block means are used, or on the coarse grid, where they may have more cells and steps; or names
        of variables of the Dataset. Pass the same to :func:`xdownscale.downscale`, on the coarse grid.
    static : DataArray, Dataset or mapping, optional
        Static fields on the fine grid, such as topography; pass the same to :func:`xdownscale.downscale`.
    vectors : sequence of (str, str), optional
        Names of eastward and northward components, such as ``[("u10", "v10")]``, which are rotated with the training
        windows. None recognises them by standard name, or by the names that common products use.
    styles : sequence of str, optional
        The product of each field, such as the name of a radar network, if products differ in texture: the model learns
        a vector for each, and all have equal weight. Products of the fields of `validation` may follow. None treats all
        fields as one product.
    model : Downscaler, path or name, optional
        A model for the same factors and variable whose weights are the initial ones: minutes of training on your own
        fields instead of an hour. The network then has the sizes of this model, and a named recipe uses a fifth of its
        learning rate. A diffused residual uses the weights for its median net.
    recipe : str, Recipe or PriorRecipe, optional
        Sizes and schedule. "standard" (the default) is for models for use, "small" for a first try; "edsr" is for
        ``method="edsr"`` (its default), "stvd" and "stvd-small" (its default) for ``method="video"``, "scale-adaptive"
        and "scale-adaptive-small" (its default) for ``method="scale-adaptive"``; the last four also select the method.
        Training time grows with the factors, from minutes to hours; with `progress` it is printed before the first
        step.
    method : {"generator", "residual", "median", "edsr", "video", "scale-adaptive", "prior"}, optional
        The one-pass generator (default); the median net with a diffused residual, with six network evaluations per
        member; the median net alone, a deterministic reference; EDSR, the deterministic network of Lim et
        al. (2017); a downscaler and a diffused residual of whole sequences, trained together
        (:mod:`xdownscale.models.video`); the mean of each frame from its past and a diffused residual, as Defez et al.
        (2026) published it (:mod:`xdownscale.models.adaptive`); or a generative prior of the fine fields, which has
        no factors and is conditioned at inference (``docs/prior.md``).
    loss : {"mse", "minkowski", "mse+minkowski"}, MinkowskiLoss or sequence of them, optional
        Loss that replaces the method's own loss. "mse": the median net, or that of a residual, learns
        the mean by its squared error in latent units, instead of the median. "minkowski" adds the shapes of level sets:
        for a median net, the distance between its curves of area, perimeter and pieces less holes and those of the
        target; for the generator, the CRPS of its members' curves.
        An :class:`xdownscale.MinkowskiLoss` has more options, as in ``loss=["mse", MinkowskiLoss(weight=0.3)]``.
    steps : int, optional
        Number of optimiser steps instead of the recipe's.
    validation : float, DataArray, Dataset or sequence of them
        Fields for validation, or the share of `field` that is held out, 0 or more and below 1: its last events, or
        a few blocks of steps spread over the time of a single event.
    device : str
        "auto" uses a GPU if there is one.
    seed : int
        Seed of initial weights, windows and noise.
    checkpoint : path, optional
        File that is written during training and, if it exists, from which training resumes. It must be of the same run;
        only the length may differ. A missing folder is created.
    progress : bool
        Print the expected duration; show loss, validation CRPS and time left; print scores on held-out data and those
        of bicubic interpolation.
    dims : mapping, optional
        Dimension names by role, such as ``{"time": "t", "y": "row", "x": "col"}``, where they cannot be recognised.

    Returns
    -------
    Downscaler
        Use it with :func:`xdownscale.downscale` and save it with ``save``. ``provenance.scores`` holds its scores on
        held-out data and those of bicubic interpolation, named as in :func:`xdownscale.heldout.scores_of`.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, EmptyFieldError, ArgumentError, DeviceError
        Before training; the message names the call that fixes it.
    FileError, ModelFileError
        If the checkpoint cannot be written, or `model` cannot be read.

    Warns
    -----
    UserWarning
        If the model is worse than bicubic interpolation on held-out data, or these have a different texture.

    See Also
    --------
    xdownscale.downscale : Draw an ensemble of fine fields.
    xdownscale.calibrate : Fit the texture and the spread of a model to a product.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((18, 64, 64))
    >>> model = xdownscale.train(rain, spatial=4, temporal=3, recipe="small", steps=2, progress=False)
    >>> model.factors
    Factors(y=4, x=4, time=3)
    """
    from xdownscale.heldout import scores_of, tell
    from xdownscale.io import check_place
    from xdownscale.models.device import chosen_device
    from xdownscale.training.data import gather
    from xdownscale.training.identity import identity_of
    from xdownscale.training.loss_terms import with_loss, with_thresholds
    from xdownscale.training.papers import finished
    from xdownscale.training.sources import wet_above
    from xdownscale.training.task import many_pairs, one_pair
    from xdownscale.training.trainers import RECIPES, trainer_named

    choice, seed, where = FactorChoice.parse(spatial, temporal), seed_number(seed), chosen_device(device)
    factors = Factors.parse(spatial, temporal) if choice is None else choice.largest
    taken = None if steps is None else whole_number(steps, "steps", least=1)
    if checkpoint is not None:
        check_place(checkpoint, make_folder=True)
    if method == "prior":
        _check_prior(factors, predictors=predictors, static=static, styles=styles, model=model, loss=loss)
        return _prior(
            field,
            _prior_plan(recipe).with_steps(taken),
            validation=validation,
            targets=targets,
            device=where,
            seed=seed,
            checkpoint=checkpoint,
            progress=progress,
            dims=dims,
        )
    plan = _plan(_recipe(recipe or RECIPES.get(method)), goes_on=model is not None).with_steps(taken)
    trainer = trainer_named(method, plan)
    plan = with_loss(plan.for_factors(factors), loss, method=trainer.kind)
    data = gather(
        field,
        validation,
        factors=factors,
        frames=plan.frames,
        targets=targets,
        predictors=predictors,
        vectors=vectors,
        styles=styles,
        static=static,
        dims=dims,
    )
    plan = with_thresholds(
        plan,
        data.sources,
        wet=wet_above(data.transforms[:1]),
        units=[each.units for each in data.quantities],
        blocks=factors.blocks,
    )
    given = None if model is None else _start(model, factors if choice is None else None, data)
    judged = not (is_number(validation) and validation == 0)
    if choice is None:
        task = one_pair(data, plan, factors, given, trainer, judged=judged, seed=seed)
    else:
        task = many_pairs(data, plan, choice, given, trainer, judged=judged, seed=seed)
    data, network, plan = task.data, task.network, task.plan
    result = trainer.learn(
        network,
        task.training,
        task.judging,
        recipe=plan,
        run=Run(
            units=data.magnitudes if plan.unit is None else (plan.unit,) * len(data.transforms),
            seed=seed,
            device=where,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            identity=identity_of(data, plan, task.settings, seed=seed, start=given) if checkpoint else {},
            progress=progress,
        ),
    )
    network.load_state_dict(result.weights)
    network.to("cpu").eval()
    trained = finished(network, data, plan, result, seed)
    if choice is not None:
        trained.provenance = replace(trained.provenance, scores=result.scores)
    elif task.judging is not None:
        scores = scores_of(trained, task.training, task.judging, device=where, seed=seed)
        trained.provenance = replace(trained.provenance, scores=scores)
        tell(trained, task.judging, shown=progress)
    return trained


def _prior(
    field: Fields,
    plan: PriorRecipe,
    *,
    validation: float | Fields,
    targets: Sequence[str] | None,
    device: str,
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
    progress: bool,
    dims: Mapping[str, str] | None,
) -> Downscaler:
    """A generative prior of fine fields."""
    from xdownscale.training.data import gather
    from xdownscale.training.papers import finished
    from xdownscale.training.prior import learn_prior

    data = gather(
        field,
        validation,
        factors=Factors(1, 1, 1),
        frames=plan.frames,
        targets=targets,
        predictors=None,
        vectors=None,
        styles=None,
        static=None,
        dims=dims,
    )
    network, result = learn_prior(
        data,
        plan,
        judged=not (is_number(validation) and validation == 0),
        seed=seed,
        device=device,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        progress=progress,
    )
    trained = finished(network, data, plan, result, seed)
    trained.provenance = replace(trained.provenance, scores=result.scores)
    return trained


def _check_prior(factors: Factors, **given: Any) -> None:
    """Raise an error for arguments that a prior does not accept."""
    if factors != Factors(1, 1, 1):
        msg = (
            f'method="prior" learns fine fields alone, and factors {factors} are chosen when it is used: '
            f'train(field, method="prior"), then downscale(coarse, prior, spatial={factors.spatial}, '
            f"temporal={factors.time})"
        )
        raise ArgumentError(msg)
    passed = [name for name, value in given.items() if value is not None]
    if passed:
        msg = (
            f'method="prior" takes no {", ".join(passed)}. Leave them out, or train with method="generator".'
        )
        raise ArgumentError(msg)


def _prior_plan(recipe: Any) -> PriorRecipe:
    """The recipe of a prior, by name or as passed."""
    from xdownscale.models.prior_recipe import PriorRecipe

    if isinstance(recipe, PriorRecipe):
        return recipe
    if recipe is None or isinstance(recipe, str):
        return PriorRecipe.named(recipe or "standard")
    msg = f'method="prior" takes a PriorRecipe, not a {type(recipe).__name__}: recipe=xdownscale.PriorRecipe(...)'
    raise ArgumentError(msg)


def _recipe(recipe: Any) -> str | Recipe | None:
    """A recipe of a method other than the prior."""
    from xdownscale.models.prior_recipe import PriorRecipe

    if isinstance(recipe, PriorRecipe):
        msg = 'a PriorRecipe is for train(field, method="prior"); pass an xdownscale.Recipe(...) for other methods'
        raise ArgumentError(msg)
    return recipe  # type: ignore[no-any-return]


def _plan(recipe: str | Recipe | None, *, goes_on: bool) -> Recipe:
    """The recipe, by name or as passed, adapted for a run that starts from given weights."""
    from xdownscale.models.recipe import Recipe

    plan = recipe if isinstance(recipe, Recipe) else Recipe.named(recipe or "standard")
    if not goes_on:
        return plan
    if plan is not recipe:
        plan = replace(plan, schedule=replace(plan.schedule, rate=GENTLE * plan.schedule.rate))
    return replace(plan, weights=replace(plan.weights, late=0.0))


def _start(model: Downscaler | str | os.PathLike[str], factors: Factors | None, data: TrainingData) -> Method:
    """The method with the initial weights, checked to match; without factors, any factors match."""
    from xdownscale import zoo
    from xdownscale.models.downscaler import Downscaler

    given = model if isinstance(model, Downscaler) else zoo.load(model)
    settings = given.method.settings
    pairs = zip(data.quantities, given.quantities, strict=False)
    for here, there in pairs:
        check_same(here, there, whose=f"the model {given.name!r} refines")
    kinds = [[type(each) for each in transforms] for transforms in (settings.transforms, data.transforms)]
    if (factors is not None and given.factors != factors) or kinds[0] != kinds[1]:
        msg = (
            f"the model refines {', '.join(map(repr, given.targets))} by {given.factors}: it cannot be the start of "
            "training for "
            f"{[each.name for each in data.quantities]} by {factors or 'many factors'}. Train for its own factors and "
            f"variables, or leave model out."
        )
        raise ArgumentError(msg)
    for what, fields in (("static", "static fields"), ("predictors", "predictors")):
        known, named = ([each.name for each in getattr(some, what)] for some in (settings, data))
        if known != named:
            msg = f"the model was trained with the {fields} {known}, not {named}. Pass the same, or leave model out."
            raise ArgumentError(msg)
    return given.method
