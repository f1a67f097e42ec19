"""Position of observations in the distribution of an ensemble: probability integral transform, coverage of intervals.

If `less` of M members are below an observation and `equal` members are tied with it, the transform is between
less/(M + 1) and (less + equal + 1)/(M + 1). The case is distributed uniformly over that range, without random numbers.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.ensemble import counts
from xdownscale.metrics.labels import along, dress, real_numbers, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence


def pit_histogram(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    bins: int = 10,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Density of the probability integral transform, in any number of bins.

    If `less` of M members are below the observation and `equal` members are tied with it, the transform is between
    less/(M + 1) and (less + equal + 1)/(M + 1). The case is distributed uniformly over that range instead of drawing a
    number from it, so a calibrated ensemble of any size and with any share of dry cases gives 1 in every bin. With
    M + 1 bins, the result is that of :func:`rank_histogram`.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble.
    bins : int
        Number of equal bins between 0 and 1.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimension ``pit``, labelled by the centres of the bins; its mean is 1.

    Raises
    ------
    ValueRangeError
        If there is no bin.

    See Also
    --------
    xdownscale.metrics.rank_histogram : Ranks of the observations among the members.
    xdownscale.metrics.pit_deviation : Distance of the rank histogram from a flat one.

    References
    ----------
    Gneiting, Balabdaoui and Raftery (2007), calibration and sharpness, doi:10.1111/j.1467-9868.2007.00587.x.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 5.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0, 1.0]], dims=("member", "x"))
    >>> pit_histogram(truth, ensemble, bins=2).values
    array([0.5, 1.5])
    """
    bins = whole_number(bins, "bins")
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
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Share of the cases within the central interval of the ensemble; equals the level for a calibrated ensemble.

    It is the mass of :func:`pit_histogram` between (1 − level)/2 and (1 + level)/2. Ties count by the share of their
    range inside the interval, and so do cases between two members that contain an end of it. A calibrated ensemble
    therefore gives the level for any size and any share of dry cases.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble.
    levels : float or sequence of float
        Probability of the interval, 0 … 1.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimension ``level``; below the level for an underdispersive ensemble.

    Raises
    ------
    ValueRangeError
        If a level is outside 0 … 1.

    See Also
    --------
    xdownscale.metrics.pit_histogram : Histogram of the probability integral transform.
    xdownscale.metrics.spread_skill_ratio : Spread over the error of the ensemble mean.

    References
    ----------
    Gneiting, Balabdaoui and Raftery (2007), calibration and sharpness, doi:10.1111/j.1467-9868.2007.00587.x.

    Examples
    --------
    >>> truth = xr.DataArray([1.0, 2.0, 3.0, 9.0], dims="x")
    >>> ensemble = xr.DataArray([0.0, 4.0, 5.0], dims="member").expand_dims(x=4)
    >>> interval_coverage(truth, ensemble, levels=[0.5]).values
    array([0.75])
    """
    wanted = real_numbers(levels, "levels", "(0.5, 0.9)")
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


def _transforms(cases: Cases) -> tuple[xr.DataArray, xr.DataArray]:
    """Ends of the range of the probability integral transform of every case."""
    below, ties = counts(cases)
    ends = below, below + ties + 1
    low, high = ((end / (cases.members + 1)).where(cases.complete) for end in ends)
    return low, high


def _share_within(low: xr.DataArray, high: xr.DataArray, start: float, end: float) -> xr.DataArray:
    """Share of the ranges low … high between `start` and `end`."""
    return (high.clip(max=end) - low.clip(min=start)).clip(min=0) / (high - low)
