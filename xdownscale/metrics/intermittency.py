"""Share of wet values of a field, and inequality of its amounts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.metrics.cases import Dim, Weights, average, named_dims, pair, weights_of
from xdownscale.metrics.labels import along, dress, threshold_label, units_of
from xdownscale.metrics.pooled import by_row, pooled
from xdownscale.metrics.scorable import scorable

if TYPE_CHECKING:
    from collections.abc import Sequence

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def wet_fraction(
    field: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    dim: Dim = None,
    weights: Weights = "area",
    skipna: bool = False,
) -> xr.DataArray:
    """Share of the values that reach a threshold; one minus this share is the intermittency.

    Parameters
    ----------
    field : DataArray
        For example rain.
    thresholds : float or sequence of float
        Cells at or above the threshold are wet, in the units of the data.
    dim : str or iterable of str, optional
        Dimensions to count over; None for all.
    weights : DataArray, "area" or None
        As in :func:`~xdownscale.metrics.mse`.
    skipna : bool
        Whether to leave out missing values; otherwise they give NaN.

    Returns
    -------
    DataArray
        Without units, with the dimension ``threshold``.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.wet_fraction_error : Difference from the observations.
    xdownscale.metrics.gini : Inequality of amounts.

    Examples
    --------
    >>> rain = xr.DataArray([0.0, 0.2, 3.0, 0.0], dims="x")
    >>> wet_fraction(rain, thresholds=[0.1, 1]).values
    array([0.5 , 0.25])
    """
    field = scorable(field, "field")
    label = threshold_label(thresholds, units_of(field))
    plain = field.reset_coords(drop=True)
    over = named_dims(field, dim)
    share = weights_of(weights, field, over)
    parts = [average((plain >= t).where(plain.notnull()), over, share, skipna=skipna) for t in label.values]
    score = along(label, parts, keep=np.ndim(thresholds) > 0)
    return dress(score, field, name="wet_fraction", long_name="share of wet values", units="1")


def wet_fraction_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Wet fraction of the members minus that of the observations.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble.
    thresholds : float or sequence of float
        Cells at or above the threshold are wet, in the units of the data.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimension ``threshold``; positive if rain is too frequent.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.wet_fraction : Share of the values that reach a threshold.

    Examples
    --------
    >>> rain = xr.DataArray([0.0, 0.2, 3.0, 0.0], dims="x")
    >>> float(wet_fraction_error(rain, rain + 1, thresholds=0.1))
    0.5
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    label = threshold_label(thresholds, cases.units)
    complete = cases.complete

    def at(threshold: float) -> xr.DataArray:
        share = (cases.forecasts >= threshold).mean(member_dim)
        return cases.average((share - (cases.observations >= threshold)).where(complete))

    score = along(label, [at(float(t)) for t in label.values], keep=np.ndim(thresholds) > 0)
    title = "error of the share of wet values"
    return dress(
        score, observations, name="wet_fraction_error", long_name=title, units="1", keep_attrs=keep_attrs
    )


def gini_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Gini coefficient of the forecasts minus that of the observations.

    The coefficient is half of the mean difference of two values, over their mean: 0 for equal values,
    near 1 if all rain is in a single value. Values must not be negative. Lazy arrays are rechunked to one chunk along
    `dim`.

    Parameters
    ----------
    observations, forecasts : DataArray
        Their values over `dim` are the two samples; members are pooled.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units; negative where amounts are too uniform. NaN if all values are zero.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.gini : Inequality of amounts.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 0.0, 0.0, 8.0], dims="x")
    >>> float(gini_error(truth, truth * 0 + 2))
    -0.75
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)

    def difference(ours: Array, theirs: Array, ours_weight: Array, theirs_weight: Array) -> Array:
        return _gini(theirs, theirs_weight) - _gini(ours, ours_weight)

    score = pooled(partial(by_row, difference), cases, [])
    title = "error of the Gini coefficient"
    return dress(score, observations, name="gini_error", long_name=title, units="1", keep_attrs=keep_attrs)


def gini(
    field: xr.DataArray, *, dim: Dim = None, weights: Weights = "area", skipna: bool = False
) -> xr.DataArray:
    """Gini coefficient: inequality of the amounts.

    Parameters
    ----------
    field : DataArray
        Non-negative values. A lazy field is rechunked to one chunk along `dim`.
    dim : str or iterable of str, optional
        Dimensions that hold the sample; None for all.
    weights : DataArray, "area" or None
        As in :func:`~xdownscale.metrics.mse`.
    skipna : bool
        Whether to leave out missing values; otherwise they give NaN.

    Returns
    -------
    DataArray
        Without units: 0 for equal values, near 1 if all is in a single value; NaN if all values are zero.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.gini_error : Difference from the observations.
    xdownscale.metrics.wet_fraction : Share of the values that reach a threshold.

    Examples
    --------
    >>> float(gini(xr.DataArray([0.0, 0.0, 0.0, 8.0], dims="x")))
    0.75
    """
    field = scorable(field, "field")
    over = list(named_dims(field, dim))
    plain = field.reset_coords(drop=True)
    share = weights_of(weights, field, over)
    share = (xr.ones_like(plain, dtype=float) if share is None else share).broadcast_like(plain)

    def of_samples(values: Array, weight: Array) -> Array:
        flat, by = (v.reshape(*v.shape[: v.ndim - len(over)], -1) for v in (values, weight))
        result = np.full(flat.shape[:-1], np.nan)
        for place in np.ndindex(result.shape):
            known = ~np.isnan(flat[place]) & ~np.isnan(by[place])
            if by[place][known].sum() > 0 and (skipna or known.all()):
                result[place] = _gini(flat[place][known], by[place][known])
        return result

    score: xr.DataArray = xr.apply_ufunc(
        of_samples,
        *(v.chunk(dict.fromkeys(over, -1)) if plain.chunks else v for v in (plain, share)),
        input_core_dims=[over, over],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return dress(score, field, name="gini", long_name="Gini coefficient", units="1")


def _gini(values: Array, weight: Array) -> Array:
    """Gini coefficient of a weighted sample: 1 − twice the area under the Lorenz curve."""
    order = np.argsort(values, kind="stable")
    share = weight[order] / weight.sum()
    amount = np.cumsum(share * values[order], dtype=np.float64)
    if not amount[-1] > 0:
        return np.asarray(np.nan)
    before = np.concatenate([[0.0], amount[:-1]])
    return np.asarray(1 - np.sum(share * (amount + before)) / amount[-1])
