"""Scores of more than fits into memory: sums of parts, which add up to those of the whole.

A mean score is a sum over cases by a sum of weights. Both are kept with twice the digits of a double, so that a year
cut into days, or a country into provinces, gives the same bits as the whole at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.field.axes import find_axes
from xdownscale.kernels.sums import add, long_sum
from xdownscale.metrics.cases import Cases, Dim, Weights, pair, weights_of
from xdownscale.metrics.crps import crps_ensemble
from xdownscale.metrics.ensemble import rank_histogram
from xdownscale.metrics.error import bias, mae, mse
from xdownscale.metrics.events import brier_score
from xdownscale.metrics.frames import on_frames
from xdownscale.metrics.histogram import checked_edges, histogram, histogram_distance
from xdownscale.metrics.labels import difference_units, squared_units
from xdownscale.metrics.spectrum import decibels_between, ring_power

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Means: TypeAlias = dict[str, xr.DataArray]

_SOURCES = ("observations", "forecasts")


@dataclass(frozen=True)
class Total:
    """A weighted sum and the sum of its weights, each with what rounding took from it."""

    values: tuple[xr.DataArray, xr.DataArray]
    weights: tuple[xr.DataArray, xr.DataArray]

    def __add__(self, other: Total) -> Total:
        try:
            xr.align(self.values[0], other.values[0], join="exact")
        except ValueError as error:
            msg = (
                "parts of different places or times do not add up, since their dimension is kept. Name it in dim, or "
                "put the scores of the parts together with xarray.concat."
            )
            raise DimensionError(msg) from error
        return Total(add(self.values, other.values), add(self.weights, other.weights))

    def mean(self) -> xr.DataArray:
        """Weighted mean; NaN where nothing was counted."""
        return self.values[0] / self.weights[0].where(self.weights[0] > 0)


@dataclass(frozen=True)
class Sums:
    """What :func:`accumulate` keeps of some cases; add those of other cases to it.

    Attributes
    ----------
    totals : dict of str to Total
        The sums, none as large as the data.
    metrics : tuple of str
        The scores that follow from them.
    members : int
        Number of members M.
    units : str or None
        Units of the data.
    edges : tuple of float
        Edges of the histograms.
    """

    totals: dict[str, Total]
    metrics: tuple[str, ...]
    members: int
    units: str | None
    edges: tuple[float, ...] = ()

    def __add__(self, other: Sums) -> Sums:
        """Sums of the cases of both.

        Raises
        ------
        DimensionError
            If both are not of the same scores, units, number of members and places.
        """
        ours, theirs = ((s.metrics, s.members, s.units, s.edges) for s in (self, other))
        if ours != theirs:
            msg = (
                f"sums of (metrics, members, units, edges) {ours} and {theirs} do not add up. Call accumulate with the "
                f"same arguments for every part."
            )
            raise DimensionError(msg)
        totals = {name: total + other.totals[name] for name, total in self.totals.items()}
        return Sums(totals, self.metrics, self.members, self.units, self.edges)

    def scores(self) -> xr.Dataset:
        """Scores of all cases that were added: a variable for each metric."""
        means = {name: total.mean() for name, total in self.totals.items()}
        found = {}
        for name in self.metrics:
            recipe = _RECIPES[name]
            score = recipe.finish(means, self).drop_attrs(deep=False)
            units = {"units": recipe.units(self.units)} if recipe.units(self.units) else {}
            found[name] = score.assign_attrs({"long_name": recipe.title} | units)
        return xr.Dataset(found)


def accumulate(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    metrics: Sequence[str] = ("crps_ensemble", "mae", "rmse", "bias", "spread_skill_ratio", "pit_deviation"),
    thresholds: float | Sequence[float] | None = None,
    edges: Sequence[float] | None = None,
    steps: int | None = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
) -> Sums:
    """Sums from which scores follow, and which add up over parts of the data.

    With `steps` lazy fields stream through: so many times are loaded, summed and forgotten before the next. Or call it
    for parts as they come and add the results, in any order: ``(first + second).scores()`` has the bits of the scores
    of the whole, however the cases were cut, but for weighted histograms, which agree to rounding. Scores are those of
    the functions of the same names, to rounding.

    Parameters
    ----------
    observations, forecasts : DataArray
        What happened, and the ensemble. Lazy fields are computed here.
    metrics : sequence of str
        Some of bias, brier_score, crps_ensemble, emd, lsd, mae, mse, pit_deviation, power_spectra, rank_histogram, rmse
        and spread_skill_ratio.
    thresholds : float or sequence of float, optional
        For brier_score.
    edges : sequence of float, optional
        Edges of the bins for emd, which is that of histograms here.
    steps : int, optional
        Times to load at once; all by default.
    dim, member_dim, weights, skipna
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    Sums
        With ``+`` and ``scores()``, a Dataset with a variable for each metric.

    Raises
    ------
    ValueRangeError
        If a metric is not among these, or lacks its thresholds or edges.
    DimensionError
        If observations and forecasts do not fit, or parts that are added do not.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> truth = xr.DataArray(chance.random((8, 4, 4)), dims=("time", "y", "x"))
    >>> ensemble = xr.DataArray(chance.random((5, 8, 4, 4)), dims=("member", "time", "y", "x"))
    >>> whole = accumulate(truth, ensemble).scores()
    >>> days = [slice(0, 3), slice(3, 8)]
    >>> first, second = (accumulate(truth.isel(time=d), ensemble.isel(time=d)) for d in days)
    >>> (first + second).scores().identical(whole)
    True
    """
    _check(metrics, thresholds, edges)
    bins = () if edges is None else tuple(checked_edges(edges).tolist())
    shares = weights_of(weights, observations)
    options: dict[str, Any] = {"dim": dim, "member_dim": member_dim, "skipna": skipna}

    def of_part(ours: xr.DataArray, theirs: xr.DataArray, share: xr.DataArray | None) -> Sums:
        cases = pair(ours.load(), theirs.load(), weights=None if share is None else share.load(), **options)
        wanted = dict.fromkeys(term for name in metrics for term in _RECIPES[name].terms)
        totals = {term: _TERMS[term](cases, thresholds, bins) for term in wanted}
        return Sums(totals, tuple(metrics), cases.members, cases.units, bins)

    parts = (of_part(*part) for part in _parts(observations, forecasts, shares, steps, dim))
    return reduce(lambda first, second: first + second, parts)


def _check(
    metrics: Sequence[str], thresholds: float | Sequence[float] | None, edges: Sequence[float] | None
) -> None:
    """Metrics are known and have what they need."""
    unknown = [name for name in metrics if name not in _RECIPES]
    if unknown or not metrics:
        msg = f"metrics {unknown} are not sums over cases. Pass some of {sorted(_RECIPES)}."
        raise ValueRangeError(msg)
    if "brier_score" in metrics and thresholds is None:
        msg = "brier_score needs thresholds. Pass them, as in accumulate(..., thresholds=[0.1, 1, 10])."
        raise ValueRangeError(msg)
    if "emd" in metrics and edges is None:
        msg = "emd needs the edges of bins. Pass them, as in accumulate(..., edges=numpy.linspace(0, 200, 2001))."
        raise ValueRangeError(msg)


def _parts(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    weights: xr.DataArray | None,
    steps: int | None,
    dim: Dim,
) -> Iterator[tuple[xr.DataArray, xr.DataArray, xr.DataArray | None]]:
    """Pieces along time of so many steps, not loaded yet and not kept."""
    if steps is None:
        yield observations.copy(deep=False), forecasts.copy(deep=False), weights
        return
    time = str(find_axes(observations, need_time=True).time)
    named = observations.dims if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    if time not in named or steps < 1 or forecasts.sizes.get(time) != observations.sizes[time]:
        msg = (
            f"steps={steps} cuts both fields along {time!r}, which they share and which is averaged. Name it in "
            f"dim, and pass at least 1 step."
        )
        raise DimensionError(msg)
    for start in range(0, observations.sizes[time], steps):
        at = {time: slice(start, start + steps)}
        share = weights.isel(at) if weights is not None and time in weights.dims else weights
        yield observations.isel(at), forecasts.isel(at), share


# ── sums of one part ─────────────────────────────────────────────────────────────────────────────────────────────────


def _sum_up(
    values: xr.DataArray, dims: tuple[str, ...], weights: xr.DataArray | None, *, skipna: bool
) -> Total:
    """Weighted sum and sum of weights over `dims`, by the rule of missing values."""
    values = values.reset_coords(drop=True).astype(np.float64)
    share = xr.ones_like(values) if weights is None else weights.astype(np.float64).broadcast_like(values)
    products = values if weights is None else values * share
    known = products.notnull()
    return Total(_long(products.fillna(0) if skipna else products, dims), _long(share.where(known, 0), dims))


def _long(values: xr.DataArray, dims: tuple[str, ...]) -> tuple[xr.DataArray, xr.DataArray]:
    """Sum over dimensions, with what rounding took from it."""

    def kernel(part: Array) -> tuple[Array, Array]:
        return long_sum(part.reshape(*part.shape[: part.ndim - len(dims)], -1))

    if not dims:
        return values, xr.zeros_like(values)
    found: tuple[xr.DataArray, xr.DataArray] = xr.apply_ufunc(
        kernel, values, input_core_dims=[list(dims)], output_core_dims=[[], []]
    )
    return found


Term: TypeAlias = Callable[[Cases, Any, tuple[float, ...]], Total]


def _by_case(metric: Callable[..., xr.DataArray], *, by_threshold: bool = False) -> Term:
    """Sum of a metric whose score is the mean over the cases."""

    def total(cases: Cases, thresholds: Any, _: tuple[float, ...]) -> Total:
        extra = {"thresholds": thresholds} if by_threshold else {}
        values = metric(cases.observations, cases.forecasts, dim=(), member_dim=cases.member_dim, **extra)
        return _sum_up(values, cases.dims, cases.weights, skipna=cases.skipna)

    return total


def _variance(cases: Cases, _: Any, __: tuple[float, ...]) -> Total:
    """Sum of the variance of the members; NaN for one."""
    many = cases.members > 1
    values = (
        cases.forecasts.var(cases.member_dim, ddof=1, skipna=False) if many else cases.observations * np.nan
    )
    return _sum_up(values.where(cases.complete), cases.dims, cases.weights, skipna=cases.skipna)


def _powers(cases: Cases, _: Any, __: tuple[float, ...]) -> Total:
    """Sum over frames of their power by wavenumber, of observations and of members."""
    frames, axes = on_frames(cases, None)
    truth = ring_power(frames.observations, cases.source, axes, None)
    power = ring_power(frames.forecasts, cases.source, axes, None).mean(cases.member_dim, skipna=False)
    complete = truth.notnull() & power.notnull()
    label = xr.DataArray(list(_SOURCES), dims="source", name="source")
    both = xr.concat([truth.where(complete), power.where(complete)], label)
    return _sum_up(both, frames.dims, frames.weights, skipna=frames.skipna)


def _histograms(cases: Cases, _: Any, edges: tuple[float, ...]) -> Total:
    """Weight of observations and of members in every bin; unweighted they are whole numbers, and so exact."""
    complete = cases.complete
    share = xr.ones_like(cases.observations) if cases.weights is None else cases.weights
    share = share.astype(np.float64).broadcast_like(cases.observations).where(complete)
    limits = np.asarray(edges)

    def counts(values: Array, weight: Array) -> Array:
        flat = [v.reshape(*v.shape[: v.ndim - len(core)], -1) for v in (values, weight)]
        result = np.empty((*flat[0].shape[:-1], limits.size - 1))
        for place in np.ndindex(result.shape[:-1]):
            known = ~np.isnan(flat[1][place])
            result[place] = histogram(flat[0][place][known], flat[1][place][known], limits)
            if not cases.skipna and not known.all():
                result[place] = np.nan
        return result

    found = []
    for values in (cases.observations, cases.forecasts):
        core = [*cases.dims, *(d for d in values.dims if d == cases.member_dim)]
        found.append(
            xr.apply_ufunc(
                counts,
                values,
                share.broadcast_like(values),
                input_core_dims=[core, core],
                output_core_dims=[["bin"]],
            )
        )
    both = xr.concat(found, xr.DataArray(list(_SOURCES), dims="source", name="source"))
    total = both.sum("bin", skipna=False)
    return Total((both, xr.zeros_like(both)), (total, xr.zeros_like(total)))


_TERMS: dict[str, Term] = {
    "crps_ensemble": _by_case(crps_ensemble),
    "mae": _by_case(mae),
    "mse": _by_case(mse),
    "bias": _by_case(bias),
    "rank_histogram": _by_case(rank_histogram),
    "brier_score": _by_case(brier_score, by_threshold=True),
    "variance": _variance,
    "power_spectra": _powers,
    "histograms": _histograms,
}

# ── scores of all parts ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Recipe:
    """How a score follows from means."""

    terms: tuple[str, ...]
    finish: Callable[[Means, Sums], xr.DataArray]
    title: str
    units: Callable[[str | None], str | None]


def _one(_: str | None) -> str:
    return "1"


def _mean_of(name: str, title: str, units: Callable[[str | None], str | None]) -> _Recipe:
    """A score that is a mean."""
    return _Recipe((name,), lambda means, _: means[name], title, units)


def _spread_skill(means: Means, sums: Sums) -> xr.DataArray:
    error = means["mse"]
    ratio: xr.DataArray = (sums.members + 1) / sums.members * means["variance"] / error.where(error > 0)
    return ratio**0.5


def _pit_deviation(means: Means, sums: Sums) -> xr.DataArray:
    return (((sums.members + 1) * means["rank_histogram"] - 1) ** 2).mean("rank", skipna=False) ** 0.5


def _lsd(means: Means, _: Sums) -> xr.DataArray:
    truth, power = (means["power_spectra"].sel(source=name, drop=True) for name in _SOURCES)
    return decibels_between(truth, power, "wavenumber")


def _emd(means: Means, sums: Sums) -> xr.DataArray:
    both = means["histograms"]
    found: xr.DataArray = xr.apply_ufunc(
        lambda ours, theirs: histogram_distance(ours, theirs, np.asarray(sums.edges)),
        *(both.sel(source=name, drop=True) for name in _SOURCES),
        input_core_dims=[["bin"], ["bin"]],
    )
    return found


_RECIPES: dict[str, _Recipe] = {
    "crps_ensemble": _mean_of("crps_ensemble", "continuous ranked probability score", difference_units),
    "mae": _mean_of("mae", "mean absolute error", difference_units),
    "mse": _mean_of("mse", "mean squared error", squared_units),
    "bias": _mean_of("bias", "mean error", difference_units),
    "rank_histogram": _mean_of("rank_histogram", "share of cases by rank of the observation", _one),
    "brier_score": _mean_of("brier_score", "Brier score", _one),
    "power_spectra": _mean_of("power_spectra", "radially averaged power", squared_units),
    "rmse": _Recipe(
        ("mse",), lambda means, _: means["mse"] ** 0.5, "root mean squared error", difference_units
    ),
    "spread_skill_ratio": _Recipe(
        ("mse", "variance"), _spread_skill, "spread of the members over the error of their mean", _one
    ),
    "pit_deviation": _Recipe(
        ("rank_histogram",), _pit_deviation, "deviation of the rank histogram from flat", _one
    ),
    "lsd": _Recipe(("power_spectra",), _lsd, "log-spectral distance", lambda _: "dB"),
    "emd": _Recipe(("histograms",), _emd, "earth mover's distance", difference_units),
}
