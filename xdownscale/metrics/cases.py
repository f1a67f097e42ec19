"""Pairs of observations and forecasts: checked, aligned, in the same units, and averaged by one rule.

A *case* is one point of the observations: a cell at a time. It is complete if its observation, every member
of its forecast and its weight are present. With ``skipna=False``, every score that includes an incomplete case is
NaN; with ``skipna=True``, the case is left out, from observations, forecasts and weights alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.field.axes import find_axes
from xdownscale.field.grid import cell_areas
from xdownscale.metrics.alignment import check_dims, matched, with_members
from xdownscale.metrics.labels import units_of
from xdownscale.metrics.scorable import scorable

Dim: TypeAlias = str | Iterable[Hashable] | None
"""Dimensions to average over; None means all."""

Weights: TypeAlias = xr.DataArray | Literal["area"] | None
"""Weights of the cases: "area" weights cells as coarsening does, by their area on latitude-longitude and curvilinear
grids and equally on all others; None gives equal weights."""

_NUMBERS = 8
"""Numbers of members counted at once in a chunk of a lazy field."""


@dataclass(frozen=True)
class Cases:
    """Checked observations and forecasts, and how to average them.

    Attributes
    ----------
    observations : DataArray
        Floating-point values with index coordinates only.
    forecasts : DataArray
        The same dimensions and coordinates, and `member_dim`; a forecast without members gets one.
    dims : tuple of str
        Dimensions to average over.
    weights : DataArray or None
    skipna : bool
    member_dim : str
    source : DataArray
        The observations as passed, with attributes and coordinates.
    """

    observations: xr.DataArray
    forecasts: xr.DataArray
    dims: tuple[str, ...]
    weights: xr.DataArray | None
    skipna: bool
    member_dim: str
    source: xr.DataArray

    @property
    def members(self) -> int:
        """Number of members M."""
        return int(self.forecasts.sizes[self.member_dim])

    @property
    def units(self) -> str | None:
        """Units of the observations."""
        return units_of(self.source)

    @property
    def complete(self) -> xr.DataArray:
        """Where observation and all members are present."""
        return self.observations.notnull() & self.forecasts.notnull().all(self.member_dim)

    def ensemble_mean(self) -> xr.DataArray:
        """Mean of the members; NaN if one is missing."""
        return self.forecasts.mean(self.member_dim, skipna=False)

    def one_chunk(self) -> xr.DataArray:
        """Put all members into one chunk, which sorting requires."""
        return self.forecasts.chunk({self.member_dim: -1}) if self.forecasts.chunks else self.forecasts

    def average(self, values: xr.DataArray, dims: tuple[str, ...] | None = None) -> xr.DataArray:
        """Weighted mean of values of the cases, over `dims` or the given dimensions."""
        return average(values, self.dims if dims is None else dims, self.weights, skipna=self.skipna)


def average(
    values: xr.DataArray, dims: tuple[str, ...], weights: xr.DataArray | None, *, skipna: bool
) -> xr.DataArray:
    """Weighted mean in double precision.

    Parameters
    ----------
    values : DataArray
    dims : tuple of str
        Dimensions to average over; none leaves the values as they are.
    weights : DataArray or None
        On any subset of the dimensions of `values`; only their ratios matter.
    skipna : bool
        Whether to leave out missing values and missing weights; otherwise they make the mean NaN.

    Returns
    -------
    DataArray
        NaN if no value is left, or all weights are zero.
    """
    if not dims:
        return values.astype(np.float64)
    if weights is None:
        return values.mean(dims, skipna=skipna, dtype=np.float64)
    products = (values * weights).astype(np.float64)
    total = weights.where(products.notnull()).sum(dims, dtype=np.float64)
    return products.sum(dims, skipna=skipna) / total.where(total > 0)


def by_number(at: Callable[[xr.DataArray], xr.DataArray], last: int, dim: str, *, lazy: bool) -> xr.DataArray:
    """Scores for every whole number 0 … `last`, along a new last dimension.

    Arrays in memory are processed one number at a time, since all at once would take `last` + 1 times the memory of the
    observations. Lazy arrays are processed several numbers at a time, since otherwise the graph would grow with `last`.
    """
    numbers = xr.DataArray(np.arange(last + 1), dims=dim, name=dim)
    if lazy:
        return at(numbers.chunk({dim: _NUMBERS})).transpose(..., dim).assign_coords({dim: numbers})
    return xr.concat([at(number) for number in numbers], numbers).transpose(..., dim)


def pair(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    dim: Dim,
    member_dim: str,
    weights: Weights,
    skipna: bool,
) -> Cases:
    """Check and align the arguments of a metric.

    Raises
    ------
    DimensionError
        If dimensions, sizes or coordinates of observations and forecasts differ, or `dim` is not among them.
    UnitsError
        If the units of the forecasts cannot be converted to those of the observations.
    """
    observations, forecasts = _checked(observations, forecasts, member_dim)
    labelled = {d: observations[d] for d in observations.dims if d in observations.coords}
    plain = _as_float(observations).reset_coords(drop=True)
    dims = _named(observations, dim, member_dim)
    bare = _as_float(_in_units_of(observations, forecasts)).reset_coords(drop=True)
    bare = bare.drop_vars(list(bare.coords)).assign_coords(labelled)
    return Cases(
        observations=plain.assign_attrs({}),
        forecasts=bare if member_dim in bare.dims else bare.expand_dims({member_dim: 1}),
        dims=dims,
        weights=weights_of(weights, observations, dims),
        skipna=skipna,
        member_dim=member_dim,
        source=observations,
    )


def _checked(
    observations: xr.DataArray, forecasts: xr.DataArray, member_dim: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Both fields, with valid values, on the same dimensions and labels."""
    observations = scorable(observations, "observations")
    forecasts = with_members(observations, scorable(forecasts, "forecasts"), member_dim)
    check_dims(observations, forecasts, member_dim)
    return observations, matched(observations, forecasts)


