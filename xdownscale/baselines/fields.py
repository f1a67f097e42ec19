"""Shared code of the baselines that work on arrays: coarse field to arrays, and arrays to fine field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import ArgumentError
from xdownscale.field.arrays import ordered, unordered
from xdownscale.field.attrs import FACTORS, add_history, result_attrs
from xdownscale.field.axes import find_axes
from xdownscale.field.cell_methods import fine_methods, time_method
from xdownscale.field.checks import checked
from xdownscale.field.factors import Factors
from xdownscale.field.grid import cell_areas, check_regular, refine_coords
from xdownscale.field.space import closes_circle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.field.axes import Axes
    from xdownscale.field.bounds import Coordinates


@dataclass(frozen=True)
class Coarse:
    """Parts of a coarse field.

    Attributes
    ----------
    field : DataArray
        The field as passed.
    axes : Axes
    factors : Factors
        The factor in time is one if the field has no time.
    values : ndarray or dask array, shape (K, M, N)
        In double precision. Amounts of a coarse step are divided by the number of fine steps, so that they are the
        required block means of a fine field.
    coords : Coordinates
        Coordinates of the fine grid.
    methods : str or None
        Cell methods of the fine field.
    """

    field: xr.DataArray
    axes: Axes
    factors: Factors
    values: Any
    coords: Coordinates
    methods: str | None

    @classmethod
    def of(cls, field: xr.DataArray, spatial: Any, temporal: Any, dims: Mapping[str, str] | None) -> Coarse:
        """Split a field into its parts, and raise an error if it cannot be refined."""
        factors = Factors.parse(spatial, temporal)
        axes = find_axes(field, dims=dims, need_time=factors.time > 1)
        others = [str(dim) for dim in field.dims if dim not in axes.ordered]
        if others:
            msg = (
                f"field also has the dimensions {others}. Select one entry, as in field.isel({others[0]}=0)."
            )
            raise ArgumentError(msg)
        field = checked(field, allow_missing=True)
        check_regular(field, factors.by_dim(axes), axes.time)
        methods = fine_methods(field, axes, refines_time=factors.time > 1)
        values = ordered(field, axes)[0].astype(np.float64)
        if factors.time > 1 and time_method(field, axes) == "sum":
            values = values / factors.time
        return cls(field, axes, factors, values, refine_coords(field, axes, factors), methods)

    @property
    def blocks(self) -> tuple[int, int, int]:
        """Fine cells per coarse cell along (time, y, x)."""
        return self.factors.blocks

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the fine values."""
        return tuple(size * block for size, block in zip(self.values.shape, self.blocks, strict=True))

    @property
    def periodic(self) -> bool:
        """Whether the last column is adjacent to the first."""
        return self.factors.x > 1 and closes_circle(self.field, self.axes.x)

    @property
    def areas(self) -> np.ndarray:
        """Relative areas of the fine cells, shape (S_y·M, 1) or (S_y·M, S_x·N): the weights of block means."""
        flat = np.broadcast_to(np.float32(0), self.shape[1:])
        named = {name: each for name, each in self.coords.items() if self.axes.time not in each.dims}
        areas = cell_areas(xr.DataArray(flat, named, self.axes.spatial), self.axes)
        return np.ones((self.shape[1], 1)) if areas is None else areas.values.reshape(self.shape[1], -1)

    def dressed(self, fine: Any, line: str) -> xr.DataArray:
        """A fine field (time, y, x), or an ensemble with a first axis for members, with coordinates and attributes.

        Parameters
        ----------
        fine : ndarray or dask array, shape (T·K, S_y·M, S_x·N) or (members, T·K, S_y·M, S_x·N)
        line : str
            Line of history.
        """
        member = {"member": np.arange(len(fine))} if fine.ndim == 4 else {}
        result = xr.DataArray(
            unordered(fine, self.axes),
            {**self.coords, **member},
            (*member, *self.axes.ordered),
            self.field.name,
        )
        attrs = result_attrs(self.field, cell_methods=self.methods, keep_attrs=True)
        order = (*member, *self.field.dims)
        result = result.transpose(*order).astype(np.float32 if member else self._dtype)
        return result.assign_attrs(add_history({**attrs, FACTORS: list(self.blocks)}, line))

    @property
    def _dtype(self) -> Any:
        """The precision of a result without members: that of the field."""
        return self.field.dtype if self.field.dtype.kind == "f" else np.float64
