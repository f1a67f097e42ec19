"""Sizes of the cells of a frame, for scores that measure areas and lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.field.labels import is_latitude, labels_of
from xdownscale.field.space import edges
from xdownscale.kernels.minkowski import Cells, uniform_cells

if TYPE_CHECKING:
    import xarray as xr

    from xdownscale.field.axes import Axes

CellSize: TypeAlias = "float | tuple[float, float] | str | None"
"""None for cells of side 1; a side or sides (y, x) in a unit of length; "grid" for sizes from the coordinates."""

EARTH = 6371.0
"""Radius of the sphere in km (IUGG mean radius R1, rounded)."""


def cells_of(field: xr.DataArray, axes: Axes, size: CellSize) -> Cells | None:
    """Sizes of the cells by row.

    Parameters
    ----------
    field : DataArray
        Only its coordinates are used.
    axes : Axes
    size : float, (float, float), "grid" or None
        "grid" uses the edges of the coordinates: in km on latitude-longitude grids, in their own unit on others.

    Raises
    ------
    ValueRangeError
        If a size is not positive, or of another type.
    DimensionError
        If size is "grid", and cells along x have different widths or coordinates do not define sizes.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdownscale.field.axes import Axes
    >>> field = xr.DataArray(np.zeros((2, 2)), coords={"y": [0.0, 3.0], "x": [0.0, 2.0]}, dims=("y", "x"))
    >>> cells_of(field, Axes("y", "x", None), "grid").areas
    array([6., 6.])
    """
    rows = field.sizes[axes.y]
    if size is None:
        return None
    if isinstance(size, str):
        if size != "grid":
            raise ValueRangeError(_refused(size))
        return _of_grid(field, axes)
    try:
        sides = np.broadcast_to(np.asarray(size, dtype=float), 2)
    except (TypeError, ValueError) as error:
        raise ValueRangeError(_refused(size)) from error
    if not (np.isfinite(sides) & (sides > 0)).all():
        raise ValueRangeError(_refused(size))
    return uniform_cells(rows, float(sides[0]), float(sides[1]))


def _of_grid(field: xr.DataArray, axes: Axes) -> Cells:
    """Sizes from the edges of the coordinates."""
    rows, columns = (edges(field, dim) if dim in field.coords else None for dim in axes.spatial)
    if rows is None or columns is None:
        msg = (
            f"cell_size='grid' needs coordinates of at least two cells along {axes.spatial}. "
            f"Pass sizes, as in cell_size=(1.0, 1.0)."
        )
        raise DimensionError(msg)
    widths = np.abs(columns[:, 1] - columns[:, 0])
    if not np.allclose(widths, widths.mean(), rtol=1e-3):
        msg = (
            f"cells along {axes.x!r} are {widths.min():g} to {widths.max():g} wide; shapes need equal widths."
        )
        raise DimensionError(msg)
    borders = np.concatenate([rows[:, 0], rows[-1:, 1]])
    heights, width = np.abs(rows[:, 1] - rows[:, 0]), float(widths.mean())
    if not is_latitude(labels_of(field, axes.y)):
        return Cells(heights * width, heights, np.full(len(borders), width))
    phi, wide = np.deg2rad(borders), EARTH * np.deg2rad(width)
    areas = EARTH * wide * np.abs(np.sin(np.deg2rad(rows[:, 1])) - np.sin(np.deg2rad(rows[:, 0])))
    return Cells(areas, EARTH * np.deg2rad(heights), wide * np.cos(phi))


def _refused(size: object) -> str:
    return f"cell_size is {size!r}; pass a side as 2.0, sides along (y, x) as (1.0, 2.0), 'grid', or None for cells."
