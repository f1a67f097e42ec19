"""Threads on an idle and on a busy machine: the same call with one and with two, alone and beside other processes.

    python benchmarks/threads.py --json threads.json

Each case is a process of its own without OMP_NUM_THREADS. "Busy": as many other processes as the machine has cores do
nothing but arithmetic. Say so if the machine is not idle by itself: the load before the run is printed and recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import common

BURN = "while True: sum(range(10**6))"


def main() -> None:
    """Measure every case, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cells", type=int, default=40, help="coarse cells along each side")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options)))
        return
    load, rows = os.getloadavg()[0], {}
    print(f"load before: {load:.1f}")
    for busy in (False, True):
        burning = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(os.cpu_count() or 1) if busy]
        for threads in options.threads:
            words = [sys.executable, *sys.argv, "--one", str(threads)]
            clean = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
            answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=clean)
            row = json.loads(answer.stdout.splitlines()[-1])
            name = f"{'busy' if busy else 'alone'}, {threads} threads"
            rows[name] = row
            print(name, *(f"{value:.2f} {what}" for what, value in row.items()), sep=", ")
        for each in burning:
            each.kill()
    print(common.machine())
    common.record(options.json, load=load, runs=rows)


def measured(options: argparse.Namespace) -> dict[str, float]:
    """Fine values × members in a second, and in a second of processor time."""
    import torch

    import xdownscale

    torch.set_num_threads(options.one)
    shape = (3 * options.frames, 10 * options.cells, 10 * options.cells)
    coarse = xdownscale.tutorial.rain(shape).sr.coarsen(spatial=10, temporal=3)
    coarse.isel(time=slice(0, 2), y=slice(0, 8), x=slice(0, 8)).sr.downscale(
        spatial=10, temporal=3, members=2
    )
    began, used = time.perf_counter(), time.process_time()
    fine = coarse.sr.downscale(spatial=10, temporal=3, members=options.members, progress=False)
    size = fine.size / 1e6
    return {
        "million a second": size / (time.perf_counter() - began),
        "million a processor second": size / (time.process_time() - used),
    }


if __name__ == "__main__":
    main()
