r"""Minkowski functionals: how fast they are, how well emulators know them, what they are good for in a loss.

    python benchmarks/minkowski.py speed --json benchmarks/minkowski_speed.json
    python benchmarks/minkowski.py emulators ../shared/data --models models --json benchmarks/minkowski_emulators.json
    python benchmarks/minkowski.py downscaling ../shared/data --models models --json benchmarks/minkowski.json

`speed` needs no data. The others score what `minkowski_train.py` made, on three events of a radar network that no
training run has seen. With `--only` some of them are scored, and rows that are in the file of `--json` are kept.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import common
import minkowski_emulators
import numpy as np
import rain
import torch
import xarray as xr
from methods import middle
from minkowski_emulators import with_interval
from minkowski_train import DOWNSCALERS
from scipy import ndimage

import xdownscale
from xdownscale import metrics
from xdownscale.kernels.minkowski import LEVELS, level_functionals
from xdownscale.models.generator import Generator, GeneratorSettings
from xdownscale.models.median import median_settings
from xdownscale.models.recipe import NetworkSize
from xdownscale.nn.soft_minkowski import soft_functionals
from xdownscale.training.emulator import load_emulator

REPEATS = 7
"""Of every timing; the least is taken, since other programs run beside it."""

FRAMES, SIDE = 16, 128

Rows = dict[str, dict[str, str | float]]


def main() -> None:
    """Read the command line and do one of the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    for name, run in (("speed", speed), ("emulators", emulators), ("downscaling", downscaling)):
        part = parts.add_parser(name)
        if name != "speed":
            part.add_argument("folder", type=Path)
            part.add_argument("--models", type=Path, required=True, help="what minkowski_train.py wrote")
            part.add_argument("--only", nargs="+", help="names of rows")
        part.add_argument("--json", type=Path)
        part.set_defaults(run=run)
    downscalers = parts.choices["downscaling"]
    downscalers.add_argument("--members", type=int, default=4)
    downscalers.add_argument("--cells", type=int, default=16, help="coarse cells along a side of the square")
    downscalers.add_argument("--frames", type=int, default=4, help="coarse frames in the middle of an event")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = options.run(options)
    if options.json is not None and getattr(options, "only", None) and options.json.exists():
        rows = json.loads(options.json.read_text())["rows"] | rows
    print(table(rows))
    common.record(options.json, rows=rows)


