"""Guidance and samplers against the exact posterior of Gaussian space–time fields, with the exact denoiser.

Prior and observation are Gaussian, so that the posterior is known in closed form, and every guided sampler is an affine
map of its noise: x = b + Σ_n M_n·z_n. Its law N(b, Σ_n M_n·M_nᵀ) is computed, not estimated, from the answers to unit
vectors. Of each part of the field (cells, what is seen, block means, changes in time, deviations from block means) the
table says how far the mean is off, in standard deviations of the posterior, and the ratio of the spreads.

    python benchmarks/posterior.py [--size 8] [--frames 6]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from gaussian import GaussianField
from torch import Tensor

from xdownscale.diffusion.correct import predictor_corrector
from xdownscale.diffusion.guide import Guidance, Moments, Scalar, Seen, guided
from xdownscale.diffusion.sample import SAMPLERS, Sampler
from xdownscale.diffusion.schedule import NoiseLevel, karras
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.operators import BlockMean, EveryFrame, Points, Stack

ERROR = 0.1
"""σ_y, the standard deviation of the observation error."""


class ExactDenoiser:
    """x̂₀ = E[x₀ | x_t] of a Gaussian law: m + C·α·(α²·C + σ²)⁻¹·(x_t − α·m).

    Parameters
    ----------
    covariance : Tensor, shape (n, n)
        C.
    mean : float
        m.
    """

    def __init__(self, covariance: Tensor, mean: float = 0.0) -> None:
        variances, self.modes = torch.linalg.eigh(covariance)
        self.variances, self.mean = variances.clamp_min(0), mean

    def __call__(self, x_t: Tensor, level: NoiseLevel) -> Tensor:
        """Shape (B, ...), unchanged."""
        gain = self.variances * level.alpha / (self.variances * level.alpha**2 + level.sigma**2)
        flat = (x_t - level.alpha * self.mean).flatten(1).to(self.modes)
        return (self.mean + (flat @ self.modes * gain) @ self.modes.T).reshape(x_t.shape).to(x_t)


@dataclass(frozen=True)
class Case:
    """A Gaussian prior and an observation of a field that was drawn from it.

    Parameters
    ----------
    covariance : Tensor, shape (n, n)
        Of the prior.
    operator : Operator
        What is seen.
    error : float
        σ_y.
    """

    covariance: Tensor
    operator: Any
    error: float = ERROR

    @cached_property
    def matrix(self) -> Tensor:
        """A, shape (values, n)."""
        unit = torch.eye(len(self.covariance), dtype=torch.float64).reshape(-1, *self.operator.inside)
        return self.operator(unit).flatten(1).T

    @cached_property
    def seen(self) -> Tensor:
        """y, of a field drawn with the seed 0."""
        random = torch.Generator().manual_seed(0)
        root = torch.linalg.cholesky(self.covariance + 1e-9 * torch.eye(len(self.covariance)).double())
        field = root @ torch.randn(len(root), dtype=torch.float64, generator=random)
        noise = torch.randn(len(self.matrix), dtype=torch.float64, generator=random)
        return self.matrix @ field + self.error * noise

    @cached_property
    def law(self) -> tuple[Tensor, Tensor]:
        """Mean and covariance of the posterior."""
        crossed = self.covariance @ self.matrix.T
        seen = self.matrix @ crossed + self.error**2 * torch.eye(len(self.matrix)).double()
        gain = torch.linalg.solve(seen, crossed.T).T
        return gain @ self.seen, self.covariance - gain @ crossed.T

    @property
    def observation(self) -> Seen:
        """As guidance takes it."""
        values = self.seen.reshape(1, *self.operator.outside)
        return Seen(self.operator, values, torch.tensor(self.error**2).double())

    def sampled(
        self, sampler: Sampler, guidance: Guidance, steps: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and covariance of what a guided sampler draws: answers to no noise, and to every unit of noise."""
        denoise = guided(ExactDenoiser(self.covariance), self.observation, guidance)
        return affine_law(partial(sampler, denoise, steps=steps), self.operator.inside, fresh=sampler.fresh)


def affine_law(draw: Callable[..., Tensor], shape: tuple[int, ...], *, fresh: bool) -> tuple[Tensor, Tensor]:
    """Mean and covariance of a map of noise that is affine, of noise number 0 alone."""
    if fresh:
        msg = "a sampler that takes noise at every step has no law of its first noise alone"
        raise ValueError(msg)
    count = int(np.prod(shape))
    place = torch.cat([torch.zeros(1, count), torch.eye(count)]).double().reshape(-1, *shape)
    drawn = draw(lambda _: place).flatten(1)
    answers = drawn[1:] - drawn[0]
    return drawn[0], answers.T @ answers


