"""Power by wavenumber, and how far the spectrum of forecasts is from that of observations.

The definition is fixed here, because distances of spectra called "log-spectral distance" differ twentyfold:
power of the two-dimensional Fourier transform without the mean, averaged over rings of whole wavenumbers up
to the Nyquist wavenumber, averaged over the sample *before* the logarithm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, TimeAxisError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.space import spacing
from xdownscale.metrics.cases import Dim, Weights, average, pair
from xdownscale.metrics.frames import on_frames, whole
from xdownscale.metrics.labels import dress, squared_units, units_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Window: TypeAlias = Literal["hann"] | None

_FLOOR = 1e-10
"""Power below this share of the observations' largest is taken for this share: 100 dB down is rounding."""


def power_spectrum(
    field: xr.DataArray,
    *,
    dim: Dim = None,
    window: Window = None,
    skipna: bool = False,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Radially averaged power.

    The mean over rings of |F|²/N², F the Fourier transform without the mean over the N cells of a frame.

    Parameters
    ----------
    field : DataArray
        With two space dimensions, evenly spaced.
    dim : str or iterable of str, optional
        Other dimensions to average the power over; None for all.
    window : "hann" or None
        Taper against the jump between opposite borders, which otherwise hides steep spectra.
    skipna : bool
        Whether to leave out frames with missing values; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        With the dimension ``wavenumber``, in cycles per unit of the space coordinates (per cell without
        them).

    Raises
    ------
    DimensionError
        If the space dimensions are not found or not evenly spaced.

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * 3 * np.arange(16) / 16)
    >>> spectrum = power_spectrum(xr.DataArray(np.tile(wave, (16, 1)), dims=("y", "x")))
    >>> float(spectrum.idxmax() * 16)
    3.0
    """
    axes = find_axes(field, dims=dims)
    power = ring_power(whole(field.reset_coords(drop=True), axes), field, axes, window)
    others = tuple(d for d in power.dims if d != "wavenumber")
    chosen = others if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    unknown = [d for d in chosen if d not in field.dims]
    if unknown:
        msg = f"dim names {unknown}, but the field has the dimensions {tuple(field.dims)}. Name these."
        raise DimensionError(msg)
    score = average(power, tuple(str(d) for d in chosen if d in others), None, skipna=skipna)
    units = squared_units(units_of(field))
    return dress(score, field, name="power_spectrum", long_name="radially averaged power", units=units)


def lsd(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    window: Window = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = None,
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
    weights: Weights = None,
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
    weights: Weights = None,
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
    weights : DataArray or "area", optional
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


def ring_power(field: xr.DataArray, source: xr.DataArray, axes: Axes, window: Window) -> xr.DataArray:
    """Power by ring for every frame; `source` carries the space coordinates."""
    shape = (field.sizes[axes.y], field.sizes[axes.x])
    ring, wavenumbers = _ring_of(shape, (abs(spacing(source, axes.y)), abs(spacing(source, axes.x))))
    if wavenumbers.size == 0:
        msg = f"a spectrum needs at least 2 by 2 cells, found {shape}. Give a larger field."
        raise DimensionError(msg)
    power: xr.DataArray = xr.apply_ufunc(
        _mean_power,
        field,
        input_core_dims=[list(axes.spatial)],
        output_core_dims=[["wavenumber"]],
        kwargs={"ring": ring, "count": wavenumbers.size, "window": window},
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"wavenumber": wavenumbers.size}},
        output_dtypes=[np.float64],
    )
    units = source[axes.x].attrs.get("units") if axes.x in source.coords else "cell"
    attrs = {"long_name": "wavenumber"} | ({"units": f"cycles per {units}"} if units else {})
    return power.assign_coords(wavenumber=("wavenumber", wavenumbers, attrs))


def _ring_of(shape: tuple[int, int], steps: tuple[float, float]) -> tuple[Array, Array]:
    """Ring number of every mode of a real transform, −1 outside, and the wavenumbers of the rings.

    Rings are one wavenumber of the longer side wide; the last is the Nyquist wavenumber of the coarser
    spacing.
    """
    along_y = np.fft.fftfreq(shape[0], steps[0])
    along_x = np.fft.rfftfreq(shape[1], steps[1])
    width = 1 / max(shape[0] * steps[0], shape[1] * steps[1])
    ring = np.rint(np.hypot(along_y[:, None], along_x[None, :]) / width).astype(int)
    last = int(np.floor(min(abs(along_y).max(), along_x.max()) / width + 1e-9))
    return np.where((ring >= 1) & (ring <= last), ring, 0) - 1, width * np.arange(1, last + 1)


def _mean_power(frames: Array, *, ring: Array, count: int, window: Window) -> Array:
    """Mean power of the modes in each ring, shape (..., count)."""
    height, width = frames.shape[-2:]
    taper = np.outer(_hann(height), _hann(width)) if window == "hann" else np.ones((height, width))
    taper = (taper / np.sqrt(np.mean(taper**2))).astype(frames.dtype)
    # A real transform keeps half of the modes: all but the first and (even width) last column stand for two.
    twice = np.full(width // 2 + 1, 2.0)
    twice[0] = 1.0
    twice[-1] = 1.0 if width % 2 == 0 else 2.0
    share = np.broadcast_to(twice, ring.shape)
    slot = ring.ravel() + 1  # what lies outside the rings falls into slot 0
    modes_of = np.bincount(slot, weights=share.ravel(), minlength=count + 1)[1:]
    result = np.empty((*frames.shape[:-2], count))
    for place in np.ndindex(frames.shape[:-2]):
        frame = frames[place]
        modes = np.fft.rfft2((frame - frame.mean(dtype=np.float64).astype(frame.dtype)) * taper)
        power = np.square(modes.real, dtype=np.float64) + np.square(modes.imag, dtype=np.float64)
        totals = np.bincount(slot, weights=(power * share).ravel(), minlength=count + 1)[1:]
        result[place] = totals / modes_of / (height * width) ** 2
    return result


def _hann(size: int) -> Array:
    """Periodic Hann window on cell centres."""
    return np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
