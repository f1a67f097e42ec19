"""The posterior mean x̂₀ = E[x₀ | x_t], whatever the network predicts; samplers see nothing else.

With x_t = α·x₀ + σ·ε, a network may be asked for

=============  ==================================  =========================================  =======================
prediction     target                              x̂₀ from the output                         loss weight on x̂₀ error
=============  ==================================  =========================================  =======================
`Signal`       x₀                                  x                                          1
`Noise`        ε                                   (x_t − σ·ε)/α                              α²/σ²
`Velocity`     v = (α·ε − σ·x₀)/√(α² + σ²)         (α·x_t − σ·√(α² + σ²)·v)/(α² + σ²)         (α² + σ²)/σ²
`Residue`      F = (x₀ − c_skip·x_t)/c_out         c_skip·x_t + c_out·F                       1/c_out²
=============  ==================================  =========================================  =======================

Ho et al. 2020 (ε, arXiv:2006.11239), Salimans & Ho 2022 (v, arXiv:2202.00512), Karras et al. 2022
(F, arXiv:2206.00364).

Preconditioning, derived for any α. Let the data have standard deviation d. Then Var x_t = α²d² + σ² =: s², and

* c_in = 1/s gives inputs of unit variance;
* c_skip = Cov(x₀, x_t)/Var x_t = α·d²/s² is the best linear guess, and least amplifies the errors of F;
* c_out² = Var(x₀ − c_skip·x_t) = d² − α²d⁴/s² = d²σ²/s², so c_out = σ·d/s gives targets of unit variance.

α = 1 is EDM. For d = 1 and α² + σ² = 1: s = 1, c_skip = α, c_out = σ, hence F = (x₀ − α·x_t)/σ = σ·x₀ − α·ε = −v, and
TrigFlow (Lu & Song 2024, arXiv:2410.11081), v-prediction and EDM are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch

from xdownscale.diffusion.schedule import NoiseLevel

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Denoise: TypeAlias = "Callable[[Tensor, NoiseLevel], Tensor]"
"""x̂₀ from x_t and its noise level."""


class Prediction(Protocol):
    """What a network is asked for."""

    def target(self, x_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        """What the output should be."""

    def signal(self, x_t: Tensor, output: Tensor, level: NoiseLevel) -> Tensor:
        """x̂₀ from the output."""


class Signal:
    """The output is x₀ itself."""

    def target(self, x_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:  # noqa: ARG002 (the shared signature)
        """x₀."""
        return x_0

    def signal(self, x_t: Tensor, output: Tensor, level: NoiseLevel) -> Tensor:  # noqa: ARG002
        """The output."""
        return output


class Noise:
    """The output is the noise ε. Where there is no signal (α = 0) it says nothing about x₀."""

    def target(self, x_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:  # noqa: ARG002
        """ε."""
        return noise

    def signal(self, x_t: Tensor, output: Tensor, level: NoiseLevel) -> Tensor:
        """(x_t − σ·ε)/α."""
        return (x_t - level.sigma * output) / level.alpha


class Velocity:
    """The output is v, the direction in which x_t turns as the angle grows."""

    def target(self, x_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        """The velocity v = (α·ε − σ·x₀)/√(α² + σ²)."""
        return (level.alpha * noise - level.sigma * x_0) / _radius(level)

    def signal(self, x_t: Tensor, output: Tensor, level: NoiseLevel) -> Tensor:
        """(α·x_t − σ·√(α² + σ²)·v)/(α² + σ²)."""
        radius = _radius(level)
        return (level.alpha * x_t - level.sigma * radius * output) / radius.square()


@dataclass(frozen=True)
class Residue:
    """The output is F, what the best linear guess leaves, at unit variance.

    Parameters
    ----------
    data : float
        Standard deviation of the data.
    """

    data: float = 1.0

    def target(self, x_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
        """F = (x₀ − c_skip·x_t)/c_out = (σ·x₀ − α·d²·ε)/(d·s): finite where there is no noise."""
        spread = spread_of(level, self.data)
        return (level.sigma * x_0 - level.alpha * self.data**2 * noise) / (self.data * spread)

    def signal(self, x_t: Tensor, output: Tensor, level: NoiseLevel) -> Tensor:
        """c_skip·x_t + c_out·F."""
        spread = spread_of(level, self.data)
        skip, out = level.alpha * self.data**2 / spread.square(), level.sigma * self.data / spread
        return skip * x_t + out * output


@dataclass(frozen=True)
class Denoiser:
    """A network with its preconditioning: x̂₀ from x_t.

    Parameters
    ----------
    network : callable
        Takes x_t scaled to unit variance and the angle t of the noise level; what else it knows (a condition) is bound
        to it before.
    prediction : Prediction
        What it was trained to give.
    data : float
        Standard deviation of the data.
    """

    network: Callable[[Tensor, Tensor], Tensor]
    prediction: Prediction
    data: float = 1.0

    def __call__(self, x_t: Tensor, level: NoiseLevel) -> Tensor:
        """x̂₀ = E[x₀ | x_t]."""
        return self.prediction.signal(x_t, self.output(x_t, level), level)

    def output(self, x_t: Tensor, level: NoiseLevel) -> Tensor:
        """What the network says."""
        return self.network(x_t / spread_of(level, self.data), level.angle)


def standardised(denoise: Denoise, data: float) -> Denoise:
    """A denoiser of x₀/d, as samplers expect it, from one of data x₀ of standard deviation d.

    x = α·x₀/d + σ·ε says of x₀ what x' = α'·x₀ + σ'·ε says if σ'/α' = d·σ/α, and x' = x·σ'/σ. So a network that learned
    from a small residual as it is may be sampled in few steps.

    Parameters
    ----------
    denoise : callable
        x̂₀ from x' and its noise level.
    data : float
        d.
    """

    def of(x_t: Tensor, level: NoiseLevel) -> Tensor:
        angle = torch.atan2(data * level.sigma, level.alpha)
        own = NoiseLevel(torch.cos(angle), torch.sin(angle))
        return denoise(x_t * (own.sigma / level.sigma), own) / data

    return of


def denoising_error(denoiser: Denoiser, x_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
    """Squared error of the output at every point, whose mean is the training loss.

    Its minimiser is the posterior mean whatever the weight; the weight that goes with each prediction (table above)
    keeps targets, and so gradients, of about one size at all noise levels.

    Parameters
    ----------
    denoiser : Denoiser
    x_0, noise : Tensor, shape (B, ...)
        Data of standard deviation `denoiser.data`, and N(0, 1).
    level : NoiseLevel
        One for every entry of the batch, shaped to broadcast.
    """
    output = denoiser.output(level.noised(x_0, noise), level)
    return (output - denoiser.prediction.target(x_0, noise, level)).square()


def spread_of(level: NoiseLevel, data: float = 1.0) -> Tensor:
    """The number s = √(α²d² + σ²), the standard deviation of x_t."""
    return (level.alpha.square() * data**2 + level.sigma.square()).sqrt()


def _radius(level: NoiseLevel) -> Tensor:
    """√(α² + σ²)."""
    return spread_of(level)
