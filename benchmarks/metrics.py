"""Time and memory of the fair CRPS of 50 members at a million points, beside scores, scoringrules and xskillscore.

    python benchmarks/metrics.py --json benchmarks/metrics.json

All get the same arrays in memory and score them in turn, in one run, each in the fastest form that is installed:
xskillscore has no fair estimator, so its is the one of the ensemble as it stands, for a tenth of the points, which
counts ten times, since it compares all pairs of members unless numba is there. Time is that of the processor, so that
what else the machine does counts for none. Memory is the input and the most that was allocated beyond it, as numpy
reports it to tracemalloc, over the input.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import common
import numpy as np
import xarray as xr

from xdownscale import metrics

WANTED = {"time / fastest other": 1.0, "memory / input": 2.0}

SLOW, TENTH = "xskillscore, not fair", 10
"""What gets a tenth of the points."""

PIECE = 10_000
"""Points that it gets at once: without numba it takes M values for each value."""


FEW = 100_000
"""Points at which memory is traced."""


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    observations, ensemble = rain(options.points, options.members)
    works = candidates(observations, ensemble)
    seconds: dict[str, list[float]] = {name: [] for name in works}
    found: dict[str, float] = {}
    for _ in range(options.repeats):
        for name, work in works.items():
            start = time.process_time()
            found[name] = float(work())
            taken = time.process_time() - start
            seconds[name].append(taken * (TENTH if name == SLOW else 1))
    check(found)
    times = {name: statistics.median(each) for name, each in seconds.items()}
    memory = memory_of_all(options.members)
    for name in works:
        print(
            f"{name:30s} {times[name]:8.3f} s   memory / input {memory[name]:6.2f}   score {found[name]:.7f}"
        )
    fastest = min(seconds for name, seconds in times.items() if name != "xdownscale")
    figures = {"time / fastest other": times["xdownscale"] / fastest, "memory / input": memory["xdownscale"]}
    for name, value in figures.items():
        print(f"{name:30s} {value:8.3f}   wanted: {WANTED[name]:g} at most")
    numba = find_spec("numba") is not None
    print(f"{options.members} members, {options.points} points, float32, numba: {numba}, {common.machine()}")
    libraries = {name: version(name) for name in ("scores", "scoringrules", "xskillscore", "properscoring")}
    common.record(
        options.json,
        seconds=times,
        memory=memory,
        figures=figures,
        wanted=WANTED,
        libraries=libraries,
        numba=numba,
    )


def rain(points: int, members: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Truth and members of one law, half of them dry."""
    rng = np.random.default_rng(0)
    values = rng.gamma(0.5, 3.0, (members + 1, points)).astype(np.float32)
    values[rng.random(values.shape, dtype=np.float32) < 0.5] = 0
    return xr.DataArray(values[0], dims="point"), xr.DataArray(values[1:], dims=("member", "point"))


def candidates(
    observations: xr.DataArray, ensemble: xr.DataArray
) -> dict[str, Callable[[], xr.DataArray | float]]:
    """The mean CRPS by every library."""
    import scoringrules
    import xskillscore
    from scores.probability import crps_for_ensemble

    truth, members = observations.values, ensemble.values

    def pieces_of_xskillscore() -> float:
        points = observations.sizes["point"] // TENTH
        starts = range(0, points, PIECE)
        pieces = [{"point": slice(start, start + PIECE)} for start in starts]
        scored = (
            xskillscore.crps_ensemble(observations.isel(at), ensemble.isel(at), dim=[]).sum() for at in pieces
        )
        return float(sum(scored)) / points

    def sorted_scoringrules() -> float:
        scored = scoringrules.crps_ensemble(truth, members, m_axis=0, estimator="pwm", backend="numpy")
        return float(np.mean(scored))

    return {
        "xdownscale": lambda: metrics.crps_ensemble(observations, ensemble),
        "scores, fair": lambda: crps_for_ensemble(ensemble, observations, "member", method="fair"),
        "scoringrules, pwm, numpy": sorted_scoringrules,
        SLOW: pieces_of_xskillscore,
    }


def check(found: dict[str, float]) -> None:
    """All that are fair agree."""
    fair = [value for name, value in found.items() if name != SLOW]
    if not np.allclose(fair, fair[0], rtol=1e-5):
        msg = f"the scores differ: {found}"
        raise SystemExit(msg)


def memory_of_all(members: int) -> dict[str, float]:
    """Input and most bytes that were allocated at once, over the input, at fewer points: tracing is slow."""
    observations, ensemble = rain(FEW, members)
    size = observations.nbytes + ensemble.nbytes
    found = {}
    for name, work in candidates(observations, ensemble).items():
        tracemalloc.start()
        work()
        found[name] = 1 + tracemalloc.get_traced_memory()[1] / size
        tracemalloc.stop()
    return found


if __name__ == "__main__":
    main()
