"""Calibration of an ensemble: rank histogram, spread against error.

References
----------
Fortin et al. (2014), why should ensemble spread match the RMSE of the ensemble mean,
doi:10.1175/JHM-D-14-0008.1. Hamill (2001), interpretation of rank histograms,
doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2.
"""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
import xarray as xr

from xdownscale.metrics.cases import Cases, Dim, Weights, by_number, pair
from xdownscale.metrics.labels import dress


def rank_histogram(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Share of the cases in which the observation has rank 0 … M among M members.

    If an observation equals some members, as in dry cases, its case is distributed equally over the tied ranks,
    without random numbers. A calibrated ensemble of rain therefore gives a flat histogram.

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        With the dimension ``rank`` of size M + 1; the sum is 1.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.pit_deviation : Distance of the rank histogram from a flat one.
    xdownscale.plot.rank_histogram : The same as a plot.

    References
    ----------
    Hamill (2001), interpretation of rank histograms, doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 5.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0, 1.0], [2.0, 2.0]], dims=("member", "x"))
    >>> rank_histogram(truth, ensemble).values
    array([0.25, 0.25, 0.5 ])
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = _rank_shares(cases)
    title = "share of cases by rank of the observation"
    return dress(
        score, observations, name="rank_histogram", long_name=title, units="1", keep_attrs=keep_attrs
    )


def pit_deviation(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Deviation of the rank histogram from a flat one.

    The root mean square of (M + 1)·h − 1 over the M + 1 bins of the histogram h of :func:`rank_histogram`. A
    calibrated ensemble has an expected value near 0. By chance alone, n independent cases give about √(M/n), the
    attribute ``noise_floor``. Neighbouring cells are not independent, so the true floor is higher; missing cases
    raise it further.

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.rank_histogram : Ranks of the observations among the members.
    xdownscale.metrics.pit_histogram : Histogram of the probability integral transform.

    References
    ----------
    Hamill (2001), interpretation of rank histograms, doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 1.5, 9.0], dims="x")
    >>> ensemble = xr.DataArray([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], dims=("member", "x"))
    >>> float(pit_deviation(truth, ensemble))
    0.0
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    shares = _rank_shares(cases)
    score = (((cases.members + 1) * shares - 1) ** 2).mean("rank", skipna=False) ** 0.5
    title = "deviation of the rank histogram from flat"
    score = dress(
        score, observations, name="pit_deviation", long_name=title, units="1", keep_attrs=keep_attrs
    )
    count = prod(cases.observations.sizes[d] for d in cases.dims)
    return score.assign_attrs(noise_floor=sqrt(cases.members / max(count, 1)))


def spread_skill_ratio(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Spread of the members over the error of their mean; 1 for a calibrated ensemble of any size.

    √((M + 1)/M) · √(mean variance of the members, M − 1 in its denominator) / (RMSE of the ensemble mean).

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units; below 1 for an underdispersive ensemble. NaN for fewer than two members, or if the error
        is zero.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.rank_histogram : Ranks of the observations among the members.
    xdownscale.plot.spread_skill : The same as a plot, case by case.

    References
    ----------
    Fortin et al. (2014), why should ensemble spread match the RMSE, doi:10.1175/JHM-D-14-0008.1.

    Examples
    --------
    >>> truth = xr.DataArray([1.0, 3.0], dims="x")
    >>> ensemble = xr.DataArray([[1.0, 1.0], [3.0, 3.0]], dims=("member", "x"))
    >>> round(float(spread_skill_ratio(truth, ensemble)), 3)
    1.732
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    squared = (cases.ensemble_mean() - cases.observations) ** 2
    if cases.members > 1:
        variance = cases.forecasts.var(member_dim, ddof=1, skipna=False).where(squared.notnull())
    else:
        variance = xr.full_like(squared, np.nan)
    error = cases.average(squared)
    score = ((cases.members + 1) / cases.members * cases.average(variance) / error.where(error > 0)) ** 0.5
    title = "spread of the members over the error of their mean"
    return dress(
        score, observations, name="spread_skill_ratio", long_name=title, units="1", keep_attrs=keep_attrs
    )


def _rank_shares(cases: Cases) -> xr.DataArray:
    """Share of the cases at each rank, ties shared equally."""
    below, ties = counts(cases)
    share = (1 / (ties + 1)).where(cases.complete)

    def at(rank: xr.DataArray) -> xr.DataArray:
        return cases.average(share * ((below <= rank) & (rank <= below + ties)))

    return by_number(at, cases.members, "rank", lazy=share.chunks is not None)


def counts(cases: Cases) -> tuple[xr.DataArray, xr.DataArray]:
    """Members below the observation, and members equal to it."""
    below = (cases.forecasts < cases.observations).sum(cases.member_dim)
    return below, (cases.forecasts == cases.observations).sum(cases.member_dim)
