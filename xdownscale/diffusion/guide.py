"""Posterior sampling: the denoiser of a prior and an observation together are the denoiser of a posterior.

A prior's denoiser gives x̂ = E[x₀ | x_t]. Given y = A(x₀) + e with e ~ N(0, Σ_y) as well, Tweedie's formula says

    E[x₀ | x_t, y] = x̂ + (σ²/α)·∇_{x_t} log p(y | x_t),

so a guided denoiser goes wherever a denoiser goes, into every sampler of ``sample.py``. What is not known is
p(y | x_t). With J = ∂x̂/∂x_t, two answers:

*Moment matching* (MMPS, Rozet et al. 2024, arXiv:2405.13712). Cov[x₀ | x_t] = (σ²/α)·Jᵀ =: V is Tweedie's second
formula, so that p(y | x_t) ≈ N(A·x̂, Σ_y + A·V·Aᵀ) and

    E[x₀ | x_t, y] = x̂ + V·Aᵀ·s,   (Σ_y + A·V·Aᵀ)·s = y − A·x̂,

which is exact where the prior is Gaussian. V is never formed: V·u is a product of u with the Jacobian of the network,
and the system is solved by GMRES.

*SDA* (Rozet & Louppe 2023, arXiv:2306.10574; Schmidt et al. 2025, arXiv:2412.15361) takes a number for the covariance,
p(y | x_t) ≈ N(A·x̂, σ_y² + γ·(σ/α)²), hence

    E[x₀ | x_t, y] = x̂ + (σ²/α)·Jᵀ·Aᵀ·(y − A·x̂)/(σ_y² + γ·(σ/α)²).

*Jacobian-free*, J = 1/α: with x̂ = (x_t − σε)/α and ε held fixed the gradient is that of the explicit x_t alone. No γ
gives the right spread in the part of x₀ that is seen: ``benchmarks/posterior.py`` has the table.

An observation need not be linear (rain is a rectified function of a latent value): A is the derivative at x̂ then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch

from xdownscale.diffusion.schedule import NoiseLevel

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.diffusion.denoise import Denoise

Linear: TypeAlias = "Callable[[Tensor], Tensor]"
"""A linear map of tensors."""

FAINT = 0.02
"""Least share α of signal at which the prior is asked: the covariance σ²/α·Jᵀ has no value at α = 0. Where a sampler
asks for the mean given pure noise, a signal this faint changes modes of variance λ by λ·FAINT of the noise."""


TINY = 1e-30
"""Where a length is zero, what it is divided by."""


class Observation(Protocol):
    """What was seen, and how it comes from a field."""

    @property
    def values(self) -> Tensor:
        """y, (B or 1, values)."""

    @property
    def variance(self) -> Tensor:
        """The diagonal of Σ_y, one for all or (values,)."""

    def linearised(self, x: Tensor) -> tuple[Tensor, Linear, Linear]:
        """A(x), shape (B, values), and the derivative of A at x and its adjoint."""


@dataclass(frozen=True)
class Seen:
    """An observation by a linear operator with independent errors.

    Parameters
    ----------
    operator : Operator
        A, such as one of :mod:`xdownscale.operators`.
    values : Tensor, shape (B or 1, ...)
        y, with the shape that the operator gives.
    variance : Tensor
        σ_y², one for all or of a shape that broadcasts to that of y.
    """

    operator: Linear
    values: Tensor
    variance: Tensor

    def linearised(self, x: Tensor) -> tuple[Tensor, Linear, Linear]:
        """A·x, A and Aᵀ."""
        return self.operator(x), self.operator, self.operator.adjoint  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Moments:
    """Moment matching: the covariance of x₀ given x_t is that of the denoiser.

    Parameters
    ----------
    tolerance : float
        Of the solution: size of the residual that is left, relative to that of the right-hand side, in the norm
        of Σ_y⁻¹.
    iterations : int
        The most that are made.
    """

    tolerance: float = 1e-3
    iterations: int = 30

    def __call__(self, x_t: Tensor, signal: Tensor, level: NoiseLevel, observation: Observation) -> Tensor:
        """The shift E[x₀ | x_t, y] − x̂."""
        mean, seen, spread = observation.linearised(signal.detach())
        factor = (level.sigma.square() / level.alpha).to(x_t.dtype)

        def covariance(u: Tensor) -> Tensor:
            return factor * _pulled(signal, x_t, u)

        # scaled by the errors, the system is the identity and something positive: few iterations reach the rest
        error = observation.variance.to(mean).sqrt()

        def system(s: Tensor) -> Tensor:
            return s + seen(covariance(spread(s / error))) / error

        wanted = (observation.values.to(mean) - mean) / error
        s = minimal_residual(system, wanted, tolerance=self.tolerance, iterations=self.iterations)
        return covariance(spread(s / error))


@dataclass(frozen=True)
class Scalar:
    """SDA: the variance of A·x₀ given x_t is γ·(σ/α)².

    Parameters
    ----------
    gamma : float
        γ.
    exact : bool
        Whether the network is differentiated; without, a step costs one evaluation and no gradient.
    """

    gamma: float = 7.2e-4
    exact: bool = True

    def __call__(self, x_t: Tensor, signal: Tensor, level: NoiseLevel, observation: Observation) -> Tensor:
        """The shift E[x₀ | x_t, y] − x̂."""
        mean, _, spread = observation.linearised(signal.detach())
        ratio = (level.sigma / level.alpha).to(x_t.dtype)
        variance = observation.variance.to(mean) + self.gamma * ratio.square()
        towards = spread((observation.values.to(mean) - mean) / variance)
        if not self.exact:
            return ratio.square() * towards
        return level.sigma.to(x_t.dtype) * ratio * _pulled(signal, x_t, towards)


Guidance: TypeAlias = Moments | Scalar
"""How p(y | x_t) is approximated."""


def guided(denoise: Denoise, observation: Observation, guidance: Guidance | None = None) -> Denoise:
    """The denoiser of the posterior.

    Parameters
    ----------
    denoise : callable
        x̂₀ of the prior from x_t and its noise level, differentiable.
    observation : Observation
    guidance : Moments or Scalar, optional
        None matches moments.

    Returns
    -------
    callable
        E[x₀ | x_t, y] from x_t and its noise level, without gradients.
    """
    rule = Moments() if guidance is None else guidance
    jacobian = not (isinstance(rule, Scalar) and not rule.exact)

    def posterior(x_t: Tensor, level: NoiseLevel) -> Tensor:
        at = _with_some_signal(level)
        with torch.inference_mode(mode=False), torch.set_grad_enabled(jacobian):
            x_t = x_t.detach().clone().requires_grad_(jacobian)
            signal = denoise(x_t, at)
            shift = rule(x_t, signal, at, observation)
        return (signal + shift).detach()

    return posterior


def minimal_residual(
    system: Linear, wanted: Tensor, *, tolerance: float = 1e-2, iterations: int = 30
) -> Tensor:
    """Solve a linear system for every entry of a batch by GMRES (Saad & Schultz 1986, doi:10.1137/0907058).

    A Jacobian that is learned, or put together from windows, is not quite symmetric: conjugate gradients diverge then,
    and this residual never grows. For a symmetric system it is that of conjugate residuals.

    Parameters
    ----------
    system : callable
        The matrix, as a map of tensors (B, ...).
    wanted : Tensor, shape (B, ...)
        Right-hand side.
    tolerance : float
        Size of the residual relative to the right-hand side at which an entry is done.
    iterations : int
        The most that are made.

    Examples
    --------
    >>> matrix = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    >>> minimal_residual(lambda s: s @ matrix, torch.tensor([[3.0, 4.0]]), tolerance=1e-6)
    tensor([[1.0000, 1.0000]])
    """
    flat = wanted.flatten(1)
    size = flat.norm(dim=1)
    basis = [flat / size.clamp_min(TINY)[:, None]]
    hessenberg = flat.new_zeros(len(flat), iterations + 1, iterations, dtype=torch.float64)
    solution, done = torch.zeros_like(flat), size == 0
    for n in range(iterations):
        if bool(done.all()):
            break
        image = system(basis[n].reshape(wanted.shape)).flatten(1)
        for number, each in enumerate(basis):
            share = (each * image).sum(1)
            image = image - share[:, None] * each
            hessenberg[:, number, n] = share
        left = image.norm(dim=1)
        hessenberg[:, n + 1, n] = left
        basis.append(image / left.clamp_min(TINY)[:, None])
        part = hessenberg[:, : n + 2, : n + 1]
        target = part.new_zeros(len(flat), n + 2, 1)
        target[:, 0, 0] = size
        shares = torch.linalg.pinv(part) @ target
        found = torch.einsum("nbk,bn->bk", torch.stack(basis[: n + 1]), shares[..., 0].to(flat))
        # an entry that is done stays as it is, whatever others in the batch still need
        solution = torch.where(done[:, None], solution, found)
        done = done | ((part @ shares - target).flatten(1).norm(dim=1) <= tolerance * size)
    return solution.reshape(wanted.shape)


def _pulled(signal: Tensor, x_t: Tensor, u: Tensor) -> Tensor:
    """Jᵀ·u."""
    (pulled,) = torch.autograd.grad(signal, x_t, u, retain_graph=True)
    return pulled


def _with_some_signal(level: NoiseLevel) -> NoiseLevel:
    """The level, or that of the faintest signal of which the prior is asked."""
    if bool((level.alpha >= FAINT).all()):
        return level
    alpha = level.alpha.clamp_min(FAINT)
    return replace(level, alpha=alpha)
