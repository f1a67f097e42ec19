"""The score that some papers call PIT deviation, under a separate name because it does not measure calibration."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.metrics.cases import Dim, Weights, pair
from xdownscale.metrics.labels import dress
from xdownscale.metrics.pooled import by_row, pooled

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def pooled_pit_deviation(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """PIT deviation of pooled values, as reported in some papers; not a measure of calibration.

    The root mean square of u₍ᵢ₎ − (i − ½)/n over the n sorted transforms u = F(y), where F(y) is the share of the
    *pooled* values of all members at all points that are at most y. Prefer :func:`pit_deviation`. Shuffling the points
    of the forecasts does not change the score, so it does not measure whether the ensemble is right in place and time:
    any forecast with the right climatology gives 0, and so do identical members. It compares marginal distributions,
    as :func:`emd` does, but all dry cases have the transform F(0), so a perfect forecast of rain is far from 0.

    Parameters
    ----------
    observations, forecasts : DataArray
        Their values over `dim` are the two samples; members are pooled. The papers use ``dim=("y", "x")`` and average
        over frames.
    dim, member_dim, weights, skipna, keep_attrs : optional
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
    xdownscale.metrics.pit_deviation : Distance of the rank histogram from a flat one.
    xdownscale.metrics.emd : Earth mover's distance of the values.

    References
    ----------
    Defez et al. (2026), a scale-adaptive framework for joint spatiotemporal super-resolution, arXiv:2604.21903.

    Examples
    --------
    >>> truth = xr.DataArray(np.arange(1000.0), dims="x")
    >>> float(pooled_pit_deviation(truth, truth[::-1])) < 0.001
    True
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = pooled(partial(by_row, _transform_deviation), cases, [])
    title = "deviation of the transforms of pooled values from uniform"
    return dress(
        score, observations, name="pooled_pit_deviation", long_name=title, units="1", keep_attrs=keep_attrs
    )


def _transform_deviation(ours: Array, theirs: Array, ours_weight: Array, theirs_weight: Array) -> Array:
    """Root mean square difference of the sorted transforms from their ranks."""
    order = np.argsort(theirs, kind="stable")
    shares = np.concatenate([[0.0], np.cumsum(theirs_weight[order])])
    found = shares[np.searchsorted(theirs[order], np.sort(ours), side="right")] / shares[-1]
    share = ours_weight[np.argsort(ours, kind="stable")]
    ranks = (np.cumsum(share) - share / 2) / share.sum()
    return np.asarray(np.sqrt(np.average((found - ranks) ** 2, weights=share)))
