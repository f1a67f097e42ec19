r"""Train weights for every pair of factors and every scale of rain, from those of one pair or from such weights.

    python benchmarks/make_amounts.py ../shared/data amounts
    OMP_NUM_THREADS=1 python benchmarks/make_general.py ../shared/data --amounts amounts --minutes 80 \
        --checkpoint run.safetensors --out rain.safetensors

The files are those of the data folder that are marked for training. Held out are whole days of the German amounts (the
13th and the 16th of May), a whole event of the Finnish network and two boxes of the American one. A run writes
checkpoints and resumes from them.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from pathlib import Path

import make_weights
import numpy as np
import torch
import xarray as xr

import xdownscale
from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.models.multiscale import Multiscale, MultiscaleSettings
from xdownscale.models.scale import Scale
from xdownscale.models.transform import LogRain
from xdownscale.nn.fresh import FreshWeights
from xdownscale.training.fit import fit
from xdownscale.training.patches import Source
from xdownscale.training.run import Run
from xdownscale.training.scales import Draws, Mixed, ScaleSampler, windows_of
from xdownscale.training.warm_multiscale import start_from_general, start_from_pair

GERMANY = "rain_dwd_radolan_yw_germany_1km_5min_20180510-16.nc"
HELD_OUT_DAYS = ("2018-05-13", "2018-05-16")
"""Days of the German amounts by which weights are judged; the 16th is the wettest."""
TRAIN = [*make_weights.TRAIN, "rain_mrms_usa_4km_6min_20190610.nc"]

CASES = [
    ((3, 10, 10), 1, 5), ((3, 1, 1), 1, 5), ((1, 10, 10), 1, 5), ((6, 25, 25), 1, 5), ((1, 4, 4), 1, 5),
    ((2, 5, 5), 1, 5), ((1, 8, 8), 2, 10), ((2, 7, 7), 2, 15), ((3, 5, 5), 4, 60), ((1, 10, 10), 4, 60),
    ((3, 4, 4), 8, 60), ((3, 10, 10), 1, 60),
]  # fmt: skip
"""Factors (time, y, x), kilometres and minutes of the windows by which weights are judged."""


def scale_in(rain: xr.DataArray) -> Scale:
    """Size of cells and steps, from coordinates."""
    y, x = rain.dims[-2:]
    step = float((rain.time[1] - rain.time[0]) / np.timedelta64(1, "s")) / 60
    units = str(rain[x].attrs.get("units", ""))
    dy, dx = (abs(float(rain[dim][1] - rain[dim][0])) for dim in (y, x))
    if units.startswith("degree"):
        dx *= float(np.cos(np.deg2rad(rain[y].mean())))
        return Scale(111.2 * float(np.sqrt(dy * dx)), step)
    return Scale(float(np.sqrt(dy * dx)) / (1 if units == "km" else 1000), step)


def sources(path: Path, rain: xr.DataArray, style: str) -> list[Source]:
    """Arrays of a file, cut where time has gaps."""
    steps = np.diff(rain.time.values)
    edges = [0, *(np.flatnonzero(steps != steps.min()) + 1), len(rain.time)]
    return [
        Source(np.ascontiguousarray(rain.values[a:b, None]), None, path.name, style, scale_in(rain))
        for a, b in itertools.pairwise(edges)
    ]


def style_of(path: Path) -> str:
    """The product of a file."""
    return make_weights.product(path)


def gathered(folder: Path, amounts: Path | None) -> tuple[list[Source], list[Source], list[str]]:
    """Sources to learn from, sources to judge by, and a line about each file."""
    training, judging, lines = [], [], []
    for path in make_weights.files(folder, TRAIN, amounts):
        rain = make_weights.rain_of(path)
        training += sources(path, rain, style_of(path))
        lines.append(f"{rain.attrs.get('title', path.name)}; {rain.attrs.get('licence', '')}")
    for path in make_weights.files(folder, make_weights.VALIDATE, amounts):
        judging += sources(path, make_weights.rain_of(path), style_of(path))
    rain = make_weights.rain_of(folder / GERMANY)
    days = rain.time.dt.strftime("%Y-%m-%d")
    held = days.isin(HELD_OUT_DAYS)
    training += sources(folder / GERMANY, rain[~held.values], "dwd")
    judging += sources(folder / GERMANY, rain[held.values], "dwd")
    lines.append(f"{rain.attrs.get('title', GERMANY)}; {rain.attrs.get('licence', '')}")
    return training, judging, lines


class Judge:
    """Fixed windows of the listed cases, of all products, each weighted by the inverse of its block means' error."""

    def __init__(self, sampler: ScaleSampler, count: int) -> None:
        self.windows = [window for _, window in windows_of(sampler, CASES, count)]

    def spread(self, size: int) -> Mixed:
        """As many as there are."""
        del size
        return Mixed(tuple(self.windows))


def main() -> None:
    """Read the command line, train, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--amounts", type=Path)
    parser.add_argument("--minutes", type=float, default=78.0)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--check", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start", default="rain-10x3", help="weights to begin from: those of a pair, or for all factors"
    )
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    training, judging, lines = gathered(options.folder, options.amounts)
    start = (xdownscale.load if Path(options.start).exists() else xdownscale.zoo.load)(options.start).method
    styles = tuple(dict.fromkeys([*start.settings.styles, *(source.style for source in training)]))
    with FreshWeights(options.seed):
        method = Multiscale(MultiscaleSettings(styles=styles, default="amounts"))
    (start_from_general if isinstance(start, Multiscale) else start_from_pair)(method, start)
    recipe = xdownscale.Recipe.named("standard")
    schedule = dataclasses.replace(
        recipe.schedule, steps=100_000, seconds=60 * options.minutes, batch=options.batch, rate=options.rate,
        check=options.check, patience=1000, average=0.998,
    )  # fmt: skip
    recipe = dataclasses.replace(
        recipe, schedule=schedule, unit=2.0, weights=dataclasses.replace(recipe.weights, late=0.0)
    )
    windows = ScaleSampler(training, draws=Draws(), transform=LogRain(), seed=options.seed + 1)
    judge = Judge(ScaleSampler(judging, draws=Draws(), transform=LogRain(), seed=0), 2)
    result = fit(
        method, windows, judge, recipe=recipe,
        run=Run(units=(2.0,), seed=options.seed, checkpoint=options.checkpoint, identity={"seed": options.seed}),
    )  # fmt: skip
    method.load_state_dict(result.weights)
    model = Downscaler(
        method.eval(),
        variables=[Variable("rainfall_rate", "mm h-1", "rainfall_rate", "time: mean")],
        provenance=Provenance(
            data=tuple(dict.fromkeys(lines)), recipe=recipe.to_json(), steps=result.steps, seed=options.seed,
            scores=result.scores,
        ),
        name="rain",
    )  # fmt: skip
    model.save(options.out)
    print(model)
    print(json.dumps(result.history, indent=1))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
