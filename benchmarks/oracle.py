"""How far a method is from the exact posterior, where that is known: Gaussian fields given their block means.

    python benchmarks/oracle.py --json benchmarks/oracle.json
    python benchmarks/oracle.py --train generator residual --steps 3000 --json benchmarks/oracle_trained.json

Judged here: the exact posterior, and diffusion by every sampler with the exact denoiser; or instead networks trained on
fields of the same law, which then stand still, since training turns and mirrors its windows (:func:`recipe_for` says
how they are trained). Any method can be: it is a callable ``draw(coarse, members, seed)`` that makes members (members,
T·L, H, W) of block means (L, M, N), given to :func:`judge`. Scored is the middle coarse frame. The truth is never
drawn: scores are expectations over it, so only members and cases are random.

=============  ======================================================================================================
mean error     root mean square of ensemble mean − exact mean, over the exact posterior deviation; the square of what
               so few exact members would have is taken off
spread         root mean variance, over the exact one
CRPS           expected fair CRPS, over the exact posterior's σ/√π
energy score   expected fair energy score of patches of 6 × 6 cells and all steps of a coarse frame, over the exact one
spectrum       worst bin of the power of member − exact mean (cosine transform, bins of equal width), over the exact one
blocks         root mean square error of block means, over the exact posterior deviation
=============  ======================================================================================================
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import common
import numpy as np
import torch
import xarray as xr
from gaussian import Array, GaussianField, Posterior
from scipy.fft import dctn
from scipy.special import erf

import xdownscale
from xdownscale.diffusion.sample import SAMPLERS, Sampler
from xdownscale.diffusion.schedule import NoiseLevel
from xdownscale.inference.engine import Job, sample
from xdownscale.kernels.blocks import block_mean
from xdownscale.models.conserve import PASSES

Draw: TypeAlias = Callable[[Array, int, int], Array]
"""Members (members, T·L, H, W) from block means (L, M, N), a number of members and a seed."""

PATCH, STRIDE = 6, 3
"""Side of the patches whose joint law the energy score judges, and the distance between them."""

BINS = 8
"""Bins of the spectrum."""

PROBLEMS = {
    "(4, 1)": ((1, 4, 4), GaussianField(96, 96), (32, 32)),
    "(1, 3)": ((3, 1, 1), GaussianField(54, 54, scale=6.0), (18, 18)),
}
"""Blocks (time, y, x), the law of the field, and the window of it that methods see, by factors."""

FRAMES = 3
"""Coarse frames of a window; the middle one is scored."""


@dataclass(frozen=True)
class Scores:
    """Distances from the exact posterior; 1 (errors: 0) is exact."""

    mean_error: float
    spread: float
    crps: float
    energy: float
    spectrum: float
    blocks: float


def main() -> None:
    """Print the tables and record them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--train", nargs="*", default=[], help="methods to train on such fields and to judge")
    parser.add_argument("--factors", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--steps", type=int, default=3000, help="of training, for each network")
    parser.add_argument("--minutes", type=float, help="of training, for each method, if that is over earlier")
    parser.add_argument("--checkpoints", type=Path, help="folder from which an interrupted training goes on")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.factors:
        blocks, field, window = PROBLEMS[name]
        if options.train:
            field = replace(field, velocity=(0.0, 0.0))
        posterior = Posterior(field, blocks, FRAMES, window)
        methods: dict[str, Draw] = {"exact posterior": exact_draw(posterior)}
        for method in options.train:
            asked = SAMPLERS["angle"].cost(SAMPLERS["angle"].steps) if method == "residual" else 1
            methods[f"{method}, {asked}"] = trained_draw(
                posterior, method, recipe_for(posterior, options.steps, options.minutes), options.checkpoints
            )
        methods |= {} if options.train else dict(sampler_draws(posterior))
        results[name] = {}
        print(f"\nfactors {name}\n" + HEADER, flush=True)
        for label, draw in methods.items():
            scores = judge(posterior, draw, cases=options.cases, members=options.members)
            results[name][label] = asdict(scores)
            print(row(label, scores), flush=True)
    common.record(options.json, results=results)


HEADER = (
    "| method | evaluations | mean error | spread | CRPS | energy score | spectrum | blocks |\n"
    "|---|---|---|---|---|---|---|---|"
)


def row(label: str, scores: Scores) -> str:
    """One line of the table; the number of evaluations stands at the end of the label, if any."""
    name, _, cost = label.partition(", ")
    values = asdict(scores)
    return f"| {name} | {cost or 1} | " + " | ".join(f"{value:.3f}" for value in values.values()) + " |"


def exact_draw(posterior: Posterior) -> Draw:
    """The exact posterior, for which every ratio is 1 but for sampling noise."""
    return lambda coarse, members, seed: posterior.sample(coarse, members, np.random.default_rng(seed))


def diffusion_draw(posterior: Posterior, sampler: Sampler, steps: int) -> Draw:
    """Mean + standardised residual by a sampler, with the exact denoiser.

    In the basis of the posterior's modes the denoiser is diagonal, x̂₀ = λα/(λα² + σ²)·x_t; white noise is white in
    every basis, so the samples are those that the sampler would give on the grid.
    """
    variances, modes = posterior.modes
    scale = math.sqrt(variances.mean())
    variance = torch.from_numpy(variances / scale**2)

    def denoise(x_t: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
        return variance * level.alpha / (variance * level.alpha**2 + level.sigma**2) * x_t

    def draw(coarse: Array, members: int, seed: int) -> Array:
        source = torch.Generator().manual_seed(seed)

        def noise(_: int) -> torch.Tensor:
            return torch.randn(members, len(variances), generator=source, dtype=torch.float64)

        start = noise(0)
        residual = sampler(denoise, lambda n: noise(n) if n else start, steps=steps).numpy()
        return posterior.mean(coarse) + scale * (residual @ modes.T).reshape(members, *posterior.shape)

    return draw


def sampler_draws(posterior: Posterior) -> list[tuple[str, Draw]]:
    """Every sampler with fewer steps than its default, and with its default."""
    counts = {
        "angle": (3, 5, 8),
        "dpm": (5, 8, 15),
        "heun": (5, 9, 18),
        "ddim": (5, 16, 100),
        "ddpm": (1000,),
    }
    return [
        (f"{name}, {SAMPLERS[name].cost(steps)}", diffusion_draw(posterior, SAMPLERS[name], steps))
        for name, several in counts.items()
        for steps in several
    ]


EVENTS = 400
"""Fields to learn from: many, since a network that knows a few by heart is no test of the method."""


def trained_draw(
    posterior: Posterior, method: str, recipe: xdownscale.Recipe, checkpoints: Path | None = None
) -> Draw:
    """A method trained by the package on fields of the same law.

    It learns from windows of the size that it is shown when it draws, cut out of fields that are three times as wide.
    So the network and the exact posterior know the same, the block means of a window and nothing beyond, and no window
    holds a place twice: of copies beside each other the truth has one texture and members have several, and scores of
    what a whole window holds would ask members for a wrong spread. Nothing is held out: validation would choose weights
    by their CRPS, which hardly sees what is asked for here.
    """
    time, high, wide = posterior.blocks
    fields = posterior.field.simulate(posterior.shape[0], EVENTS, np.random.default_rng(12345))
    model = xdownscale.train(
        [_as_temperature(each) for each in fields],
        (high, wide),
        time,
        method=method,
        recipe=recipe,
        validation=0.0,
        checkpoint=None if checkpoints is None else checkpoints / f"{method}-{time}-{high}.checkpoint",
    )

    def draw(coarse: Array, members: int, seed: int) -> Array:
        job = Job(model.method, (0, 0, 0), seed=seed, members=members)
        return sample(job, coarse.astype(np.float32)[:, None])[:, :, 0].astype(float)

    return draw


def recipe_for(posterior: Posterior, steps: int, minutes: float | None = None) -> xdownscale.Recipe:
    """How networks are trained for the oracle: networks of recipe "small", whose loss and schedule fit its bounds.

    * fair scores, α = 1: with α < 1 and M members the best Gaussian ensemble has the spread c/√(2 − c²), where
      c = 1 − (1 − α)/M, and its square in every wave; the default, α = 0.98 and two members, allows 0.980 and 0.961;
    * waves of windows count twice and from the first step, since cells and patches hardly see the weak waves;
    * as many passes of conservation as in use, so that nothing is learned to make up for missing ones;
    * windows of the size that is shown in use: zeros beyond the border reach as far into them.
    """
    small = xdownscale.Recipe.named("small")
    _, high, _ = posterior.blocks
    return replace(
        small,
        cells=posterior.shape[1] // high,
        frames=posterior.frames,
        weights=replace(
            small.weights,
            alpha=1.0,
            spectral=1.0,
            late=0.0,
        ),
        schedule=replace(
            small.schedule,
            batch=4,
            average=0.995,
            passes=PASSES,
            patience=1000,
            check=100,
            seconds=None if minutes is None else 60 * minutes,
        ),
    ).with_steps(steps)


def _as_temperature(values: Array) -> xr.DataArray:
    """A field without rectifier, hourly and at 1 km."""
    coords = {
        "time": np.datetime64("2020-01-01", "ns") + np.arange(len(values)) * np.timedelta64(1, "h"),
        "y": 1000.0 * np.arange(values.shape[1]),
        "x": 1000.0 * np.arange(values.shape[2]),
    }
    return xr.DataArray(values.astype(np.float32), coords, ("time", "y", "x"), "tas", {"units": "K"})


def judge(posterior: Posterior, draw: Draw, *, cases: int = 8, members: int = 64, seed: int = 0) -> Scores:
    """Hold a method against the exact posterior.

    Parameters
    ----------
    posterior : Posterior
    draw : callable
    cases : int
        Coarse fields, each from a field of its own.
    members : int
        Members of each case.
    seed : int
    """
    random = np.random.default_rng(seed)
    middle = _middle(posterior)
    truths = posterior.truths(cases, random)
    deviation = posterior.deviation[middle]
    found = []
    for case, coarse in enumerate(block_mean(truths, posterior.blocks)):
        whole = np.asarray(draw(coarse, members, seed + case), np.float64)
        ensemble, center = whole[:, middle], posterior.mean(coarse)[middle]
        exact = posterior.sample(coarse, 4 * members, random)[:, middle]
        off = block_mean(whole, posterior.blocks) - coarse
        found.append(
            (
                float((ensemble.mean(0) - center).__pow__(2).mean())
                - float(ensemble.var(0, ddof=1).mean()) / members,
                float(ensemble.var(0, ddof=1).mean()),
                float(expected_crps(ensemble, center, deviation).mean()),
                *energy_scores(ensemble, exact),
                powers(ensemble - center),
                float((off**2).mean()),
            )
        )
    square, variance, crps, energy, best, power, blocks = (
        np.mean(np.stack([np.asarray(each[k]) for each in found]), axis=0) for k in range(7)
    )
    truth = float((deviation**2).mean())
    ratios = power / exact_powers(posterior)
    return Scores(
        mean_error=math.sqrt(max(0.0, float(square)) / truth),
        spread=math.sqrt(float(variance) / truth),
        crps=float(crps) / (float(deviation.mean()) / math.sqrt(math.pi)),
        energy=float(energy / best),
        spectrum=float(ratios[np.abs(np.log(ratios)).argmax()]),
        blocks=math.sqrt(float(blocks) / truth),
    )


def expected_crps(members: Array, mean: Array, deviation: Array) -> Array:
    """Fair CRPS of members (M, …) expected over a truth from N(mean, deviation²).

    E|x − Y| = s·(2φ(u) + u·(2Φ(u) − 1)) with u = (x − mean)/s; exact members give s/√π.
    """
    count = len(members)
    s = np.maximum(deviation, 1e-12)
    u = (members - mean) / s
    error = (s * (np.sqrt(2 / np.pi) * np.exp(-(u**2) / 2) + u * erf(u / np.sqrt(2)))).mean(0)
    ranks = (2 * np.arange(count) + 1 - count).reshape(-1, *(1,) * mean.ndim)
    return np.asarray(error - (ranks * np.sort(members, axis=0)).sum(0) / (count * (count - 1)))


def energy_scores(members: Array, exact: Array) -> tuple[float, float]:
    """Fair energy score of patches, expected over exact truths: of the members and of the truth's own law."""
    ours, theirs = _patches(members), _patches(exact)
    half = _pairs(theirs) / 2
    across = np.mean([np.sqrt(((ours - one) ** 2).sum(-1)).mean() for one in theirs])
    return float(across) - _pairs(ours) / 2, half


def _pairs(patches: Array) -> float:
    """Mean distance between two different members, of patches (M, P, n)."""
    count = len(patches)
    apart = sum(
        float(np.sqrt(((patches[i + 1 :] - one) ** 2).sum(-1)).sum()) for i, one in enumerate(patches)
    )
    return 2 * apart / (count * (count - 1) * patches.shape[1])


def _patches(fields: Array) -> Array:
    """Patches (members, patches, cells) of fields (members, T, H, W)."""
    windows = np.lib.stride_tricks.sliding_window_view(fields, (PATCH, PATCH), axis=(2, 3))
    windows = windows[:, :, ::STRIDE, ::STRIDE].transpose(0, 2, 3, 1, 4, 5)
    return windows.reshape(len(fields), -1, fields.shape[1] * PATCH * PATCH)


def powers(fields: Array) -> Array:
    """Power of the cosine waves of planes (…, H, W), mean of each bin."""
    return _binned((dctn(fields, axes=(-2, -1), norm="ortho") ** 2).reshape(-1, *fields.shape[-2:]).mean(0))


def exact_powers(posterior: Posterior) -> Array:
    """The expectation of :func:`powers` for exact members: the diagonal of D·Cov·Dᵀ, frame by frame."""
    size = posterior.shape[1:]
    cells = size[0] * size[1]
    frames = range(posterior.shape[0])[_middle(posterior)]
    total = np.zeros(size)
    for t in frames:
        part = posterior.covariance[t * cells : (t + 1) * cells, t * cells : (t + 1) * cells]
        half = dctn(part.reshape(cells, *size), axes=(-2, -1), norm="ortho").reshape(cells, cells)
        both = dctn(half.T.reshape(cells, *size), axes=(-2, -1), norm="ortho").reshape(cells, cells)
        total += np.diag(both).reshape(size)
    return _binned(total / len(frames))


def _binned(power: Array) -> Array:
    """Means over rings of wave numbers."""
    y, x = np.meshgrid(*(np.arange(n) / n for n in power.shape), indexing="ij")
    ring = np.minimum((np.hypot(y, x) * BINS).astype(int), BINS - 1)
    return np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())


def _middle(posterior: Posterior) -> slice:
    """Fine steps of the middle coarse frame."""
    steps = posterior.blocks[0]
    return slice(posterior.frames // 2 * steps, (posterior.frames // 2 + 1) * steps)


if __name__ == "__main__":
    main()
