"""``train``: a fine field in, a downscaler out."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import EmptyFieldError, FactorError
from xdownscale.field.arguments import is_number, seed_number, whole_number
from xdownscale.field.axes import Axes
from xdownscale.field.checks import name_of
from xdownscale.field.compare import check_same
from xdownscale.field.factors import Factors
from xdownscale.field.grid import describe

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.generator import GeneratorSettings
    from xdownscale.models.method import Method
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.data import TrainingData
    from xdownscale.training.fit import Result
    from xdownscale.training.patches import PatchSampler, Source

GENTLE = 0.2
"""Share of the learning rate of a recipe by name at which given weights learn on: at the whole rate they lose more
in sixty steps than a few frames can teach them (``benchmarks/README.md``, "Adapting")."""


def train(
    field: xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset],
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    static: Static | None = None,
    styles: Sequence[str] | None = None,
    model: Downscaler | str | os.PathLike[str] | None = None,
    recipe: str | Recipe | None = None,
    method: str | None = None,
    steps: int | None = None,
    validation: float | xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset] = 0.1,
    device: str = "auto",
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    dims: Mapping[str, str] | None = None,
) -> Downscaler:
    """Learn to downscale from fine fields, which are coarsened to make the pairs.

    Parameters
    ----------
    field : DataArray, Dataset or sequence of them
        Fine field(s), of a Dataset its only one, with y, x and (for ``temporal > 1``) time: one event each. Values are
        loaded into memory. Gaps in time split a field; windows never straddle one. Windows with missing values are left
        out.
    spatial : int or (int, int)
        Fine cells per coarse cell (along y and x).
    temporal : int
        Fine steps per coarse step.
    static : DataArray, Dataset or mapping, optional
        Static fields on the fine grid, such as topography; the same must be given to :func:`xdownscale.downscale`.
    styles : sequence of str, optional
        The product that each field belongs to, such as the name of a radar network, where products differ in texture:
        the model learns a vector for each, and all count alike. Products of the fields of `validation` may follow.
        None takes all fields for one product.
    model : Downscaler, path or name, optional
        A model for the same factors and variable whose weights are the start: minutes on your own fields instead of an
        hour. The sizes of the network are then its own, and a recipe by name learns at a fifth of its rate. A diffused
        residual takes the weights of its median net.
    recipe : {"standard", "small"} or Recipe, optional
        Sizes and schedule. "standard" (the default) is for weights to keep, "small" for a first try. How long they take
        grows with the factors, from minutes to hours; with `progress` it is said before the first step.
    method : {"generator", "residual", "median"}, optional
        The one-pass generator (default); the median net with a diffused residual, which takes six evaluations of a
        network for a member; or the median net alone, a deterministic yardstick.
    steps : int, optional
        Optimiser steps instead of the recipe's.
    validation : float, DataArray, Dataset or sequence of them
        Fields to judge by, or the share of `field` that is held out, 0 or more and below 1: its last events, or of a
        single one a few blocks of steps, spread over its time.
    device : str
        "auto" takes a GPU if there is one.
    seed : int
        Seed of initial weights, windows and noise.
    checkpoint : path, optional
        File that is written as training goes on and, if it exists, resumed from. It must be of the same run: nothing
        but how long it is may differ. Its folder is made if it is missing.
    progress : bool
        Say how long it will take; show loss, validation CRPS and time left; and print scores on held-out data beside
        those of bicubic interpolation.
    dims : mapping, optional
        Dimension names by role, such as ``{"time": "t", "y": "row", "x": "col"}``, where they cannot be recognised.

    Returns
    -------
    Downscaler
        Use it with :func:`xdownscale.downscale`; keep it with its ``save``. ``provenance.scores`` holds its scores on
        held-out data and those of bicubic interpolation, as :func:`xdownscale.heldout.scores_of` names them.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, EmptyFieldError, FactorError, DeviceError, FileError,
    ModelFileError
        Before training starts, with the call that mends it.

    Warns
    -----
    UserWarning
        Where the model loses to bicubic interpolation on held-out data, and where these have another texture.

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
    from xdownscale.training.trainers import trainer_named

    factors, seed, where = Factors.parse(spatial, temporal), seed_number(seed), chosen_device(device)
    taken = None if steps is None else whole_number(steps, "steps", least=1)
    if checkpoint is not None:
        check_place(checkpoint, make_folder=True)
    plan = _plan(recipe, goes_on=model is not None).with_steps(taken)
    trainer = trainer_named(method, plan)
    data = gather(
        field, validation, factors=factors, frames=plan.frames, styles=styles, static=static, dims=dims
    )
    given = None if model is None else _start(model, factors, data)
    wanted = not (is_number(validation) and validation == 0)
    training, judging = _windows(data, plan, factors, judged=bool(wanted), seed=seed)
    settings, plan = trainer.settings(_settings(data, plan, factors, given), plan), trainer.recipe(plan)
    network = trainer.network(settings, given, seed)
    result = trainer.learn(
        network,
        training,
        judging,
        recipe=plan,
        unit=plan.unit or data.magnitude,
        seed=seed,
        device=where,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        identity=checkpoint and identity_of(data, plan, settings, seed=seed, start=given),
        progress=progress,
    )
    network.load_state_dict(result.weights)
    network.to("cpu").eval()
    trained = _finished(network, data, plan, result, seed)
    if judging is not None:
        scores = scores_of(trained, training, judging, device=where, seed=seed)
        trained.provenance = replace(trained.provenance, scores=scores)
        tell(trained, judging, shown=progress)
    return trained


