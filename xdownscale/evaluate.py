"""Scores of forecasts against observations: one Dataset with one variable per metric."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import xarray as xr

from xdownscale.baselines.named import Baseline, reference_for
from xdownscale.errors import DimensionError, EmptyFieldError, ValueRangeError
from xdownscale.field.checks import checked
from xdownscale.field.warn import warn_user
from xdownscale.metrics.alignment import placed
from xdownscale.metrics.scorable import scorable
from xdownscale.scoring.groups import OWN, By, Region, levels_of
from xdownscale.scoring.lazy import read_after, read_apart
from xdownscale.scoring.provenance import origin
from xdownscale.scoring.scores import Pairs, Plan, averaged, by_part, by_scale
from xdownscale.scoring.table import scores_table

if TYPE_CHECKING:
    from xdownscale.scoring.choice import Metric, Metrics

__all__ = ["evaluate", "scores_table"]

Reference: TypeAlias = str | Baseline | xr.DataArray | xr.Dataset | None
"""The name of a model or of a baseline, a function of a coarse field and factors, or a forecast."""

Models: TypeAlias = xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray | xr.Dataset]

ADDED = "reference"
"""Name of the reference while scores are computed, if it is not one of the user's models."""


def evaluate(
    observations: xr.DataArray | xr.Dataset,
    forecasts: Models,
    *,
    metrics: Metrics = None,
    dim: str | Iterable[Hashable] | None = None,
    member_dim: str = "member",
    weights: xr.DataArray | Literal["area"] | None = "area",
    reference: Reference = None,
    thresholds: float | Sequence[float] | None = None,
    scales: int | Sequence[int] | None = None,
    by: By = None,
    region: Region = None,
    bootstrap: int | None = None,
) -> xr.Dataset:
    """Score forecasts of one or several models against observations.

    Observations come first and forecasts second, as everywhere in :mod:`xdownscale.metrics` and :mod:`xdownscale.plot`.
    The method of the forecasts, ``ensemble.sr.evaluate(truth)``, takes only the observations.

    Cases with a missing value, in the observations or in any forecast of any model, are left out for all models, so
    that scores are comparable. Missing-data markers raise an error; the scores of a model with infinite values are
    NaN. Rows and steps are reordered to the order of the observations. For lazy fields, nothing is computed until it is
    requested, and values are checked when they are computed.

    Parameters
    ----------
    observations : DataArray or Dataset
        Observed field on the same grid and times. Forecasts in other units are converted.
    forecasts : DataArray, Dataset, or mapping of str to DataArray
        One model, or several by name, including baselines. With `member_dim` if it is an ensemble. All fields of a
        Dataset that the observations also have are scored; bounds, grid mappings and coordinates are not fields.
    metrics : sequence or mapping, optional
        Names of functions in :mod:`xdownscale.metrics`, or functions with the signature of xskillscore's, also by name.
        A function without ``member_dim`` gets the ensemble mean; one without ``weights`` uses its own average. By
        default, those that the data allow of crps_ensemble, mae, rmse, bias, spread_skill_ratio, pit_deviation, emd,
        percentile_error, lsd, ssim and lag_autocorrelation_error.
    dim : str or iterable of str, optional
        Dimensions to average over; None for all.
    member_dim : str
        Member dimension of the forecasts. It is recognised if the forecasts have one dimension more than the
        observations, and its attributes or name identify it as the member dimension, such as ``number``.
    weights : DataArray, "area" or None
        Weights of the cases. "area", the default, weights cells by their area on latitude-longitude and curvilinear
        grids, as :func:`xdownscale.coarsen` does, and equally on all others. None gives equal weights.
    reference : str, callable, DataArray or Dataset, optional
        Adds the variables ``<metric>_skill``, the improvement over the reference as a share of that of a perfect
        forecast. The reference is a model in `forecasts`, by name; a forecast; or a baseline: "nearest", "bicubic",
        "linear", "conservative", "rainfarm" or any function ``baseline(coarse, spatial, temporal)``, such as
        ``functools.partial(xdownscale.baselines.bcsd, fine=past)``, which gets block means of the observations.
        The factors are those recorded in the attributes of the forecasts.
    thresholds : float or sequence of float, optional
        Adds ``brier_score`` and ``fss`` for these thresholds.
    scales : int or sequence of int, optional
        Scores of means over blocks with this many cells per side, along ``scale``; 1 is the field itself. For ``fss``
        it is the side of its windows.
    by : str, DataArray, sequence or mapping of these, optional
        Scores of groups of cases, with one dimension per grouping: a part of the date ("season", "month",
        "hour"), a coordinate of the observations, or labels (a named DataArray along time, or on cells).
        ``by={"lead": 3}`` groups by the position of a step in its coarse step of 3 fine steps.
    region : DataArray or mapping of str to DataArray, optional
        A mask of the cells to score; or several, by name or along a dimension of their own. The scores then have a
        dimension ``region``. Scores of whole frames (``lsd``, ``ssim``) are NaN unless the region is a rectangle.
    bootstrap : int, optional
        Number of resamples of blocks of time: adds ``<metric>_low`` and ``<metric>_high``, the central 95 % interval.

    Returns
    -------
    Dataset
        One variable per metric, along ``model`` if there are several; its attributes record the arguments and the
        provenance of the forecasts.

    Raises
    ------
    DimensionError
        If dimensions or coordinates of forecasts and observations do not match.
    EmptyFieldError
        If there is no case in which observations and all forecasts are present.
    ArgumentError
        If a scale is larger than the frames.
    UnitsError
        If units cannot be converted.
    ValueRangeError
        If a metric, the reference or a grouping is unknown, no case is in a region, or there are missing-data markers
        among the values, or infinities or negative rain in the observations.

    See Also
    --------
    xdownscale.report : Scores and plots as one HTML page.
    xdownscale.metrics.accumulate : Scores of data larger than memory.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> chance = np.random.default_rng(0)
    >>> truth = xr.DataArray(chance.random((4, 16, 16)), dims=("time", "y", "x"), attrs={"units": "mm h-1"})
    >>> ensemble = xr.DataArray(chance.random((5, 4, 16, 16)), dims=("member", "time", "y", "x"))
    >>> scores = evaluate(truth, ensemble, metrics=["crps_ensemble", "mse"])
    >>> scores["mse"].attrs["units"]
    'mm2 h-2'
    >>> scores = evaluate(truth, ensemble, metrics=["mae"], scales=(1, 4), by={"lead": 2})
    >>> dict(scores["mae"].sizes)
    {'scale': 2, 'lead': 2}
    """
    _check_names(dim, member_dim)
    options: dict[str, Any] = {"metrics": metrics, "dim": dim, "member_dim": member_dim, "weights": weights}
    options |= {"reference": reference, "thresholds": thresholds, "bootstrap": bootstrap}
    options |= {"scales": scales, "by": by, "region": region}
    _check_order(observations)
    if _has_datasets(observations, forecasts, reference):
        return _evaluate_variables(observations, forecasts, options)
    from xdownscale.metrics.cases import weights_of
    from xdownscale.scoring.choice import choose
    from xdownscale.scoring.skill import skill

    observations = checked(scorable(observations, "observations"), "observations", allow_missing=True)
    models = {
        name: _forecast(each, f"forecasts[{name!r}]" if name else "forecasts")
        for name, each in _models(forecasts).items()
    }
    about = origin(models, observations, options)
    reference_name = _add_reference(models, reference, observations, member_dim)
    infinite: dict[str, xr.DataArray] = {name: xr.ufuncs.isinf(model).any() for name, model in models.items()}
    models = {name: _finite(model, infinite[name]) for name, model in models.items()}
    pairs = _align(observations, models, member_dim)
    levels, inside = levels_of(
        placed(by, pairs.observations), placed(region, pairs.observations), pairs.observations
    )
    # The range of the observations as they came: that of complete cases would need all forecasts first.
    values = observations if observations.dtype.kind == "f" else observations.astype(float)
    chosen = choose(metrics, read_apart(values), thresholds)
    if not chosen:
        msg = 'there is no metric to compute. Name some, as in metrics=["mae"], or leave metrics out.'
        raise ValueRangeError(msg)
    pairs = _range_first(pairs, chosen)
    plan = Plan(
        metrics=chosen,
        dim=dim if dim is None or isinstance(dim, str) else averaged(pairs.observations, dim),
        member_dim=member_dim,
        weights=weights_of(weights, pairs.observations, averaged(pairs.observations, dim)),
        asked=frozenset() if metrics is None else frozenset(chosen) - {"brier_score", "fss"},
    )
    if metrics is None and isinstance(by, Mapping) and any(isinstance(group, int) for group in by.values()):
        plan.metrics.pop("lag_autocorrelation_error", None)  # steps of one lead are no neighbours
    scores = by_scale(plan, pairs, scales, partial(by_part, levels, inside, bootstrap))
    scores = _none_of_infinite(scores, infinite, pairs)
    if reference_name is not None:
        scores = scores.merge(skill(scores, reference_name), combine_attrs="override")
    if reference_name is not None and reference_name not in _models(forecasts):
        scores = scores.drop_sel(model=reference_name)
    if isinstance(forecasts, xr.DataArray):
        scores = scores.squeeze("model", drop=True)
    return scores.assign_attrs(about)


