"""Weighted sums over cases that do not depend on how the cases are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.kernels.sums import add, long_sum

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Total:
    """A weighted sum and the sum of its weights, each with its rounding error."""

    values: tuple[xr.DataArray, xr.DataArray]
    weights: tuple[xr.DataArray, xr.DataArray]

    def __add__(self, other: Total) -> Total:
        try:
            xr.align(self.values[0], other.values[0], join="exact")
        except ValueError as error:
            msg = (
                "parts at different places or times cannot be added, since their dimension is kept. Add it to dim, or "
                "combine the scores of the parts with xarray.concat."
            )
            raise DimensionError(msg) from error
        return Total(add(self.values, other.values), add(self.weights, other.weights))

    def mean(self) -> xr.DataArray:
        """Weighted mean; NaN without any case."""
        return self.values[0] / self.weights[0].where(self.weights[0] > 0)


def sum_up(
    values: xr.DataArray, dims: tuple[str, ...], weights: xr.DataArray | None, *, skipna: bool
) -> Total:
    """Weighted sum and sum of weights over `dims`, by the rule of missing values."""
    values = values.reset_coords(drop=True).astype(np.float64)
    share = xr.ones_like(values) if weights is None else weights.astype(np.float64).broadcast_like(values)
    products = values if weights is None else values * share
    known = products.notnull()
    return Total(_long(products.fillna(0) if skipna else products, dims), _long(share.where(known, 0), dims))


def _long(values: xr.DataArray, dims: tuple[str, ...]) -> tuple[xr.DataArray, xr.DataArray]:
    """Sum over dimensions, with its rounding error."""

    def kernel(part: Array) -> tuple[Array, Array]:
        return long_sum(part.reshape(*part.shape[: part.ndim - len(dims)], -1))

    if not dims:
        return values, xr.zeros_like(values)
    found: tuple[xr.DataArray, xr.DataArray] = xr.apply_ufunc(
        kernel, values, input_core_dims=[list(dims)], output_core_dims=[[], []]
    )
    return found
