r"""What a sample of a new product is worth: the shipped weights as they are, calibrated, and then trained on.

    python benchmarks/adapt.py ../shared/data --pictures pictures --json benchmarks/adapt.json

The product is one that the shipped weights have not seen. The sample is the west of its field, what is scored lies in
the east, and between them nobody looks: other showers of the same hour, so this says how well texture is fitted, and
nothing of other weather. `calibrate` fits the four numbers of the style; `train(model=...)` goes on from there with all
weights for some steps, at the rate at which it does by default, a fifth of that of fresh weights.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import common
import rain
import torch
import xarray as xr
from make_weights import rain_of
from methods import middle, squares
from verdict import bound, draw, judge, table

import xdownscale
from xdownscale.train import GENTLE

PRODUCT = "rain_opera_cirrus_europe_1km_5min_20241126.nc"
"""A composite of Europe that may be learned from, and is not in the shipped weights."""

GAP = 80
"""Cells between the sample and what is scored: eight coarse cells, about as far as a network looks."""


def main() -> None:
    """Fit, score, print, draw, record."""
    options = read_options()
    torch.set_num_threads(options.threads)
    sample, truth = parts(squares(rain_of(options.folder / options.product)))
    truth = middle(rain.covered(truth, 10 * options.cells), 3 * options.frames)
    coarse = truth.sr.coarsen(spatial=10, temporal=3)
    seconds, models = fitted(sample, options)
    drawn = {
        label: coarse.sr.downscale(model, members=options.members, tile=coarse.shape, progress=False)
        for label, model in models.items()
    }
    results = {
        label: {"seconds of fitting": seconds[label], **judge(truth, coarse, ensemble)}
        for label, ensemble in drawn.items()
    }
    print(f"{table(results)}\n{bound(results)}")
    if options.pictures is not None:
        draw(truth, drawn, options.pictures, "adapted")
    keys = ("product", "calibration", "steps", "rate", "members", "cells", "frames", "threads")
    common.record(options.json, results=results, setting={key: getattr(options, key) for key in keys})


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--product", default=PRODUCT)
    parser.add_argument("--model", default="rain-10x3")
    parser.add_argument("--calibration", type=int, default=40, help="steps of calibration")
    parser.add_argument("--steps", type=int, default=60, help="steps of training")
    parser.add_argument("--rate", type=float, default=GENTLE, help="of training, over that of the recipe")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--cells", type=int, default=35, help="coarse cells along a side of the square")
    parser.add_argument("--frames", type=int, default=4, help="coarse frames in the middle of the field")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def parts(field: xr.DataArray, gap: int = GAP) -> tuple[xr.DataArray, xr.DataArray]:
    """The west and the east of a field, whole coarse cells, and a gap between them.

    >>> west, east = parts(xr.DataArray(range(200), dims="x"), gap=80)
    >>> west.sizes["x"], int(east[0]), east.sizes["x"]
    (60, 140, 60)
    """
    wide = (field.sizes["x"] - gap) // 20 * 10
    return field.isel(x=slice(0, wide)), field.isel(x=slice(field.sizes["x"] - wide, None))


def fitted(
    sample: xr.DataArray, options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, xdownscale.Downscaler]]:
    """Seconds that each took, and the models: as it is, calibrated, and then trained on."""
    as_it_is = xdownscale.zoo.load(options.model)
    standard = xdownscale.Recipe.named("standard")
    schedule = replace(standard.schedule, batch=2, rate=options.rate * standard.schedule.rate)
    short = replace(standard, schedule=schedule)
    seconds, models = {"as it is": 0.0}, {"as it is": as_it_is}

    def keep(label: str, began: float, model: xdownscale.Downscaler) -> None:
        seconds[label], models[label] = time.perf_counter() - began, model
        print(f"{label}: {seconds[label]:.0f} s, {model.provenance.scores}", flush=True)

    began = time.perf_counter()
    keep(
        "calibrated",
        began,
        sample.sr.calibrate(as_it_is, name="sample", steps=options.calibration, progress=False),
    )
    began = time.perf_counter()
    trained = sample.sr.train(
        10,
        3,
        model=models["calibrated"],
        styles=["sample"],
        recipe=short,
        steps=options.steps,
        validation=0.0,
        progress=False,
    )
    keep("then trained on", began, trained)
    return seconds, models


if __name__ == "__main__":
    main()
