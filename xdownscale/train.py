"""``train``: a fine field in, a downscaler out."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, EmptyFieldError, FactorError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.factors import Factors
from xdownscale.field.grid import check_regular, describe
from xdownscale.field.static import named_static, static_on_grid
from xdownscale.field.times import to_ticks
from xdownscale.field.units import to_units
from xdownscale.field.values import check_values, is_rain, name_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from xdownscale.field.static import Static
    from xdownscale.model.downscaler import Downscaler
    from xdownscale.model.generator import StaticField
    from xdownscale.model.recipe import Recipe
    from xdownscale.model.transform import Transform
    from xdownscale.training.patches import PatchSampler, Source

RAIN_UNITS = "mm h-1"
"""Rain is learned in these units, whatever it comes in."""

WET = 0.1
"""A cell is wet above this rate in mm/h: the detection limit of most radar products."""


def train(
    field: xr.DataArray | Sequence[xr.DataArray],
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    static: Static | None = None,
    recipe: str | Recipe | None = None,
    method: str | None = None,
    steps: int | None = None,
    validation: float | xr.DataArray | Sequence[xr.DataArray] = 0.1,
    device: str = "auto",
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    dims: Mapping[str, str] | None = None,
) -> Downscaler:
    """Learn to downscale from fine fields, which are coarsened to make the pairs.

    Parameters
    ----------
    field : DataArray or sequence of DataArray
        Fine field(s) with y, x and (for ``temporal > 1``) time: one event each. Values are loaded into memory. Gaps in
        time split a field; windows never straddle one. Windows with missing values are left out.
    spatial : int or (int, int)
        Fine cells per coarse cell (along y and x).
    temporal : int
        Fine steps per coarse step.
    static : DataArray, Dataset or mapping, optional
        Static fields on the fine grid, such as topography; the same must be given to :func:`xdownscale.downscale`.
    recipe : {"standard", "small"} or Recipe, optional
        Sizes and schedule. "standard" made the shipped weights, an hour on two cores; "small" takes a minute.
    method : {"generator", "median"}, optional
        The one-pass generator (default), or its network without noise trained on the absolute error: a deterministic
        yardstick.
    steps : int, optional
        Optimiser steps instead of the recipe's.
    validation : float, DataArray or sequence of DataArray
        Fields to judge by, or the share of `field` that is held out: its last events, or last steps of a single one.
    device : str
        "auto" takes a GPU if there is one.
    seed : int
        Seed of initial weights, windows and noise.
    checkpoint : path, optional
        File that is written as training goes on and, if it exists, resumed from.
    progress : bool
        Show loss and validation CRPS.
    dims : mapping, optional
        Dimension names by role, such as ``{"time": "t", "y": "row", "x": "col"}``, where they cannot be recognised.

    Returns
    -------
    Downscaler
        Use it with :func:`xdownscale.downscale`; keep it with its ``save``.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, EmptyFieldError, FactorError
        Before training starts, with the call that mends it.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((18, 64, 64))
    >>> model = xdownscale.train(rain, spatial=4, temporal=3, recipe="small", steps=2, progress=False)
    >>> model.factors
    Factors(y=4, x=4, time=3)
    """
    import torch

    from xdownscale.model.device import chosen_device
    from xdownscale.model.generator import Generator, GeneratorSettings
    from xdownscale.model.mean import median_recipe, median_settings
    from xdownscale.training.fit import fit
    from xdownscale.training.patches import PatchSampler

    factors = Factors.parse(spatial, temporal)
    plan = _recipe(recipe).with_steps(steps)
    if method not in (None, "generator", "median"):
        msg = f'method={method!r} is not known; use method="generator" (an ensemble) or method="median" (deterministic)'
        raise FactorError(msg)
    events = [_prepared(each, factors, dims) for each in _as_list(field)]
    transform = _transform([values for values, _ in events])
    fields = named_static(static)
    standard = _standard(fields, events)
    sources = [source for event in events for source in _sources(*event, fields, standard)]
    wanted = True
    if isinstance(validation, (int, float)):
        wanted = validation > 0
        sources, held_out = _split(sources, float(validation), factors.time * plan.frames)
    else:
        others = [_prepared(each, factors, dims) for each in _as_list(validation)]
        held_out = [source for event in others for source in _sources(*event, fields, standard)]
    windows = partial(
        PatchSampler,
        blocks=factors.blocks,
        cells=plan.cells,
        frames=plan.frames,
        wet=WET if transform.nonnegative else None,
        seed=seed + 1,
    )
    training = windows(sources)
    judging = _judging(windows, held_out) if wanted else None
    settings = GeneratorSettings(blocks=factors.blocks, transform=transform, static=standard, size=plan.size)
    if method == "median":
        settings, plan = median_settings(settings), median_recipe(plan)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Generator(settings)
    result = fit(
        model,
        training,
        judging,
        recipe=plan,
        unit=plan.unit or _magnitude(sources, transform),
        seed=seed,
        device=chosen_device(device),
        checkpoint=None if checkpoint is None else Path(checkpoint),
        progress=progress,
    )
    model.load_state_dict(result.weights)
    model.to("cpu").eval()
    return _finished(
        model, events[0], [values for values, _ in events], plan, result.steps, result.scores, seed
    )


def _recipe(recipe: str | Recipe | None) -> Recipe:
    from xdownscale.model.recipe import Recipe

    return recipe if isinstance(recipe, Recipe) else Recipe.named(recipe or "standard")


def _as_list(fields: xr.DataArray | Sequence[xr.DataArray]) -> list[xr.DataArray]:
    events = [fields] if isinstance(fields, xr.DataArray) else list(fields)
    if not events:
        msg = "there is no field to train on: the sequence is empty"
        raise EmptyFieldError(msg)
    return events


def _prepared(
    field: xr.DataArray, factors: Factors, dims: Mapping[str, str] | None
) -> tuple[xr.DataArray, Axes]:
    """A field as (time, y, x) in the units of the model, checked."""
    axes = find_axes(field, dims=dims, need_time=factors.time > 1)
    others = [str(dim) for dim in field.dims if dim not in axes.ordered]
    if others:
        msg = (
            f"train takes fields of (time, y, x); {field.name!r} also has {others}. Select one entry, "
            f"as in field.isel({others[0]}=0), or pass a list of fields."
        )
        raise DimensionError(msg)
    if is_rain(field):
        field = to_units(field, RAIN_UNITS)
    check_values(field, name_of(field))
    check_regular(field, axes.spatial, None)
    if axes.time is None:
        field = field.expand_dims("time")
        axes = Axes(axes.y, axes.x, "time")
    return field.transpose(axes.time or "time", *axes.spatial), axes


def _transform(fields: Sequence[xr.DataArray]) -> Transform:
    """Logarithmic and rectified for rain, standardised for anything else."""
    from xdownscale.model.transform import LogRain, Standard

    if is_rain(fields[0]):
        return LogRain()
    values = np.concatenate([np.asarray(field.values, np.float64).ravel() for field in fields])
    return Standard(float(np.nanmean(values)), float(np.nanstd(values)) or 1.0)


def _magnitude(sources: Sequence[Source], transform: Transform) -> float:
    """Mean of wet values, or the scale of the transform."""
    if not transform.nonnegative:
        return float(getattr(transform, "scale", 1.0))
    wet = [source.values[source.values > WET] for source in sources]
    return float(np.concatenate(wet).mean()) if any(w.size for w in wet) else 1.0


def _standard(
    fields: Mapping[str, xr.DataArray], events: Sequence[tuple[xr.DataArray, Axes]]
) -> tuple[StaticField, ...]:
    """Mean and standard deviation of every static field over the training grids."""
    from xdownscale.model.generator import StaticField

    standard = []
    for name, each in fields.items():
        laid = np.concatenate([_laid(name, each, *event).ravel() for event in events]).astype(np.float64)
        standard.append(StaticField(name, float(laid.mean()), float(laid.std()) or 1.0))
    return tuple(standard)


def _laid(name: str, static: xr.DataArray, field: xr.DataArray, axes: Axes) -> np.ndarray:
    return static_on_grid(name, static, {dim: field[dim].values for dim in axes.spatial})


def _sources(
    field: xr.DataArray, axes: Axes, fields: Mapping[str, xr.DataArray], standard: Sequence[StaticField]
) -> list[Source]:
    """Arrays of one event, cut where time has gaps."""
    from xdownscale.training.patches import Source

    ground = None
    if standard:
        laid = [(_laid(s.name, fields[s.name], field, axes) - s.mean) / s.scale for s in standard]
        ground = np.stack(laid).astype(np.float32)
    values = np.asarray(field.values, np.float32)
    if is_rain(field):
        values = np.maximum(values, 0, where=np.isfinite(values), out=values.copy())
    return [Source(piece, ground, name=name_of(field)) for piece in np.split(values, _gaps(field, axes))]


def _gaps(field: xr.DataArray, axes: Axes) -> np.ndarray:
    """First index after every change of the time step."""
    if axes.time not in field.coords or field.sizes[axes.time] < 3:
        return np.zeros(0, int)
    ticks = np.diff(to_ticks(field[axes.time].values)[0])
    return np.flatnonzero(ticks != np.median(ticks)) + 1


def _split(sources: list[Source], share: float, window: int) -> tuple[list[Source], list[Source]]:
    """Training and held-out sources: whole ones where there are several, else the last steps of the only one."""
    from dataclasses import replace

    if share <= 0:
        return sources, []
    if len(sources) > 1:
        count = min(len(sources) - 1, max(1, round(share * len(sources))))
        return sources[:-count], sources[-count:]
    source = sources[0]
    steps = len(source.values)
    held = max(window, round(share * steps))
    if steps - held < window:
        return sources, []
    return [replace(source, values=source.values[:-held])], [replace(source, values=source.values[-held:])]


def _judging(windows: Callable[[list[Source]], PatchSampler], held_out: list[Source]) -> PatchSampler | None:
    """Windows to judge by; a warning where there are none."""
    try:
        return windows(held_out)
    except EmptyFieldError:
        warnings.warn(
            "no window with rain is left to validate on: the last weights are kept, not the best. "
            "Pass validation=another_field to judge by.",
            UserWarning,
            stacklevel=3,
        )
        return None


def _finished(
    model: Any,
    first: tuple[xr.DataArray, Axes],
    fields: Sequence[xr.DataArray],
    plan: Recipe,
    steps: int,
    scores: dict[str, float],
    seed: int,
) -> Downscaler:
    """The downscaler with its papers."""
    from importlib.metadata import version

    from xdownscale.field.provenance import package_version
    from xdownscale.model.downscaler import Downscaler, Provenance, Variable

    field, axes = first
    regular = field.isel({axes.time: slice(0, 2)}) if axes.time in field.coords else field
    grid = describe(regular, axes if axes.time in field.coords else Axes(axes.y, axes.x, None))
    return Downscaler(
        model,
        variable=Variable(
            name=name_of(field),
            units=field.attrs.get("units"),
            standard_name=field.attrs.get("standard_name"),
        ),
        provenance=Provenance(
            data=tuple(_described(each) for each in fields),
            spacing=float(grid.spacing_y),
            spacing_units=grid.units,
            step=None if grid.step is None else float(grid.step / np.timedelta64(1, "s")),
            recipe=plan.to_json(),
            steps=steps,
            seed=seed,
            scores=scores,
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
