"""All metrics of all models: of the whole, by scale, by groups and regions, with intervals."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, TimeAxisError, ValueRangeError
from xdownscale.scoring.groups import Level, Part, each, pooled, stacked

if TYPE_CHECKING:
    from xdownscale.scoring.choice import Metric


@dataclass(frozen=True)
class Plan:
    """What to score, and over what."""

    metrics: dict[str, Metric]
    dim: str | Iterable[Hashable] | None
    member_dim: str
    weights: xr.DataArray | None
    asked: frozenset[str]
    """Metrics that were named: they fail where a part of the cases is too small for them; others are left out."""


@dataclass(frozen=True)
class Pairs:
    """Observations and the forecasts of all models, on the same grid and times."""

    observations: xr.DataArray
    models: Mapping[str, xr.DataArray]

    def each(self, change: Callable[[xr.DataArray], xr.DataArray]) -> Pairs:
        """The same change of them all."""
        return Pairs(change(self.observations), {name: change(model) for name, model in self.models.items()})


def averaged(observations: xr.DataArray, dim: str | Iterable[Hashable] | None) -> tuple[str, ...]:
    """Dimensions to average over."""
    named = observations.dims if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    return tuple(str(name) for name in named)


def by_scale(
    plan: Plan,
    pairs: Pairs,
    scales: int | Sequence[int] | None,
    score: Callable[..., xr.Dataset],
) -> xr.Dataset:
    """Scores of block means along ``scale``; without scales those of the fields themselves."""
    if scales is None:
        return score(plan, pairs)
    from xdownscale.field.axes import find_axes
    from xdownscale.metrics.labels import whole_numbers
    from xdownscale.scoring.pooling import pool, pool_along

    axes = find_axes(pairs.observations)
    parts = []
    for size in whole_numbers(scales, "scales"):
        means = pairs.each(partial(pool, size=size, axes=axes))
        along = partial(pool_along, size=size, axes=axes, centres=means.observations)
        metrics = {name: metric for name, metric in plan.metrics.items() if name != "fss"}
        weights = None if plan.weights is None else along(plan.weights)
        scores = score(replace(plan, metrics=metrics, weights=weights), means, along)
        if "fss" in plan.metrics:
            window = replace(plan, metrics={"fss": partial(plan.metrics["fss"], scales=size)})
            scores = scores.merge(score(window, pairs), combine_attrs="override")
        parts.append(scores)
    if np.ndim(scales) == 0:
        return parts[0]
    attrs = {"units": "cells", "long_name": "side of the blocks"}
    return stacked(parts, [xr.DataArray(np.asarray(scales), dims="scale", name="scale", attrs=attrs)])


def by_part(
    levels: list[Level],
    inside: Part,
    bootstrap: int | None,
    plan: Plan,
    pairs: Pairs,
    along: Callable[[xr.DataArray], xr.DataArray] | None = None,
) -> xr.Dataset:
    """Scores of all combinations of groups and regions, along a dimension for each."""
    parts: list[xr.Dataset | None] = []
    for one in each(levels):
        part = one.joined(inside)
        part = part if along is None else pooled(part, along)
        if part.empty:
            parts.append(None)
            continue
        weights = None if plan.weights is None else part.cut(plan.weights, masked=False)
        cases = pairs.each(part.cut)
        parts.append(_with_bounds(replace(plan, weights=weights), cases, bootstrap))
    example = next((part for part in parts if part is not None), None)
    if example is None:
        msg = "no case is left in any group and region: they do not overlap. Use fewer of them at once."
        raise ValueRangeError(msg)
    nothing = xr.full_like(example, np.nan)
    return stacked([nothing if p is None else p for p in parts], [level.label for level in levels])


def _with_bounds(plan: Plan, pairs: Pairs, bootstrap: int | None) -> xr.Dataset:
    """All metrics of all models, and their intervals if asked for."""
    scores = _score(plan, pairs)
    if bootstrap is None:
        return scores
    return scores.merge(_intervals(plan, pairs, scores, bootstrap), combine_attrs="override")


def _score(plan: Plan, pairs: Pairs) -> xr.Dataset:
    """All metrics of all models."""
    parts = []
    for model in pairs.models.values():
        scores = {}
        for name, metric in plan.metrics.items():
            try:
                score = _call(metric, plan, pairs.observations, model)
            except (DimensionError, TimeAxisError):  # frames or series too short for this metric
                if name in plan.asked:
                    raise
                continue
            scores[name] = score.rename(name).reset_coords(drop=True)
        parts.append(xr.Dataset(scores))
    label = xr.DataArray(list(pairs.models), dims="model", name="model")
    return xr.concat(parts, label, join="outer", combine_attrs="override", data_vars="all", coords="minimal")


def _call(metric: Metric, plan: Plan, observations: xr.DataArray, model: xr.DataArray) -> xr.DataArray:
    """One metric with those of the usual arguments that it takes."""
    taken = inspect.signature(metric).parameters
    usual = {
        "dim": plan.dim,
        "member_dim": plan.member_dim,
        "weights": plan.weights,
        "skipna": True,
        "keep_attrs": False,
    }
    if "member_dim" not in taken:
        model = model.mean(plan.member_dim, skipna=False)
    score: Any = metric(
        observations, model, **{name: value for name, value in usual.items() if name in taken}
    )
    if not isinstance(score, xr.DataArray | float | int | np.number):
        msg = f"a metric returned a {type(score).__name__}; it must return an xarray.DataArray, or a number."
        raise ValueRangeError(msg)
    return score if isinstance(score, xr.DataArray) else xr.DataArray(float(score))


def _intervals(plan: Plan, pairs: Pairs, scores: xr.Dataset, resamples: int) -> xr.Dataset:
    """Bounds of scores by bootstrap of blocks of time.

    Each block of about n^(1/3) of the n steps (Hall et al. 1995, doi:10.1093/biomet/82.3.561) is scored on its own.
    Blocks are drawn with replacement, always in the same way; the deviation of the mean of the drawn from the mean of
    all is added to the score of the whole. That is the plain block bootstrap for means, and its first order for
    scores that are not means, as the RMSE.
    """
    from xdownscale.field.axes import find_axes
    from xdownscale.metrics.labels import whole_number
    from xdownscale.scoring.skill import bounds_of

    resamples = whole_number(resamples, "bootstrap")
    observations = pairs.observations
    time = str(find_axes(observations, need_time=True).time)
    named = averaged(observations, plan.dim)
    size = observations.sizes[time]
    if time not in named or size < 4:
        msg = (
            f"bootstrap={resamples} draws blocks of {time!r}, which has {size} steps and must be among the averaged "
            f"dimensions {named}. Pass at least 4 steps, or leave bootstrap out."
        )
        raise DimensionError(msg)
    parts = []
    for steps in np.array_split(np.arange(size), size // round(size ** (1 / 3))):
        block = Part({time: np.isin(np.arange(size), steps)})
        weights = None if plan.weights is None else block.cut(plan.weights)
        parts.append(_score(replace(plan, weights=weights), pairs.each(block.cut)))
    blocks = xr.concat(
        parts, "block", join="outer", combine_attrs="override", data_vars="all", coords="minimal"
    )
    return bounds_of(blocks, scores, resamples)
