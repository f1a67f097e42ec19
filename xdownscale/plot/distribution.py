"""Distributions and texture: quantile-quantile plot, power by wavelength."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.field.axes import find_axes
from xdownscale.metrics.cases import pair
from xdownscale.metrics.scorable import scorable
from xdownscale.plot.style import (
    INK,
    TRUTH,
    finished,
    graph,
    in_shown_units,
    label,
    legend,
    looks,
    models_of,
    new_figure,
    pretty,
    title_of,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from matplotlib.figure import Figure

_PERCENTILES = (50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 99.995, 99.999)
"""Percentiles of the quantile plot; only those with observations beyond them are plotted."""

_NAMED = (50, 90, 99, 99.9, 99.99, 99.999)


def quantiles(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    member_dim: str = "member",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot percentiles of the forecasts against those of the observations, with members pooled.

    On the diagonal the values have the right distribution, regardless of place.

    Parameters
    ----------
    observations : DataArray
        The observed field.
    forecasts : DataArray, or mapping of str to DataArray
        One forecast or several. They are loaded into memory.
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
        If observations and forecasts do not match.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.spectra : Plot of power by wavelength.
    xdownscale.metrics.quantiles : The values of the plot.

    Examples
    --------
    >>> truth = xr.DataArray(np.arange(1000.0), dims="x")
    >>> figure = quantiles(truth, {"double": 2 * truth})
    >>> x, y = figure.axes[0].lines[1].get_data()
    >>> bool(np.allclose(y, 2 * x))
    True
    """
    observations = scorable(observations, "observations")
    figure = new_figure(3.4, 3.4)
    panel = graph(figure)
    shown = in_shown_units(observations)
    panel.plot([], [], color=INK, linewidth=0.8)
    largest, ours, wanted = 0.0, np.zeros(0), np.zeros(0)
    for (name, model), look in zip(
        models_of(observations, forecasts, member_dim).items(), looks(), strict=False
    ):
        cases = pair(shown, model, dim=None, member_dim=member_dim, weights=None, skipna=True)
        truth = cases.observations.where(cases.complete).values
        theirs = cases.forecasts.where(cases.complete).values
        # A percentile needs one value beyond it at least; the last is the maximum.
        wanted = np.array([q for q in _PERCENTILES if np.isfinite(truth).sum() * (1 - q / 100) >= 1])
        ours = np.nanpercentile(truth, wanted)
        after = np.nanpercentile(theirs, wanted)
        panel.plot(ours, after, label=name, markersize=4, **look)
        largest = max(largest, ours.max(initial=0), after.max(initial=0))
    panel.lines[0].set_data([0, largest], [0, largest])
    panel.set(xlim=(0, 1.04 * largest or 1), ylim=(0, 1.04 * largest or 1))
    above = panel.secondary_xaxis("top")
    above.set_xticks(
        *_ticks(ours, wanted, largest),
        fontsize=6.5,
        color=INK,
        rotation=45,
        ha="left",
        rotation_mode="anchor",
    )
    above.tick_params(length=2, width=0.5)
    above.spines["top"].set_visible(False)
    label(panel, x=f"observed {title_of(shown)}", y="forecast, same percentile")
    legend(panel, loc="upper left")
    return finished(figure, path)


def _ticks(values: np.ndarray, wanted: np.ndarray, largest: float) -> tuple[list[float], list[str]]:
    """Percentiles to label: those that are far enough from the previous one."""
    places: list[float] = []
    names = []
    for value, q in zip(values, wanted, strict=True):
        if q in _NAMED and (not places or value - places[-1] > 0.07 * largest):
            places.append(float(value))
            names.append(f"{q:g} %")
    return places, names


