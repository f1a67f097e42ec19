"""Fields that are not radar rain: trained on the first hours of small real files, judged on the last ones.

    python benchmarks/variables.py ../shared/data --json benchmarks/variables.json
    python benchmarks/variables.py ../shared/data --only "ERA5 Britain" --steps 600

Each problem trains one generator, of recipe "small", on the first part of a file and draws ten members of the rest.
Coarse fields are block means. A table for each: fair CRPS of every variable over the absolute error of bicubic
interpolation, 95 % by bootstrap of blocks of hours; spread/skill; and, for several variables, the error of the
correlation between them. The files are a day to a month long: hours of one weather situation, at most a month's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import common
import numpy as np
import xarray as xr

import xdownscale
from xdownscale import metrics

RESAMPLES, MEMBERS = 400, 10
"""Bootstrap resamples; members of each ensemble."""


@dataclass(frozen=True)
class Problem:
    """What is learned from which file.

    Parameters
    ----------
    file : str
    spatial : int
    temporal : int
    targets : tuple of str
    predictors, static : tuple of str
    share : float
        Of the hours, to learn from.
    prepare : callable
        What is done to the file first.
    """

    file: str
    spatial: int
    targets: tuple[str, ...]
    static: tuple[str, ...] = ()
    predictors: tuple[str, ...] = ()
    temporal: int = 1
    share: float = 0.75
    prepare: Callable[[xr.Dataset, Path], xr.Dataset] = lambda dataset, _: dataset


def _with_humidity(arome: xr.Dataset, folder: Path) -> xr.Dataset:
    """AROME without its first hour, which has no rain, beside the relative humidity of ARPEGE on its grid."""
    arpege = xr.open_dataset(folder / "multivar_arpege_france_nw_0p1deg_1h_20180501.nc")
    humidity = arpege["hurs"].interp(lat=arome.lat, lon=arome.lon, kwargs={"fill_value": "extrapolate"})
    return arome.assign(hurs=humidity.clip(0, 100).assign_attrs(arpege["hurs"].attrs)).isel(
        time=slice(1, None)
    )


PROBLEMS = {
    "ERA5 Britain": Problem("multivar_era5_britain_t2m_0p25deg_1h_201903.nc", 4, ("tas",), ("orography",)),
    "ERA5 Britain, (2, 1)": Problem(
        "multivar_era5_britain_t2m_0p25deg_1h_201903.nc", 2, ("tas",), ("orography",)
    ),
    "ERA5 Italy": Problem("multivar_era5_italy_t2m_3h_202205.nc", 4, ("tas",)),
    "ARPEGE": Problem(
        "multivar_arpege_france_nw_0p1deg_1h_20180501.nc",
        4,
        ("uas", "vas", "psl", "tas"),
        ("orography",),
    ),
    "AROME": Problem(
        "multivar_arome_france_nw_0p025deg_1h_20180501.nc",
        4,
        ("pr",),
        ("orography",),
        ("psl", "hurs"),
        prepare=_with_humidity,
    ),
    "HRRR Idaho": Problem(
        "multivar_hrrr_idaho_3km_1h_20180722.nc", 3, ("tas", "hurs", "uas", "vas"), ("orog",), ("ps",)
    ),
}


def main() -> None:
    """Train, judge, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="../shared/data")
    parser.add_argument("--only", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoints", type=Path, help="folder from which an interrupted training goes on")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    for name in options.only:
        problem = PROBLEMS[name]
        past, future = halves(problem, options.folder)
        model = trained(problem, past, options)
        scores = judge(problem, future, model)
        results[name] = scores
        print(f"\n{name}: {past.sizes['time']} steps to learn from, {future.sizes['time']} to judge by\n")
        print(
            "| variable | CRPS / bicubic | 95 % | spread/skill | the same on training steps |\n|---|---|---|---|---|"
        )
        seen = judge(problem, past.isel(time=slice(-future.sizes["time"], None)), model)
        for target, found in scores.items():
            if target in problem.targets:
                interval = f"{found['low']:.3f} … {found['high']:.3f}"
                print(
                    f"| {target} | {found['ratio']:.3f} | {interval} | {found['spread_skill']:.2f} | "
                    f"{seen[target]['ratio']:.3f}, {seen[target]['spread_skill']:.2f} |",
                    flush=True,
                )
        if len(problem.targets) > 1:
            print(f"error of correlations: {scores['correlation']:.3f}", flush=True)
    common.record(options.json, steps=options.steps, results=results)


def halves(problem: Problem, folder: Path) -> tuple[xr.Dataset, xr.Dataset]:
    """The first and the last hours, cut to whole coarse cells."""
    dataset = problem.prepare(xr.open_dataset(folder / problem.file), folder).load()
    whole = {
        str(dim): slice(0, size // problem.spatial * problem.spatial)
        for dim, size in dataset.sizes.items()
        if dim != "time"
    }
    dataset = dataset.isel(whole)
    dataset = dataset.isel(time=dataset[problem.targets[0]].notnull().any(list(whole)).values)
    border = int(problem.share * dataset.sizes["time"])
    return dataset.isel(time=slice(0, border)), dataset.isel(time=slice(border, None))


def trained(problem: Problem, past: xr.Dataset, options: argparse.Namespace) -> xdownscale.Downscaler:
    """A generator of recipe "small"."""
    recipe = xdownscale.Recipe.named("small").with_steps(options.steps)
    recipe = replace(recipe, schedule=replace(recipe.schedule, average=0.99))
    label = f"{Path(problem.file).stem}-{problem.spatial}-{options.steps}"
    return xdownscale.train(
        past,
        problem.spatial,
        problem.temporal,
        targets=problem.targets,
        predictors=problem.predictors,
        static=past[list(problem.static)] if problem.static else None,
        recipe=recipe,
        seed=options.seed,
        checkpoint=None if options.checkpoints is None else options.checkpoints / f"{label}.checkpoint",
    )


def judge(problem: Problem, future: xr.Dataset, model: xdownscale.Downscaler) -> dict[str, Any]:
    """Scores of every target, and of the correlations between them."""
    chosen = future[[*problem.targets, *problem.predictors]]
    coarse = xdownscale.coarsen(chosen, spatial=problem.spatial, temporal=problem.temporal)
    fine = xdownscale.downscale(
        coarse,
        model,
        members=MEMBERS,
        static=future[list(problem.static)] if problem.static else None,
        like=future[problem.targets[0]],
    )
    found: dict[str, Any] = {}
    for name in problem.targets:
        bicubic = xdownscale.interpolate(
            coarse[name], spatial=problem.spatial, temporal=problem.temporal, like=future[problem.targets[0]]
        )
        crps = metrics.crps_ensemble(future[name], fine[name], dim=problem_space(future))
        plain = metrics.mae(future[name], bicubic, dim=problem_space(future))
        found[name] = ratio(crps.values, plain.values) | {
            "spread_skill": float(metrics.spread_skill_ratio(future[name], fine[name]))
        }
    if len(problem.targets) > 1:
        names = list(problem.targets)
        error = metrics.intervariable_correlation_error(future[names], fine[names])
        found["correlation"] = float(abs(error).max()) if error.ndim else float(error)
    return found


def problem_space(dataset: xr.Dataset) -> list[str]:
    """Dimensions of space."""
    return [dim for dim in ("lat", "lon", "y", "x") if dim in dataset.dims]


def ratio(crps: np.ndarray, plain: np.ndarray) -> dict[str, float]:
    """Sum over sum, and its central 95 % by bootstrap of blocks of steps."""
    length = max(1, len(crps) // 12)
    blocks = [slice(start, start + length) for start in range(0, len(crps), length)]
    sums = np.array([[crps[each].sum(), plain[each].sum()] for each in blocks])
    drawn = sums[np.random.default_rng(0).integers(len(sums), size=(RESAMPLES, len(sums)))].sum(1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return {"ratio": float(crps.sum() / plain.sum()), "low": float(low), "high": float(high)}


if __name__ == "__main__":
    main()
