"""The continuous ranked probability score: of the ensemble, of its tails, of block means.

References
----------
Ferro (2014), fair scores for ensemble forecasts, doi:10.1002/qj.2270.
Bröcker (2012), evaluating raw ensembles with the continuous ranked probability score, doi:10.1002/qj.1891.
Gneiting and Ranjan (2011), threshold- and quantile-weighted scoring rules, doi:10.1198/jbes.2010.08110.
Ravuri et al. (2021), skilful precipitation nowcasting (pooled CRPS), doi:10.1038/s41586-021-03854-z.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.field.axes import find_axes
from xdownscale.field.grid import cell_areas
from xdownscale.kernels import crps
from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.frames import check_fits, whole
from xdownscale.metrics.labels import along, difference_units, dress, threshold_label, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Estimator: TypeAlias = Literal["fair", "biased", "quantile"]
"""What the members represent: draws from a distribution, the distribution itself, or its quantiles."""


def crps_ensemble(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    estimator: Estimator = "fair",
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Continuous ranked probability score, fair by default.

    The expected fair score does not depend on the number of members, so ensembles of different sizes are
    comparable; it may be slightly negative at a single point. Without members, or with one, it is the absolute
    error.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble.
    estimator : "fair", "biased" or "quantile"
        What the M members represent: draws from the forecast distribution (fair); the distribution itself, which
        favours large ensembles (biased); or its quantiles at the levels 1/(M + 1) … M/(M + 1).
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        In the units of the data.

    Raises
    ------
    ValueRangeError
        If the estimator is unknown.

    See Also
    --------
    xdownscale.metrics.mae : Mean absolute error.
    xdownscale.metrics.crps_pooled : CRPS of means or maxima over windows.
    xdownscale.metrics.threshold_weighted_crps : CRPS of one tail.
    xdownscale.metrics.energy_score : Multivariate generalisation of the CRPS.

    References
    ----------
    Gneiting and Raftery (2007), strictly proper scoring rules, doi:10.1198/016214506000001437.
    Ferro (2014), fair scores for ensemble forecasts, doi:10.1002/qj.2270.
    Bröcker (2012), evaluating raw ensembles with the CRPS, doi:10.1002/qj.1891.

    Examples
    --------
    >>> truth = xr.DataArray([1.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0], [4.0]], dims=("member", "x"))
    >>> float(crps_ensemble(truth, ensemble)), float(crps_ensemble(truth, ensemble, estimator="biased"))
    (0.0, 1.0)
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = cases.average(_by_case(cases, estimator))
    units, title = difference_units(cases.units), "continuous ranked probability score"
    return dress(
        score, observations, name="crps_ensemble", long_name=title, units=units, keep_attrs=keep_attrs
    )


def threshold_weighted_crps(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    tail: Literal["upper", "lower"] = "upper",
    estimator: Estimator = "fair",
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """CRPS of one tail: the integral of the squared difference of the distributions beyond a threshold only.

    This score is proper, unlike the CRPS of the cases in which the observation is extreme. It is the CRPS of max(x, t)
    for the upper tail and of min(x, t) for the lower tail; the two add up to the CRPS.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble.
    thresholds : float or sequence of float
        Limit of the tail, in the units of the data.
    tail : "upper" or "lower"
        The tail above or below the threshold.
    estimator : "fair", "biased" or "quantile"
        As in :func:`crps_ensemble`.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        In the units of the data, with the dimension ``threshold``.

    Raises
    ------
    ValueRangeError
        If tail or estimator is unknown.

    See Also
    --------
    xdownscale.metrics.crps_ensemble : CRPS of cell values.
    xdownscale.metrics.brier_score : Squared error of the probability of an event.

    References
    ----------
    Gneiting and Ranjan (2011), threshold- and quantile-weighted scoring rules, doi:10.1198/jbes.2010.08110.

    Examples
    --------
    >>> truth = xr.DataArray([7.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0], [2.0]], dims=("member", "x"))
    >>> threshold_weighted_crps(truth, ensemble, thresholds=[0, 5]).squeeze().values
    array([5., 2.])
    """
    if tail not in ("upper", "lower"):
        msg = f'tail is {tail!r}; pass "upper" or "lower".'
        raise ValueRangeError(msg)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    label = threshold_label(thresholds, cases.units)

    def beyond(threshold: float) -> xr.DataArray:
        low, high = (threshold, None) if tail == "upper" else (None, threshold)
        ours, theirs = (part.clip(min=low, max=high) for part in (cases.observations, cases.forecasts))
        return cases.average(_by_case(replace(cases, observations=ours, forecasts=theirs), estimator))

    score = along(label, [beyond(float(t)) for t in label.values], keep=np.ndim(thresholds) > 0)
    units, title = difference_units(cases.units), f"CRPS of the {tail} tail"
    name = "threshold_weighted_crps"
    return dress(score, observations, name=name, long_name=title, units=units, keep_attrs=keep_attrs)


def crps_pooled(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    scales: int | Sequence[int] = (1, 4, 16),
    statistic: Literal["mean", "max"] = "mean",
    estimator: Estimator = "fair",
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """CRPS of the mean or maximum of square blocks of cells.

    In single cells, an ensemble with independent cells scores as well as one with storms; in blocks it scores worse.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    scales : int or sequence of int
        Sides of the blocks in cells. Blocks start at the first cell; incomplete blocks at the end are left out.
    statistic : "mean" or "max"
        Statistic of every block; cells are weighted by area on latitude-longitude grids.
    estimator : "fair", "biased" or "quantile"
        As in :func:`crps_ensemble`.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; a block has the mean weight of its cells.
    skipna : bool
        Whether to leave out blocks with an incomplete case; otherwise they give NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; a block has the mean weight of its cells.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        In the units of the data, with the dimension ``scale``.

    Raises
    ------
    DimensionError
        If a block is larger than a frame.
    ValueRangeError
        If statistic or estimator is unknown.

    See Also
    --------
    xdownscale.metrics.crps_ensemble : CRPS of cell values.
    xdownscale.metrics.fss : Fractions skill score of neighbourhoods.

    References
    ----------
    Ravuri et al. (2021), skilful precipitation nowcasting, doi:10.1038/s41586-021-03854-z.

    Examples
    --------
    >>> truth = xr.DataArray([[0.0, 4.0], [4.0, 0.0]], dims=("y", "x"))
    >>> crps_pooled(truth, 4 - truth, scales=(1, 2)).values
    array([4., 0.])
    """
    if statistic not in ("mean", "max"):
        msg = f'statistic is {statistic!r}; pass "mean" or "max".'
        raise ValueRangeError(msg)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    axes = find_axes(cases.source, dims=dims)
    label = xr.DataArray(
        whole_numbers(scales, "scales"),
        dims="scale",
        name="scale",
        attrs={"units": "cells", "long_name": "side of the blocks"},
    )

    def pooled(field: xr.DataArray, scale: int, how: str) -> xr.DataArray:
        bare = field.drop_vars(axes.spatial, errors="ignore")
        sides = {d: scale for d in axes.spatial if d in field.dims}
        blocks: xr.DataArray = bare.coarsen(sides, boundary="trim").reduce(getattr(np, how))
        return blocks

    areas = cell_areas(cases.source, axes) if statistic == "mean" else None

    def blocks_of(field: xr.DataArray, scale: int) -> xr.DataArray:
        if areas is None:
            return pooled(field, scale, statistic)
        share = areas.reset_coords(drop=True).drop_vars(axes.spatial, errors="ignore")
        weighted = field.drop_vars(axes.spatial, errors="ignore") * share
        return pooled(weighted, scale, "mean") / pooled(share, scale, "mean")

    def at(scale: int) -> xr.DataArray:
        check_fits(cases.observations, axes, scale)
        complete = cases.complete
        ours, theirs = (
            blocks_of(whole(part.where(complete), axes), scale)
            for part in (cases.observations, cases.forecasts)
        )
        blocks = replace(
            cases,
            observations=ours,
            forecasts=theirs,
            weights=None if cases.weights is None else pooled(cases.weights, scale, "mean"),
            dims=tuple(d for d in cases.observations.dims if d in {*cases.dims, *axes.spatial}),
        )
        return blocks.average(_by_case(blocks, estimator))

    score = along(label, [at(int(n)) for n in label.values], keep=np.ndim(scales) > 0)
    units, title = difference_units(cases.units), f"CRPS of the block {statistic}"
    return dress(score, observations, name="crps_pooled", long_name=title, units=units, keep_attrs=keep_attrs)


def _by_case(cases: Cases, estimator: Estimator) -> xr.DataArray:
    """CRPS of every case."""
    count = cases.members
    alphas = {"fair": 1.0, "biased": 0.0, "quantile": (1 - count) / (1 + count)}
    if estimator not in alphas:
        msg = f"estimator is {estimator!r}; pass one of {list(alphas)}."
        raise ValueRangeError(msg)
    scores: xr.DataArray = xr.apply_ufunc(
        crps.crps_ensemble,
        cases.observations,
        cases.one_chunk(),
        input_core_dims=[[], [cases.member_dim]],
        kwargs={"axis": -1, "alpha": alphas[estimator]},
        dask="parallelized",
        output_dtypes=[cases.forecasts.dtype],
    )
    return scores
