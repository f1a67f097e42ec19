"""Killed with SIGKILL at random points, and gone on with: the store has the same bits.

    python benchmarks/kill.py --times 20

A process writes an ensemble; it is killed after a random time and started again, so many times, and then left alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
import xarray as xr

import xdownscale


def main() -> None:
    """Kill, go on, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--least", type=float, default=1.0, help="seconds before a kill, at least")
    parser.add_argument("--most", type=float, default=8.0, help="and at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store:
        lazy().sr.to_zarr(options.store, resume=True, progress=False)
        return
    random, before, kills = np.random.default_rng(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        store = f"{folder}/ensemble.zarr"
        words = [sys.executable, *sys.argv, "--store", store]
        for _ in range(options.times):
            process = subprocess.Popen(words)
            time.sleep(random.uniform(options.least, options.most))
            kills += process.poll() is None
            process.kill()
            process.wait()
            opens = (Path(store) / "zarr.json").exists()
            before += opens
        subprocess.run(words, check=True)
        with xr.open_zarr(store) as found:
            same = bool((found["rain"].values == lazy().values).all())
    print(
        f"killed while it worked: {kills} of {options.times} times; finished before: {before}; same bits: {same}"
    )
    common.record(options.json, kills=kills, times=options.times, finished_early=before, same=same)


def lazy() -> xr.DataArray:
    """A small ensemble in many regions."""
    coarse = xdownscale.tutorial.rain((72, 160, 160)).sr.coarsen(spatial=10, temporal=3).chunk(time=4)
    return coarse.sr.downscale(spatial=10, temporal=3, members=2, tile=(2, 16, 16))


if __name__ == "__main__":
    main()
