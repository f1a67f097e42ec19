"""A generative prior of simulated weather against the exact posterior: one prior, several factors, four variables.

A prior is trained on ``tutorial.weather`` and conditioned on block means of other weather with an error of 2 % of the
variability. For each variable it prints the fair CRPS over that of the exact posterior (``exact_weather.py``) on the
same cases, the error of the mean over the posterior's spread, and the ratio of spreads; and how far correlations
between the variables of members are from those of the truth.

    python benchmarks/prior.py --seconds 300 --cases 4 --members 6
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from exact_weather import WeatherPosterior
from numpy.typing import NDArray
from scipy.stats import norm

import xdownscale
from xdownscale.kernels.crps import crps_ensemble
from xdownscale.models.prior_recipe import PriorRecipe
from xdownscale.models.schedule import Schedule

Array = NDArray[np.float64]

NAMES = ("psl", "uas", "vas", "tas")
SHAPE = (6, 32, 32)
"""Frames, rows and columns that are downscaled: the middle of a field of 96 cells."""

ERROR = 0.02


def trained(seconds: float, path: str | None) -> Any:
    """The prior, or the one that a file holds."""
    if path is not None and Path(path).exists():
        return xdownscale.load(path)
    weather = xdownscale.tutorial.weather((360, 128, 128), seed=1)[list(NAMES)]
    schedule = Schedule(
        steps=100_000,
        seconds=seconds,
        batch=2,
        rate=1e-3,
        average=0.995,
        check=100,
        validation=8,
        patience=1000,
    )
    model = xdownscale.train(weather, method="prior", recipe=PriorRecipe(schedule=schedule), progress=False)
    if path is not None:
        model.save(path)
    return model


@dataclass
class Sums:
    """What is added up over cases, by variable."""

    crps: Array = field(default_factory=lambda: np.zeros(len(NAMES)))
    exact: Array = field(default_factory=lambda: np.zeros(len(NAMES)))
    off: Array = field(default_factory=lambda: np.zeros(len(NAMES)))
    variance: Array = field(default_factory=lambda: np.zeros(len(NAMES)))
    correlation: list[float] = field(default_factory=list)


def case(model: Any, posterior: WeatherPosterior, seed: int, members: int, sums: Sums) -> None:
    """One piece of weather, coarsened, seen with an error, and downscaled."""
    whole = xdownscale.tutorial.weather((SHAPE[0], 96, 96), seed=1000 + seed)[list(NAMES)]
    truth = whole.isel(y=slice(32, 64), x=slice(32, 64))
    time_factor, spatial, _ = posterior.blocks
    random = np.random.default_rng(seed)
    scales = dict(zip(NAMES, posterior.scales, strict=True))
    coarse = truth.sr.coarsen(spatial, time_factor)
    coarse = coarse.assign(
        {n: coarse[n] + ERROR * scales[n] * random.standard_normal(coarse[n].shape) for n in NAMES}
    )
    fine = coarse.sr.downscale(
        model,
        spatial=spatial,
        temporal=time_factor,
        members=members,
        seed=seed,
        error={n: ERROR * scale for n, scale in scales.items()},
    )
    means = posterior.law.means

    def anomalies(dataset: Any, *dims: str) -> Array:
        return np.stack(
            [(dataset[n].transpose(*dims).values.astype(float) - means[n]) / scales[n] for n in NAMES]
        )

    here, seen = anomalies(truth, "time", "y", "x"), anomalies(coarse, "time", "y", "x")
    ensemble = anomalies(fine, "member", "time", "y", "x").swapaxes(0, 1)
    mean, spread = posterior.mean(seen), posterior.deviation
    z = (here - mean) / spread
    exact = spread * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi))
    score = np.asarray(crps_ensemble(torch.from_numpy(here), torch.from_numpy(ensemble)))
    cells = (1, 2, 3)
    sums.crps += score.mean(cells)
    sums.exact += exact.mean(cells)
    sums.off += ((ensemble.mean(0) - mean) ** 2).mean(cells) - ensemble.var(0, ddof=1).mean(cells) / members
    sums.variance += ensemble.var(0, ddof=1).mean(cells)
    sums.correlation += [
        abs(
            np.corrcoef(here[i].ravel(), here[j].ravel())[0, 1]
            - np.mean([np.corrcoef(each[i].ravel(), each[j].ravel())[0, 1] for each in ensemble])
        )
        for i, j in combinations(range(len(NAMES)), 2)
    ]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=300.0)
    options.add_argument("--cases", type=int, default=4)
    options.add_argument("--members", type=int, default=6)
    options.add_argument(
        "--file", default=None, help="where the prior is kept, and taken from if it is there"
    )
    chosen = options.parse_args()
    model = trained(chosen.seconds, chosen.file)
    print(f"steps {model.provenance.steps}, held out {model.provenance.scores}")
    law = xdownscale.tutorial.weather_law(SHAPE)
    scales = tuple(float(np.sqrt(law.covariance((name,))[0, 0, 0, 0])) for name in NAMES)
    for blocks in ((1, 4, 4), (3, 4, 4)):
        posterior, sums = WeatherPosterior(law, NAMES, SHAPE, blocks, scales, ERROR), Sums()
        started = time.monotonic()
        for seed in range(chosen.cases):
            case(model, posterior, seed, chosen.members, sums)
        spread = (posterior.deviation**2).mean((1, 2, 3))
        pace = (time.monotonic() - started) / chosen.cases / chosen.members
        print(f"({blocks[1]}, {blocks[0]}), {pace:.1f} s per member; correlations off by "
              f"{np.mean(sums.correlation):.3f} on average, {np.max(sums.correlation):.3f} at most")  # fmt: skip
        for number, name in enumerate(NAMES):
            off = math.sqrt(max(0.0, sums.off[number] / chosen.cases / spread[number]))
            ratio = math.sqrt(sums.variance[number] / chosen.cases / spread[number])
            print(f"  {name:5s} CRPS / exact {sums.crps[number] / sums.exact[number]:6.3f}   "
                  f"mean off {off:6.3f}   spread {ratio:6.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