def _check_names(dim: Any, member_dim: Any) -> None:
    """Check the names of dimensions."""
    if not isinstance(member_dim, str):
        msg = f'member_dim is {member_dim!r}; pass the name of a dimension, as in member_dim="number".'
        raise DimensionError(msg)
    if dim is not None and not isinstance(dim, Iterable):
        msg = f'dim is {dim!r}; pass names of dimensions, as in dim=("y", "x").'
        raise DimensionError(msg)


def _check_order(observations: Any) -> None:
    """Check that observations are a field or a Dataset of fields, not a mapping of forecasts."""
    if isinstance(observations, dict):
        scorable(observations, "observations")  # says what is wrong with them


def _range_first(pairs: Pairs, metrics: Mapping[str, Metric]) -> Pairs:
    """Lazy fields that are read after the range of all observations is known, if a metric needs it.

    Otherwise every frame would stay in memory until the last one is read.
    """
    spans = [getattr(metric, "keywords", {}).get("data_range") for metric in metrics.values()]
    lazy = [span for span in spans if isinstance(span, xr.DataArray) and hasattr(span.data, "dask")]
    return pairs.each(partial(read_after, first=lazy[0])) if lazy else pairs


def _models(forecasts: Any) -> dict[str, Any]:
    """Forecasts by name; a single forecast has no name."""
    if not isinstance(forecasts, Mapping) or isinstance(forecasts, xr.Dataset | xr.DataTree):
        return {"": forecasts}
    if not forecasts:
        msg = "there are no forecasts to score. Pass a DataArray, or a mapping of names to DataArrays."
        raise DimensionError(msg)
    return dict(forecasts)


