"""Distributions of values, regardless of place: distance of distributions and errors of high percentiles."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.histogram import checked_edges, histogram, histogram_distance
from xdownscale.metrics.labels import difference_units, dress, real_numbers
from xdownscale.metrics.pooled import by_row, pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_ROUNDING = 1e-6
"""Tolerance of a number of values that is computed from a percentage."""


def emd(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    edges: Sequence[float] | None = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Earth mover's distance (Wasserstein-1) between the values of forecasts and observations.

    ∫ |F⁻¹(p) − G⁻¹(p)| dp over the quantile functions F⁻¹ and G⁻¹ of the two samples, exact. Lazy arrays are
    rechunked to one chunk along `dim`.

    Parameters
    ----------
    observations, forecasts : DataArray
        Their values over `dim` are the two samples; members are pooled.
    edges : sequence of float, optional
        Compare histograms with these edges, in the units of the data, instead: each value counts as the centre of
        its bin, and values beyond the ends count in the first or last bin. Within the ends the error of the distance
        is at most the width of the widest bin. Histograms of parts can be added: see
        :func:`~xdownscale.metrics.accumulate`.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        In the units of the data.

    Raises
    ------
    ValueRangeError
        If edges do not increase.

    See Also
    --------
    xdownscale.metrics.percentile_error : Difference of percentiles from those of the observations.
    xdownscale.metrics.sliced_wasserstein : Distance between the distributions of whole frames.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 1.0, 5.0], dims="x")
    >>> float(emd(truth, truth[::-1])), float(emd(truth, truth + 2))
    (0.0, 2.0)
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    kernel = _emd if edges is None else partial(_emd_of_histograms, edges=checked_edges(edges))
    score = pooled(kernel, cases, [])
    units = difference_units(cases.units)
    return dress(
        score,
        observations,
        name="emd",
        long_name="earth mover's distance",
        units=units,
        keep_attrs=keep_attrs,
    )


def quantiles(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    q: float | Sequence[float] = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999),
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Percentiles of observations and forecasts, as for a quantile-quantile plot.

    Parameters
    ----------
    observations, forecasts, q, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`percentile_error`.

    Returns
    -------
    DataArray
        In the units of the data, with the dimensions ``percentile`` and ``source``: "observations" and "forecasts".

    Raises
    ------
    ValueRangeError
        If a percentile is outside 0 … 100.

    See Also
    --------
    xdownscale.metrics.percentile_error : Difference of percentiles from those of the observations.
    xdownscale.metrics.wet_quantiles : Quantiles of wet values, as thresholds.

    Examples
    --------
    >>> truth = xr.DataArray(np.arange(101.0), dims="x")
    >>> quantiles(truth, 2 * truth, q=[50]).values
    array([[ 50., 100.]])
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = percentiles(cases, q).assign_coords(source=["observations", "forecasts"])
    return dress(
        score,
        observations,
        name="quantiles",
        long_name="percentiles of the values",
        units=cases.units,
        keep_attrs=keep_attrs,
    )


def percentile_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    q: float | Sequence[float] = (99.0, 99.9, 99.999),
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Percentile of the forecasts minus percentile of the observations.

    Percentiles of the values over `dim`, with members pooled, are linear between order statistics; with weights, a
    percentile is the smallest value whose cumulative weight reaches it. Lazy arrays are rechunked to one chunk along
    `dim`.

    Parameters
    ----------
    observations, forecasts : DataArray
        Their values over `dim` are the two samples.
    q : float or sequence of float
        Percentiles, 0 … 100.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        In the units of the data, with the dimension ``percentile``; negative where extremes are too weak. NaN if
        fewer than one observation is beyond the percentile: 99.999 needs 100,000 of them. 0 and 100 are the extremes
        of any sample.

    Raises
    ------
    ValueRangeError
        If a percentile is outside 0 … 100.

    See Also
    --------
    xdownscale.metrics.emd : Earth mover's distance of the values.
    xdownscale.metrics.quantiles : Quantiles of the values.
    xdownscale.metrics.return_level_error : Difference of return levels from those of the observations.

    Examples
    --------
    >>> truth = xr.DataArray(np.arange(101.0), dims="x")
    >>> percentile_error(truth, 0.5 * truth, q=(50, 99)).values
    array([-25. , -49.5])
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    both = percentiles(cases, q)
    score = (both.isel(source=1) - both.isel(source=0)).where(_has_values_beyond(cases, both["percentile"]))
    units, title = difference_units(cases.units), "error of the percentile"
    return dress(
        score, observations, name="percentile_error", long_name=title, units=units, keep_attrs=keep_attrs
    )


def _has_values_beyond(cases: Cases, percentile: xr.DataArray) -> xr.DataArray:
    """Whether a sample is large enough for a percentile: one value is beyond it, or it is the extreme itself."""
    share = np.minimum(percentile, 100 - percentile) / 100
    enough: xr.DataArray = cases.complete.sum(cases.dims) * share >= 1 - _ROUNDING
    extreme: xr.DataArray = share == 0
    return enough | extreme


def percentiles(cases: Cases, q: float | Sequence[float]) -> xr.DataArray:
    """Percentiles of observations and forecasts, along ``source`` in this order.

    Raises
    ------
    ValueRangeError
        If a percentile is outside 0 … 100.
    """
    wanted = real_numbers(q, "q", "(99, 99.9)")
    if not np.all((wanted >= 0) & (wanted <= 100)):
        msg = f"percentiles lie within 0 … 100, found {q}. Pass for example q=(99, 99.9)."
        raise ValueRangeError(msg)
    both = pooled(
        partial(_percentiles, wanted=wanted),
        cases,
        ["percentile", "source"],
        sizes={"percentile": wanted.size, "source": 2},
    )
    attrs = {"units": "percent", "long_name": "percentile"}
    both = both.assign_coords(percentile=("percentile", wanted, attrs))
    return both if np.ndim(q) else both.isel(percentile=0)


def _emd(ours: Array, theirs: Array, weight: Array | None, *, skipna: bool) -> Array:
    """Earth mover's distance of the samples on the last axis.

    The pooled forecasts have M values for each observation, so sorted observations, each repeated M times, are
    paired with sorted forecasts one to one. Missing values are last in both, M for each, and are also paired.
    """
    if weight is not None:
        return by_row(_emd_weighted, ours, theirs, weight, skipna=skipna)
    ordered = np.sort(theirs, axis=-1).reshape(*ours.shape, -1)
    gaps = np.abs(ordered - np.sort(ours, axis=-1)[..., None])
    total = (np.nansum if skipna else np.sum)(gaps, axis=(-2, -1), dtype=np.float64)
    return _divide(np.asarray(total), np.sum(~np.isnan(gaps), axis=(-2, -1)))


def _emd_weighted(ours: Array, theirs: Array, ours_weight: Array, theirs_weight: Array) -> Array:
    """Earth mover's distance of two weighted samples."""
    from scipy.stats import wasserstein_distance

    return np.asarray(wasserstein_distance(ours, theirs, ours_weight, theirs_weight))


