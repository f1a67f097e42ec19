"""Turn fields of rain at a moment into amounts over a step, as gauges and most merged products report them.

    python benchmarks/make_amounts.py ../shared/data amounts

Between two moments rain moves: a mean over the step is smeared along its way, and taking the average of the two fields
instead would show every shower twice. Each pair of fields is therefore followed along its optical flow (iterative
Lucas–Kanade of scikit-image, on the logarithm of rain) and averaged on the way, the two ends weighted by nearness.
What comes out is a product of its own, "amounts", from which the shipped weights learn their default texture; nothing
is made across a gap in time. A model trained on moments alone makes rain too rough for users of amounts.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import optical_flow_ilk

MOMENTS = [
    "rain_fmi_finland_1km_5min_20160928.nc",
    "rain_fmi_finland_1km_5min_20170509.nc",
    "rain_eccc_cascm_1km_6min_20240710.nc",
    "rain_eccc_casgo_1km_6min_20240710.nc",
    *(f"rain_mrms_usa_{box:02d}_1km_2min_20190610.nc" for box in range(1, 10)),
]
PARTS = 6
"""Moments between two fields that are averaged."""
WET = 0.1
"""Rates below it are zero, as in the fields that come in."""

Field = NDArray[np.float32]


def displacement(before: Field, after: Field) -> Field:
    """Optical flow (2, y, x) in cells: `before` at x is `after` at x + flow."""
    # on every second cell of a smoothed field: movement is smooth, and a quarter of the work
    first, second = (
        ndimage.gaussian_filter(np.log1p(np.nan_to_num(rain) / 0.1), 2.0)[::2, ::2]
        for rain in (before, after)
    )
    flow = optical_flow_ilk(first, second, radius=12, num_warp=6, dtype=np.float32, prefilter=False)
    doubled = 2 * flow.repeat(2, axis=1).repeat(2, axis=2)[:, : before.shape[0], : before.shape[1]]
    return np.asarray(ndimage.gaussian_filter(doubled, (0, 4, 4)), np.float32)


def mean_on_the_way(before: Field, after: Field) -> Field:
    """Mean rain between two moments, NaN where the way leads through missing cells."""
    flow = displacement(before, after)
    place = np.indices(before.shape, dtype=np.float32)
    total = np.zeros_like(before)
    for share in (np.arange(PARTS) + 0.5) / PARTS:
        left = ndimage.map_coordinates(before, place - share * flow, order=1, mode="nearest")
        right = ndimage.map_coordinates(after, place + (1 - share) * flow, order=1, mode="nearest")
        total += (1 - share) * left + share * right
    mean = total / PARTS
    return np.where(mean < WET, np.float32(0), mean)


def amounts(rain: xr.DataArray) -> xr.DataArray:
    """Mean rates over every step of a field of moments, labelled at the end of the step."""
    steps = np.diff(rain.time.values)
    whole = np.flatnonzero(steps == np.median(steps))
    values = rain.values.astype(np.float32)
    means = np.stack([mean_on_the_way(values[i], values[i + 1]) for i in whole])
    made = rain.isel(time=whole + 1).copy(data=means)
    return made.assign_attrs(cell_methods="time: mean")


def write(folder: Path, out: Path, name: str) -> Path:
    """The amounts of one file, as a file of product "amounts"."""
    dataset = xr.open_dataset(folder / name)
    made = amounts(dataset["rainfall_rate"])
    path = out / name.replace("rain_", "rain_amounts_", 1)
    encoding = {made.name: {"dtype": "float32", "zlib": True, "complevel": 1}}
    made.to_dataset().assign_attrs(dataset.attrs).drop_encoding().to_netcdf(path, encoding=encoding)
    return path


def main() -> None:
    """Read the command line, write a file for each file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--files", nargs="+", default=MOMENTS)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.processes) as pool:
        for path in pool.map(partial(write, options.folder, options.out), options.files):
            print(path, flush=True)


if __name__ == "__main__":
    main()
