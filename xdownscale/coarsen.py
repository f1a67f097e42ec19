"""What a coarse model would have seen: means over blocks of cells and steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.blocks import block_means
from xdownscale.field.dataset import has_time, map_variables
from xdownscale.field.factors import Factors
from xdownscale.field.fit import fit
from xdownscale.field.grid import cell_areas, coarsen_coords, describe
from xdownscale.field.methods import time_method as method_of
from xdownscale.field.provenance import result_attrs
from xdownscale.field.values import check_values

__all__ = ["coarsen"]

Field = TypeVar("Field", xr.DataArray, xr.Dataset)


def coarsen(
    field: Field,
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    time_method: str = "auto",
    min_valid: float = 1.0,
    boundary: str = "exact",
    dims: Mapping[str, str] | None = None,
    keep_attrs: bool | None = None,
) -> Field:
    """Average a field over blocks of cells and steps.

    Means are weighted by area on latitude-longitude grids, plain on projected ones. Coordinates, bounds and
    ``cell_methods`` follow; other dimensions (members, levels) are mapped over; dask arrays stay lazy.

    Parameters
    ----------
    field : DataArray or Dataset
        The fine field. Of a Dataset, variables without y and x pass through and are named in a warning.
    spatial : int or (int, int)
        Cells per coarse cell, for both axes or for (y, x).
    temporal : int
        Steps per coarse step.
    time_method : {"auto", "mean", "sum", "point"}
        Rates are averaged over time, amounts added, snapshots sampled at the first frame of every block. ``"auto"``
        reads ``cell_methods``; without it, precipitation in mm or kg m-2 is an amount, anything else a rate.
    min_valid : float
        Share of a block (area and time) that must be valid; below it the coarse cell is missing. Above it the valid
        part stands for the whole block.
    boundary : {"exact", "trim", "pad"}
        What to do when a factor does not divide a size: raise, drop the rest, or fill up with missing values.
    dims : mapping, optional
        Names of dimensions where they are not recognised, for example ``{"y": "south_north"}``.
    keep_attrs : bool, optional
        Whether to keep attributes; None follows xarray's option.

    Returns
    -------
    DataArray or Dataset
        The coarse field, same type, dimension order and precision as `field`.

    Raises
    ------
    DimensionError, TimeAxisError, FactorError, ValueRangeError, EmptyFieldError
        Each names the call that mends it.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xr.DataArray(np.arange(16.0).reshape(1, 4, 4), dims=("time", "y", "x"), attrs={"units": "mm h-1"})
    >>> xdownscale.coarsen(rain, spatial=2).values
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    factors = Factors.parse(spatial, temporal)
    if not 0 <= min_valid <= 1:
        msg = f"min_valid is a share between 0 and 1, got {min_valid!r}. Pass for example min_valid=0.5."
        raise ValueRangeError(msg)
    line = f"coarsen(spatial={factors.spatial}, temporal={factors.time})"

    def merge(variable: xr.DataArray, axes: Axes) -> xr.DataArray:
        here = factors if axes.time else Factors(factors.y, factors.x, 1)
        return _merge(variable, axes, here, (time_method, min_valid, boundary))

    if isinstance(field, xr.Dataset):
        if factors.time > 1 and not has_time(field, dims):
            msg = "temporal is above 1, but no variable has a time dimension. Pass dims={'time': ...} or temporal=1."
            raise DimensionError(msg)

        def merge_one(variable: xr.DataArray, axes: Axes) -> xr.DataArray:
            merged = merge(variable, axes)
            merged.attrs = _attrs(variable, axes, factors, time_method, None, keep_attrs)
            return merged

        return map_variables(field, merge_one, dims=dims, line=line, keep_attrs=keep_attrs)
    axes = find_axes(field, dims=dims, need_time=factors.time > 1)
    coarse = merge(field, axes)
    coarse.attrs = _attrs(field, axes, factors, time_method, line, keep_attrs)
    return coarse


def _merge(
    field: xr.DataArray, axes: Axes, factors: Factors, options: tuple[str, float, str]
) -> xr.DataArray:
    """The coarse field without attributes."""
    chosen, min_valid, boundary = options
    if field.dtype.kind not in "fiub":
        msg = f"the field holds {field.dtype}, not numbers. Convert it: field.astype(float)."
        raise ValueRangeError(msg)
    check_values(field, allow_missing=True)
    method = method_of(field, axes, chosen) if factors.time > 1 else "mean"
    if factors.time > 1 or factors.y > 1 or factors.x > 1:
        describe(field if factors.time > 1 else _without_time(field, axes), axes)
    field = fit(field, axes, factors, boundary)
    coords = coarsen_coords(field, axes, factors, point=method == "point")
    areas = cell_areas(field, axes) if factors.y > 1 or factors.x > 1 else None
    if method == "point":
        field, factors = field.isel({axes.time: slice(None, None, factors.time)}), Factors(factors.y, factors.x, 1)
    order = (*(dim for dim in field.dims if dim not in axes.ordered), *axes.ordered)
    values = field.transpose(*order).data
    if axes.time is None:
        values = values[..., None, :, :]
    weights = None if areas is None else areas.values.reshape(field.sizes[axes.y], -1)
    means = block_means(values, weights, factors.blocks, min_valid)
    if axes.time is None:
        means = means[..., 0, :, :]
    if method == "sum":
        means = means * means.dtype.type(factors.time)
    return xr.DataArray(means, dims=order, coords=coords, name=field.name).transpose(*field.dims)


def _without_time(field: xr.DataArray, axes: Axes) -> xr.DataArray:
    """The field without its times, which do not matter to blocks in space."""
    return field if axes.time is None else field.drop_vars(axes.time, errors="ignore")


def _attrs(
    field: xr.DataArray, axes: Axes, factors: Factors, chosen: str, line: str | None, keep_attrs: bool | None
) -> dict[str, object]:
    """Attributes that are true of the coarse field."""
    methods = ["area: mean"] if factors.y > 1 or factors.x > 1 else []
    if axes.time and factors.time > 1:
        methods.append(f"{axes.time}: {method_of(field, axes, chosen)}")
    return result_attrs(field, line, cell_methods=" ".join(methods), keep_attrs=keep_attrs)
