"""The whole loop in a minute or two: coarsen rain, train on it, downscale to an ensemble, score it, draw it.

Usage: ``python examples/demo.py [file.nc]``. Without a file the rain is simulated. It prints a table of
scores and writes ``ensemble.nc`` and ``ensemble.png``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

import xdownscale
from xdownscale.errors import XDownscaleError
from xdownscale.evaluate import scores_table
from xdownscale.field.axes import find_axes

SPATIAL, TEMPORAL = 10, 3
"""Fine cells per coarse cell along y and x, and fine steps per coarse step."""

MEMBERS = 10

SHIPPED = "rain-10x3"
"""Weights that come with the library."""

WIDEST, LONGEST = 480, 144
"""Cells along y and x, and steps, of which a larger file gives its middle and its beginning."""

SMALLEST, SHORTEST = 80, 27
"""Least cells along y and x, and least steps, from which there is anything to learn."""

SCORED = 12
"""Steps after the training part that are downscaled and scored."""

METRICS = ("crps_ensemble", "mae", "rmse", "spread_skill_ratio", "percentile_error", "lsd", "ssim")

RAIN_WORDS = ("rain", "precip", "rr", "pr", "tp")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the loop."""
    parser = argparse.ArgumentParser(description="coarsen, train, downscale, score and draw rain")
    parser.add_argument(
        "file", nargs="?", help="NetCDF file with rain along time, y and x; simulated if left out"
    )
    parser.add_argument("--variable", help="its variable, where it is not found by itself")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to train")
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="where to write ensemble.nc and ensemble.png"
    )
    options = parser.parse_args(arguments)
    try:
        rain = read(options.file, options.variable) if options.file else xdownscale.tutorial.rain()
        run(rain, options.seconds, options.folder)
    except (XDownscaleError, OSError) as error:
        sys.exit(f"demo: {error}")


def run(rain: xr.DataArray, seconds: float, folder: Path) -> None:
    """Train on the first two thirds of the time, then downscale and score what follows."""
    print(f"\n1  rain\n{rain.sr!r}")
    time = str(find_axes(rain).time)
    start = rain.sizes[time] * 2 // 3 // TEMPORAL * TEMPORAL
    past, truth = rain.isel({time: slice(0, start)}), rain.isel({time: slice(start, start + SCORED)})
    coarse = truth.sr.coarsen(SPATIAL, TEMPORAL)

    print(
        f"\n2  train on the first {start} steps for {seconds:g} s; longer, or on more fields, it learns more"
    )
    recipe = xdownscale.Recipe.named("small")
    recipe = replace(recipe, schedule=replace(recipe.schedule, steps=400, seconds=seconds))
    model = past.sr.train(SPATIAL, TEMPORAL, recipe=recipe)

    print(f"\n3  downscale the next {truth.sizes[time]} steps to {MEMBERS} members")
    forecasts = {"trained here": coarse.sr.downscale(model, members=MEMBERS, progress=True)}
    if SHIPPED in xdownscale.zoo.list():
        forecasts["shipped"] = coarse.sr.downscale(SHIPPED, members=MEMBERS, progress=True)
    best = forecasts["shipped" if "shipped" in forecasts else "trained here"]
    forecasts |= {
        method: coarse.sr.interpolate(SPATIAL, TEMPORAL, method=method) for method in ("bicubic", "nearest")
    }
    print(
        f"   block means of the members differ from the input by {mismatch(best, coarse):.1g} of its largest value"
    )

    print("\n4  scores (best: 1 for the spread/skill ratio and ssim, 0 for all others)\n")
    print(scores_table(xdownscale.evaluate(truth, forecasts, metrics=METRICS)))

    print()
    write(folder / "ensemble.nc", lambda path: save(best, path))
    write(folder / "ensemble.png", lambda path: draw(coarse, best, truth, path))


