"""Probability of reaching a threshold, as the share of members that reach it.

The Brier score is computed by xskillscore. Reliability and ROC are not, since xskillscore has no weights for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.metrics.cases import Cases, Dim, Weights, by_number, pair
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
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Brier score of reaching a threshold, fair for two or more members.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble; the share of members is the probability.
    thresholds : float or sequence of float
        An event is a value at or above the threshold.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

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
    xdownscale.metrics.reliability : Observed frequency of an event by its probability.
    xdownscale.metrics.roc_area : Area under the ROC curve.
    xdownscale.metrics.fss : Fractions skill score of neighbourhoods.

    References
    ----------
    Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    Ferro (2014), fair scores for ensemble forecasts, doi:10.1002/qj.2270.

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
    label = threshold_label(thresholds, cases.units)
    scores = [
        xskillscore.brier_score(
            (cases.observations >= threshold).astype(np.float64),
            (cases.forecasts >= threshold).astype(np.float64),
            member_dim=member_dim,
            fair=cases.members > 1,
            dim=[],
        ).where(complete)
        for threshold in label.values
    ]
    score = along(label, [cases.average(s) for s in scores], keep=np.ndim(thresholds) > 0)
    return dress(
        score, observations, name="brier_score", long_name="Brier score", units="1", keep_attrs=keep_attrs
    )


def reliability(
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
    """Observed frequency of the event by its forecast probability.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble; the share of members is the probability.
    thresholds : float or sequence of float
        An event is a value at or above the threshold.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimensions ``threshold`` and ``probability``, 0 to 1 in steps of 1/M; NaN for a
        probability that was never forecast. The coordinate ``share`` is the share of the cases with that probability.
        The curve of a calibrated ensemble with few members is flatter than the diagonal: an event in all of three
        members is not certain.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.brier_score : Squared error of the probability of an event.
    xdownscale.plot.reliability : The same as a plot.

    References
    ----------
    Bröcker and Smith (2007), increasing the reliability of reliability diagrams, doi:10.1175/WAF993.1.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 5.0, 5.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0, 1.0, 6.0], [0.0, 6.0, 6.0]], dims=("member", "x"))
    >>> reliability(truth, ensemble, thresholds=2).values
    array([0., 1., 1.])
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    label = threshold_label(thresholds, cases.units)

    def at(threshold: float) -> tuple[xr.DataArray, xr.DataArray]:
        share, came = _joint(cases, threshold)
        return came / share.where(share > 0), share

    score, share = (
        along(label, parts, keep=np.ndim(thresholds) > 0).transpose(..., "probability")
        for parts in zip(*(at(float(t)) for t in label.values), strict=True)
    )
    score = score.assign_coords(share=share.assign_attrs(long_name="share of the cases", units="1"))
    title = "observed frequency by forecast probability"
    return dress(score, observations, name="reliability", long_name=title, units="1", keep_attrs=keep_attrs)


def roc(
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
    """Relative operating characteristic: hit rate and false alarm rate by the decision probability.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble; the share of members is the probability.
    thresholds : float or sequence of float
        An event is a value at or above the threshold.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Without units, with the dimensions ``threshold``, ``probability``, 0 to 1 in steps of 1/M, and ``rate``: "hit"
        and "false alarm". The curve ends at (0, 0), without any alarm. NaN without events or without non-events.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.roc_area : Area under the ROC curve.

    References
    ----------
    Mason and Graham (2002), areas beneath the relative operating characteristics, doi:10.1256/003590002320603584.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 0.0, 5.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0, 1.0, 6.0], [0.0, 6.0, 6.0]], dims=("member", "x"))
    >>> roc(truth, ensemble, thresholds=2).sel(rate="false alarm").values
    array([1. , 0.5, 0. ])
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    label = threshold_label(thresholds, cases.units)
    parts = [_roc(cases, float(t)) for t in label.values]
    score = along(label, parts, keep=np.ndim(thresholds) > 0).transpose(..., "probability", "rate")
    title = "hit rate and false alarm rate"
    return dress(score, observations, name="roc", long_name=title, units="1", keep_attrs=keep_attrs)


def roc_area(
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
    """Area under the curve of :func:`roc`: the chance that an event had a higher probability than a non-event.

    Parameters
    ----------
    observations, forecasts, thresholds, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`roc`.

    Returns
    -------
    DataArray
        Without units, with the dimension ``threshold``: 1 is perfect, ½ is chance. It does not measure calibration.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.roc : Hit rate against false-alarm rate.
    xdownscale.metrics.brier_score : Squared error of the probability of an event.

    References
    ----------
    Mason and Graham (2002), areas beneath the relative operating characteristics, doi:10.1256/003590002320603584.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 0.0, 5.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0, 1.0, 6.0], [0.0, 6.0, 6.0]], dims=("member", "x"))
    >>> float(roc_area(truth, ensemble, thresholds=2))
    1.0
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    label = threshold_label(thresholds, cases.units)

    def area(curve: xr.DataArray) -> xr.DataArray:
        hit, alarm = (
            curve.sel(rate=rate, drop=True)
            .drop_vars("probability")
            .pad(probability=(0, 1), constant_values=0)
            for rate in ("hit", "false alarm")
        )  # on to (0, 0), where one never acts
        earlier, later = ({"probability": part} for part in (slice(None, -1), slice(1, None)))
        heights = (hit.isel(earlier) + hit.isel(later)) / 2
        widths = alarm.isel(earlier) - alarm.isel(later)
        return (heights * widths).sum("probability", skipna=False)

    parts = [area(_roc(cases, float(t))) for t in label.values]
    score = along(label, parts, keep=np.ndim(thresholds) > 0)
    title = "area under the relative operating characteristic"
    return dress(score, observations, name="roc_area", long_name=title, units="1", keep_attrs=keep_attrs)


def _joint(cases: Cases, threshold: float) -> tuple[xr.DataArray, xr.DataArray]:
    """Share of the cases with each probability, and of those in which the event also occurred."""
    complete = cases.complete
    event = (cases.observations >= threshold).where(complete)
    reached = (cases.forecasts >= threshold).sum(cases.member_dim).where(complete)

    def given(number: xr.DataArray) -> xr.DataArray:
        return cases.average((reached == number).where(complete))

    def came(number: xr.DataArray) -> xr.DataArray:
        return cases.average((reached == number) * event)

    label, lazy = _probability_label(cases.members), complete.chunks is not None
    share, joint = (
        by_number(part, cases.members, "probability", lazy=lazy).assign_coords(probability=label)
        for part in (given, came)
    )
    return share, joint


def _roc(cases: Cases, threshold: float) -> xr.DataArray:
    """Hit rate and false alarm rate by the decision probability."""
    share, came = _joint(cases, threshold)
    rate = xr.DataArray(["hit", "false alarm"], dims="rate", name="rate")
    backwards = {"probability": slice(None, None, -1)}
    curves = []
    for part in (came, share - came):
        acted = part.isel(backwards).cumsum("probability", skipna=False).isel(backwards)
        base = part.sum("probability", skipna=False)
        curves.append(acted.assign_coords(probability=share["probability"]) / base.where(base > 0))
    return along(rate, curves)


def _probability_label(members: int) -> xr.DataArray:
    """Coordinate of the possible probabilities of an ensemble."""
    attrs = {"long_name": "forecast probability", "units": "1"}
    return xr.DataArray(np.arange(members + 1) / members, dims="probability", name="probability", attrs=attrs)
