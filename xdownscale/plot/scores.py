"""Plots of the scores of :func:`xdownscale.evaluate`: by model, and along scale, season or lead time."""

from __future__ import annotations

from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.plot.style import INK, finished, graph, label, legend, looks, new_figure, pretty
from xdownscale.scoring.table import by_model

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

_PERFECT = {"spread_skill_ratio": 1.0, "ssim": 1.0, "fss": 1.0, "roc_area": 1.0, "correlation": 1.0}
"""Perfect values of scores for which it is not zero."""

_ENDS = ("_low", "_high", "_skill")


def along(
    scores: xr.Dataset,
    metric: str,
    dim: str = "scale",
    *,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot a score along one of its dimensions: scale, threshold, season, lead, region.

    Parameters
    ----------
    scores : Dataset
        The result of :func:`xdownscale.evaluate`. Bootstrap intervals are drawn as bars.
    metric : str
        Name of the score.
    dim : str
        The dimension of the axis; each label of other dimensions, except ``model``, gets a panel.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    DimensionError
        If the score does not exist, or has no such dimension.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.overview : All scores of all models.

    Examples
    --------
    >>> scores = xr.Dataset({"mae": (("model", "scale"), [[2.0, 1.0], [3.0, 2.5]])})
    >>> figure = along(scores.assign_coords(scale=[1, 4], model=["net", "bicubic"]), "mae")
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['net', 'bicubic']
    """
    by_model(scores, "forecast")  # which are scores
    if metric not in scores or dim not in scores[metric].dims:
        there = {str(name): score.dims for name, score in scores.data_vars.items() if dim in score.dims}
        msg = (
            f"there is no score {metric!r} along {dim!r}; there are {list(there)}. Compute it, as in "
            f"evaluate(..., scales=(1, 2, 4)), or choose one of these."
        )
        raise DimensionError(msg)
    scores = scores if "model" in scores[metric].dims else scores.expand_dims(model=["forecast"])
    score = scores[metric].compute()
    others = [str(d) for d in score.dims if d not in ("model", dim)]
    flat = score.stack(panel=others) if others else score.expand_dims(panel=[0])
    columns = min(flat.sizes["panel"], 4)
    rows = ceil(flat.sizes["panel"] / columns)
    figure = new_figure(2.6 * columns + 0.8, 2.3 * rows + 0.3)
    grid = figure.add_gridspec(rows, columns)
    shared: Panel | None = None
    for place in range(flat.sizes["panel"]):
        panel = graph(figure, grid[divmod(place, columns)], sharey=shared)
        part = {
            name: _panel_of(scores, name, others, place)
            for name in (metric, f"{metric}_low", f"{metric}_high")
        }
        _lines(panel, part, metric, dim)
        shared = shared or panel
        label(
            panel,
            x=_words(scores[dim], dim) if place // columns == rows - 1 else "",
            y=fill(f"{score.attrs.get('long_name', metric)}{_unit(score)}", 30)
            if place % columns == 0
            else "",
            title=_where(flat, others, place),
        )
    legend(figure.axes[0], loc="best")
    return finished(figure, path)


def overview(
    scores: xr.Dataset,
    *,
    metrics: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot every score of every model as a dot, with its interval if there is one, and the perfect value.

    Parameters
    ----------
    scores : Dataset
        The result of :func:`xdownscale.evaluate`. Scores with other dimensions are left out: see :func:`along`.
    metrics : sequence of str, optional
        Scores to plot, in this order; all by default.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    DimensionError
        If no score is a single number for each model.

    See Also
    --------
    xdownscale.plot.along : One score along a scale, season or threshold.
    xdownscale.evaluate : Score forecasts against observations.

    Examples
    --------
    >>> scores = xr.Dataset({"mae": ("model", [0.2, 0.3])}, coords={"model": ["net", "bicubic"]})
    >>> [label.get_text() for label in overview(scores).axes[0].get_yticklabels()]
    ['net', 'bicubic']
    """
    scores = by_model(scores, "forecast")
    named = [str(name) for name in scores.data_vars if not str(name).endswith(_ENDS)]
    names = [
        name for name in (metrics or named) if name in scores.data_vars and scores[name].dims == ("model",)
    ]
    if not names:
        msg = "no score is a single number for each model. Plot one along a dimension: xdownscale.plot.along(...)."
        raise DimensionError(msg)
    models = [str(model) for model in scores["model"].values]
    columns = min(len(names), 4)
    rows = ceil(len(names) / columns)
    figure = new_figure(2.1 * columns + 0.6, rows * (0.8 + 0.22 * len(models)) + 0.1)
    grid = figure.add_gridspec(rows, columns)
    for place, name in enumerate(names):
        panel = graph(figure, grid[divmod(place, columns)])
        panel.grid(visible=False, axis="y")
        for row, look in zip(range(len(models)), looks(), strict=False):
            value = float(scores[name][row])
            panel.plot([value], [row], markersize=5, color=look["color"], marker=look["marker"], linestyle="")
            if f"{name}_low" in scores:
                ends = [float(scores[f"{name}{end}"][row]) for end in ("_low", "_high")]
                panel.plot(ends, [row, row], color=look["color"], linewidth=1.5)
        panel.axvline(_PERFECT.get(name.rpartition(": ")[2], 0.0), color=INK, linewidth=0.7, linestyle=":")
        panel.set_yticks(
            range(len(models)), models if place % columns == 0 else [""] * len(models), fontsize=8
        )
        panel.set_ylim(len(models) - 0.5, -0.5)
        panel.locator_params(axis="x", nbins=4)
        label(panel, x="", y="", title=f"{name}{_unit(scores[name])}")
        panel.title.set_fontsize(8)
    return finished(figure, path)


def _panel_of(scores: xr.Dataset, name: str, others: list[str], place: int) -> xr.DataArray | None:
    """The part of a score that one panel shows."""
    if name not in scores:
        return None
    score = scores[name]
    return score.stack(panel=others).isel(panel=place) if others else score


def _lines(panel: Panel, part: dict[str, xr.DataArray | None], metric: str, dim: str) -> None:
    """A line for each model, with bars if there are bounds."""
    score = part[metric]
    if score is None:
        return
    labels = score[dim].values if dim in score.coords else np.arange(score.sizes[dim])
    numeric = labels.dtype.kind in "iuf" and dim != "percentile"  # those crowd near 100
    places = labels if numeric else np.arange(labels.size)
    low, high = part[f"{metric}_low"], part[f"{metric}_high"]
    for row, look in zip(range(score.sizes["model"]), looks(), strict=False):
        values = score.isel(model=row).transpose(dim).values
        name = str(score["model"].values[row])
        panel.plot(places, values, label=name, markersize=4, **look)
        if low is not None and high is not None:
            down, up = (end.isel(model=row).transpose(dim).values for end in (low, high))
            panel.vlines(places, down, up, colors=look["color"], linewidth=1.2)
    if not numeric:
        panel.set_xticks(places, [f"{each:g}" if labels.dtype.kind == "f" else str(each) for each in labels])
        panel.margins(x=0.1)
    elif labels.size > 1 and labels.min() > 0 and labels.max() / labels.min() >= 8:
        panel.set_xscale("log")
        panel.set_xticks(labels, [f"{each:g}" for each in labels])
        panel.minorticks_off()
    else:
        panel.set_xticks(labels if labels.size <= 12 else labels[:: ceil(labels.size / 12)])


def _where(flat: xr.DataArray, others: list[str], place: int) -> str:
    """Title of the panel."""
    if not others:
        return ""
    found = flat.isel(panel=place)
    return ", ".join(f"{name} {found[name].item()}" for name in others)


def _words(coordinate: xr.DataArray, dim: str) -> str:
    """Label of the axis."""
    units = str(coordinate.attrs.get("units", ""))
    name = str(coordinate.attrs.get("long_name", dim))
    return f"{name} [{pretty(units)}]" if units and units != "1" else name


def _unit(score: xr.DataArray) -> str:
    """Units in brackets, if there are any."""
    units = str(score.attrs.get("units", "1"))
    return "" if units == "1" else f" [{pretty(units)}]"