def read(file: str, variable: str | None) -> xr.DataArray:
    """The rain in a file, as much of it as the demo needs."""
    try:
        dataset = xr.open_dataset(file)
    except ValueError as error:
        sys.exit(f"demo: {file} cannot be read: {str(error).splitlines()[0]}")
    with dataset:
        rain = chosen(dataset, variable)
        print(f"{file}: variable {rain.name!r}")
        return whole_blocks(rain).load()


def chosen(dataset: xr.Dataset, variable: str | None) -> xr.DataArray:
    """The variable that is named, or the largest one along time, y and x that looks like rain."""
    fields = {str(name): field for name, field in dataset.data_vars.items() if has_axes(field)}
    there = ", ".join(f"{name} {dict(field.sizes)}" for name, field in fields.items()) or "none"
    if variable is not None and variable not in fields:
        sys.exit(f"demo: no variable {variable!r} along time, y and x; there are: {there}")
    likely = [name for name, field in fields.items() if looks_like_rain(field)]
    if variable is None and not likely:
        sys.exit(
            f"demo: no variable looks like rain; along time, y and x there are: {there}. "
            f"Choose one: python examples/demo.py FILE --variable NAME"
        )
    return fields[variable or max(likely, key=lambda each: fields[each].size)]


def has_axes(field: xr.DataArray) -> bool:
    """Whether a variable holds numbers along time, y and x, and nothing else."""
    try:
        return (
            field.ndim == 3
            and field.dtype.kind in "fiu"
            and find_axes(field, need_time=True).time is not None
        )
    except XDownscaleError:
        return False


def looks_like_rain(field: xr.DataArray) -> bool:
    """Whether name or attributes speak of rain."""
    words = [
        str(field.name),
        str(field.attrs.get("standard_name", "")),
        str(field.attrs.get("long_name", "")),
    ]
    text = " ".join(words).lower()
    return any(word in text for word in RAIN_WORDS[:2]) or str(field.name).lower() in RAIN_WORDS


def whole_blocks(rain: xr.DataArray) -> xr.DataArray:
    """The middle and the beginning of a field, as far as whole blocks go and the demo needs."""
    axes = find_axes(rain, need_time=True)
    time = str(axes.time)
    wanted = {time: (TEMPORAL, SHORTEST, LONGEST)} | dict.fromkeys(axes.spatial, (SPATIAL, SMALLEST, WIDEST))
    small = {dim: least for dim, (_, least, _) in wanted.items() if rain.sizes[dim] < least}
    if small:
        sys.exit(f"demo: the field is too small to learn from: {dict(rain.sizes)}, needs at least {small}")
    cut = {}
    for dim, (factor, _, most) in wanted.items():
        size = min(rain.sizes[dim], most) // factor * factor
        first = 0 if dim == time else (rain.sizes[dim] - size) // 2
        cut[dim] = slice(first, first + size)
    trimmed = rain.isel(cut)
    if trimmed.sizes != rain.sizes:
        print(
            f"taken of {dict(rain.sizes)}: {dict(trimmed.sizes)}, whole blocks of {SPATIAL} cells and {TEMPORAL} steps"
        )
    return trimmed


def mismatch(ensemble: xr.DataArray, coarse: xr.DataArray) -> float:
    """Largest difference of block means, over the largest value."""
    again = ensemble.astype(np.float64).sr.coarsen(SPATIAL, TEMPORAL)
    return float(abs(again - coarse).max() / abs(coarse).max())


def save(ensemble: xr.DataArray, path: Path) -> None:
    """Write a field, compressed."""
    name = "rain" if ensemble.name is None else ensemble.name
    ensemble.to_dataset(name=name).to_netcdf(path, encoding={name: {"zlib": True, "complevel": 1}})


def draw(coarse: xr.DataArray, ensemble: xr.DataArray, truth: xr.DataArray, path: Path) -> None:
    """Write a picture."""
    xdownscale.plot.comparison(coarse, ensemble, truth, path=path)


def write(path: Path, make: Callable[[Path], None]) -> None:
    """Write a file beside its place, then move it there: whole, or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        draft = Path(folder) / path.name
        make(draft)
        draft.replace(path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
