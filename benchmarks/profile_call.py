"""Where the time of a call goes: shares of the processor time of `downscale` at (10, 3), by part and by operation.

    python benchmarks/profile_call.py --json benchmarks/profile_call.json

Parts are measured by hand around the calls of the engine; operations by torch's profiler, in a run of its own. Shares
hold on a busy machine as well, since they are of processor time of one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import torch
from torch.profiler import ProfilerActivity, profile

import xdownscale
from xdownscale.inference import engine
from xdownscale.models.generator import Generator

PARTS = {"noise": (engine, "_noise"), "condition": (Generator, "prepare"), "network": (Generator, "latent"),
         "conservation": (Generator, "finish")}  # fmt: skip
"""Functions that are timed, by what they do."""


class Timed:
    """Wraps functions and adds up the processor time inside of them."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any, **options: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[name] += time.thread_time() - began

        return timed


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=24, help="coarse cells along y and x")
    parser.add_argument("--frames", type=int, default=12, help="coarse frames")
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--rows", type=int, default=12, help="operations that are shown")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = xdownscale.zoo.load("rain-10x3")
    side = 10 * options.cells
    coarse = xdownscale.tutorial.rain((3 * options.frames, side, side)).sr.coarsen(10, 3)

    def call() -> Any:
        return coarse.sr.downscale(model, members=options.members, progress=False)

    call()
    timed = Timed()
    kept = {name: getattr(*place) for name, place in PARTS.items()}
    for name, place in PARTS.items():
        setattr(*place, timed.wrap(name, kept[name]))
    began = time.process_time()
    fine = call()
    whole = time.process_time() - began
    for name, place in PARTS.items():
        setattr(*place, kept[name])
    parts = {name: seconds / whole for name, seconds in timed.seconds.items()}
    parts["rest"] = 1 - sum(parts.values())
    print(f"{fine.size / whole / 1e6:.2f} million values a processor second\n\n| part | share |\n|---|---|")
    print("\n".join(f"| {name} | {share:.1%} |" for name, share in parts.items()))
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        call()
    events = sorted(profiled.key_averages(), key=lambda each: -each.self_cpu_time_total)
    total = sum(each.self_cpu_time_total for each in events)
    print("\n| operation | share | calls |\n|---|---|---|")
    operations = {}
    for each in events[: options.rows]:
        share = each.self_cpu_time_total / total
        operations[each.key] = {"share": share, "calls": each.count}
        print(f"| {each.key} | {share:.1%} | {each.count} |")
    common.record(options.json, parts=parts, operations=operations, pace=fine.size / whole / 1e6)


if __name__ == "__main__":
    main()
