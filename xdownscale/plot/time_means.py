"""Time means of forecasts and of the observed field as maps over topography."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.static import static_on_grid
from xdownscale.metrics.cases import Cases, pair
from xdownscale.metrics.scorable import scorable
from xdownscale.plot.maps import Ground, flat, in_lines, upright
from xdownscale.plot.style import INK, finished, in_shown_units, matplotlib_figures, models_of, new_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import xarray as xr
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

_PANEL = 2.2
"""Length of the longer side of a panel in inches."""

_CONTOURS = 4
"""Number of contours of the topography, at equal steps between its lowest and its highest cell."""


def time_means(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    topography: xr.DataArray | None = None,
    member_dim: str = "member",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot the time mean of the observed field and of each forecast, and below it their difference.

    Scores over all cells hide where a forecast is wrong. Over mountains, errors of the time mean follow the
    topography: a forecast that is too wet on one side and too dry on the other misses the effect of the slope.

    Parameters
    ----------
    observations : DataArray, dims (time, y, x)
        The observed field. Time means are over the steps at which observations and forecast are both known.
    forecasts : DataArray, or mapping of str to DataArray
        Forecasts, averaged over their members and over time, with one column each.
    topography : DataArray, dims (y, x), optional
        Height of the ground on the grid of the observations or on a larger one, drawn as contours.
    member_dim : str
        Member dimension of the forecasts.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display. Differences are forecast minus observation.

    Raises
    ------
    DimensionError
        If there is no time, a forecast does not match the observations, or the topography does not cover them.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.metrics.bias : The difference of means as a score.
    xdownscale.plot.comparison : Members of one step.

    Examples
    --------
    >>> import xdownscale
    >>> truth = xdownscale.tutorial.rain((6, 40, 40))
    >>> bicubic = truth.sr.coarsen(spatial=10, temporal=3).sr.interpolate(10, 3)
    >>> figure = time_means(truth, {"bicubic": bicubic})
    >>> [panel.get_title() for panel in figure.axes[:2]], figure.axes[2].get_ylabel()
    (['observed', 'bicubic'], 'forecast − observed')
    """
    matplotlib_figures()
    shown = in_shown_units(scorable(observations, "observations"))
    time = flat(shown, "observed field").time
    if time is None:
        msg = "the observed field has no time to average over. Pass a field with time."
        raise DimensionError(msg)
    frame = shown.isel({time: 0}, drop=True)
    space = find_axes(frame)
    means = {}
    for name, model in models_of(shown, forecasts, member_dim).items():
        cases = pair(shown, model, dim=None, member_dim=member_dim, weights=None, skipna=True)
        means[name] = _means(cases, time, space)
    ground = Ground.of(frame, space)
    heights = None if topography is None else _heights(topography, frame, space)
    differences = [ours - theirs for ours, theirs in means.values()]
    scale = ground.colours(frame for pair in means.values() for frame in pair)
    largest = max((float(np.nanmax(np.abs(each), initial=0.0)) for each in differences), default=0.0) or 1.0
    signed = {"cmap": "BrBG" if ground.rain else "RdBu_r", "vmin": -largest, "vmax": largest}

    width, height = ground.panel_size(_PANEL, ["observed", *means])
    figure = new_figure((len(means) + 1) * width + 1.4, 2 * height + 0.9)
    grid = figure.add_gridspec(2, len(means) + 1)
    above, below = [figure.add_subplot(grid[0, 0])], []
    image = _map(above[0], next(iter(means.values()))[1], "observed", ground, scale, heights)
    for column, (name, (ours, _)) in enumerate(means.items(), 1):
        above.append(figure.add_subplot(grid[0, column]))
        _map(above[-1], ours, in_lines(name, width), ground, scale, heights)
    for column, difference in enumerate(differences, 1):
        below.append(figure.add_subplot(grid[1, column]))
        signs = _map(below[-1], difference, "", ground, signed, heights)
    below[0].set_ylabel("forecast − observed", fontsize=8, color=INK)
    ground.draw_scale_bar(above[0])
    if topography is not None and heights is not None:
        _name_contours(figure.add_subplot(grid[1, 0]), topography, heights)
    for panels, drawn, text in ((above, image, ground.label), (below, signs, "difference of time means")):
        bar = figure.colorbar(drawn, ax=panels, aspect=18, pad=0.015, fraction=0.04)
        bar.set_label(fill(text, 30), fontsize=7, color=INK)
        bar.ax.tick_params(labelsize=7, length=2, colors=INK)
    return finished(figure, path)


def _means(cases: Cases, time: str, space: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Time means of forecast and observations over the steps at which both are known, north in the last row."""
    forecast, observed = (
        upright(each.where(cases.complete).mean(time), space)[0]
        for each in (cases.ensemble_mean(), cases.observations)
    )
    return forecast, observed


def _heights(topography: xr.DataArray, frame: xr.DataArray, space: Axes) -> np.ndarray:
    """The topography at the cells of a frame, north in the last row."""
    values = static_on_grid("topography", topography, {dim: frame[dim].values for dim in space.spatial})
    heights: np.ndarray = upright(frame.transpose(*space.spatial).copy(data=values), space)[0]
    return heights


def _levels(heights: np.ndarray) -> np.ndarray:
    """Heights of the contours."""
    return np.linspace(heights.min(), heights.max(), _CONTOURS + 2)[1:-1]


def _name_contours(panel: Panel, topography: xr.DataArray, heights: np.ndarray) -> None:
    """Heights of the contours as a text in an empty panel."""
    panel.set_axis_off()
    text = ", ".join(f"{level:.0f}" for level in _levels(heights))
    units = topography.attrs.get("units", "")
    panel.text(
        0, 0.5, fill(f"contours of the ground at {text} {units}", 24), fontsize=8, color=INK, va="center"
    )


def _map(
    panel: Panel,
    frame: np.ndarray,
    title: str,
    ground: Ground,
    scale: Mapping[str, Any],
    heights: np.ndarray | None,
) -> Any:
    """One map with the contours of the topography."""
    image = ground.draw(panel, frame, scale)
    panel.set_title(title, fontsize=8, color=INK)
    if heights is not None and np.ptp(heights) > 0:
        width, height = ground.extent
        y, x = (
            (np.arange(size) + 0.5) * length / size
            for size, length in zip(heights.shape, (height, width), strict=True)
        )
        panel.contour(x, y, heights, levels=_levels(heights), colors=INK, linewidths=0.5, alpha=0.7)
    return image
