"""Dependence between variables of a forecast compared with that of the observations."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.labels import along, dress

if TYPE_CHECKING:
    from collections.abc import Hashable


def intervariable_correlation_error(
    observations: xr.Dataset,
    forecasts: xr.Dataset,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Correlation between the variables of the members minus that between the variables of the observations.

    The correlation of two variables is that of their deviations from the mean over `dim`; the variances and covariances
    of the members, each about its own mean, are averaged before the division. Members that are drawn jointly have the
    correlation of the observations; variables that are drawn separately, or an ensemble mean, do not.

    Parameters
    ----------
    observations, forecasts : Dataset
        With the same variables, two or more; variables that only one of them has are left out.
    dim : str or iterable of str, optional
        Dimensions over which variables correlate; all by default.
    member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimension ``pair``, labelled ``"tas, huss"`` and so on. 0 is perfect; the
        limits are −2 and 2. NaN where a variable is constant.

    Raises
    ------
    DimensionError
        If fewer than two variables are in both.

    See Also
    --------
    xdownscale.metrics.variogram_score : Score of differences between pairs of points.

    Examples
    --------
    >>> truth = xr.Dataset({"a": ("x", [0.0, 1.0, 2.0]), "b": ("x", [0.0, 2.0, 4.0])})
    >>> forecast = truth.assign(b=-truth.b).expand_dims(member=1)
    >>> float(intervariable_correlation_error(truth, forecast).sel(pair="a, b"))
    -2.0
    """
    names = [name for name in observations.data_vars if name in forecasts.data_vars]
    if len(names) < 2:
        msg = (
            f"at least two variables must be in both, found {[str(name) for name in names]} in the observations "
            f"{[str(name) for name in observations.data_vars]} and the forecasts "
            f"{[str(name) for name in forecasts.data_vars]}. Rename: forecasts.rename(old='new')."
        )
        raise DimensionError(msg)
    cases = {
        name: pair(
            observations[name],
            forecasts[name],
            dim=dim,
            member_dim=member_dim,
            weights=weights,
            skipna=skipna,
        )
        for name in names
    }
    pairs = list(combinations(names, 2))
    errors = [_correlation_error(cases[first], cases[second]) for first, second in pairs]
    label = xr.DataArray([_label(*both) for both in pairs], dims="pair", name="pair")
    return dress(
        along(label, errors),
        observations[names[0]],
        name="intervariable_correlation_error",
        long_name="error of the correlation between variables",
        units="1",
        keep_attrs=keep_attrs,
    )


def _label(first: Hashable, second: Hashable) -> str:
    return f"{first}, {second}"


def _correlation_error(first: Cases, second: Cases) -> xr.DataArray:
    """Correlation of two variables of the members minus that of the observations."""
    complete = first.complete & second.complete
    ours = _correlation(first, first.observations, second.observations, complete)
    theirs = _correlation(first, first.forecasts, second.forecasts, complete)
    return theirs - ours


def _correlation(cases: Cases, a: xr.DataArray, b: xr.DataArray, complete: xr.DataArray) -> xr.DataArray:
    """Correlation over the dimensions of the cases, of moments averaged over members."""
    if cases.skipna:
        a, b = a.where(complete), b.where(complete)
    a, b = (each.astype(np.float64) - cases.average(each) for each in (a, b))
    moments = [cases.average(product) for product in (a * b, a * a, b * b)]
    cov, var_a, var_b = (m.mean(cases.member_dim) if cases.member_dim in m.dims else m for m in moments)
    scale: xr.DataArray = (var_a * var_b) ** 0.5
    return cov / scale.where(scale > 0)
