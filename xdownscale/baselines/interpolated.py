"""Interpolations under the names used in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xdownscale.baselines.fields import Coarse
from xdownscale.field.block_means import block_means, match_means
from xdownscale.field.interpolation import interpolate_array
from xdownscale.field.limits import limits_of
from xdownscale.field.quantity import quantity_of
from xdownscale.interpolate import interpolate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

PASSES: Final = 4
"""Number of iterations before the exact correction, which then changes a block by a few percent."""


def nearest(
    coarse: xr.DataArray,
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Every coarse value repeated over its fine cells and steps.

    Parameters
    ----------
    coarse : DataArray
        Coarse field with y, x and, for ``temporal > 1``, time.
    spatial : int or (int, int)
        Fine cells per coarse cell, for both axes or for (y, x).
    temporal : int
        Fine steps per coarse step.
    dims : mapping, optional
        Names of dimensions by role, where they are not recognised.

    Returns
    -------
    DataArray
        As from :func:`xdownscale.interpolate`. Block means are those of `coarse`.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ArgumentError, ValueRangeError, EmptyFieldError
        As :func:`xdownscale.interpolate`.

    See Also
    --------
    xdownscale.baselines.conservative : Smooth, with the coarse values as block means.
    xdownscale.interpolate : Interpolation to a finer grid.

    Examples
    --------
    >>> import xarray as xr
    >>> nearest(xr.DataArray([[0.0, 8.0]], dims=("y", "x")), (1, 2)).values
    array([[0., 0., 8., 8.]])
    """
    return interpolate(coarse, spatial, temporal, method="nearest", dims=dims)


def bicubic(
    coarse: xr.DataArray,
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Cubic convolution in space, constant over the fine steps: what papers call bicubic.

    Parameters
    ----------
    coarse, spatial, temporal, dims : DataArray, and options
        As in :func:`nearest`.

    Returns
    -------
    DataArray
        As from :func:`xdownscale.interpolate`. Negative rain is set to zero.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ArgumentError, ValueRangeError, EmptyFieldError
        As :func:`xdownscale.interpolate`.

    See Also
    --------
    xdownscale.baselines.linear : Linear in space and time.
    xdownscale.interpolate : Interpolation to a finer grid.

    Examples
    --------
    >>> import xarray as xr
    >>> bicubic(xr.DataArray([[0.0, 8.0, 0.0]], dims=("y", "x")), (1, 3)).values[0, 4]
    np.float64(8.0)
    """
    return interpolate(coarse, spatial, temporal, method="bicubic", dims=dims)


def linear(
    coarse: xr.DataArray,
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Bilinear in space and linear in time, between the centres of coarse cells and steps.

    Parameters
    ----------
    coarse, spatial, temporal, dims : DataArray, and options
        As in :func:`nearest`.

    Returns
    -------
    DataArray
        As from :func:`xdownscale.interpolate`.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ArgumentError, ValueRangeError, EmptyFieldError
        As :func:`xdownscale.interpolate`.

    See Also
    --------
    xdownscale.baselines.bicubic : Cubic convolution in space.
    xdownscale.baselines.conservative : Smooth, with the coarse values as block means.

    Examples
    --------
    >>> import xarray as xr
    >>> field = xr.DataArray([[[0.0]], [[4.0]]], dims=("time", "y", "x"))
    >>> field = field.assign_coords(time=xr.date_range("2001-01-01", periods=2))
    >>> linear(field, temporal=2).values.ravel()
    array([0., 1., 3., 4.])
    """
    return interpolate(coarse, spatial, temporal, method="linear", time="linear", dims=dims)


def conservative(
    coarse: xr.DataArray,
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """A smooth field whose block means are the coarse values: pycnophylactic interpolation (Tobler 1979).

    With P the interpolation that is linear in space and time, A the block mean and c the coarse values, c is replaced
    by c' with A P c' = c, by the iteration c' ← c' + (c − A P c'). After four iterations, the remaining difference is
    corrected exactly block by block: rain by a factor, all other variables by a shift within their limits.

    Parameters
    ----------
    coarse : DataArray
        Coarse field with y, x and, for ``temporal > 1``, time, and no other dimension. Missing cells stay missing.
    spatial, temporal, dims : optional
        As in :func:`nearest`.

    Returns
    -------
    DataArray
        With the coordinates of the fine grid and the precision of `coarse`; lazy if it is.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ArgumentError, ValueRangeError, EmptyFieldError
        The message names the call that fixes it.

    See Also
    --------
    xdownscale.baselines.linear : Linear in space and time.
    xdownscale.baselines.nearest : Every coarse value repeated.

    References
    ----------
    Tobler (1979), doi:10.1080/01621459.1979.10481647.

    Examples
    --------
    >>> import xarray as xr
    >>> fine = conservative(xr.DataArray([[0.0, 8.0, 2.0]], dims=("y", "x"), name="pr"), (1, 2))
    >>> fine.values.reshape(3, 2).mean(1)
    array([0., 8., 2.])
    """
    given = Coarse.of(coarse, spatial, temporal, dims)
    rain = quantity_of(given.field, given.axes.time).precipitation
    values, blocks, areas = given.values, given.blocks, given.areas

    def smooth(means: Any) -> Any:
        return interpolate_array(means, blocks, "linear", time="linear", periodic=given.periodic)

    sharp = values
    for _ in range(PASSES):
        sharp = sharp + (values - block_means(smooth(sharp), areas, blocks))
        sharp = np.maximum(sharp, 0) if rain else sharp
    limits = (0.0, None) if rain else limits_of(given.field)
    fine = match_means(smooth(sharp), values, areas, blocks, ratio=rain, limits=limits)
    line = f"conservative(spatial={given.factors.spatial}, temporal={given.factors.time})"
    return given.dressed(fine, line)
