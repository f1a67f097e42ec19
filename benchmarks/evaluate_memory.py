"""Does ``evaluate`` stream? Peak memory and time for forecasts on disk, for two lengths of the same series.

Usage: ``python benchmarks/evaluate_memory.py [--members 10] [--steps 240] [--side 512]``. Synthetic rain is written to
a temporary folder (zarr where it is installed, else NetCDF), a quarter of the series and the whole; a process of its
own scores each. Memory is constant if both peaks are alike.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import xarray as xr
from common import record

METRICS = ("crps_ensemble", "mae", "rmse", "bias", "spread_skill_ratio", "lsd", "ssim")
"""Scores that are sums over cases or frames. Exact percentiles and ``emd`` sort all values and need them in memory."""

MIB = 2**20


def main() -> None:
    """Write, score, print."""
    parser = argparse.ArgumentParser(description="peak memory of evaluate on a file")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--chunk", type=int, default=4, help="steps per chunk")
    parser.add_argument("--metrics", nargs="+", default=METRICS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--score", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.score:
        print(json.dumps(scored(options.score, options.chunk, options.metrics)))
        return
    rows = {}
    print(f"{'steps':>6} {'input MiB':>10} {'peak MiB':>9} {'above start':>12} {'seconds':>8}")
    for steps in (options.steps // 4, options.steps):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), options.members, steps, options.side, options.chunk)
            row = in_a_process(Path(folder), options.chunk, options.metrics)
        row["input"] = 4 * (options.members + 1) * steps * options.side**2 / MIB
        rows[steps] = row
        above = row["peak"] - row["start"]
        print(f"{steps:6d} {row['input']:10.0f} {row['peak']:9.0f} {above:12.0f} {row['seconds']:8.1f}")
    record(options.json, sizes=[options.members, options.steps, options.side, options.side], runs=rows)


def write(folder: Path, members: int, steps: int, side: int, chunk: int) -> None:
    """Rain without structure, a block of steps at a time."""
    import dask.array

    def block(block_info: dict[int, dict[str, list[tuple[int, int]]]] | None = None) -> np.ndarray:
        place = block_info[None]["array-location"]  # type: ignore[index]
        shape = tuple(stop - start for start, stop in place)
        chance = np.random.default_rng([start for start, _ in place])
        return np.maximum(chance.standard_gamma(0.4, shape, np.float32) - np.float32(0.2), 0)

    for name, lead in (("observations", ()), ("forecasts", (members,))):
        shape = (*lead, steps, side, side)
        cuts = (
            *((n,) for n in lead),
            (chunk,) * (steps // chunk) + ((steps % chunk,) if steps % chunk else ()),
        )
        values = dask.array.map_blocks(block, chunks=(*cuts, (side,), (side,)), dtype=np.float32)
        dims = ("member", "time", "y", "x")[-len(shape) :]
        field = xr.DataArray(values, dims=dims, name="rain", attrs={"units": "mm h-1"}).to_dataset()
        field = field.assign_coords(
            time=np.datetime64("2020-01-01") + np.arange(steps) * np.timedelta64(5, "m")
        )
        if find_spec("zarr"):
            field.to_zarr(folder / f"{name}.zarr", zarr_format=2)
        else:
            sizes = [1 if dim == "member" else min(chunk, steps) if dim == "time" else side for dim in dims]
            field.to_netcdf(folder / f"{name}.nc", encoding={"rain": {"chunksizes": sizes}})


def in_a_process(folder: Path, chunk: int, metrics: tuple[str, ...]) -> dict[str, float]:
    """Score in a process of its own, whose peak is nobody else's."""
    words = [sys.executable, __file__, "--score", str(folder), "--chunk", str(chunk), "--metrics", *metrics]
    answer = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def scored(folder: Path, chunk: int, metrics: tuple[str, ...]) -> dict[str, float]:
    """Open lazily, evaluate, compute; memory in MiB."""
    import xdownscale

    fields = {path.stem: opened(path, chunk) for path in folder.iterdir()}
    start, began = peak(), time.perf_counter()
    scores = xdownscale.evaluate(fields["observations"], fields["forecasts"], metrics=metrics).compute()
    if not all(np.isfinite(score).all() for score in scores.values()):
        sys.exit(f"a score is missing: {scores}")
    return {"start": start, "peak": peak(), "seconds": time.perf_counter() - began}


def opened(path: Path, chunk: int) -> xr.DataArray:
    """A file as a lazy field."""
    return xr.open_dataset(path, chunks={"time": chunk, "member": -1})["rain"]


def peak() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
