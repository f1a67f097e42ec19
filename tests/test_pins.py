"""What the shipped weights give, pinned: the bits on platforms where they were recorded, scores and law everywhere.

A change that is meant to leave results alone must leave these alone. Who changes results on purpose records new values:
``python tests/test_pins.py`` prints them.
"""

import hashlib
import platform
from pathlib import Path

import numpy as np
import pytest
import torch

import xdownscale

BITS = {
    ("x86_64", "Intel(R) Xeon(R) Processor", "AVX512", "2.13.0"): {
        "conserved": "546adc82651573437f9fce1d64b97f0ff9c8c45d80fdc7957f65a97a941a7b09",
        "as the network draws": "f2bab339db6c6324b18fbd3e58a2585786c3242d451d3a327c9842a59d5a78ee",
    },
    ("x86_64", "AMD EPYC", "AVX512", "2.13.0"): {
        "conserved": "df644dc92a42794389a215c9b8919f4257031993f800a665454b1b9387ddaf35",
        "as the network draws": "eed3fb15eed3b3f4e018604bffa84c5c322a3e6d2b66c7693ffd3cc5f47750cb",
    },
}
"""SHA-256 of the values as little-endian float32, by machine, processor, its instructions and the version of torch."""


def here():
    """What the last bits depend on: convolutions add up in an order of the processor and of the version."""
    processor = "unknown"
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(
            (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown"
        )
    instructions = torch.backends.cpu.get_cpu_capability()
    return platform.machine(), processor, instructions, torch.__version__.split("+")[0]


def made():
    """The truth and its ensembles; rates in eighths of a mm/h, so that no platform rounds the input otherwise."""
    truth = (xdownscale.tutorial.rain((12, 160, 170), seed=11) * 8).round() / 8
    coarse = truth.sr.coarsen(spatial=10, temporal=3)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ensembles = {
            "conserved": coarse.sr.downscale(spatial=10, temporal=3, members=6, seed=3),
            "as the network draws": coarse.sr.downscale(
                spatial=10, temporal=3, members=2, seed=0, conserve="none"
            ),
        }
    finally:
        torch.set_num_threads(before)
    return truth, coarse, ensembles


def bits(field):
    return hashlib.sha256(np.ascontiguousarray(field.values, "<f4").tobytes()).hexdigest()


def fair_crps(members, truth):
    """Mean of E|X − y| − ½ E|X − X'| with X' another member (Ferro 2014, doi:10.1002/qj.2270)."""
    count = len(members)
    pairs = sum(np.abs(members[a] - members[b]).mean() for a in range(count) for b in range(a))
    return np.abs(members - truth).mean() - pairs / (count * (count - 1))


@pytest.fixture(scope="module")
def case():
    return made()


@pytest.mark.parametrize("name", ["conserved", "as the network draws"])
def test_the_bits_are_those_that_were_recorded_on_this_platform(case, name):
    if here() not in BITS:
        pytest.skip(f"no bits were recorded for {here()}")
    assert bits(case[2][name]) == BITS[here()][name]


def test_the_score_lies_in_its_band(case):
    truth, coarse, ensembles = case
    members = ensembles["conserved"].values.astype(float)
    interpolated = np.abs(coarse.sr.interpolate(spatial=10, temporal=3).values - truth.values).mean()
    assert fair_crps(members, truth.values) == pytest.approx(0.2657, rel=0.01)
    assert fair_crps(members, truth.values) / interpolated == pytest.approx(0.5644, rel=0.01)


def test_the_law_of_the_members_is_that_of_the_shipped_weights(case):
    """Amounts, spread, dry cells, tails and persistence, each within one in a hundred."""
    members = case[2]["conserved"].values.astype(float)
    lagged = np.corrcoef(members[:, 1:].ravel(), members[:, :-1].ravel())[0, 1]
    beside = np.corrcoef(members[..., 1:].ravel(), members[..., :-1].ravel())[0, 1]
    found = [
        members.mean(),
        members.std(),
        np.sqrt(members.var(0, ddof=1).mean()),
        (members > 0.1).mean(),
        np.quantile(members, 0.999),
        lagged,
        beside,
    ]
    assert found == pytest.approx(LAW, rel=0.01)


LAW = [0.81466, 2.5784, 1.1369, 0.35873, 29.49, 0.82336, 0.9729]
"""Mean, standard deviation, spread, wet share, 99.9th percentile, correlation with the next step and the next cell."""


if __name__ == "__main__":
    truth, coarse, ensembles = made()
    print(here(), {name: bits(ensemble) for name, ensemble in ensembles.items()})  # noqa: T201