def parts(shape: tuple[int, ...], blocks: tuple[int, int, int], matrix: Tensor) -> dict[str, Tensor]:
    """Linear functions of a field, each as a matrix (values, n)."""
    count = int(np.prod(shape))
    unit = torch.eye(count, dtype=torch.float64).reshape(-1, *shape)
    means = block_mean(unit, blocks)
    return {
        "cells": unit.flatten(1).T,
        "seen": matrix,
        "block means": means.flatten(1).T,
        "within blocks": (unit - block_repeat(means, blocks)).flatten(1).T,
        "changes": (unit[:, :, 1:] - unit[:, :, :-1]).flatten(1).T,
    }


def deviations(case: Case, blocks: tuple[int, int, int], drawn: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """For each part: error of the mean over the posterior's spread, and least and largest ratio of spreads.

    Root mean squares are over the part; ratios of spreads too, so that a part that is known exactly has no say.
    """
    mean, covariance = case.law
    found = {}
    for name, part in parts(case.operator.inside, blocks, case.matrix).items():
        variance = ((part @ covariance) * part).sum(1)
        spread = ((part @ drawn[1]) * part).sum(1)
        off = (part @ (drawn[0] - mean)).square().mean() / variance.mean()
        found[name] = (float(off.sqrt()), float((spread.mean() / variance.mean()).sqrt()))
    return found


def operators(shape: tuple[int, int, int, int]) -> dict[str, tuple[Any, tuple[int, int, int]]]:
    """What is seen, by name, and the blocks whose means are looked at."""
    random = torch.Generator().manual_seed(1)
    last = torch.tensor([size - 1 for size in shape[1:]], dtype=torch.float64)
    places = torch.rand(24, 3, dtype=torch.float64, generator=random) * last
    points = Points(shape, places, torch.zeros(24, dtype=torch.long))
    space, both = BlockMean(shape, (1, 4, 4)), BlockMean(shape, (3, 4, 4))
    return {
        "(4, 1)": (space, (1, 4, 4)),
        "(1, 3)": (BlockMean(shape, (3, 1, 1)), (3, 1, 1)),
        "(4, 3)": (both, (3, 4, 4)),
        "every third frame": (EveryFrame(shape, 3), (3, 4, 4)),
        "24 points": (points, (3, 4, 4)),
        "(4, 3) and points": (Stack([both, points]), (3, 4, 4)),
        "(4, 1) and every third frame": (Stack([space, EveryFrame(shape, 3)]), (1, 4, 4)),
    }


def field_covariance(size: int, frames: int) -> Tensor:
    """Of a window of half the side of a periodic domain."""
    field = GaussianField(2 * size, 2 * size, slope=3.0, scale=12.0)
    return torch.from_numpy(field.covariance(frames, (size, size)))


def posterior_levels(steps: int, error: float = ERROR) -> NoiseLevel:
    """As the prior takes them: down to a fifth of the error."""
    return karras(steps, largest=50.0, smallest=0.2 * error, rho=7.0)


RULES: dict[str, tuple[Sampler, int | None]] = {
    "heun, 20": (Sampler(SAMPLERS["heun"].rule, posterior_levels, 20, lambda n: 2 * n), 20),
    "dpm, 20": (Sampler(SAMPLERS["dpm"].rule, posterior_levels, 20, lambda n: n + 1), 20),
    "dpm, 40": (Sampler(SAMPLERS["dpm"].rule, posterior_levels, 40, lambda n: n + 1), 40),
    "angle, 20": (Sampler(SAMPLERS["angle"].rule, posterior_levels, 20, lambda n: n + 1), 20),
    "ddim, 256 (paper)": (predictor_corrector(), 256),
}
"""Samplers by name, with their steps."""

GUIDANCE: dict[str, Guidance] = {
    "moments": Moments(tolerance=1e-4, iterations=200),
    "SDA, γ 7.2e-4": Scalar(7.2e-4),
    "SDA, γ 0.1": Scalar(0.1),
    "Jacobian-free, γ 7.2e-4": Scalar(7.2e-4, exact=False),
}


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=int, default=8)
    options.add_argument("--frames", type=int, default=6)
    options.add_argument("--samplers", nargs="*", default=list(RULES))
    options.add_argument("--guidance", nargs="*", default=list(GUIDANCE))
    options.add_argument("--seen", nargs="*", default=None)
    chosen = options.parse_args()
    shape = (1, chosen.frames, chosen.size, chosen.size)
    covariance = field_covariance(chosen.size, chosen.frames)
    for name, (operator, blocks) in operators(shape).items():
        if chosen.seen and name not in chosen.seen:
            continue
        case = Case(covariance, operator)
        for how in chosen.guidance:
            for rule in chosen.samplers:
                sampler, steps = RULES[rule]
                started = time.monotonic()
                found = deviations(case, blocks, case.sampled(sampler, GUIDANCE[how], steps))
                told = "  ".join(f"{part} {off:6.3f} {ratio:6.3f}" for part, (off, ratio) in found.items())
                print(
                    f"{name:29s} {how:24s} {rule:18s} {told}  {time.monotonic() - started:5.1f} s", flush=True
                )


if __name__ == "__main__":
    main()
