"""Score forecasts against observations: one Dataset, a variable for each metric."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.metrics.table import scores_table

if TYPE_CHECKING:
    from xdownscale.metrics.choice import Metric, Metrics

__all__ = ["evaluate", "scores_table"]

Models: TypeAlias = xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray]


@dataclass(frozen=True)
class _Plan:
    """What to score, and over what."""

    metrics: dict[str, Metric]
    dim: str | Iterable[Hashable] | None
    member_dim: str
    weights: xr.DataArray | None


def evaluate(
    forecasts: Models,
    observations: xr.DataArray | xr.Dataset,
    *,
    metrics: Metrics = None,
    dim: str | Iterable[Hashable] | None = None,
    member_dim: str = "member",
    weights: xr.DataArray | Literal["area"] | None = None,
    reference: str | xr.DataArray | None = None,
    thresholds: float | Sequence[float] | None = None,
    bootstrap: int | None = None,
) -> xr.Dataset:
    """Score forecasts, of one model or several, against observations.

    Cases with a missing value, in the observations or in any forecast of any model, are left out for all models, so
    that scores compare. Nothing is computed before it is asked for, if the fields are lazy.

    Parameters
    ----------
    forecasts : DataArray, Dataset, or mapping of str to DataArray
        One model, or several by name, baselines among them. With `member_dim` if it is an ensemble. Of a Dataset
        every variable is scored that the observations have too.
    observations : DataArray or Dataset
        What happened, on the same grid and times. Forecasts in other units are converted.
    metrics : sequence or mapping, optional
        Names of functions in :mod:`xdownscale.metrics`, or functions of xskillscore's form, also by name. A function
        that takes no ``member_dim`` gets the ensemble mean. By default those that the data allow of crps_ensemble,
        mae, rmse, bias, spread_skill_ratio, pit_deviation, emd, percentile_error, lsd, ssim and
        lag_autocorrelation_error.
    dim : str or iterable of str, optional
        Dimensions to average over; None for all.
    member_dim : str
        Member dimension of the forecasts.
    weights : DataArray or "area", optional
        Weights of the cases; "area" weighs by cell area on latitude-longitude grids.
    reference : str or DataArray, optional
        Name of a model in `forecasts`, or a forecast: adds the variables ``<metric>_skill``, the share of the way from
        the reference to a perfect forecast.
    thresholds : float or sequence of float, optional
        Adds ``brier_score`` and ``fss`` for reaching these values.
    bootstrap : int, optional
        Number of resamples of blocks of time: adds ``<metric>_low`` and ``<metric>_high``, the central 95 %.

    Returns
    -------
    Dataset
        A variable for each metric, along ``model`` if there are several.

    Raises
    ------
    DimensionError
        If dimensions or coordinates of forecasts and observations do not match.
    UnitsError
        If units cannot be converted.
    ValueRangeError
        If a metric or the reference is not known.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> chance = np.random.default_rng(0)
    >>> truth = xr.DataArray(chance.random((4, 16, 16)), dims=("time", "y", "x"), attrs={"units": "mm h-1"})
    >>> ensemble = xr.DataArray(chance.random((5, 4, 16, 16)), dims=("member", "time", "y", "x"))
    >>> scores = evaluate(ensemble, truth, metrics=["crps_ensemble", "mse"])
    >>> scores["mse"].attrs["units"]
    'mm2 h-2'
    """
    if isinstance(forecasts, xr.Dataset) or isinstance(observations, xr.Dataset):
        options: dict[str, Any] = {
            "metrics": metrics,
            "dim": dim,
            "member_dim": member_dim,
            "weights": weights,
        }
        options |= {"reference": reference, "thresholds": thresholds, "bootstrap": bootstrap}
        return _evaluate_variables(forecasts, observations, options)
    from xdownscale.metrics.cases import weights_of
    from xdownscale.metrics.choice import choose
    from xdownscale.metrics.comparison import skill

    models = {"": forecasts} if isinstance(forecasts, xr.DataArray) else dict(forecasts)
    reference_name = _add_reference(models, reference)
    observations, models = _align(observations, models, member_dim)
    plan = _Plan(
        metrics=choose(metrics, observations, thresholds),
        dim=dim if dim is None or isinstance(dim, str) else tuple(dim),
        member_dim=member_dim,
        weights=weights_of(weights, observations),
    )
    scores = _score(plan, observations, models)
    if bootstrap is not None:
        scores = scores.merge(
            _intervals(plan, observations, models, scores, bootstrap), combine_attrs="override"
        )
    if reference_name is not None:
        scores = scores.merge(skill(scores, reference_name))
    if isinstance(reference, xr.DataArray):
        scores = scores.drop_sel(model=reference_name)
    if isinstance(forecasts, xr.DataArray):
        scores = scores.squeeze("model", drop=True)
    return scores


def _evaluate_variables(
    forecasts: Models, observations: xr.DataArray | xr.Dataset, options: dict[str, Any]
) -> xr.Dataset:
    """Score the variables that both sides share; names start with the variable where there are several."""
    ours = (
        observations
        if isinstance(observations, xr.Dataset)
        else observations.to_dataset(name=_name(observations))
    )
    if not isinstance(forecasts, xr.Dataset):
        fields = [forecasts] if isinstance(forecasts, xr.DataArray) else list(forecasts.values())
        shared = [name for name in ours.data_vars if all(_name(f) == name for f in fields)]
        shared = shared or (list(ours.data_vars) if len(ours.data_vars) == 1 else [])
    else:
        shared = [name for name in ours.data_vars if name in forecasts.data_vars]
    if not shared:
        theirs = list(forecasts.data_vars) if isinstance(forecasts, xr.Dataset) else "other names"
        msg = (
            f"no variable is in both: observations have {list(ours.data_vars)}, forecasts {theirs}. "
            f'Choose them: evaluate(forecasts["rain"], observations["rain"]), or rename with .rename(...).'
        )
        raise DimensionError(msg)
    parts = {}
    for name in shared:
        field = forecasts[name] if isinstance(forecasts, xr.Dataset) else forecasts
        parts[name] = evaluate(field, ours[name], **options)
    if len(parts) == 1:
        return parts[shared[0]]
    return xr.merge([part.rename({v: f"{name}_{v}" for v in part.data_vars}) for name, part in parts.items()])


def _name(field: xr.DataArray) -> Hashable:
    """Name of a field, or the name that a nameless one gets."""
    return "field" if field.name is None else field.name


def _add_reference(models: dict[str, xr.DataArray], reference: str | xr.DataArray | None) -> str | None:
    """Name of the reference among the models, which gets one more if it is a forecast."""
    if reference is None:
        return None
    if isinstance(reference, xr.DataArray):
        models["reference"] = reference
        return "reference"
    if reference not in models:
        known = [name for name in models if name]
        msg = (
            f"reference {reference!r} is not among the models {known}. "
            f'Pass it too, as in evaluate({{"net": ensemble, "{reference}": baseline}}, observations, ...).'
        )
        raise ValueRangeError(msg)
    return reference


def _align(
    observations: xr.DataArray, models: dict[str, xr.DataArray], member_dim: str
) -> tuple[xr.DataArray, dict[str, xr.DataArray]]:
    """Models on the coordinates and in the units of the observations, which are missing where any model is."""
    from xdownscale.metrics.cases import pair

    if not models:
        msg = "there are no forecasts to score. Pass a DataArray, or a mapping of names to DataArrays."
        raise DimensionError(msg)
    if member_dim in observations.dims:
        msg = (
            f"the observations have the member dimension {member_dim!r}. evaluate takes forecasts first and "
            f"observations second, ensemble.sr.evaluate(truth); swap them."
        )
        raise DimensionError(msg)
    cases = {
        name: pair(observations, model, dim=None, member_dim=member_dim, weights=None, skipna=True)
        for name, model in models.items()
    }
    complete = xr.ones_like(observations, dtype=bool).reset_coords(drop=True)
    for one in cases.values():
        complete = complete & one.complete
    truth = next(iter(cases.values())).observations.where(complete).assign_coords(observations.coords)
    aligned = {name: one.forecasts.assign_attrs(observations.attrs) for name, one in cases.items()}
    return truth.assign_attrs(observations.attrs).rename(observations.name), aligned


def _score(plan: _Plan, observations: xr.DataArray, models: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """All metrics of all models."""
    parts = []
    for model in models.values():
        scores = {name: _call(metric, plan, observations, model) for name, metric in plan.metrics.items()}
        parts.append(
            xr.Dataset({name: score.rename(name).reset_coords(drop=True) for name, score in scores.items()})
        )
    label = xr.DataArray(list(models), dims="model", name="model")
    return xr.concat(parts, label, join="outer", combine_attrs="override", data_vars="all", coords="minimal")


def _call(metric: Metric, plan: _Plan, observations: xr.DataArray, model: xr.DataArray) -> xr.DataArray:
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
    return metric(observations, model, **{name: value for name, value in usual.items() if name in taken})


def _intervals(
    plan: _Plan,
    observations: xr.DataArray,
    models: Mapping[str, xr.DataArray],
    scores: xr.Dataset,
    resamples: int,
) -> xr.Dataset:
    """Bounds of scores by bootstrap of blocks of time.

    Each block of about n^(1/3) of the n steps (Hall et al. 1995, doi:10.1093/biomet/82.3.561) is scored on its own.
    Blocks are drawn with replacement, always in the same way; the deviation of the mean of the drawn from the mean of
    all is added to the score of the whole. That is the plain block bootstrap for means, and its first order for
    scores that are not means, as the RMSE.
    """
    from xdownscale.field.axes import find_axes
    from xdownscale.metrics.comparison import bounds_of

    time = find_axes(observations, need_time=True).time
    named = (
        observations.dims
        if plan.dim is None
        else (plan.dim,)
        if isinstance(plan.dim, str)
        else tuple(plan.dim)
    )
    size = observations.sizes[time]
    if time not in named or size < 4 or resamples < 1:
        msg = (
            f"bootstrap={resamples} draws blocks of {time!r}, which has {size} steps and must be among the averaged "
            f"dimensions {tuple(named)}. Give at least 4 steps and 1 resample, or leave bootstrap out."
        )
        raise DimensionError(msg)
    parts = []
    for steps in np.array_split(np.arange(size), size // round(size ** (1 / 3))):
        at = {time: steps}
        whole = plan.weights is None or time not in plan.weights.dims
        weights = plan.weights if whole or plan.weights is None else plan.weights.isel(at)
        part = replace(plan, weights=weights)
        parts.append(_score(part, observations.isel(at), {name: m.isel(at) for name, m in models.items()}))
    blocks = xr.concat(
        parts, "block", join="outer", combine_attrs="override", data_vars="all", coords="minimal"
    )
    return bounds_of(blocks, scores, resamples)
