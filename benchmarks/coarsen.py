"""Time and memory of ``coarsen`` by (10, 3) on a float32 field, beside a bare ``numpy.nanmean`` over the same blocks.

    python benchmarks/coarsen.py --json benchmarks/coarsen.json

The lazy field comes in chunks that are made when they are asked for, as from a store. It is coarsened by dask's
synchronous scheduler in a process of its own; printed is the most memory that was held beyond that of the process
before, in chunks of the source.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import common
import dask.array
import numpy as np
import xarray as xr

import xdownscale

SPATIAL, TEMPORAL = 10, 3
CELLS = 500
"""Cells along y and x."""

WANTED = {"time / numpy.nanmean": 1.3, "chunks held": 4.0}

CHUNKS = {
    "whole frames, a multiple of the factors": (30, CELLS, CELLS),
    "whole frames, no multiple": (32, CELLS, CELLS),
    "pieces of frames, no multiple": (128, 128, 128),
}
"""Steps and cells of a chunk."""


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gib", type=float, default=1.0, help="size of the field")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak", choices=CHUNKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    frames = TEMPORAL * round(options.gib * 2**30 / (4 * CELLS**2 * TEMPORAL))
    if options.peak:
        print(json.dumps(held_bytes(frames, CHUNKS[options.peak])))
        return
    figures: dict[str, float] = {}
    for name, chunk in CHUNKS.items():  # before this process grows: a child may count what its parent held
        held = peak_of_child(options.gib, name)
        figures[f"chunks held, {name}"] = held / (4 * np.prod(chunk))
        figures[f"MiB held, {name}"] = held / 2**20
    seconds = timings(frames, options.repeats)
    for kind in ("whole", "with missing cells"):
        figures[f"time / numpy.nanmean, {kind}"] = seconds[f"coarsen, {kind}"] / seconds[f"nanmean, {kind}"]
    for name, value in {**seconds, **figures}.items():
        limit = next((limit for start, limit in WANTED.items() if name.startswith(start)), None)
        print(f"{name:60s} {value:10.4g}" + ("" if limit is None else f"   wanted: {limit:g} at most"))
    print(f"{frames} x {CELLS} x {CELLS} float32, {common.machine()}")
    common.record(options.json, seconds=seconds, figures=figures, frames=frames, cells=CELLS, wanted=WANTED)


def timings(frames: int, repeats: int) -> dict[str, float]:
    """Median seconds of both, in memory, in turn: what else the machine does then falls on both."""
    rng = np.random.default_rng(0)
    values = rng.random((frames, CELLS, CELLS), dtype=np.float32)
    seconds = {}
    for kind in ("whole", "with missing cells"):
        if kind != "whole":
            values[:, rng.random((CELLS, CELLS)) < 0.1] = np.nan
        field = rain(values)
        works = {
            "coarsen": lambda field=field: xdownscale.coarsen(field, SPATIAL, TEMPORAL, min_valid=0.5),
            "nanmean": lambda values=values: bare_means(values),
        }
        difference = np.abs(works["coarsen"]().values - works["nanmean"]()).max()
        if not difference < 1e-5:
            msg = f"coarsen and nanmean differ by {difference}"
            raise SystemExit(msg)
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(repeats):
            for name, work in works.items():
                times[name].append(seconds_of(work))
        seconds |= {f"{name}, {kind}": statistics.median(each) for name, each in times.items()}
    return seconds


def bare_means(values: np.ndarray) -> np.ndarray:
    """What numpy alone does."""
    steps, rows, columns = values.shape
    blocks = values.reshape(
        steps // TEMPORAL, TEMPORAL, rows // SPATIAL, SPATIAL, columns // SPATIAL, SPATIAL
    )
    means: np.ndarray = np.nanmean(blocks, axis=(1, 3, 5))
    return means


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock time of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rain(values: object) -> xr.DataArray:
    """A rain rate with these values on a projected grid."""
    return xr.DataArray(values, dims=("time", "y", "x"), name="rain", attrs={"units": "mm h-1"})


def peak_of_child(gib: float, name: str) -> float:
    """Bytes held by a process that coarsens a lazy field with these chunks, and does nothing else."""
    command = [sys.executable, __file__, "--gib", str(gib), "--peak", name]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(answer))


def held_bytes(frames: int, chunk: tuple[int, int, int]) -> int:
    """Most memory beyond that of the process before, after a small run that loads what is loaded once."""
    coarsened(TEMPORAL, (TEMPORAL, CELLS, CELLS)).compute(scheduler="synchronous")
    before = largest_size()
    coarsened(frames, chunk).compute(scheduler="synchronous")
    return largest_size() - before


def coarsened(frames: int, chunk: tuple[int, int, int]) -> xr.DataArray:
    """A lazy coarse field, from chunks that are made as they are asked for."""
    empty = dask.array.empty((frames, CELLS, CELLS), chunks=chunk, dtype=np.float32)
    source = dask.array.map_blocks(
        made, chunks=empty.chunks, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    return xdownscale.coarsen(rain(source), SPATIAL, TEMPORAL)


def made(block_info: dict[None, dict[str, tuple[int, ...]]]) -> np.ndarray:
    """The values of one chunk."""
    where = block_info[None]
    rng = np.random.default_rng(where["chunk-location"])
    return rng.random(where["chunk-shape"], dtype=np.float32)


def largest_size() -> int:
    """Largest size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # the largest since the program was loaded; getrusage may count the parent's
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
