"""Is an ensemble calibrated: rank histogram, transforms, coverage, spread against error.

References
----------
Fortin et al. (2014), why should ensemble spread match the RMSE of the ensemble mean,
doi:10.1175/JHM-D-14-0008.1. Hamill (2001), interpretation of rank histograms,
doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod, sqrt
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.labels import along, dress

if TYPE_CHECKING:
    from collections.abc import Sequence

_RANKS = 8
"""Ranks that are counted at once in a chunk of a lazy field."""


def rank_histogram(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Share of the cases in which the observation has rank 0 … M among M members.

    An observation equal to some members, as in dry cases, shares its case equally over the ranks that it ties
    with, without random numbers: a calibrated ensemble of rain gives a flat histogram.

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        With the dimension ``rank`` of size M + 1; adds up to 1.

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
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """How far the rank histogram is from flat.

    The root mean square of (M + 1)·h − 1 over the M + 1 bins of the histogram h of :func:`rank_histogram`. 0
    is calibrated. By chance alone n independent cases give about √(M/n), the attribute ``noise_floor``:
    neighbouring cells are not independent, so the true floor is higher; missing cases raise it further.

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units.

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


def pit_histogram(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    bins: int = 10,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Density of the probability integral transform, in any number of bins.

    With `less` members below the observation and `equal` ones tied with it, among M, the transform lies anywhere
    between less/(M + 1) and (less + equal + 1)/(M + 1). A case is spread evenly over that range instead of drawing one
    number from it, so that a calibrated ensemble of any size and any share of dry cases gives 1 in every bin. M + 1
    bins are those of :func:`rank_histogram`.

    Parameters
    ----------
    observations, forecasts : DataArray
        What happened, and the ensemble.
    bins : int
        Number of equal bins between 0 and 1.
    dim, member_dim, weights, skipna, keep_attrs
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimension ``pit``, labelled by the centres of the bins; its mean is 1.

    Raises
    ------
    ValueRangeError
        If there is not at least one bin.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 5.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0, 1.0]], dims=("member", "x"))
    >>> pit_histogram(truth, ensemble, bins=2).values
    array([0.5, 1.5])
    """
    if bins < 1:
        msg = f"a histogram needs at least one bin, found {bins}. Pass bins=10."
        raise ValueRangeError(msg)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    edges = np.linspace(0, 1, bins + 1)
    attrs = {"long_name": "probability integral transform", "units": "1"}
    label = xr.DataArray((edges[1:] + edges[:-1]) / 2, dims="pit", name="pit", attrs=attrs)
    low, high = _transforms(cases)
    shares = [cases.average(_share_within(low, high, *ends)) for ends in pairwise(edges)]
    score = along(label, shares) * bins
    title = "density of the probability integral transform"
    return dress(score, observations, name="pit_histogram", long_name=title, units="1", keep_attrs=keep_attrs)


def interval_coverage(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    levels: float | Sequence[float] = (0.5, 0.9),
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Share of the cases within the central interval of the ensemble; a calibrated one gives the level.

    It is the mass of :func:`pit_histogram` between (1 − level)/2 and (1 + level)/2. So ties count by the share of their
    range that lies inside, and where the ends fall between two members, so do the cases there: a calibrated ensemble
    gives the level whatever its size, dry or not.

    Parameters
    ----------
    observations, forecasts : DataArray
        What happened, and the ensemble.
    levels : float or sequence of float
        Probability of the interval, 0 … 1.
    dim, member_dim, weights, skipna, keep_attrs
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimension ``level``; below the level for members that are too alike.

    Raises
    ------
    ValueRangeError
        If a level is not within 0 … 1.

    Examples
    --------
    >>> truth = xr.DataArray([1.0, 2.0, 3.0, 9.0], dims="x")
    >>> ensemble = xr.DataArray([0.0, 4.0, 5.0], dims="member").expand_dims(x=4)
    >>> interval_coverage(truth, ensemble, levels=[0.5]).values
    array([0.75])
    """
    wanted = np.atleast_1d(np.asarray(levels, dtype=float))
    if not np.all((wanted > 0) & (wanted <= 1)):
        msg = f"levels are probabilities of an interval, 0 … 1, found {levels}. Pass for example levels=(0.5, 0.9)."
        raise ValueRangeError(msg)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    low, high = _transforms(cases)
    attrs = {"long_name": "probability of the interval", "units": "1"}
    label = xr.DataArray(wanted, dims="level", name="level", attrs=attrs)
    shares = [cases.average(_share_within(low, high, (1 - c) / 2, (1 + c) / 2)) for c in wanted]
    score = along(label, shares, keep=np.ndim(levels) > 0)
    title = "share of cases within the central interval"
    return dress(
        score, observations, name="interval_coverage", long_name=title, units="1", keep_attrs=keep_attrs
    )


def spread_skill_ratio(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Spread of the members over the error of their mean; 1 for a calibrated ensemble of any size.

    √((M + 1)/M) · √(mean variance of the members, M − 1 in its denominator) / (RMSE of the ensemble mean).

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units; below 1 for members that are too alike. NaN for fewer than two members, or without any
        error.

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
    below, ties = _counts(cases)
    share = (1 / (ties + 1)).where(cases.complete)
    ranks = xr.DataArray(np.arange(cases.members + 1), dims="rank", name="rank")

    def at(rank: xr.DataArray) -> xr.DataArray:
        return cases.average(share * ((below <= rank) & (rank <= below + ties)))

    if share.chunks:
        return at(ranks.chunk(rank=_RANKS)).assign_coords(rank=ranks).transpose(..., "rank")
    # In memory one rank at a time: all at once would take M + 1 times the memory of the observations.
    return xr.concat([at(rank) for rank in ranks], ranks).transpose(..., "rank")


def _counts(cases: Cases) -> tuple[xr.DataArray, xr.DataArray]:
    """Members below the observation, and members equal to it."""
    below = (cases.forecasts < cases.observations).sum(cases.member_dim)
    return below, (cases.forecasts == cases.observations).sum(cases.member_dim)


def _transforms(cases: Cases) -> tuple[xr.DataArray, xr.DataArray]:
    """Ends of the range of the probability integral transform of every case."""
    below, ties = _counts(cases)
    ends = below, below + ties + 1
    low, high = ((end / (cases.members + 1)).where(cases.complete) for end in ends)
    return low, high


def _share_within(low: xr.DataArray, high: xr.DataArray, start: float, end: float) -> xr.DataArray:
    """Share of the ranges low … high that lies between `start` and `end`."""
    return (high.clip(max=end) - low.clip(min=start)).clip(min=0) / (high - low)
