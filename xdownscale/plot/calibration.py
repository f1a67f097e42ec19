"""Is the ensemble calibrated: rank histogram with its noise, reliability of probabilities, spread against error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.metrics.cases import Cases, pair
from xdownscale.metrics.labels import real_numbers
from xdownscale.plot.style import (
    BAND,
    INK,
    finished,
    graph,
    in_shown_units,
    label,
    legend,
    looks,
    models_of,
    new_figure,
    pretty,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from matplotlib.figure import Figure

_NORMAL = 1.96
"""Standard deviations that hold the central 95 % of a normal distribution."""

_BINS = 10
"""Bins of probability, and of spread."""

_LEAST = 20
"""Cases that a bin needs to be drawn."""


def rank_histogram(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    independent: str | None = "time",
    member_dim: str = "member",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw how often the observation has each rank among the members, with the band of chance around flat.

    A hollow histogram: members too alike; a hump: too different; a slope: too wet or too dry.

    Parameters
    ----------
    observations : DataArray
        What happened.
    forecasts : DataArray, or mapping of str to DataArray
        Ensembles, one panel each.
    independent : str or None
        The dimension along which cases may be taken as independent: the band is the central 95 % of chance for so many
        of its steps, with the scatter that they show. None takes every case as independent, which gives too narrow a
        band for neighbouring cells.
    member_dim : str
        Member dimension of the forecasts.
    path : path, optional
        File to write, in the format of its ending.

    Returns
    -------
    Figure

    Raises
    ------
    DimensionError
        If a forecast has no members, or does not match the observations.
    OptionalDependencyError
        Without matplotlib.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> truth = xr.DataArray(chance.normal(size=(9, 50)), dims=("time", "x"))
    >>> ensemble = xr.DataArray(chance.normal(size=(4, 9, 50)), dims=("member", "time", "x"))
    >>> figure = rank_histogram(truth, ensemble)
    >>> len(figure.axes[0].patches) >= 5
    True
    """
    from xdownscale.metrics import rank_histogram as ranks

    models = {
        name: model
        for name, model in models_of(forecasts, observations, member_dim).items()
        if model.sizes.get(member_dim, 1) > 1
    }
    if not models:
        msg = f"no forecast has two members or more along {member_dim!r}. Pass an ensemble, or member_dim=..."
        raise DimensionError(msg)
    figure = new_figure(3.1 * len(models) + 0.2, 2.5)
    grid = figure.add_gridspec(1, len(models))
    for place, ((name, model), look) in enumerate(zip(models.items(), looks(), strict=False)):
        whole = ranks(observations, model, member_dim=member_dim, skipna=True).compute()
        size = whole.sizes["rank"]
        band = _band(observations, model, independent, member_dim)
        panel = graph(figure, grid[place])
        panel.grid(visible=False, axis="x")
        panel.axhspan(1 - band, 1 + band, color=BAND, zorder=0, label="95 % of chance")
        panel.bar(np.arange(size), whole.values * size, width=0.85, color=look["color"])
        panel.axhline(1, color=INK, linewidth=0.8)
        label(panel, x="rank of the observation", y="cases, 1 = flat" if place == 0 else "", title=name)
        panel.set_xticks(range(0, size, max(1, round(size / 6))))
        legend(panel, loc="best")
    return finished(figure, path)


def _band(observations: xr.DataArray, model: xr.DataArray, independent: str | None, member_dim: str) -> float:
    """Half the width of the band of chance around a flat histogram of mean 1.

    For n independent cases the count of a rank scatters by √(n M)/(M + 1), relative to n/(M + 1): √(M/n). For n
    independent frames their own scatter takes the place of that of cases.
    """
    from xdownscale.metrics import rank_histogram as ranks

    members = model.sizes[member_dim]
    others = [d for d in observations.dims if d != independent]
    if independent in observations.dims and observations.sizes[independent] > 3 and others:
        frames = ranks(observations, model, dim=others, member_dim=member_dim, skipna=True) * (members + 1)
        count = frames.notnull().sum(independent)
        scatter = frames.std(independent, ddof=1, skipna=True) / np.sqrt(count)
        return _NORMAL * float((scatter**2).mean() ** 0.5)
    complete = (observations.notnull() & model.notnull().all(member_dim)).sum()
    return _NORMAL * float(np.sqrt(members / max(int(complete), 1)))