def spectra(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    factor: float | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot radially averaged power of single members by wavelength, and its ratio to the observed power in dB.

    Parameters
    ----------
    observations : DataArray
        The observed field.
    forecasts : DataArray, or mapping of str to DataArray
        One forecast or several.
    factor : float, optional
        Fine cells per coarse cell: a line marks the shortest wavelength of the coarse grid, two coarse cells. Power to
        its right is not determined by the coarse field.
    path : path, optional
        File to write, in the format of its extension.

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
    xdownscale.plot.quantiles : Quantiles of the values.
    xdownscale.metrics.power_spectrum : The values of the plot.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((2, 32, 32))
    >>> figure = spectra(rain, {"half": rain / 2}, factor=4)
    >>> ratio = figure.axes[1].lines[1].get_ydata()
    >>> bool(np.allclose(ratio, 20 * np.log10(0.5)))
    True
    """
    from xdownscale.metrics import power_spectrum

    observations = scorable(observations, "observations")
    figure = new_figure(3.8, 4.2)
    grid = figure.add_gridspec(2, 1, height_ratios=(2.2, 1))
    panel = graph(figure, grid[0])
    below = graph(figure, grid[1])
    shown = in_shown_units(observations)
    scale, unit = _wavelength(shown)
    truth = power_spectrum(shown, skipna=True).compute()
    length = 1 / truth["wavenumber"].values * scale
    panel.plot(length, truth.values, color=TRUTH, linewidth=1.6, label="truth")
    below.axhline(0, color=TRUTH, linewidth=1.2)
    for (name, model), look in zip(models_of(observations, forecasts).items(), looks(), strict=False):
        power = power_spectrum(_like(model, shown), skipna=True).compute().values
        curve = look | {"marker": ""}
        panel.plot(length, power, label=name, **curve)
        with np.errstate(divide="ignore", invalid="ignore"):
            below.plot(length, 10 * np.log10(power / truth.values), **curve)
    for each in (panel, below):
        each.set_xscale("log")
        each.set_xlim(length.max(), length.min())
        if factor is not None:
            each.axvline(2 * factor * length.min() / 2, color=INK, linewidth=0.7, linestyle=":")
        _plain_ticks(each)
    if np.isfinite(truth.values).any():
        panel.set_yscale("log")
        _limit(panel, truth.values)
    else:
        panel.set_title("no frame without missing cells: select a rectangle without gaps", fontsize="small")
    panel.tick_params(labelbottom=False, which="both")
    units = pretty(str(truth.attrs.get("units", "1")))
    label(panel, x="", y=f"power [{units}]")
    label(below, x=f"wavelength [{unit}]", y="over truth [dB]")
    low, high = below.get_ylim()
    below.set_ylim(max(low, -25), min(high, 25))
    legend(panel, loc="lower left")
    return finished(figure, path)


def _limit(panel: Any, truth: np.ndarray) -> None:
    """Leave out power far below the observed minimum: that of interpolated fields drops to rounding error."""
    positive = truth[truth > 0]
    if positive.size:
        low, high = panel.get_ylim()
        panel.set_ylim(max(low, positive.min() / 100), high)


def _plain_ticks(panel: Any) -> None:
    """Wavelengths as plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    far, near = panel.get_xlim()
    steps = [m * 10.0**p for p in range(-3, 6) for m in (1, 2, 5)]
    panel.xaxis.set_major_locator(FixedLocator([s for s in steps if near <= s <= far]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _like(model: xr.DataArray, observations: xr.DataArray) -> xr.DataArray:
    """A forecast on the coordinates and in the units of the observations."""
    cases = pair(observations, model, dim=None, member_dim="member", weights=None, skipna=True)
    return cases.forecasts.assign_attrs(observations.attrs)


def _wavelength(field: xr.DataArray) -> tuple[float, str]:
    """Factor from the units of the coordinates to the plotted units."""
    axes = find_axes(field)
    units = str(field[axes.y].attrs.get("units", "")) if axes.y in field.coords else "cells"
    if units in ("m", "metre", "meter"):
        return 1e-3, "km"
    return 1.0, units or "units of the coordinates"
