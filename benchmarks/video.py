"""Joint video diffusion (``method="video"``) held against known laws, and against stand-ins on radar rain at (8, 1).

    python benchmarks/video.py steps
    python benchmarks/video.py oracle --minutes 8 --json benchmarks/video_oracle.json
    python benchmarks/video.py predictors --minutes 8 --json benchmarks/video_predictors.json
    python benchmarks/video.py rain ../shared/data --minutes 8 --json benchmarks/video_rain.json
    python benchmarks/video.py arome ../shared/data --minutes 8 --json benchmarks/video_arome.json

`steps` is in closed form: the standard deviation that a sampler keeps of a Gaussian residual, with an exact denoiser.

`oracle` trains on Gaussian sequences of five frames at factor 8 and compares with their exact posterior, in the middle
frame, by the scores of `oracle.py`. CRPS sees single cells alone: energy score and spectrum say what texture there is.

`predictors` trains on simulated wind, alone and with pressure, at factor 4; the exact posteriors (`oracle_weather.py`)
say what the gain in CRPS should be.

`rain` trains every contender for the same time on the wall on two hours of each of six days of radar amounts, in a
square of 96 km, and scores it on the seventh and wettest, in the wettest of its nine squares of 32 km at a few times.
Stand-ins are light networks of the kind that the paper compares with, not those themselves. With ``--test`` the same
networks are scored on the middle of the three MeteoSwiss events instead, which no training sees. Ratios of CRPS are
over the first contender, with 95 % by bootstrap of cases, which all contenders share.

`arome` trains on the first 18 hours of a French weather model at (4, 1), rain alone, with pressure and humidity, and
with orography too, and scores the wettest 96 × 96 cells of the rest: CRPS, and its ratio to rain alone with 95 % by
bootstrap of hours; and the time mean over the highest and the lowest quarter of the ground, with ``--picture`` as maps
over topography.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from dataclasses import asdict, replace
from pathlib import Path

import common
import numpy as np
import torch
import variables
import xarray as xr
from gaussian import Array, GaussianField, Posterior
from oracle import HEADER, expected_crps, judge, row

import xdownscale
from xdownscale import metrics
from xdownscale.diffusion.sample import PUBLISHED, SAMPLERS
from xdownscale.inference.engine import Job, sample
from xdownscale.kernels.blocks import block_mean
from xdownscale.models.recipe import Recipe
from xdownscale.tutorial.atmosphere import weather, weather_law

SIDE, FRAMES, BLOCKS = 24, 5, (1, 8, 8)
"""Fine cells and frames of the window of the oracle, and its blocks."""

FIELD = GaussianField(72, 72, scale=24.0, velocity=(0.0, 0.0), persistence=0.9)
"""The law of the oracle; its windows are a third of the domain. No mean wind, since training turns windows."""

RADOLAN = "rain_dwd_radolan_yw_germany_1km_5min_20180510-16.nc"
"""Seven days of 5-minute amounts, of which the last is for validation."""


def main() -> None:
    """Read the command line and do one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    every = (steps, oracle, predictors, rain, arome)
    for name, run in ((each.__name__, each) for each in every):
        part = parts.add_parser(name)
        part.set_defaults(run=run)
        part.add_argument(
            "--minutes", type=float, default=8.0, help="of training on the wall, for each network"
        )
        part.add_argument("--cases", type=int, default=6)
        part.add_argument("--members", type=int, default=10)
        part.add_argument("--json", type=Path)
        if name in ("rain", "arome"):
            part.add_argument("folder", type=Path)
        if name == "arome":
            part.add_argument("--picture", type=Path, help="maps of time means over topography")
        if name == "rain":
            part.add_argument("--test", action="store_true", help="score on the MeteoSwiss events")
            part.add_argument(
                "--contenders", nargs="+", default=list(contenders()), choices=list(contenders())
            )
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.run(options)


def steps(options: argparse.Namespace) -> None:
    """What is kept of a residual of some standard deviation."""
    results: dict[str, dict[str, float]] = {}
    print(
        "| sampler, evaluations | "
        + " | ".join(f"{d:g}" for d in (0.05, 0.1, 0.3, 1.0))
        + " |\n|---|---|---|---|---|"
    )
    for name in ("ddim-sigmoid", "angle", "ddim"):
        sampler = {**SAMPLERS, **PUBLISHED}[name]
        kept = {}
        for deviation in (0.05, 0.1, 0.3, 1.0):

            def denoise(x, level, d2=deviation**2):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
                return d2 * level.alpha / (d2 * level.alpha**2 + level.sigma**2) * x

            one = torch.ones(1, dtype=torch.float64)
            kept[f"{deviation:g}"] = float(sampler(denoise, lambda _, one=one: one)) / deviation
        label = f"{name}, {sampler.cost(sampler.steps)}"
        results[label] = kept
        print(f"| {label} | " + " | ".join(f"{v:.3f}" for v in kept.values()) + " |", flush=True)
    common.record(options.json, results=results)


