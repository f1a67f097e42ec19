"""Train the weights that ship with the package, or the median net that goes with them.

    python benchmarks/make_weights.py ../shared/data --minutes 70 --out xdownscale/zoo/rain-10x3.safetensors

The files are those of the data folder that are marked for training; three of them, whole events or boxes, are held out
to judge by. A run writes checkpoints and resumes from them. Any other CF NetCDF files with rain work as well:

    python benchmarks/make_weights.py . --train mine_1.nc mine_2.nc --validate mine_3.nc --out mine.safetensors
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path

import xarray as xr

import xdownscale

TRAIN = [
    "rain_fmi_finland_1km_5min_20160928.nc",
    "rain_knmi_netherlands_1km_5min_20100826.nc",
    "rain_eccc_cascm_1km_6min_20240710.nc",
    "rain_eccc_casgo_1km_6min_20240710.nc",
    *(f"rain_mrms_usa_{box:02d}_1km_2min_20190610.nc" for box in (1, 2, 3, 4, 6, 7, 8)),
]
VALIDATE = [
    "rain_mrms_usa_05_1km_2min_20190610.nc",
    "rain_mrms_usa_09_1km_2min_20190610.nc",
    "rain_fmi_finland_1km_5min_20170509.nc",
]
EVERY = {"2min": 3}
"""Frames to skip by cadence in the file name: two-minute fields are taken every six minutes."""


def rain_of(path: Path) -> xr.DataArray:
    """The rain field of a file, at five or six minutes."""
    dataset = xr.open_dataset(path)
    name = next(
        str(n) for n, v in dataset.data_vars.items() if "rain" in f"{n} {v.attrs.get('standard_name', '')}"
    )
    stride = next((n for cadence, n in EVERY.items() if cadence in path.name), 1)
    rain = dataset[name].isel(time=slice(None, None, stride)).astype("float32").load()
    keep = {key: dataset.attrs[key] for key in ("title", "licence") if key in dataset.attrs}
    return rain.assign_attrs(keep)


def register(options: argparse.Namespace) -> None:
    """Enter the file in the registry beside it, if there is one."""
    registry = options.out.parent / "registry.json"
    if registry.exists():
        entries = json.loads(registry.read_text())
        entries[options.name] = {
            "file": options.out.name,
            "sha256": hashlib.sha256(options.out.read_bytes()).hexdigest(),
            "spatial": options.spatial,
            "temporal": options.temporal,
            "card": f"{options.name}.md",
        }
        registry.write_text(json.dumps(entries, indent=2) + "\n")


def main() -> None:
    """Read the command line, train, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", nargs="+", default=TRAIN)
    parser.add_argument("--validate", nargs="+", default=VALIDATE)
    parser.add_argument("--spatial", type=int, default=10)
    parser.add_argument("--temporal", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=70.0)
    parser.add_argument("--method", choices=["generator", "median"], default="generator")
    parser.add_argument("--name", default="rain-10x3")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    recipe = xdownscale.Recipe.named("standard")
    schedule = dataclasses.replace(recipe.schedule, steps=100_000, seconds=60 * options.minutes)
    model = xdownscale.train(
        [rain_of(options.folder / name) for name in options.train],
        spatial=options.spatial,
        temporal=options.temporal,
        recipe=dataclasses.replace(recipe, schedule=schedule, unit=2.0),
        method=options.method,
        validation=[rain_of(options.folder / name) for name in options.validate],
        checkpoint=options.checkpoint,
    )
    model.name = options.name
    model.save(options.out)
    register(options)
    print(model)
    print(json.dumps(model.provenance.scores))


if __name__ == "__main__":
    main()
