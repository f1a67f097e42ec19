"""Persistence: correlation of a field with itself a number of steps later, at fixed places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xdownscale.errors import DimensionError, TimeAxisError
from xdownscale.field.axes import find_axes
from xdownscale.field.times import check_times
from xdownscale.metrics.cases import Dim, Weights, average, pair, weights_of
from xdownscale.metrics.labels import dress, whole_number
from xdownscale.metrics.scorable import scorable

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import xarray as xr


def lag_autocorrelation(
    field: xr.DataArray,
    *,
    lag: int = 1,
    dim: Dim = None,
    weights: Weights = "area",
    skipna: bool = False,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Correlation of values with those `lag` steps later.

    Pairs are pooled over `dim`. Pairs across a gap of the time axis are left out.

    Parameters
    ----------
    field : DataArray
        With time.
    lag : int
        Steps between the values of a pair.
    dim : str or iterable of str, optional
        Dimensions to pool besides time, which is always reduced; None for all.
    weights : DataArray, "area" or None
        As in :func:`~xdownscale.metrics.mse`.
    skipna : bool
        Whether to leave out pairs with a missing value; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"time": "step"}``.

    Returns
    -------
    DataArray
        Without units, −1 … 1; NaN for constant values.

    Raises
    ------
    DimensionError
        If there is no time dimension.
    TimeAxisError
        If there are not more than `lag` steps.

    See Also
    --------
    xdownscale.metrics.lag_autocorrelation_error : Relative difference from the observations.
    xdownscale.metrics.temporal_spectrum : Power by frequency.

    Examples
    --------
    >>> import xarray as xr
    >>> field = xr.DataArray([0.0, 1.0, 0.0, 1.0, 0.0], dims="time").expand_dims(y=1, x=1)
    >>> round(float(lag_autocorrelation(field)), 6), round(float(lag_autocorrelation(field, lag=2)), 6)
    (-1.0, 1.0)
    """
    field = scorable(field, "field")
    time = _time_of(field, dims)
    over = _pooled_dims(field, dim, time)
    score = _correlation(field, time, lag, over, weights_of(weights, field, over), skipna=skipna)
    title = f"autocorrelation at lag {lag}"
    return dress(score, field, name="lag_autocorrelation", long_name=title, units="1").assign_attrs(lag=lag)


def lag_autocorrelation_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    lag: int = 1,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Lag autocorrelation of the members over that of the observations, minus one.

    Parameters
    ----------
    observations, forecasts : DataArray
        With time, which is always reduced.
    lag : int
        Steps between the values of a pair.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; members are pooled, a pair has the weight of its earlier value.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"time": "step"}``.

    Returns
    -------
    DataArray
        Without units; negative where members change too fast.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.lag_autocorrelation : Correlation of values a number of steps apart.

    Examples
    --------
    >>> import xarray as xr
    >>> walk = np.random.default_rng(0).normal(size=500).cumsum()
    >>> truth = xr.DataArray(walk, dims="time").expand_dims(y=1, x=1)
    >>> float(lag_autocorrelation_error(truth, truth))
    0.0
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    time = _time_of(observations, dims)
    over = _pooled_dims(observations, cases.dims, time)
    complete = cases.complete
    truth = _correlation(cases.observations.where(complete), time, lag, over, cases.weights, skipna=skipna)
    pooled = (*over, member_dim)
    members = _correlation(cases.forecasts.where(complete), time, lag, pooled, cases.weights, skipna=skipna)
    title = f"relative error of the autocorrelation at lag {lag}"
    name = "lag_autocorrelation_error"
    score = members / truth.where(truth != 0) - 1
    return dress(
        score, observations, name=name, long_name=title, units="1", keep_attrs=keep_attrs
    ).assign_attrs(lag=lag)


def _time_of(field: xr.DataArray, dims: Mapping[str, str] | None) -> str:
    """Name of the time dimension."""
    time = find_axes(field, dims=dims, need_time=True).time
    return str(time)


def _pooled_dims(field: xr.DataArray, dim: Dim, time: str) -> tuple[str, ...]:
    """Check the names of the dimensions to pool; time is among them."""
    named = field.dims if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    unknown = [str(d) for d in named if d not in field.dims]
    if unknown:
        msg = f"dim names {unknown}, but the field has the dimensions {tuple(field.dims)}. Use these."
        raise DimensionError(msg)
    return tuple(str(d) for d in field.dims if d in named or d == time)


def _correlation(
    field: xr.DataArray,
    time: str,
    lag: int,
    over: tuple[str, ...],
    weights: xr.DataArray | None,
    *,
    skipna: bool,
) -> xr.DataArray:
    """Correlation of pairs `lag` steps apart, pooled over dimensions."""
    starts = _starts(field, time, lag)
    gapless = starts.size == field.sizes[time] - lag
    earlier, later = (slice(None, -lag), slice(lag, None)) if gapless else (starts, starts + lag)
    bare = field.reset_coords(drop=True).drop_vars(time, errors="ignore")
    first, second = bare.isel({time: earlier}), bare.isel({time: later})
    if skipna:
        both = first.notnull() & second.notnull()
        first, second = first.where(both), second.where(both)
    if weights is not None and time in weights.dims:
        weights = weights.drop_vars(time, errors="ignore").isel({time: earlier})

    def mean(values: xr.DataArray) -> xr.DataArray:
        return average(values, over, weights, skipna=skipna)

    first, second = (part - mean(part).astype(part.dtype) for part in (first, second))
    spread = mean(first**2) * mean(second**2)
    return mean(first * second) / spread.where(spread > 0) ** 0.5


def _starts(field: xr.DataArray, time: Hashable, lag: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Earlier values of all pairs whose times differ by `lag` steps."""
    lag = whole_number(lag, "lag", least=0)
    size = field.sizes[time]
    if not 1 <= lag < size:
        msg = (
            f"a lag of {lag} steps needs more than {max(lag, 1)} times, found {size}. "
            f"Pass a longer field, or a lag of at least 1."
        )
        raise TimeAxisError(msg)
    if time not in field.coords:
        return np.arange(size - lag)
    labels = field[time].values
    if labels.dtype.kind not in "fiu":
        check_times(field, str(time))
    steps = np.diff(labels)
    apart = labels[lag:] - labels[:-lag]
    found: np.ndarray[tuple[int], np.dtype[np.intp]] = np.flatnonzero(apart == lag * steps.min())
    return found
