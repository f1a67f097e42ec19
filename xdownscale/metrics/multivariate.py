"""Spatial dependence within members: scores of whole frames, at points drawn from them.

Both scores use the differences of all pairs of members or points and therefore only a few points: the same points,
drawn once from a seed, for every frame, every member and every model.

References
----------
Gneiting et al. (2008), assessing probabilistic forecasts of multivariate quantities, doi:10.1007/s11749-008-0114-x.
Scheuerer and Hamill (2015), variogram-based proper scoring rules, doi:10.1175/MWR-D-14-00269.1.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.metrics.cases import Dim, Weights, pair
from xdownscale.metrics.frames import on_frames
from xdownscale.metrics.labels import difference_units, dress, real_numbers, squared_units, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xdownscale.field.axes import Axes
    from xdownscale.metrics.cases import Cases

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Estimator: TypeAlias = Literal["fair", "biased"]


def energy_score(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    points: int = 100,
    seed: int = 0,
    estimator: Estimator = "fair",
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Energy score of frames: the CRPS with the distance between frames instead of between values.

    The distance of two frames is the root mean square over the points, so that the score does not grow with their
    number; the usual definition with the Euclidean norm is √points times as large. It is sensitive to spread and bias,
    but hardly to wrong correlations between cells: see :func:`variogram_score`.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    points : int
        Number of cells to draw; all if there are fewer.
    seed : int
        Seed of the draw of cells.
    estimator : "fair" or "biased"
        Whether the expected score is independent of the number of members, or the members are the distribution.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether to leave out points with a missing value, frame by frame; otherwise they give NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        In the units of the data.

    Raises
    ------
    ValueRangeError
        If points or estimator are out of range.

    See Also
    --------
    xdownscale.metrics.variogram_score : Score of differences between pairs of points.
    xdownscale.metrics.crps_ensemble : CRPS of cell values.

    References
    ----------
    Gneiting et al. (2008), assessing probabilistic forecasts of multivariate quantities,
        doi:10.1007/s11749-008-0114-x.

    Examples
    --------
    >>> truth = xr.DataArray(np.zeros((2, 2)), dims=("y", "x"))
    >>> ensemble = xr.DataArray([1.0, 3.0], dims="member") * (truth + 1)
    >>> float(energy_score(truth, ensemble))
    1.0
    """
    _check(points, seed, estimator)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    kernel = partial(_energy, fair=estimator == "fair")
    score = _at_points(kernel, frames, axes, points, seed)
    units = difference_units(cases.units)
    return dress(
        score, observations, name="energy_score", long_name="energy score", units=units, keep_attrs=keep_attrs
    )


