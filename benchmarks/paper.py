r"""Tables 1 and 3 of the scale-adaptive paper on free radar rain: its models, ours, and what users compare with.

    OMP_NUM_THREADS=1 python benchmarks/paper.py ../shared/data --minutes 30 --out paper --json benchmarks/paper.json
    OMP_NUM_THREADS=1 python benchmarks/paper.py ../shared/data --minutes 30 --out paper --part test \
        --json benchmarks/paper_test.json

Defez et al. 2026 (arXiv:2604.21903) print eight scores of six models for the factors (1, 3), (10, 1), (10, 3) and
(25, 6). Here the same models at a size that two cores can train (the published configuration on windows of 100 × 100
cells, with the widths, batch and learning rate of `scale-adaptive-small`), EDSR, the median net and the generator are
trained for each pair alone, on the same four days of the German amounts, each for the same minutes on the wall: the
diffused models share them out between mean and residual. Weights are chosen by a fifth day. One more row is theirs with
a standardised residual and another sampler. RainFARM has the slopes of these days; `rain` is the shipped model, which
has seen more.

*validation*: the wettest hours of two other days, on a square of 100 × 100 km. *test*: the same square of the three
MeteoSwiss events, another product that nothing has seen. MSE, MAE, LSD, EMD, SSIM and the error of the 99.9th
percentile are those of one member, as in the paper; PIT deviation and fair CRPS are those of the ensemble (the CRPS of
the paper is too large by 1/(2M) of its spread, and its PIT deviation pools all points, so that it is blind to
calibration). Every mean is taken over the samples, coarse steps, that were processed, and their number is printed:
dividing by another one explains the paper's headline. A table in which a CRPS is below half of the absolute error of
the best median is called broken.

Intervals are of 95 %, by resampling runs of half an hour. Whatever is trained or scored is kept in --out, and a command
that was interrupted goes on from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import common
import general
import make_general
import make_weights
import numpy as np
import rain
import torch
import xarray as xr
from paper_table import DETERMINISTIC, FULL, MEDIAN, RAINFARM, judge, summary, table

import xdownscale
from xdownscale.baselines import bicubic, conservative, linear, rainfarm
from xdownscale.baselines.rainfarm import spectral_slopes
from xdownscale.diffusion.sample import SAMPLERS
from xdownscale.field.factors import Factors
from xdownscale.models.adaptive_recipe import preset_for
from xdownscale.models.recipe import Recipe

PAIRS = [(1, 3), (10, 1), (10, 3), (25, 6)]
"""Factors in space and time of the paper."""

CHOOSING = "2018-05-15"
"""The day by which weights are chosen."""

CELLS = {1: 40, 10: 8, 25: 6}
"""Coarse cells along a window of the generator, median net and EDSR, by factor in space."""

QUICK = 5
"""Steps of the diffusion by which training itself scores what it has made: a thousand would take hours."""

SMALL = "scale-adaptive-small"


def main() -> None:
    """Train what is not trained yet, score what is not scored yet, print and record the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0, help="of training for each model")
    parser.add_argument("--out", type=Path, required=True, help="folder of models, checkpoints and scores")
    parser.add_argument("--part", choices=["validation", "test"], default="validation")
    parser.add_argument("--pairs", type=int, nargs=2, action="append", help="only these, space and time")
    parser.add_argument("--models", nargs="+", choices=[*MODELS], help="only these")
    parser.add_argument("--members", type=int, default=3, help="of an ensemble; three in the paper")
    parser.add_argument("--steps", type=int, default=36, help="fine steps of every case")
    parser.add_argument(
        "--sampling", type=int, default=1000, help="steps of the diffusion; 1000 in the paper"
    )
    parser.add_argument("--shipped", default="rain", help="weights for all factors")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tables = {}
    for spatial, temporal in options.pairs or PAIRS:
        pair = (spatial, temporal)
        rows = {
            MODELS[name].label: row
            for name in options.models or MODELS
            if (row := scored(name, pair, options)) is not None
        }
        tables[f"({spatial}, {temporal})"] = summary(rows, temporal)
        print(
            f"\n({spatial}, {temporal}), {options.part}\n\n{table(tables[f'({spatial}, {temporal})'])}",
            flush=True,
        )
    common.record(
        options.json, part=options.part, minutes=options.minutes, members=options.members,
        sampling=options.sampling, tables=tables,
    )  # fmt: skip


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def days(folder: Path) -> dict[str, xr.DataArray]:
    """The German amounts, day by day, without what no step of is known."""
    field = make_weights.rain_of(folder / make_general.GERMANY)
    label = field.time.dt.strftime("%Y-%m-%d").values
    return {str(day): field[label == day] for day in np.unique(label)}


