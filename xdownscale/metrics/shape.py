"""The shapes of rain areas: how large, how long their edge, how many pieces and holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.field.axes import find_axes
from xdownscale.kernels.minkowski import FUNCTIONALS
from xdownscale.kernels.minkowski import minkowski_functionals as of_sets
from xdownscale.metrics.cases import Dim, Weights, average, named_dims, pair
from xdownscale.metrics.frames import on_frames, whole
from xdownscale.metrics.labels import along, dress, threshold_label, units_of
from xdownscale.metrics.scorable import scorable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xdownscale.field.axes import Axes

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def minkowski_functionals(
    field: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    dim: Dim = None,
    skipna: bool = False,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Area, perimeter and Euler characteristic of where a threshold is reached.

    Exact for the cells: the area is their number, the perimeter is Crofton's with four directions, the Euler
    characteristic is the number of pieces (joined along sides) less that of holes. Beyond the frame nothing is wet.

    Parameters
    ----------
    field : DataArray
        With two space dimensions; these are always used up.
    thresholds : float or sequence of float
        What is wet, in the units of the data.
    dim : str or iterable of str, optional
        Other dimensions to average over; None for all.
    skipna : bool
        Whether to leave out frames with missing values; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        In cells, sides of cells, and 1 for each frame, with the dimensions ``threshold`` and ``functional``: "area",
        "perimeter" and "euler_characteristic".

    References
    ----------
    Legland et al. (2007), computation of Minkowski measures on 2D and 3D binary images, doi:10.5566/ias.v26.p83-92.

    Examples
    --------
    >>> ring = np.ones((5, 5))
    >>> ring[2, 2] = 0
    >>> minkowski_functionals(xr.DataArray(ring, dims=("y", "x")), thresholds=1).values.round(1)
    array([24. , 20.5,  0. ])
    """
    field = scorable(field, "field")
    axes = find_axes(field, dims=dims)
    plain = whole(field.reset_coords(drop=True), axes)
    over = tuple(d for d in named_dims(field, dim) if d not in axes.spatial)
    label = threshold_label(thresholds, units_of(field))
    complete = plain.notnull().all(axes.spatial)
    parts = [
        average(_of_frames(plain, t, axes).where(complete), over, None, skipna=skipna) for t in label.values
    ]
    score = along(label, parts, keep=np.ndim(thresholds) > 0).transpose(..., "functional")
    title = "area, perimeter and Euler characteristic"
    return dress(score, field, name="minkowski_functionals", long_name=title, units=None)


def minkowski_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Mean of :func:`minkowski_functionals` of the members minus that of the observations.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions; these are always used up.
    thresholds : float or sequence of float
        What is wet, in the units of the data.
    dim, member_dim, weights, keep_attrs
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether to leave out frames with a missing value in observation or any member; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        In cells, sides of cells, and 1 for each frame, with the dimensions ``threshold`` and ``functional``. A long
        perimeter for the area: edges are ragged; a large Euler characteristic: rain falls apart into specks.

    Examples
    --------
    >>> truth = xr.DataArray(np.ones((4, 4)), dims=("y", "x"))
    >>> specks = truth * (np.indices((4, 4)).sum(0) % 2)
    >>> minkowski_error(truth, specks, thresholds=1).sel(functional="euler_characteristic").item()
    7.0
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    label = threshold_label(thresholds, cases.units)
    complete = frames.complete.all(axes.spatial)

    def at(threshold: float) -> xr.DataArray:
        ours, theirs = (_of_frames(part, threshold, axes) for part in (frames.observations, frames.forecasts))
        return frames.average((theirs.mean(member_dim) - ours).where(complete))

    score = along(label, [at(float(t)) for t in label.values], keep=np.ndim(thresholds) > 0)
    score = score.transpose(..., "functional")
    title = "error of area, perimeter and Euler characteristic"
    return dress(
        score, observations, name="minkowski_error", long_name=title, units=None, keep_attrs=keep_attrs
    )


def _of_frames(field: xr.DataArray, threshold: float, axes: Axes) -> xr.DataArray:
    """Functionals of every frame, along a new last dimension."""

    def frame_by_frame(values: Array) -> Array:
        result = np.empty((*values.shape[:-2], len(FUNCTIONALS)))
        for place in np.ndindex(values.shape[:-2]):  # a frame stays in the cache
            result[place] = of_sets(values[place] >= threshold)
        return result

    found: xr.DataArray = xr.apply_ufunc(
        frame_by_frame,
        field,
        input_core_dims=[list(axes.spatial)],
        output_core_dims=[["functional"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"functional": len(FUNCTIONALS)}},
        output_dtypes=[np.float64],
    )
    return found.assign_coords(functional=list(FUNCTIONALS))