def reliability(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    threshold: float,
    *,
    member_dim: str = "member",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw how often a threshold is reached where the ensemble says so with some probability.

    On the diagonal probabilities are what they say; the flat line is the climate. Below, how many cases each
    probability has.

    Parameters
    ----------
    observations : DataArray
        What happened.
    forecasts : DataArray, or mapping of str to DataArray
        Ensembles; the share of members is the probability.
    threshold : float
        An event is a value of at least this.
    member_dim, path
        As in :func:`rank_histogram`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> truth = xr.DataArray(chance.random(900), dims="x")
    >>> ensemble = xr.DataArray(chance.random((4, 900)), dims=("member", "x"))
    >>> figure = reliability(truth, ensemble, 0.5)
    >>> figure.axes[0].get_xlabel(), figure.axes[1].get_ylabel()
    ('', 'cases')
    """
    real_numbers(threshold, "threshold", "1.0")
    figure = new_figure(3.4, 4.0)
    grid = figure.add_gridspec(2, 1, height_ratios=(3, 1))
    panel, below = graph(figure, grid[0]), graph(figure, grid[1])
    panel.plot([0, 1], [0, 1], color=INK, linewidth=0.8)
    climate = np.nan
    for (name, model), look in zip(
        models_of(forecasts, observations, member_dim).items(), looks(), strict=False
    ):
        said, happened, count = _reliability(_cases(observations, model, member_dim), threshold)
        panel.plot(said, happened, label=name, markersize=4, **look)
        below.plot(said, count, markersize=3, **look)
        climate = np.sum(happened * count) / np.sum(count)
    panel.axhline(climate, color=INK, linewidth=0.7, linestyle=":")
    below.set_yscale("log")
    below.minorticks_off()
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    below.set(xlim=(-0.02, 1.02))
    units = pretty(str(observations.attrs.get("units", "")))
    label(panel, x="", y="observed frequency", title=f"at least {threshold:g} {units}".rstrip())
    label(below, x="forecast probability", y="cases")
    legend(panel, loc="upper left")
    return finished(figure, path)


def _reliability(cases: Cases, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, observed frequency and number of cases of each bin of probability that has any."""
    complete = cases.complete
    reaching = (cases.forecasts >= threshold).sum(cases.member_dim).where(complete, -1)
    count, events = (
        np.array([float(((reaching == n) & which).sum()) for n in range(cases.members + 1)])
        for which in (complete, cases.observations >= threshold)
    )
    probability = np.arange(cases.members + 1) / cases.members
    bins = np.minimum((probability * min(cases.members, _BINS) + 0.5).astype(int), min(cases.members, _BINS))
    total = np.bincount(bins, count)
    kept = total > 0
    said, happened = (np.bincount(bins, v)[kept] / total[kept] for v in (probability * count, events))
    return said, happened, total[kept]


def spread_skill(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    member_dim: str = "member",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw the error of the ensemble mean where the spread is small, and where it is large.

    Cases are sorted by spread into ten bins of equal size; on the diagonal the spread says how large the error will be.
    The spread carries the factor √((M + 1)/M) of a finite ensemble.

    Parameters
    ----------
    observations : DataArray
        What happened.
    forecasts : DataArray, or mapping of str to DataArray
        Ensembles. Their values are brought into memory.
    member_dim, path
        As in :func:`rank_histogram`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> truth = xr.DataArray(chance.random(900), dims="x")
    >>> ensemble = xr.DataArray(chance.random((4, 900)), dims=("member", "x"))
    >>> spread_skill(truth, ensemble).axes[0].get_xlabel()
    'spread of the members'
    """
    figure = new_figure(3.4, 3.3)
    panel = graph(figure)
    largest = 0.0
    for (name, model), look in zip(
        models_of(forecasts, observations, member_dim).items(), looks(), strict=False
    ):
        if model.sizes.get(member_dim, 1) < 2:
            continue
        spread, error = _spread_error(_cases(observations, model, member_dim))
        panel.plot(spread, error, label=name, markersize=4, **look)
        largest = max([largest, *spread, *error])
    panel.plot([0, largest], [0, largest], color=INK, linewidth=0.8)
    panel.set(xlim=(0, None), ylim=(0, None))
    units = pretty(str(in_shown_units(observations).attrs.get("units", "1")))
    label(panel, x="spread of the members", y=f"error of their mean [{units}]")
    legend(panel, loc="upper left")
    return finished(figure, path)


def _spread_error(cases: Cases) -> tuple[np.ndarray, np.ndarray]:
    """Root mean variance and root mean squared error of the mean, in bins of equal size by variance."""
    variance = cases.forecasts.var(cases.member_dim, ddof=1, skipna=False).values.ravel()
    squared = ((cases.ensemble_mean() - cases.observations) ** 2).values.ravel()
    known = ~np.isnan(squared) & ~np.isnan(variance)
    order = np.argsort(variance[known], kind="stable")
    bins = np.array_split(order, max(min(_BINS, order.size // _LEAST), 1))
    factor = (cases.members + 1) / cases.members
    return (
        np.array([np.sqrt(factor * variance[known][part].mean()) for part in bins]),
        np.array([np.sqrt(squared[known][part].mean()) for part in bins]),
    )


def _cases(observations: xr.DataArray, model: xr.DataArray, member_dim: str) -> Cases:
    """Observations beside a forecast, in the units that are shown."""
    return pair(
        in_shown_units(observations), model, dim=None, member_dim=member_dim, weights=None, skipna=True
    )
