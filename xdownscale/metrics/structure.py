"""Similarity of fields: structural similarity, and fractions of neighbourhoods above a threshold.

References
----------
Wang et al. (2004), image quality assessment: from error visibility to structural similarity,
    doi:10.1109/TIP.2003.819861.
Roberts and Lean (2008), scale-selective verification of rainfall accumulations, doi:10.1175/2007MWR2123.1.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.metrics.cases import Cases, Dim, Weights, pair
from xdownscale.metrics.frames import check_fits, on_frames
from xdownscale.metrics.labels import dress, real_numbers, threshold_values, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xdownscale.field.axes import Axes

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_SIGMA, _RADIUS = 1.5, 5
"""Gaussian window of 11 by 11 cells (Wang et al.)."""

_K1, _K2 = 0.01, 0.03
"""Shares of the data range that keep the ratios finite (Wang et al.)."""


def ssim(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    data_range: float | xr.DataArray,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Structural similarity of frames, mean over cells and members.

    Gaussian window of 11 × 11 cells, whole windows only. Every member is compared separately.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    data_range : float or DataArray
        Range of possible values, the same for all fields that are compared: the score depends on it (0.98
        with 1 and 0.99 with 100 for the same pair of fields). Do not use the range of a single frame.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether to leave out windows with a missing value; otherwise they give NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        Without units; 1 for equal fields.

    Raises
    ------
    DimensionError
        If frames are smaller than the window.
    ValueRangeError
        If `data_range` is not positive.

    See Also
    --------
    xdownscale.metrics.lsd : Log-spectral distance.
    xdownscale.metrics.correlation : Pearson correlation.

    References
    ----------
    Wang et al. (2004), image quality assessment, doi:10.1109/TIP.2003.819861.

    Examples
    --------
    >>> truth = xr.DataArray(np.random.default_rng(0).random((16, 16)), dims=("y", "x"))
    >>> float(ssim(truth, truth, data_range=1))
    1.0
    """
    if (
        not isinstance(data_range, xr.DataArray)
        and not real_numbers(data_range, "data_range", "100").min() > 0
    ):
        msg = f"data_range is the range that values may span, found {data_range}. Pass for example data_range=100."
        raise ValueRangeError(msg)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    check_fits(frames.observations, axes, 2 * _RADIUS + 1)
    complete = frames.complete
    similarity = xr.apply_ufunc(
        _similarity,
        frames.observations.where(complete),
        frames.forecasts.where(complete),
        data_range,
        input_core_dims=[list(axes.spatial), list(axes.spatial), []],
        kwargs={"skipna": skipna},
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    score = frames.average(similarity.mean(member_dim, skipna=False))
    return dress(
        score, observations, name="ssim", long_name="structural similarity", units="1", keep_attrs=keep_attrs
    )


def fss(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    scales: int | Sequence[int] = (1, 5, 11, 21),
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Fractions skill score: 1 − Σ (F − O)² / (Σ F² + Σ O²) over all whole windows of the sample.

    O is the share of a window in which the observations reach the threshold, F that of the forecasts. For an
    ensemble, F is the mean over its members, so the score is that of the neighbourhood probability.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    thresholds : float or sequence of float
        An event is a value at or above the threshold.
    scales : int or sequence of int
        Side of the square windows in cells.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether shares are of the complete cells; otherwise a missing value gives NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        Without units, with the dimensions ``threshold`` and ``scale``; NaN without events.

    Raises
    ------
    DimensionError
        If a window is larger than a frame.

    See Also
    --------
    xdownscale.metrics.crps_pooled : CRPS of means or maxima over windows.
    xdownscale.metrics.brier_score : Squared error of the probability of an event.

    References
    ----------
    Roberts and Lean (2008), scale-selective verification of rainfall accumulations, doi:10.1175/2007MWR2123.1.

    Examples
    --------
    >>> truth = xr.DataArray(np.eye(8), dims=("y", "x"))
    >>> shifted = truth.roll(x=1)
    >>> fss(truth, shifted, thresholds=0.5, scales=(1, 5)).values.round(2)
    array([0.  , 0.97])
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    levels, sides = threshold_values(thresholds), whole_numbers(scales, "scales")
    every = [(float(t), n) for t, n in product(levels, sides)]
    for _, scale in every:
        check_fits(frames.observations, axes, scale)
    scores = [_fraction_skill(frames, axes, threshold, scale) for threshold, scale in every]
    shape = (len(levels), len(sides))
    rows = [xr.concat(scores[i * shape[1] : (i + 1) * shape[1]], "scale") for i in range(shape[0])]
    score = xr.concat(rows, "threshold").transpose(..., "threshold", "scale")
    units = {"units": cases.units} if cases.units else {}
    score = score.assign_coords(
        threshold=("threshold", levels, units | {"long_name": "threshold"}),
        scale=(
            "scale",
            sides,
            {"units": "cells", "long_name": "side of the window"},
        ),
    )
    score = score if np.ndim(thresholds) else score.isel(threshold=0)
    score = score if np.ndim(scales) else score.isel(scale=0)
    return dress(
        score, observations, name="fss", long_name="fractions skill score", units="1", keep_attrs=keep_attrs
    )


def _similarity(ours: Array, theirs: Array, data_range: Array, *, skipna: bool) -> Array:
    """Mean structural similarity of frames on the last two axes, leading axes broadcast.

    Computed frame by frame, since a frame fits in the cache.
    """
    lead = np.broadcast_shapes(ours.shape[:-2], theirs.shape[:-2], np.shape(data_range))
    x, y = (np.broadcast_to(v, lead + v.shape[-2:]) for v in (ours, theirs))
    span = np.broadcast_to(data_range, lead)
    result = np.empty(lead)
    for place in np.ndindex(lead):
        values = _similarity_map(x[place].astype(np.float64), y[place].astype(np.float64), float(span[place]))
        known = values[~np.isnan(values)] if skipna else values
        result[place] = known.mean() if known.size else np.nan
    return result


def _similarity_map(x: Array, y: Array, span: float) -> Array:
    """Structural similarity of two frames for every whole window."""
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x = _smooth(x * x) - mean_x**2
    variance_y = _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * span) ** 2, (_K2 * span) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    values: Array = luminance * (2 * covariance + c2) / (variance_x + variance_y + c2)
    return values


def _smooth(values: Array) -> Array:
    """Gaussian mean over whole windows; only windows with a missing value are NaN."""
    from scipy.ndimage import correlate1d

    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (-2, -1):
        values = correlate1d(values, weights, axis=axis)
    return values[..., _RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _fraction_skill(frames: Cases, axes: Axes, threshold: float, scale: int) -> xr.DataArray:
    """Fractions skill score at one threshold and scale."""
    complete = frames.complete
    sums = xr.apply_ufunc(
        _fraction_sums,
        (frames.observations >= threshold).where(complete),
        (frames.forecasts >= threshold).mean(frames.member_dim).where(complete),
        input_core_dims=[list(axes.spatial), list(axes.spatial)],
        output_core_dims=[["part"]],
        kwargs={"scale": scale, "skipna": frames.skipna},
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"part": 2}},
        output_dtypes=[np.float64],
    )
    mean = frames.average(sums)
    reference = mean.isel(part=1)
    return 1 - mean.isel(part=0) / reference.where(reference > 0)


