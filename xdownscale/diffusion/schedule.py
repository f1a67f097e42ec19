"""How much signal is left and how much noise is in: x_t = α·x₀ + σ·ε with ε ~ N(0, 1).

Every schedule is a falling sequence of noise levels (α, σ), noisiest first, that samplers walk down. What matters of a
level is the ratio σ/α; a factor on both is a change of units. Here α² + σ² = 1, so x_t of standardised data has unit
variance at every level and α = cos t, σ = sin t for an angle t (TrigFlow, Lu & Song 2024, arXiv:2410.11081). A schedule
that is written for α = 1 (Karras) keeps its ratios.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

LARGEST_BETA = 0.999
"""β is cut here where a schedule would reach 1 (Nichol & Dhariwal 2021, arXiv:2102.09672, section 3.2)."""


@dataclass(frozen=True)
class NoiseLevel:
    """One noise level, or several along the first axis.

    Parameters
    ----------
    alpha, sigma : Tensor
        Factors of signal and of noise; of any shape that broadcasts against the data.

    Examples
    --------
    >>> level = NoiseLevel.from_ratio(torch.tensor([2.0, 1.0, 0.0]))
    >>> [round(float(each.angle), 3) for each in level]
    [1.107, 0.785, 0.0]
    """

    alpha: Tensor
    sigma: Tensor

    @classmethod
    def from_angle(cls, angle: Tensor) -> NoiseLevel:
        """α = cos t, σ = sin t."""
        return cls(torch.cos(angle), torch.sin(angle))

    @classmethod
    def from_ratio(cls, ratio: Tensor) -> NoiseLevel:
        """The level of unit variance with σ/α = `ratio`."""
        alpha = torch.rsqrt(1 + ratio.square())
        return cls(alpha, ratio * alpha)

    @classmethod
    def from_power(cls, power: Tensor) -> NoiseLevel:
        """α² = ᾱ, σ² = 1 − ᾱ: the letters of DDPM."""
        return cls(power.sqrt(), (1 - power).sqrt())

    @property
    def angle(self) -> Tensor:
        """The angle t = arctan(σ/α), from 0 (signal only) to π/2 (noise only): what a network is told."""
        return torch.atan2(self.sigma, self.alpha)

    @property
    def ratio(self) -> Tensor:
        """The noise of x_t/α, Karras' σ; infinite where there is no signal."""
        return self.sigma / self.alpha

    def __getitem__(self, index: int | Tensor) -> NoiseLevel:
        """One or some of several levels."""
        return NoiseLevel(self.alpha[index], self.sigma[index])

    def __iter__(self) -> Iterator[NoiseLevel]:
        """Levels one by one."""
        return (NoiseLevel(a, s) for a, s in zip(self.alpha, self.sigma, strict=True))

    def __len__(self) -> int:
        """How many levels there are."""
        return len(self.alpha)

    def to(self, like: Tensor) -> NoiseLevel:
        """The same in the precision and on the device of some values."""
        return NoiseLevel(self.alpha.to(like), self.sigma.to(like))

    def shaped(self, dims: int) -> NoiseLevel:
        """One level for every entry of a batch, made to broadcast against data with `dims` axes."""
        shape = (-1,) + (1,) * (dims - 1)
        return NoiseLevel(self.alpha.reshape(shape), self.sigma.reshape(shape))

    def noised(self, x_0: Tensor, noise: Tensor) -> Tensor:
        """x_t = α·x₀ + σ·ε."""
        return self.alpha * x_0 + self.sigma * noise


PURE_NOISE = NoiseLevel(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))
"""α = 0: nothing is known but the condition, and the posterior mean is the conditional mean."""


