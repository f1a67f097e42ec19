"""The values of observations and forecasts as two samples, regardless of place.

The members of an ensemble are one sample: all members are equally likely, so their pooled values are the forecast
distribution of the observations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Callable

    from xdownscale.metrics.cases import Cases

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def pooled(
    kernel: Callable[..., Array],
    cases: Cases,
    output: list[str],
    *,
    sizes: dict[str, int] | None = None,
) -> xr.DataArray:
    """Apply a kernel to the samples over `dims`.

    The kernel gets observations (…, n), forecasts (…, n·M), and weights (…, n) or None. Incomplete
    cases are NaN in all three. The members of one case are adjacent in the forecasts.
    """
    dims = list(cases.dims)
    complete = cases.complete
    arrays = [cases.observations.where(complete), cases.forecasts.where(complete)]
    core = [dims, [*dims, cases.member_dim]]
    if cases.weights is not None:
        arrays.append(cases.weights.broadcast_like(cases.observations).where(complete))
        core.append(dims)
    arrays = [a.chunk(dict.fromkeys(c, -1)) if a.chunks else a for a, c in zip(arrays, core, strict=True)]

    def on_samples(*values: Array) -> Array:
        flat = [v.reshape(*v.shape[: v.ndim - len(c)], -1) for v, c in zip(values, core, strict=True)]
        return kernel(flat[0], flat[1], flat[2] if len(flat) > 2 else None, skipna=cases.skipna)

    score: xr.DataArray = xr.apply_ufunc(
        on_samples,
        *arrays,
        input_core_dims=core,
        output_core_dims=[output],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": sizes or {}},
        output_dtypes=[np.float64],
    )
    return score


def by_row(
    kernel: Callable[[Array, Array, Array, Array], Array],
    ours: Array,
    theirs: Array,
    weight: Array | None,
    *,
    skipna: bool,
    shape: tuple[int, ...] = (),
) -> Array:
    """Apply a kernel to one pair of weighted samples after the other; NaN if a sample is empty.

    The kernel gets observations, forecasts, and the weights of both; `shape` is the shape of its result.
    """
    weight = np.ones(ours.shape) if weight is None else weight
    lead = ours.shape[:-1]
    result = np.full((*lead, *shape), np.nan)
    members = theirs.shape[-1] // ours.shape[-1]
    for place in np.ndindex(lead):
        o, w = ours[place], weight[place].astype(np.float64)
        known = ~np.isnan(o) & ~np.isnan(w)
        if np.sum(w[known]) > 0 and (skipna or known.all()):
            pooled = np.repeat(known, members)
            result[place] = kernel(o[known], theirs[place][pooled], w[known], np.repeat(w[known], members))
    return result
