"""Rain to try things on: seeded, advected, intermittent and heavy-tailed, made of numpy alone.

A Gaussian field ``g`` with a power-law spectrum is carried along by a constant wind and slowly forgets itself, small
scales sooner than large ones, as in STEPS (doi:10.1256/qj.04.100). Rain is its exceedance of a threshold:
``P = max(a (exp(b (g - threshold)) - 1), 0)``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from xdownscale.field.arguments import whole_number
from xdownscale.tutorial.spectral import check_request, grid_coords, white_noise

__all__ = ["rain"]

_TORUS = 384
"""Least size, in cells, of the periodic domain whose corner is returned: a smaller field is a crop of a larger one."""

_OUTER = 30e3
"""Length in metres (wavelength over 2π) above which the spectrum is flat."""

_SLOPE = 3.1
"""Slope of the two-dimensional power spectrum below it."""

_LIFETIME = 25 * 60.0
"""Seconds in which a pattern of 10 km is forgotten to 1/e."""

_LIFETIME_SLOPE = 0.9
"""Growth of lifetime with wavelength."""

_WIND = (8.0, 16.0)
"""Least and largest speed in m/s."""

_THRESHOLD = 0.8
"""Standard deviations above which it rains: 21 % of a standard normal variable."""

_AMOUNT, _TAIL = 1.15, 1.3
"""Amount a in mm/h and exponent b: the median of wet rates is 0.9 mm/h, one cell in a thousand exceeds 21 mm/h."""

_LEAST = 0.1
"""Smallest rate in mm/h that a radar would tell from none."""


def rain(
    shape: tuple[int, int, int] = (36, 240, 240),
    *,
    seed: int = 0,
    step: str = "5min",
    spacing: float = 1000.0,
) -> xr.DataArray:
    """Rain rates of an imaginary radar.

    Up to 384 cells a side, a smaller field is a crop of a larger one with the same seed, and a shorter series the
    beginning of a longer one.

    Parameters
    ----------
    shape : (int, int, int)
        Steps, rows and columns.
    seed : int
        Another seed gives other weather; the same one gives the same values.
    step : str
        Time step, as pandas writes it.
    spacing : float
        Cell size in metres.

    Returns
    -------
    DataArray, dims (time, y, x), float32
        Rain rate in mm/h, zero below 0.1, with CF attributes.

    Raises
    ------
    EmptyFieldError
        If a size is below one.
    ValueRangeError
        If the time step or the cell size is not positive.

    See Also
    --------
    xdownscale.tutorial.weather : Simulated temperature, wind and humidity.

    References
    ----------
    Bowler, Pierce and Seed (2006), STEPS, doi:10.1256/qj.04.100.

    Examples
    --------
    >>> field = rain((3, 60, 80))
    >>> dict(field.sizes)
    {'time': 3, 'y': 60, 'x': 80}
    >>> field.attrs["units"]
    'mm h-1'
    """
    steps, rows, columns = shape
    seed = whole_number(seed, "seed", least=0)
    seconds = check_request(shape, step, spacing, call="rain((36, 240, 240))")
    torus = max(_TORUS, rows, columns)
    frames = _patterns(torus, np.random.default_rng(seed), seconds, spacing)
    rates = np.stack([_rates(next(frames)[:rows, :columns]) for _ in range(steps)])
    return _dressed(rates, seconds, spacing, seed)


def _patterns(size: int, chance: np.random.Generator, seconds: float, spacing: float) -> Iterator[np.ndarray]:
    """Standard Gaussian fields, one step after another: ``z' = φ z exp(-i k·u Δt) + sqrt(1 - φ²) ε``."""
    ky = 2 * np.pi * np.fft.fftfreq(size, spacing)[:, None]
    kx = 2 * np.pi * np.fft.rfftfreq(size, spacing)[None, :]
    k = np.hypot(ky, kx)
    speed, angle = chance.uniform(*_WIND), chance.uniform(0, 2 * np.pi)
    path = speed * seconds * (np.sin(angle) * ky + np.cos(angle) * kx)
    wavelength = 2 * np.pi / np.maximum(k, k[0, 1])
    memory = np.exp(-seconds / (_LIFETIME * (wavelength / 10e3) ** _LIFETIME_SLOPE))
    carry = (memory * np.exp(-1j * path)).astype(np.complex64)
    amplitude = _amplitude(k, size)
    fresh = (amplitude * np.sqrt(1 - memory**2)).astype(np.float32)
    state = amplitude.astype(np.float32) * white_noise(size, chance)
    while True:
        yield np.fft.irfft2(state, s=(size, size))
        state = carry * state + fresh * white_noise(size, chance)


def _amplitude(k: np.ndarray, size: int) -> np.ndarray:
    """Square root of the spectrum ``(1 + (k L)²)^(-slope/2)``, such that the field has variance one and mean zero."""
    power = (1 + (k * _OUTER) ** 2) ** (-_SLOPE / 2)
    power[0, 0] = 0
    twice = np.full(k.shape[1], 2.0)  # a real transform keeps one of every conjugate pair of columns
    twice[0] = 1
    twice[-1] = 1 if size % 2 == 0 else 2
    scaled: np.ndarray = np.sqrt(power * size**2 / (power * twice).sum())
    return scaled


def _rates(pattern: np.ndarray) -> np.ndarray:
    """Rain rate in mm/h of a standard Gaussian field."""
    rates = _AMOUNT * np.expm1(_TAIL * np.maximum(pattern - _THRESHOLD, 0))
    return np.where(rates < _LEAST, 0, rates).astype(np.float32)


def _dressed(rates: np.ndarray, seconds: float, spacing: float, seed: int) -> xr.DataArray:
    """The rates as a CF field on a projected grid; a time label is the start of its step."""
    attrs = {
        "long_name": "rain rate",
        "standard_name": "rainfall_rate",
        "units": "mm h-1",
        "cell_methods": "time: mean area: mean",
        "source": f"xdownscale.tutorial.rain, seed {seed}",
    }
    coords = grid_coords(rates.shape, seconds, spacing)
    return xr.DataArray(rates, dims=("time", "y", "x"), coords=coords, name="rain", attrs=attrs)