def _emd_of_histograms(
    ours: Array, theirs: Array, weight: Array | None, *, skipna: bool, edges: Array
) -> Array:
    """Earth mover's distance of the histograms of the samples on the last axis."""

    def between(o: Array, f: Array, wo: Array, wf: Array) -> Array:
        return histogram_distance(histogram(o, wo, edges), histogram(f, wf, edges), edges)

    return by_row(between, ours, theirs, weight, skipna=skipna)


def _percentiles(ours: Array, theirs: Array, weight: Array | None, *, skipna: bool, wanted: Array) -> Array:
    """Percentiles of both samples, shape (..., percentile, 2)."""
    if weight is not None:

        def by_weight(o: Array, f: Array, wo: Array, wf: Array) -> Array:
            return np.stack([_weighted_percentiles(v, w, wanted) for v, w in ((o, wo), (f, wf))], axis=-1)

        return by_row(by_weight, ours, theirs, weight, skipna=skipna, shape=(wanted.size, 2))
    missing = np.isnan(ours)
    empty: Array = np.asarray(missing.all(axis=-1) if skipna else missing.any(axis=-1))
    quantile = np.nanquantile if skipna and missing.any() else np.quantile
    filled = [np.where(empty[..., None], 0, v) for v in (ours, theirs)]  # all missing: no warning, NaN below
    found = np.stack([quantile(v, wanted / 100, axis=-1) for v in filled], axis=-1).astype(np.float64)
    return np.where(empty[..., None, None], np.nan, np.moveaxis(found, 0, -2))


def _weighted_percentiles(values: Array, weight: Array, wanted: Array) -> Array:
    """Smallest value whose cumulative share of the weight reaches each percentile."""
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weight[order], dtype=np.float64)
    rounding = 1 - 4 * np.finfo(np.float64).eps * values.size
    place = np.searchsorted(shares, wanted / 100 * shares[-1] * rounding)
    found: Array = values[order][np.minimum(place, values.size - 1)].astype(np.float64)
    return found


def _divide(total: Array, count: Array) -> Array:
    """Mean from sum and count; NaN where nothing was counted."""
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