def recipe(minutes: float, **changes: object) -> Recipe:
    """The small recipe for a time on the wall."""
    small = Recipe.named("stvd-small")
    schedule = replace(small.schedule, steps=100_000, seconds=60 * minutes, check=10_000, patience=1000)
    return replace(small, **{"cells": 3, **changes}, schedule=schedule)


def oracle(options: argparse.Namespace) -> None:
    """Against the exact posterior of Gaussian sequences."""
    posterior = Posterior(FIELD, BLOCKS, FRAMES, (SIDE, SIDE))
    fields = FIELD.simulate(FRAMES + 3, 150, np.random.default_rng(12345))
    model = xdownscale.train(
        [_named(each) for each in fields], 8, method="video", validation=0.0,
        recipe=recipe(options.minutes, cells=SIDE // 8, frames=FRAMES),
    )  # fmt: skip
    results: dict[str, dict[str, float]] = {}
    print(HEADER)
    for sampler in ("angle", "ddim-sigmoid"):
        drawn = model.with_sampler(sampler)

        def draw(coarse: Array, members: int, seed: int, drawn: xdownscale.Downscaler = drawn) -> Array:
            job = Job(drawn.method, (0, 0, 0), seed=seed, members=members)
            return sample(job, coarse.astype(np.float32)[:, None])[:, :, 0].astype(float)

        scores = judge(posterior, draw, cases=options.cases, members=options.members)
        label = f"{sampler}, {drawn.method.settings.drawn[0].cost(drawn.method.settings.drawn[1])}"
        results[label] = {"steps of training": model.provenance.steps} | asdict(scores)
        print(row(label, scores), flush=True)
    print(f"{model.provenance.steps} steps of training")
    common.record(options.json, results=results)


def exactness(model, coarse, mean, deviation, members):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """CRPS, spread and mean error against a posterior, in the middle frame; fair for any number of members."""
    middle = slice(deviation.shape[0] // 2, deviation.shape[0] // 2 + 1)
    inner = (middle, slice(4, -4), slice(4, -4))
    scores, variance, error = [], [], []
    for case, given in enumerate(coarse):
        job = Job(model.method, (0, 0, 0), seed=case, members=members)
        shown = given[:, None] if given.ndim == 3 else given.swapaxes(0, 1)
        ensemble = sample(job, shown.astype(np.float32))[:, :, 0].astype(float)[(slice(None), *inner)]
        center = mean(given)[inner]
        scores.append(expected_crps(ensemble, center, deviation[inner]).mean())
        variance.append(ensemble.var(0, ddof=1).mean())
        error.append(((ensemble.mean(0) - center) ** 2).mean() - variance[-1] / members)
    exact = (deviation[inner] ** 2).mean()
    own = deviation[inner].mean() / math.sqrt(math.pi)
    return {
        "crps": float(np.mean(scores) / own),
        "standard error": float(np.std(scores, ddof=1) / math.sqrt(len(scores)) / own),
        "spread": math.sqrt(np.mean(variance) / exact),
        "mean error": math.sqrt(max(0.0, np.mean(error)) / exact),
    }


def _named(values: Array) -> xr.DataArray:
    """A field without rectifier, hourly and at 1 km."""
    coords = {
        "time": np.datetime64("2020-01-01", "ns") + np.arange(len(values)) * np.timedelta64(1, "h"),
        "y": 1000.0 * np.arange(values.shape[1]),
        "x": 1000.0 * np.arange(values.shape[2]),
    }
    return xr.DataArray(values.astype(np.float32), coords, ("time", "y", "x"), "tas", {"units": "K"})


def predictors(options: argparse.Namespace) -> None:
    """Wind with and without pressure."""
    import oracle_weather as known

    still, blocks, side = (0.0, 0.0), (1, 4, 4), 24
    law = weather_law((1, 128, 128), wind=still)
    fields = [weather((24, 128, 128), seed=1000 + n, wind=still) for n in range(8)]
    found, posteriors = {}, {}
    for names in ([], ["psl"]):
        posterior = known.Posterior(law, ["uas"], names, blocks, side)
        model = xdownscale.train(
            [each[["uas", *names]].astype(np.float32) for each in fields], 4, targets=["uas"], predictors=names,
            method="video", validation=0.0, recipe=recipe(options.minutes, cells=side // 4, frames=known.FRAMES),
        )  # fmt: skip
        coarse = [
            block_mean(known.window(posterior, ["uas", *names], case), blocks)
            for case in range(options.cases)
        ]
        means = np.array([law.means[name] for name in ("uas", *names)])[:, None, None, None]

        def center(given: Array, posterior: known.Posterior = posterior, means: Array = means) -> Array:
            return posterior.mean(given - means)[0] + means[0]

        deviation = np.sqrt(posterior.covariance(0, 0).clip(0))
        label = ", ".join(names) or "none"
        found[label] = {"steps of training": model.provenance.steps} | exactness(
            model, coarse, center, deviation, options.members
        )
        posteriors[label] = posterior
        print(label, {k: round(v, 3) for k, v in found[label].items()}, flush=True)
    theory = known.exact_gain(posteriors["psl"], posteriors["none"])["uas"]
    gain = 1 - found["psl"]["crps"] / found["none"]["crps"] * (1 - theory)
    print(f"gain of pressure: {gain:.3f}, in theory {theory:.3f}")
    common.record(options.json, results=found | {"gain": {"network": gain, "theory": theory}})


def contenders() -> dict[str, dict[str, object]]:
    """What each contender changes in the small recipe: fields of the recipe, of its video part, and of its sizes."""
    alone = {"residual": False, "anchor": 1.0}
    return {
        "video": {},
        "published options": {
            "standardised": False, "anchor": 0.0, "dry": 0.0, "levels": "sigmoid", "draws": 1, "clip": True,
            "sampler": "ddim-sigmoid",
        },
        "3 frames": {"frames": 3},
        "1 frame": {"frames": 1},
        "no attention": {"attention": "none"},
        "separate": {"joint": False},
        "stand-in: multi-frame net": alone,
        "stand-in: window transformer, 1 frame": {"frames": 1, "attention": "window", "patch": 8, **alone},
        "stand-in: the same, diffused": {"frames": 1, "attention": "window", "patch": 8, "joint": False},
        "generator": {},
    }  # fmt: skip


def contender(name: str, minutes: float) -> tuple[str, Recipe]:
    """Its method and recipe."""
    base = recipe(minutes, cells=4)
    if name == "generator":
        small = Recipe.named("small")
        return "generator", replace(small, schedule=replace(base.schedule, rate=small.schedule.rate, batch=2))
    changes = dict(contenders()[name])
    frames = changes.pop("frames", base.frames)
    sizes = {key: changes.pop(key) for key in ("attention", "patch") if key in changes}
    video = replace(base.video, **changes)
    return "video", replace(base, frames=frames, video=replace(video, size=replace(video.size, **sizes)))


def rain(options: argparse.Namespace) -> None:
    """Radar amounts at (8, 1)."""
    path = options.folder / RADOLAN
    square = {"y": slice(43, 139), "x": slice(62, 158)}
    whole = xr.open_dataset(path)["rainfall_rate"].isel(square)
    days = [whole.sel(time=f"2018-05-{day}").isel(time=slice(180, 204)).load() for day in range(10, 16)]
    truths = swiss(options) if options.test else german(whole.sel(time="2018-05-16"), options.cases)
    bicubic = [t.sr.coarsen(8).sr.interpolate(8, method="bicubic") for t in truths]
    results = {"bicubic": score(truths, bicubic, 0.0)}
    show("bicubic", results["bicubic"])
    first: np.ndarray | None = None
    for name in options.contenders:
        method, plan = contender(name, options.minutes)
        model = xdownscale.train(days, 8, method=method, recipe=plan, validation=0.0, progress=False)
        began, drawn = time.process_time(), []
        for number, truth in enumerate(truths):
            count = options.members if model.stochastic else 1
            drawn.append(truth.sr.coarsen(8).sr.downscale(model, members=count, seed=number, progress=False))
        seconds = (time.process_time() - began) / count / len(truths)
        results[name] = {"steps of training": model.provenance.steps} | score(truths, drawn, seconds)
        crps = each_crps(truths, drawn)
        first = crps if first is None else first
        over = variables.ratio(crps, first)
        results[name] |= {f"CRPS over the first: {key}": value for key, value in over.items()}
        show(name, results[name])
    common.record(options.json, results=results)


def german(day: xr.DataArray, count: int) -> list[xr.DataArray]:
    """Five frames at a few times of the wettest hours."""
    starts = np.linspace(120, 276 - 5, count).round().astype(int)
    return [wettest(day.isel(time=slice(k, k + 5)).load()) for k in starts]


def swiss(options: argparse.Namespace) -> list[xr.DataArray]:
    """Five frames at a few times of every test event, from the middle 96 km."""
    found = []
    for date in common.TEST_EVENTS:
        event = common.event_rain(options.folder, date)
        y, x = (size // 2 - 48 for size in event.shape[1:])
        event = event.isel(y=slice(y, y + 96), x=slice(x, x + 96))
        starts = np.linspace(0, len(event) - 5, max(1, options.cases // 3)).round().astype(int)
        found += [wettest(event.isel(time=slice(k, k + 5))) for k in starts]
    return found


def arome(options: argparse.Namespace) -> None:
    """Hourly rain of a weather model, with and without what may inform it."""
    problem = variables.PROBLEMS["AROME"]
    past, future = variables.halves(problem, options.folder)
    square = wettest(future["pr"], 96)
    future = future.sel(lat=square.lat, lon=square.lon)
    results: dict[str, dict[str, float]] = {}
    bicubic = xdownscale.coarsen(future["pr"], spatial=4).sr.interpolate(
        4, method="bicubic", like=future["pr"]
    )
    drawn = {"bicubic": bicubic}
    results["bicubic"] = time_mean_errors(future, bicubic)
    show("bicubic", results["bicubic"])
    alone = None
    for label, names, ground in (
        ("rain alone", (), False),
        ("pressure, humidity", ("psl", "hurs"), False),
        ("pressure, humidity, orography", ("psl", "hurs"), True),
    ):
        static = past[["orography"]] if ground else None
        model = xdownscale.train(
            past, 4, 1, targets=["pr"], predictors=names, static=static, method="video", validation=0.0,
            recipe=recipe(options.minutes, cells=4), progress=False,
        )  # fmt: skip
        coarse = xdownscale.coarsen(future[["pr", *names]], spatial=4, temporal=1)
        fine = xdownscale.downscale(
            coarse, model, members=options.members, static=static, like=future["pr"], progress=False
        )["pr"]
        crps = metrics.crps_ensemble(future["pr"], fine, dim=variables.problem_space(future)).values
        alone = crps if alone is None else alone
        results[label] = {
            "steps of training": model.provenance.steps,
            "crps": float(crps.mean()),
            "spread_skill": float(metrics.spread_skill_ratio(future["pr"], fine)),
            **{f"over rain alone: {key}": value for key, value in variables.ratio(crps, alone).items()},
            **time_mean_errors(future, fine),
        }
        drawn[label] = fine
        show(label, results[label])
    common.record(options.json, results=results)
    if options.picture:
        xdownscale.plot.time_means(future["pr"], drawn, topography=future["orography"], path=options.picture)


def time_mean_errors(truth: xr.Dataset, fine: xr.DataArray) -> dict[str, float]:
    """Errors of the time mean over the highest and the lowest quarter of the ground, over the mean of the truth."""
    field, heights = truth["pr"], truth["orography"]
    error = metrics.bias(field, fine, dim="time", keep_attrs=False)
    low, high = np.quantile(heights, (0.25, 0.75))
    mean = float(field.mean())
    found = {}
    for name, part in (("highest quarter", heights >= high), ("lowest quarter", heights <= low)):
        found[f"bias, {name}"] = float(error.where(part).mean()) / mean
        found[f"RMSE of time mean, {name}"] = float((error.where(part) ** 2).mean()) ** 0.5 / mean
    return found


def wettest(field: xr.DataArray, side: int = 32) -> xr.DataArray:
    """The wettest square of so many cells a side, on a lattice of 32 cells."""
    y, x = field.dims[-2:]
    corners = itertools.product(*(range(0, field.sizes[dim] - side + 1, 32) for dim in (y, x)))
    squares = [
        field.isel({y: slice(row, row + side), x: slice(column, column + side)}) for row, column in corners
    ]
    return max(squares, key=lambda each: float(each.mean()))


def each_crps(truths: list[xr.DataArray], drawn: list[xr.DataArray]) -> np.ndarray:
    """CRPS of each case."""
    return np.array([float(metrics.crps_ensemble(t, e)) for t, e in zip(truths, drawn, strict=True)])


def score(truths: list[xr.DataArray], drawn: list[xr.DataArray], seconds: float) -> dict[str, float]:
    """The scores of the paper's table; CRPS with its standard error over cases."""
    crps = each_crps(truths, drawn)
    pairs = list(zip(truths, drawn, strict=True))

    def over(function, **options):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN003, ANN202
        return float(np.mean([float(function(t, e, **options)) for t, e in pairs]))

    return {
        "crps": float(crps.mean()),
        "standard error": float(crps.std(ddof=1) / math.sqrt(len(crps))),
        "mse": over(metrics.mse),
        "emd": over(metrics.emd),
        "99.999th percentile error": over(metrics.percentile_error, q=99.999),
        "autocorrelation error": over(metrics.spatial_autocorrelation_error, lags=4),
        "lsd": over(metrics.lsd),
        "error of time means": over(lambda t, e: metrics.mae(t.mean("time"), e.mean("time"))),
        "processor seconds per member": seconds,
    }


def show(name: str, scores: dict[str, float]) -> None:
    """One line of the table."""
    print(
        f"| {name} | " + " | ".join(f"{key} {value:.4g}" for key, value in scores.items()) + " |", flush=True
    )


if __name__ == "__main__":
    main()
