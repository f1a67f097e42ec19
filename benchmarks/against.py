"""Two checkouts of the library in turn: processor time of sampling the shipped weights, and of training one variable.

    git worktree add ../before COMMIT
    python benchmarks/against.py ../before --rounds 5

Each round runs both in processes of their own, one after the other, with one thread each; printed are the medians and
the ratio of the second checkout, this one, to the first.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

SAMPLE = """
import time, xdownscale
coarse = xdownscale.tutorial.rain((18, 160, 160)).sr.coarsen(spatial=10, temporal=3)
model = xdownscale.zoo.load("rain-10x3")
coarse.sr.downscale(model, members=1)
start = time.process_time()
coarse.sr.downscale(model, members=6)
print(time.process_time() - start)
"""

TRAIN = """
import time, xdownscale
rain = xdownscale.tutorial.rain((36, 160, 160))
def run(steps):
    start = time.process_time()
    xdownscale.train(rain, 10, 3, recipe="small", steps=steps, validation=0.0, progress=False)
    return time.process_time() - start
short = run(2)
print((run(12) - short) / 10)
"""


def seconds(checkout: Path, program: str) -> float:
    """Processor seconds that a program prints, run with the library of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Run both in turn and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    here = Path(__file__).parent.parent
    for name, program in (("sampling", SAMPLE), ("a training step", TRAIN)):
        pairs = [(seconds(options.before, program), seconds(here, program)) for _ in range(options.rounds)]
        before, now = (statistics.median(each) for each in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{name}: {before:.2f} s before, {now:.2f} s now, ratio {ratio:.3f}", flush=True)


if __name__ == "__main__":
    main()
