"""A picture for the eye: a coarse field, members of its ensemble, their mean, and the truth. Needs matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, OptionalDependencyError, UnitsError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.units import to_units
from xdownscale.field.values import is_rain, name_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.layout_engine import LayoutEngine

__all__ = ["comparison"]

_BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Bounds of the classes of rain rate in mm/h; less than the first is dry, more than the last has a class of its own."""

_COLOURS = ("#d3e6f5", "#a3cbe6", "#64a8d3", "#2f7cb9", "#174a8c", "#f0b429", "#e0651a", "#b01c3f", "#470b3c")
"""One colour for each class. Lightness falls from the first to the fifth (moderate rain) and again from amber on (heavy
rain); blue against amber is told apart under every common kind of colour blindness, and each half also in grey."""

_RATE = "mm h-1"

_DRY, _MISSING, _INK = "#ffffff", "#cfcfcf", "#333333"

_PANEL = 1.75
"""Length of the longer side of a panel in inches."""

_BAR = {
    "arrowstyle": "|-|,widthA=0.15,widthB=0.15",
    "linewidth": 0.8,
    "color": _INK,
    "shrinkA": 0,
    "shrinkB": 0,
}
"""The line of a scale bar."""

_SCALE_BARS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Lengths in km that a scale bar may have."""


def comparison(
    coarse: xr.DataArray,
    ensemble: xr.DataArray,
    truth: xr.DataArray | None = None,
    *,
    step: int | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw one coarse step beside two members, the ensemble mean and the truth at each of its fine steps.

    Rain is shown in classes of mm/h, any other field on a continuous scale; all panels share it.

    Parameters
    ----------
    coarse : DataArray, dims (time, y, x)
        The coarse field; time may be missing.
    ensemble : DataArray, dims (member, time, y, x)
        The fine fields that :func:`xdownscale.downscale` made of it.
    truth : DataArray, optional
        The fine field that was coarsened; without it there is one column less.
    step : int, optional
        Which coarse step, counted from zero; by default the one with the largest mean.
    path : path, optional
        File to write, in the format of its ending.

    Returns
    -------
    Figure
        A figure of matplotlib that belongs to no window; ``figure.savefig`` writes it.

    Raises
    ------
    DimensionError
        If the ensemble has no members, or the fields do not belong together.
    OptionalDependencyError
        Without matplotlib.

    Examples
    --------
    >>> import xdownscale
    >>> truth = xdownscale.tutorial.rain((6, 40, 40))
    >>> coarse = truth.sr.coarsen(spatial=10, temporal=3)
    >>> ensemble = coarse.sr.interpolate(10, 3).expand_dims(member=2)
    >>> figure = xdownscale.plot.comparison(coarse, ensemble, truth, step=1)
    >>> figure.axes[-4].get_title(), figure.axes[-1].get_ylabel()
    ('truth', 'rain rate [mm/h]')
    """
    figures = _matplotlib()
    view = _View.of(coarse, ensemble, truth, step)
    scale = _colours(view)
    rows, columns = len(view.times), len(view.columns) + 1
    width, height = _PANEL * min(1.0, 1 / view.aspect), _PANEL * min(1.0, view.aspect)
    figure: Figure = figures.Figure(figsize=(columns * width + 1.1, rows * height + 0.5), layout=_layout())
    grid = figure.add_gridspec(rows, columns)
    first = figure.add_subplot(grid[:, 0])
    image = _draw(first, view, view.coarse, scale)
    first.set_title(view.title, fontsize=8, color=_INK)
    _draw_scale_bar(first, view)
    for column, (title, frames) in enumerate(view.columns.items(), 1):
        for row, frame in enumerate(frames):
            panel = figure.add_subplot(grid[row, column])
            _draw(panel, view, frame, scale)
            if row == 0:
                panel.set_title(title, fontsize=8, color=_INK)
            if column == 1:
                panel.set_ylabel(view.times[row], fontsize=8, color=_INK)
    _draw_colour_bar(figure, view, image)
    if path is not None:
        figure.savefig(path, dpi=220)
    return figure