def _plan(recipe: str | Recipe | None, *, goes_on: bool) -> Recipe:
    """The recipe, by name or as it is; and what is different for a run that goes on from given weights."""
    from xdownscale.models.recipe import Recipe

    plan = recipe if isinstance(recipe, Recipe) else Recipe.named(recipe or "standard")
    if not goes_on:
        return plan
    if plan is not recipe:
        plan = replace(plan, schedule=replace(plan.schedule, rate=GENTLE * plan.schedule.rate))
    return replace(plan, weights=replace(plan.weights, late=0.0))


def _windows(
    data: TrainingData, plan: Recipe, factors: Factors, *, judged: bool, seed: int
) -> tuple[PatchSampler, PatchSampler | None]:
    """Windows to learn from, and to judge by if that is wanted."""
    from xdownscale.training.patches import PatchSampler
    from xdownscale.training.sources import WET

    windows = partial(
        PatchSampler,
        blocks=factors.blocks,
        cells=plan.cells,
        frames=plan.frames,
        wet=WET if data.transform.nonnegative else None,
        seed=(seed + 1) % 2**64,
    )
    return windows(data.sources), _judging(windows, data.held_out) if judged else None


def _start(model: Downscaler | str | os.PathLike[str], factors: Factors, data: TrainingData) -> Method:
    """The method whose weights are the start, if it fits."""
    from xdownscale import zoo
    from xdownscale.models.downscaler import Downscaler

    given = model if isinstance(model, Downscaler) else zoo.load(model)
    settings = given.method.settings
    check_same(data.quantity, given.quantity, whose=f"the model {given.name!r} refines")
    if given.factors != factors or type(settings.transform) is not type(data.transform):
        msg = (
            f"the model refines {given.variable.name!r} by {given.factors}: it is no start for this variable by "
            f"{factors}. Train for its own factors and variable, or leave model out."
        )
        raise FactorError(msg)
    if [each.name for each in settings.static] != [each.name for each in data.static]:
        msg = f"the model was trained with the static fields {list(given.static)}. Pass the same, or leave model out."
        raise FactorError(msg)
    return given.method


def _settings(data: TrainingData, plan: Recipe, factors: Factors, given: Method | None) -> GeneratorSettings:
    """What the network is built from: the sizes of the recipe, or those of given weights."""
    from xdownscale.models.generator import GeneratorSettings

    # a model from before steps could grow apart gets weights for it, with no effect to begin with
    size = plan.size if given is None else replace(given.settings.size, apart=None)
    return GeneratorSettings(
        blocks=factors.blocks,
        transform=data.transform,
        static=data.static,
        styles=data.products,
        size=size.settled(factors.blocks),
        masks=True,
    )


def _judging(windows: Callable[[list[Source]], PatchSampler], held_out: list[Source]) -> PatchSampler | None:
    """Windows to judge by; a warning where there are none."""
    try:
        return windows(held_out)
    except EmptyFieldError:
        warnings.warn(
            "no window with rain is left to validate on: the last weights are kept, not the best. "
            "Pass validation=another_field to judge by.",
            UserWarning,
            stacklevel=4,
        )
        return None


def _finished(model: Any, data: TrainingData, plan: Recipe, result: Result, seed: int) -> Downscaler:
    """The downscaler with its papers."""
    from importlib.metadata import version

    from xdownscale.field.attrs import package_version
    from xdownscale.models.downscaler import Downscaler, Provenance, Variable

    field, axes = data.events[0]
    regular = field.isel({axes.time: slice(0, 2)}) if axes.time in field.coords else field
    grid = describe(regular, axes if axes.time in field.coords else Axes(axes.y, axes.x, None))
    return Downscaler(
        model,
        variable=Variable(
            name=name_of(field),
            units=field.attrs.get("units"),
            standard_name=field.attrs.get("standard_name"),
            cell_methods=data.quantity.said,
        ),
        provenance=Provenance(
            data=tuple(_described(each) for each, _ in data.events),
            spacing=float(grid.spacing_y),
            spacing_units=grid.units,
            step=None if grid.step is None else float(grid.step / np.timedelta64(1, "s")),
            recipe=plan.to_json(),
            steps=result.steps,
            seed=seed,
            versions={
                "xdownscale-sr": package_version(),
                **{p: version(p) for p in ("torch", "numpy", "xarray")},
            },
        ),
    )


def _described(field: xr.DataArray) -> str:
    """One line about a training field."""
    sizes = " × ".join(f"{name} {size}" for name, size in field.sizes.items())
    source = (
        field.attrs.get("title")
        or field.attrs.get("source")
        or field.attrs.get("long_name")
        or name_of(field)
    )
    licence = field.attrs.get("licence") or field.attrs.get("license")
    return f"{source}: {sizes}" + (f"; {licence}" if licence else "")
