"""Power by frequency in time, and its distance between forecasts and observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import TimeAxisError
from xdownscale.field.axes import find_axes
from xdownscale.field.labels import holds_times
from xdownscale.metrics.cases import Dim, Weights, average, named_dims, pair, weights_of
from xdownscale.metrics.labels import dress, squared_units, units_of
from xdownscale.metrics.scorable import scorable
from xdownscale.metrics.spectral_distance import decibels_between

if TYPE_CHECKING:
    from collections.abc import Mapping

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_REGULAR = 1e-3
"""Tolerance of the time steps, as a share of the step."""


def temporal_spectrum(
    field: xr.DataArray,
    *,
    dim: Dim = None,
    weights: Weights = "area",
    skipna: bool = False,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Power by frequency of the time series at every place.

    |F|²/N² of the Fourier transform without the mean over the N steps, with both signs of a frequency
    added: the sum over frequencies is the variance in time. Averages over places are averages of the power.

    Parameters
    ----------
    field : DataArray
        With an evenly spaced time dimension, which is always reduced. A lazy field is rechunked to one chunk along
        time.
    dim : str or iterable of str, optional
        Other dimensions to average the power over; None for all.
    weights : DataArray, "area" or None
        As in :func:`~xdownscale.metrics.mse`.
    skipna : bool
        Whether to leave out series with missing values; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"time": "step"}``.

    Returns
    -------
    DataArray
        In squared units, with the dimension ``frequency``, in cycles per hour (per step without times).

    Raises
    ------
    TimeAxisError
        If there are fewer than two steps, or they are not evenly spaced.

    See Also
    --------
    xdownscale.metrics.temporal_lsd : Log-spectral distance in time.
    xdownscale.metrics.power_spectrum : Power by wavenumber.

    Examples
    --------
    >>> wave = np.sin(2 * np.pi * 3 * np.arange(24) / 24)
    >>> spectrum = temporal_spectrum(xr.DataArray(wave, dims="time").expand_dims(y=1, x=1))
    >>> float(spectrum.idxmax() * 24), round(float(spectrum.max()), 6)
    (3.0, 0.5)
    """
    field = scorable(field, "field")
    time = str(find_axes(field, dims=dims, need_time=True).time)
    power = _power(field.reset_coords(drop=True), field, time)
    over = tuple(d for d in named_dims(field, dim) if d != time)
    shares = _over_time(weights_of(weights, field, over), time)
    score = average(power, over, shares, skipna=skipna)
    units = squared_units(units_of(field))
    title = "power by frequency in time"
    return dress(score, field, name="temporal_spectrum", long_name=title, units=units)


def temporal_lsd(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Log-spectral distance in time: :func:`lsd` with :func:`temporal_spectrum`.

    Parameters
    ----------
    observations, forecasts : DataArray
        With an evenly spaced time dimension, which is always reduced.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; weights along time are averaged.
    skipna : bool
        Whether to leave out series with a missing value in observation or any member; otherwise they give NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; weights along time are averaged.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"time": "step"}``.

    Returns
    -------
    DataArray
        In dB. NaN where the observations have no power.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.lsd : Log-spectral distance.
    xdownscale.metrics.temporal_spectrum : Power by frequency.

    Examples
    --------
    >>> walk = np.random.default_rng(0).normal(size=64).cumsum()
    >>> truth = xr.DataArray(walk, dims="time").expand_dims(y=1, x=1)
    >>> float(temporal_lsd(truth, truth)), round(float(temporal_lsd(truth, 0.1 * truth)), 6)
    (0.0, 20.0)
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    time = str(find_axes(observations, dims=dims, need_time=True).time)
    shares = _over_time(cases.weights, time)
    over = tuple(d for d in cases.dims if d != time)
    truth = _power(cases.observations, observations, time)
    power = _power(cases.forecasts, observations, time).mean(member_dim, skipna=False)
    complete = truth.notnull() & power.notnull()
    truth, power = (average(p.where(complete), over, shares, skipna=skipna) for p in (truth, power))
    score = decibels_between(truth, power, "frequency")
    title = "log-spectral distance in time"
    return dress(score, observations, name="temporal_lsd", long_name=title, units="dB", keep_attrs=keep_attrs)


def _over_time(weights: xr.DataArray | None, time: str) -> xr.DataArray | None:
    """Weights of whole series."""
    if weights is None or time not in weights.dims:
        return weights
    return weights.mean(time, skipna=False)


def _power(field: xr.DataArray, source: xr.DataArray, time: str) -> xr.DataArray:
    """Power by frequency of every series; `source` carries the times."""
    count = field.sizes[time]
    step, unit = _step_of(source, time)

    def of_series(values: Array) -> Array:
        values = values.astype(np.float64)
        modes = np.fft.rfft(values - values.mean(-1, keepdims=True), axis=-1)[..., 1:]
        both = np.full(count // 2, 2.0)
        if count % 2 == 0:
            both[-1] = 1.0  # the Nyquist frequency has one sign only
        power: Array = (modes.real**2 + modes.imag**2) * both / count**2
        return power

    power: xr.DataArray = xr.apply_ufunc(
        of_series,
        field.chunk({time: -1}) if field.chunks else field,
        input_core_dims=[[time]],
        output_core_dims=[["frequency"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"frequency": count // 2}},
        output_dtypes=[np.float64],
    )
    frequencies = np.arange(1, count // 2 + 1) / (count * step)
    attrs = {"long_name": "frequency", "units": unit}
    return power.assign_coords(frequency=("frequency", frequencies, attrs))


def _step_of(field: xr.DataArray, time: str) -> tuple[float, str]:
    """Length of a step, and the units of the frequencies."""
    if field.sizes[time] < 2:
        msg = "a spectrum in time needs at least 2 steps, found 1. Pass a longer field."
        raise TimeAxisError(msg)
    if time not in field.coords or not holds_times(field[time]):
        return 1.0, "cycles per step"
    steps = np.diff(field[time].values)
    hours = np.array([step / np.timedelta64(1, "h") for step in steps.astype("timedelta64[ns]")])
    if np.abs(hours - hours.mean()).max() > _REGULAR * abs(hours.mean()):
        msg = (
            f"steps of {time!r} lie between {hours.min():g} and {hours.max():g} hours, but a spectrum needs equal "
            "ones. "
            f"Use a piece without gaps with .sel({time}=slice(...)), or fill gaps with .resample(...).interpolate()."
        )
        raise TimeAxisError(msg)
    return float(hours.mean()), "h-1"
