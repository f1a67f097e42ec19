"""Grid mappings that say where the grid lies: the GeoTransform that GDAL and rioxarray read.

It has six numbers: left edge, width of a cell, change of x from row to row, upper edge, change of y from column to
column, height of a cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from xdownscale.field.labels import has_labels, numbers_of
from xdownscale.field.space import spacing

if TYPE_CHECKING:
    from xdownscale.field.axes import Axes
    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.labels import Source

_PLACES: Final = ("GeoTransform", "geotransform")
_SAME: Final = 1e-3
"""Share of a cell by which transform and labels may differ and still be in the same units."""


class Start(NamedTuple):
    """Outer edge of the first cell, and signed width of a cell."""

    edge: float
    width: float


def start_of(field: Source, dim: str) -> Start | None:
    """Where the cells of a dimension begin; None without labels.

    Parameters
    ----------
    field : DataArray or Dataset
        Only its coordinates are read.
    dim : str
        An evenly spaced dimension.
    """
    if not has_labels(field, dim):
        return None
    width = spacing(field, dim)
    return Start(float(numbers_of(field, dim)[0]) - width / 2, width)


def move_transforms(coords: Coordinates, field: Source, axes: Axes, scale: dict[str, float]) -> Coordinates:
    """New coordinates whose grid mappings say where the new grid lies.

    Edges come from the new labels. Where the old labels are not in the units of the transform, or there are none, its
    own origin stays and its cells are scaled.

    Parameters
    ----------
    coords : dict
        New coordinates.
    field : DataArray or Dataset
        The field before the change.
    axes : Axes
        Dimensions.
    scale : dict
        New width of a cell over the old one, by dimension that changes.
    """
    moved = dict(coords)
    for name, variable in coords.items():
        for key in _PLACES:
            numbers = _numbers(variable.attrs.get(key))
            if numbers is None:
                continue
            for dim, at in ((axes.x, 0), (axes.y, 1)):
                if dim in scale:
                    after = start_of(xr.Dataset(coords=coords), dim)
                    numbers = _moved(numbers, at, start_of(field, dim), after, scale[dim])
            moved[name] = variable.copy(deep=False)
            moved[name].attrs = {**variable.attrs, key: _like(variable.attrs[key], numbers)}
    return moved


def _moved(
    numbers: np.ndarray, at: int, before: Start | None, after: Start | None, scale: float
) -> np.ndarray:
    """The transform with other columns (`at` 0) or rows (`at` 1)."""
    new = numbers.copy()
    own, edge = (1, 0) if at == 0 else (5, 3)
    new[[1, 4] if at == 0 else [2, 5]] *= scale
    if before and after and abs(before.width - numbers[own]) <= _SAME * abs(before.width):
        new[edge], new[own] = after
    return new


def _numbers(attribute: Any) -> np.ndarray | None:
    """The six numbers of a transform; None where an attribute is none."""
    try:
        words = attribute.split() if isinstance(attribute, str) else attribute
        numbers = np.array([float(word) for word in words])
    except (TypeError, ValueError):
        return None
    return numbers if numbers.size == 6 else None


def _like(attribute: Any, numbers: np.ndarray) -> Any:
    """Six numbers as text or as an array, as they were."""
    return " ".join(str(float(number)) for number in numbers) if isinstance(attribute, str) else numbers
