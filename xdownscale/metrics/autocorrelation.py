"""Spatial autocorrelation: correlation of a field with itself at distances in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.metrics.cases import Dim, Weights, average, named_dims, pair, weights_of
from xdownscale.metrics.labels import along, dress, whole_numbers
from xdownscale.metrics.scorable import scorable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LAGS = (1, 2, 5, 10)
"""Distances in cells."""


def spatial_autocorrelation(
    field: xr.DataArray,
    *,
    lags: int | Sequence[int] = _LAGS,
    dim: Dim = None,
    weights: Weights = "area",
    skipna: bool = False,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Correlation of values a number of cells apart, mean of both directions.

    Parameters
    ----------
    field : DataArray
        With two space dimensions.
    lags : int or sequence of int
        Distances in cells.
    dim : str or iterable of str, optional
        Dimensions to pool pairs over besides space, which is always reduced; None for all.
    weights : DataArray, "area" or None
        As in :func:`~xdownscale.metrics.mse`.
    skipna : bool
        Whether to leave out pairs with a missing value; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        Without units, −1 … 1, with the dimension ``lag``; NaN for constant values.

    Raises
    ------
    DimensionError
        If a lag is longer than a frame allows.

    See Also
    --------
    xdownscale.metrics.spatial_autocorrelation_error : Difference from the observations.
    xdownscale.metrics.power_spectrum : Power by wavenumber.

    Examples
    --------
    >>> stripes = xr.DataArray(np.indices((6, 6)).sum(0) % 2, dims=("y", "x"))
    >>> spatial_autocorrelation(stripes, lags=[1, 2]).values.round(6)
    array([-1.,  1.])
    """
    field = scorable(field, "field")
    axes = find_axes(field, dims=dims)
    chosen = {*named_dims(field, dim), *axes.spatial}
    over = tuple(str(d) for d in field.dims if d in chosen)
    label = _lag_label(lags, field, axes)
    plain = field.reset_coords(drop=True).astype(np.float64)
    share = weights_of(weights, field, over)
    parts = [_correlation(plain, axes, int(n), over, share, skipna=skipna) for n in label.values]
    score = along(label, parts, keep=np.ndim(lags) > 0)
    title = "correlation with values some cells away"
    return dress(score, field, name="spatial_autocorrelation", long_name=title, units="1")


def spatial_autocorrelation_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    lags: int | Sequence[int] = _LAGS,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Spatial autocorrelation of the members minus that of the observations.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    lags : int or sequence of int
        Distances in cells.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; members are pooled, a pair has the weight of its first value.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        Without units, with the dimension ``lag``; positive where members are too smooth.

    Raises
    ------
    DimensionError
        If a lag is longer than a frame allows.

    See Also
    --------
    xdownscale.metrics.spatial_autocorrelation : Correlation of values a number of cells apart.

    Examples
    --------
    >>> truth = xr.DataArray(np.random.default_rng(0).random((8, 8)), dims=("y", "x"))
    >>> spatial_autocorrelation_error(truth, truth, lags=[1, 2]).values
    array([0., 0.])
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    axes = find_axes(observations, dims=dims)
    over = tuple(str(d) for d in observations.dims if d in {*cases.dims, *axes.spatial})
    label = _lag_label(lags, observations, axes)
    complete = cases.complete

    def at(lag: int) -> xr.DataArray:
        truth = _correlation(
            cases.observations.where(complete), axes, lag, over, cases.weights, skipna=skipna
        )
        pooled = (*over, member_dim)
        members = _correlation(
            cases.forecasts.where(complete), axes, lag, pooled, cases.weights, skipna=skipna
        )
        return members - truth

    score = along(label, [at(int(n)) for n in label.values], keep=np.ndim(lags) > 0)
    title, name = "error of the spatial autocorrelation", "spatial_autocorrelation_error"
    return dress(score, observations, name=name, long_name=title, units="1", keep_attrs=keep_attrs)


def _lag_label(lags: int | Sequence[int], field: xr.DataArray, axes: Axes) -> xr.DataArray:
    """Coordinate of the lags, which must be shorter than the frames."""
    label = np.array(whole_numbers(lags, "lags"))
    side = min(field.sizes[d] for d in axes.spatial)
    if label.max() >= side:
        msg = f"lags of {label.tolist()} cells do not fit into frames with {side} cells on a side. Pass lags=[1]."
        raise DimensionError(msg)
    return xr.DataArray(label, dims="lag", name="lag", attrs={"units": "cells", "long_name": "distance"})


def _correlation(
    field: xr.DataArray,
    axes: Axes,
    lag: int,
    over: tuple[str, ...],
    weights: xr.DataArray | None,
    *,
    skipna: bool,
) -> xr.DataArray:
    """Correlation of pairs of cells `lag` apart, mean over rows and columns."""
    found = [_along(field, d, lag, over, weights, skipna=skipna) for d in axes.spatial]
    return (found[0] + found[1]) / 2


def _along(
    field: xr.DataArray,
    dim: str,
    lag: int,
    over: tuple[str, ...],
    weights: xr.DataArray | None,
    *,
    skipna: bool,
) -> xr.DataArray:
    """Correlation of pairs of cells `lag` apart along one dimension."""
    bare = field.drop_vars(dim, errors="ignore")
    first, second = bare.isel({dim: slice(None, -lag)}), bare.isel({dim: slice(lag, None)})
    both = first.notnull() & second.notnull()
    if weights is not None and dim in weights.dims:
        weights = weights.drop_vars(dim, errors="ignore").isel({dim: slice(None, -lag)})

    def mean(values: xr.DataArray) -> xr.DataArray:
        return average(values, over, weights, skipna=skipna)

    first, second = (part.where(both) - mean(part.where(both)) for part in (first, second))
    spread = mean(first**2) * mean(second**2)
    return mean(first * second) / spread.where(spread > 0) ** 0.5
