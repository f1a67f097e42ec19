"""Observations beside forecasts: checked, aligned, in the same units, and averaged by one rule.

A *case* is one point of the observations: a cell at a time. It is complete when its observation, every member
of its forecast and its weight are there. With ``skipna=False`` a case that is not complete makes every score
that it enters NaN; with ``skipna=True`` it is left out, from observations, forecasts and weights alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.metrics.labels import units_of

Dim: TypeAlias = str | Iterable[Hashable] | None
"""Dimensions to average over; None means all."""

Weights: TypeAlias = xr.DataArray | Literal["area"] | None
"""Weights of the cases; "area" weighs by cell area on a latitude-longitude grid."""

_NUMBERS = 8
"""Numbers of members that are counted at once in a chunk of a lazy field."""

_ROUNDING = 1e-3
"""Coordinates that differ by less than this share of the spacing are the same."""


@dataclass(frozen=True)
class Cases:
    """Observations and forecasts that may be scored, and how to average them.

    Attributes
    ----------
    observations : DataArray
        Floating-point values with index coordinates only.
    forecasts : DataArray
        The same dimensions and coordinates, and `member_dim`; a forecast without members has got one.
    dims : tuple of str
        Dimensions to average over.
    weights : DataArray or None
    skipna : bool
    member_dim : str
    source : DataArray
        The observations as they were given, with attributes and coordinates.
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
        """Where observation and all members are there."""
        return self.observations.notnull() & self.forecasts.notnull().all(self.member_dim)

    def ensemble_mean(self) -> xr.DataArray:
        """Mean of the members; NaN if one is missing."""
        return self.forecasts.mean(self.member_dim, skipna=False)

    def one_chunk(self) -> xr.DataArray:
        """Bring all members into one chunk, as sorting needs them."""
        return self.forecasts.chunk({self.member_dim: -1}) if self.forecasts.chunks else self.forecasts

    def average(self, values: xr.DataArray, dims: tuple[str, ...] | None = None) -> xr.DataArray:
        """Weighted mean of values that belong to the cases, over `dims` or the dimensions asked for."""
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
        Any subset of the dimensions of `values`; only their ratios count.
    skipna : bool
        Whether to leave out missing values and missing weights, or let them make the mean NaN.

    Returns
    -------
    DataArray
        NaN where nothing is left to average, or all weights are zero.
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

    In memory one number at a time: all at once would take `last` + 1 times the memory of the observations. Lazily some
    at once, or the graph would grow with `last`.
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
    """Check and align what a metric was given.

    Raises
    ------
    DimensionError
        If dimensions, sizes or coordinates of observations and forecasts differ, or `dim` is not among them.
    UnitsError
        If the units of the forecasts cannot be converted to those of the observations.
    """
    _check_dims(observations, forecasts, member_dim)
    labelled = {d: observations[d] for d in observations.dims if d in observations.coords}
    plain = _as_float(observations).reset_coords(drop=True)
    for d in observations.dims:
        _check_labels(observations, forecasts, d)
    bare = _as_float(_in_units_of(observations, forecasts)).reset_coords(drop=True)
    bare = bare.drop_vars(list(bare.coords)).assign_coords(labelled)
    return Cases(
        observations=plain.assign_attrs({}),
        forecasts=bare if member_dim in bare.dims else bare.expand_dims({member_dim: 1}),
        dims=_named(observations, dim, member_dim),
        weights=weights_of(weights, observations),
        skipna=skipna,
        member_dim=member_dim,
        source=observations,
    )


