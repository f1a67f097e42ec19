"""Distance between the spectra of forecasts and observations, and the part of it that is due to sampling.

Distances called "log-spectral distance" differ by a factor of twenty. Here it is defined by the power of
:func:`~xdownscale.metrics.power_spectrum`, averaged over the sample *before* the logarithm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import TimeAxisError
from xdownscale.field.axes import find_axes
from xdownscale.metrics.cases import Dim, Weights, average, pair
from xdownscale.metrics.frames import on_frames
from xdownscale.metrics.labels import dress
from xdownscale.metrics.spectrum import Window, ring_power

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLOOR = 1e-10
"""Power below this share of the observations' maximum is set to this share: 100 dB below is rounding error."""


def lsd(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    window: Window = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Log-spectral distance between forecasts and observations.

    The root mean square over wavenumbers of 10 log₁₀(power of the forecasts / power of the observations).
    Power is first averaged over `dim` and the members, as in :func:`power_spectrum`; it is the power of single members,
    not of their mean. Frames that are dry in both fields do not contribute: :func:`dry_frames` counts them. The
    distance between two independent samples of one process is not 0: n frames against n frames give about 6/√(n·c) dB
    at a wavenumber with c independent modes; :func:`lsd_noise_floor` measures it.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, evenly spaced; these are always used up.
    window : "hann" or None
        Taper that removes the jump between opposite borders.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether to leave out frames with a missing value in observation or any member; otherwise they give
        NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

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
    xdownscale.metrics.energy_log_ratio : Mean absolute log ratio of the spectra.
    xdownscale.metrics.lsd_noise_floor : Log-spectral distance due to sampling.
    xdownscale.metrics.power_spectrum : Power by wavenumber.
    xdownscale.metrics.temporal_lsd : Log-spectral distance in time.

    Examples
    --------
    >>> truth = xr.DataArray(np.random.default_rng(0).normal(size=(32, 32)), dims=("y", "x"))
    >>> float(lsd(truth, truth)), round(float(lsd(truth, 0.1 * truth)), 6)
    (0.0, 20.0)
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    truth = ring_power(frames.observations, observations, axes, window)
    power = ring_power(frames.forecasts, observations, axes, window).mean(member_dim, skipna=False)
    complete = truth.notnull() & power.notnull()
    truth, power = (frames.average(p.where(complete)) for p in (truth, power))
    score = decibels_between(truth, power, "wavenumber")
    return dress(
        score, observations, name="lsd", long_name="log-spectral distance", units="dB", keep_attrs=keep_attrs
    )


def energy_log_ratio(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    window: Window = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Mean energy log ratio: the mean over wavenumbers of |ln(power of the forecasts / power of the observations)|.

    Unlike :func:`lsd`, the score uses absolute values of natural logarithms instead of squares, so wavenumbers with
    large errors have less weight. All wavenumbers have equal weight (the unweighted form of Wan et al. 2023,
    arXiv:2305.15618).

    Parameters
    ----------
    observations, forecasts, window, dim, member_dim, weights, skipna, keep_attrs, dims : DataArray, and options
        As in :func:`lsd`.

    Returns
    -------
    DataArray
        Without units. NaN where the observations have no power.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.lsd : Log-spectral distance.

    References
    ----------
    Wan et al. (2023), debias coarsely, sample conditionally, arXiv:2305.15618.

    Examples
    --------
    >>> truth = xr.DataArray(np.random.default_rng(0).normal(size=(32, 32)), dims=("y", "x"))
    >>> float(energy_log_ratio(truth, truth)), round(float(energy_log_ratio(truth, np.e * truth)), 6)
    (0.0, 2.0)
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    truth = ring_power(frames.observations, observations, axes, window)
    power = ring_power(frames.forecasts, observations, axes, window).mean(member_dim, skipna=False)
    complete = truth.notnull() & power.notnull()
    truth, power = (frames.average(p.where(complete)) for p in (truth, power))
    peak = truth.max("wavenumber", skipna=False)
    floor = _FLOOR * peak.where(peak > 0)
    ratio = power.clip(min=floor) / truth.clip(min=floor)
    logarithms: xr.DataArray = abs(xr.ufuncs.log(ratio))
    score = logarithms.mean("wavenumber", skipna=False)
    title = "mean energy log ratio of spectra"
    return dress(
        score, observations, name="energy_log_ratio", long_name=title, units="1", keep_attrs=keep_attrs
    )


def lsd_noise_floor(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    window: Window = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Log-spectral distance between two halves of the observations: an approximate lower limit of :func:`lsd`.

    Frames with even index in time are compared with those with odd index, so each half has half as many frames as
    :func:`lsd` uses. Divide by √2 for the floor of two samples of the whole length, and by 2 for forecasts of many
    members.

    Parameters
    ----------
    observations, forecasts, window, dim, member_dim, weights, skipna, keep_attrs, dims : DataArray, and options
        As in :func:`lsd`, on the same cases; time is always reduced. The forecasts only determine which cases these
        are.

    Returns
    -------
    DataArray
        In dB. NaN where a half of the observations has no power.

    Raises
    ------
    TimeAxisError
        If there are fewer than two times.

    See Also
    --------
    xdownscale.metrics.lsd : Log-spectral distance.

    Examples
    --------
    >>> truth = xr.DataArray(np.random.default_rng(0).normal(size=(8, 32, 32)), dims=("time", "y", "x"))
    >>> 0 < float(lsd_noise_floor(truth, truth)) < 3
    True
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    time = str(find_axes(observations, dims=dims, need_time=True).time)
    steps = observations.sizes[time]
    if steps < 2:
        msg = f"the noise floor compares halves of the observations, which have {steps} time step. Pass a longer field."
        raise TimeAxisError(msg)
    known = frames.complete.all(axes.spatial)
    power = ring_power(frames.observations, observations, axes, window).where(known)
    over = tuple(dict.fromkeys((*frames.dims, time)))
    halves = []
    for start in (0, 1):
        at = {time: slice(start, None, 2)}
        share = frames.weights
        share = share.isel(at) if share is not None and time in share.dims else share
        halves.append(average(power.isel(at), over, share, skipna=skipna))
    score = decibels_between(halves[0], halves[1], "wavenumber")
    title = "log-spectral distance of halves of the observations"
    return dress(
        score, observations, name="lsd_noise_floor", long_name=title, units="dB", keep_attrs=keep_attrs
    )


def dry_frames(
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
    """Number of frames without power in the observations and in all members, which do not contribute to :func:`lsd`.

    The distance is the same with and without them, since they reduce the power of both fields by the same factor.
    Frames that are dry in one field only do contribute, so that spurious and missing rain are scored.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    dim, member_dim : optional
        As in :func:`lsd`.
    weights : DataArray, "area" or None
        Accepted for a uniform signature; frames are counted.
    skipna, keep_attrs, dims : optional
        As in :func:`lsd`.

    Returns
    -------
    DataArray
        A count, without units.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.lsd : Log-spectral distance.

    Examples
    --------
    >>> truth = xr.DataArray(np.random.default_rng(0).random((3, 4, 4)), dims=("time", "y", "x"))
    >>> truth[0] = 0
    >>> float(dry_frames(truth, truth))
    1.0
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    known = frames.complete.all(axes.spatial)
    even = [
        part.max(axes.spatial) == part.min(axes.spatial) for part in (frames.observations, frames.forecasts)
    ]
    dry = (even[0] & even[1].all(member_dim)).astype(np.float64).where(known)
    some = known.any(frames.dims)
    score = dry.sum(frames.dims, skipna=skipna).where(some) if frames.dims else dry
    title = "number of frames without any variation"
    return dress(score, observations, name="dry_frames", long_name=title, units="1", keep_attrs=keep_attrs)


def decibels_between(truth: xr.DataArray, power: xr.DataArray, along: str) -> xr.DataArray:
    """Root mean square of the ratio of two spectra in dB, with a floor 100 dB below the peak of the first."""
    peak = truth.max(along, skipna=False)
    floor = _FLOOR * peak.where(peak > 0)
    ratio = power.clip(min=floor) / truth.clip(min=floor)
    decibels = 10 * xr.apply_ufunc(np.log10, ratio, dask="parallelized", output_dtypes=[np.float64])
    distance: xr.DataArray = (decibels**2).mean(along, skipna=False) ** 0.5
    return distance
