"""How far jointly drawn variables are from their exact posterior: weather of known joint law, given its block means.

    python benchmarks/oracle_weather.py --steps 1500 --json benchmarks/oracle_weather.json
    python benchmarks/oracle_weather.py --targets uas --predictors psl --factors "(4, 1)" --steps 1500

Networks learn ``tutorial.weather`` without a mean wind, since training turns its windows. They see windows of the size
that they learn from, and so does the exact posterior. Scored are the middle cells of the middle coarse frame:

===============  ====================================================================================================
CRPS             expected fair CRPS of members over the exact posterior's σ/√π, for each variable
interpolation    the absolute error of bicubic interpolation over the same
spread           root mean variance of members over the exact one
correlation      largest error among pairs of variables: correlation of members about their mean, at the same cell and
                 step, against that of the posterior
gain             1 − CRPS with predictors / CRPS without, of the networks and in theory
===============  ====================================================================================================
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import common
import numpy as np
from gaussian import Array
from oracle import expected_crps, recipe_for

import xdownscale
from xdownscale.field.interpolation import interpolate_array
from xdownscale.inference.engine import Job, sample
from xdownscale.kernels.blocks import Blocks, block_mean
from xdownscale.tutorial.atmosphere import GAUSSIAN, Law, weather, weather_law

PROBLEMS: dict[str, tuple[Blocks, int]] = {"(4, 1)": ((1, 4, 4), 32), "(1, 3)": ((3, 1, 1), 12)}
"""Blocks (time, y, x) and fine cells along a side of the window, by factors."""

FRAMES, STILL = 3, (0.0, 0.0)
"""Coarse frames of a window, of which the middle one is scored; no mean wind."""

EVENTS, STEPS = 12, 48
"""Simulated events to learn from, and steps of each."""


class Posterior:
    """The joint law of variables in a window, given block means of them and of predictors.

    Parameters
    ----------
    law : Law
    targets, predictors : sequence of str
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    side : int
        Fine cells along y and x.
    """

    def __init__(
        self, law: Law, targets: list[str], predictors: list[str], blocks: Blocks, side: int
    ) -> None:
        self.law, self.targets, self.predictors, self.blocks = law, targets, predictors, blocks
        self.frames = FRAMES
        self.shape = (FRAMES * blocks[0], side, side)
        names = [*targets, *predictors]
        crossed = np.concatenate([self._crossed(name, names) for name in names])  # C·Aᵀ
        seen = self._means(crossed.T, len(names))  # A·C·Aᵀ, symmetric
        ridge = 1e-11 * np.diag(seen)
        count = len(targets) * math.prod(self.shape)
        self.gain = np.linalg.solve(seen + np.diag(ridge), crossed[:count].T).T
        self._crossed_targets = crossed[:count]

    def _crossed(self, name: str, names: list[str]) -> Array:
        """Covariances of the fine values of one variable with all coarse values, shape (time·y·x, coarse)."""
        frames, rows, columns = self.shape
        y, x = np.divmod(np.arange(rows * columns), columns)
        down, right = (y[None] - y[:, None]) % self.law.size, (x[None] - x[:, None]) % self.law.size
        ahead = [self.law.covariance((name, *names), lag)[0, 1:] for lag in range(frames)]
        behind = [self.law.covariance((name, *names), lag)[1:, 0] for lag in range(frames)]
        strips = []
        for t in range(frames):
            strip = np.empty((rows * columns, len(names), frames, rows * columns))
            for other in range(frames):
                for j in range(len(names)):
                    # Cov[v(t, p), w(t', q)]: distances count from the earlier one
                    late = other >= t
                    part = ahead[other - t][j] if late else behind[t - other][j]
                    strip[:, j, other] = part[down, right] if late else part[-down, -right]
            strips.append(self._means(strip.reshape(rows * columns, -1), len(names)))
        return np.concatenate(strips)

    def _means(self, values: Array, variables: int) -> Array:
        """Block means of (…, variables · time · y · x), shape (…, coarse)."""
        return block_mean(values.reshape(len(values), variables, *self.shape), self.blocks).reshape(
            len(values), -1
        )

    def mean(self, coarse: Array) -> Array:
        """Expectation of the targets (targets, T, H, W), given anomalies (variables, L, M, N)."""
        return (self.gain @ coarse.ravel()).reshape(len(self.targets), *self.shape)

    def covariance(self, first: int, second: int) -> Array:
        """Of two targets at the same cell and step, (T, H, W)."""
        size = math.prod(self.shape)
        rows, others = (slice(n * size, (n + 1) * size) for n in (first, second))
        prior = self.law.covariance((self.targets[first], self.targets[second]))[0, 1, 0, 0]
        told = (self.gain[rows] * self._crossed_targets[others]).sum(1)
        return (prior - told).reshape(self.shape)

    @property
    def middle(self) -> tuple[slice, slice, slice]:
        """Fine steps of the middle coarse frame, and cells away from the border."""
        time, _, side = self.blocks[0], *self.shape[1:]
        inner = slice(side // 3, side - side // 3)
        return slice(time, 2 * time), inner, inner


@dataclass(frozen=True)
class Scores:
    """Of one network on one problem; 1 (correlation: 0) is exact."""

    crps: dict[str, float]
    interpolation: dict[str, float]
    spread: dict[str, float]
    correlation: float


def trained(posterior: Posterior, steps: int, checkpoints: Path | None) -> xdownscale.Downscaler:
    """A generator of the targets, trained on simulated fields; shown the predictors."""
    names = [*posterior.targets, *posterior.predictors]
    fields = [
        weather((STEPS, 128, 128), seed=1000 + n, wind=STILL)[names].astype(np.float32) for n in range(EVENTS)
    ]
    recipe = recipe_for(posterior, steps)
    recipe = replace(recipe, weights=replace(recipe.weights, drift=0.003))
    time, high, wide = posterior.blocks
    label = "-".join([*posterior.targets, "with", *posterior.predictors, str(high), str(time)])
    return xdownscale.train(
        fields,
        (high, wide),
        time,
        targets=posterior.targets,
        predictors=posterior.predictors,
        recipe=recipe,
        validation=0.0,
        checkpoint=None if checkpoints is None else checkpoints / f"{label}.checkpoint",
    )


def judge(posterior: Posterior, model: xdownscale.Downscaler, *, cases: int, members: int) -> Scores:
    """Hold a network against the exact posterior on fields that it has not seen."""
    names, middle = [*posterior.targets, *posterior.predictors], posterior.middle
    pairs = list(combinations(range(len(posterior.targets)), 2))
    deviation = np.stack(
        [np.sqrt(posterior.covariance(n, n).clip(0))[middle] for n in range(len(posterior.targets))]
    )
    crps, variance, plain = (np.zeros(len(posterior.targets)) for _ in range(3))
    products = np.zeros(len(pairs))
    for case in range(cases):
        fine = window(posterior, names, case)
        coarse = block_mean(fine, posterior.blocks)
        job = Job(model.method, (0, 0, 0), seed=case, members=members)
        drawn = sample(job, coarse.swapaxes(0, 1).astype(np.float32)).astype(float)
        ensemble = np.moveaxis(drawn, 2, 1)[(slice(None), slice(None), *middle)]
        means = np.array([posterior.law.means[name] for name in names])[:, None, None, None]
        exact = posterior.mean(coarse - means)[(slice(None), *middle)] + means[: len(posterior.targets)]
        bicubic = interpolate_array(coarse, posterior.blocks)[: len(exact)][(slice(None), *middle)]
        crps += expected_crps(ensemble, exact, deviation).mean((1, 2, 3)) / cases
        plain += expected_crps(bicubic[None].repeat(2, 0), exact, deviation).mean((1, 2, 3)) / cases
        variance += ensemble.var(0, ddof=1).mean((1, 2, 3)) / cases
        anomalies = ensemble - ensemble.mean(0)
        for k, (i, j) in enumerate(pairs):
            products[k] += (anomalies[:, i] * anomalies[:, j]).sum(0).mean() / (members - 1) / cases
    exact_crps = deviation.mean((1, 2, 3)) / math.sqrt(math.pi)
    errors = [
        abs(
            products[k] / math.sqrt(variance[i] * variance[j])
            - posterior.covariance(i, j)[middle].mean()
            / math.sqrt((deviation[i] ** 2).mean() * (deviation[j] ** 2).mean())
        )
        for k, (i, j) in enumerate(pairs)
    ]

    def by_name(values: Array) -> dict[str, float]:
        return {name: float(value) for name, value in zip(posterior.targets, values, strict=True)}

    return Scores(
        by_name(crps / exact_crps),
        by_name(plain / exact_crps),
        by_name(np.sqrt(variance / (deviation**2).mean((1, 2, 3)))),
        max(errors, default=0.0),
    )


def window(posterior: Posterior, names: list[str], case: int) -> Array:
    """An unseen window (variables, T, H, W) from the middle of a simulated field."""
    steps, side, _ = posterior.shape
    field = weather((steps, 128, 128), seed=case, wind=STILL)[names]
    first = (128 - side) // 2
    cut = field.isel(y=slice(first, first + side), x=slice(first, first + side))
    return np.asarray(cut.to_array().transpose("variable", "time", "y", "x").values, np.float64)


def exact_gain(with_them: Posterior, without: Posterior) -> dict[str, float]:
    """1 − CRPS with predictors / CRPS without, of the exact posteriors."""

    def deviations(posterior: Posterior) -> list[float]:
        return [
            float(np.sqrt(posterior.covariance(n, n).clip(0))[posterior.middle].mean())
            for n in range(len(posterior.targets))
        ]

    pairs = zip(with_them.targets, deviations(with_them), deviations(without), strict=True)
    return {name: 1 - here / there for name, here, there in pairs}


def main() -> None:
    """Print the tables and record them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", nargs="+", default=list(GAUSSIAN), choices=GAUSSIAN)
    parser.add_argument("--predictors", nargs="*", default=[], choices=GAUSSIAN)
    parser.add_argument("--factors", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--steps", type=int, default=1500, help="of training, for each network")
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--checkpoints", type=Path, help="folder from which an interrupted training goes on")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    law, results = weather_law((1, 128, 128), wind=STILL), {}
    for name in options.factors:
        blocks, side = PROBLEMS[name]
        sets = [[], options.predictors] if options.predictors else [[]]
        found: dict[str, Scores] = {}
        posteriors = [Posterior(law, options.targets, some, blocks, side) for some in sets]
        for posterior in posteriors:
            model = trained(posterior, options.steps, options.checkpoints)
            label = ", ".join(posterior.predictors) or "none"
            found[label] = judge(posterior, model, cases=options.cases, members=options.members)
        print(f"\nfactors {name}\n\n| predictors | variable | CRPS | interpolation | spread | correlation |")
        print("|---|---|---|---|---|---|")
        for label, scores in found.items():
            for target in options.targets:
                values = [scores.crps[target], scores.interpolation[target], scores.spread[target]]
                cells = " | ".join(f"{each:.3f}" for each in (*values, scores.correlation))
                print(f"| {label} | {target} | {cells} |", flush=True)
        results[name] = {label: asdict(scores) for label, scores in found.items()}
        if options.predictors:
            gains = exact_gain(posteriors[1], posteriors[0])
            alone, helped = found.values()
            for target, exact in gains.items():
                ours = 1 - helped.crps[target] / alone.crps[target] * (1 - exact)
                print(f"gain of {target}: {ours:.3f}, in theory {exact:.3f}")
                results[name][f"gain of {target}"] = {"network": ours, "theory": exact}
    common.record(options.json, results=results)


if __name__ == "__main__":
    main()
