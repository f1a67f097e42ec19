r"""The methods held against each other on real radar rain: generator, diffused residual, median net.

    OMP_NUM_THREADS=1 torchrun --nproc_per_node 2 benchmarks/methods.py train ../shared/data \
        --minutes 12 --attention --out models
    python benchmarks/methods.py score ../shared/data --threads 1 --models models \
        --pictures pictures --json benchmarks/methods.json --plot docs/images/methods.png
    python benchmarks/methods.py score ../shared/data --threads 1 --models models \
        --pictures pictures --events test --json benchmarks/methods_test.json

`train` makes a generator, and a median net with the denoiser of what it leaves, from fresh weights, on the same events
(those of make_weights.py without the product that is made of them) and for the same time on the wall. Of the time of
the second a third goes to its median net, which is written as a model of its own as well. The sizes of the networks are
those of the recipe "standard". In so short a time the number of steps is what counts, so both learn from two windows in
a step, and from smaller ones than the recipe's (:data:`GENERATOR`, :data:`RESIDUAL`: one costs the denoiser several
times what it costs the generator). Without torchrun it is one process. With --attention a residual whose denoiser has
attention is trained as well, and scored where its model is found.

`score` holds them, and the shipped weights, against the truth: by default on the events that `make_weights.py` holds
out, each in the style of its network, with every sampler at several costs on a smaller square; or on the three events
of a network that no training run has seen. Without --models it is the shipped weights alone.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import common
import numpy as np
import rain
import torch
import xarray as xr
from make_weights import TRAIN, VALIDATE, product, rain_of
from verdict import averages, bound, draw, judge, plot, table

import xdownscale
from xdownscale import metrics
from xdownscale.diffusion.sample import SAMPLERS
from xdownscale.models.recipe import Attention

GENERATOR = {"cells": 10, "frames": 3}
"""The window of the generator, half of the recipe's."""

RESIDUAL = {"cells": 8, "frames": 3}
"""The window of the residual: more than one evaluation of the denoiser looks at, a third of the recipe's."""

ATTENTIVE = {"cells": 10, "frames": 5, "attention": Attention()}
"""The window of a residual with attention, which looks further."""

BATCH = 2
"""Windows of a step: one for each process."""

SHIPPED = "shipped generator, trained longer"

TEST_STYLE = "knmi"
"""The style of this run's models on the test events: the one training product that holds amounts, as theirs does."""

SWEEP = (
    *(("angle", steps) for steps in (2, 3, 5, 8)),
    *(("dpm", steps) for steps in (3, 5, 15)),
    *(("heun", steps) for steps in (3, 5, 9)),
    *(("ddim", steps) for steps in (5, 10, 49)),
    ("ddpm", 50),
)
"""Samplers and their steps."""