def training(folder: Path) -> tuple[list[xr.DataArray], list[xr.DataArray]]:
    """Days to learn from, and the one by which weights are chosen."""
    every = days(folder)
    learned = [field for day, field in every.items() if day not in (*make_general.HELD_OUT_DAYS, CHOOSING)]
    return learned, [every[CHOOSING]]


def cases(folder: Path, part: str, pair: tuple[int, int], steps: int) -> Iterator[tuple[str, xr.DataArray]]:
    """Truths by name, cut to whole blocks."""
    if part == "validation":
        for day in make_general.HELD_OUT_DAYS:
            field = general.middle(general.wettest(days(folder)[day], steps), general.SIDE).load()
            yield day, general.whole(field, *pair)
    else:
        for event in common.TEST_EVENTS:
            field = common.event_rain(folder, event, spatial=1, temporal=1)
            yield event, general.whole(rain.covered(field, general.SIDE)[:steps], *pair)


# ── models ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True)
class Contender:
    """A row of the table.

    Attributes
    ----------
    label : str
    method : str or None
        As ``train`` takes it; None for what is not trained here.
    recipe : callable
        Of a pair, gives the recipe.
    evaluations : str
        Passes of a network for a member; "sampling" for as many as are asked for, "angle" for those of this sampler.
    """

    label: str
    method: str | None = None
    recipe: Callable[[tuple[int, int]], Recipe] | None = None
    evaluations: str = "0"


def windows(pair: tuple[int, int], recipe: Recipe) -> Recipe:
    """A recipe with windows that fit the German field, and two of them in a step."""
    schedule = dataclasses.replace(recipe.schedule, batch=2, validation=8)
    return dataclasses.replace(recipe, cells=CELLS.get(pair[0], 8), frames=3, unit=2.0, schedule=schedule)


def adaptive(**changes: Any) -> Callable[[tuple[int, int]], Recipe]:
    """The published configuration with the widths and the schedule of "scale-adaptive-small", and changes."""

    def recipe(_: tuple[int, int]) -> Recipe:
        small, published = Recipe.named(SMALL), Recipe.named("scale-adaptive")
        own = {"size": small.adaptive.size, "steps": QUICK, **changes}
        part = dataclasses.replace(published.adaptive, **own)
        return dataclasses.replace(small, adaptive=part)

    return recipe


def without_attention(pair: tuple[int, int]) -> Recipe:
    """The paper's ablation."""
    plan = adaptive()(pair)
    return dataclasses.replace(plan, adaptive=plan.adaptive.without_attention())


def beta_times(factor: float) -> Callable[[tuple[int, int]], Recipe]:
    """The ablation without attention, which is trained fastest, with another β_max than the paper's of the pair."""

    def recipe(pair: tuple[int, int]) -> Recipe:
        plan = without_attention(pair)
        own = preset_for(Factors.parse(*pair)).beta
        return dataclasses.replace(plan, adaptive=dataclasses.replace(plan.adaptive, beta=factor * own))

    return recipe


MODELS = {
    "bicubic": Contender("bicubic"),
    "linear": Contender("linear in space and time"),
    "conservative": Contender("conservative"),
    "edsr": Contender("EDSR", "edsr", lambda pair: windows(pair, Recipe.named("edsr")), "1"),
    "deterministic": Contender(DETERMINISTIC, "scale-adaptive", adaptive(residual=False), "1"),
    "no_attention": Contender("no attention", "scale-adaptive", without_attention, "sampling"),
    "half_beta": Contender("no attention, half of β_max", "scale-adaptive", beta_times(0.5), "sampling"),
    "twice_beta": Contender("no attention, twice β_max", "scale-adaptive", beta_times(2.0), "sampling"),
    "full": Contender(FULL, "scale-adaptive", adaptive(), "sampling"),
    "standardised": Contender(
        "scale-adaptive, standardised",
        "scale-adaptive",
        adaptive(standardised=True, draws=2, sampler="angle", steps=None),
        "angle",
    ),
    "rainfarm": Contender(RAINFARM),
    "median": Contender(MEDIAN, "median", lambda pair: windows(pair, Recipe.named("standard")), "1"),
    "generator": Contender(
        "generator of this pair", "generator", lambda pair: windows(pair, Recipe.named("standard")), "1"
    ),
    "shipped": Contender("rain, all factors", None, None, "1"),
}
"""By name: the paper's six, the other interpolations, and ours."""


