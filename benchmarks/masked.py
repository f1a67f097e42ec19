"""Beside a mask: the error of cells that have a missing neighbour over the error of the same cells without the mask.

    python benchmarks/masked.py ../shared/data --json benchmarks/masked.json

Every field is downscaled twice with one seed: whole, and behind a mask of coarse cells. Scored are the fine cells of
known coarse cells that touch a missing one, in both ensembles, and "around" those one coarse cell farther off. Rain is
drawn with the shipped weights; temperature with a small model that is trained here for --steps on the first part of the
file, without a gap in it, and judged on the rest.

A ratio is a sum of scores over a sum of scores; its interval, 95 % by bootstrap of blocks of a few coarse frames of one
field and mask.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import common
import numpy as np
import rain
import torch
import xarray as xr
from make_weights import rain_of
from scipy import ndimage

import xdownscale
from xdownscale.kernels.crps import crps_ensemble

RAIN = (
    "rain_knmi_netherlands_1km_5min_20100826.nc",
    "rain_fmi_finland_1km_5min_20160928.nc",
    "rain_dwd_radolan_yw_germany_1km_5min_20180510-16.nc",
)
"""Three networks, all of the training role."""

TEMPERATURE = "multivar_era5_italy_t2m_3h_202205.nc"

BOUND = 1.33
"""Largest ratio that is wanted."""

SCORES = ("CRPS", "MAE")
"""Fair CRPS of the members, and absolute error of their median."""


class Case(NamedTuple):
    """Scores of one field and mask, by score, ring and coarse frame: sums over cells."""

    kind: str
    mask: str
    masked: np.ndarray
    """Shape (2 scores, 2 rings, frames)."""
    whole: np.ndarray


def main() -> None:
    """Draw, score, print, record."""
    options = read_options()
    torch.set_num_threads(options.threads)
    cases = [*rain_cases(options), *temperature_cases(options)]
    rows = results(cases, np.random.default_rng(0))
    print(table(rows))
    keys = ("model", "members", "cells", "frames", "steps", "threads")
    common.record(options.json, results=rows, setting={key: getattr(options, key) for key in keys})


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="rain-10x3")
    parser.add_argument("--rain", nargs="*", default=RAIN, help="files of rain")
    parser.add_argument("--temperature", default=TEMPERATURE)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--cells", type=int, default=14, help="coarse cells along a side of a square of rain")
    parser.add_argument(
        "--frames", type=int, default=8, help="coarse frames in the middle of a field of rain"
    )
    parser.add_argument("--steps", type=int, default=250, help="of training for temperature")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def rain_cases(options: argparse.Namespace) -> Iterator[Case]:
    """The shipped weights behind every mask, field by field."""
    model = xdownscale.zoo.load(options.model)
    for name in options.rain:
        field = rain.covered(wettest(rain_of(options.folder / name), 3 * options.frames), 10 * options.cells)
        yield from cases_of("rain", field, model, options.members)


def temperature_cases(options: argparse.Namespace) -> Iterator[Case]:
    """A model trained on the first four fifths of the file, behind every mask of the rest."""
    field = xr.open_dataset(options.folder / options.temperature)["tas"].astype("float32").load()
    field = field.isel({dim: slice(0, field.sizes[dim] // 4 * 4) for dim in field.dims[1:]})
    learned = field.sizes["time"] * 4 // 5
    model = xdownscale.train(
        field.isel(time=slice(0, learned)), 4, 1, recipe="small", steps=options.steps, progress=False
    )
    held_out = field.isel(time=slice(learned + 8, None))
    yield from cases_of("temperature", held_out, model, options.members)


def wettest(field: xr.DataArray, frames: int) -> xr.DataArray:
    """So many steps around the one with the most rain."""
    last = field.sizes["time"] - frames
    start = int(np.clip(int(np.nanmean(field.values, (1, 2)).argmax()) - frames // 2, 0, last))
    return field.isel(time=slice(start, start + frames))


def cases_of(kind: str, truth: xr.DataArray, model: xdownscale.Downscaler, members: int) -> Iterator[Case]:
    """One field behind every mask."""
    coarse = truth.sr.coarsen(model.factors.spatial, model.factors.time)

    def scores(field: xr.DataArray) -> np.ndarray:
        return scored(truth, field.sr.downscale(model, members=members, seed=1, progress=False))

    whole = scores(coarse)
    for name, missing in masks(coarse.shape[1:]).items():
        behind = scores(coarse.where(xr.DataArray(~missing, dims=coarse.dims[1:])))
        near = [np.kron(ring, np.ones((model.factors.y, model.factors.x), bool)) for ring in rings(missing)]
        sums = [np.stack([each[..., at].sum(-1) for at in near], 1) for each in (behind, whole)]
        frames = [each.reshape(2, 2, len(coarse), -1).sum(-1) for each in sums]
        yield Case(kind, name, frames[0], frames[1])


def scored(truth: xr.DataArray, ensemble: xr.DataArray) -> np.ndarray:
    """Both scores in every fine cell, shape (2, time, y, x)."""
    wanted, drawn = torch.from_numpy(truth.values), torch.from_numpy(ensemble.values)
    crps = crps_ensemble(wanted, drawn)
    return torch.stack([crps, (drawn.quantile(0.5, dim=0) - wanted).abs()]).double().numpy()


def masks(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Missing coarse cells of a half plane, outside of a radar's circle, and of a random coast.

    >>> {name: float(missing.mean().round(1)) for name, missing in masks((18, 18)).items()}
    {'half plane': 0.5, 'radar circle': 0.4, 'coast': 0.5}
    """
    y, x = np.indices(shape)
    height, width = shape
    noise = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=shape), 1.5)
    radius = np.hypot((2 * y + 1) / height - 1, (2 * x + 1) / width - 1)
    return {"half plane": x >= width // 2, "radar circle": radius > 0.9, "coast": noise > np.median(noise)}


def rings(missing: np.ndarray) -> list[np.ndarray]:
    """Known cells that touch a missing one, at a side or corner, and those that touch these.

    >>> [ring.astype(int).tolist() for ring in rings(np.array([[True, False, False, False]]))]
    [[[0, 1, 0, 0]], [[0, 0, 1, 0]]]
    """
    first, second = (ndimage.binary_dilation(missing, np.ones((3, 3)), iterations=n) for n in (1, 2))
    return [first & ~missing, second & ~first]


def results(cases: list[Case], random: np.random.Generator) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Ratio and interval by kind of field, mask and score."""
    rows: dict[str, dict[str, dict[str, list[float]]]] = {}
    for kind in dict.fromkeys(case.kind for case in cases):
        some = [case for case in cases if case.kind == kind]
        for name in (*dict.fromkeys(case.mask for case in some), "all"):
            chosen = [case for case in some if name in (case.mask, "all")]
            rows[f"{kind}, {name}"] = {
                where: {score: ratio(chosen, number, ring, random) for number, score in enumerate(SCORES)}
                for ring, where in enumerate(("beside", "around"))
            }
    return rows


def ratio(cases: list[Case], score: int, ring: int, random: np.random.Generator) -> list[float]:
    """Sum over sum, and the bounds of 95 % of the same for blocks drawn with replacement."""
    blocks = np.concatenate(
        [
            [part.sum(1) for part in np.array_split(np.stack([c.masked, c.whole])[:, score, ring], pieces, 1)]
            for c in cases
            for pieces in [max(1, c.whole.shape[-1] // 2)]
        ]
    )
    drawn = blocks[random.integers(0, len(blocks), (2000, len(blocks)))].sum(1)
    return [
        float(blocks[:, 0].sum() / blocks[:, 1].sum()),
        *np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975)),
    ]


def table(rows: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    """The rows in Markdown."""
    lines = [
        f"| error with the mask / without it | CRPS beside | MAE beside | CRPS around | ≤ {BOUND} |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        cells = [row["beside"]["CRPS"], row["beside"]["MAE"], row["around"]["CRPS"]]
        met = "yes" if max(cell[0] for cell in cells) <= BOUND else "**no**"
        texts = [f"{value:.3f} ({low:.3f} … {high:.3f})" for value, low, high in cells]
        lines.append(f"| {' | '.join([name, *texts, met])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
