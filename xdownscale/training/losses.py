"""The training loss of an ensemble of two or more members: a weighted sum of the terms of ``training.terms``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xdownscale.training.terms import IN_BOTH_UNITS, IN_LATENT_UNITS
from xdownscale.training.terms.scored import Scored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.recipe import ScoreWeights
    from xdownscale.models.transform import Transform


def ensemble_score(
    members: Tensor,
    truth: Tensor,
    *,
    transform: Transform,
    unit: float,
    weights: ScoreWeights,
    windows: Tensor,
    blocks: Blocks,
    generator: torch.Generator,
) -> Tensor:
    """Training loss of an ensemble.

    Parameters
    ----------
    members : Tensor, shape (M, B, T, H, W)
        Physical units.
    truth : Tensor, shape (B, T, H, W)
    transform : Transform
        Gives the latent units.
    unit : float
        A typical magnitude of the field in physical units, by which they are divided.
    weights : ScoreWeights
    windows : Tensor, shape (B,)
        Importance weights of the windows.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x): where the borders are.
    generator : torch.Generator
        Source of the random filters.

    Returns
    -------
    Tensor, scalar
    """
    physical = torch.cat([truth.unsqueeze(0), members])

    def scored(values: Tensor, of: Callable[[Tensor], Tensor]) -> Scored:
        return Scored(values, physical, of, blocks, weights.filters, transform.nonnegative, generator)

    relative = scored(physical / unit, lambda amount: amount / unit)
    latent = scored(transform.forward(physical), transform.forward)
    total = members.new_zeros(())
    for weight, functional in _weighted(relative, latent, weights):
        total = total + weight * mean_score(functional, windows=windows, alpha=weights.alpha)
    return total


def _weighted(relative: Scored, latent: Scored, weights: ScoreWeights) -> Iterator[tuple[float, Tensor]]:
    """All functionals that are scored, with their weights; nothing that weighs nothing is computed."""
    for scale, scored in ((weights.physical, relative), (weights.latent, latent)):
        for name, term in IN_BOTH_UNITS.items():
            weight = scale * getattr(weights, name)
            if weight:
                yield from ((weight, functional) for functional in term(scored))
    # waves in latent units alone: in physical ones all waves of a window are those of its few largest values
    spectral, levels = _in_turn(weights.latent * weights.spectral, weights.levels, latent.generator)
    for weight, term in zip((spectral, levels), IN_LATENT_UNITS.values(), strict=True):
        if weight:
            yield from ((weight, functional) for functional in term(latent))


def _in_turn(one: float, other: float, generator: torch.Generator) -> tuple[float, float]:
    """Weights of which one, by lot, is doubled and the other 0: half of the cost for the same expectation.

    At every step they would be more than a fourth of its time.
    """
    if not (one and other):
        return one, other
    lot = int(torch.randint(0, 2, (), generator=generator, device=generator.device))
    return 2 * one * (1 - lot), 2 * other * lot


def pair_score(stacked: Tensor, alpha: float) -> Tensor:
    """Almost fair CRPS of members 1 … M against entry 0, by pairs: cheaper than sorting for few members.

    Parameters
    ----------
    stacked : Tensor, shape (1 + M, ...)
        The truth, then the members.
    alpha : float
        Share of the fair correction, as in :func:`xdownscale.kernels.crps.crps_ensemble`.
    """
    truth, members = stacked[0], stacked[1:]
    count = members.shape[0]
    score = (members - truth).abs().mean(0)
    if count == 1:
        return score
    factor = (1 - (1 - alpha) / count) / (count * (count - 1))
    for i in range(count):
        for j in range(i):
            score = score - factor * (members[i] - members[j]).abs()
    return score


def mean_score(stacked: Tensor, windows: Tensor, alpha: float) -> Tensor:
    """Score averaged over everything but the windows, then over the windows by their weight."""
    score = pair_score(stacked, alpha)
    return (score.flatten(1).mean(1) * windows).mean()
