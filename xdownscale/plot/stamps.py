"""Members side by side, and as an animation."""

from __future__ import annotations

from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import DimensionError, OptionalDependencyError, ValueRangeError
from xdownscale.io import write_whole
from xdownscale.metrics.labels import whole_number
from xdownscale.metrics.scorable import scorable
from xdownscale.plot.maps import Ground, clock, flat, in_lines, member_axes, member_title, upright
from xdownscale.plot.style import INK, finished, in_shown_units, matplotlib_figures, new_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.figure import Figure

    from xdownscale.field.axes import Axes

_PANEL = 1.5
"""Length of the longer side of a panel in inches."""


def stamps(
    ensemble: xr.DataArray,
    truth: xr.DataArray | None = None,
    *,
    step: int | None = None,
    most: int = 15,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot the members at one step side by side, after the observed field.

    Parameters
    ----------
    ensemble : DataArray, dims (member, time, y, x)
        Fine fields, with or without time.
    truth : DataArray, optional
        The observed field.
    step : int, optional
        Index of the step; by default the one with the largest mean.
    most : int
        Largest number of members to draw.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window, which notebooks display.

    Raises
    ------
    DimensionError
        If there are no members, or no such step.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.comparison : Coarse field, members and observed field side by side.
    xdownscale.plot.animation : Members as an animation.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((3, 40, 40))
    >>> figure = stamps(rain.expand_dims(member=3), rain)
    >>> [panel.get_title() for panel in figure.axes[:-1]]
    ['truth', 'member 0', 'member 1', 'member 2']
    """
    matplotlib_figures()
    ensemble = scorable(ensemble, "ensemble")
    axes = member_axes(ensemble)
    if axes.time is not None:
        step = _wettest(ensemble, axes) if step is None else _checked(step, ensemble.sizes[axes.time])
    frames, ground, when = _frames(ensemble, truth, axes, None if axes.time is None else [step or 0], most)
    scale = ground.colours(frames.values())
    columns = ceil(sqrt(len(frames) * 1.6))
    rows = ceil(len(frames) / columns)
    width, height = ground.panel_size(_PANEL, [*frames])
    figure = new_figure(columns * width + 1.0, rows * (height + 0.15) + 0.35)
    grid = figure.add_gridspec(rows, columns)
    for place, (title, frame) in enumerate(frames.items()):
        panel = figure.add_subplot(grid[divmod(place, columns)])
        image = ground.draw(panel, frame[0], scale)
        panel.set_title(
            in_lines(title, width), fontsize=8, color=INK, fontweight="bold" if title == "truth" else "normal"
        )
    ground.draw_scale_bar(figure.axes[(rows - 1) * columns])
    ground.draw_colour_bar(figure, image)
    if when[0]:
        figure.suptitle(when[0], fontsize=8, color=INK)
    return finished(figure, path)


def animation(
    ensemble: xr.DataArray,
    path: str | os.PathLike[str],
    *,
    truth: xr.DataArray | None = None,
    most: int = 3,
    steps_per_second: int = 3,
) -> Path:
    """Write an animation of the members, after the observed field.

    Parameters
    ----------
    ensemble : DataArray, dims (member, time, y, x)
        Fine fields.
    path : path
        File to write: ``.gif``, or ``.mp4`` if ffmpeg is installed. It is written completely or not at all.
    truth : DataArray, optional
        The observed field.
    most : int
        Largest number of members to draw.
    steps_per_second : int
        Number of steps per second.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DimensionError
        Without members or time.
    ValueRangeError
        If the extension is neither ``.gif`` nor ``.mp4``.
    OptionalDependencyError
        Without matplotlib, or for ``.mp4`` without ffmpeg.

    See Also
    --------
    xdownscale.plot.stamps : Many members of one step.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((2, 20, 20))
    >>> animation(rain.expand_dims(member=1), "rain.gif").name
    'rain.gif'
    """
    matplotlib_figures()
    whole_number(steps_per_second, "steps_per_second")
    path = Path(path)
    writer = _writer(path, steps_per_second)
    ensemble = scorable(ensemble, "ensemble")
    axes = member_axes(ensemble)
    if axes.time is None:
        msg = "an animation needs time, and the ensemble has none. Plot it with xdownscale.plot.stamps(ensemble)."
        raise DimensionError(msg)
    frames, ground, when = _frames(ensemble, truth, axes, range(ensemble.sizes[axes.time]), most)
    scale = ground.colours(frames.values())
    width, height = ground.panel_size(2.4, [*frames])
    figure = new_figure(len(frames) * width + 1.1, height + 0.6)
    grid = figure.add_gridspec(1, len(frames))
    images = []
    for place, (title, series) in enumerate(frames.items()):
        panel = figure.add_subplot(grid[place])
        images.append(ground.draw(panel, series[0], scale))
        panel.set_title(in_lines(title, width), fontsize=8, color=INK)
    ground.draw_scale_bar(figure.axes[0])
    ground.draw_colour_bar(figure, images[0])
    heading = figure.suptitle(when[0], fontsize=8, color=INK)

    def record(draft: Path) -> None:
        with writer.saving(figure, str(draft), dpi=110):
            for step, label in enumerate(when):
                for image, series in zip(images, frames.values(), strict=True):
                    image.set_data(series[step])
                heading.set_text(label)
                writer.grab_frame()

    return write_whole(path, record)


def _writer(path: Path, steps_per_second: int) -> Any:
    """The writer for this file extension."""
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if path.suffix not in (".gif", ".mp4"):
        msg = f"animations are .gif or .mp4 files, not {path.suffix!r}. Pass for example {path.stem + '.gif'!r}."
        raise ValueRangeError(msg)
    if path.suffix == ".gif":
        return PillowWriter(fps=steps_per_second)
    if not FFMpegWriter.isAvailable():
        msg = f".mp4 needs the program ffmpeg, which is not installed. Write {path.stem + '.gif'!r} instead."
        raise OptionalDependencyError(msg)
    return FFMpegWriter(fps=steps_per_second)


def _frames(
    ensemble: xr.DataArray,
    truth: xr.DataArray | None,
    axes: Axes,
    steps: Sequence[int] | None,
    most: int,
) -> tuple[Mapping[str, np.ndarray], Ground, list[str]]:
    """Frames (step, y, x) by title, their common properties, and a label for each step."""
    at = {} if steps is None else {axes.time: list(steps)}
    member = str(axes.member)
    count = whole_number(most, "most")
    shown = in_shown_units(ensemble.isel(at)).isel({member: slice(0, count)})
    frames = {}
    if truth is not None:
        truth = scorable(truth, "truth")
        flat(truth, "truth")
        unlike = [d for d in axes.ordered if truth.sizes.get(d) != ensemble.sizes[d]]
        if unlike:
            msg = (
                f"the truth has the sizes {dict(truth.sizes)}, the ensemble {dict(ensemble.sizes)}: {unlike} differ. "
                f"Pass the truth at the same cells and times."
            )
            raise DimensionError(msg)
        frames["truth"] = upright(in_shown_units(truth.isel(at)), axes)
    for number in range(shown.sizes[member]):
        one = shown.isel({member: number})
        frames[member_title(one, member, number)] = upright(one, axes)
    return frames, Ground.of(shown, axes), clock(shown, axes)


def _wettest(ensemble: xr.DataArray, axes: Axes) -> int:
    """The step with the largest mean."""
    means = ensemble.mean([d for d in ensemble.dims if d != axes.time])
    return int(np.argmax(means.fillna(-np.inf).values))


def _checked(step: int, size: int) -> int:
    """Check that a step exists."""
    step = whole_number(step, "step", least=-size)
    if not -size <= step < size:
        msg = f"step={step} is outside of the {size} steps. Pass 0 to {size - 1}."
        raise DimensionError(msg)
    return step % size
