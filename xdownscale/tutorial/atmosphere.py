"""Weather of several variables whose joint law is known: one Gaussian process in wave space, and rain as its function.

Four independent processes ζ_j (:data:`PROCESSES`) of unit power live on every wave k of a periodic domain. They are
carried along by a constant wind U and forget themselves, small scales sooner than large ones:

    ζ_j(k, t + Δt) = φ(k)·e^{−ik·UΔt}·ζ_j(k, t) + √(1 − φ(k)²)·ε ,   φ(k) = exp(−Δt/τ(k)).

Every variable is a linear map of them, v_i(k) = Σ_j M_ij(k)·ζ_j(k):

* streamfunction ψ = A_ψ ζ_0, with a power law steep enough that the wind has kinetic energy k^−3;
* pressure from geostrophic balance, p = p₀ + ρ f ψ;
* wind u = U − ∂ψ/∂y, v = V + ∂ψ/∂x, which has no divergence;
* temperature, shared with ψ by :data:`WARM` (highs are warm, as in summer), the rest its own process ζ_1;
* specific humidity, shared with ψ and with temperature, the rest ζ_2;
* a driver g of rain, shared with ψ (it rains in lows), temperature and humidity, the rest ζ_3; the rain rate is its
  exceedance of a threshold, P = max(a (exp(b (g − threshold)) − 1), 0).

So all variables but rain are jointly Gaussian with mean :attr:`Law.means` and the cross-covariance
C_ij(τ, d) = IFFT(Σ_l M_il M_jl* · φ^{|τ|} e^{−ik·Uτ})(d), and rain is a known function of a Gaussian field. Posteriors
given block means follow in closed form (:meth:`Law.covariance`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xdownscale.errors import ValueRangeError
from xdownscale.field.arguments import whole_number
from xdownscale.tutorial.spectral import check_request, grid_coords, white_noise

__all__ = ["Law", "weather", "weather_law"]

_TORUS = 128
"""Least size, in cells, of the periodic domain whose corner is returned: a smaller field is a crop of a larger one."""

PROCESSES = ("streamfunction", "temperature", "humidity", "rain")
"""What the independent processes add."""

GAUSSIAN = ("psl", "uas", "vas", "tas", "huss")
"""The variables that are jointly Gaussian."""

_CORIOLIS, _DENSITY = 1e-4, 1.2
"""f in s⁻¹ at middle latitudes, ρ in kg m⁻³."""

_OUTER = 150e3
"""Length in metres (wavelength over 2π) above which spectra are flat."""

_SLOPE_PSI, _SLOPE = 6.0, 3.4
"""Slopes of the two-dimensional power spectra of ψ and of temperature, humidity and the driver of rain."""

_LIFETIME, _LIFETIME_SLOPE = 6 * 3600.0, 0.9
"""Seconds in which a pattern of 100 km is forgotten to 1/e, and growth of lifetime with wavelength."""

_WIND_SPEED = 6.0
"""Standard deviation in m/s of each component of the wind about its mean."""

_MEANS = {"psl": 101_300.0, "tas": 288.0, "huss": 8.0e-3}
"""Means in Pa, K and kg/kg; those of the wind are the wind that carries the patterns."""

_SCALES = {"tas": 3.0, "huss": 1.2e-3}
"""Standard deviations in K and kg/kg: 6.7 of them lie between humidity and zero."""

WARM = 0.5
"""Share of ψ in the standardised temperature."""

HUMID = (0.2, 0.6)
"""Shares of ψ and of the temperature's own process in the standardised humidity."""

RAINY = (-0.45, 0.1, 0.5)
"""Shares of ψ, and of the processes of temperature and humidity, in the driver of rain."""

THRESHOLD, AMOUNT, TAIL = 0.8, 1.0, 1.1
"""Standard deviations of the driver above which it rains, amount a in mm/h, exponent b."""

_ATTRS: dict[str, dict[str, str]] = {
    "psl": {"standard_name": "air_pressure_at_mean_sea_level", "units": "Pa"},
    "uas": {"standard_name": "eastward_wind", "units": "m s-1"},
    "vas": {"standard_name": "northward_wind", "units": "m s-1"},
    "tas": {"standard_name": "air_temperature", "units": "K"},
    "huss": {"standard_name": "specific_humidity", "units": "kg kg-1"},
    "pr": {"standard_name": "lwe_precipitation_rate", "units": "mm h-1"},
}


