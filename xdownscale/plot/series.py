"""Members through time, as a bundle of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdownscale.errors import DimensionError
from xdownscale.field.axes import find_axes
from xdownscale.plot.maps import member_axes
from xdownscale.plot.style import (
    TRUTH,
    finished,
    graph,
    in_shown_units,
    label,
    legend,
    looks,
    new_figure,
    title_of,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import xarray as xr
    from matplotlib.figure import Figure


def series(
    ensemble: xr.DataArray,
    truth: xr.DataArray | None = None,
    *,
    at: Mapping[str, float] | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw every member through time, their mean and the truth.

    Parameters
    ----------
    ensemble : DataArray, dims (member, time, y, x)
        Fine fields.
    truth : DataArray, optional
        What happened.
    at : mapping of str to float, optional
        Coordinates of a place, as ``{"y": 47_500, "x": 8_500}``: the nearest cell is drawn. By default the mean over
        all cells.
    path : path, optional
        File to write, in the format of its ending.

    Returns
    -------
    Figure

    Raises
    ------
    DimensionError
        Without members or time.
    OptionalDependencyError
        Without matplotlib.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((4, 20, 20))
    >>> figure = series(rain.expand_dims(member=3), rain, at={"y": 5000, "x": 9000})
    >>> len(figure.axes[0].lines)
    5
    """
    axes = member_axes(ensemble)
    if axes.time is None:
        msg = "a series needs time, and the ensemble has none. Draw it with xdownscale.plot.stamps(ensemble)."
        raise DimensionError(msg)
    figure = new_figure(6.0, 2.6)
    panel = graph(figure)
    lines = _at(in_shown_units(ensemble), at).transpose(axes.time, axes.member).compute()
    times = lines[axes.time].values if axes.time in lines.coords else range(lines.sizes[axes.time])
    colour = next(looks())["color"]
    panel.plot(times, lines.values, color=colour, linewidth=0.7, alpha=0.45)
    panel.lines[0].set_label(f"{lines.sizes[axes.member]} members")
    panel.plot(times, lines.mean(axes.member).values, color=colour, linewidth=1.8, label="their mean")
    if truth is not None:
        line = _at(in_shown_units(truth), at)
        when = line[axes.time].values if axes.time in line.coords else range(line.sizes[axes.time])
        panel.plot(when, line.values, color=TRUTH, linewidth=1.6, label="truth")
    place = "mean over all cells" if at is None else ", ".join(f"{key} {v:g}" for key, v in at.items())
    label(panel, x=str(axes.time), y=title_of(in_shown_units(ensemble)), title=place)
    _short_dates(panel, times)
    legend(panel, loc="best")
    return finished(figure, path)


def _at(field: xr.DataArray, at: Mapping[str, float] | None) -> xr.DataArray:
    """The field at a place, or its mean."""
    if at is None:
        return field.mean(find_axes(field).spatial)
    unknown = [name for name in at if name not in field.dims]
    if unknown:
        msg = f"at names {unknown}, but the field has the dimensions {tuple(field.dims)}. Name these."
        raise DimensionError(msg)
    return field.sel(at, method="nearest")


def _short_dates(panel: object, times: object) -> None:
    """Dates no longer than they need to be."""
    import numpy as np
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if np.asarray(times).dtype.kind == "M":
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        axis = panel.xaxis  # type: ignore[attr-defined]
        axis.set_major_locator(locator)
        axis.get_offset_text().set_fontsize(8)
        axis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
