"""Distances between the curves of Minkowski functionals over thresholds: of single fields, and of ensembles.

A curve γ_c(q) holds a functional c, area, perimeter or pieces less holes, of the set where the field reaches the
threshold of level q. Two curves differ by

    M_c = ∫ |g(γ̂_c(q)) − g(γ_c(q))| dq ,   g(z) = sign(z)·log(1 + |z|)

(trapezoidal rule), and their sum over c is the Minkowski distance of Quarenghi et al. (2026, arXiv:2604.11422), whose
levels are those of the quantiles of wet cells. With the logarithm, a factor of two has the same weight at every
threshold.

The distance between a member and the observation is not a proper score of an ensemble: it compares every member with
the observed curve and therefore favours underdispersive ensembles. With the CRPS of the members' g(γ̂_c(q)) instead of
|…| the score is proper, because the CRPS of any functional of the field is proper and so is its integral. With one
member the two are equal.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.kernels import crps
from xdownscale.kernels.minkowski import LEVELS, trapezoid
from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.frames import on_frames
from xdownscale.metrics.labels import dress, real_numbers, threshold_label, units_of
from xdownscale.metrics.scorable import scorable
from xdownscale.metrics.shape import Connectivity, Perimeter, ShapeMeasure, curves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xdownscale.metrics.cell_sizes import CellSize


def minkowski_distance(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    levels: Sequence[float] | None = None,
    perimeter: Perimeter = "crofton",
    connectivity: Connectivity = 4,
    components: bool = False,
    cell_size: CellSize = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Distance between the curves of Minkowski functionals of each member and those of the observations.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    thresholds : float or sequence of float
        Cells at or above the threshold are wet, in the units of the data. Those of Quarenghi et al. (2026) are
        quantiles of the wet cells at the levels 0.01, 0.05, 0.10, … 0.95, 0.99.
    levels : sequence of float, optional
        Their positions on the axis of integration, such as the levels of quantiles. By default evenly spaced
        from 0 to 1.
    perimeter, connectivity, components, cell_size : optional
        As in :func:`minkowski_functionals`.
    dim, member_dim, weights, skipna, keep_attrs, dims : optional
        As in :func:`minkowski_error`. The mean is also over members.

    Returns
    -------
    DataArray
        With the dimension ``functional``; its sum over the first three is the distance of the reference. Units of the
        logarithm of a ratio; 0 if and only if the curves are equal.

    Raises
    ------
    ValueRangeError
        If the number of levels is not that of thresholds, or levels do not increase.

    See Also
    --------
    xdownscale.metrics.minkowski_crps : CRPS of the curves of Minkowski functionals.
    xdownscale.metrics.minkowski_functionals : Area, perimeter and number of pieces of level sets.

    References
    ----------
    Quarenghi et al. (2026), emulating non-differentiable metrics, arXiv:2604.11422.

    Examples
    --------
    >>> truth = xr.DataArray(np.ones((4, 4)), dims=("y", "x"))
    >>> fewer = truth.copy(data=np.eye(4))
    >>> round(float(minkowski_distance(truth, fewer, thresholds=1).sel(functional="area")), 3)  # log(17 / 5)
    1.224
    """
    shape = {
        "perimeter": perimeter,
        "connectivity": connectivity,
        "components": components,
        "cell_size": cell_size,
    }
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = _integrated(cases, _mean_distance, thresholds, levels, shape, dims)
    title = "distance between curves of Minkowski functionals"
    return dress(
        score, observations, name="minkowski_distance", long_name=title, units=None, keep_attrs=keep_attrs
    )