def table(rows: Rows) -> str:
    """Rows by name as a table of Markdown."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        cells = [row.get(key, "") for key in columns]
        shown = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def speed(_: argparse.Namespace) -> Rows:
    """Soft functionals beside the mean network, exact ones beside scikit-image."""
    noise = np.random.default_rng(0).normal(size=(FRAMES, SIDE, SIDE))
    smooth = ndimage.gaussian_filter(noise, (0, 3, 3))
    fields = np.exp(smooth / smooth.std()).astype(np.float32)
    thresholds = np.quantile(fields, LEVELS)
    values = torch.from_numpy(fields).requires_grad_()
    levels = torch.from_numpy(thresholds)
    soft = least(lambda: soft_functionals(values, levels, 0.3).sum().backward())
    network = least(mean_network(fields))
    exact, image = (least(lambda f=f: f(fields, thresholds)) for f in (level_functionals, by_scikit_image))
    labels = least(lambda: [ndimage.label(f >= u) for f in fields for u in thresholds])
    return {
        "soft functionals, with gradient": {"ms": 1000 * soft},
        "mean network, forward and backward": {"ms": 1000 * network},
        "soft functionals over the network, wanted ≤ 3": {"ratio": soft / network},
        "exact functionals": {"ms": 1000 * exact},
        "scikit-image in a loop": {"ms": 1000 * image},
        "scikit-image over exact, wanted ≥ 20": {"ratio": image / exact},
        "labels for components and holes, on top": {"ms": 1000 * labels},
    }


def least(call: Callable[[], object]) -> float:
    """Seconds of processor that a call takes."""
    call()
    found = []
    for _ in range(REPEATS):
        began = time.process_time()
        call()
        found.append(time.process_time() - began)
    return min(found)


def mean_network(fields: np.ndarray) -> Callable[[], None]:
    """A forward and backward pass of a median net of the standard size over as many windows of one frame."""
    settings = median_settings(GeneratorSettings(blocks=(1, 8, 8), size=NetworkSize()))
    method = Generator(settings)
    coarse = torch.from_numpy(fields.reshape(FRAMES, 1, SIDE // 8, 8, SIDE // 8, 8).mean((3, 5)))

    def step() -> None:
        window = method.prepare(coarse)
        method.latent(window, []).sum().backward()

    return step


def by_scikit_image(fields: np.ndarray, thresholds: np.ndarray) -> None:
    """The same three functionals, one frame and threshold after the other."""
    from skimage import measure

    for frame in fields:
        for threshold in thresholds:
            mask = np.pad(frame >= threshold, 1)
            mask.sum()
            measure.perimeter_crofton(mask, directions=4)
            measure.euler_number(mask, connectivity=1)


def emulators(options: argparse.Namespace) -> Rows:
    """The table of emulators."""
    return minkowski_emulators.table(options.folder, options.models, options.only)


def downscaling(options: argparse.Namespace) -> Rows:
    """The table of downscalers: over all events, with intervals."""
    thresholds = load_emulator(options.models / "emulator_constrained.safetensors").settings.thresholds
    models = {"shipped": xdownscale.zoo.load("rain-10x3")}
    for name in DOWNSCALERS:
        path = options.models / f"{name.replace(' ', '_')}.safetensors"
        if path.exists():
            models[name] = xdownscale.load(path)
    models = {name: model for name, model in models.items() if name in (options.only or models)}
    found: dict[str, list[xr.Dataset]] = {name: [] for name in models}
    for date in common.TEST_EVENTS:
        event = common.event_rain(options.folder, date)
        truth = middle(rain.covered(event, 10 * options.cells), 3 * options.frames)
        coarse = truth.sr.coarsen(spatial=10, temporal=3)
        for name, model in models.items():
            members = options.members if model.stochastic else 1
            drawn = coarse.sr.downscale(model, members=members, tile=coarse.shape, progress=False)
            found[name].append(scores(truth, drawn, thresholds))
    return {name: summary(each) for name, each in found.items()}


def scores(truth: xr.DataArray, drawn: xr.DataArray, thresholds: tuple[float, ...]) -> xr.Dataset:
    """Scores of every frame."""
    mean = drawn.mean("member")
    space = ("y", "x")
    shapes = {"thresholds": thresholds, "levels": LEVELS, "dim": ()}
    limits = [xr.DataArray(np.percentile(f.values, 99.9)) for f in (drawn, truth)]
    return xr.Dataset(
        {
            "MSE": np.square(mean - truth).mean(space).drop_vars("time"),
            "fair CRPS": metrics.crps_ensemble(truth, drawn, dim=space).drop_vars("time"),
            "γ distance": metrics.minkowski_distance(truth, drawn, **shapes)
            .sum("functional")
            .drop_vars("time"),
            "γ CRPS": metrics.minkowski_crps(truth, drawn, **shapes).sum("functional").drop_vars("time"),
            "LSD, dB": metrics.lsd(truth, drawn, dim=()).drop_vars("time"),
            "p99.9": (limits[0] / limits[1]).expand_dims(time=truth.sizes["time"]),
        }
    )


def summary(events: list[xr.Dataset]) -> dict[str, str]:
    """Means over all frames, with 95 % by bootstrap of coarse frames; of percentiles the range over events."""
    row = {}
    for name in events[0].data_vars:
        values = [event[name].values.ravel() for event in events]
        if name == "p99.9":
            each = [v[0] for v in values]
            row["p99.9 over truth (range of events)"] = (
                f"{np.mean(each):.3f} ({min(each):.3f} … {max(each):.3f})"
            )
            continue
        blocks = np.concatenate([1000 * n + np.arange(len(v)) // 3 for n, v in enumerate(values)])
        row[str(name)] = with_interval(np.concatenate(values), blocks)
    return row


if __name__ == "__main__":
    main()
