r"""The methods held against each other on real radar rain: generator, diffused residual, median net.

    OMP_NUM_THREADS=1 torchrun --nproc_per_node 2 benchmarks/methods.py train ../shared/data --minutes 14 --out models

trains a generator, and a median net with the denoiser of what it leaves, from fresh weights, on the same events (those
of make_weights.py without the product that is made of them) and for the same time on the wall. Of the time of the
second a third goes to its median net, which is written as a model of its own as well. Without torchrun it is one
process.

The sizes of the networks are those of the recipe "standard". A window costs the denoiser several times what it costs
the generator, so that it would take fewer than a hundred steps in nine minutes: it learns from smaller windows, fewer
of them in a step (:data:`RESIDUAL`).
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import torch
from make_weights import TRAIN, VALIDATE, product, rain_of

import xdownscale

RESIDUAL = {"cells": 8, "frames": 3}
"""The window of the residual: more than one evaluation of the denoiser looks at, a third of the recipe's."""

RESIDUAL_BATCH = 2
"""Windows of its steps: one for each process."""


def main() -> None:
    """Read the command line and do one of the two parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    training = parts.add_parser("train", help="train both methods for the same time")
    training.add_argument("folder", type=Path)
    training.add_argument("--minutes", type=float, default=14.0, help="for each method")
    training.add_argument("--out", type=Path, required=True, help="folder of models and checkpoints")
    training.set_defaults(run=train)
    options = parser.parse_args()
    options.run(options)


def train(options: argparse.Namespace) -> None:
    """Both methods from fresh weights; a run that was interrupted goes on from its checkpoints."""
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
    fields, held_out = ([rain_of(options.folder / name) for name in names] for names in (TRAIN, VALIDATE))
    styles = [product(Path(name)) for name in (*TRAIN, *VALIDATE)]
    for method, recipe in recipes(60 * options.minutes).items():
        began = time.process_time()
        model = xdownscale.train(
            fields,
            spatial=10,
            temporal=3,
            styles=styles,
            recipe=recipe,
            method=method,
            validation=held_out,
            checkpoint=options.out / f"{method}.checkpoint",
        )
        if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
            write(model, method, options.out)
            print(f"{time.process_time() - began:.0f} s of processor for each process", flush=True)


def recipes(seconds: float) -> dict[str, xdownscale.Recipe]:
    """The recipe of each method for the same time on the wall."""
    standard = xdownscale.Recipe.named("standard")
    schedule = replace(
        standard.schedule, steps=100_000, seconds=seconds, check=200, patience=1000, validation=6
    )
    small = replace(schedule, batch=RESIDUAL_BATCH)
    return {
        "generator": replace(standard, schedule=schedule, unit=2.0),
        "residual": replace(standard, schedule=small, unit=2.0, **RESIDUAL),
    }


def write(model: xdownscale.Downscaler, name: str, folder: Path) -> None:
    """Save a model, and the median net of a residual beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    model.name = name
    model.save(folder / f"{name}.safetensors")
    if name == "residual":
        median = xdownscale.Downscaler(
            model.method.mean, variable=model.variable, provenance=model.provenance, name="median"
        )
        median.save(folder / "median.safetensors")
    print(model, model.provenance.steps, model.provenance.scores, flush=True)


if __name__ == "__main__":
    main()
