"""Sums needed for each score, and the score as a function of the means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.metrics.cases import Cases
from xdownscale.metrics.crps import crps_ensemble
from xdownscale.metrics.ensemble import rank_histogram
from xdownscale.metrics.error import bias, mae, mse
from xdownscale.metrics.events import brier_score
from xdownscale.metrics.frames import on_frames
from xdownscale.metrics.histogram import histogram, histogram_distance
from xdownscale.metrics.labels import difference_units, squared_units
from xdownscale.metrics.spectral_distance import decibels_between
from xdownscale.metrics.spectrum import ring_power
from xdownscale.metrics.totals import Total, sum_up

if TYPE_CHECKING:
    from xdownscale.metrics.accumulate import Sums

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Means: TypeAlias = dict[str, xr.DataArray]

Term: TypeAlias = Callable[[Cases, Any, tuple[float, ...]], Total]
"""Sum over cases, for thresholds and edges."""

_SOURCES = ("observations", "forecasts")


@dataclass(frozen=True)
class Recipe:
    """A score: its sums, its function of their means, and its name."""

    terms: tuple[str, ...]
    finish: Callable[[Means, Sums], xr.DataArray]
    title: str
    units: Callable[[str | None], str | None]


def _by_case(metric: Callable[..., xr.DataArray], *, by_threshold: bool = False) -> Term:
    """Sum of a metric whose score is the mean over the cases."""

    def total(cases: Cases, thresholds: Any, _: tuple[float, ...]) -> Total:
        extra = {"thresholds": thresholds} if by_threshold else {}
        values = metric(cases.observations, cases.forecasts, dim=(), member_dim=cases.member_dim, **extra)
        return sum_up(values, cases.dims, cases.weights, skipna=cases.skipna)

    return total


def _variance(cases: Cases, _: Any, __: tuple[float, ...]) -> Total:
    """Sum of the variance of the members; NaN for one member."""
    many = cases.members > 1
    values = (
        cases.forecasts.var(cases.member_dim, ddof=1, skipna=False) if many else cases.observations * np.nan
    )
    return sum_up(values.where(cases.complete), cases.dims, cases.weights, skipna=cases.skipna)


def _powers(cases: Cases, _: Any, __: tuple[float, ...]) -> Total:
    """Sum over frames of their power by wavenumber, of observations and of members."""
    frames, axes = on_frames(cases, None)
    truth = ring_power(frames.observations, cases.source, axes, None)
    power = ring_power(frames.forecasts, cases.source, axes, None).mean(cases.member_dim, skipna=False)
    complete = truth.notnull() & power.notnull()
    label = xr.DataArray(list(_SOURCES), dims="source", name="source")
    both = xr.concat([truth.where(complete), power.where(complete)], label)
    return sum_up(both, frames.dims, frames.weights, skipna=frames.skipna)


def _histograms(cases: Cases, _: Any, edges: tuple[float, ...]) -> Total:
    """Weight of observations and of members in every bin; without weights these are integers and therefore exact."""
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


TERMS: dict[str, Term] = {
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


def _one(_: str | None) -> str:
    return "1"


def _mean_of(name: str, title: str, units: Callable[[str | None], str | None]) -> Recipe:
    """A score that is a mean."""
    return Recipe((name,), lambda means, _: means[name], title, units)


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


RECIPES: dict[str, Recipe] = {
    "crps_ensemble": _mean_of("crps_ensemble", "continuous ranked probability score", difference_units),
    "mae": _mean_of("mae", "mean absolute error", difference_units),
    "mse": _mean_of("mse", "mean squared error", squared_units),
    "bias": _mean_of("bias", "mean error", difference_units),
    "rank_histogram": _mean_of("rank_histogram", "share of cases by rank of the observation", _one),
    "brier_score": _mean_of("brier_score", "Brier score", _one),
    "power_spectra": _mean_of("power_spectra", "radially averaged power", squared_units),
    "rmse": Recipe(
        ("mse",), lambda means, _: means["mse"] ** 0.5, "root mean squared error", difference_units
    ),
    "spread_skill_ratio": Recipe(
        ("mse", "variance"), _spread_skill, "spread of the members over the error of their mean", _one
    ),
    "pit_deviation": Recipe(
        ("rank_histogram",), _pit_deviation, "deviation of the rank histogram from flat", _one
    ),
    "lsd": Recipe(("power_spectra",), _lsd, "log-spectral distance", lambda _: "dB"),
    "emd": Recipe(("histograms",), _emd, "earth mover's distance", difference_units),
}
