r"""Train weights like those that ship with the package, or the median net that goes with them.

    python benchmarks/make_amounts.py ../shared/data amounts
    OMP_NUM_THREADS=1 torchrun --nproc_per_node 2 benchmarks/make_weights.py ../shared/data --amounts amounts \
        --minutes 85 --style amounts --checkpoint run.safetensors --out mine.safetensors

How the shipped weights came about, in many runs, stands in their card, xdownscale/zoo/rain-10x3.md.

The files are those of the data folder that are marked for training; three of them, whole events or boxes, are held out
to judge by. A run writes checkpoints and resumes from them; without torchrun it is one process. The name of a file says
its product (the first word after "rain"), and two-minute rates are averaged to six-minute ones, since what a downscaled
field conserves is the mean over its step. Any other CF NetCDF files with rain work as well:

    python benchmarks/make_weights.py . --train mine_1.nc mine_2.nc --validate mine_3.nc --out mine.safetensors
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import torch
import xarray as xr

import xdownscale
from xdownscale import metrics

TRAIN = [
    "rain_fmi_finland_1km_5min_20160928.nc",
    "rain_knmi_netherlands_1km_5min_20100826.nc",
    "rain_eccc_cascm_1km_6min_20240710.nc",
    "rain_eccc_casgo_1km_6min_20240710.nc",
    *(f"rain_mrms_usa_{box:02d}_1km_2min_20190610.nc" for box in (1, 2, 3, 4, 6, 7, 8)),
]
VALIDATE = [
    "rain_mrms_usa_05_1km_2min_20190610.nc",
    "rain_mrms_usa_09_1km_2min_20190610.nc",
    "rain_fmi_finland_1km_5min_20170509.nc",
]
TOGETHER = {"2min": 3}
"""Frames to average by cadence in the file name."""


def rain_of(path: Path) -> xr.DataArray:
    """The rain field of a file, at five or six minutes."""
    dataset = xr.open_dataset(path)
    name = next(
        str(n) for n, v in dataset.data_vars.items() if "rain" in f"{n} {v.attrs.get('standard_name', '')}"
    )
    rain = dataset[name].astype("float32").load()
    count = next((n for cadence, n in TOGETHER.items() if cadence in path.name), 1)
    if count > 1:
        rain = rain.coarsen(time=count, boundary="trim").reduce(np.mean).assign_attrs(rain.attrs)
    keep = {key: dataset.attrs[key] for key in ("title", "licence") if key in dataset.attrs}
    return rain.assign_attrs(keep)


def files(folder: Path, names: list[str], amounts: Path | None) -> list[Path]:
    """The files of these names, and the amounts that were made of them."""
    made = [] if amounts is None else [amounts / name.replace("rain_", "rain_amounts_", 1) for name in names]
    return [*(folder / name for name in names), *(path for path in made if path.exists())]


def product(path: Path) -> str:
    """The radar network of a file, or "amounts", from its name."""
    words = path.stem.split("_")
    return words[1] if words[0] == "rain" and len(words) > 1 else words[0]


def wettest(rain: xr.DataArray, steps: int = 12, side: int = 200) -> xr.DataArray:
    """The hour with most rain, on a square in the middle of what has no gaps."""
    amount = rain.fillna(0).mean(rain.dims[1:]).rolling(time=steps).sum().fillna(0)
    last = max(int(amount.values.argmax()), steps - 1)
    hour = rain.isel(time=slice(last - steps + 1, last + 1))
    middle = (int(np.median(at)) - side // 2 for at in np.isfinite(hour.values).all(0).nonzero())
    y, x = (max(0, start) for start in middle)
    return hour[:, y : y + side, x : x + side]


def settle_grain(model: xdownscale.Downscaler, rain: xr.DataArray, style: str) -> xdownscale.Downscaler:
    """Scale the finest noise of one style until the spectrum is nearest to that of its own product.

    CRPS hardly sees grain of one cell in a smooth product. The other styles keep theirs: their vectors and that of the
    style are solved for together.
    """
    truth = wettest(rain)
    coarse = truth.sr.coarsen(spatial=model.factors.spatial, temporal=model.factors.time)
    distances = {}
    for gain in (1.0, 0.75, 0.5, 0.25, 0.0):
        softer = with_grain(model, style, gain)
        distances[gain] = float(metrics.lsd(truth, coarse.sr.downscale(softer, members=3, style=style)))
    print("log-spectral distance by gain of the finest noise", distances)
    return with_grain(model, style, min(distances, key=lambda gain: distances[gain]))


def with_grain(model: xdownscale.Downscaler, style: str, gain: float) -> xdownscale.Downscaler:
    """The model with the finest noise of one style scaled."""
    softer = copy.deepcopy(model)
    method = softer.method
    with torch.no_grad():
        given = method.network.stages[-1].given
        noise = slice(1 + len(method.settings.static), None)
        wanted = torch.zeros(len(method.styles), given.scale[:, noise].shape[1])
        row = method.settings.styles.index(style)
        wanted[row] = (gain - 1) * (1 + method.styles[row] @ given.scale[:, noise])
        given.scale[:, noise] += torch.linalg.lstsq(method.styles, wanted).solution
    return softer


def mean_of(models: list[xdownscale.Downscaler]) -> xdownscale.Downscaler:
    """A model with the mean weights of several that are legs of one run, so that their weights mean the same.

    The first one has all weights. Those that a leg before had not yet count as zero: they come in with no effect.
    """
    mean = copy.deepcopy(models[0])
    weights = [model.method.state_dict() for model in models]
    mean.method.load_state_dict(
        {
            name: sum(each.get(name, torch.zeros_like(value)) for each in weights) / len(weights)
            for name, value in weights[0].items()
        }
    )
    return mean


def main() -> None:
    """Read the command line, train, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", nargs="+", default=TRAIN)
    parser.add_argument("--validate", nargs="+", default=VALIDATE)
    parser.add_argument(
        "--amounts", type=Path, help="folder of what make_amounts.py wrote, to train on as well"
    )
    parser.add_argument("--spatial", type=int, default=10)
    parser.add_argument("--temporal", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=70.0)
    parser.add_argument("--method", choices=["generator", "median"], default="generator")
    parser.add_argument("--name", default="user")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--initial", nargs="+", help="a model whose weights are the start, or the mean of several"
    )
    parser.add_argument("--rate", type=float, help="peak learning rate instead of the recipe's")
    parser.add_argument(
        "--seed", type=int, default=0, help="of windows, those of validation too, and of noise"
    )
    parser.add_argument("--style", help="the product whose texture is the default; the mean of all without")
    options = parser.parse_args()
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
    recipe = xdownscale.Recipe.named("standard")
    schedule = dataclasses.replace(
        recipe.schedule,
        steps=100_000,
        seconds=60 * options.minutes,
        check=250,
        patience=100,
        rate=options.rate or recipe.schedule.rate,
    )
    training, held_out = (
        files(options.folder, names, options.amounts) for names in (options.train, options.validate)
    )
    initial = mean_of([xdownscale.zoo.load(each) for each in options.initial]) if options.initial else None
    model = xdownscale.train(
        [rain_of(path) for path in training],
        spatial=options.spatial,
        temporal=options.temporal,
        styles=[product(path) for path in (*training, *held_out)],
        recipe=dataclasses.replace(recipe, schedule=schedule, unit=2.0),
        method=options.method,
        model=initial,
        validation=[rain_of(path) for path in held_out],
        checkpoint=options.checkpoint,
        seed=options.seed,
    )
    if torch.distributed.is_initialized() and torch.distributed.get_rank() > 0:
        return
    model = model.with_style(options.style)
    if options.style is not None and options.method == "generator":
        own = next(path for path in training if product(path) == options.style)
        model = settle_grain(model, rain_of(own), options.style)
    model.name = options.name
    model.save(options.out)
    print(model)
    print(json.dumps(model.provenance.scores))


if __name__ == "__main__":
    main()