@dataclass(frozen=True)
class Law:
    """The joint law of the variables that :func:`weather` simulates.

    Parameters
    ----------
    size : int
        Cells along a side of the periodic domain.
    seconds : float
        Length of a time step.
    spacing : float
        Cell size in metres.
    wind : (float, float)
        Wind (eastward, northward) in m/s that carries all patterns.

    See Also
    --------
    xdownscale.tutorial.weather_law : The law for a shape, step and spacing.
    xdownscale.tutorial.weather : Fields that are drawn from it.

    Examples
    --------
    >>> law = weather_law((6, 32, 32))
    >>> law.covariance(("tas", "huss")).shape
    (2, 2, 128, 128)
    """

    size: int
    seconds: float
    spacing: float
    wind: tuple[float, float]

    @property
    def means(self) -> dict[str, float]:
        """Means of the Gaussian variables, in their units."""
        return {"psl": _MEANS["psl"], "uas": self.wind[0], "vas": self.wind[1]} | {
            name: _MEANS[name] for name in ("tas", "huss")
        }

    def covariance(self, names: Sequence[str] = GAUSSIAN, lag: int = 0) -> NDArray[np.float64]:
        """Cross-covariances C_ij(τ, d) = Cov[v_i(t, p), v_j(t + τ, p + d)] on the periodic domain.

        Parameters
        ----------
        names : sequence of str
            Variables of :data:`GAUSSIAN`, or ``"driver"``, the standardised Gaussian field behind rain.
        lag : int
            Lag τ in time steps, zero or more.

        Returns
        -------
        array, shape (variables, variables, size, size)
            Entry [i, j, d_y, d_x], distances counted round the domain.
        """
        maps = np.stack([self.maps[name] for name in names])
        turned = (self.memory * np.exp(-1j * self.path)) ** lag
        # Cov[v_i(0), v_j(d)] = Σ_k M_i* M_j e^{ik·d}: the later, farther one is not conjugated
        power = np.einsum("ilyx,jlyx->ijyx", maps.conj(), maps) * turned
        return np.fft.irfft2(power, s=(self.size, self.size))

    def steps(self, chance: np.random.Generator) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Fields of one step after another, by the name of the variable, on the whole periodic domain.

        Parameters
        ----------
        chance : numpy.random.Generator
            Where they come from.
        """
        carry = (self.memory * np.exp(-1j * self.path)).astype(np.complex64)
        fresh = np.sqrt(1 - self.memory**2).astype(np.float32)
        state = np.stack([white_noise(self.size, chance) for _ in PROCESSES])
        while True:
            yield {name: self._field(name, state) for name in (*GAUSSIAN, "driver")}
            state = carry * state + fresh * np.stack([white_noise(self.size, chance) for _ in PROCESSES])

    def _field(self, name: str, state: NDArray[np.complex64]) -> NDArray[np.float32]:
        """One variable in its units."""
        waves = np.einsum("lyx,lyx->yx", self.maps[name], state)
        field = np.fft.irfft2(waves, s=(self.size, self.size)) + self.means.get(name, 0.0)
        return field.astype(np.float32)

    @property
    def _k(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Wave numbers in m⁻¹ along y and x, of the half-plane."""
        k_y = 2 * np.pi * np.asarray(np.fft.fftfreq(self.size, self.spacing), np.float64)
        k_x = 2 * np.pi * np.asarray(np.fft.rfftfreq(self.size, self.spacing), np.float64)
        return k_y[:, None], k_x[None, :]

    @property
    def path(self) -> NDArray[np.float64]:
        """Phase k·U Δt by which a wave moves on in a step."""
        k_y, k_x = self._k
        return self.seconds * (self.wind[1] * k_y + self.wind[0] * k_x)

    @property
    def memory(self) -> NDArray[np.float64]:
        """Correlation φ(k) of a wave with itself one step later, seen from where it has moved."""
        k = np.hypot(*self._k)
        wavelength = 2 * np.pi / np.maximum(k, k[0, 1])
        lifetime = _LIFETIME * (wavelength / 100e3) ** _LIFETIME_SLOPE
        return np.asarray(np.exp(-self.seconds / lifetime))

    @cached_property
    def maps(self) -> dict[str, NDArray[np.complex128]]:
        """M(k) of every variable, shape (processes, k_y, k_x)."""
        k_y, k_x = self._k
        a_psi, a = self._amplitude(_SLOPE_PSI), self._amplitude(_SLOPE)
        none = np.zeros_like(a)
        # ψ is scaled so that each component of the wind has the standard deviation asked for
        speed = np.sqrt((self._twice * (a_psi * np.hypot(k_y, k_x)) ** 2).sum() / 2) / self.size
        psi = a_psi * _WIND_SPEED / speed
        own = [np.sqrt(1 - WARM**2), np.sqrt(1 - _square(HUMID)), np.sqrt(1 - _square(RAINY))]
        shares = {
            "tas": (WARM, own[0], 0.0, 0.0),
            "huss": (*HUMID, own[1], 0.0),
            "driver": (*RAINY, own[2]),
        }
        balanced: dict[str, Any] = {
            "psl": _DENSITY * _CORIOLIS * psi,
            "uas": -1j * k_y * psi,
            "vas": 1j * k_x * psi,
        }
        found = {name: np.stack([each + 0j, none, none, none]) for name, each in balanced.items()}
        for name, share in shares.items():
            found[name] = _SCALES.get(name, 1.0) * np.stack([s * a + 0j for s in share])
        return found

    def _amplitude(self, slope: float) -> NDArray[np.float64]:
        """Square root of (1 + (k L)²)^(−slope/2), such that the field has variance one and mean zero.

        Waves at the limit of resolution are left out: they cannot move by parts of a cell.
        """
        k_y, k_x = self._k
        power = (1 + np.hypot(k_y, k_x) ** 2 * _OUTER**2) ** (-slope / 2)
        power[0, 0] = 0
        if self.size % 2 == 0:
            power[self.size // 2] = 0
            power[:, -1] = 0
        scaled: NDArray[np.float64] = np.sqrt(power * self.size**2 / (power * self._twice).sum())
        return scaled

    @property
    def _twice(self) -> NDArray[np.float64]:
        """How often a wave of the half-plane counts in the whole plane."""
        counts = np.full(self.size // 2 + 1, 2.0)
        counts[0] = 1
        counts[-1] = 1 if self.size % 2 == 0 else 2
        return counts


def weather_law(
    shape: tuple[int, int, int] = (24, 96, 96),
    *,
    step: str = "1h",
    spacing: float = 10_000.0,
    wind: tuple[float, float] = (9.0, 4.0),
) -> Law:
    """The joint law of the variables of :func:`weather` for the same arguments.

    Parameters
    ----------
    shape, step, spacing, wind : optional
        As in :func:`weather`.

    Returns
    -------
    Law
        Whose ``draw`` gives fields, and whose moments are known.

    Raises
    ------
    ValueRangeError
        As :func:`weather`.

    See Also
    --------
    xdownscale.tutorial.weather : Simulated temperature, wind and humidity.

    Examples
    --------
    >>> law = weather_law((24, 96, 96))
    >>> law.spacing
    10000.0
    """
    _, rows, columns = shape
    seconds = check_request(shape, step, spacing, call="weather((24, 96, 96))")
    if not (np.shape(wind) == (2,) and np.isfinite(wind).all()):
        msg = f"wind is (eastward, northward) in m/s, got {wind!r}. Pass for example wind=(9.0, 4.0)."
        raise ValueRangeError(msg)
    return Law(max(_TORUS, rows, columns), seconds, float(spacing), (float(wind[0]), float(wind[1])))


def weather(
    shape: tuple[int, int, int] = (24, 96, 96),
    *,
    seed: int = 0,
    step: str = "1h",
    spacing: float = 10_000.0,
    wind: tuple[float, float] = (9.0, 4.0),
) -> xr.Dataset:
    """Pressure, wind, temperature, humidity and rain of an imaginary reanalysis, with a known joint law.

    Up to 128 cells a side, a smaller field is a crop of a larger one with the same seed, and a shorter series the
    beginning of a longer one.

    Parameters
    ----------
    shape : (int, int, int)
        Steps, rows and columns.
    seed : int
        Another seed gives other weather of the same law; the same one gives the same values.
    step : str
        Time step, as pandas writes it.
    spacing : float
        Cell size in metres.
    wind : (float, float)
        Mean wind (eastward, northward) in m/s, which carries all patterns.

    Returns
    -------
    Dataset, dims (time, y, x), float32
        ``psl`` [Pa], ``uas`` and ``vas`` [m s-1], ``tas`` [K], ``huss`` [kg kg-1] and ``pr`` [mm h-1], with CF
        attributes. All but ``pr`` are jointly Gaussian (:func:`weather_law`).

    Raises
    ------
    EmptyFieldError
        If a size is below one.
    ValueRangeError
        If the time step or the cell size is not positive, or the wind no pair of numbers.

    See Also
    --------
    xdownscale.tutorial.rain : Simulated rain.
    xdownscale.tutorial.weather_law : The law that the simulation draws from.

    Examples
    --------
    >>> fields = weather((3, 40, 50))
    >>> list(fields.data_vars)
    ['psl', 'uas', 'vas', 'tas', 'huss', 'pr']
    """
    steps, rows, columns = shape
    law = weather_law(shape, step=step, spacing=spacing, wind=wind)
    frames = law.steps(np.random.default_rng(whole_number(seed, "seed", least=0)))
    fields: dict[str, list[NDArray[np.float32]]] = {name: [] for name in _ATTRS}
    for _ in range(steps):
        frame = {name: each[:rows, :columns] for name, each in next(frames).items()}
        frame["pr"] = _rates(frame.pop("driver"))
        for name, values in frame.items():
            fields[name].append(values)
    source = f"xdownscale.tutorial.weather, seed {seed}"
    data = {
        name: (
            ("time", "y", "x"),
            np.stack(values),
            {**_ATTRS[name], "cell_methods": "time: mean area: mean", "source": source},
        )
        for name, values in fields.items()
    }
    return xr.Dataset(data, coords=grid_coords(shape, law.seconds, spacing), attrs={"source": source})


def _rates(driver: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rain rate in mm/h of the standardised driver."""
    rates: NDArray[np.float32] = AMOUNT * np.expm1(TAIL * np.maximum(driver - THRESHOLD, 0))
    return rates.astype(np.float32)


def _square(shares: Sequence[float]) -> float:
    """Share of the variance that is shared."""
    return float(sum(share**2 for share in shares))
