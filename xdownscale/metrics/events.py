"""Probability of reaching a threshold, through xskillscore."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.metrics.cases import Dim, Weights, pair
from xdownscale.metrics.labels import along, dress, threshold_label

if TYPE_CHECKING:
    from collections.abc import Sequence


def brier_score(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Brier score of reaching a threshold, fair for two members and more.

    Parameters
    ----------
    observations, forecasts : DataArray
        What happened, and the ensemble; the share of members is the probability.
    thresholds : float or sequence of float
        An event is a value of at least this.
    dim, member_dim, weights, skipna, keep_attrs
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimension ``threshold``.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 5.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0, 1.0], [0.0, 6.0]], dims=("member", "x"))
    >>> brier_score(truth, ensemble, thresholds=[2.0]).values
    array([0.])
    """
    import xskillscore

    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    complete = cases.complete
    scores = [
        xskillscore.brier_score(
            (cases.observations >= threshold).astype(np.float64),
            (cases.forecasts >= threshold).astype(np.float64),
            member_dim=member_dim,
            fair=cases.members > 1,
            dim=[],
        ).where(complete)
        for threshold in np.atleast_1d(thresholds)
    ]
    label = threshold_label(thresholds, cases.units)
    score = along(label, [cases.average(s) for s in scores], keep=np.ndim(thresholds) > 0)
    return dress(
        score, observations, name="brier_score", long_name="Brier score", units="1", keep_attrs=keep_attrs
    )
