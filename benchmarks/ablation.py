r"""What each term of the training loss is good for: the same small generator with the full loss and without each term.

    python benchmarks/ablation.py ../shared/data --steps 200 --models ablation --json benchmarks/ablation.json

Every variant begins with the same weights and learns from the same windows with the same noise for the same number of
steps; one thing of its loss is changed. Nothing is chosen on the way: the averaged weights of the last step are scored,
on events that `make_weights.py` holds out, each in the style of its network. With several `--seeds` every variant is
trained once for each: the spread of the full loss over seeds is what chance does; less than that says nothing.

Trained models are kept in `--models`, and what is there is not trained again, so that a run may be interrupted, and
`--only` adds variants to a table.

=================  ====================================================================================================
full               the loss of the recipe
without ...        one of: cells, small pools, large pools (regional), differences across borders, patches (sliced),
                   waves of windows (spectral), changes from step to step (increment), means by place in the coarse
                   cell, edges and pieces of level sets (levels); or one of the two units in which terms are taken
                   (physical, latent)
3 members          three members for each window instead of two
nothing late       large pools, waves and level sets from the first step on, instead of the middle one
=================  ====================================================================================================
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import common
import numpy as np
import rain
import torch
import xarray as xr
from make_weights import TRAIN, VALIDATE, product, rain_of
from methods import middle, squares
from verdict import averages, judge

import xdownscale
from xdownscale.models.recipe import TERMS, Recipe

LEARNED = [name for name in TRAIN if "eccc" not in name]
"""The training events of make_weights.py but for the longest, so that the fields fit beside another program."""

SHOWN = (
    "CRPS, blocks of 1 km",
    "CRPS, blocks of 10 km",
    "energy score",
    "spread/skill",
    "spread/skill, blocks of 20 km",
    "LSD, dB",
    "power at 2-3 km, dB over truth",
    "power at 3-5 km, dB over truth",
    "lag-1: ratio",
    "border jumps in space: ratio",
    "border jumps in time: ratio",
    "components at 0.1 mm/h: ratio",
    "components at 1 mm/h: ratio",
    "perimeter at 0.1 mm/h: ratio",
    "perimeter at 1 mm/h: ratio",
    "p99.9: ratio",
    "axes over diagonals: ratio",
    "lattice",
)
"""Rows of the table, out of everything that is recorded."""


def main() -> None:
    """Train what is missing, score, print, record."""
    options = read_options()
    torch.set_num_threads(options.threads)
    chosen = {name: recipe for name, recipe in variants(base(options)).items() if name in options.only}
    results: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for seed in options.seeds:
        for name, recipe in chosen.items():
            model = trained(options, name, recipe, seed)
            for file, truth in events(options):
                event = results.setdefault(str(seed), {}).setdefault(file.stem.removeprefix("rain_"), {})
                event[name] = score(model, truth, product(file), options.members)
            record(options, results)
    print(table(summary(results)))


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", nargs="+", default=LEARNED)
    parser.add_argument("--validate", nargs="+", default=VALIDATE)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--only", nargs="+", default=list(variants(Recipe.named("small"))))
    parser.add_argument("--models", type=Path, required=True, help="folder of trained models")
    parser.add_argument("--cells", type=int, default=20, help="coarse cells along a side of what is scored")
    parser.add_argument("--frames", type=int, default=4, help="coarse frames in the middle of each event")
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def base(options: argparse.Namespace) -> Recipe:
    """The recipe of all: "small", with as many steps as asked for."""
    return replace(Recipe.named("small"), unit=2.0).with_steps(options.steps)


def variants(recipe: Recipe) -> dict[str, Recipe]:
    """The recipes that are compared, each of which differs from the first in one thing."""

    def weighted(**changed: float) -> Recipe:
        return replace(recipe, weights=replace(recipe.weights, **changed))

    more = replace(recipe, schedule=replace(recipe.schedule, members=recipe.schedule.members + 1))
    return {
        "full": recipe,
        **{f"without {term}": weighted(**{term: 0.0}) for term in (*TERMS, "physical", "latent")},
        f"{more.schedule.members} members": more,
        "nothing late": weighted(late=0.0),
    }


def trained(options: argparse.Namespace, name: str, recipe: Recipe, seed: int) -> xdownscale.Downscaler:
    """A variant's model, from its file if it has one."""
    path: Path = options.models / f"{name.replace(' ', '-')}-{recipe.schedule.steps}-{seed}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"{name}, seed {seed}", flush=True)
        xdownscale.train(
            [rain_of(options.folder / file) for file in options.train],
            spatial=10,
            temporal=3,
            styles=[product(Path(file)) for file in options.train],
            recipe=recipe,
            validation=0.0,
            seed=seed,
        ).save(path)
    return xdownscale.load(path)


def events(options: argparse.Namespace) -> Iterator[tuple[Path, xr.DataArray]]:
    """Files and truths of what is scored."""
    for name in options.validate:
        field = rain.covered(squares(rain_of(options.folder / name)), 10 * options.cells)
        yield Path(name), middle(field, 3 * options.frames)


def score(model: xdownscale.Downscaler, truth: xr.DataArray, style: str, members: int) -> dict[str, float]:
    """The whole table of an ensemble in the style of a network, where the model knows it."""
    coarse = truth.sr.coarsen(spatial=10, temporal=3)
    known = model.with_style(style) if style in model.styles else model
    ensemble = coarse.sr.downscale(known, members=members, tile=coarse.shape, progress=False)
    return {**judge(truth, coarse, ensemble), "lattice": lattice(ensemble) / lattice(truth)}


def lattice(field: xr.DataArray) -> float:
    """What is locked to the coarse cells: of values less their neighbours, variance of the mean cell over that of all.

    Of each member by itself; the truth has what chance leaves.

    >>> round(lattice(xr.DataArray(np.tile(np.eye(10), (1, 4, 4)), dims=("time", "y", "x"))), 6)
    1.0
    """
    *_, high, wide = field.shape
    values = field.values.reshape(-1, field.sizes["time"], high, wide).astype(np.float64)
    around = sum(np.roll(values, shift, axis) for shift in (-1, 1) for axis in (-2, -1))
    inner = (values - around / 4)[..., 10:-10, 10:-10]
    cells = inner.reshape(*inner.shape[:2], high // 10 - 2, 10, wide // 10 - 2, 10)
    return float(cells.mean((1, 2, 4)).var((-2, -1)).mean() / cells.var())


def summary(results: dict[str, dict[str, dict[str, dict[str, float]]]]) -> dict[str, dict[str, float]]:
    """Means over events, then over seeds."""
    seeds = [averages(each, by_network=False)["all"] for each in results.values()]
    return {
        name: {key: float(np.mean([rows[name][key] for rows in seeds])) for key in seeds[0][name]}
        for name in seeds[0]
    }


def table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown, a row for each variant and a column for each score that is shown."""
    heads = [key.replace(": ratio", "").replace(", dB over truth", ", dB") for key in SHOWN]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(f'{scores[key]:.3g}' for key in SHOWN)} |" for name, scores in rows.items()
    ]
    return "\n".join(lines)


def record(options: argparse.Namespace, results: dict[str, dict[str, dict[str, dict[str, float]]]]) -> None:
    """What is known so far."""
    keys = ("train", "validate", "steps", "seeds", "cells", "frames", "members")
    common.record(options.json, results=results, setting={key: getattr(options, key) for key in keys})


if __name__ == "__main__":
    main()