def main() -> None:
    """Read the command line and do one of the two parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    training = parts.add_parser("train", help="train both methods for the same time")
    training.add_argument("folder", type=Path)
    training.add_argument("--minutes", type=float, default=12.0, help="for each method")
    training.add_argument("--out", type=Path, required=True, help="folder of models and checkpoints")
    training.add_argument("--attention", action="store_true", help="a residual with attention as well")
    training.set_defaults(run=train)
    scoring = parts.add_parser("score", help="score them, and the shipped weights")
    scoring.add_argument("folder", type=Path)
    scoring.add_argument("--models", type=Path, help="what train wrote")
    scoring.add_argument("--model", default="rain-10x3", help="the weights that ship")
    scoring.add_argument("--events", choices=("validation", "test"), default="validation")
    scoring.add_argument("--members", type=int, default=10)
    scoring.add_argument("--cells", type=int, default=35, help="coarse cells along a side of the square")
    scoring.add_argument("--frames", type=int, default=4, help="coarse frames in the middle of each event")
    scoring.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    scoring.add_argument("--sweep-members", type=int, default=2)
    scoring.add_argument("--sweep-cells", type=int, default=14)
    scoring.add_argument("--pictures", type=Path)
    scoring.add_argument("--plot", type=Path)
    scoring.add_argument("--json", type=Path)
    scoring.set_defaults(run=score)
    options = parser.parse_args()
    options.run(options)


def train(options: argparse.Namespace) -> None:
    """Both methods from fresh weights; a run that was interrupted goes on from its checkpoints."""
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
    fields, held_out = ([rain_of(options.folder / name) for name in names] for names in (TRAIN, VALIDATE))
    styles = [product(Path(name)) for name in (*TRAIN, *VALIDATE)]
    for name, recipe in recipes(60 * options.minutes, attention=options.attention).items():
        began = time.process_time()
        model = xdownscale.train(
            fields,
            spatial=10,
            temporal=3,
            styles=styles,
            recipe=recipe,
            method="generator" if name == "generator" else "residual",
            validation=held_out,
            checkpoint=options.out / f"{name}.checkpoint",
        )
        if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
            write(model, name, options.out)
            print(f"{time.process_time() - began:.0f} s of processor for each process", flush=True)


def recipes(seconds: float, *, attention: bool = False) -> dict[str, xdownscale.Recipe]:
    """The recipe of each method for the same time on the wall, by the name of its model."""
    standard = xdownscale.Recipe.named("standard")
    schedule = replace(
        standard.schedule,
        steps=100_000,
        seconds=seconds,
        batch=BATCH,
        check=200,
        patience=1000,
        validation=6,
    )
    short = replace(standard, schedule=schedule, unit=2.0)
    residual = replace(short, **RESIDUAL)
    more = {"attention": replace(residual, **ATTENTIVE)} if attention else {}
    return {"generator": replace(short, **GENERATOR), "residual": residual, **more}


def write(model: xdownscale.Downscaler, name: str, folder: Path) -> None:
    """Save a model, and the median net of a residual beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    model.name = name
    model.save(folder / f"{name}.safetensors")
    if name == "residual":
        median = xdownscale.Downscaler(
            model.method.mean, variables=model.variables, provenance=model.provenance, name="median"
        )
        median.save(folder / "median.safetensors")
    print(model, model.provenance.steps, model.provenance.scores, flush=True)


@dataclass(frozen=True)
class Contender:
    """A model, and what a member of it costs."""

    label: str
    model: xdownscale.Downscaler
    evaluations: int = 1
    sampler: str | None = None

    def draw(self, coarse: xr.DataArray, members: int, style: str | None) -> tuple[xr.DataArray, float]:
        """The ensemble in a style, in one tile, and the seconds that each member took."""
        model = self.model if style is None else self.model.with_style(style)
        count = members if model.stochastic else 1
        began = time.perf_counter()
        ensemble = coarse.sr.downscale(model, members=count, tile=coarse.shape, progress=False)
        return ensemble, (time.perf_counter() - began) / count


def contenders(folder: Path | None, shipped: str) -> list[Contender]:
    """Those that get the whole table."""
    weights = [Contender(SHIPPED, xdownscale.zoo.load(shipped))]
    if folder is None:
        return weights
    here = {
        name: xdownscale.load(folder / f"{name}.safetensors") for name in ("generator", "residual", "median")
    }
    angle, steps, attentive = "angle", SAMPLERS["angle"].steps, folder / "attention.safetensors"
    more = []
    if attentive.exists():
        named = sampled(xdownscale.load(attentive), angle, steps)
        more = [replace(named, label=named.label.replace("residual", "residual with attention"))]
    return [
        *weights,
        Contender("generator", here["generator"]),
        sampled(here["residual"], angle, steps),
        *more,
        Contender("median net", here["median"]),
    ]


def sampled(model: xdownscale.Downscaler, sampler: str, steps: int) -> Contender:
    """A residual drawn by a sampler in a number of steps."""
    cost = SAMPLERS[sampler].cost(steps)
    return Contender(f"residual, {sampler} {cost}", model.with_sampler(sampler, steps), cost, sampler)


def events(options: argparse.Namespace) -> Iterator[tuple[str, str | None, xr.DataArray]]:
    """Name, network whose style is wanted (None: not one of the training) and truth of every event."""
    if options.events == "test":
        names: list[tuple[str, str | None]] = [(date, None) for date in common.TEST_EVENTS]
    else:
        names = [(Path(name).stem.removeprefix("rain_"), product(Path(name))) for name in VALIDATE]
    for number, (name, network) in enumerate(names):
        if network is None:
            field = common.event_rain(options.folder, name)
        else:
            field = squares(rain_of(options.folder / VALIDATE[number]))
        yield name, network, middle(rain.covered(field, 10 * options.cells), 3 * options.frames)