def linear_beta(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> NoiseLevel:
    """DDPM: ᾱ_j = Π (1 − β_i), β rising linearly.

    Parameters
    ----------
    steps : int
        J, the number of noise levels above the clean one.
    first, last : float
        β_1 and β_J (Ho et al. 2020, arXiv:2006.11239, section 4; the scale-adaptive paper tunes β_J per factor pair,
        0.01 to 0.035, since its residuals are not standardised).

    Returns
    -------
    NoiseLevel
        J + 1 levels, noisiest first, the last one clean.
    """
    beta = torch.linspace(first, last, steps, dtype=torch.float64)
    return _from_powers(torch.cumprod(1 - beta, 0))


def cosine(steps: int = 1000, offset: float = 0.008) -> NoiseLevel:
    """ᾱ(s) = cos²(π/2 · (s + o)/(1 + o)), s from 0 to 1 (Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 17)."""
    s = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return _from_powers(_cut(torch.cos(math.pi / 2 * (s + offset) / (1 + offset)).square()))


def sigmoid(steps: int = 1400, start: float = -3.0, end: float = 3.0, scale: float = 1.0) -> NoiseLevel:
    """ᾱ(s) = (S(e/τ) − S((start + s·(e − start))/τ)) / (S(e/τ) − S(start/τ)), S(z) = 1/(1 + exp(−z)).

    Jabri et al. 2022 (arXiv:2212.11972, algorithm 1), as STVD uses it.
    """
    s = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    low, high = torch.sigmoid(torch.tensor([start / scale, end / scale], dtype=torch.float64))
    return _from_powers(_cut((high - torch.sigmoid((start + s * (end - start)) / scale)) / (high - low)))


def cosine_squared(steps: int = 256, rest: float = 1e-3) -> NoiseLevel:
    """α(s) = cos²(s·arccos √η), σ² = 1 − α² + η²: SDA (Rozet & Louppe 2023, arXiv:2306.10574).

    The last level keeps noise of standard deviation η = `rest`.
    """
    s = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    alpha = torch.cos(s * math.acos(math.sqrt(rest))).square()
    return NoiseLevel(alpha, (1 - alpha.square() + rest**2).sqrt())


def karras(steps: int, *, largest: float, smallest: float, rho: float = 7.0) -> NoiseLevel:
    """σ_i/α_i = (largest^{1/ρ} + i/(N − 1)·(smallest^{1/ρ} − largest^{1/ρ}))^ρ, then 0.

    Karras et al. 2022 (arXiv:2206.00364, eq. 5), brought to unit variance.

    Parameters
    ----------
    steps : int
        N.
    largest, smallest : float
        Ratios of noise to signal between which the levels lie, for data of unit variance.
    rho : float
        How much denser levels are where there is little noise.
    """
    high, low = largest ** (1 / rho), smallest ** (1 / rho)
    ratio = torch.linspace(high, low, steps, dtype=torch.float64) ** rho
    return NoiseLevel.from_ratio(torch.cat([ratio, ratio.new_zeros(1)]))


def even_angles(steps: int) -> NoiseLevel:
    """Angles in even steps from π/2 (noise only) to 0."""
    level = NoiseLevel.from_angle(torch.linspace(math.pi / 2, 0, steps + 1, dtype=torch.float64))
    level.alpha[0] = 0.0  # the cosine of a rounded π/2 is not
    return level


def random_ratio(
    count: int, *, centre: float = -0.5, width: float = 1.2, generator: torch.Generator
) -> NoiseLevel:
    """Levels to train on: log(σ/α) ~ N(centre, width²).

    The defaults are those of Karras et al. 2022 (arXiv:2206.00364, table 1) for data of unit variance: their −1.2 goes
    with data of standard deviation 0.5.
    """
    drawn = torch.randn(count, generator=generator, device=generator.device, dtype=torch.float32)
    return NoiseLevel.from_ratio(torch.exp(centre + width * drawn))


def random_angle(count: int, *, generator: torch.Generator) -> NoiseLevel:
    """Levels to train on: t uniform between 0 and π/2, so that pure noise is met as well."""
    drawn = torch.rand(count, generator=generator, device=generator.device, dtype=torch.float32)
    return NoiseLevel.from_angle(math.pi / 2 * drawn)


def _from_powers(power: Tensor) -> NoiseLevel:
    """Levels from rising noise: ᾱ_1 … ᾱ_J, with the clean level at the end."""
    return NoiseLevel.from_power(torch.cat([power.flip(0), power.new_ones(1)]))


def _cut(power: Tensor) -> Tensor:
    """ᾱ_1 … ᾱ_J from ᾱ(0) … ᾱ(1), with β cut so that some signal is left."""
    beta = (1 - power[1:] / power[:-1]).clamp(max=LARGEST_BETA)
    return torch.cumprod(1 - beta, 0)