def model_of(name: str, pair: tuple[int, int], options: argparse.Namespace) -> Any:
    """The trained model of a row for a pair; made where it is not there yet."""
    contender = MODELS[name]
    if name == "shipped":
        return xdownscale.zoo.load(options.shipped)
    if contender.recipe is None:
        return None
    place = options.out / "models" / f"{name}_{pair[0]}x{pair[1]}.safetensors"
    if place.exists():
        return xdownscale.load(place)
    learned, judged = training(options.folder)
    recipe = contender.recipe(pair)
    schedule = dataclasses.replace(
        recipe.schedule, steps=10**6, seconds=60 * options.minutes, check=200, patience=10**6
    )
    print(f"training {contender.label} for {pair}", flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = xdownscale.train(
            learned, *pair, method=contender.method, recipe=dataclasses.replace(recipe, schedule=schedule),
            validation=judged, checkpoint=options.out / "checkpoints" / place.name, progress=False,
        )  # fmt: skip
    model.name = place.stem
    place.parent.mkdir(parents=True, exist_ok=True)
    model.save(place)
    return model


def drawn(
    name: str, model: Any, coarse: xr.DataArray, pair: tuple[int, int], options: argparse.Namespace
) -> xr.DataArray:
    """What a row makes of a coarse field, with members."""
    if name in INTERPOLATIONS:
        return INTERPOLATIONS[name](coarse, *pair).expand_dims("member")
    if name == "rainfarm":
        boxes = [general.middle(day, general.SIDE).values for day in training(options.folder)[0]]
        slopes = np.mean([spectral_slopes(box) for box in boxes if box.max() > 0], axis=0)
        return rainfarm(coarse, *pair, members=options.members, slopes=(float(slopes[0]), float(slopes[1])))
    factors = {"spatial": pair[0], "temporal": pair[1]} if name == "shipped" else {}
    if MODELS[name].evaluations == "sampling":
        factors["steps"] = options.sampling
    members = options.members if model.stochastic else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return coarse.sr.downscale(model, members=members, progress=False, **factors)


INTERPOLATIONS = {"bicubic": bicubic, "linear": linear, "conservative": conservative}


# ── scores ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def scored(name: str, pair: tuple[int, int], options: argparse.Namespace) -> dict[str, Any] | None:
    """Scores of a row for every case; taken from the folder where they are there already."""
    asked = {"members": options.members, "steps": options.steps, "minutes": options.minutes}
    asked |= {"sampling": options.sampling} if MODELS[name].evaluations == "sampling" else {}
    asked |= {"shipped": options.shipped} if name == "shipped" else {}
    place = options.out / "scores" / options.part / f"{name}_{pair[0]}x{pair[1]}.json"
    if place.exists() and (kept := json.loads(place.read_text()))["asked"] == asked:
        return kept  # type: ignore[no-any-return]
    model, found, began = model_of(name, pair, options), {}, time.perf_counter()
    for case, truth in cases(options.folder, options.part, pair, options.steps):
        forecast = drawn(name, model, truth.sr.coarsen(*pair), pair, options)
        found[case] = judge(truth, forecast, pair[1])
    said = MODELS[name].evaluations
    steps = {"sampling": options.sampling, "angle": SAMPLERS["angle"].cost(SAMPLERS["angle"].steps)}
    content = {
        "asked": asked,
        "cases": found,
        "seconds": time.perf_counter() - began,
        "evaluations": steps[said] if said in steps else int(said),
        "trained for steps": None if model is None else model.provenance.steps,
        "parameters": None if model is None else sum(each.numel() for each in model.method.parameters()),
    }
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(".part")
    draft.write_text(json.dumps(content))
    draft.replace(place)
    return content


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
