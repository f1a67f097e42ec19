"""Odd fields: each verb gives a right result, or an error of the package.

    python benchmarks/odd_fields.py 2000
    python benchmarks/odd_fields.py 500 --seed 7 --json odd.json

Hypothesis draws descriptions of fields (`tests/odd_fields.py`): names, dimensions, types, calendars, attributes,
bounds, markers, masks, chunks, containers. Each field goes through `coarsen`, back through `interpolate`, through
`interpolate` and `evaluate` with itself; some go through all metrics, `downscale` and `train`, too (`--slow`).
`tests/odd_laws.py` says what is right. An example is right if every verb gave a right result, refused if at least one
raised an error of the package and the others were right, wrong if a law is broken, foreign if anything else was raised.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.odd_fields import Odd, odd_fields
from tests.odd_laws import ForeignError, examine

SLOW = 20
"""One in so many examples is downscaled and learned from as well."""


@dataclass
class Tally:
    """What became of the examples."""

    examples: collections.Counter[str] = field(default_factory=collections.Counter)
    verbs: dict[str, collections.Counter[str]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)

    def add(self, odd: Odd, *, slow: bool) -> None:
        """Examine one field."""
        try:
            done = examine(odd, slow=slow)
        except ForeignError as error:
            cause = error.__cause__
            self._fail("foreign", odd, f"{error.args[0]}: {type(cause).__name__}: {cause}", cause)
        except AssertionError as error:
            self._fail("wrong", odd, str(error), error)
        else:
            self.examples["right" if set(done.values()) <= {"right"} else "refused"] += 1
            for verb, outcome in done.items():
                self.verbs.setdefault(verb, collections.Counter())[outcome] += 1

    def _fail(self, kind: str, odd: Odd, said: str, error: BaseException | None) -> None:
        """Count a failure under the line that it came from."""
        frames = traceback.extract_tb(None if error is None else error.__traceback__)
        at = [f for f in frames if "xdownscale" in Path(f.filename).parts] or list(frames)
        where = f"{Path(at[-1].filename).name}:{at[-1].lineno}" if kind == "foreign" else ""
        key = f"{kind} {where} {' '.join(said.split())[:160]}"
        self.examples[kind] += 1
        self.failures.setdefault(key, []).append(repr(odd))

    def show(self) -> None:
        """Print the figure."""
        print(dict(self.examples))
        for verb, outcomes in self.verbs.items():
            print(f"  {verb:<12}", ", ".join(f"{name} {count}" for name, count in outcomes.most_common()))
        for key, found in sorted(self.failures.items(), key=lambda each: -len(each[1])):
            print(f"{len(found)} x {key}\n      {min(found, key=len)}")


def run(examples: int, seed: int, slow: int = SLOW) -> Tally:
    """Examine so many fields."""
    tally, count = Tally(), 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(odd_fields())
    def each(odd: Odd) -> None:
        nonlocal count
        count += 1
        tally.add(odd, slow=count % slow == 0)

    each()
    return tally


def main() -> None:
    """Print the figure; the exit status tells whether a field was wrong or foreign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("examples", type=int, nargs="?", default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slow", type=int, default=SLOW, help="one in so many is downscaled as well")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    begun = time.monotonic()
    tally = run(chosen.examples, chosen.seed, chosen.slow)
    print(f"{sum(tally.examples.values())} examples, seed {chosen.seed}, {time.monotonic() - begun:.0f} s")
    tally.show()
    if chosen.json:
        record = {"seed": chosen.seed, "examples": tally.examples, "verbs": tally.verbs}
        chosen.json.write_text(json.dumps(record | {"failures": tally.failures}, indent=1) + "\n")
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
