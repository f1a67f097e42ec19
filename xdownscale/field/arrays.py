"""From a field with any dimensions in any order to an array (..., time, y, x), and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

    from xdownscale.field.axes import Axes


def ordered(field: xr.DataArray, axes: Axes) -> tuple[Any, tuple[str, ...]]:
    """The values with (time, y, x) as their last axes, and the order of the dimensions.

    A field without time gets a time axis of length one, which is not among the dimensions.

    Parameters
    ----------
    field : DataArray
        Any field; dask arrays stay lazy.
    axes : Axes
        Its dimensions.
    """
    order = (*(str(dim) for dim in field.dims if dim not in axes.ordered), *axes.ordered)
    values = field.transpose(*order).data
    return (values[..., None, :, :] if axes.time is None else values), order


def unordered(values: Any, axes: Axes) -> Any:
    """Take away the time axis that :func:`ordered` added to a field without time."""
    return values[..., 0, :, :] if axes.time is None else values
