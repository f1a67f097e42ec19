"""Score forecasts against observations: one Dataset, a variable for each metric."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import xarray as xr

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

Models: TypeAlias = xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray | xr.Dataset]


def evaluate(
    forecasts: Models,
    observations: xr.DataArray | xr.Dataset,
    *,
    metrics: Metrics = None,
    dim: str | Iterable[Hashable] | None = None,
    member_dim: str = "member",
    weights: xr.DataArray | Literal["area"] | None = "area",
    reference: str | xr.DataArray | xr.Dataset | None = None,
    thresholds: float | Sequence[float] | None = None,
    scales: int | Sequence[int] | None = None,
    by: By = None,
    region: Region = None,
    bootstrap: int | None = None,
) -> xr.Dataset:
    """Score forecasts, of one model or several, against observations.

    Cases with a missing value, in the observations or in any forecast of any model, are left out for all models, so
    that scores compare. Markers of missing data are refused, and a model with infinite values has no scores: they are
    NaN. Rows and steps in another order are brought into that of the observations. Nothing is computed before it is
    asked for, if the fields are lazy: their values are looked at when they are.

    Parameters
    ----------
    forecasts : DataArray, Dataset, or mapping of str to DataArray
        One model, or several by name, baselines among them. With `member_dim` if it is an ensemble. Of a Dataset
        every field is scored that the observations have too; bounds, grid mappings and coordinates are no fields.
    observations : DataArray or Dataset
        What happened, on the same grid and times. Forecasts in other units are converted.
    metrics : sequence or mapping, optional
        Names of functions in :mod:`xdownscale.metrics`, or functions of xskillscore's form, also by name. A function
        that takes no ``member_dim`` gets the ensemble mean, one that takes no ``weights`` averages as it likes. By
        default those that the data allow of crps_ensemble, mae, rmse, bias, spread_skill_ratio, pit_deviation, emd,
        percentile_error, lsd, ssim and lag_autocorrelation_error.
    dim : str or iterable of str, optional
        Dimensions to average over; None for all.
    member_dim : str
        Member dimension of the forecasts. Where they have one dimension more than the observations, and that one counts
        members by its attributes or its name, as ``number`` does, it is found without.
    weights : DataArray, "area" or None
        Weights of the cases. "area", the default, weighs cells by their area on latitude-longitude and curvilinear
        grids, as :func:`xdownscale.coarsen` does, and equally on all others. None weighs all equally.
    reference : str, DataArray or Dataset, optional
        Name of a model in `forecasts`, or a forecast: adds the variables ``<metric>_skill``, the share of the way from
        the reference to a perfect forecast.
    thresholds : float or sequence of float, optional
        Adds ``brier_score`` and ``fss`` for reaching these values.
    scales : int or sequence of int, optional
        Scores of means over blocks of so many cells a side, along ``scale``; 1 is the field itself. For ``fss`` it
        is the side of its windows instead.
    by : str, DataArray, sequence or mapping of these, optional
        Scores of groups of cases, each grouping a dimension of its own: a part of the date ("season", "month",
        "hour"), a coordinate of the observations, or labels (a named DataArray along time, or on cells).
        ``by={"lead": 3}`` groups by the place of a step in its coarse step of 3 fine ones.
    region : DataArray or mapping of str to DataArray, optional
        A mask of the cells to score; or several, by name or along a dimension of their own, which the scores get:
        ``region``. Scores of whole frames (``lsd``, ``ssim``) are NaN unless the region is a rectangle.
    bootstrap : int, optional
        Number of resamples of blocks of time: adds ``<metric>_low`` and ``<metric>_high``, the central 95 %.

    Returns
    -------
    Dataset
        A variable for each metric, along ``model`` if there are several; its attributes say what was asked for and
        what the forecasts say of themselves.

    Raises
    ------
    DimensionError
        If dimensions or coordinates of forecasts and observations do not match.
    EmptyFieldError
        If there is no case in which observations and all forecasts are there.
    FactorError
        If a scale is larger than the frames.
    UnitsError
        If units cannot be converted.
    ValueRangeError
        If a metric, the reference or a grouping is not known, no case is in a region, or there are markers of missing
        data among the values, or infinities or negative rain in the observations.

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
    >>> scores = evaluate(ensemble, truth, metrics=["mae"], scales=(1, 4), by={"lead": 2})
    >>> dict(scores["mae"].sizes)
    {'scale': 2, 'lead': 2}
    """
    _check_names(dim, member_dim)
    options: dict[str, Any] = {"metrics": metrics, "dim": dim, "member_dim": member_dim, "weights": weights}
    options |= {"reference": reference, "thresholds": thresholds, "bootstrap": bootstrap}
    options |= {"scales": scales, "by": by, "region": region}
    if _has_datasets(forecasts, observations, reference):
        return _evaluate_variables(forecasts, observations, options)
    from xdownscale.metrics.cases import weights_of
    from xdownscale.scoring.choice import choose
    from xdownscale.scoring.skill import skill

    observations = checked(scorable(observations, "observations"), "observations", allow_missing=True)
    models = {
        name: _forecast(each, f"forecasts[{name!r}]" if name else "forecasts")
        for name, each in _models(forecasts).items()
    }
    about = origin(models, observations, options)
    reference_name = _add_reference(models, reference)
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
    if isinstance(reference, xr.DataArray):
        scores = scores.drop_sel(model=reference_name)
    if isinstance(forecasts, xr.DataArray):
        scores = scores.squeeze("model", drop=True)
    return scores.assign_attrs(about)


def _check_names(dim: Any, member_dim: Any) -> None:
    """Names of dimensions are names."""
    if not isinstance(member_dim, str):
        msg = f'member_dim is {member_dim!r}; pass the name of a dimension, as in member_dim="number".'
        raise DimensionError(msg)
    if dim is not None and not isinstance(dim, Iterable):
        msg = f'dim is {dim!r}; pass names of dimensions, as in dim=("y", "x").'
        raise DimensionError(msg)


def _range_first(pairs: Pairs, metrics: Mapping[str, Metric]) -> Pairs:
    """Lazy fields that are read once the range of all observations is known, where a metric needs it.

    Otherwise every frame would stay in memory until the last one is read.
    """
    spans = [getattr(metric, "keywords", {}).get("data_range") for metric in metrics.values()]
    lazy = [span for span in spans if isinstance(span, xr.DataArray) and hasattr(span.data, "dask")]
    return pairs.each(partial(read_after, first=lazy[0])) if lazy else pairs


def _models(forecasts: Any) -> dict[str, Any]:
    """Forecasts by name; a single one has none."""
    if not isinstance(forecasts, Mapping) or isinstance(forecasts, xr.Dataset | xr.DataTree):
        return {"": forecasts}
    if not forecasts:
        msg = "there are no forecasts to score. Pass a DataArray, or a mapping of names to DataArrays."
        raise DimensionError(msg)
    return dict(forecasts)


def _has_datasets(*sides: Any) -> bool:
    """Whether one of the sides is a Dataset, or a mapping that holds one."""
    every = [each for side in sides if side is not None for each in _models(side).values()]
    return any(isinstance(each, xr.Dataset) for each in every)


def _evaluate_variables(
    forecasts: Models, observations: xr.DataArray | xr.Dataset, options: dict[str, Any]
) -> xr.Dataset:
    """Score the fields that both sides share; names start with the variable where there are several."""
    from xdownscale.metrics.variables import field_of, shared_fields

    models, reference = _models(forecasts), options["reference"]
    sides = [*models.values(), *([reference] if isinstance(reference, xr.Dataset) else [])]
    shared = shared_fields(observations, sides)
    parts = {}
    for name in shared:
        fields = {model: field_of(each, name) for model, each in models.items()}
        against = field_of(reference, name) if isinstance(reference, xr.Dataset) else reference
        parts[name] = evaluate(
            fields.get("", fields), field_of(observations, name), **options | {"reference": against}
        )
    if len(parts) == 1:
        return parts[shared[0]]
    named = [part.rename({v: f"{name}_{v}" for v in part.data_vars}) for name, part in parts.items()]
    return xr.merge(named, compat="no_conflicts", join="outer")


def _add_reference(models: dict[str, xr.DataArray], reference: Any) -> str | None:
    """Name of the reference among the models, which gets one more if it is a forecast."""
    if reference is None:
        return None
    if not isinstance(reference, str):
        if "reference" in models:
            msg = 'a model is called "reference" already. Name it: evaluate(..., reference="reference").'
            raise ValueRangeError(msg)
        models["reference"] = _forecast(reference, "reference")
        return "reference"
    if reference not in models:
        known = [name for name in models if name]
        msg = (
            f"reference {reference!r} is not among the models {known}. "
            f'Pass it too, as in evaluate({{"net": ensemble, "{reference}": baseline}}, observations, ...).'
        )
        raise ValueRangeError(msg)
    return reference


def _forecast(model: Any, called: str) -> xr.DataArray:
    """A forecast that may be scored: it may be wrong, but holds no markers of missing data."""
    if not isinstance(model, xr.DataArray):
        return scorable(model, called)  # says what is wrong with it
    return checked(model, called, allow_missing=True, forecast=True)


def _finite(model: xr.DataArray, infinite: xr.DataArray) -> xr.DataArray:
    """The model with 0 for what is infinite, so that no case is lost for the others; its own scores are taken away."""
    return model if infinite.chunks is None and not infinite else model.where(~xr.ufuncs.isinf(model), 0)


def _none_of_infinite(scores: xr.Dataset, infinite: Mapping[str, xr.DataArray], pairs: Pairs) -> xr.Dataset:
    """Scores that are NaN for a model with infinite values: the cases that they ruin would drop out as if missing."""
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
    """Models on the coordinates and in the units of the observations, which are missing where any model is."""
    from xdownscale.metrics.cases import pair

    taken = [str(d) for d in observations.dims if d in OWN]
    if taken:
        msg = f"the dimensions {taken} are those of scores. Rename: .rename({taken[0]}='{taken[0]}_') on both sides."
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
