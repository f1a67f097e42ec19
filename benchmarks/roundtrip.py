"""Does a field that went to another grid and back still join with itself? Every file of a folder, without a cell lost.

    python benchmarks/roundtrip.py FOLDER

For every variable with y and x, with labels in double and single precision, and for several factors: the field to the
coarse grid and back (`coarsen`, `interpolate`), and to the fine grid and back (`interpolate`, `coarsen`), then the
difference from what it was, which xarray joins by labels. Values are those of a small piece in the middle of the first
frames; all the labels of the axes go the same way once for each grid of a file, with narrow strips of zeros.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

import xdownscale
from xdownscale.errors import TimeAxisError
from xdownscale.field.change import fields_of, with_grid_as_coords

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdownscale.field.axes import Axes

FACTORS = ((2, 1), (3, 2), (4, 3), (10, 3), (7, 5))
OF_PIECES = FACTORS[2:4]
SIDE, FRAMES = 20, 15


def piece_of(field: xr.DataArray, axes: Axes) -> xr.DataArray:
    """A piece from the middle of the first frames, in memory."""
    return _first(field, axes).isel({dim: _middle(field.sizes[dim], SIDE) for dim in axes.spatial}).load()


def strips_of(field: xr.DataArray, axes: Axes) -> Iterator[xr.DataArray]:
    """Strips of zeros along all of each axis, two blocks wide."""
    for dim, other in (axes.spatial, axes.spatial[::-1]):
        strip = _first(field, axes).isel({other: _middle(field.sizes[other], 2 * max(s for s, _ in FACTORS))})
        yield strip.copy(data=np.zeros(strip.shape, np.float32)).drop_vars(
            [name for name, c in strip.coords.items() if dim in c.dims and c.ndim > 1]
        )


def _first(field: xr.DataArray, axes: Axes) -> xr.DataArray:
    """The first frames, one entry of every other dimension."""
    others = {dim: 0 for dim in field.dims if dim not in axes.ordered}
    return field.isel(others | ({} if axes.time is None else {axes.time: slice(0, FRAMES)}))


def _middle(size: int, side: int) -> slice:
    """As many cells from the middle."""
    start = max(0, size - side) // 2
    return slice(start, start + side)


def lost(field: xr.DataArray, axes: Axes, factors: tuple[int, int]) -> int:
    """Cells that the differences lack, both ways."""
    spatial, temporal = factors
    if axes.time is None or field.sizes[axes.time] < temporal:
        temporal = 1
    whole = {dim: slice(0, field.sizes[dim] // spatial * spatial) for dim in axes.spatial}
    if axes.time is not None:
        whole[axes.time] = slice(0, field.sizes[axes.time] // temporal * temporal)
    fine = field.isel(whole)
    try:
        coarse = xdownscale.coarsen(fine, spatial, temporal, min_valid=0.0)
    except TimeAxisError:  # a gap among the first frames
        coarse, temporal = xdownscale.coarsen(fine, spatial, min_valid=0.0), 1
    back = xdownscale.interpolate(coarse, spatial, temporal, method="nearest")
    frame = fine if axes.time is None else fine.isel({axes.time: slice(0, 2)})
    up = xdownscale.interpolate(frame, spatial, temporal, method="nearest")
    again = xdownscale.coarsen(up, spatial, temporal, min_valid=0.0)
    return _missing(back, fine) + _missing(again, frame)


def _missing(result: xr.DataArray, field: xr.DataArray) -> int:
    """Cells of a field that its difference from a result has not."""
    mine, theirs = xr.align(result, field, join="inner")
    if mine.shape != theirs.shape or (result - field).size != mine.size:
        return field.size
    return field.size - mine.size


def in_precision(field: xr.DataArray, axes: Axes, dtype: type) -> xr.DataArray:
    """The field with labels along y and x in one precision."""
    labels = {dim: field[dim] for dim in axes.spatial if dim in field.coords}
    return field.assign_coords(
        {dim: (dim, one.values.astype(dtype), one.attrs) for dim, one in labels.items()}
    )


def of_file(path: Path) -> tuple[int, int, int]:
    """Variables, joins and lost cells of one file."""
    joins = cells = 0
    with xr.open_dataset(path) as opened:
        dataset = with_grid_as_coords(opened)
        found = fields_of(dataset, None)
        grids = {axes: dataset[name] for name, axes in found.items()}
        jobs = [(piece_of(dataset[name], axes), axes, OF_PIECES) for name, axes in found.items()]
        jobs += [(strip, axes, FACTORS) for axes, field in grids.items() for strip in strips_of(field, axes)]
        for field, axes, each in jobs:
            for dtype in (np.float64, np.float32):
                labelled = in_precision(field, axes, dtype)
                for factors in each:
                    if min(labelled.sizes[dim] for dim in axes.spatial) >= factors[0]:
                        cells += lost(labelled, axes, factors)
                        joins += 2
    return len(found), joins, cells


def main(folder: str) -> int:
    """Print a line for every file; the number of files that lost cells."""
    warnings.simplefilter("ignore")
    bad = 0
    print(f"{'file':<62} {'variables':>9} {'joins':>6} {'cells lost':>11}")
    for path in sorted(Path(folder).glob("*.nc")):
        variables, joins, cells = of_file(path)
        bad += cells > 0
        print(f"{path.name:<62} {variables:>9} {joins:>6} {cells:>11}", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
