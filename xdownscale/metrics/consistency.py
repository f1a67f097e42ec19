"""Consistency of a fine field with its coarse field, and visibility of the coarse-cell borders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from xdownscale.errors import FactorError, ValueRangeError
from xdownscale.field.arrays import ordered, unordered
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.block_means import block_means
from xdownscale.field.boundary import fit
from xdownscale.field.cell_methods import time_method
from xdownscale.field.factors import Factors
from xdownscale.field.grid import cell_areas
from xdownscale.metrics.cases import Dim, Weights, pair
from xdownscale.metrics.labels import dress
from xdownscale.metrics.scorable import scorable

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping


def coarse_consistency(
    coarse: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    spatial: int | tuple[int, int],
    temporal: int = 1,
    statistic: Literal["rms", "max"] = "rms",
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Difference between block means of fine forecasts and the coarse field, relative to the coarse field.

    Blocks follow :func:`xdownscale.coarsen`: cells weighted by area on latitude-longitude grids, steps
    averaged, summed or sampled as ``cell_methods`` says.

    Parameters
    ----------
    coarse : DataArray
        The coarse field.
    forecasts : DataArray
        Fine fields downscaled from it, with or without `member_dim`.
    spatial : int or (int, int)
        Fine cells per coarse cell, one number or (y, x).
    temporal : int
        Fine steps per coarse step.
    statistic : "rms" or "max"
        Root mean square of the difference over that of the coarse field, or largest difference over the
        largest coarse value.
    dim, member_dim, weights, skipna, keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; ``"max"`` has no weights.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        Without units; 0 if the forecasts agree, NaN if the coarse field is zero everywhere.

    Raises
    ------
    FactorError
        If the forecasts are not finer than `coarse` by the factors.

    See Also
    --------
    xdownscale.metrics.border_jump_ratio : Jumps at the borders of coarse cells.

    Examples
    --------
    >>> coarse = xr.DataArray([[1.0, 3.0]], dims=("y", "x"))
    >>> fine = xr.DataArray([[0.0, 2.0, 3.0, 3.0], [1.0, 1.0, 0.0, 6.0]], dims=("y", "x"))
    >>> float(coarse_consistency(coarse, fine, spatial=2))
    0.0
    """
    if statistic not in ("rms", "max"):
        msg = f'statistic is {statistic!r}; pass "rms" or "max".'
        raise ValueRangeError(msg)
    forecasts = scorable(forecasts, "forecasts")
    axes = find_axes(scorable(coarse, "observations"), dims=dims)
    factors = Factors.parse(spatial, temporal)
    blocks = _block_means(coarse, forecasts, axes, factors)
    cases = pair(coarse, blocks, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    difference = cases.forecasts - cases.observations
    if statistic == "rms":
        squared = (difference**2).mean(member_dim, skipna=False)
        size = cases.average((cases.observations**2).where(squared.notnull()))
        score = (cases.average(squared) / size.where(size > 0)) ** 0.5
    else:
        largest = abs(difference).max(member_dim, skipna=False)
        size = abs(cases.observations).where(largest.notnull()).max(cases.dims, skipna=skipna)
        score = largest.max(cases.dims, skipna=skipna) / size.where(size > 0)
    title = "difference of block means from the coarse field, relative"
    return dress(score, coarse, name="coarse_consistency", long_name=title, units="1", keep_attrs=keep_attrs)


def border_jump_ratio(
    field: xr.DataArray,
    *,
    spatial: int | tuple[int, int],
    temporal: int = 1,
    dim: Dim = None,
    skipna: bool = False,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Mean jump between neighbours across borders of coarse cells over the mean jump inside coarse cells.

    The expected value is 1 for a field that is independent of the coarse grid, and larger if blocks are visible. The
    field must start with a complete coarse cell. Compare a forecast with the observed field, whose value differs from
    1 by chance.

    Parameters
    ----------
    field : DataArray
        Fine field, with or without members and time.
    spatial : int or (int, int)
        Fine cells per coarse cell, one number or (y, x).
    temporal : int
        Fine steps per coarse step.
    dim : str or iterable of str, optional
        Dimensions to average over besides time, y and x, which are always reduced; None for all.
    skipna : bool
        Whether to leave out jumps from or to missing values; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        Without units, with the dimension ``direction``: "space" (y and x together) and "time". NaN for a
        direction with the factor 1, without time, or without jumps inside.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.coarse_consistency : Error of the block means.

    Examples
    --------
    >>> blocks = xr.DataArray(
    ...     np.kron([[0, 1], [1, 0]], np.ones((2, 2))) + np.indices((4, 4))[1], dims=("y", "x")
    ... )
    >>> border_jump_ratio(blocks, spatial=2).sel(direction="space").item()
    2.0
    """
    field = scorable(field, "field")
    axes = find_axes(field, dims=dims)
    factors = Factors.parse(spatial, temporal)
    used = set(axes.ordered)
    named = field.dims if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    over = [d for d in field.dims if d in used or d in named]
    plain = field.reset_coords(drop=True)
    space = _jump_ratio(plain, [(axes.y, factors.y), (axes.x, factors.x)], over, skipna=skipna)
    time = _jump_ratio(plain, [(axes.time, factors.time)] if axes.time else [], over, skipna=skipna)
    score = xr.concat([space, time], xr.DataArray(["space", "time"], dims="direction", name="direction"))
    title = "mean jump across borders of coarse cells over mean jump inside"
    return dress(score, field, name="border_jump_ratio", long_name=title, units="1")


def _block_means(coarse: xr.DataArray, fine: xr.DataArray, axes: Axes, factors: Factors) -> xr.DataArray:
    """Block means of the fine field, without coordinates, so that those of the coarse field apply."""
    by_dim = factors.by_dim(axes)
    for d in axes.ordered:
        expected = coarse.sizes[d] * by_dim.get(d, 1)
        if d not in fine.dims or fine.sizes[d] != expected:
            msg = (
                f"along {d!r} the forecasts have the size {fine.sizes.get(d)}; {coarse.sizes[d]} coarse "
                f"cells with the factor {by_dim.get(d, 1)} need {expected}. Check spatial and temporal, or "
                f"cut with .isel({d}=...)."
            )
            raise FactorError(msg)
    plain = fit(fine.drop_vars(list(fine.coords)), axes, factors).astype(np.float64)
    steps = factors.time if axes.time else 1
    method = time_method(coarse, axes) if steps > 1 else "mean"
    if method == "point" and axes.time:
        plain, steps = plain.isel({axes.time: slice(None, None, steps)}), 1
    areas = cell_areas(fine, axes)
    weights = None if areas is None else areas.values.reshape(plain.sizes[axes.y], -1)
    values, order = ordered(plain, axes)
    means = unordered(block_means(values, weights, (steps, factors.y, factors.x)), axes)
    return xr.DataArray(means * steps if method == "sum" else means, dims=order)


def _jump_ratio(
    field: xr.DataArray, directions: list[tuple[str, int]], over: list[Hashable], *, skipna: bool
) -> xr.DataArray:
    """Mean jump at borders over mean jump inside, all directions together."""
    totals = [jump for dim, factor in directions for jump in _jumps(field, dim, factor, over, skipna=skipna)]
    if not totals:
        kept = {d: 0 for d in field.dims if d in over}
        return xr.full_like(field.isel(kept, drop=True), np.nan, dtype=float)
    border, borders, inside, insides = (sum(parts[1:], start=parts[0]) for parts in zip(*totals, strict=True))
    mean_inside = inside / insides.where(insides > 0)
    ratio: xr.DataArray = border / borders.where(borders > 0) / mean_inside.where(mean_inside > 0)
    return ratio


def _jumps(
    field: xr.DataArray, dim: str, factor: int, over: list[Hashable], *, skipna: bool
) -> Iterator[tuple[xr.DataArray, ...]]:
    """Sum and number of jumps at borders, then inside, along one dimension; empty without borders."""
    size = field.sizes[dim]
    if factor == 1 or size <= factor:
        return
    bare = field.drop_vars(dim, errors="ignore")
    jumps = abs(bare.isel({dim: slice(1, None)}) - bare.isel({dim: slice(None, -1)}))
    counted = jumps.notnull() if skipna else xr.ones_like(jumps, dtype=bool)
    at_border = np.arange(1, size) % factor == 0
    parts: list[xr.DataArray] = []
    for chosen in (at_border, ~at_border):
        at = {dim: np.flatnonzero(chosen)}
        parts.append(jumps.isel(at).sum(over, skipna=skipna, dtype=np.float64))
        parts.append(counted.isel(at).sum(over))
    yield tuple(parts)