def _has_datasets(*sides: Any) -> bool:
    """Whether observations or forecasts are a Dataset, or a mapping that contains one."""
    every = [each for side in sides if side is not None for each in _models(side).values()]
    return any(isinstance(each, xr.Dataset) for each in every)


def _evaluate_variables(
    observations: xr.DataArray | xr.Dataset, forecasts: Models, options: dict[str, Any]
) -> xr.Dataset:
    """Score the fields that observations and forecasts share; with several, names start with the variable."""
    from xdownscale.metrics.variables import field_of, shared_fields

    models, reference = _models(forecasts), options["reference"]
    sides = [*models.values(), *([reference] if isinstance(reference, xr.Dataset) else [])]
    shared = shared_fields(observations, sides)
    parts = {}
    for name in shared:
        fields = {model: field_of(each, name) for model, each in models.items()}
        against = field_of(reference, name) if isinstance(reference, xr.Dataset) else reference
        parts[name] = evaluate(
            field_of(observations, name), fields.get("", fields), **options | {"reference": against}
        )
    if len(parts) == 1:
        return parts[shared[0]]
    named = [part.rename({v: f"{name}_{v}" for v in part.data_vars}) for name, part in parts.items()]
    return xr.merge(named, compat="no_conflicts", join="outer")


def _add_reference(
    models: dict[str, xr.DataArray], reference: Any, observations: xr.DataArray, member_dim: str
) -> str | None:
    """Name of the reference among the models; a forecast or baseline is added to them."""
    if reference is None or (isinstance(reference, str) and reference in models):
        return reference
    if ADDED in models:
        msg = f'a model is called {ADDED!r} already. Name it: evaluate(..., reference="{ADDED}").'
        raise ValueRangeError(msg)
    if isinstance(reference, str) or callable(reference):
        reference = reference_for(models, reference, observations, member_dim=member_dim)
    models[ADDED] = _forecast(reference, "reference")
    return ADDED


