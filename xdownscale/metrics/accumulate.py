"""Scores of data larger than memory: sums of parts, which add up to those of the whole.

A mean score is a sum over cases divided by a sum of weights. Both are kept with twice the precision of a double, so a
year split into days, or a country into provinces, gives bitwise the same result as the whole at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.field.axes import find_axes
from xdownscale.metrics.cases import Dim, Weights, pair, weights_of
from xdownscale.metrics.histogram import checked_edges
from xdownscale.metrics.labels import whole_number
from xdownscale.metrics.recipes import RECIPES, TERMS
from xdownscale.metrics.scorable import scorable
from xdownscale.metrics.totals import Total


@dataclass(frozen=True)
class Sums:
    """Sums of some cases from :func:`accumulate`; the sums of other cases can be added.

    Parameters
    ----------
    totals : dict of str to Total
        The sums, all smaller than the data.
    metrics : tuple of str
        The scores that can be computed from them.
    members : int
        Number of members M.
    units : str or None
        Units of the data.
    edges : tuple of float
        Edges of the histograms.
    areas : str
        Identifier of the cell areas of a part: weights of other rows are not comparable.

    See Also
    --------
    xdownscale.metrics.accumulate : Compute sums from data.

    Examples
    --------
    >>> truth = xr.DataArray([0.0, 2.0, 4.0], dims="time")
    >>> ensemble = xr.concat([truth, truth + 1], "member")
    >>> parts = [accumulate(truth[part], ensemble[:, part]) for part in (slice(0, 1), slice(1, 3))]
    >>> float((parts[0] + parts[1]).scores()["bias"])
    0.5
    """

    totals: dict[str, Total]
    metrics: tuple[str, ...]
    members: int
    units: str | None
    edges: tuple[float, ...] = ()
    areas: str = ""

    def __add__(self, other: Sums) -> Sums:
        """Sums of the cases of both.

        Raises
        ------
        DimensionError
            If scores, units, number of members or places differ.
        """
        ours, theirs = ((s.metrics, s.members, s.units, s.edges) for s in (self, other))
        if ours != theirs:
            msg = (
                f"sums of (metrics, members, units, edges) {ours} and {theirs} cannot be added. Call accumulate with "
                "the "
                f"same arguments for every part."
            )
            raise DimensionError(msg)
        if self.areas != other.areas:
            msg = (
                "parts with different rows have weights relative to their own areas, which cannot be added. Pass "
                "common weights: accumulate(..., weights=numpy.cos(numpy.deg2rad(observations.lat)))."
            )
            raise DimensionError(msg)
        totals = {name: total + other.totals[name] for name, total in self.totals.items()}
        return Sums(totals, self.metrics, self.members, self.units, self.edges, self.areas)

    def scores(self) -> xr.Dataset:
        """Scores of all added cases.

        Returns
        -------
        Dataset
            One variable per metric, as from :func:`xdownscale.evaluate`.
        """
        means = {name: total.mean() for name, total in self.totals.items()}
        found = {}
        for name in self.metrics:
            recipe = RECIPES[name]
            score = recipe.finish(means, self).drop_attrs(deep=False)
            units = {"units": recipe.units(self.units)} if recipe.units(self.units) else {}
            found[name] = score.assign_attrs({"long_name": recipe.title} | units)
        return xr.Dataset(found)


def accumulate(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    metrics: Sequence[str] = ("crps_ensemble", "mae", "rmse", "bias", "spread_skill_ratio", "pit_deviation"),
    thresholds: float | Sequence[float] | None = None,
    edges: Sequence[float] | None = None,
    times: int | None = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
) -> Sums:
    """Sums from which scores are computed, and which can be added over parts of the data.

    With `times`, lazy fields are streamed: this many time steps are loaded, summed and released before the next.
    Alternatively, call the function for each part and add the results in any order: ``(first + second).scores()`` is
    bitwise the score of the whole, however the cases are split, except for weighted histograms, which agree to
    rounding. Scores equal those of the functions with the same names, to rounding.

    Parameters
    ----------
    observations, forecasts : DataArray
        Observed field and ensemble. Lazy fields are computed.
    metrics : sequence of str
        Some of bias, brier_score, crps_ensemble, emd, lsd, mae, mse, pit_deviation, power_spectra, rank_histogram, rmse
        and spread_skill_ratio.
    thresholds : float or sequence of float, optional
        For brier_score.
    edges : sequence of float, optional
        Edges of the bins for emd, which is computed from histograms.
    times : int, optional
        Number of time steps to load at once; all by default.
    dim, member_dim, skipna : optional
        As in :func:`~xdownscale.metrics.mse`.
    weights : DataArray, "area" or None
        As in :func:`~xdownscale.metrics.mse`. Areas are relative to the mean of a part: parts with other rows of a
        latitude-longitude grid need comparable weights, such as the cosine of the latitude.

    Returns
    -------
    Sums
        They can be added with ``+``; ``scores()`` returns a Dataset with one variable per metric.

    Raises
    ------
    ValueRangeError
        If a metric is not supported, or its thresholds or edges are missing.
    DimensionError
        If observations and forecasts do not match, or the added parts do not.

    See Also
    --------
    xdownscale.evaluate : Score forecasts against observations.

    Examples
    --------
    >>> import numpy as np
    >>> chance = np.random.default_rng(0)
    >>> truth = xr.DataArray(chance.random((8, 4, 4)), dims=("time", "y", "x"))
    >>> ensemble = xr.DataArray(chance.random((5, 8, 4, 4)), dims=("member", "time", "y", "x"))
    >>> whole = accumulate(truth, ensemble).scores()
    >>> days = [slice(0, 3), slice(3, 8)]
    >>> first, second = (accumulate(truth.isel(time=d), ensemble.isel(time=d)) for d in days)
    >>> (first + second).scores().identical(whole)
    True
    """
    _check(metrics, thresholds, edges)
    bins = () if edges is None else tuple(checked_edges(edges).tolist())
    observations = scorable(observations, "observations")
    forecasts = scorable(forecasts, "forecasts")
    shares = weights_of(weights, observations, (dim,) if isinstance(dim, str) else dim)
    areas = _fingerprint(shares) if shares is not None and isinstance(weights, str) else ""
    options: dict[str, Any] = {"dim": dim, "member_dim": member_dim, "skipna": skipna}

    def of_part(ours: xr.DataArray, theirs: xr.DataArray, share: xr.DataArray | None) -> Sums:
        cases = pair(ours.load(), theirs.load(), weights=None if share is None else share.load(), **options)
        wanted = dict.fromkeys(term for name in metrics for term in RECIPES[name].terms)
        totals = {term: TERMS[term](cases, thresholds, bins) for term in wanted}
        return Sums(totals, tuple(metrics), cases.members, cases.units, bins, areas)

    parts = (of_part(*part) for part in _parts(observations, forecasts, shares, times, dim))
    return reduce(lambda first, second: first + second, parts)


def _fingerprint(areas: xr.DataArray) -> str:
    """Identifier of the areas of a set of rows."""
    return hashlib.sha256(np.ascontiguousarray(areas.values).tobytes()).hexdigest()


def _check(
    metrics: Sequence[str], thresholds: float | Sequence[float] | None, edges: Sequence[float] | None
) -> None:
    """Check that metrics are known and have their arguments."""
    unknown = [name for name in metrics if name not in RECIPES]
    if unknown or not metrics:
        msg = f"metrics {unknown} are not sums over cases. Pass some of {sorted(RECIPES)}."
        raise ValueRangeError(msg)
    if "brier_score" in metrics and thresholds is None:
        msg = "brier_score needs thresholds. Pass them, as in accumulate(..., thresholds=[0.1, 1, 10])."
        raise ValueRangeError(msg)
    if "emd" in metrics and edges is None:
        msg = "emd needs the edges of bins. Pass them, as in accumulate(..., edges=numpy.linspace(0, 200, 2001))."
        raise ValueRangeError(msg)


def _parts(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    weights: xr.DataArray | None,
    times: int | None,
    dim: Dim,
) -> Iterator[tuple[xr.DataArray, xr.DataArray, xr.DataArray | None]]:
    """Pieces of this many time steps, which are neither loaded yet nor kept."""
    if times is None:
        yield observations.copy(deep=False), forecasts.copy(deep=False), weights
        return
    times = whole_number(times, "times")
    time = str(find_axes(observations, need_time=True).time)
    named = observations.dims if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    if time not in named or forecasts.sizes.get(time) != observations.sizes[time]:
        msg = f"times={times} splits both fields along {time!r}, which must be averaged. Add it to dim."
        raise DimensionError(msg)
    for start in range(0, observations.sizes[time], times):
        at = {time: slice(start, start + times)}
        share = weights.isel(at) if weights is not None and time in weights.dims else weights
        yield observations.isel(at), forecasts.isel(at), share
