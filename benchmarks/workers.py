"""One and two worker processes of dask.distributed: the same lazy ensemble, the same bits, and the time.

    python benchmarks/workers.py --json benchmarks/workers.json

Every cluster is warm (weights loaded, one call made) before it is timed. Says nothing on a machine that other work
keeps busy: the load before the run is printed and recorded.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import common
import numpy as np

import xdownscale


def main() -> None:
    """Measure one cluster after the other, compare, print."""
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, default=16, help="coarse frames")
    parser.add_argument("--cells", type=int, default=32, help="coarse cells along y and x")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load before: {load:.1f}")
    rain = xdownscale.tutorial.rain((3 * options.frames, 10 * options.cells, 10 * options.cells))
    coarse = rain.sr.coarsen(10, 3).chunk(time=4)
    fine = coarse.sr.downscale(members=options.members, spatial=10, temporal=3, tile=(8, 16, 16))
    seconds, results = {}, []
    for count in options.workers:
        with (
            LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster),
        ):
            fine.isel(time=slice(0, 24)).compute()
            began = time.perf_counter()
            results.append(fine.compute().values)
            seconds[count] = time.perf_counter() - began
        pace = fine.size / seconds[count] / 1e6
        print(f"{count} workers: {seconds[count]:.1f} s, {pace:.2f} million values a second", flush=True)
    same = all(np.array_equal(results[0], each) for each in results[1:])
    ratio = seconds[options.workers[-1]] / seconds[options.workers[0]]
    print(f"same bits: {same}; time of the last over the first: {ratio:.2f}")
    common.record(options.json, seconds=seconds, same=same, ratio=ratio, load=load)


if __name__ == "__main__":
    main()
