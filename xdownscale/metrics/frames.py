"""Scores of whole frames: their space dimensions are always reduced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from xdownscale.metrics.cases import Cases


def on_frames(cases: Cases, dims: Mapping[str, str] | None) -> tuple[Cases, Axes]:
    """Turn cases into frames: averages exclude space, weights along space are averaged.

    Parameters
    ----------
    cases : Cases
    dims : mapping, optional
        Names of dimensions by role, where they are not recognised.

    Returns
    -------
    Cases, Axes
        Space dimensions are last in observations and forecasts, and in one chunk.
    """
    axes = find_axes(cases.source, dims=dims)
    weights = cases.weights
    if weights is not None:
        weights = weights.mean([d for d in axes.spatial if d in weights.dims], skipna=False)
    frames = replace(
        cases,
        observations=whole(cases.observations, axes),
        forecasts=whole(cases.forecasts, axes),
        dims=tuple(d for d in cases.dims if d not in axes.spatial),
        weights=weights,
    )
    return frames, axes


def whole(field: xr.DataArray, axes: Axes) -> xr.DataArray:
    """Space dimensions last and, with dask, in one chunk."""
    field = field.transpose(..., *axes.spatial)
    return field.chunk(dict.fromkeys(axes.spatial, -1)) if field.chunks else field


def check_fits(field: xr.DataArray, axes: Axes, window: int) -> None:
    """Check that frames contain at least one window."""
    shape = tuple(field.sizes[d] for d in axes.spatial)
    if not 1 <= window <= min(shape):
        msg = f"windows of {window} by {window} cells do not fit into frames of {shape}. Pass larger frames."
        raise DimensionError(msg)
