"""Which metrics to compute: by name, by function, or those that the data allow."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import xarray as xr

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.field.axes import find_axes
from xdownscale.metrics.labels import threshold_values

Metric: TypeAlias = Callable[..., xr.DataArray]
"""``f(observations, forecasts, *, dim, member_dim, weights, skipna, keep_attrs)``, or some of these arguments."""

Metrics: TypeAlias = Sequence[str | Metric] | Mapping[str, Metric] | None

_SCALES = (1, 5, 11, 21)
"""Sides of the windows of the fractions skill score, where they fit."""

_DISTANCES = (1, 2, 5, 10)
"""Lags of the spatial autocorrelation, where they fit."""

_SIDES = (1, 4, 16)
"""Sides of the blocks of the pooled CRPS, where they fit."""

_PERCENTILES = (90.0, 99.0, 99.9, 99.999)
"""Percentiles whose error is computed, where there are observations beyond them."""

_BY_THRESHOLD = (
    "brier_score",
    "fss",
    "minkowski_crps",
    "minkowski_distance",
    "minkowski_error",
    "reliability",
    "roc",
    "roc_area",
    "threshold_weighted_crps",
    "wet_fraction_error",
)
"""Metrics that need thresholds."""

_NOT_BY_NAME = ("accumulate", "coarse_consistency", "intervariable_correlation_error", "return_level_error")
"""Metrics with an argument that only the user knows, of several variables, and what is none."""

_WINDOW = 11
"""Side of the window of the structural similarity."""


def choose(
    metrics: Metrics, observations: xr.DataArray, thresholds: float | Sequence[float] | None
) -> dict[str, Metric]:
    """Functions by name: those asked for, or those that the data allow."""
    from xdownscale import metrics as known

    levels = None if thresholds is None else threshold_values(thresholds)
    span = observations.max() - observations.min()
    side = _side(observations)
    ready: dict[str, Metric] = {
        "percentile_error": partial(
            known.percentile_error,
            q=[q for q in _PERCENTILES if observations.size * (100 - q) >= 100] or [50.0],
        ),
        "ssim": partial(known.ssim, data_range=span),
        "spatial_autocorrelation_error": partial(
            known.spatial_autocorrelation_error, lags=tuple(n for n in _DISTANCES if n < max(side, 2))
        ),
        "crps_pooled": partial(known.crps_pooled, scales=tuple(n for n in _SIDES if n <= max(side, 1))),
    }
    if levels is not None:
        ready |= {name: partial(getattr(known, name), thresholds=thresholds) for name in _BY_THRESHOLD}
        ready["fss"] = partial(ready["fss"], scales=tuple(n for n in _SCALES if n <= side))
    chosen = _named(_usual(observations) if metrics is None else metrics, ready)
    if thresholds is not None:
        chosen |= {"brier_score": ready["brier_score"]} | ({"fss": ready["fss"]} if side else {})
    return chosen


def _named(metrics: Metrics | str | Metric, ready: Mapping[str, Metric]) -> dict[str, Metric]:
    """Functions by name."""
    if isinstance(metrics, Mapping):
        return {str(name): _resolve(metric, ready)[1] for name, metric in metrics.items()}
    every = [metrics] if isinstance(metrics, str) or callable(metrics) else metrics
    if not isinstance(every, Iterable):
        msg = f'metrics is {metrics!r}; pass names or functions, as in metrics=["mae", "crps_ensemble"].'
        raise ValueRangeError(msg)
    chosen: dict[str, Metric] = {}
    for name, function in (_resolve(metric, ready) for metric in every):
        if name in chosen and chosen[name] is not function:
            msg = f"two metrics are called {name!r}. Name them: metrics={{{name!r}: ..., {name + '_2'!r}: ...}}."
            raise ValueRangeError(msg)
        chosen[name] = function
    return chosen


def _resolve(metric: Any, ready: Mapping[str, Metric]) -> tuple[str, Metric]:
    """Name and function of a metric."""
    from xdownscale import metrics as known

    if callable(metric):
        return getattr(metric, "__name__", str(metric)), _with_signature(metric)
    scores = [
        n for n in known.__all__ if list(inspect.signature(getattr(known, n)).parameters)[1] == "forecasts"
    ]
    if isinstance(metric, str) and metric in ready:
        return metric, ready[metric]
    if metric in _BY_THRESHOLD:
        msg = f"{metric} needs thresholds. Pass them, as in evaluate(..., thresholds=[0.1, 1, 10])."
        raise ValueRangeError(msg)
    if metric not in scores or metric in _NOT_BY_NAME:
        msg = (
            f"metric {metric!r} is not known. Pass one of {sorted(set(scores) - set(_NOT_BY_NAME))}, or a "
            f"function f(observations, forecasts, *, dim=None, ...)."
        )
        raise ValueRangeError(msg)
    return metric, getattr(known, metric)


def _with_signature(metric: Metric) -> Metric:
    """A function whose arguments can be told."""
    try:
        inspect.signature(metric)
    except (TypeError, ValueError) as error:
        msg = (
            f"the arguments of {metric!r} are not known. Wrap it: lambda observations, forecasts, dim=None: ..., in a "
            f"mapping of names to functions."
        )
        raise ValueRangeError(msg) from error
    return metric


def _side(observations: xr.DataArray) -> int:
    """Cells on the shorter side of a frame, 0 for a field without space."""
    try:
        axes = find_axes(observations)
    except DimensionError:
        return 0
    return min(observations.sizes[d] for d in axes.spatial)


def _usual(observations: xr.DataArray) -> list[str]:
    """The metrics to compute when none are named: those that make sense for these dimensions."""
    names = [
        "crps_ensemble",
        "mae",
        "rmse",
        "bias",
        "spread_skill_ratio",
        "pit_deviation",
        "emd",
        "percentile_error",
    ]
    side = _side(observations)
    if side >= 2:
        names.append("lsd")
    if side >= _WINDOW:
        names.append("ssim")
    time = find_axes(observations).time if side else None
    if time is not None and observations.sizes[time] > 1:
        names.append("lag_autocorrelation_error")
    return names