def _check_dims(observations: xr.DataArray, forecasts: xr.DataArray, member_dim: str) -> None:
    """Require the same dimensions on both, but the members, which only forecasts have."""
    if member_dim in observations.dims:
        msg = (
            f"the observations have the member dimension {member_dim!r}. Metrics take observations first and "
            f"forecasts second; swap them, or take one member with .isel({member_dim}=0)."
        )
        raise DimensionError(msg)
    expected = set(observations.dims)
    found = set(forecasts.dims) - {member_dim}
    if expected != found:
        msg = (
            f"observations have the dimensions {tuple(observations.dims)}, forecasts "
            f"{tuple(forecasts.dims)}; they differ by {sorted(map(str, expected ^ found))}. Rename them, "
            f'select with .isel(...), name the members with member_dim="...", or repeat a constant forecast '
            f"with .broadcast_like(observations)."
        )
        raise DimensionError(msg)


def _check_labels(observations: xr.DataArray, forecasts: xr.DataArray, dim: Hashable) -> None:
    """Equal sizes, and coordinates equal up to rounding where both have them."""
    sizes = observations.sizes[dim], forecasts.sizes[dim]
    both = dim in observations.indexes and dim in forecasts.indexes
    same = sizes[0] == sizes[1] and not both
    shared = ""
    if both:
        ours, theirs = observations.indexes[dim], forecasts.indexes[dim]
        same = ours.equals(theirs) or _close(np.asarray(ours), np.asarray(theirs))
        shared = f" They share {len(ours.intersection(theirs))} labels."
    if not same:
        msg = (
            f"observations and forecasts do not match along {dim!r}: sizes {sizes[0]} and {sizes[1]}."
            f"{shared} Take what they share: observations, forecasts = xarray.align(observations, "
            f'forecasts, join="inner"); or give one the labels of the other: observations.reindex_like(forecasts, '
            f'method="nearest", tolerance=...).'
        )
        raise DimensionError(msg)


def _close(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> bool:
    """Whether two numeric coordinates differ by rounding only."""
    numeric = np.issubdtype(ours.dtype, np.number) and np.issubdtype(theirs.dtype, np.number)
    if ours.shape != theirs.shape or not numeric:
        return False
    spacing = np.abs(np.diff(ours)).min() if ours.size > 1 else abs(ours).max()
    return bool(np.all(np.abs(ours - theirs) <= _ROUNDING * spacing))


def _in_units_of(observations: xr.DataArray, forecasts: xr.DataArray) -> xr.DataArray:
    """Forecasts in the units of the observations, where both state units and they differ."""
    from xdownscale.field.compare import check_same
    from xdownscale.field.methods import check_differences
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
    """At least single precision: differences of whole numbers without sign would wrap around."""
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
        msg = f"dim names {unknown}, but the field has the dimensions {tuple(observations.dims)}. Name these."
        raise DimensionError(msg)
    return tuple(name for name in names if name != member_dim)


def named_dims(field: xr.DataArray, dim: Dim) -> tuple[str, ...]:
    """Check the names of the dimensions of one field to average over; None names all."""
    chosen = field.dims if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    unknown = [str(d) for d in chosen if d not in field.dims]
    if unknown:
        msg = f"dim names {unknown}, but the field has the dimensions {tuple(field.dims)}. Name these."
        raise DimensionError(msg)
    return tuple(str(d) for d in field.dims if d in chosen)


def weights_of(weights: Weights, observations: xr.DataArray) -> xr.DataArray | None:
    """Weights as an array on dimensions of the observations."""
    if isinstance(weights, str):
        if str(weights) != "area":
            msg = f'weights is {weights!r}; pass a DataArray, "area" or None.'
            raise DimensionError(msg)
        from xdownscale.field.axes import find_axes
        from xdownscale.field.grid import cell_areas

        weights = cell_areas(observations, find_axes(observations))
    if weights is None:
        return None
    unknown = [str(d) for d in weights.dims if d not in observations.dims]
    if unknown:
        msg = (
            f"weights have the dimensions {unknown}, which the observations lack. Average: .mean({unknown})."
        )
        raise DimensionError(msg)
    for d in weights.dims:
        _check_labels(observations, weights, d)
    bare = weights.reset_coords(drop=True)
    return bare.drop_vars(list(bare.coords)).assign_coords(
        {d: observations[d] for d in weights.dims if d in observations.coords}
    )
