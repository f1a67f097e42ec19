"""Return levels: values that are reached once in a number of days or years."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xdownscale.errors import TimeAxisError, ValueRangeError
from xdownscale.field.axes import find_axes
from xdownscale.metrics.cases import Dim, Weights, pair
from xdownscale.metrics.distribution import percentiles
from xdownscale.metrics.labels import difference_units, dress, real_numbers, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr


def return_level_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    block: int,
    periods: float | Sequence[float] = (2.0, 10.0),
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Return level of the forecasts minus that of the observations.

    The level with a return period of T blocks is the value that the maximum of a block exceeds with the probability
    1/T: the percentile 100·(1 − 1/T) of the block maxima at single points. Maxima are pooled over `dim` and the
    members; no distribution is fitted, so periods longer than the number of pooled maxima are not available.

    Parameters
    ----------
    observations, forecasts : DataArray
        With time, which is always reduced.
    block : int
        Steps in a block, such as 288 for days of 5-minute steps. An incomplete block at the end is left out.
    periods : float or sequence of float
        Return periods in blocks, more than 1.
    dim, member_dim : optional
        As in :func:`~xdownscale.metrics.mse`.
    weights : DataArray or "area", optional
        Weights of the cases; a block has the mean weight of its steps.
    skipna : bool
        Whether to leave out blocks with an incomplete case; otherwise they give NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"time": "step"}``.

    Returns
    -------
    DataArray
        In the units of the data, with the dimension ``period``; negative where extremes are too weak.

    Raises
    ------
    TimeAxisError
        If there is no complete block.
    ValueRangeError
        If a period is not longer than 1 block, or longer than the number of pooled maxima of the observations.

    See Also
    --------
    xdownscale.metrics.percentile_error : Difference of percentiles from those of the observations.

    Examples
    --------
    >>> import xarray as xr
    >>> truth = xr.DataArray(np.arange(24.0), dims="time").expand_dims(y=1, x=1)
    >>> return_level_error(truth, 2 * truth, block=6, periods=[2]).values
    array([14.])
    """
    wanted = real_numbers(periods, "periods", "(2, 10)")
    block = whole_number(block, "block")
    if not np.all(wanted > 1):
        msg = f"return periods are longer than one block, found {periods}. Pass for example periods=(2, 10)."
        raise ValueRangeError(msg)
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    time = str(find_axes(observations, dims=dims, need_time=True).time)
    steps = observations.sizes[time]
    if not 1 <= block <= steps:
        msg = (
            f"blocks of {block} steps do not fit into {steps} steps. Pass a longer field, or a smaller block."
        )
        raise TimeAxisError(msg)
    complete = cases.complete

    def of_blocks(field: xr.DataArray, how: str) -> xr.DataArray:
        if time not in field.dims:
            return field
        bare = field.drop_vars(time, errors="ignore")
        return bare.coarsen({time: block}, boundary="trim").reduce(getattr(np, how))

    maxima = replace(
        cases,
        observations=of_blocks(cases.observations.where(complete), "max"),
        forecasts=of_blocks(cases.forecasts.where(complete), "max"),
        weights=None if cases.weights is None else of_blocks(cases.weights, "mean"),
        dims=tuple(str(d) for d in observations.dims if d in {*cases.dims, time}),
    )
    count = int(np.prod([maxima.observations.sizes[d] for d in maxima.dims]))
    if wanted.max() > count:
        msg = (
            f"{count} block maxima do not determine a return period of {wanted.max():g} blocks. "
            f"Pass periods up to {count}, pool over more dimensions, or pass a longer field."
        )
        raise ValueRangeError(msg)
    both = percentiles(maxima, list(100 * (1 - 1 / wanted)))
    score = (both.isel(source=1) - both.isel(source=0)).rename(percentile="period")
    attrs = {"long_name": "return period", "units": "blocks"}
    score = score.assign_coords(period=("period", wanted, attrs))
    score = score if np.ndim(periods) else score.isel(period=0)
    units, title = difference_units(cases.units), "error of the return level"
    score = dress(
        score, observations, name="return_level_error", long_name=title, units=units, keep_attrs=keep_attrs
    )
    return score.assign_attrs(block=block)
