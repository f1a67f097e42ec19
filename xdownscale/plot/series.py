"""Time series of the members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdownscale.errors import DimensionError
from xdownscale.field.axes import find_axes
from xdownscale.metrics.cases import average, weights_of
from xdownscale.metrics.scorable import scorable
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
from xdownscale.plot.timeline import Timeline

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
    """Plot time series of every member, their mean and the observed field.

    Parameters
    ----------
    ensemble : DataArray, dims (member, time, y, x)
        Fine fields.
    truth : DataArray, optional
        The observed field.
    at : mapping of str to float, optional
        Coordinates of a place, such as ``{"y": 47_500, "x": 8_500}``: the nearest cell is drawn. By default the mean
        over all cells.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    DimensionError
        Without members or time.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.stamps : Many members of one step.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((4, 20, 20))
    >>> figure = series(rain.expand_dims(member=3), rain, at={"y": 5000, "x": 9000})
    >>> len(figure.axes[0].lines)
    5
    """
    ensemble = scorable(ensemble, "ensemble")
    axes = member_axes(ensemble)
    if axes.time is None:
        msg = "a series needs time, and the ensemble has none. Plot it with xdownscale.plot.stamps(ensemble)."
        raise DimensionError(msg)
    figure = new_figure(6.0, 2.6)
    panel = graph(figure)
    lines = _at(in_shown_units(ensemble), at, (axes.time, str(axes.member))).compute()
    timeline = Timeline(lines, axes.time)
    times = timeline.places()
    colour = next(looks())["color"]
    panel.plot(times, lines.values, color=colour, linewidth=0.7, alpha=0.45)
    panel.lines[0].set_label(f"{lines.sizes[axes.member]} members")
    panel.plot(times, lines.mean(axes.member).values, color=colour, linewidth=1.8, label="their mean")
    if truth is not None:
        line = _of_truth(truth, axes.time, at)
        panel.plot(timeline.places(line), line.values, color=TRUTH, linewidth=1.6, label="truth")
    place = "mean over all cells" if at is None else ", ".join(f"{key} {v:g}" for key, v in at.items())
    label(panel, x=str(axes.time), y=title_of(in_shown_units(ensemble)), title=place)
    timeline.dress(panel)
    legend(panel, loc="best")
    return finished(figure, path)


def _of_truth(truth: xr.DataArray, time: str, at: Mapping[str, float] | None) -> xr.DataArray:
    """The observed field at a place, or its mean: a value for each step."""
    return _at(in_shown_units(scorable(truth, "truth")), at, (time,))


def _at(field: xr.DataArray, at: Mapping[str, float] | None, kept: tuple[str, ...]) -> xr.DataArray:
    """The field at a place, or its area-weighted mean, along the dimensions that are kept."""
    if at is None:
        space = find_axes(field).spatial
        line = average(field, space, weights_of("area", field), skipna=True)
    else:
        unknown = [name for name in at if name not in field.dims or name not in field.indexes]
        if unknown:
            labelled = tuple(d for d in field.dims if d in field.indexes)
            msg = f"at names {unknown}, but labels have the dimensions {labelled} of {tuple(field.dims)}. Use these."
            raise DimensionError(msg)
        try:
            line = field.sel(at, method="nearest")
        except (KeyError, TypeError, ValueError) as error:
            msg = f"there is no place {dict(at)}: pass coordinates, as at={{'y': 47_500, 'x': 8_500}}. ({error})"
            raise DimensionError(msg) from error
    if set(line.dims) != set(kept):
        msg = (
            f"a line has the dimensions {kept}, but this one would have {line.dims}. Fix the others in at=..., or "
            "select "
            f"with .isel(...)."
        )
        raise DimensionError(msg)
    return line.transpose(*kept)
