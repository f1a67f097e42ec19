"""Errors of a point forecast.

An ensemble is reduced to the point forecast that is optimal for the score: its mean for squared errors and bias, its
median for absolute errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.labels import difference_units, dress, squared_units

if TYPE_CHECKING:
    import xarray as xr


def mse(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Mean squared error, of the ensemble mean if there are members.

    Parameters
    ----------
    observations : DataArray
        The observed field.
    forecasts : DataArray
        The same dimensions; with `member_dim` if it is an ensemble.
    dim : str or iterable of str, optional
        Dimensions to average over; None for all, an empty tuple for none.
    member_dim : str
        Member dimension of `forecasts`.
    weights : DataArray, "area" or None
        Weights of the cases; only their ratios matter. "area", the default, weights cells by their area on
        latitude-longitude and curvilinear grids, as :func:`xdownscale.coarsen` does, and equally on all others. None
        gives equal weights.
    skipna : bool
        Whether to leave out cases with a missing observation, member or weight; otherwise they give NaN.
    keep_attrs : bool, optional
        Whether to keep the attributes of the observations; None follows xarray's options.

    Returns
    -------
    DataArray
        In squared units.

    Raises
    ------
    DimensionError
        If observations, forecasts, weights and `dim` do not match.
    ValueRangeError
        If values are infinite or missing-data markers.
    UnitsError
        If the units of the forecasts cannot be converted to those of the observations.

    See Also
    --------
    xdownscale.metrics.rmse : Root mean squared error.
    xdownscale.metrics.mae : Mean absolute error.

    Examples
    --------
    >>> import xarray as xr
    >>> truth = xr.DataArray([0.0, 2.0], dims="x", attrs={"units": "mm h-1"})
    >>> score = mse(truth, truth + 1)
    >>> float(score), score.attrs["units"]
    (1.0, 'mm2 h-2')
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    units = squared_units(cases.units)
    score = cases.average(_squared_error(cases))
    return dress(
        score, observations, name="mse", long_name="mean squared error", units=units, keep_attrs=keep_attrs
    )


def rmse(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Root of the mean squared error, of the ensemble mean if there are members.

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`mse`.

    Returns
    -------
    DataArray
        In the units of the data.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.mse : Mean squared error.
    xdownscale.metrics.spread_skill_ratio : Spread over the error of the ensemble mean.

    Examples
    --------
    >>> import xarray as xr
    >>> truth = xr.DataArray([0.0, 0.0], dims="x")
    >>> float(rmse(truth, truth + 3))
    3.0
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = cases.average(_squared_error(cases)) ** 0.5
    units, title = difference_units(cases.units), "root mean squared error"
    return dress(score, observations, name="rmse", long_name=title, units=units, keep_attrs=keep_attrs)


def mae(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Mean absolute error, of the ensemble median if there are members.

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`mse`.

    Returns
    -------
    DataArray
        In the units of the data.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.crps_ensemble : CRPS of cell values.
    xdownscale.metrics.rmse : Root mean squared error.

    Examples
    --------
    >>> import xarray as xr
    >>> truth = xr.DataArray([0.0, 0.0], dims="x")
    >>> ensemble = xr.DataArray([[0.0, 0.0], [1.0, 2.0], [9.0, 9.0]], dims=("member", "x"))
    >>> float(mae(truth, ensemble))
    1.5
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    middle = cases.one_chunk().median(cases.member_dim, skipna=False)
    score = cases.average(abs(middle - cases.observations))
    units = difference_units(cases.units)
    return dress(
        score, observations, name="mae", long_name="mean absolute error", units=units, keep_attrs=keep_attrs
    )


def bias(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Mean of forecast minus observation, also over members.

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`mse`.

    Returns
    -------
    DataArray
        In the units of the data; positive where the forecast is too high.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.mae : Mean absolute error.
    xdownscale.metrics.percentile_error : Difference of percentiles from those of the observations.

    Examples
    --------
    >>> import xarray as xr
    >>> truth = xr.DataArray([0.0, 2.0], dims="x")
    >>> float(bias(truth, truth + 0.5))
    0.5
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = cases.average(cases.ensemble_mean() - cases.observations)
    units = difference_units(cases.units)
    return dress(score, observations, name="bias", long_name="mean error", units=units, keep_attrs=keep_attrs)


def correlation(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Pearson's correlation over `dim`, of the ensemble mean if there are members.

    Parameters
    ----------
    observations, forecasts, dim, member_dim, weights, skipna, keep_attrs : DataArray, and options
        As in :func:`mse`.

    Returns
    -------
    DataArray
        Without units, −1 … 1; NaN for constant values.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.mse : Mean squared error.
    xdownscale.metrics.ssim : Structural similarity.

    Examples
    --------
    >>> import xarray as xr
    >>> truth = xr.DataArray([0.0, 1.0, 2.0], dims="x")
    >>> round(float(correlation(truth, 5 - 2 * truth)), 6)
    -1.0
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    complete = cases.complete
    ours, theirs = (
        part.where(complete) - cases.average(part.where(complete))
        for part in (cases.observations, cases.ensemble_mean())
    )
    spread = cases.average(ours**2) * cases.average(theirs**2)
    score = cases.average(ours * theirs) / spread.where(spread > 0) ** 0.5
    title = "correlation of observation and forecast"
    return dress(score, observations, name="correlation", long_name=title, units="1", keep_attrs=keep_attrs)


def _squared_error(cases: Cases) -> xr.DataArray:
    """Squared error of the ensemble mean, case by case."""
    return (cases.ensemble_mean() - cases.observations) ** 2
