"""Calibration of an ensemble: rank histogram with sampling noise, reliability, spread against error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.quantity import quantity_of
from xdownscale.metrics.cases import Cases, pair
from xdownscale.metrics.labels import real_numbers
from xdownscale.plot.style import (
    BAND,
    INK,
    RATE,
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
"""Number of standard deviations of the central 95 % of a normal distribution."""

_BINS = 10
"""Bins of probability, and of spread."""

WET = 0.1
"""Rain rate in mm/h at or above which a cell is wet, the detection limit of radars."""

_LEAST = 20
"""Minimum number of cases of a plotted bin."""


def rank_histogram(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    threshold: float | Literal["auto"] | None = "auto",
    independent: str | None = "time",
    member_dim: str = "member",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot how often the observation has each rank among the members, with a band of sampling noise.

    A U-shaped histogram means an underdispersive ensemble, a hump an overdispersive one, and a slope a bias. If
    observation and members are all dry, every rank is equally likely, so dry cells flatten the histogram of any
    ensemble. For precipitation, only cases count in which the observation or a member is wet. This selection treats the
    observation like a member, so that the histogram of a calibrated ensemble stays flat; a selection by the observation
    alone would not.

    Parameters
    ----------
    observations : DataArray
        The observed field.
    forecasts : DataArray, or mapping of str to DataArray
        Ensembles, with one panel each.
    threshold : float, "auto" or None
        Only cases count in which the observation or a member reaches it (for 0: exceeds it), in the units of the
        observations; for rain rates in mm/h. "auto" is 0.1 for rain rates, 0 for other precipitation, and None for
        all other variables. None uses all cases.
    independent : str or None
        The dimension along which cases are independent: the band is the central 95 % interval of sampling noise for the
        number of its steps, estimated from their scatter. None treats every case as independent, which gives a band
        that is too narrow for neighbouring cells.
    member_dim : str
        Member dimension of the forecasts.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    DimensionError
        If a forecast has no members, or does not match the observations.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.spread_skill : Error against spread.
    xdownscale.plot.reliability : Observed frequency of an event by its probability.
    xdownscale.metrics.rank_histogram : The values of the plot.

    References
    ----------
    Hamill (2001), interpretation of rank histograms, doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2.

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
        for name, model in models_of(observations, forecasts, member_dim).items()
        if model.sizes.get(member_dim, 1) > 1
    }
    if not models:
        msg = (
            f"no forecast has at least two members along {member_dim!r}. Pass an ensemble, or member_dim=..."
        )
        raise DimensionError(msg)
    figure = new_figure(3.1 * len(models) + 0.2, 2.5)
    grid = figure.add_gridspec(1, len(models))
    for place, ((name, model), look) in enumerate(zip(models.items(), looks(), strict=False)):
        counted, least = _wet(observations, model, threshold, member_dim)
        whole = ranks(counted, model, member_dim=member_dim, skipna=True).compute()
        size = whole.sizes["rank"]
        band = _band(counted, model, independent, member_dim)
        panel = graph(figure, grid[place])
        panel.grid(visible=False, axis="x")
        panel.axhspan(1 - band, 1 + band, color=BAND, zorder=0, label="95 % of chance")
        panel.bar(np.arange(size), whole.values * size, width=0.85, color=look["color"])
        panel.axhline(1, color=INK, linewidth=0.8)
        label(
            panel, x="rank of the observation", y="cases, 1 = flat" if place == 0 else "", title=name + least
        )
        panel.set_xticks(range(0, size, max(1, round(size / 6))))
        legend(panel, loc="best")
    return finished(figure, path)


def _wet(
    observations: xr.DataArray,
    model: xr.DataArray,
    threshold: float | Literal["auto"] | None,
    member_dim: str,
) -> tuple[xr.DataArray, str]:
    """Observations set missing where they and all members are below a threshold, and a description of this."""
    quantity, units = quantity_of(observations), str(in_shown_units(observations).attrs.get("units", ""))
    if threshold == "auto":
        threshold = (WET if units == RATE else 0.0) if quantity.precipitation else None
    if threshold is None:
        return observations, ""
    least = float(real_numbers(threshold, "threshold", "0.1")[0])
    cases = _cases(observations, model, member_dim)
    largest = np.maximum(cases.observations, cases.forecasts.max(member_dim))
    if least == 0:
        return observations.where(largest > 0), ", above zero"
    return observations.where(largest >= least), f", at least {least:g} {pretty(units)}".rstrip()


def _band(observations: xr.DataArray, model: xr.DataArray, independent: str | None, member_dim: str) -> float:
    """Half the width of the band of sampling noise around a flat histogram of mean 1.

    For n independent cases the count of a rank scatters by √(n M)/(M + 1), relative to n/(M + 1): √(M/n). For F
    independent frames with n_f cases, their own scatter replaces that of cases: the variance of the ratio
    Σ n_f h_f / Σ n_f is F/(F − 1) Σ n_f² (h_f − h)² / (Σ n_f)².
    """
    from xdownscale.metrics import rank_histogram as ranks

    members = model.sizes[member_dim]
    others = [d for d in observations.dims if d != independent]
    complete = observations.notnull() & model.notnull().all(member_dim)
    if independent in observations.dims and observations.sizes[independent] > 3 and others:
        frames = ranks(observations, model, dim=others, member_dim=member_dim, skipna=True) * (members + 1)
        cases = complete.sum(others)
        count = int((cases > 0).sum())
        parts = cases / cases.sum() * (frames - (frames * cases).sum(independent) / cases.sum())
        return _NORMAL * float(((parts**2).sum(independent) * count / max(count - 1, 1)).mean() ** 0.5)
    return _NORMAL * float(np.sqrt(members / max(int(complete.sum()), 1)))


def reliability(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    threshold: float,
    *,
    member_dim: str = "member",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot the observed frequency of reaching a threshold by its forecast probability.

    On the diagonal, probabilities are reliable; the horizontal line is the climatological frequency. The lower panel
    shows the number of cases of each probability.

    Parameters
    ----------
    observations : DataArray
        The observed field.
    forecasts : DataArray, or mapping of str to DataArray
        Ensembles; the share of members is the probability.
    threshold : float
        An event is a value at or above the threshold.
    member_dim, path : optional
        As in :func:`rank_histogram`.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    DimensionError
        If observations and forecasts do not match.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.rank_histogram : Ranks of the observations among the members.
    xdownscale.metrics.reliability : The values of the plot.

    References
    ----------
    Bröcker and Smith (2007), increasing the reliability of reliability diagrams, doi:10.1175/WAF993.1.

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
        models_of(observations, forecasts, member_dim).items(), looks(), strict=False
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
    """Mean probability, observed frequency and number of cases of each non-empty probability bin."""
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
    """Plot the error of the ensemble mean by the ensemble spread.

    Cases are sorted by spread into ten bins of equal size; on the diagonal the spread equals the expected error.
    The spread includes the factor √((M + 1)/M) of a finite ensemble.

    Parameters
    ----------
    observations : DataArray
        The observed field.
    forecasts : DataArray, or mapping of str to DataArray
        Ensembles. They are loaded into memory.
    member_dim, path : optional
        As in :func:`rank_histogram`.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    DimensionError
        If observations and forecasts do not match.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.rank_histogram : Ranks of the observations among the members.
    xdownscale.metrics.spread_skill_ratio : The score over all cases.

    References
    ----------
    Fortin et al. (2014), why should ensemble spread match the RMSE, doi:10.1175/JHM-D-14-0008.1.

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
        models_of(observations, forecasts, member_dim).items(), looks(), strict=False
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
    """Observations and a forecast, in the plotted units."""
    return pair(
        in_shown_units(observations), model, dim=None, member_dim=member_dim, weights=None, skipna=True
    )
