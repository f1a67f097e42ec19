r"""RainFARM: coarse rain disaggregated with a log-normal field that has the spectrum of the coarse field.

Rebora et al. (2006) extend the power law of the coarse field to the fine scales: a Gaussian field of unit variance with

    |ĝ(k, ω)|² ∝ |k|^{−α} |ω|^{−β}

and random phases is transformed to r̃ = exp(g) and scaled in every coarse cell, P = r̃ · c / mean(r̃), so that block
means are those of the coarse field. α and β are the slopes of the coarse field's spectra in space and in time.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.baselines.fields import Coarse
from xdownscale.errors import EmptyFieldError, QuantityError
from xdownscale.field.arguments import seed_number, whole_number
from xdownscale.field.block_means import match_means
from xdownscale.field.checks import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from numpy.typing import NDArray

    from xdownscale.kernels.blocks import Blocks

__all__ = ["rainfarm", "rainfarm_array", "spectral_slopes"]

FEWEST = 8
"""Minimum number of cells along a side, and of steps, for the estimate of a slope."""


def rainfarm(
    field: xr.DataArray,
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    members: int = 1,
    seed: int = 0,
    slopes: tuple[float, float] | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """An ensemble of fine rain fields by RainFARM in space and time, a stochastic baseline without training.

    Parameters
    ----------
    field : DataArray, dims (time, y, x) or (y, x)
        Coarse rain; missing cells stay missing. A lazy field stays lazy: every member is one chunk, since its
        wavelengths are as long as the domain.
    spatial : int or (int, int)
        Fine cells per coarse cell, for both axes or for (y, x).
    temporal : int
        Fine steps per coarse step.
    members : int
        Number of members. Member 3 of 4 equals member 3 of 64.
    seed : int
        Another seed gives another ensemble.
    slopes : (float, float), optional
        α of the power spectrum in space, and β in time. None estimates them from `field`
        (:func:`spectral_slopes`).
    dims : mapping, optional
        Names of dimensions by role, where they are not recognised.

    Returns
    -------
    DataArray, dims (member, time, y, x)
        In the units of `field`, with the coordinates of the fine grid. Block means are those of `field`.

    Raises
    ------
    DimensionError, TimeAxisError, EmptyFieldError, ArgumentError
        The message names the call that fixes it.
    QuantityError
        If values are negative, since the method is for rain; for lazy fields when they are computed.

    References
    ----------
    Rebora et al. (2006), doi:10.1175/JHM517.1; D'Onofrio et al. (2014), doi:10.1175/JHM-D-13-096.1.

    Examples
    --------
    >>> import xdownscale
    >>> coarse = xdownscale.tutorial.rain((24, 80, 80)).sr.coarsen(spatial=8, temporal=3)
    >>> ensemble = rainfarm(coarse, spatial=8, temporal=3, members=2)
    >>> dict(ensemble.sizes)
    {'member': 2, 'time': 24, 'y': 80, 'x': 80}
    """
    given, seed = Coarse.of(field, spatial, temporal, dims), seed_number(seed)
    count = whole_number(members, "members", least=1)
    draw = functools.partial(
        _member, blocks=given.blocks, slopes=slopes, areas=given.areas, name=name_of(given.field), seed=seed
    )
    fine: Any
    if isinstance(given.values, np.ndarray):
        fine = np.stack([draw(given.values, member=member) for member in range(count)])
    else:
        import dask.array

        whole = given.values.rechunk(-1)
        lazily = functools.partial(
            dask.array.map_blocks,
            draw,
            whole,
            chunks=given.shape,
            dtype=np.float32,
            meta=np.empty((0, 0, 0), np.float32),
        )
        fine = dask.array.stack([lazily(member=member) for member in range(count)])  # type: ignore[no-untyped-call]
    line = f"rainfarm(spatial={given.factors.spatial}, temporal={given.factors.time}, members={count}, seed={seed})"
    return given.dressed(fine, line)


def _member(
    coarse: NDArray[np.float64],
    *,
    blocks: Blocks,
    slopes: tuple[float, float] | None,
    areas: NDArray[np.float64],
    name: str,
    seed: int,
    member: int,
) -> NDArray[np.float32]:
    """One member, for a field in memory."""
    if (coarse < 0).any():
        msg = f"{name!r} has negative values, and RainFARM is for rain. Use xdownscale.interpolate."
        raise QuantityError(msg)
    chosen = spectral_slopes(coarse) if slopes is None else (float(slopes[0]), float(slopes[1]))
    random = np.random.default_rng([seed, member])
    return rainfarm_array(coarse, blocks, chosen, areas=areas, random=random).astype(np.float32)


def rainfarm_array(
    coarse: NDArray[np.float64],
    blocks: Blocks,
    slopes: tuple[float, float],
    *,
    random: np.random.Generator,
    areas: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """One member.

    Parameters
    ----------
    coarse : array, shape (K, M, N)
        Rain, zero or more; NaN where missing.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    slopes : (float, float)
        α and β.
    random : Generator
    areas : array, shape (S_y·M, 1) or (S_y·M, S_x·N), optional
        Relative areas of the fine cells, by which block means are weighted. None gives equal weights.

    Returns
    -------
    array, shape (T·K, S_y·M, S_x·N)
    """
    shape = tuple(size * block for size, block in zip(coarse.shape, blocks, strict=True))
    weights = np.ones((shape[1], 1)) if areas is None else areas
    positive = np.exp(_gaussian(shape, slopes, random))
    return np.asarray(match_means(positive, coarse, weights, blocks, ratio=True))


def _gaussian(
    shape: tuple[int, ...], slopes: tuple[float, float], random: np.random.Generator
) -> NDArray[np.float64]:
    """A periodic Gaussian field (time, y, x) of mean 0 and variance 1 with the required spectrum.

    Frequency zero gets the value of one cycle per series, since a power law has no value at zero.
    """
    steps, rows, columns = shape
    k = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None])
    omega = np.maximum(np.abs(np.fft.fftfreq(steps)), 1 / steps)
    k[0, 0] = 1.0
    amplitude = omega[:, None, None] ** (-slopes[1] / 2) * k ** (-slopes[0] / 2)
    amplitude[:, 0, 0] = 0.0
    waves = np.fft.rfftn(random.standard_normal(shape)) * amplitude
    field = np.fft.irfftn(waves, s=shape, axes=(0, 1, 2))
    spread = field.std()
    return np.asarray(field / spread if spread > 0 else field)


def spectral_slopes(coarse: NDArray[np.float64]) -> tuple[float, float]:
    """Slopes α and β of the power spectra of a field in space and in time.

    Parameters
    ----------
    coarse : array, shape (K, M, N)
        NaN counts as no rain. For a single step, β is 0.

    Raises
    ------
    EmptyFieldError
        If there are too few cells or steps, or no rain.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((64, 32, 32))
    >>> alpha, beta = spectral_slopes(noise)
    >>> abs(alpha) < 0.1, abs(beta) < 0.1
    (True, True)
    """
    steps, rows, columns = coarse.shape
    few = [size for size in (rows, columns, *([steps] if steps > 1 else [])) if size < FEWEST]
    values = np.nan_to_num(coarse)
    if few or not np.any(values - values.mean()):
        msg = (
            f"spectral slopes cannot be estimated from {coarse.shape} (time, y, x) coarse values: {FEWEST} along each "
            f"axis, and some rain, are needed. Pass them, as in rainfarm(..., slopes=(2.5, 1.5))."
        )
        raise EmptyFieldError(msg)
    plane = (np.abs(np.fft.fft2(values)) ** 2).mean(0)
    k = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None])
    along = np.asarray((np.abs(np.fft.rfft(values, axis=0)) ** 2).mean((1, 2)), np.float64)
    frequencies = np.asarray(np.fft.rfftfreq(steps), np.float64)
    return _slope(k.ravel(), plane.ravel()), _slope(frequencies, along) if steps > 1 else 0.0


def _slope(frequency: NDArray[np.float64], power: NDArray[np.float64]) -> float:
    """Minus the slope of mean power against frequency in double logarithms, in bins of equal width in the logarithm."""
    inside = (frequency > 0) & (frequency <= 0.5)
    logs = np.log(frequency[inside])
    bins = np.linspace(logs.min(), logs.max() + 1e-9, 9)
    number = np.digitize(logs, bins)
    filled = [n for n in np.unique(number) if power[inside][number == n].mean() > 0]
    x = [logs[number == n].mean() for n in filled]
    y = [np.log(power[inside][number == n].mean()) for n in filled]
    return float(-np.polyfit(x, y, 1)[0]) if len(filled) > 1 else 0.0
