"""Predictor and corrector: DDIM steps, each followed by Langevin steps at the level that it leads to.

The sampler of SDA (Rozet & Louppe 2023, arXiv:2306.10574, algorithm 4) and of Schmidt et al. (2025,
arXiv:2412.15361), who take 256 steps on the schedule ``cosine_squared`` and no corrections. With ε = (x − α·x̂₀)/σ,

    predict  x ← α'·x̂₀ + σ'·ε ,
    correct  x ← x − σ·(δ·ε + √(2δ)·z) ,   δ = τ/mean(ε²) .

The last level is treated as the end, as in the paper: what noise it has (η = 10⁻³) stays.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from xdownscale.diffusion.sample import Sampler
from xdownscale.diffusion.schedule import cosine_squared

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.diffusion.denoise import Denoise
    from xdownscale.diffusion.sample import NoiseSource
    from xdownscale.diffusion.schedule import NoiseLevel


def predict_and_correct(
    denoise: Denoise, levels: NoiseLevel, noise: NoiseSource, *, corrections: int = 0, tau: float = 0.5
) -> Tensor:
    """A sample.

    Parameters
    ----------
    denoise, levels, noise
        As in :mod:`xdownscale.diffusion.sample`.
    corrections : int
        Langevin steps at every level but the last.
    tau : float
        τ, how far one goes.
    """
    x, number = levels.sigma[0] * noise(0), 0
    for place, (here, there) in enumerate(pairwise(levels), start=1):
        signal = denoise(x, here)
        x = there.alpha * signal + there.sigma * (x - here.alpha * signal) / here.sigma
        for _ in range(corrections if place < len(levels) - 1 else 0):
            number += 1
            rest = (x - there.alpha * denoise(x, there)) / there.sigma
            # one δ for every entry of the batch: members do not know of each other
            delta = tau / rest.square().flatten(1).mean(1).reshape(-1, *[1] * (x.ndim - 1))
            x = x - there.sigma * (delta * rest + (2 * delta).sqrt() * noise(number))
    return x


def predictor_corrector(*, corrections: int = 0, tau: float = 0.5) -> Sampler:
    """The sampler of the paper, by default with its settings; parameters as in :func:`predict_and_correct`."""

    def rule(denoise: Denoise, levels: NoiseLevel, noise: NoiseSource) -> Tensor:
        return predict_and_correct(denoise, levels, noise, corrections=corrections, tau=tau)

    return Sampler(
        rule, cosine_squared, 256, lambda steps: steps + corrections * (steps - 1), fresh=corrections > 0
    )