def minkowski_crps(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    levels: Sequence[float] | None = None,
    perimeter: Perimeter = "crofton",
    connectivity: Connectivity = 4,
    components: bool = False,
    cell_size: CellSize = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Fair CRPS of the curves of Minkowski functionals of an ensemble: a proper score of shapes.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    thresholds, levels, perimeter, connectivity, components, cell_size : optional
        As in :func:`minkowski_distance`.
    dim, member_dim, weights, skipna, keep_attrs, dims : optional
        As in :func:`minkowski_error`.

    Returns
    -------
    DataArray
        With the dimension ``functional``, in the units of :func:`minkowski_distance`, which it equals for one member.

    Raises
    ------
    ValueRangeError
        If the number of levels is not that of thresholds, or levels do not increase.

    See Also
    --------
    xdownscale.metrics.minkowski_distance : Distance of the curves of Minkowski functionals.
    xdownscale.metrics.crps_ensemble : CRPS of cell values.

    References
    ----------
    Quarenghi et al. (2026), emulating non-differentiable metrics, arXiv:2604.11422.

    Examples
    --------
    >>> truth = xr.DataArray(np.ones((4, 4)), dims=("y", "x"))
    >>> members = xr.concat([truth, truth], "member")
    >>> minkowski_crps(truth, members, thresholds=[0.5, 1]).values
    array([0., 0., 0.])
    """
    shape = {
        "perimeter": perimeter,
        "connectivity": connectivity,
        "components": components,
        "cell_size": cell_size,
    }
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    score = _integrated(cases, _fair_crps, thresholds, levels, shape, dims)
    title = "CRPS of curves of Minkowski functionals"
    return dress(
        score, observations, name="minkowski_crps", long_name=title, units=None, keep_attrs=keep_attrs
    )


def wet_quantiles(
    field: xr.DataArray, *, levels: Sequence[float] = LEVELS, wet: float = 0.1, skipna: bool = True
) -> xr.DataArray:
    """Quantiles of the wet values of a field: thresholds for curves of Minkowski functionals.

    Parameters
    ----------
    field : DataArray
        The field; it is loaded into memory.
    levels : sequence of float
        Levels of the quantiles, increasing. The default are those of Quarenghi et al. (2026).
    wet : float
        Values above this are wet, in the units of the data.
    skipna : bool
        Whether missing values are left out; otherwise a single one makes the result NaN.

    Returns
    -------
    DataArray
        With the dimension ``level``, in the units of the data.

    Raises
    ------
    ValueRangeError
        If levels are not between 0 and 1.
    EmptyFieldError
        If no value is wet.

    See Also
    --------
    xdownscale.metrics.quantiles : Quantiles of the values.
    xdownscale.metrics.minkowski_functionals : Area, perimeter and number of pieces of level sets.

    References
    ----------
    Quarenghi et al. (2026), emulating non-differentiable metrics, arXiv:2604.11422.

    Examples
    --------
    >>> rain = xr.DataArray([0.0, 1.0, 2.0, 3.0], dims="x")
    >>> wet_quantiles(rain, levels=[0.5]).values
    array([2.])
    """
    field = scorable(field, "field")
    chosen = real_numbers(levels, "levels", "[0.1, 0.5, 0.9]")
    if chosen.min() < 0 or chosen.max() > 1:
        msg = f"levels of quantiles lie between 0 and 1, found {levels!r}. Pass for example levels=[0.1, 0.5, 0.9]."
        raise ValueRangeError(msg)
    values = np.asarray(field.values, dtype=np.float64).ravel()
    kept = values[values > wet]
    if not kept.size:
        msg = f"no value of the field is above wet={wet:g}. Pass a wetter field, or a smaller wet=..."
        raise EmptyFieldError(msg)
    found = np.quantile(kept, chosen)
    if not skipna and np.isnan(values).any():
        found = np.full_like(found, np.nan)
    level = xr.DataArray(chosen, dims="level", name="level", attrs={"long_name": "level of the quantile"})
    result = xr.DataArray(found, coords={"level": level}, dims="level")
    title = f"quantiles of values above {wet:g}"
    return dress(result, field, name="wet_quantiles", long_name=title, units=units_of(field))


def _integrated(
    cases: Cases,
    by_case: Callable[[xr.DataArray, xr.DataArray, str], xr.DataArray],
    thresholds: float | Sequence[float],
    levels: Sequence[float] | None,
    shape: Mapping[str, Any],
    dims: Mapping[str, str] | None,
) -> xr.DataArray:
    """Average over frames of the integral over levels of the comparison of observed and forecast curves."""
    label = threshold_label(thresholds, cases.units)
    shares = _shares(levels, label.size)
    frames, axes = on_frames(cases, dims)
    measured = ShapeMeasure.of(cases.source, axes, **shape)
    ours, theirs = (
        _logarithmic(curves_of(part, label, axes, measured))
        for part in (frames.observations, frames.forecasts)
    )
    complete = frames.complete.all(axes.spatial)
    every = by_case(ours, theirs, cases.member_dim)
    integral = (every * xr.DataArray(shares, dims="threshold")).sum("threshold")
    return frames.average(integral.where(complete)).transpose(..., "functional")


def _shares(levels: Sequence[float] | None, count: int) -> np.ndarray:
    """Weights of the trapezoidal rule; of a single level 1."""
    places = np.linspace(0, 1, count) if levels is None else real_numbers(levels, "levels", "[0.1, 0.5, 0.9]")
    steps = np.diff(places)
    if len(places) != count or (steps <= 0).any():
        msg = f"levels are {levels!r}, for {count} thresholds: pass as many, in increasing order."
        raise ValueRangeError(msg)
    return trapezoid(places)


def _logarithmic(curves: xr.DataArray) -> xr.DataArray:
    found: xr.DataArray = xr.apply_ufunc(_signed_log, curves, dask="parallelized", output_dtypes=[np.float64])
    return found


def _signed_log(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _mean_distance(ours: xr.DataArray, theirs: xr.DataArray, member_dim: str) -> xr.DataArray:
    return abs(theirs - ours).mean(member_dim)


def _fair_crps(ours: xr.DataArray, theirs: xr.DataArray, member_dim: str) -> xr.DataArray:
    found: xr.DataArray = xr.apply_ufunc(
        partial(crps.crps_ensemble, axis=-1),
        ours,
        theirs.chunk({member_dim: -1}) if theirs.chunks else theirs,
        input_core_dims=[[], [member_dim]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return found
