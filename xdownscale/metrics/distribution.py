"""Are the values right, wherever they fall: distance of distributions and errors of high percentiles.

The members of an ensemble count as one sample: a member is as likely as any other, so their pooled values are
the distribution that the ensemble says the observations come from.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.labels import difference_units, dress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def emd(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Earth mover's distance (Wasserstein-1) of the values of forecasts from those of observations.

    ∫ |F⁻¹(p) − G⁻¹(p)| dp over the quantile functions F⁻¹ and G⁻¹ of the two samples, exact. Lazy arrays are
    brought into one chunk along `dim`.

    Parameters
    ----------
    observations, forecasts : DataArray
        Their values over `dim` are the two samples; members are pooled.
    dim, member_dim, weights, skipna, keep_attrs
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        In the units of the data.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 1.0, 5.0], dims="x")
    >>> float(emd(truth, truth[::-1])), float(emd(truth, truth + 2))
    (0.0, 2.0)
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = _pooled(_emd, cases, [])
    units = difference_units(cases.units)
    return dress(
        score,
        observations,
        name="emd",
        long_name="earth mover's distance",
        units=units,
        keep_attrs=keep_attrs,
    )


def percentile_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    q: float | Sequence[float] = (99.0, 99.9, 99.999),
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Percentile of the forecasts minus percentile of the observations.

    Percentiles of the values over `dim`, members pooled, linear between order statistics; with weights the
    smallest value whose cumulated weight reaches the percentile. Lazy arrays are brought into one chunk along
    `dim`.

    Parameters
    ----------
    observations, forecasts : DataArray
        Their values over `dim` are the two samples.
    q : float or sequence of float
        Percentiles, 0 … 100.
    dim, member_dim, weights, skipna, keep_attrs
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        In the units of the data, with the dimension ``percentile``; negative where extremes are too weak.

    Raises
    ------
    ValueRangeError
        If a percentile is not within 0 … 100.

    Examples
    --------
    >>> truth = xr.DataArray(np.arange(101.0), dims="x")
    >>> percentile_error(truth, 0.5 * truth, q=(50, 99)).values
    array([-25. , -49.5])
    """
    wanted = np.atleast_1d(np.asarray(q, dtype=float))
    if not np.all((wanted >= 0) & (wanted <= 100)):
        msg = f"percentiles lie within 0 … 100, found {q}. Pass for example q=(99, 99.9)."
        raise ValueRangeError(msg)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)

    score = _pooled(
        partial(_percentile_difference, wanted=wanted),
        cases,
        ["percentile"],
        sizes={"percentile": wanted.size},
    )
    score = score.assign_coords(
        percentile=("percentile", wanted, {"units": "percent", "long_name": "percentile"})
    )
    score = score if np.ndim(q) else score.isel(percentile=0)
    units, title = difference_units(cases.units), "error of the percentile"
    return dress(
        score, observations, name="percentile_error", long_name=title, units=units, keep_attrs=keep_attrs
    )


def _pooled(
    kernel: Callable[..., Array],
    cases: Cases,
    output: list[str],
    *,
    sizes: dict[str, int] | None = None,
) -> xr.DataArray:
    """Apply a kernel to the samples over `dims`.

    The kernel gets observations (…, n), forecasts (…, n·M), and weights (…, n) or None. Cases that are not
    complete are NaN in all three. The members of one case are neighbours in the forecasts.
    """
    dims = list(cases.dims)
    complete = cases.complete
    arrays = [cases.observations.where(complete), cases.forecasts.where(complete)]
    core = [dims, [*dims, cases.member_dim]]
    if cases.weights is not None:
        arrays.append(cases.weights.broadcast_like(cases.observations).where(complete))
        core.append(dims)
    arrays = [a.chunk(dict.fromkeys(c, -1)) if a.chunks else a for a, c in zip(arrays, core, strict=True)]

    def on_samples(*values: Array) -> Array:
        flat = [v.reshape(*v.shape[: v.ndim - len(c)], -1) for v, c in zip(values, core, strict=True)]
        return kernel(flat[0], flat[1], flat[2] if len(flat) > 2 else None, skipna=cases.skipna)

    score: xr.DataArray = xr.apply_ufunc(
        on_samples,
        *arrays,
        input_core_dims=core,
        output_core_dims=[output],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": sizes or {}},
        output_dtypes=[np.float64],
    )
    return score