def _forecast(model: Any, called: str) -> xr.DataArray:
    """A forecast that can be scored: it may be wrong, but holds no missing-data markers."""
    if not isinstance(model, xr.DataArray):
        return scorable(model, called)  # says what is wrong with it
    return checked(model, called, allow_missing=True, forecast=True)


def _finite(model: xr.DataArray, infinite: xr.DataArray) -> xr.DataArray:
    """The model with 0 instead of infinities, so that other models lose no case; its own scores are removed later."""
    return model if infinite.chunks is None and not infinite else model.where(~xr.ufuncs.isinf(model), 0)


def _none_of_infinite(scores: xr.Dataset, infinite: Mapping[str, xr.DataArray], pairs: Pairs) -> xr.Dataset:
    """Scores set to NaN for a model with infinite values, whose cases would otherwise be left out as missing."""
    # a coordinate of the fields, such as their grid mapping, is none of the scores
    there = xr.concat(infinite.values(), dim=scores["model"]).reset_coords(drop=True)
    if there.chunks is None:
        named = [name or "the forecasts" for name, some in infinite.items() if some]
        if not named:
            return scores
        cases = [str(d) for d in pairs.observations.dims]
        model = next(model for name, model in pairs.models.items() if infinite[name])
        members = {str(d): n for d, n in model.sizes.items() if str(d) not in cases}
        call = f"forecasts.isel({next(iter(members))}=~numpy.isinf(forecasts).any({cases}))"
        if max(members.values()) < 2:
            call = "forecasts.where(~numpy.isinf(forecasts))"
        warn_user(
            f"infinite values in {', '.join(map(str, named))}: the scores are NaN. Leave out what holds them: {call}."
        )
    return scores.where(~there)


def _align(observations: xr.DataArray, models: dict[str, xr.DataArray], member_dim: str) -> Pairs:
    """Models on the coordinates and in the units of the observations, which are set missing where any model is."""
    from xdownscale.metrics.cases import pair

    taken = [str(d) for d in observations.dims if d in OWN]
    if taken:
        msg = (
            f"the dimension names {taken} are used by the scores. Rename them: .rename({taken[0]}='{taken[0]}_') "
            "on both sides."
        )
        raise DimensionError(msg)
    if member_dim in observations.dims:
        msg = (
            f"the observations have the member dimension {member_dim!r}. evaluate takes observations first and "
            f"forecasts second, evaluate(truth, ensemble); swap them."
        )
        raise DimensionError(msg)
    cases = {
        name: pair(observations, model, dim=None, member_dim=member_dim, weights=None, skipna=True)
        for name, model in models.items()
    }
    complete = xr.ones_like(observations, dtype=bool).reset_coords(drop=True)
    for one in cases.values():
        complete = complete & one.complete
    if complete.chunks is None and not bool(complete.any()):
        counts = {name or "forecasts": int(one.complete.sum()) for name, one in cases.items()}
        msg = (
            f"there is no case to score: {int(observations.notnull().sum())} of {observations.size} observations are "
            f"there; with a forecast {counts}, with all of them 0. Compare the masks with .notnull()."
        )
        raise EmptyFieldError(msg)
    truth = next(iter(cases.values())).observations.where(complete).assign_coords(observations.coords)
    # Two-dimensional coordinates too: block means of both sides weigh by the same areas.
    aligned = {
        name: one.forecasts.assign_coords(observations.coords).assign_attrs(observations.attrs)
        for name, one in cases.items()
    }
    return Pairs(truth.assign_attrs(observations.attrs).rename(observations.name), aligned)
