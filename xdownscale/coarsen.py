"""Coarsening: means over blocks of cells and steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.field.arguments import is_number
from xdownscale.field.arrays import ordered, unordered
from xdownscale.field.attrs import keeps_attrs, result_attrs
from xdownscale.field.block_means import block_means
from xdownscale.field.boundary import fit
from xdownscale.field.cell_methods import check_mean_over_cells
from xdownscale.field.cell_methods import time_method as time_method_of
from xdownscale.field.change import Field, apply_change
from xdownscale.field.checks import checked
from xdownscale.field.factors import Factors
from xdownscale.field.gaps import in_pieces
from xdownscale.field.grid import cell_areas, check_regular, coarsen_coords
from xdownscale.field.quantity import quantity_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.field.axes import Axes
    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.labels import Source

__all__ = ["coarsen"]


def coarsen(
    field: Field,
    spatial: int | tuple[int, int] | None = None,
    temporal: int | None = None,
    *,
    time_method: str = "auto",
    min_valid: float = 1.0,
    boundary: str = "exact",
    gaps: str = "error",
    dims: Mapping[str, str] | None = None,
    keep_attrs: bool | None = None,
) -> Field:
    """Average a field over blocks of cells and steps.

    Class numbers, directions, totals over a cell and totals since a start have no mean; they raise an error that names
    the alternative.

    Means are area-weighted on latitude-longitude grids and unweighted on projected grids. Coordinates, bounds and
    ``cell_methods`` are updated; other dimensions (members, levels) are mapped over; dask arrays stay lazy.

    Parameters
    ----------
    field : DataArray, Dataset or DataTree
        The fine field. Variables of a Dataset and nodes of a tree without y and x pass through unchanged and are named
        in a warning.
    spatial : int or (int, int), optional
        Cells per coarse cell, for both axes or for (y, x). Left out, cells stay as they are.
    temporal : int, optional
        Steps per coarse step; likewise. One of both is required.
    time_method : {"auto", "mean", "sum", "point"}
        Rates and states are averaged over time, amounts added, snapshots sampled at the first frame of every block.
        ``"auto"`` uses ``cell_methods``, then ``GRIB_stepType``, then standard name and units together, then the name;
        if these do not distinguish rate and amount, an error is raised.
    min_valid : float
        Share of a block (area and time) that must be valid. Below it the coarse cell is missing; otherwise its value is
        the mean of the valid part.
    boundary : {"exact", "trim", "pad"}
        How to treat a size that the factor does not divide: raise an error, drop the remainder, or pad with missing
        values.
    gaps : {"error", "split"}
        How to treat gaps in time where steps are merged: raise an error, or treat each contiguous piece separately;
        `boundary` then applies to the steps of each piece.
    dims : mapping, optional
        Names of dimensions where they are not recognised, for example ``{"y": "south_north"}``.
    keep_attrs : bool, optional
        Whether to keep attributes; None follows xarray's option.

    Returns
    -------
    DataArray, Dataset or DataTree
        The coarse field, same type, dimension order and precision as `field`.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ArgumentError, ValueRangeError, EmptyFieldError
        The message names the call that fixes it.

    See Also
    --------
    xdownscale.interpolate : Interpolation to a finer grid, the baseline.
    xdownscale.downscale : Draw an ensemble of fine fields.

    Examples
    --------
    >>> import xarray as xr
    >>> import numpy as np
    >>> import xdownscale
    >>> rain = xr.DataArray(
    ...     np.arange(16.0).reshape(1, 4, 4), dims=("time", "y", "x"), attrs={"units": "mm h-1"}
    ... )
    >>> xdownscale.coarsen(rain, spatial=2).values
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    if not is_number(min_valid) or not 0 <= min_valid <= 1:
        msg = f"min_valid is a share between 0 and 1, got {min_valid!r}. Pass for example min_valid=0.5."
        raise ValueRangeError(msg)
    factors = Factors.given(spatial, temporal, "coarsen")
    merge = in_pieces(
        _Merge(factors, time_method, min_valid, boundary, keep_attrs),
        gaps,
        factor=factors.time,
        boundary=boundary,
    )
    line = f"coarsen(spatial={factors.spatial}, temporal={factors.time})"
    keep = keeps_attrs(keep_attrs=keep_attrs)
    return apply_change(field, merge, dims=dims, need_time=factors.time > 1, line=line, history=keep)


@dataclass(frozen=True)
class _Merge:
    """The change from the fine to the coarse grid."""

    factors: Factors
    time_method: str
    min_valid: float
    boundary: str
    keep_attrs: bool | None

    def changed(self, axes: Axes) -> set[str]:
        """Dimensions with a factor above one."""
        return set(self.factors.by_dim(axes))

    def attrs(self, field: Source) -> dict[str, object]:
        """Attributes of a Dataset."""
        return result_attrs(field, keep_attrs=self.keep_attrs)

    def method(self, field: xr.DataArray, axes: Axes) -> str:
        """How time is merged; attributes are used only if it is."""
        return time_method_of(field, axes, self.time_method) if axes.time in self.changed(axes) else "mean"

    def coords(self, field: xr.DataArray, grid: Source, axes: Axes) -> Coordinates:
        """Coordinates of the coarse grid."""
        point = self.method(field, axes) == "point"
        return coarsen_coords(fit(grid, axes, self.factors, self.boundary), axes, self.factors, point=point)

    def variable(self, field: xr.DataArray, grid: Source, axes: Axes) -> xr.Variable:
        """Coarse values and attributes."""
        field = checked(field, allow_missing=True)
        check_regular(grid, self.changed(axes), axes.time)
        if self.changed(axes) & set(axes.spatial):
            check_mean_over_cells(quantity_of(field, axes.time), axes)
        method, steps = self.method(field, axes), self.factors.time if axes.time else 1
        field = fit(field, axes, self.factors, self.boundary)
        grid = fit(grid, axes, self.factors, self.boundary)
        areas = cell_areas(grid, axes) if self.changed(axes) & set(axes.spatial) else None
        if method == "point":
            field, steps = field.isel({axes.time: slice(None, None, steps)}), 1
        weights = None if areas is None else areas.values.reshape(field.sizes[axes.y], -1)
        values, order = ordered(field, axes)
        means = block_means(values, weights, (steps, self.factors.y, self.factors.x), self.min_valid)
        if method == "sum":
            means = means * means.dtype.type(steps)
        return xr.Variable(order, unordered(means, axes), self._attrs(field, axes, method)).transpose(
            *field.dims
        )

    def _attrs(self, field: xr.DataArray, axes: Axes, method: str) -> dict[str, object]:
        """Attributes of the coarse field."""
        changed = self.changed(axes)
        methods = ["area: mean"] * bool(changed & set(axes.spatial)) + [f"{axes.time}: {method}"] * (
            axes.time in changed
        )
        return result_attrs(field, cell_methods=" ".join(methods), keep_attrs=self.keep_attrs)
