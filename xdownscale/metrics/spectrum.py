"""Power by wavenumber.

Definition: power of the two-dimensional Fourier transform without the mean, averaged over rings of integer wavenumbers
up to the Nyquist wavenumber.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.space import spacing
from xdownscale.metrics.cases import Dim, average
from xdownscale.metrics.frames import whole
from xdownscale.metrics.labels import dress, squared_units, units_of
from xdownscale.metrics.scorable import scorable

if TYPE_CHECKING:
    from collections.abc import Mapping

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Window: TypeAlias = Literal["hann"] | None


def power_spectrum(
    field: xr.DataArray,
    *,
    dim: Dim = None,
    window: Window = None,
    skipna: bool = False,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Radially averaged power.

    The mean over rings of |F|²/N², where F is the Fourier transform of a frame of N cells without its mean.

    Parameters
    ----------
    field : DataArray
        With two space dimensions, evenly spaced.
    dim : str or iterable of str, optional
        Other dimensions to average the power over; None for all.
    window : "hann" or None
        Taper that removes the jump between opposite borders, which otherwise masks steep spectra.
    skipna : bool
        Whether to leave out frames with missing values; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        With the dimension ``wavenumber``, in cycles per unit of the space coordinates (per cell without
        them).

    Raises
    ------
    DimensionError
        If the space dimensions are not found or not evenly spaced.

    See Also
    --------
    xdownscale.metrics.lsd : Log-spectral distance.
    xdownscale.metrics.temporal_spectrum : Power by frequency.
    xdownscale.plot.spectra : The same as a plot.

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * 3 * np.arange(16) / 16)
    >>> spectrum = power_spectrum(xr.DataArray(np.tile(wave, (16, 1)), dims=("y", "x")))
    >>> float(spectrum.idxmax() * 16)
    3.0
    """
    field = scorable(field, "field")
    axes = find_axes(field, dims=dims)
    power = ring_power(whole(field.reset_coords(drop=True), axes), field, axes, window)
    others = tuple(d for d in power.dims if d != "wavenumber")
    chosen = others if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    unknown = [d for d in chosen if d not in field.dims]
    if unknown:
        msg = f"dim names {unknown}, but the field has the dimensions {tuple(field.dims)}. Use these."
        raise DimensionError(msg)
    score = average(power, tuple(str(d) for d in chosen if d in others), None, skipna=skipna)
    units = squared_units(units_of(field))
    return dress(score, field, name="power_spectrum", long_name="radially averaged power", units=units)


def ring_power(field: xr.DataArray, source: xr.DataArray, axes: Axes, window: Window) -> xr.DataArray:
    """Power by ring for every frame; `source` has the space coordinates."""
    shape = (field.sizes[axes.y], field.sizes[axes.x])
    ring, wavenumbers = _ring_of(shape, (abs(spacing(source, axes.y)), abs(spacing(source, axes.x))))
    if wavenumbers.size == 0:
        msg = f"a spectrum needs at least 2 by 2 cells, found {shape}. Pass a larger field."
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

    The width of a ring is one wavenumber of the longer side; the last ring is the Nyquist wavenumber of the
    coarser spacing.
    """
    along_y = np.fft.fftfreq(shape[0], steps[0])
    along_x = np.fft.rfftfreq(shape[1], steps[1])
    width = 1 / max(shape[0] * steps[0], shape[1] * steps[1])
    last = int(np.floor(min(abs(along_y).max(), along_x.max()) / width + 1e-9))
    distance = np.rint(np.hypot(along_y[:, None], along_x[None, :]) / width)
    ring = np.minimum(distance, last + 1).astype(int)  # far outside it may be more than a whole number holds
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
