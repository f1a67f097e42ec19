"""Speed of ``downscale`` on this machine, on the built-in rain, so that anyone can run it.

    python benchmarks/speed.py --threads 2 --json speed.json

Prints the time for a block of 100 × 100 km and three coarse frames with ten members; fine pixels × members a second on
a large domain; and the whole call over the bare passes that it needs: condition, network and conservation on tensors
that lie ready, without noise, tiles and coordinates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np
import torch

import xdownscale
from xdownscale.field.axes import find_axes
from xdownscale.field.grid import describe
from xdownscale.inference.noise import noise_window


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall-clock time after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="rain-10x3")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--cells", type=int, default=60, help="coarse cells along each side of the large domain"
    )
    parser.add_argument("--members", type=int, default=5, help="members of the large domain")
    parser.add_argument("--frames", type=int, default=12, help="coarse frames of the large domain")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = xdownscale.zoo.load(options.model)

    rain = xdownscale.tutorial.rain((3 * options.frames, 10 * options.cells, 10 * options.cells))
    coarse = rain.sr.coarsen(spatial=10, temporal=3)
    block = coarse.isel(time=slice(0, 3), y=slice(0, 10), x=slice(0, 10))
    seconds = {"block 100 x 100 km, 3 frames, 10 members": median_seconds(
        lambda: block.sr.downscale(model, members=10), options.repeats
    )}  # fmt: skip
    members = options.members
    whole = median_seconds(
        lambda: coarse.sr.downscale(model, members=members, progress=False), options.repeats
    )
    seconds[f"large domain, {members} members"] = whole
    method = model.method
    values = torch.from_numpy(np.asarray(coarse.values, np.float32))[None]
    origin = describe(coarse, find_axes(coarse)).origin
    shape = (values.shape[1], values.shape[2], values.shape[3])
    windows = values[:, :, None]
    noise = noise_window(method.noise_maps(), seed=0, member=0, start=origin, shape=shape)

    def bare() -> None:
        with torch.inference_mode():
            window = method.prepare(windows)
            for _ in range(members):
                method(window, noise)

    seconds["bare passes of the large domain"] = median_seconds(bare, options.repeats)
    pixels = rain.size * members
    figures = {
        "fine pixels x members a second, large domain": pixels / whole,
        "whole call / bare passes": whole / seconds["bare passes of the large domain"],
        "wet share of the coarse cells": float((coarse > 0).mean()),
    }
    for name, value in {**seconds, **figures}.items():
        print(f"{name:48s} {value:12.4g}")
    print(f"{common.machine()}, {options.threads} threads, torch {torch.__version__}")
    common.record(options.json, seconds=seconds, figures=figures, threads=options.threads)


if __name__ == "__main__":
    main()