def variogram_score(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    p: float = 0.5,
    points: int = 100,
    seed: int = 0,
    estimator: Estimator = "fair",
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Variogram score of frames: mean over pairs of points of (|yᵢ − yⱼ|ᵖ − mean over members of |xᵢ − xⱼ|ᵖ)².

    The score measures whether differences between points have the right size; it does not detect a bias common to all
    cells. The usual definition counts every pair twice and is points·(points − 1) times as large.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    p : float
        Power of the differences; ½ is less sensitive to single large values than larger powers.
    points, seed : optional
        As in :func:`energy_score`.
    estimator : "fair" or "biased"
        Whether the variance of the mean over the members is subtracted.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether to leave out points with a missing value, frame by frame; otherwise they give NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    dims : optional
        As in :func:`energy_score`.

    Returns
    -------
    DataArray
        In the units of the data to the power 2p; the attribute is set for ½ and 1.

    Raises
    ------
    ValueRangeError
        If points, estimator or p are out of range.

    See Also
    --------
    xdownscale.metrics.energy_score : Multivariate generalisation of the CRPS.
    xdownscale.metrics.intervariable_correlation_error : Difference of the correlation between variables.

    References
    ----------
    Scheuerer and Hamill (2015), variogram-based proper scoring rules, doi:10.1175/MWR-D-14-00269.1.

    Examples
    --------
    >>> truth = xr.DataArray([[0.0, 4.0], [0.0, 4.0]], dims=("y", "x"))
    >>> round(float(variogram_score(truth, 0 * truth)), 3), float(variogram_score(truth, truth + 9))
    (2.667, 0.0)
    """
    _check(points, seed, estimator)
    real_numbers(p, "p", "0.5")
    if not p > 0:
        msg = f"p is the power of differences and positive, found {p}. Pass p=0.5 or p=1."
        raise ValueRangeError(msg)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    kernel = partial(_variogram, p=p, fair=estimator == "fair")
    score = _at_points(kernel, frames, axes, points, seed)
    units = difference_units(cases.units) if p == 0.5 else squared_units(cases.units) if p == 1 else None
    return dress(
        score,
        observations,
        name="variogram_score",
        long_name="variogram score",
        units=units,
        keep_attrs=keep_attrs,
    )


def _check(points: int, seed: int, estimator: str) -> None:
    """Check for at least two points, a valid seed, and a known estimator."""
    whole_number(points, "points", least=2)
    whole_number(seed, "seed", least=0)
    if estimator not in ("fair", "biased"):
        msg = f'estimator is {estimator!r}; pass "fair" or "biased".'
        raise ValueRangeError(msg)


def _at_points(
    kernel: Callable[[Array, Array], float], frames: Cases, axes: Axes, points: int, seed: int
) -> xr.DataArray:
    """Average of a score of observations (points,) and members (M, points), over frames."""
    shape = tuple(frames.observations.sizes[d] for d in axes.spatial)
    size = shape[0] * shape[1]
    drawn = np.sort(np.random.default_rng(seed).choice(size, min(points, size), replace=False))
    places = dict(
        zip(
            axes.spatial, (xr.DataArray(i, dims="point") for i in np.unravel_index(drawn, shape)), strict=True
        )
    )

    def at(field: xr.DataArray) -> xr.DataArray:
        return field.drop_vars(axes.spatial, errors="ignore").isel(places)

    ours, theirs = at(frames.observations), at(frames.forecasts)
    complete = ours.notnull() & theirs.notnull().all(frames.member_dim)
    theirs = theirs.chunk({frames.member_dim: -1, "point": -1}) if theirs.chunks else theirs
    ours = ours.chunk(point=-1) if ours.chunks else ours

    def on_frames_of(truth: Array, ensemble: Array, known: Array) -> Array:
        result = np.full(truth.shape[:-1], np.nan)
        for place in np.ndindex(result.shape):
            there = known[place]
            if there.sum() > 1 and (frames.skipna or there.all()):
                members = ensemble[place][:, there].astype(np.float64)
                result[place] = kernel(truth[place][there].astype(np.float64), members)
        return result

    scores: xr.DataArray = xr.apply_ufunc(
        on_frames_of,
        ours,
        theirs,
        complete.chunk(point=-1) if complete.chunks else complete,
        input_core_dims=[["point"], [frames.member_dim, "point"], ["point"]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return frames.average(scores)


def _energy(truth: Array, members: Array, *, fair: bool) -> float:
    """Energy score: mean distance from the observation, less half of the mean distance among members."""
    from scipy.spatial.distance import pdist

    count, size = members.shape
    error = np.linalg.norm(members - truth, axis=1).mean()
    # pdist has each pair once: its sum is half of the double sum
    spread = pdist(members).sum() / (count * (count - 1 if fair else count)) if count > 1 else 0.0
    return float(error - spread) / float(np.sqrt(size))


def _variogram(truth: Array, members: Array, *, p: float, fair: bool) -> float:
    """Variogram score: squared error of the mean over the members of |xᵢ − xⱼ|ᵖ, mean over pairs.

    The mean of M draws has the variance s²/M, which the fair score subtracts; the usual double sum over members,
    Σ_ab (v_a − v_b)²/(2 M (M − 1)) = s², gives the same.
    """
    first, second = np.triu_indices(truth.size, 1)
    found = np.abs(members[:, first] - members[:, second]) ** p
    error = (found.mean(0) - np.abs(truth[first] - truth[second]) ** p) ** 2
    if fair and len(members) > 1:
        error -= found.var(0, ddof=1) / len(members)
    return float(error.mean())
