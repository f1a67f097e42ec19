r"""Trains what `minkowski.py` judges: emulators of Minkowski functionals, and downscalers with shapes in their loss.

    python benchmarks/minkowski_train.py emulators ../shared/data --steps 300 --out models
    python benchmarks/minkowski_train.py downscaling ../shared/data --steps 100 --out models

Both learn from the training events of make_weights.py, the long ones at every eighth frame (emulators) or not at all
(downscaling). What is there is not trained again, and `--only` names what is wanted, so that a run may be interrupted,
or shared out. All downscalers, by 10 in space and 3 in time, begin with the shipped weights and learn from the same
windows for the same number of steps; weights of the shape terms are the same for the analytic functionals and the
emulators.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from make_weights import TRAIN, VALIDATE, rain_of

import xdownscale
from xdownscale import MinkowskiLoss
from xdownscale.kernels.minkowski import LEVELS
from xdownscale.nn.emulator import KINDS, EmulatorSettings
from xdownscale.training.emulator import save_emulator, train_emulator
from xdownscale.training.loss_terms import thresholds_of

LONG = "eccc"
"""Files of one storm with hundreds of frames."""

SIDE = 80
"""Cells along a side of a frame that emulators take: a window of eight coarse cells."""

WEIGHT, WEIGHT_OF_MEMBERS = 0.1, 0.5
"""Of the shape term beside the squared error, and beside the scores of members. Not tuned."""

BATCH = 16
"""Frames of a step of an emulator."""

DOWNSCALERS = ("mse", "emulator", "certified", "analytic", "ensemble", "ensemble shapes")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    for name, run in (("emulators", emulators), ("downscaling", downscaling)):
        part = parts.add_parser(name)
        part.add_argument("folder", type=Path)
        part.add_argument("--steps", type=int, required=True, help="of each")
        part.add_argument("--out", type=Path, required=True, help="folder of models")
        part.add_argument("--only", nargs="+", help="names of those to train")
        part.set_defaults(run=run)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    options.run(options)


def training_fields(folder: Path) -> list[np.ndarray]:
    """Frames of the training events, the long ones thinned out."""
    return [rain_of(folder / name).values[:: 8 if LONG in name else 1] for name in TRAIN]


def emulators(options: argparse.Namespace) -> None:
    """All kinds, with the same frames."""
    fields = training_fields(options.folder)
    thresholds = thresholds_of(fields, LEVELS, wet=0.1)
    for kind in options.only or KINDS:
        path = options.out / f"emulator_{kind}.safetensors"
        if path.exists():
            continue
        began = time.process_time()
        settings = EmulatorSettings(kind, thresholds, LEVELS, side=SIDE)
        emulator = train_emulator(fields, settings, steps=options.steps, batch=BATCH)
        save_emulator(emulator, path)
        print(f"{kind}: {time.process_time() - began:.0f} s of processor", flush=True)


def downscaling(options: argparse.Namespace) -> None:
    """All losses, with the same windows and time."""
    fields = [rain_of(options.folder / name) for name in TRAIN if LONG not in name]
    held_out = [rain_of(options.folder / name) for name in VALIDATE]
    for name in options.only or DOWNSCALERS:
        path = options.out / f"{name.replace(' ', '_')}.safetensors"
        if path.exists():
            continue
        began = time.process_time()
        method, loss = loss_named(name, options.out)
        model = xdownscale.train(
            fields,
            spatial=10,
            temporal=3,
            model="rain-10x3",
            recipe=recipe(options.steps),
            method=method,
            loss=loss,
            validation=held_out,
            progress=False,
        )
        model.name = path.stem
        model.save(path)
        seconds = time.process_time() - began
        print(f"{name}: {model.provenance.steps} steps, {seconds:.0f} s of processor", flush=True)


def loss_named(name: str, folder: Path) -> tuple[str, list[str | MinkowskiLoss] | MinkowskiLoss | None]:
    """Method and loss of a downscaler."""
    if name.startswith("ensemble"):
        return "generator", MinkowskiLoss(weight=WEIGHT_OF_MEMBERS) if "shapes" in name else None
    loss: list[str | MinkowskiLoss] = ["mse"]
    if name != "mse":
        kind = {"emulator": "constrained", "certified": "certified"}.get(name)
        file = None if kind is None else str(folder / f"emulator_{kind}.safetensors")
        loss.append(MinkowskiLoss(weight=WEIGHT, emulator=file))
    return "median", loss


def recipe(steps: int) -> xdownscale.Recipe:
    """The recipe "standard" with smaller windows, and the rate at which given weights learn on."""
    standard = xdownscale.Recipe.named("standard")
    schedule = replace(
        standard.schedule,
        steps=steps,
        batch=2,
        rate=3e-4,
        warmup=10,
        check=steps,
        average=0.95,
        validation=6,
    )
    return replace(standard, cells=8, frames=3, schedule=schedule)


if __name__ == "__main__":
    main()
