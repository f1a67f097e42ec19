"""Scores of more than fits into memory: sums of parts, which add up to those of the whole.

A mean score is a sum over cases by a sum of weights. Both are kept with twice the digits of a double, so that a year
cut into days, or a country into provinces, gives the same bits as the whole at once.
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
    """What :func:`accumulate` keeps of some cases; add those of other cases to it.

    Attributes
    ----------
    totals : dict of str to Total
        The sums, none as large as the data.
    metrics : tuple of str
        The scores that follow from them.
    members : int
        Number of members M.
    units : str or None
        Units of the data.
    edges : tuple of float
        Edges of the histograms.
    areas : str
        Which areas the cells of a part were weighed by: those of other rows do not compare.
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
            If both are not of the same scores, units, number of members and places.
        """
        ours, theirs = ((s.metrics, s.members, s.units, s.edges) for s in (self, other))
        if ours != theirs:
            msg = (
                f"sums of (metrics, members, units, edges) {ours} and {theirs} do not add up. Call accumulate with the "
                f"same arguments for every part."
            )
            raise DimensionError(msg)
        if self.areas != other.areas:
            msg = (
                "parts of other rows are weighed by areas relative to their own, which do not add up. Pass weights "
                "that compare: accumulate(..., weights=numpy.cos(numpy.deg2rad(observations.lat)))."
            )
            raise DimensionError(msg)
        totals = {name: total + other.totals[name] for name, total in self.totals.items()}
        return Sums(totals, self.metrics, self.members, self.units, self.edges, self.areas)

    def scores(self) -> xr.Dataset:
        """Scores of all cases that were added: a variable for each metric."""
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
    steps: int | None = None,
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
) -> Sums:
    """Sums from which scores follow, and which add up over parts of the data.

    With `steps` lazy fields stream through: so many times are loaded, summed and forgotten before the next. Or call it
    for parts as they come and add the results, in any order: ``(first + second).scores()`` has the bits of the scores
    of the whole, however the cases were cut, but for weighted histograms, which agree to rounding. Scores are those of
    the functions of the same names, to rounding.

    Parameters
    ----------
    observations, forecasts : DataArray
        What happened, and the ensemble. Lazy fields are computed here.
    metrics : sequence of str
        Some of bias, brier_score, crps_ensemble, emd, lsd, mae, mse, pit_deviation, power_spectra, rank_histogram, rmse
        and spread_skill_ratio.
    thresholds : float or sequence of float, optional
        For brier_score.
    edges : sequence of float, optional
        Edges of the bins for emd, which is that of histograms here.
    steps : int, optional
        Times to load at once; all by default.
    dim, member_dim, skipna
        As in :func:`~xdownscale.metrics.mse`.
    weights : DataArray, "area" or None
        As in :func:`~xdownscale.metrics.mse`. Areas are relative to the mean of a part: parts of other rows of a
        latitude-longitude grid need weights that compare, as the cosine of the latitude.

    Returns
    -------
    Sums
        With ``+`` and ``scores()``, a Dataset with a variable for each metric.

    Raises
    ------
    ValueRangeError
        If a metric is not among these, or lacks its thresholds or edges.
    DimensionError
        If observations and forecasts do not fit, or parts that are added do not.

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

    parts = (of_part(*part) for part in _parts(observations, forecasts, shares, steps, dim))
    return reduce(lambda first, second: first + second, parts)


def _fingerprint(areas: xr.DataArray) -> str:
    """What tells the areas of some rows from those of others."""
    return hashlib.sha256(np.ascontiguousarray(areas.values).tobytes()).hexdigest()


def _check(
    metrics: Sequence[str], thresholds: float | Sequence[float] | None, edges: Sequence[float] | None
) -> None:
    """Metrics are known and have what they need."""
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
    steps: int | None,
    dim: Dim,
) -> Iterator[tuple[xr.DataArray, xr.DataArray, xr.DataArray | None]]:
    """Pieces along time of so many steps, not loaded yet and not kept."""
    if steps is None:
        yield observations.copy(deep=False), forecasts.copy(deep=False), weights
        return
    steps = whole_number(steps, "steps")
    time = str(find_axes(observations, need_time=True).time)
    named = observations.dims if dim is None else (dim,) if isinstance(dim, str) else tuple(dim)
    if time not in named or forecasts.sizes.get(time) != observations.sizes[time]:
        msg = (
            f"steps={steps} cuts both fields along {time!r}, which they share and which is averaged. Name it in "
            f"dim."
        )
        raise DimensionError(msg)
    for start in range(0, observations.sizes[time], steps):
        at = {time: slice(start, start + steps)}
        share = weights.isel(at) if weights is not None and time in weights.dims else weights
        yield observations.isel(at), forecasts.isel(at), share
