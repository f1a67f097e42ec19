"""Bounds of the fine cells and steps of a Dataset: exact parts of those of the coarse ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.field.bounds import find_bounds
from xdownscale.field.gaps import contiguous, joined, take
from xdownscale.field.grid import refine_coords
from xdownscale.field.labels import labels_of
from xdownscale.field.position import with_step_type
from xdownscale.field.times import to_ticks

if TYPE_CHECKING:
    from xdownscale.field.axes import Axes
    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.factors import Factors

_ROUNDING = 1e-3
"""Share of a cell by which a label may lie outside of its bounds."""


def fine_bounds(
    dataset: xr.Dataset, target: xr.DataArray, fine: xr.Dataset, axes: Axes, factors: Factors, *, gaps: str
) -> Coordinates:
    """Bounds of the fine grid, and the fine labels with a reference to them.

    Parameters
    ----------
    dataset : Dataset
        The coarse fields, with their bounds as coordinates. Without bounds, cells reach half-way to their neighbours.
    target : DataArray
        The field in it that was refined.
    fine : Dataset
        The result. Bounds between which its labels do not lie are left out.
    axes : Axes
        Dimensions of the target.
    factors : Factors
        By how much it was refined.
    gaps : {"error", "split"}
        Whether pieces between gaps in time were refined one by one.
    """
    grid = with_step_type(dataset.drop_vars(list(dataset.data_vars)), [target])
    parts = contiguous(grid, axes.time) if gaps == "split" else [slice(None)]
    pieces = [refine_coords(take(grid, axes.time, part), axes, factors) for part in parts]
    made = xr.Dataset(
        coords={name: joined([piece[name] for piece in pieces], axes.time) for name in pieces[0]}
    )
    new: Coordinates = {}
    for dim in axes.ordered:
        found = find_bounds(made, dim) if dim in made.dims else None
        if found is None or fine.sizes.get(found.vertex, 2) != 2:
            continue
        old = labels_of(made, dim).variable
        name = str(labels_of(made, dim).name)
        if name in fine.coords and _inside(fine[name].values, found.values):
            label = fine[name].variable.copy(deep=False)
            label.attrs, label.encoding = {**label.attrs, "bounds": found.name}, old.encoding
            new |= {name: label, found.name: made[found.name].variable}
    return new


def _inside(labels: np.ndarray, edges: np.ndarray) -> bool:
    """Whether each label lies between its bounds, but for rounding."""
    if labels.shape != edges.shape[:1]:
        return False
    if labels.dtype.kind not in "fiu":
        ticks = to_ticks(np.concatenate([labels, edges.ravel()]))[0]
        labels, edges = ticks[: labels.size], ticks[labels.size :].reshape(-1, 2)
    low, high = np.sort(edges.astype(np.float64), axis=1).T
    slack = _ROUNDING * (high - low)
    return bool(((labels >= low - slack) & (labels <= high + slack)).all())
