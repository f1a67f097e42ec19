"""How far the spectrum of forecasts is from that of observations, and what of it is chance.

The definition is fixed here, because distances of spectra called "log-spectral distance" differ twentyfold: power of
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
"""Power below this share of the observations' largest is taken for this share: 100 dB down is rounding."""


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
    """Log-spectral distance of forecasts from observations.

    The root mean square over wavenumbers of 10 log₁₀(power of the forecasts / power of the observations).
    Power is averaged over `dim` and the members first, as :func:`power_spectrum` does; it is that of single members,
    not of their mean. Frames that are dry on both sides have no part in it: :func:`dry_frames` counts them. Two
    independent samples of one process are not at distance 0: n frames against n give about 6/√(n·c) dB at a wavenumber
    with c independent modes; :func:`lsd_noise_floor` measures it.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, evenly spaced; these are always used up.
    window : "hann" or None
        Taper against the jump between opposite borders.
    dim, member_dim, weights, keep_attrs
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether to leave out frames with a missing value in observation or any member; otherwise they give
        NaN.
    dims : mapping, optional
        Names of dimensions by role, as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        In dB. NaN where the observations have no power at all.

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
    """Log-spectral distance of one half of the observations from the other: what :func:`lsd` cannot fall below by much.

    Every second frame in time against those between, with half as many frames as :func:`lsd` has; divide by √2 for the
    floor of two samples of the whole length, by 2 for forecasts of many members.

    Parameters
    ----------
    observations, forecasts, window, dim, member_dim, weights, skipna, keep_attrs, dims
        As in :func:`lsd`, on the cases that it counts; time is always used up. Forecasts say which cases these are.

    Returns
    -------
    DataArray
        In dB. NaN where a half of the observations has no power at all.

    Raises
    ------
    TimeAxisError
        If there are fewer than two times.

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
        msg = f"the noise floor compares halves of the observations, which have {steps} time. Give a longer field."
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
    """Number of frames that have no power in the observations nor in any member, and so no part in :func:`lsd`.

    Leaving them out or keeping them gives the same distance, since they lower the power of both by the same factor.
    Frames that are dry on one side only count there: spurious and missing rain shall show.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions; these are always used up.
    dim, member_dim, skipna, keep_attrs, dims
        As in :func:`lsd`.
    weights : DataArray, "area" or None
        Taken for the form's sake; frames are counted.

    Returns
    -------
    DataArray
        A count, without units.

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
