"""From noise to a sample, down a schedule. A denoiser gives x̂₀ = E[x₀ | x_t]; every rule reads like its formula.

Noise is handed in by its number: ``noise(0)`` is where the sample starts, ``noise(n)`` is fresh noise of step n, for
the one rule that needs it. Nothing is drawn here, so the same noise gives the same sample.

**Where a sample starts.** A schedule begins at a level with little signal, not with none. Started from noise alone, a
sample would lack the share α·E[x₀] of its mean. At α = 0 the posterior mean *is* the mean, so one evaluation there
mends it: x = α·x̂₀(z, α = 0) + z, of unit variance like standardised data (:func:`started`).

**How many steps.** The defaults keep mean and standard deviation of every Gaussian mode with variance 0.01 to 10 within
3 % for an exact denoiser. For a Gaussian all rules are affine, so this is computed in closed form by the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import torch

from xdownscale.diffusion.denoise import Denoise
from xdownscale.diffusion.schedule import PURE_NOISE, NoiseLevel, karras, linear_beta, sigmoid
from xdownscale.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Tensor

NoiseSource: TypeAlias = "Callable[[int], Tensor]"
"""Standard normal noise by its number, of the shape of the sample."""


def ddpm(denoise: Denoise, levels: NoiseLevel, noise: NoiseSource) -> Tensor:
    """Ancestral sampling: x' = E[x' | x, x̂₀] + √β·z, no noise in the last step.

    With ᾱ = α² and β = 1 − ᾱ/ᾱ', E[x' | x, x̂₀] = (α'β/σ²)·x̂₀ + (√(1 − β)·σ'²/σ²)·x (Ho et al. 2020,
    arXiv:2006.11239, eq. 7, with their first choice of the variance, which is also the scale-adaptive paper's).
    """
    x = noise(0)
    for n, (here, there) in enumerate(pairwise(levels), start=1):
        beta = 1 - (here.alpha / there.alpha).square()
        mean = there.alpha * beta * denoise(x, here) + (1 - beta).sqrt() * there.sigma.square() * x
        x = mean / here.sigma.square()
        if n < len(levels) - 1:
            x = x + beta.sqrt() * noise(n)
    return x


def ddim(denoise: Denoise, levels: NoiseLevel, noise: NoiseSource) -> Tensor:
    """Steps x' = α'·x̂₀ + σ'·ε̂ with ε̂ = (x − α·x̂₀)/σ (Song et al. 2021, arXiv:2010.02502, eq. 12, no noise)."""
    x = started(denoise, levels[0], noise)
    for here, there in pairwise(levels):
        signal = denoise(x, here)
        x = there.alpha * signal + there.sigma * (x - here.alpha * signal) / here.sigma
    return x


def heun(denoise: Denoise, levels: NoiseLevel, noise: NoiseSource) -> Tensor:
    """Heun's rule for u = x/α and r = σ/α: du/dr = (u − x̂₀)/r (Karras et al. 2022, arXiv:2206.00364, algorithm 1)."""
    u = started(denoise, levels[0], noise) / levels.alpha[0]
    for here, there in pairwise(levels):
        slope = (u - denoise(here.alpha * u, here)) / here.ratio
        ahead = u + (there.ratio - here.ratio) * slope
        if there.sigma > 0:
            slope = (slope + (ahead - denoise(there.alpha * ahead, there)) / there.ratio) / 2
            ahead = u + (there.ratio - here.ratio) * slope
        u = ahead
    return u


def dpm(denoise: Denoise, levels: NoiseLevel, noise: NoiseSource) -> Tensor:
    """DPM-Solver++(2M): x' = (σ'/σ)·x + α'·(1 − e⁻ʰ)·D, h the step in log(α/σ), D = x̂₀ extrapolated from the last two.

    D = (1 + 1/(2q))·x̂₀ − 1/(2q)·x̂₀(before), q = h(before)/h (Lu et al. 2022, arXiv:2211.01095, algorithm 2); x̂₀ alone
    in the first step and in the last one, where h is infinite.
    """
    x = started(denoise, levels[0], noise)
    before, step_before = None, torch.zeros((), dtype=torch.float32)
    for here, there in pairwise(levels):
        signal = denoise(x, here)
        h = here.ratio.log() - there.ratio.log()
        direction = signal
        if before is not None and there.sigma > 0:
            direction = signal + (signal - before) * h / (2 * step_before)
        x = there.sigma / here.sigma * x - there.alpha * torch.expm1(-h) * direction
        before, step_before = signal, h
    return x


def angle(denoise: Denoise, levels: NoiseLevel, noise: NoiseSource) -> Tensor:
    """Euler in the angle, around the mean: y' = y + (t' − t)·(α·y − (x̂₀ − m))/σ, y = x − α·m, m = x̂₀(z, α = 0).

    The probability flow in TrigFlow's angle is dx/dt = v = (α·x − x̂₀)/σ (Lu & Song 2024, arXiv:2410.11081, eq. 2).
    For a mode of variance λ around m it is dy/dt = y·sin t·cos t·(1 − λ)/(λ·cos²t + sin²t): zero for λ = 1, so that any
    number of steps is exact there, and for other λ the errors of early and late steps cancel on the right grid. Without
    m the same rule misses a mean of one standard deviation by up to 11 % in 5 steps. Any m is consistent, since
    α'm − αm + (t' − t)·σm is of second order; the conditional mean is the m for which means are exact.
    """
    mean, y = denoise(noise(0), PURE_NOISE), noise(0)
    for here, there in pairwise(levels):
        signal = denoise(here.alpha * mean + y, here)
        y = y + (there.angle - here.angle) * (here.alpha * y - (signal - mean)) / here.sigma
    return mean + y


def started(denoise: Denoise, level: NoiseLevel, noise: NoiseSource) -> Tensor:
    """Where a sample starts: α·E[x₀] + z."""
    return level.alpha * denoise(noise(0), PURE_NOISE) + noise(0)


_ANGLE_GRIDS = {
    3: (5.0, 0.2, 7.0),
    4: (8.0, 0.02, 4.0),
    5: (10.0, 0.1, 4.0),
    6: (20.0, 0.1, 4.0),
    8: (20.0, 0.02, 6.0),
    10: (20.0, 0.003, 7.0),
}
"""Largest ratio, smallest ratio and ρ by number of steps, where the worst deviation of the standard deviation over
Gaussian modes of variance 0.01 to 10 is least: 13.9, 6.6, 2.2, 2.1, 1.3 and 1.0 %."""


def angle_levels(steps: int) -> NoiseLevel:
    """The grid on which the errors of Euler's rule in the angle cancel best, of Karras' spacing."""
    known = max((each for each in _ANGLE_GRIDS if each <= steps), default=min(_ANGLE_GRIDS))
    largest, smallest, rho = _ANGLE_GRIDS[known]
    return karras(steps, largest=largest, smallest=smallest, rho=rho)


@dataclass(frozen=True)
class Sampler:
    """A rule with the schedule that suits it.

    Parameters
    ----------
    rule : callable
        Takes a denoiser, levels and a source of noise.
    levels : callable
        Number of steps to noise levels, for data of unit variance.
    steps : int
        The default: mean and standard deviation of Gaussian modes within 3 %.
    cost : callable
        Number of steps to number of evaluations of the network.
    fresh : bool
        Whether every step takes noise of its own.
    """

    rule: Callable[[Denoise, NoiseLevel, NoiseSource], Tensor]
    levels: Callable[[int], NoiseLevel]
    steps: int
    cost: Callable[[int], int]
    fresh: bool = False

    def __call__(self, denoise: Denoise, noise: NoiseSource, *, steps: int | None = None) -> Tensor:
        """A sample.

        Parameters
        ----------
        denoise : callable
            x̂₀ from x_t and its noise level.
        noise : callable
            Standard normal noise by its number, of the shape of the sample.
        steps : int, optional
            None takes the default.
        """
        return self.rule(denoise, self.levels(self.steps if steps is None else steps), noise)


SAMPLERS: Mapping[str, Sampler] = {
    "angle": Sampler(angle, angle_levels, 5, lambda steps: steps + 1),
    "dpm": Sampler(dpm, partial(karras, largest=15.0, smallest=0.02, rho=10.0), 15, lambda steps: steps + 1),
    "heun": Sampler(
        heun, partial(karras, largest=15.0, smallest=0.02, rho=10.0), 18, lambda steps: 2 * steps
    ),
    "ddim": Sampler(
        ddim, partial(karras, largest=30.0, smallest=0.005, rho=10.0), 100, lambda steps: steps + 1
    ),
    "ddpm": Sampler(ddpm, linear_beta, 1000, lambda steps: steps, fresh=True),
}
"""Samplers by name, the cheapest first. DDPM's schedule belongs to its 1000 steps."""


def few_of_many(steps: int) -> NoiseLevel:
    """Evenly spaced ones of the 1400 levels of :func:`~xdownscale.diffusion.schedule.sigmoid`: STVD's."""
    levels = sigmoid()
    return levels[torch.linspace(0, len(levels) - 1, steps + 1).round().long()]


PUBLISHED: Mapping[str, Sampler] = {
    "ddim-sigmoid": Sampler(ddim, few_of_many, 30, lambda steps: steps + 1),
}
"""Samplers as published for comparison, which keep less of a sample than those above.

"ddim-sigmoid" is STVD's (Srivastava et al. 2024, arXiv:2312.06071, algorithm 2). There ε̂ = (σ/α)·(x − x̂₀) is a
misprint: with x̂₀ = α·x − σ·v̂, what is consistent is ε̂ = (x − α·x̂₀)/σ = σ·x + α·v̂, as here. With an exact denoiser
and 30 steps it keeps 42 % of the standard deviation of a residual that has 0.05, and 96 % of a standardised one.
"""


def ancestral(beta: float, levels: int = 1000) -> Sampler:
    """DDPM down levels whose β rises linearly from 1e-4 to a chosen β_J.

    Defez et al. (2026, arXiv:2604.21903, eq. 12): x(j − 1) = (x(j) − β_j/√(1 − ᾱ_j)·ε̂)/√α_j + √β_j·z, z = 0 for j = 1.
    Fewer steps than levels walk down evenly spaced ones, with the β between them.

    Parameters
    ----------
    beta : float
        β_J.
    levels : int
        J, also the default number of steps.
    """

    def chosen(steps: int) -> NoiseLevel:
        known = linear_beta(levels, last=beta)
        return known[torch.linspace(0, levels, min(steps, levels) + 1).round().long()]

    return Sampler(ddpm, chosen, levels, lambda steps: steps, fresh=True)


def named_sampler(name: str) -> Sampler:
    """One of :data:`SAMPLERS` or :data:`PUBLISHED`.

    Raises
    ------
    ArgumentError
        For any other name.

    Examples
    --------
    >>> white = lambda x, level: level.alpha * x  # the posterior mean of white noise of unit variance
    >>> z = torch.tensor([-1.0, 2.0])
    >>> named_sampler("angle")(white, lambda n: z)
    tensor([-1.,  2.])
    """
    known = {**SAMPLERS, **PUBLISHED}
    if name not in known:
        msg = f"sampler={name!r} is not known; use one of {', '.join(map(repr, known))}"
        raise ArgumentError(msg)
    return known[name]