def _layout() -> LayoutEngine:
    """Narrow gaps between panels."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)


def _matplotlib() -> Any:
    """The module of figures; a clear error without it."""
    try:
        import matplotlib.figure as figures
    except ImportError as error:
        msg = "pictures need matplotlib, which is not installed: pip install 'xdownscale-sr[plot]'"
        raise OptionalDependencyError(msg) from error
    return figures


@dataclass(frozen=True)
class _View:
    """What is drawn: one coarse frame, columns of fine frames, and their words.

    Attributes
    ----------
    coarse : ndarray (y, x)
    columns : mapping of str to sequence of ndarray (y, x)
        Frames by title of their column; north is the last row.
    times : sequence of str
        A label for each row.
    title, label : str
        Of the coarse panel and of the colour scale.
    extent : (float, float)
        Width and height in km, or in cells where `metric` is false.
    aspect : float
        Height over width.
    metric : bool
        Whether the extent is in km.
    rain : bool
        Whether the values are rain rates in mm/h.
    """

    coarse: np.ndarray
    columns: Mapping[str, Sequence[np.ndarray]]
    times: Sequence[str]
    title: str
    label: str
    extent: tuple[float, float]
    aspect: float
    metric: bool
    rain: bool

    @classmethod
    def of(
        cls, coarse: xr.DataArray, ensemble: xr.DataArray, truth: xr.DataArray | None, step: int | None
    ) -> _View:
        """Choose the frames of a step and bring them to one orientation and one unit."""
        axes = _member_axes(ensemble)
        coarse, ensemble = _shown_units(coarse), _shown_units(ensemble)
        frame, fine = _of_step(coarse, ensemble, axes, step)
        member = str(axes.member)
        columns = {f"member {n + 1}": fine.isel({member: n}) for n in range(min(2, fine.sizes[member]))}
        columns[f"mean of {fine.sizes[member]} members"] = fine.mean(member, keep_attrs=True)
        if truth is not None:
            columns["truth"] = _of_truth(_shown_units(truth), fine, axes)
        arrays = {title: list(_upright(each, axes)) for title, each in columns.items()}
        extent, aspect, metric = _extent(fine, axes)
        name = str(fine.attrs.get("long_name", name_of(fine))).replace("_", " ")
        return cls(
            coarse=_upright(frame, find_axes(frame))[0],
            columns=arrays,
            times=_clock(fine, axes),
            title=f"coarse input{_length(fine, axes)}",
            label=f"{name} [{_pretty(str(fine.attrs.get('units', '1')))}]",
            extent=extent,
            aspect=aspect,
            metric=metric,
            rain=is_rain(fine) and fine.attrs.get("units") == _RATE,
        )


def _member_axes(ensemble: xr.DataArray) -> Axes:
    """Axes of an ensemble, which has members."""
    axes = find_axes(ensemble)
    if axes.member is None:
        msg = (
            f"the ensemble has the dimensions {ensemble.dims}, and no member. For a single field pass "
            f'field.expand_dims("member").'
        )
        raise DimensionError(msg)
    return axes


def _shown_units(field: xr.DataArray) -> xr.DataArray:
    """Rain rates in mm/h; everything else, and rain that is no rate, as it is."""
    if not is_rain(field):
        return field
    try:
        return to_units(field, _RATE).assign_attrs(units=_RATE)
    except UnitsError:
        return field


def _of_step(
    coarse: xr.DataArray, ensemble: xr.DataArray, axes: Axes, step: int | None
) -> tuple[xr.DataArray, xr.DataArray]:
    """A coarse frame, and the ensemble at its fine steps."""
    time = find_axes(coarse).time
    if time is None or axes.time is None:
        return coarse, ensemble
    count, rest = divmod(ensemble.sizes[axes.time], coarse.sizes[time])
    if rest or not count:
        msg = (
            f"the ensemble has {ensemble.sizes[axes.time]} steps, no multiple of the {coarse.sizes[time]} coarse ones. "
            f"Pass the coarse field that it was made of."
        )
        raise DimensionError(msg)
    if step is None:
        step = int(coarse.mean(find_axes(coarse).spatial).fillna(-np.inf).argmax(time))
    if not -coarse.sizes[time] <= step < coarse.sizes[time]:
        msg = f"step={step} is outside of the {coarse.sizes[time]} coarse steps. Pass 0 to {coarse.sizes[time] - 1}."
        raise DimensionError(msg)
    step %= coarse.sizes[time]
    return coarse.isel({time: step}), ensemble.isel({axes.time: slice(step * count, (step + 1) * count)})


def _of_truth(truth: xr.DataArray, fine: xr.DataArray, axes: Axes) -> xr.DataArray:
    """The truth at the times of the fine frames."""
    if axes.time is not None and axes.time in fine.coords and axes.time in truth.coords:
        missing = np.setdiff1d(fine[axes.time].values, truth[axes.time].values)
        if missing.size:
            msg = f"the truth has no step {missing[0]}. Pass the field that was coarsened, with all of its times."
            raise DimensionError(msg)
        truth = truth.sel({axes.time: fine[axes.time]})
    unlike = [d for d in axes.ordered if truth.sizes.get(d) != fine.sizes[d]]
    if unlike:
        msg = (
            f"the truth has the sizes {dict(truth.sizes)}, the ensemble {dict(fine.sizes)}: {unlike} differ. "
            f"Pass the part of the truth that was coarsened."
        )
        raise DimensionError(msg)
    return truth


def _upright(field: xr.DataArray, axes: Axes) -> np.ndarray:
    """Frames (step, y, x) whose last row is the north."""
    frames = field.transpose(*axes.ordered).values.reshape(-1, *(field.sizes[d] for d in axes.spatial))
    labels = field[axes.y].values if axes.y in field.coords else np.arange(2)
    return frames[:, ::-1] if labels.size > 1 and labels[-1] < labels[0] else frames


def _extent(field: xr.DataArray, axes: Axes) -> tuple[tuple[float, float], float, bool]:
    """Width and height, height over width, and whether they are kilometres."""
    rows, columns = (field.sizes[d] for d in axes.spatial)
    units = str(field[axes.y].attrs.get("units", "")) if axes.y in field.coords else ""
    scale = {"m": 1e-3, "metre": 1e-3, "meter": 1e-3, "km": 1.0}.get(units)
    if units.startswith("degree"):
        scale = 111.2
    if scale is None or not all(d in field.coords and field.sizes[d] > 1 for d in axes.spatial):
        return (float(columns), float(rows)), rows / columns, False
    y, x = (field[d].values.astype(float) for d in axes.spatial)
    narrower = np.cos(np.deg2rad(y.mean())) if units.startswith("degree") else 1.0
    height = abs(y[-1] - y[0]) * rows / (rows - 1) * scale
    width = abs(x[-1] - x[0]) * columns / (columns - 1) * scale * narrower
    return (float(width), float(height)), float(height / width), True


def _clock(field: xr.DataArray, axes: Axes) -> list[str]:
    """A label for each step: the clock, with the date where steps are days."""
    if axes.time is None or axes.time not in field.coords:
        return [""] * (1 if axes.time is None else field.sizes[axes.time])
    labels = [str(label).replace("T", " ") for label in np.atleast_1d(field[axes.time].values)]
    return [
        label[11:16] if len(labels) == 1 or labels[0][11:16] != labels[-1][11:16] else label[:10]
        for label in labels
    ]


def _length(field: xr.DataArray, axes: Axes) -> str:
    """Words for the time that a coarse step covers."""
    if axes.time is None or axes.time not in field.coords or field.sizes[axes.time] < 2:
        return ""
    step = field[axes.time].values[1] - field[axes.time].values[0]
    if not isinstance(step, np.timedelta64):
        return ""
    minutes = field.sizes[axes.time] * float(step / np.timedelta64(1, "m"))
    hours = f"{minutes / 60:g} h" if minutes % 60 == 0 else f"{minutes:g} min"
    return f"\n{hours} mean"


def _pretty(units: str) -> str:
    """Units as they are written in print."""
    return {"mm h-1": "mm/h", "mm/hr": "mm/h"}.get(units, units)


def _colours(view: _View) -> dict[str, Any]:
    """Colour map and norm: classes for rain rates, else a continuous scale over the middle 99 % of all values."""
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    if view.rain:
        classes = ListedColormap(_COLOURS).with_extremes(under=_DRY, bad=_MISSING)
        return {"cmap": classes, "norm": BoundaryNorm(_BOUNDS, len(_COLOURS), extend="max")}
    values = np.concatenate([frame.ravel() for column in view.columns.values() for frame in column])
    low, high = np.nanpercentile(values, (0.5, 99.5)) if np.isfinite(values).any() else (0.0, 1.0)
    return {"cmap": "viridis", "norm": Normalize(low, high if high > low else low + 1)}


def _draw(panel: Panel, view: _View, frame: np.ndarray, scale: Mapping[str, Any]) -> AxesImage:
    """Show one frame."""
    width, height = view.extent
    image = panel.imshow(
        frame, origin="lower", extent=(0, width, 0, height), interpolation="nearest", **scale
    )
    panel.set(xticks=[], yticks=[], facecolor=_MISSING)
    for spine in panel.spines.values():
        spine.set(linewidth=0.4, edgecolor=_INK)
    return image


def _draw_scale_bar(panel: Panel, view: _View) -> None:
    """Say how long a kilometre is, below the panel."""
    width = view.extent[0]
    length = max((bar for bar in _SCALE_BARS if bar <= width / 2), default=None)
    if not view.metric or length is None:
        return
    panel.annotate("", (0, -0.05), (length / width, -0.05), "axes fraction", arrowprops=_BAR)
    panel.set_xlabel(f"{length} km", fontsize=7, color=_INK, loc="left", labelpad=9)


def _draw_colour_bar(figure: Figure, view: _View, image: AxesImage) -> None:
    """The colour scale, to the right of all panels."""
    extend = "max" if view.rain else "both"
    bar = figure.colorbar(image, ax=figure.axes, aspect=28, pad=0.015, fraction=0.03, extend=extend)
    bar.set_label(view.label, fontsize=8, color=_INK)
    bar.ax.spines["outline"].set_linewidth(0.5)
    bar.ax.tick_params(labelsize=7, length=2, colors=_INK)
    if view.rain:
        bar.set_ticks(_BOUNDS, labels=[f"{bound:g}" for bound in _BOUNDS])