def squares(field: xr.DataArray) -> xr.DataArray:
    """The field on a plane of square kilometres: cells count alike, as they do in training."""
    time_name, *space = field.dims
    plain = field.rename(dict(zip(space, ("y", "x"), strict=True))).reset_coords(drop=True)
    along = {
        d: (d, 1000.0 * np.arange(plain.sizes[d]), {"units": "m", "axis": d.upper()}) for d in ("y", "x")
    }
    return (
        plain.drop_vars([d for d in ("y", "x") if d in plain.coords])
        .assign_coords(along)
        .transpose(time_name, "y", "x")
    )


def middle(field: xr.DataArray, steps: int) -> xr.DataArray:
    """The steps in the middle of an event; all of a shorter one, in whole coarse frames."""
    steps = min(steps, field.sizes["time"] // 3 * 3)
    first = (field.sizes["time"] - steps) // 2
    return field.isel(time=slice(first, first + steps))


def score(options: argparse.Namespace) -> None:
    """Score, print, draw, record."""
    torch.set_num_threads(options.threads)
    compared = contenders(options.models, options.model)
    results: dict[str, dict[str, dict[str, float]]] = {}
    swept: dict[str, dict[str, dict[str, float]]] = {}
    for name, network, truth in events(options):
        coarse, drawn = truth.sr.coarsen(spatial=10, temporal=3), {}
        results[name] = {}
        for each in compared:
            style = network or (None if each.label == SHIPPED else TEST_STYLE)
            ensemble, seconds = each.draw(coarse, options.members, style)
            results[name][each.label] = {"seconds per member": seconds, **judge(truth, coarse, ensemble)}
            drawn[each.label] = ensemble
        print(f"\n{name}\n{table(results[name])}\n{bound(results[name])}", flush=True)
        if options.pictures is not None:
            draw(truth, drawn, options.pictures, name)
        if options.events == "validation" and options.models is not None:
            swept[name] = sweep(truth, compared, network, options)
            print(f"\n{name}, samplers\n{table(swept[name])}", flush=True)
    by_network = averages(results)
    for network, rows in by_network.items():
        print(f"\nall events of {network}\n{table(rows)}\n{bound(rows)}")
    costs = averages(swept, by_network=False) if swept else {}
    if costs:
        print(f"\nsamplers, all events\n{table(costs['all'])}")
    if costs and options.plot is not None:
        plot(costs["all"], options.plot)
    common.record(
        options.json,
        results=results,
        by_network=by_network,
        samplers=swept,
        costs=costs,
        models={each.label: {"sha256": each.model.sha256, **trained(each.model)} for each in compared},
        setting={
            key: getattr(options, key)
            for key in ("members", "cells", "frames", "threads", "sweep_members", "sweep_cells")
        },
    )


def sweep(
    truth: xr.DataArray, compared: list[Contender], network: str | None, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Scores against cost, on the wettest square of a smaller size, with fewer members."""
    part = truth.isel(rain.places(truth, 10 * options.sweep_cells)["wet"])
    coarse = part.sr.coarsen(spatial=10, temporal=3)
    residual = next(each.model for each in compared if each.sampler)
    several = [each for each in compared if not each.sampler]
    rows = {}
    for each in (*several, *(sampled(residual, name, steps) for name, steps in SWEEP)):
        ensemble, seconds = each.draw(coarse, options.sweep_members, network)
        rows[each.label] = {
            "evaluations": float(each.evaluations),
            "seconds per member": seconds,
            "CRPS": float(metrics.crps_ensemble(part, ensemble)),
            "MAE of the median": float(abs(ensemble.median("member") - part).mean()),
            "spread/skill": float(metrics.spread_skill_ratio(part, ensemble)),
            "LSD, dB": float(metrics.lsd(part, ensemble)),
            **rain.power(part, ensemble),
        }
    return rows


def trained(model: xdownscale.Downscaler) -> dict[str, object]:
    """Steps and validation scores of a model's training."""
    return {"steps": model.provenance.steps, "scores": model.provenance.scores}


if __name__ == "__main__":
    main()
