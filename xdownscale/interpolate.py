"""Make a field finer without learning anything: the baseline that a model has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import ArgumentError
from xdownscale.field.arrays import ordered, unordered
from xdownscale.field.attrs import keeps_attrs, result_attrs
from xdownscale.field.cell_methods import check_mean_over_cells, time_method
from xdownscale.field.change import Field, apply_change
from xdownscale.field.checks import checked
from xdownscale.field.factors import Factors
from xdownscale.field.gaps import in_pieces
from xdownscale.field.grid import check_regular, refine_coords
from xdownscale.field.interpolation import METHODS, TIMES, interpolate_array
from xdownscale.field.like import check_no_tree, laid_like
from xdownscale.field.quantity import quantity_of
from xdownscale.field.space import closes_circle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.field.axes import Axes
    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.labels import Source

__all__ = ["interpolate"]


def interpolate(
    field: Field,
    spatial: int | tuple[int, int] | None = None,
    temporal: int | None = None,
    *,
    method: str = "bicubic",
    time: str = "hold",
    gaps: str = "error",
    like: Source | None = None,
    dims: Mapping[str, str] | None = None,
) -> Field:
    """Refine a field by interpolation in space, and in time if wanted.

    Cells under a missing coarse cell are missing, no others are. Longitudes that close the circle are interpolated
    across the seam. Amounts (``cell_methods`` ``time: sum``) are
    shared out evenly over the finer steps, so that they add up to the coarse amount. Class numbers and directions are
    repeated (``"nearest"``), and nothing else.

    Parameters
    ----------
    field : DataArray, Dataset or DataTree
        The coarse field. Of a Dataset, variables without y and x pass through and are named in a warning, and so do
        nodes of a tree.
    spatial : int or (int, int), optional
        Cells per coarse cell, for both axes or for (y, x). Left out, cells stay as they are.
    temporal : int, optional
        Steps per coarse step; likewise. One of both is required.
    method : {"bicubic", "linear", "nearest", "conservative"}
        Cubic convolution, bilinear, or constant over a coarse cell (which keeps its mean). Cubic convolution
        overshoots: where all coarse values around are non-negative its result is cut off at zero.
    time : {"hold", "linear"}
        Constant over the finer steps, or linear between the middles of coarse steps.
    gaps : {"error", "split"}
        What to do about gaps in time where steps are split: raise, or treat every contiguous piece on its own.
    like : DataArray or Dataset, optional
        A field on the fine grid, whose coordinates along y, x and time the result gets, so that both join. They must
        agree with the computed ones within a tenth of a cell or step. By default a field that was made by ``coarsen``
        gets the labels back that it had before.
    dims : mapping, optional
        Names of dimensions where they are not recognised, for example ``{"y": "south_north"}``.

    Returns
    -------
    DataArray, Dataset or DataTree
        The fine field, same type, dimension order and precision as `field`; integers become double.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ArgumentError, ValueRangeError, EmptyFieldError
        Each names the call that fixes it.

    See Also
    --------
    xdownscale.coarsen : Block means, what a coarse model would have seen.
    xdownscale.downscale : Draw an ensemble of fine fields.

    Examples
    --------
    >>> import xarray as xr
    >>> import xdownscale
    >>> rain = xr.DataArray([[0.0, 8.0]], dims=("y", "x"))
    >>> xdownscale.interpolate(rain, spatial=(1, 4), method="linear").values
    array([[0., 0., 1., 3., 5., 7., 8., 8.]])
    """
    factors = Factors.given(spatial, temporal, "interpolate")
    check_no_tree(field, like)
    if method not in METHODS:
        msg = f"method={method!r} is unknown. Pass one of {METHODS}."
        raise ArgumentError(msg)
    if time not in TIMES:
        msg = f"time={time!r} is unknown. Pass one of {TIMES}."
        raise ArgumentError(msg)
    line = (
        f"interpolate(spatial={factors.spatial}, temporal={factors.time}, method={method!r}, time={time!r})"
    )
    split, keep = in_pieces(_Split(factors, method, time), gaps), keeps_attrs()
    fine = apply_change(field, split, dims=dims, need_time=factors.time > 1, line=line, history=keep)
    if isinstance(fine, xr.DataTree):
        return fine
    return laid_like(fine, like, dims)


@dataclass(frozen=True)
class _Split:
    """The change from the coarse to the fine grid."""

    factors: Factors
    method: str
    time: str

    def changed(self, axes: Axes) -> set[str]:
        """Dimensions with a factor above one."""
        return set(self.factors.by_dim(axes))

    def attrs(self, field: Source) -> dict[str, object]:
        """Attributes of a DataArray or Dataset: a mean over coarse cells still describes the values."""
        return result_attrs(field)

    def coords(self, field: xr.DataArray, grid: Source, axes: Axes) -> Coordinates:  # noqa: ARG002  a Change
        """Coordinates of the fine grid."""
        return refine_coords(grid, axes, self.factors)

    def variable(self, field: xr.DataArray, grid: Source, axes: Axes) -> xr.Variable:
        """Fine values and attributes."""
        field = checked(field, allow_missing=True)
        check_regular(grid, self.changed(axes), axes.time)
        steps = self.factors.time if axes.time else 1
        if self._mixes(field, axes):
            check_mean_over_cells(quantity_of(field, axes.time), axes)
        values, order = ordered(field if field.dtype.kind == "f" else field.astype(np.float64), axes)
        periodic = axes.x in self.changed(axes) and closes_circle(grid, axes.x)
        blocks = (steps, self.factors.y, self.factors.x)
        fine = interpolate_array(values, blocks, self.method, time=self.time, periodic=periodic)
        if steps > 1 and self._adds_up(field, axes):
            fine = fine / fine.dtype.type(steps)
        return xr.Variable(order, unordered(fine, axes), self.attrs(field)).transpose(*field.dims)

    def _mixes(self, field: xr.DataArray, axes: Axes) -> bool:
        """Whether a fine value is made of several coarse cells, or of steps of what must not be averaged."""
        if self.changed(axes) & set(axes.spatial):
            return not self._repeats(field, axes)
        barred = quantity_of(field, axes.time).barred in ("class", "direction")
        return barred and self.time == "linear" and axes.time in self.changed(axes)

    def _repeats(self, field: xr.DataArray, axes: Axes) -> bool:
        """Whether values without a mean are repeated: a class or a direction holds for all of its cell."""
        barred = quantity_of(field, axes.time).barred
        constant = self.method in ("nearest", "conservative") and self.time == "hold"
        return constant and barred in ("class", "direction")

    def _adds_up(self, field: xr.DataArray, axes: Axes) -> bool:
        """Whether a value is shared out over its finer steps."""
        return not self._repeats(field, axes) and time_method(field, axes) == "sum"