def _in_units_of(observations: xr.DataArray, forecasts: xr.DataArray) -> xr.DataArray:
    """Forecasts in the units of the observations, if both have units and these differ."""
    from xdownscale.field.cell_methods import check_differences
    from xdownscale.field.compare import check_same
    from xdownscale.field.quantity import quantity_of

    measured = quantity_of(observations)
    check_differences(measured)
    check_same(quantity_of(forecasts), measured, what="the forecast", whose="the observations measure")
    ours, theirs = units_of(observations), units_of(forecasts)
    if ours is None or theirs is None or ours == theirs:
        return forecasts
    from xdownscale.field.units import to_units

    return to_units(forecasts, ours)


def _as_float(field: xr.DataArray) -> xr.DataArray:
    """At least single precision, because differences of unsigned integers would wrap around."""
    wanted = (
        np.result_type(field.dtype, np.float32) if np.issubdtype(field.dtype, np.number) else np.dtype(float)
    )
    return field if field.dtype == wanted else field.astype(wanted)


def _named(observations: xr.DataArray, dim: Dim, member_dim: str) -> tuple[str, ...]:
    """Check the names of the dimensions to average over."""
    if dim is None:
        return tuple(str(d) for d in observations.dims)
    names = (dim,) if isinstance(dim, str) else tuple(str(d) for d in dim)
    unknown = [name for name in names if name not in observations.dims and name != member_dim]
    if unknown:
        msg = f"dim names {unknown}, but the field has the dimensions {tuple(observations.dims)}. Use these."
        raise DimensionError(msg)
    return tuple(name for name in names if name != member_dim)


def named_dims(field: xr.DataArray, dim: Dim) -> tuple[str, ...]:
    """Check the names of the dimensions of one field to average over; None names all."""
    chosen = field.dims if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    unknown = [str(d) for d in chosen if d not in field.dims]
    if unknown:
        msg = f"dim names {unknown}, but the field has the dimensions {tuple(field.dims)}. Use these."
        raise DimensionError(msg)
    return tuple(str(d) for d in field.dims if d in chosen)


def weights_of(
    weights: Weights, observations: xr.DataArray, over: Iterable[Hashable] | None = None
) -> xr.DataArray | None:
    """Weights as an array on dimensions of the observations.

    Parameters
    ----------
    weights : DataArray, "area" or None
    observations : DataArray
    over : iterable of str, optional
        Dimensions to average over; all by default. Areas are not used if the average is not over cells.

    Returns
    -------
    DataArray or None
        None if all cases have equal weight.

    Raises
    ------
    DimensionError
        If the dimensions or labels of the weights are not those of the observations.
    ValueRangeError
        If weights are of another type, or hold negative or infinite values.
    """
    if weights is None:
        return None
    if isinstance(weights, str) and weights == "area":
        return _areas(observations, observations.dims if over is None else over)
    if not hasattr(weights, "dims"):
        msg = f'weights is {weights!r}; pass a DataArray, "area" or None.'
        raise DimensionError(msg)
    unknown = [str(d) for d in weights.dims if d not in observations.dims]
    if unknown:
        msg = (
            f"weights have the dimensions {unknown}, which the observations lack. Average over them: "
            f"weights.mean({unknown})."
        )
        raise DimensionError(msg)
    if weights.dtype.kind not in "fiub":
        msg = f"weights hold {weights.dtype} values, not real numbers. Convert: weights.astype(float)."
        raise ValueRangeError(msg)
    if weights.chunks is None and bool(((weights < 0) | np.isinf(weights)).any()):
        msg = (
            "weights hold negative or infinite values. Make them missing: "
            "weights.where((weights >= 0) & (weights < numpy.inf))."
        )
        raise ValueRangeError(msg)
    bare = matched(observations, weights, "weights").reset_coords(drop=True)
    return bare.drop_vars(list(bare.coords)).assign_coords(
        {d: observations[d] for d in weights.dims if d in observations.coords}
    )


def _areas(observations: xr.DataArray, over: Iterable[Hashable]) -> xr.DataArray | None:
    """Areas of the cells; None on projected grids, without y and x, or if the average is over neither."""
    try:
        axes = find_axes(observations)
    except DimensionError:
        return None
    return cell_areas(observations, axes) if set(over) & set(axes.spatial) else None
