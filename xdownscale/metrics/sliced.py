"""Distance between the distributions of forecast and observed frames, along random directions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.metrics.cases import Dim, Weights, pair
from xdownscale.metrics.frames import on_frames
from xdownscale.metrics.labels import difference_units, dress, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def sliced_wasserstein(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    projections: int = 100,
    seed: int = 0,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Sliced Wasserstein distance between the frames of forecasts and observations.

    Every frame is a point with as many coordinates as cells. Projected on a random direction of unit length, the two
    samples of points are samples of numbers, whose earth mover's distance is computed exactly; the score is its mean
    over directions. Unlike :func:`~xdownscale.metrics.emd`, it depends on the relation between cells, and unlike the
    CRPS, it does not pair forecast and observed frames. The distance of two samples of one distribution is not 0: it
    decreases with the root of their size.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced. The frames over `dim` are the samples; members are pooled.
        Divide both by the standard deviation of the observations for the scale-free form.
    projections : int
        Number of directions.
    seed : int
        Seed of the directions.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether to leave out frames with a missing value; otherwise they give NaN.
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
        If the number of directions is zero.

    See Also
    --------
    xdownscale.metrics.emd : Earth mover's distance of the values.
    xdownscale.metrics.energy_score : Multivariate generalisation of the CRPS.

    References
    ----------
    Bonneel et al. (2015), doi:10.1007/s10851-014-0506-3.

    Examples
    --------
    >>> truth = xr.DataArray(np.random.default_rng(0).normal(size=(20, 4, 4)), dims=("time", "y", "x"))
    >>> float(sliced_wasserstein(truth, truth)), round(float(sliced_wasserstein(truth, 2 * truth)), 1)
    (0.0, 0.8)
    """
    count, start = whole_number(projections, "projections", least=1), whole_number(seed, "seed", least=0)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    cells = int(np.prod([frames.observations.sizes[each] for each in axes.spatial]))
    directions = np.random.default_rng(start).standard_normal((cells, count))
    directions /= np.linalg.norm(directions, axis=0)
    over = [*frames.dims, *axes.spatial]
    share = frames.weights if frames.weights is not None else xr.DataArray(1.0)
    template = frames.observations.isel(dict.fromkeys(axes.spatial, 0), drop=True)
    share = share.broadcast_like(template) * xr.ones_like(template).where(False, 1.0)
    score = xr.apply_ufunc(
        partial(_distance, directions=directions, skipna=skipna),
        frames.observations,
        frames.forecasts,
        share,
        input_core_dims=[over, [member_dim, *over], list(frames.dims)],
        vectorize=True,
        dask="parallelized",
        dask_gufunc_kwargs={"allow_rechunk": True},
        output_dtypes=[np.float64],
    )
    units = difference_units(cases.units)
    return dress(
        score,
        observations,
        name="sliced_wasserstein",
        long_name="sliced Wasserstein distance of frames",
        units=units,
        keep_attrs=keep_attrs,
    )


def _distance(
    observations: Array, forecasts: Array, weights: Array, *, directions: Array, skipna: bool
) -> float:
    """Mean earth mover's distance of the projections of frames (..., y, x) and of members (member, ..., y, x)."""
    from scipy.stats import wasserstein_distance

    truth = observations.reshape(-1, len(directions)).astype(np.float64)
    members = forecasts.reshape(len(forecasts), -1, len(directions)).astype(np.float64)
    share = np.broadcast_to(weights, observations.shape[: weights.ndim]).ravel()
    known = np.isfinite(truth).all(1) & np.isfinite(members).all((0, 2)) & np.isfinite(share)
    if not (known.all() or skipna) or not share[known].sum() > 0:
        return float("nan")
    here, there = truth[known] @ directions, members[:, known] @ directions
    own, pooled = share[known], np.tile(share[known], len(members))
    columns = zip(here.T, there.reshape(-1, directions.shape[1]).T, strict=True)
    return float(np.mean([wasserstein_distance(a, b, own, pooled) for a, b in columns]))
