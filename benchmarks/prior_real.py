"""The generative prior beside the generator on real fields, both trained for the same minutes; long trajectories.

    python benchmarks/prior_real.py fields ../shared/data --minutes 3 --json benchmarks/prior_real.json
    python benchmarks/prior_real.py fields ../shared/data --minutes 3 --only "Storm 1996"
    python benchmarks/prior_real.py frames --lengths 49 240 --file prior.safetensors --json benchmarks/prior_frames.json

*fields*: each problem is learned from the first three quarters of a file and judged on six steps of the rest, in the
middle 32 × 32 cells or so: the generator at one pair of factors, the prior from fine fields alone. Block means are kept
exactly by both (``conserve="cell"``). Fair CRPS over the absolute error of bicubic interpolation with 95 % by bootstrap
of blocks of steps; spread/skill; mean energy log ratio of spectra; coherence of the structure tensor, of members and of
the truth; error of the correlations between variables; seconds of processor for a member and a step. The storm of 1996
is given every six hours on 1.25 by 2.5 degrees.

*frames*: one trajectory of so many hours from a prior of simulated weather, put together from its windows: lag-1
correlation of steps across borders of windows and of steps inside, each over that of the truth at the same steps (the
weather itself is more persistent at some), and the peak memory of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import numpy as np
import rain
import torch
import variables
import xarray as xr

import xdownscale
from xdownscale import metrics
from xdownscale.models.prior_recipe import PriorRecipe
from xdownscale.models.recipe import Recipe
from xdownscale.models.schedule import Schedule

RADOLAN = "rain_dwd_radolan_yw_germany_1km_5min_20180510-16.nc"

HEADER = (
    "| method | steps | variable | CRPS / bicubic | 95 % | spread/skill | MELR (bicubic) | coherence (truth) | "
    "s a member and step |\n" + "|---" * 9 + "|"
)

STORM = variables.Problem(
    "multivar_storm1996_northamerica_6h.nc",
    4,
    ("psl", "uas", "vas"),
    prepare=lambda storm, _: storm.isel(lat=slice(4, 32), lon=slice(6, 30)).interpolate_na("time"),
)
"""The part of its map that is not cut off; two steps of one wind, both to learn from, are missing and interpolated."""

SIDE, STEPS = 32, 6
"""Cells along a side and steps of what is judged."""


@dataclass(frozen=True)
class Problem:
    """Fine fields to learn from and to be judged on, and what they are to be made from."""

    past: xr.Dataset
    future: xr.Dataset
    targets: tuple[str, ...]
    spatial: int
    temporal: int
    cells: int
    """Fine cells along the side of a window of the prior."""


def problems(folder: Path) -> dict[str, Problem]:
    """Weather of three models, and rain of a radar."""
    found = {}
    for name, given in (
        *((name, variables.PROBLEMS[name]) for name in ("ARPEGE", "HRRR Idaho", "ERA5 Britain")),
        ("Storm 1996", STORM),
    ):
        past, future = variables.halves(given, folder)
        keep = tuple(each for each in given.targets if each != "hurs")
        past, future = (each[list(keep)] for each in (past, future))
        future = middle(future.isel(time=slice(0, STEPS)), given.spatial)
        cells = min(SIDE, *(future.sizes[dim] for dim in variables.problem_space(future)))
        found[name] = Problem(past, future, keep, given.spatial, given.temporal, cells)
    radar = xr.open_dataset(folder / RADOLAN)[["rainfall_rate"]].isel(y=slice(45, 141), x=slice(60, 156))
    past = radar.sel(time="2018-05-15").isel(time=slice(120, 264)).load()
    future = middle(radar.sel(time="2018-05-16").isel(time=slice(150, 150 + STEPS)).load(), 8)
    found["RADOLAN YW"] = Problem(past, future, ("rainfall_rate",), 8, 3, 48)
    return found


def middle(dataset: xr.Dataset, spatial: int) -> xr.Dataset:
    """The middle of a domain, in whole coarse cells and sizes of a network: members of all of it take hours."""
    whole = math.lcm(spatial, 4)
    side = SIDE // whole * whole
    cut = {}
    for dim in variables.problem_space(dataset):
        start = max(0, dataset.sizes[dim] - side) // 2 // spatial * spatial
        cut[dim] = slice(start, start + side)
    return dataset.isel(cut)


def trained(problem: Problem, method: str, seconds: float) -> xdownscale.Downscaler:
    """A generator for the pair, or a prior of the fields."""
    schedule = Schedule(
        steps=100_000,
        seconds=seconds,
        batch=2,
        rate=2e-3,
        average=0.99,
        check=50,
        validation=8,
        patience=10_000,
    )
    if method == "prior":
        recipe = PriorRecipe(cells=problem.cells, overlap=16, schedule=schedule)
        return xdownscale.train(problem.past, method="prior", recipe=recipe, progress=False)
    small = Recipe.named("small")
    cells = min(small.cells, min(problem.past[problem.targets[0]].shape[1:]) // problem.spatial)
    recipe = Recipe(cells=cells, frames=small.frames, size=small.size, schedule=schedule)
    return xdownscale.train(
        problem.past,
        problem.spatial,
        problem.temporal,
        targets=list(problem.targets),
        recipe=recipe,
        progress=False,
    )


def judged(problem: Problem, model: xdownscale.Downscaler, members: int) -> dict[str, Any]:
    """Scores of every target, and the cost."""
    coarse = xdownscale.coarsen(problem.future, spatial=problem.spatial, temporal=problem.temporal)
    started = time.process_time()
    fine = xdownscale.downscale(
        coarse,
        model,
        spatial=problem.spatial,
        temporal=problem.temporal,
        members=members,
        conserve="cell",
        like=problem.future[problem.targets[0]],
        progress=False,
    )
    seconds = (time.process_time() - started) / members / problem.future.sizes["time"]
    found: dict[str, Any] = {"seconds": seconds, "steps": model.provenance.steps}
    space = variables.problem_space(problem.future)
    for name in problem.targets:
        truth = problem.future[name]
        bicubic = xdownscale.interpolate(
            coarse[name], spatial=problem.spatial, temporal=problem.temporal, like=truth
        )
        crps = metrics.crps_ensemble(truth, fine[name], dim=space)
        plain = metrics.mae(truth, bicubic, dim=space)
        found[name] = variables.ratio(crps.values, plain.values) | {
            "spread_skill": float(metrics.spread_skill_ratio(truth, fine[name])),
            "melr": float(metrics.energy_log_ratio(truth, fine[name])),
            "melr of bicubic": float(metrics.energy_log_ratio(truth, bicubic)),
            "coherence": coherence(fine[name]),
            "coherence of the truth": coherence(truth),
        }
    if len(problem.targets) > 1:
        names = list(problem.targets)
        error = metrics.intervariable_correlation_error(problem.future[names], fine[names])
        found["correlation"] = float(abs(error).max())
    return found


def coherence(field: xr.DataArray) -> float:
    """Coherence of the structure tensor, of rain in its logarithm."""
    return rain.coherence(field) if "rain" in str(field.name) else rain.tensor_coherence(field.values)


def fields(options: argparse.Namespace) -> None:
    """A table for each problem."""
    results: dict[str, Any] = {}
    for label, problem in problems(options.folder).items():
        if options.only and label not in options.only:
            continue
        print(f"\n{label}, ({problem.spatial}, {problem.temporal})\n")
        print(HEADER)
        for method in ("generator", "prior"):
            model = trained(problem, method, 60 * options.minutes)
            found = judged(problem, model, options.members)
            results[f"{label}, {method}"] = found
            for name in problem.targets:
                row = found[name]
                print(
                    f"| {method} | {found['steps']} | {name} | {row['ratio']:.3f} | "
                    f"{row['low']:.3f} … {row['high']:.3f} | {row['spread_skill']:.2f} | "
                    f"{row['melr']:.2f} ({row['melr of bicubic']:.2f}) | "
                    f"{row['coherence']:.2f} ({row['coherence of the truth']:.2f}) | {found['seconds']:.2f} |",
                    flush=True,
                )
            if "correlation" in found:
                print(f"correlations between variables off by at most {found['correlation']:.3f}", flush=True)
    common.record(options.json, results=results)


def frames(options: argparse.Namespace) -> None:
    """Trajectories of several lengths, each in a process of its own."""
    results = {}
    print(
        "| hours | lag-1 over the truth's: inside | across borders | ratio | truth | peak MiB | above start | s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for length in options.lengths:
        words = [sys.executable, __file__, "one", "--length", str(length), "--file", str(options.file)]
        answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
        row = json.loads(answer.stdout.splitlines()[-1])
        results[str(length)] = row
        print(
            f"| {length} | {row['inside']:.4f} | {row['across']:.4f} | {row['across'] / row['inside']:.4f} | "
            f"{row['truth']:.4f} | {row['peak']:.0f} | {row['peak'] - row['start']:.0f} | {row['seconds']:.0f} |",
            flush=True,
        )
    common.record(options.json, results=results)


def one(options: argparse.Namespace) -> None:
    """One trajectory of temperature and wind, downscaled by (4, 1)."""
    model = xdownscale.load(options.file)
    names = [each.name for each in model.variables]
    whole = xdownscale.tutorial.weather((options.length, 48, 48), seed=77)[names]
    coarse = whole.sr.coarsen(4, 1)
    start, began = _peak(), time.monotonic()
    fine = coarse.sr.downscale(model, spatial=4, temporal=1, members=1, seed=1, progress=False)["tas"][0]
    settings = model.method.settings
    stride = settings.frames - 2 * settings.blanket
    first = (
        settings.frames - settings.blanket
    )  # windows answer for their first frames, then for `stride` each
    borders = np.arange(first, options.length - settings.blanket, stride)

    def lag(field: xr.DataArray) -> np.ndarray:
        detail = field - field.mean(["y", "x"])
        values = detail.values.reshape(options.length, -1).astype(float)
        values = values / np.sqrt((values**2).mean(1, keepdims=True))
        return np.asarray((values[1:] * values[:-1]).mean(1))

    found, known = lag(fine), lag(whole["tas"])
    across = np.zeros(len(found), bool)
    across[borders[borders < options.length] - 1] = True
    print(
        json.dumps(
            {
                "inside": found[~across].mean() / known[~across].mean(),
                "across": found[across].mean() / known[across].mean(),
                "truth": known.mean(),
                "start": start,
                "peak": _peak(),
                "seconds": time.monotonic() - began,
                "borders": int(across.sum()),
            }
        )
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Read the command line and do one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    part = parts.add_parser("fields")
    part.add_argument("folder", type=Path)
    part.add_argument("--minutes", type=float, default=3.0)
    part.add_argument("--members", type=int, default=6)
    part.add_argument("--only", nargs="+")
    part.add_argument("--json", type=Path)
    part.set_defaults(run=fields)
    part = parts.add_parser("frames")
    part.add_argument("--lengths", type=int, nargs="+", default=[49, 240])
    part.add_argument("--file", type=Path, required=True, help="a prior that prior.py kept")
    part.add_argument("--json", type=Path)
    part.set_defaults(run=frames)
    part = parts.add_parser("one")
    part.add_argument("--length", type=int)
    part.add_argument("--file", type=Path)
    part.set_defaults(run=one)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.run(options)


if __name__ == "__main__":
    main()
