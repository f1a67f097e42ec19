"""Frames as maps: one colour scale for all panels, north at the top, a scale bar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.quantity import quantity_of
from xdownscale.plot.coast import coastlines
from xdownscale.plot.style import INK, RATE, title_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from xdownscale.plot.coast import Line

_BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Bounds of the classes of rain rate in mm/h; values below the first are dry, those above the last a separate class."""

_COLOURS = ("#d3e6f5", "#a3cbe6", "#64a8d3", "#2f7cb9", "#174a8c", "#f0b429", "#e0651a", "#b01c3f", "#470b3c")
"""One colour for each class. Lightness decreases from the first to the fifth (moderate rain) and again from amber on
(heavy rain). Blue and amber are distinguishable under all common kinds of colour blindness, each half also in
grey."""

_LETTER, _NARROWEST = 0.068, 0.75
"""Inches that a letter of a title takes at 8 points, and that a panel has at least for its title."""

_DRY, _MISSING = "#ffffff", "#cfcfcf"

_BAR = {
    "arrowstyle": "|-|,widthA=0.15,widthB=0.15",
    "linewidth": 0.8,
    "color": INK,
    "shrinkA": 0,
    "shrinkB": 0,
}
"""The line of a scale bar."""

_SCALE_BARS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Possible lengths of a scale bar in km."""


@dataclass(frozen=True)
class Ground:
    """Common properties of the panels of a figure.

    Attributes
    ----------
    extent : (float, float)
        Width and height in km, or in cells if `metric` is false.
    aspect : float
        Height over width.
    metric : bool
        Whether the extent is in km.
    rain : bool
        Whether the values are rain rates in mm/h.
    label : str
        Label of the colour scale.
    coast : tuple of array (points, 2)
        Coastlines, in the units of the extent.
    """

    extent: tuple[float, float]
    aspect: float
    metric: bool
    rain: bool
    label: str
    coast: tuple[Line, ...] = ()

    @classmethod
    def of(cls, field: xr.DataArray, axes: Axes) -> Ground:
        """The ground of a field in the plotted units."""
        extent, aspect, metric = _extent(field, axes)
        rain = quantity_of(field).precipitation and field.attrs.get("units") == RATE
        return cls(extent, aspect, metric, rain, title_of(field), coastlines(field, axes, extent))

    def panel_size(self, longer: float, titles: Sequence[str]) -> tuple[float, float]:
        """Width and height in inches of the place of a panel: its longer side is given, and its title fits."""
        width = max(_NARROWEST, longer * min(1.0, 1 / self.aspect))
        words = [word for title in titles for word in in_lines(title, width).splitlines()]
        return max(width, _LETTER * max(map(len, words), default=0)), longer * min(1.0, self.aspect)

    def colours(self, frames: Iterable[np.ndarray]) -> dict[str, Any]:
        """Colour map and norm: classes for rain rates, else a continuous scale over the middle 99 % of all values."""
        from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

        if self.rain:
            classes = ListedColormap(_COLOURS).with_extremes(under=_DRY, bad=_MISSING)
            return {"cmap": classes, "norm": BoundaryNorm(_BOUNDS, len(_COLOURS), extend="max")}
        values = np.concatenate([frame.ravel() for frame in frames])
        low, high = np.nanpercentile(values, (0.5, 99.5)) if np.isfinite(values).any() else (0.0, 1.0)
        return {"cmap": "viridis", "norm": Normalize(low, high if high > low else low + 1)}

    def draw(self, panel: Panel, frame: np.ndarray, scale: Mapping[str, Any]) -> AxesImage:
        """Draw one frame, and the coastline if it is known."""
        from matplotlib.collections import LineCollection

        width, height = self.extent
        image = panel.imshow(
            frame, origin="lower", extent=(0, width, 0, height), interpolation="nearest", **scale
        )
        if self.coast:
            panel.add_collection(
                LineCollection(list(self.coast), colors=INK, linewidths=0.5, alpha=0.7), autolim=False
            )
        panel.set(xticks=[], yticks=[], facecolor=_MISSING)
        for spine in panel.spines.values():
            spine.set(linewidth=0.4, edgecolor=INK)
        return image

    def draw_scale_bar(self, panel: Panel) -> None:
        """Draw a scale bar below the panel."""
        width = self.extent[0]
        length = max((bar for bar in _SCALE_BARS if bar <= width / 2), default=None)
        if not self.metric or length is None:
            return
        below = ("axes fraction", "axes points")
        panel.annotate("", (0, -6), (length / width, -6), below, arrowprops=_BAR)
        panel.set_xlabel(f"{length} km", fontsize=7, color=INK, loc="left", labelpad=9)

    def draw_colour_bar(self, figure: Figure, image: AxesImage) -> None:
        """Draw the colour scale to the right of all panels."""
        extend = "max" if self.rain else "both"
        bar = figure.colorbar(image, ax=figure.axes, aspect=28, pad=0.015, fraction=0.03, extend=extend)
        bar.set_label(self.label, fontsize=8, color=INK)
        bar.ax.spines["outline"].set_linewidth(0.5)
        bar.ax.tick_params(labelsize=7, length=2, colors=INK)
        if self.rain:
            bar.set_ticks(_BOUNDS, labels=[f"{bound:g}" for bound in _BOUNDS])


def member_axes(ensemble: xr.DataArray) -> Axes:
    """Axes of an ensemble; raises an error without members."""
    axes = find_axes(ensemble)
    extra = [str(d) for d in ensemble.dims if d not in (*axes.ordered, axes.member)]
    if extra:
        msg = (
            f"the ensemble has the dimensions {extra} besides members, time and space. Select one entry: "
            f".isel({extra[0]}=0)."
        )
        raise DimensionError(msg)
    if axes.member is None:
        msg = (
            f"the ensemble has the dimensions {ensemble.dims}, but no member. For a single field pass "
            f'field.expand_dims("member").'
        )
        raise DimensionError(msg)
    return axes


def upright(field: xr.DataArray, axes: Axes) -> np.ndarray:
    """Frames (step, y, x) with north in the last row."""
    frames = field.transpose(*axes.ordered).values.reshape(-1, *(field.sizes[d] for d in axes.spatial))
    labels = field[axes.y].values if axes.y in field.coords else np.arange(2)
    return frames[:, ::-1] if labels.size > 1 and labels[-1] < labels[0] else frames


def flat(field: xr.DataArray, name: str) -> Axes:
    """Axes of a field with only time and space."""
    axes = find_axes(field)
    extra = [str(d) for d in field.dims if d not in axes.ordered]
    if extra:
        msg = f"the {name} has the dimensions {extra} besides time and space. Select one entry: .isel({extra[0]}=0)."
        raise DimensionError(msg)
    return axes


def in_lines(title: str, width: float) -> str:
    """A title in lines that are no wider than a number of inches, as far as its words allow.

    >>> in_lines("mean of 10 members", 0.9).splitlines()
    ['mean of 10', 'members']
    """
    room = max(1, int(width / _LETTER))
    return "\n".join(fill(line, room, break_long_words=False) for line in title.splitlines())


def member_title(member: xr.DataArray, dim: str, number: int) -> str:
    """Name of a member: its label, as for ``sel``, or its index."""
    label = member[dim].item() if dim in member.coords else number
    return f"member {label}"


def clock(field: xr.DataArray, axes: Axes) -> list[str]:
    """A label for each step: the date, and the time of day unless all steps are at midnight."""
    if axes.time is None or axes.time not in field.coords:
        return [""] * (1 if axes.time is None else field.sizes[axes.time])
    labels = [str(label).replace("T", " ")[:16] for label in np.atleast_1d(field[axes.time].values)]
    days = all(label[10:] in ("", " 00:00") for label in labels)
    return [label[:10] if days and len(labels) > 1 else label for label in labels]


def _extent(field: xr.DataArray, axes: Axes) -> tuple[tuple[float, float], float, bool]:
    """Width and height, aspect, and whether the unit is km."""
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
