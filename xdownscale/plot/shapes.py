"""Shapes of level sets: curves over thresholds, the sets themselves, and their sensitivity to single cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xdownscale.errors import DimensionError
from xdownscale.field.axes import find_axes
from xdownscale.metrics.cases import pair
from xdownscale.metrics.labels import threshold_values
from xdownscale.metrics.scorable import scorable
from xdownscale.metrics.shape import minkowski_functionals
from xdownscale.plot.maps import upright
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
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

    from xdownscale.field.axes import Axes

_TITLES = {
    "area": "area [cells]",
    "perimeter": "perimeter [sides of cells]",
    "euler_characteristic": "pieces less holes",
}

_SIDE = 1.9
"""Length of a panel of a map in inches."""


def gamma_curves(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    thresholds: Sequence[float],
    member_dim: str = "member",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot area, perimeter and pieces less holes over thresholds, for the observed field and for ensembles.

    Curves are means over all frames without missing values; a band covers those of all members.

    Parameters
    ----------
    observations : DataArray
        The observed field.
    forecasts : DataArray, or mapping of str to DataArray
        One forecast or several.
    thresholds : sequence of float
        In the units of the observations; for rain, in mm/h.
    member_dim : str
        Name of the dimension of the members.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.excursion_sets : Level sets of a frame.
    xdownscale.metrics.minkowski_functionals : The values of the plot.

    References
    ----------
    Quarenghi et al. (2026), emulating non-differentiable metrics, arXiv:2604.11422.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((2, 32, 32))
    >>> figure = gamma_curves(rain, {"half": rain / 2}, thresholds=[0.1, 1, 5])
    >>> [panel.get_ylabel() for panel in figure.axes]
    ['area [cells]', 'perimeter [sides of cells]', 'pieces less holes']
    """
    observations = scorable(observations, "observations")
    levels = np.sort(threshold_values(thresholds))
    figure = new_figure(9.0, 2.9)
    panels = dict(zip(_TITLES, (graph(figure, place) for place in (131, 132, 133)), strict=True))
    shown = in_shown_units(observations)
    truth = _curves(shown, levels, None)
    for name, panel in panels.items():
        panel.plot(levels, truth.sel(functional=name).values, color=TRUTH, linewidth=1.6, label="truth")
    models = models_of(observations, forecasts, member_dim)
    for (title, model), look in zip(models.items(), looks(), strict=False):
        cases = pair(shown, model, dim=None, member_dim=member_dim, weights=None, skipna=True)
        curves = _curves(cases.forecasts, levels, member_dim)
        for name, panel in panels.items():
            each = curves.sel(functional=name).transpose(member_dim, ...).values
            panel.plot(levels, each.mean(0), label=title, **(look | {"markersize": 3}))
            if len(each) > 1:
                panel.fill_between(
                    levels, each.min(0), each.max(0), color=look["color"], alpha=0.2, linewidth=0
                )
    units = pretty(str(shown.attrs.get("units", "1")))
    for name, panel in panels.items():
        panel.set_xscale("log" if levels[0] > 0 else "linear")
        panel.set_yscale("symlog", linthresh=1.0)
        panel.minorticks_off()  # their labels overlap on a logarithmic axis
        panel.set_xticks(
            some := levels[:: max(1, (len(levels) - 1) // 2)], [f"{level:.2g}" for level in some]
        )
        if name != "euler_characteristic":
            panel.set_ylim(bottom=0.0)  # an area and a perimeter have no negative values
        label(panel, x=f"threshold [{units}]", y=_TITLES[name])
    legend(panels["area"], loc="best")
    return finished(figure, path)


def excursion_sets(
    field: xr.DataArray, *, thresholds: Sequence[float], path: str | os.PathLike[str] | None = None
) -> Figure:
    """Plot the set where a frame reaches each threshold, with area, perimeter, and pieces less holes.

    Parameters
    ----------
    field : DataArray, dims (y, x)
        One frame.
    thresholds : sequence of float
        In the units of the field; for rain, in mm/h.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    DimensionError
        If there is more than one frame.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.gamma_curves : Minkowski functionals against the threshold.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((1, 32, 32)).isel(time=0)
    >>> figure = excursion_sets(rain, thresholds=[0.1, 1])
    >>> len(figure.axes)
    2
    """
    shown, axes = _frame(field)
    levels = np.sort(threshold_values(thresholds))
    figure = new_figure(_SIDE * len(levels), _SIDE + 0.7)
    units = pretty(str(shown.attrs.get("units", "1")))
    values = upright(shown, axes)[0]
    measured = minkowski_functionals(shown, thresholds=levels.tolist()).values
    for number, (level, functionals) in enumerate(zip(levels, measured, strict=True), 1):
        panel = figure.add_subplot(1, len(levels), number)
        panel.imshow(values >= level, cmap="Blues", vmin=0, vmax=1.3, origin="lower", interpolation="nearest")
        _bare(panel, f"≥ {level:g} {units}")
        area, perimeter, pieces = functionals
        panel.set_xlabel(f"A {area:.0f}, P {perimeter:.0f}, χ {pieces:.0f}", fontsize=8, color=INK)
    return finished(figure, path)


def shape_gradients(
    field: xr.DataArray,
    *,
    threshold: float,
    temperature: float = 0.3,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot the gradient of area, perimeter, and pieces less holes of soft level sets with respect to each cell.

    Parameters
    ----------
    field : DataArray, dims (y, x)
        One frame.
    threshold : float
        In the units of the field; for rain, in mm/h.
    temperature : float
        Width of the distribution of thresholds, as a share of the threshold, or of 1 if that is larger.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        The field, and a map for each functional: red where it increases with the value of a cell, blue where it
        decreases.

    Raises
    ------
    DimensionError
        If there is more than one frame.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.excursion_sets : Level sets of a frame.

    References
    ----------
    Quarenghi et al. (2026), emulating non-differentiable metrics, arXiv:2604.11422.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((1, 32, 32)).isel(time=0)
    >>> figure = shape_gradients(rain, threshold=1.0)
    >>> [panel.get_title(loc="left") for panel in figure.axes][1:]
    ['area', 'perimeter', 'pieces less holes']
    """
    import torch

    from xdownscale.nn.soft_minkowski import soft_functionals

    shown, axes = _frame(field)
    (level,) = threshold_values(threshold)
    tau = temperature * max(abs(level), 1.0)
    values = torch.from_numpy(upright(shown, axes)[0].astype(np.float64)).requires_grad_()
    soft = soft_functionals(values, torch.tensor([level]), tau)[0]
    figure = new_figure(4 * _SIDE, _SIDE + 0.4)
    first = figure.add_subplot(1, 4, 1)
    first.imshow(values.detach().numpy() >= level, cmap="Blues", vmin=0, vmax=1.3, origin="lower")
    _bare(first, f"≥ {level:g} {pretty(str(shown.attrs.get('units', '1')))}")
    for number, name in enumerate(("area", "perimeter", "pieces less holes")):
        (gradient,) = torch.autograd.grad(soft[number], values, retain_graph=True)
        bound = max(float(gradient.abs().max()), 1e-12)
        panel = figure.add_subplot(1, 4, number + 2)
        panel.imshow(
            gradient.numpy(), cmap="RdBu_r", vmin=-bound, vmax=bound, origin="lower", interpolation="nearest"
        )
        _bare(panel, name)
    return finished(figure, path)


def _curves(field: xr.DataArray, levels: np.ndarray, member_dim: str | None) -> xr.DataArray:
    """Functionals by threshold, averaged over all frames but not over members."""
    space = find_axes(field).spatial
    others = [str(d) for d in field.dims if d not in space and d != member_dim]
    found = minkowski_functionals(field, thresholds=levels.tolist(), dim=others, skipna=True)
    return found.compute()


def _frame(field: xr.DataArray) -> tuple[xr.DataArray, Axes]:
    """One frame in the plotted units."""
    shown = in_shown_units(scorable(field, "field"))
    axes = find_axes(shown)
    if set(shown.dims) != set(axes.spatial):
        others = [str(d) for d in shown.dims if d not in axes.spatial]
        msg = (
            f"shapes are plotted for one frame, and the field also has the dimensions {others}. Select one entry: "
            f".isel({others[0]}=0)."
        )
        raise DimensionError(msg)
    return shown.compute(), axes


def _bare(panel: Panel, title: str) -> None:
    """A map without numbers on its axes."""
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_title(title, fontsize=9, color=INK, loc="left")
