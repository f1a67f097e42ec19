"""Shapes of level sets as a term of the training loss: the Minkowski image loss, and its proper form for ensembles.

The curves of every frame are g(γ_c(u)), area, perimeter and pieces less holes of {v ≥ u} over thresholds u, with
g(z) = sign(z)·log(1 + |z|). Of one prediction the term is Σ_c ∫ |g(γ̂_c) − g(γ_c)| dq; of members it is the almost fair
CRPS of their curves in the place of |…|: the truth's own law minimises it, whereas the distance of each member to the
truth's curve is least for members that are all alike. Values are in latent units, in which one temperature suits all
thresholds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xdownscale.kernels.minkowski import trapezoid
from xdownscale.nn.soft_minkowski import soft_functionals
from xdownscale.training.emulator import emulated, opened_emulator, trust_in
from xdownscale.training.losses import pair_score
from xdownscale.training.terms.level_sets import EVERY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from xdownscale.models.minkowski import MinkowskiLoss


def signed_log(values: Tensor) -> Tensor:
    """sign(z)·log(1 + |z|)."""
    return values.sign() * torch.log1p(values.abs())


def shape_score(
    members: Tensor,
    truth: Tensor,
    curves: Callable[[Tensor], Tensor],
    *,
    levels: Sequence[float],
    alpha: float = 1.0,
    trusted: Tensor | None = None,
) -> Tensor:
    """Distance of the curves of a prediction to those of the truth, or CRPS of those of members, for every frame.

    Parameters
    ----------
    members : Tensor, shape (M, B, T, H, W)
        One member is a prediction.
    truth : Tensor, shape (B, T, H, W)
        In the same units. Where it is missing, truth and members must hold the same values.
    curves : callable
        From fields (..., H, W) to logarithmic curves (..., Q, 3).
    levels : sequence of float, length Q
        Places of the thresholds on the axis that is integrated along.
    alpha : float
        Share of the fair correction, as in :func:`xdownscale.kernels.crps.crps_ensemble`.
    trusted : Tensor, shape (B, T), optional
        Weights of the frames.

    Returns
    -------
    Tensor, shape (B, T)
        Zero if and only if all curves are equal. Summed over functionals.
    """
    with torch.autocast(members.device.type, enabled=False):
        both = curves(torch.cat([truth.unsqueeze(0), members]).float())
        score = pair_score(both, alpha)
        weights = torch.as_tensor(trapezoid(levels)).to(score)
        score = (score.sum(-1) * weights).sum(-1)
    return score if trusted is None else score * trusted


def shape_term(
    members: Tensor,
    truth: Tensor,
    *,
    loss: MinkowskiLoss,
    forward: Callable[[Tensor], Tensor],
    share: float,
    windows: Tensor,
    alpha: float,
    generator: torch.Generator,
) -> Tensor:
    """The term of a training loss, with its weight.

    Parameters
    ----------
    members : Tensor, shape (M, B, T, H, W)
    truth : Tensor, shape (B, T, H, W)
        Physical units.
    loss : MinkowskiLoss
        With thresholds in physical units.
    forward : callable
        From physical to latent units.
    share : float
        Of the run that is over.
    windows : Tensor, shape (B,)
        Importance weights of the windows.
    alpha : float
        Share of the fair correction.
    generator : torch.Generator
        Source of the choice of frames.
    """
    weight = loss.weight_at(share)
    if not weight:
        return members.new_zeros(())
    first = int(torch.randint(0, EVERY, (), generator=generator, device=generator.device))
    frames = slice(first % truth.shape[1], None, EVERY)
    members, truth = members[:, :, frames], truth[:, frames]
    if loss.emulator is None:
        thresholds = forward(torch.tensor(loss.thresholds, dtype=torch.float32, device=truth.device))
        tau = loss.temperature_at(share)

        def soft(values: Tensor) -> Tensor:
            return signed_log(soft_functionals(forward(values), thresholds, tau))

        score = shape_score(members, truth, soft, levels=loss.levels, alpha=alpha)
    else:
        emulator = opened_emulator(loss.emulator).to(truth.device)
        trusted = trust_in(emulator, truth, loss.trust)
        levels = emulator.settings.levels
        score = shape_score(members, truth, emulated(emulator), levels=levels, alpha=alpha, trusted=trusted)
    return weight * (score.mean(-1) * windows).mean()


def squared_error(members: Tensor, truth: Tensor, windows: Tensor) -> Tensor:
    """Mean squared error of one prediction, by the weights of the windows."""
    return ((members[0] - truth).square().flatten(1).mean(1) * windows).mean()
