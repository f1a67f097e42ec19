"""A field seen through square blocks of cells: block means, and the masks and weights that go with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import FactorError
from xdownscale.field.arrays import ordered, unordered
from xdownscale.field.block_means import block_means
from xdownscale.field.boundary import fit
from xdownscale.field.factors import Factors
from xdownscale.field.grid import cell_areas

if TYPE_CHECKING:
    from xdownscale.field.axes import Axes


def pool(field: xr.DataArray, size: int, axes: Axes) -> xr.DataArray:
    """Means over blocks of size × size cells, weighted by area on latitude-longitude grids; steps are not touched.

    Unlike :func:`xdownscale.coarsen` it asks nothing of values and times: a forecast to be scored may be wrong. A
    block with a missing cell is missing; incomplete blocks at the end of an axis are left out.

    Parameters
    ----------
    field : DataArray
        With two space dimensions; others, as members, are mapped over. Dask arrays stay lazy.
    size : int
        Cells on the side of a block; 1 gives the field itself.
    axes : Axes
        Its dimensions.

    Returns
    -------
    DataArray
        With the mean coordinate of every block along y and x, and no coordinate of two dimensions.

    Raises
    ------
    FactorError
        If a frame holds no whole block.

    Examples
    --------
    >>> from xdownscale.field.axes import Axes
    >>> frame = xr.DataArray(np.arange(12.0).reshape(2, 6), dims=("y", "x"))
    >>> pool(frame, 2, Axes("y", "x", None)).values
    array([[3.5, 5.5, 7.5]])
    """
    if size == 1:
        return field
    shape = tuple(field.sizes[d] for d in axes.spatial)
    if size > min(shape):
        msg = (
            f"blocks of {size} by {size} cells do not fit into frames of {shape}. Leave {size} out of scales."
        )
        raise FactorError(msg)
    field = fit(field, axes, Factors(size, size, 1), "trim")
    areas = cell_areas(field, axes)
    weights = None if areas is None else areas.values.reshape(field.sizes[axes.y], -1)
    if field.chunks:
        field = field.chunk(dict.fromkeys(axes.spatial, -1))
    values, order = ordered(field, axes)
    means = unordered(block_means(values, weights, (1, size, size)), axes)
    coords: dict[Any, Any] = {
        name: coordinate
        for name, coordinate in field.coords.items()
        if not set(coordinate.dims) & set(axes.spatial)
    }
    for dim in axes.spatial:
        if dim in field.coords:
            centres = field[dim].values.reshape(-1, size).mean(axis=1)
            coords[dim] = (dim, centres, field[dim].attrs)
    pooled = xr.DataArray(means, dims=order, coords=coords, name=field.name, attrs=field.attrs)
    return pooled.transpose(*field.dims)


def pool_along(field: xr.DataArray, size: int, axes: Axes, centres: xr.DataArray) -> xr.DataArray:
    """Plain means over the same blocks of a mask or of weights, which may lack y or x.

    Parameters
    ----------
    field : DataArray
    size : int
        Cells on the side of a block.
    axes : Axes
        Dimensions of the pooled field.
    centres : DataArray
        The pooled field, whose coordinates the result takes.

    Examples
    --------
    >>> from xdownscale.field.axes import Axes
    >>> axes, rows = Axes("y", "x", None), xr.DataArray([1.0, 3.0, 5.0], dims="y")
    >>> pool_along(rows, 2, axes, xr.DataArray(np.zeros((1, 1)), dims=("y", "x"))).values
    array([2.])
    """
    sizes = {d: size for d in axes.spatial if d in field.dims}
    if size == 1 or not sizes:
        return field
    labels = {d: centres[d] for d in sizes if d in centres.coords}
    bare = field.drop_vars([name for name in field.coords if set(field[name].dims) & set(sizes)])
    means: xr.DataArray = bare.astype(np.float64).coarsen(sizes, boundary="trim").reduce(np.mean)
    return means.assign_coords(labels)
