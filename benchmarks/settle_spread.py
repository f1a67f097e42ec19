r"""Choose by validation how loud the noise of a trained generator is.

    python benchmarks/settle_spread.py ../shared/data model.safetensors --out settled.safetensors

A generator that has learned from few events is a little too sure of itself on others: members differ less than they
should. So the noise of all stages but the last, whose noise is grain, is scaled by one number, the one whose fair CRPS
on the events that `make_weights.py` holds out is smallest, each in the style of its network. Spread/skill and
log-spectral distance are printed beside it; the model file says the scores of what was taken.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from pathlib import Path

import torch
from ablation import events, score
from make_weights import VALIDATE, product

import xdownscale

GAINS = (0.95, 1.0, 1.05, 1.1, 1.15)
SHOWN = {"crps": "CRPS, blocks of 1 km", "spread_skill": "spread/skill", "lsd": "LSD, dB"}
"""Rows that are printed, by what the model file calls their means over the events."""


def main() -> None:
    """Read the command line, score every gain, save the best."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--validate", nargs="+", default=VALIDATE)
    parser.add_argument("--gains", nargs="+", type=float, default=list(GAINS))
    parser.add_argument("--cells", type=int, default=20, help="coarse cells along a side of what is scored")
    parser.add_argument("--frames", type=int, default=4, help="coarse frames in the middle of each event")
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = xdownscale.load(options.model)
    truths = list(events(options))
    scores: dict[float, dict[str, float]] = {}
    for gain in options.gains:
        louder = with_gain(model, gain)
        found = [score(louder, truth, product(file), options.members) for file, truth in truths]
        scores[gain] = {name: sum(each[row] for each in found) / len(found) for name, row in SHOWN.items()}
        print(
            f"gain {gain}",
            *(f"{row} " + " / ".join(f"{s[row]:.4f}" for s in found) for row in SHOWN.values()),
            sep="; ",
        )
    best = min(scores, key=lambda gain: scores[gain]["crps"])
    print(f"taken: {best}")
    settled = with_gain(model, best)
    settled.provenance = replace(model.provenance, scores=scores[best])
    settled.save(options.out)


def with_gain(model: xdownscale.Downscaler, gain: float) -> xdownscale.Downscaler:
    """The model with the noise of all stages but the last scaled; that of the coarse decoder moves whole regions."""
    louder = copy.deepcopy(model)
    method = louder.method
    noise = slice(1 + len(method.settings.static), None)
    with torch.no_grad():
        for stage in method.network.stages[:-1]:
            stage.given.convolution.weight[:, noise] *= gain
    return louder


if __name__ == "__main__":
    main()