def _fraction_sums(ours: Array, theirs: Array, *, scale: int, skipna: bool) -> Array:
    """Sum (F − O)² and F² + O² over the windows of every frame; NaN marks incomplete cells."""
    known = ~np.isnan(ours)
    count = _window_sum(known, scale)
    before, after = (
        np.divide(
            _window_sum(np.where(known, v, 0), scale), count, out=np.zeros(count.shape), where=count > 0
        )
        for v in (ours, theirs)
    )
    sums = np.stack(
        [((after - before) ** 2).sum(axis=(-2, -1)), (after**2 + before**2).sum(axis=(-2, -1))],
        axis=-1,
    )
    usable: Array = np.asarray(known.any(axis=(-2, -1)) if skipna else known.all(axis=(-2, -1)))
    return np.where(usable[..., None], sums, np.nan)


def _window_sum(values: Array, scale: int) -> Array:
    """Sums of all whole windows, from a summed-area table."""
    table = np.cumsum(np.cumsum(values, axis=-2, dtype=np.float64), axis=-1)
    table = np.pad(table, [(0, 0)] * (values.ndim - 2) + [(1, 0), (1, 0)])
    total: Array = (
        table[..., scale:, scale:]
        - table[..., :-scale, scale:]
        - table[..., scale:, :-scale]
        + table[..., :-scale, :-scale]
    )
    return total
