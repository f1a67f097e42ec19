"""Throughput and CRPS side by side: the call, its network in a plain loop, `rain`, RainFARM here and of pysteps.

    python benchmarks/throughput.py ../shared/data --json benchmarks/throughput.json

Rain of a test event at (10, 3), all members of a square. The plain loop takes the whole domain at once and member by
member, with noise drawn by torch; it has no tiles, no coordinates and no attributes. RainFARM of pysteps works frame by
frame on the time mean, repeated in time. Values are fine values times members per second of wall clock and of
processor; CRPS is fair, over the absolute error of bicubic interpolation. Quote ratios: machines are shared.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np
import torch
import xarray as xr

import xdownscale
from xdownscale import metrics
from xdownscale.baselines.rainfarm import rainfarm
from xdownscale.models.generator import draw_noise

SLOPES = (2.5, 1.5)
"""In space and time, where the coarse field is too small to estimate them."""


def plain_loop(model: xdownscale.Downscaler, coarse: xr.DataArray, members: int) -> np.ndarray:
    """The network on the whole domain, a member at a time."""
    method, source = model.method, torch.Generator().manual_seed(0)
    values = torch.from_numpy(coarse.values[None, :, None])
    drawn = []
    with torch.inference_mode():
        window = method.prepare(values)
        for _ in range(members):
            noise = draw_noise(method.noise_maps(window.blocks), values.shape, generator=source)
            drawn.append(method.finish(window, method.latent(window, noise))[0, :, 0].numpy())
    return np.stack(drawn)


def of_pysteps(coarse: xr.DataArray, members: int) -> np.ndarray:
    """Their RainFARM of every coarse frame, repeated in time."""
    from pysteps.downscaling.rainfarm import downscale

    np.random.seed(0)  # noqa: NPY002  theirs draws from the global generator
    frames = [
        np.stack([downscale(frame, 10, alpha=SLOPES[0]) for frame in coarse.values]) for _ in range(members)
    ]
    return np.repeat(np.stack(frames), 3, axis=1)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--date", default="20160711", choices=common.TEST_EVENTS)
    parser.add_argument("--side", type=int, default=300, help="fine cells along y and x")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    event = common.event_rain(options.folder, options.date)
    y, x = ((size - options.side) // 20 * 10 for size in event.shape[1:])
    truth = event[:36, y : y + options.side, x : x + options.side]
    coarse = truth.sr.coarsen(10, 3)
    plain = float(metrics.mae(truth, coarse.sr.interpolate(10, 3, method="bicubic")))
    model, general = (xdownscale.zoo.load(name) for name in ("rain-10x3", "rain"))
    members = options.members
    ways: dict[str, Callable[[], np.ndarray]] = {
        "call": lambda: coarse.sr.downscale(model, members=members, progress=False).values,
        "call, weights for every factor": lambda: (
            coarse.sr.downscale(general, spatial=10, temporal=3, members=members, progress=False).values
        ),
        "plain loop": lambda: plain_loop(model, coarse, members),
        "RainFARM": lambda: rainfarm(coarse, 10, 3, members=members, slopes=SLOPES).values,
        "RainFARM of pysteps, space alone": lambda: of_pysteps(coarse, members),
    }
    best = dict.fromkeys(ways, (np.inf, np.inf))
    drawn: dict[str, np.ndarray] = {}
    for _ in range(options.repeats):  # in turn, so that all meet the same neighbours
        for name, way in ways.items():
            wall, processor = time.perf_counter(), time.process_time()
            drawn[name] = way()
            found = time.perf_counter() - wall, time.process_time() - processor
            best[name] = min(best[name], found, key=lambda each: each[1])
    print(f"load {os.getloadavg()[0]:.1f}\n")
    print(
        "| way | million values a second | per second of processor | time over that of the call | CRPS / bicubic |"
    )
    print("|---|---|---|---|---|")
    results = {}
    for name, values in drawn.items():
        wall, processor = best[name]
        ensemble = xr.DataArray(values, dims=("member", *truth.dims)).assign_coords(truth.coords)
        crps = float(metrics.crps_ensemble(truth, ensemble)) / plain
        pace = values.size / wall / 1e6, values.size / processor / 1e6
        ratio = processor / best["call"][1]
        results[name] = {
            "million a second": pace[0],
            "million a processor second": pace[1],
            "processor time over the call": ratio,
            "crps over bicubic": crps,
        }
        print(f"| {name} | {pace[0]:.2f} | {pace[1]:.2f} | {ratio:.2f} | {crps:.3f} |", flush=True)
    common.record(options.json, results=results, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