def _emd(ours: Array, theirs: Array, weight: Array | None, *, skipna: bool) -> Array:
    """Earth mover's distance of the samples on the last axis.

    The pooled forecasts hold M values for each observation, so ordered observations, each repeated M times,
    face ordered forecasts one to one. Missing values come last in both, M for each, and face each other too.
    """
    if weight is not None:
        return _by_row(_emd_weighted, ours, theirs, weight, skipna=skipna)
    ordered = np.sort(theirs, axis=-1).reshape(*ours.shape, -1)
    gaps = np.abs(ordered - np.sort(ours, axis=-1)[..., None])
    total = (np.nansum if skipna else np.sum)(gaps, axis=(-2, -1), dtype=np.float64)
    return _divide(np.asarray(total), np.sum(~np.isnan(gaps), axis=(-2, -1)))


def _emd_weighted(ours: Array, theirs: Array, ours_weight: Array, theirs_weight: Array) -> Array:
    """Earth mover's distance of two weighted samples."""
    from scipy.stats import wasserstein_distance

    return np.asarray(wasserstein_distance(ours, theirs, ours_weight, theirs_weight))


def _percentile_difference(
    ours: Array, theirs: Array, weight: Array | None, *, skipna: bool, wanted: Array
) -> Array:
    """Percentiles of the forecasts minus those of the observations, on a new last axis."""
    if weight is not None:

        def by_weight(o: Array, f: Array, wo: Array, wf: Array) -> Array:
            return _weighted_percentiles(f, wf, wanted) - _weighted_percentiles(o, wo, wanted)

        return _by_row(by_weight, ours, theirs, weight, skipna=skipna, size=wanted.size)
    missing = np.isnan(ours)
    empty: Array = np.asarray(missing.all(axis=-1) if skipna else missing.any(axis=-1))
    quantile = np.nanquantile if skipna and missing.any() else np.quantile
    filled = [np.where(empty[..., None], 0, v) for v in (theirs, ours)]  # all missing: no warning, NaN below
    after, before = (quantile(v, wanted / 100, axis=-1) for v in filled)
    return np.where(empty[..., None], np.nan, np.moveaxis(after - before, 0, -1).astype(np.float64))


def _weighted_percentiles(values: Array, weight: Array, wanted: Array) -> Array:
    """Smallest value whose cumulated share of the weight reaches each percentile."""
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weight[order], dtype=np.float64)
    rounding = 1 - 4 * np.finfo(np.float64).eps * values.size
    place = np.searchsorted(shares, wanted / 100 * shares[-1] * rounding)
    found: Array = values[order][np.minimum(place, values.size - 1)].astype(np.float64)
    return found


def _by_row(
    kernel: Callable[[Array, Array, Array, Array], Array],
    ours: Array,
    theirs: Array,
    weight: Array,
    *,
    skipna: bool,
    size: int | None = None,
) -> Array:
    """Apply a kernel to one pair of weighted samples after the other; NaN where nothing can be compared."""
    lead = ours.shape[:-1]
    result = np.full((*lead, *(() if size is None else (size,))), np.nan)
    members = theirs.shape[-1] // ours.shape[-1]
    for place in np.ndindex(lead):
        o, w = ours[place], weight[place].astype(np.float64)
        known = ~np.isnan(o) & ~np.isnan(w)
        if np.sum(w[known]) > 0 and (skipna or known.all()):
            pooled = np.repeat(known, members)
            result[place] = kernel(o[known], theirs[place][pooled], w[known], np.repeat(w[known], members))
    return result


def _divide(total: Array, count: Array) -> Array:
    """Mean from sum and count; NaN where nothing was counted."""
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
