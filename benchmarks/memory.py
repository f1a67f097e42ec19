"""Peak memory from zarr to zarr: a coarse field on disk, an ensemble on disk, for a duration and for twice that.

    python benchmarks/memory.py --spatial 10 --temporal 3 --side 2048 --steps 72 --members 4 --json memory.json

A process of its own downscales each, with as many dask threads as ``--threads`` says. At (10, 3) the weights are the
shipped ones, at other factors an untrained network of the same size. ``--wet`` is the share of the domain where it
rains (dry tiles cost next to nothing), in one stripe; ``--seconds`` stops a process after so long: memory is steady
once every thread has had its first tiles, and the line says how many regions were written.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import common
import numpy as np
import xarray as xr

MIB = 2**20


def main() -> None:
    """Write inputs, downscale each in a process of its own, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spatial", type=int, default=10)
    parser.add_argument("--temporal", type=int, default=3)
    parser.add_argument("--side", type=int, default=2048, help="fine cells along y and x, about")
    parser.add_argument("--steps", type=int, default=72, help="fine steps, and then twice as many")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--wet", type=float, default=0.25)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=10**6)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store:
        print(json.dumps(written(options)))
        return
    rows: dict[str, Any] = {}
    print(
        f"{'steps':>6} {'result MiB':>11} {'peak MiB':>9} {'above start':>12} {'regions':>11} {'seconds':>8}"
    )
    for steps in (options.steps, 2 * options.steps):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "coarse.zarr"
            write_coarse(store, options, steps)
            row = in_a_process(store)
        rows[str(steps)] = row
        print(
            f"{steps:6d} {row['result']:11.0f} {row['peak']:9.0f} {row['peak'] - row['start']:12.0f} "
            f"{row['done']:5d}/{row['regions']:<5d} {row['seconds']:8.0f}",
            flush=True,
        )
    print(common.machine())
    common.record(
        options.json,
        runs=rows,
        arguments={k: v for k, v in vars(options).items() if k not in ("json", "store")},
    )


def write_coarse(store: Path, options: argparse.Namespace, steps: int) -> None:
    """Rain in a stripe, dry elsewhere, in chunks of four frames."""
    side, frames = options.side // options.spatial, steps // options.temporal
    random = np.random.default_rng(0)
    rain = np.zeros((frames, side, side), np.float32)
    stripe = max(1, round(side * options.wet))
    rain[:, :, :stripe] = random.gamma(0.8, 2.0, (frames, side, stripe))
    where = np.arange(side) * 1000.0 * options.spatial
    field = xr.DataArray(
        rain,
        dims=("time", "y", "x"),
        name="rain",
        coords={
            "time": np.datetime64("2020-01-01", "ns")
            + np.arange(frames) * np.timedelta64(5 * options.temporal, "m"),
            "y": ("y", where, {"units": "m", "standard_name": "projection_y_coordinate"}),
            "x": ("x", where, {"units": "m", "standard_name": "projection_x_coordinate"}),
        },
        attrs={"units": "mm h-1", "standard_name": "rainfall_rate"},
    )
    field.chunk(time=4).to_dataset().to_zarr(store, consolidated=False)


def in_a_process(store: Path) -> dict[str, Any]:
    """Downscale in a process of its own, whose peak is nobody else's."""
    words = [sys.executable, *sys.argv, "--store", str(store)]
    answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


class EnoughError(Exception):
    """The time is up."""


def written(options: argparse.Namespace) -> dict[str, Any]:
    """Open lazily, downscale, write; memory in MiB."""
    import dask

    import xdownscale  # noqa: F401
    from xdownscale.inference.records import Records
    from xdownscale.inference.write import regions_of

    model = model_for(options)
    dask.config.set(scheduler="threads", num_workers=options.threads)
    coarse = xr.open_zarr(options.store, consolidated=False)["rain"]
    start, began = peak(), time.perf_counter()
    fine = coarse.sr.downscale(model, members=options.members)
    target = str(options.store.parent / "fine.zarr")
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(options.seconds)
    regions = regions_of("rain", fine)
    done = len(regions)
    try:
        fine.sr.to_zarr(target, progress=False)
    except EnoughError:
        done -= len(Records(target).unfinished([each.key for each in regions]))
    signal.alarm(0)
    seconds = time.perf_counter() - began
    return {
        "start": start,
        "peak": peak(),
        "seconds": seconds,
        "done": done,
        "regions": len(regions),
        "result": fine.nbytes / MIB,
    }


def stop(*_: object) -> None:
    """End the work."""
    raise EnoughError


def model_for(options: argparse.Namespace) -> Any:
    """Shipped weights, or an untrained network of their size."""
    import torch

    from xdownscale import zoo
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.generator import Generator, GeneratorSettings

    shipped = zoo.load("rain-10x3")
    if (options.spatial, options.temporal) == (10, 3):
        return shipped
    torch.manual_seed(0)
    blocks = (options.temporal, options.spatial, options.spatial)
    settings = GeneratorSettings(
        blocks=blocks, size=shipped.method.settings.size, transforms=shipped.method.settings.transforms
    )
    return Downscaler(
        Generator(settings).eval(),
        variables=shipped.variables,
        provenance=shipped.provenance,
        name="untrained",
    )


def peak() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
