"""A coarse field, members of its ensemble, their mean, and the observed field, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.metrics.labels import whole_number
from xdownscale.metrics.mismatch import Labels, tolerance
from xdownscale.metrics.scorable import scorable
from xdownscale.metrics.variables import scored_fields
from xdownscale.plot.maps import Ground, clock, flat, in_lines, member_axes, member_title, upright
from xdownscale.plot.style import INK, finished, in_shown_units, matplotlib_figures, new_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

_PANEL = 1.75
"""Length of the longer side of a panel in inches."""


def comparison(
    coarse: xr.DataArray,
    ensemble: xr.DataArray,
    truth: xr.DataArray | None = None,
    *,
    step: int | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Plot one coarse step beside two members, the ensemble mean and the observed field at each of its fine steps.

    Rain is shown in classes of mm/h, any other field on a continuous scale; all panels have the same scale.

    Parameters
    ----------
    coarse : DataArray, dims (time, y, x)
        The coarse field, with or without time.
    ensemble : DataArray, dims (member, time, y, x)
        The fine fields from :func:`xdownscale.downscale`.
    truth : DataArray, optional
        The fine field that was coarsened; without it there is one column fewer.
    step : int, optional
        Index of the coarse step; by default the one with the largest mean.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A matplotlib figure without a window; ``figure.savefig`` writes it.

    Raises
    ------
    DimensionError
        If the ensemble has no members, the fields do not match, or one is a Dataset.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.stamps : Many members of one step.

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
    matplotlib_figures()
    _check_one_variable({"coarse": coarse, "ensemble": ensemble, "truth": truth})
    view = _View.of(coarse, ensemble, truth, step)
    ground = view.ground
    scale = ground.colours(frame for column in view.columns.values() for frame in column)
    rows, columns = len(view.times), len(view.columns) + 1
    width, height = ground.panel_size(_PANEL, [view.title, *view.columns])
    figure = new_figure(columns * width + 1.1, rows * height + 0.5)
    grid = figure.add_gridspec(rows, columns)
    first = figure.add_subplot(grid[:, 0])
    image = ground.draw(first, view.coarse, scale)
    first.set_title(view.title, fontsize=8, color=INK)
    ground.draw_scale_bar(first)
    for column, (title, frames) in enumerate(view.columns.items(), 1):
        for row, frame in enumerate(frames):
            panel = figure.add_subplot(grid[row, column])
            ground.draw(panel, frame, scale)
            if row == 0:
                panel.set_title(in_lines(title, width), fontsize=8, color=INK)
            if column == 1:
                panel.set_ylabel(view.times[row].replace(" ", "\n"), fontsize=8, color=INK)
    ground.draw_colour_bar(figure, image)
    return finished(figure, path)


def _check_one_variable(fields: Mapping[str, object]) -> None:
    """Raise where a field is a Dataset, naming the call for one of the variables that all Datasets have."""
    datasets = {name: each for name, each in fields.items() if isinstance(each, xr.Dataset)}
    if not datasets:
        return
    first, *others = (scored_fields(each) for each in datasets.values())
    shared = [name for name in first if all(name in each for each in others)]
    chosen = next(iter(shared or first), "rain")
    call = ", ".join(
        f'{name}["{chosen}"]' if name in datasets else name
        for name, each in fields.items()
        if each is not None
    )
    msg = (
        f"comparison shows one variable, and {', '.join(datasets)} {'are Datasets' if others else 'is a Dataset'} with "
        f"{list(map(str, first))}. Choose one: xdownscale.plot.comparison({call})."
    )
    raise DimensionError(msg)


@dataclass(frozen=True)
class _View:
    """Content of the plot: one coarse frame, columns of fine frames, and their labels.

    Attributes
    ----------
    coarse : ndarray (y, x)
    columns : mapping of str to sequence of ndarray (y, x)
        Frames by column title; north is the last row.
    times : sequence of str
        Labels of the rows.
    title : str
        Title of the coarse panel.
    ground : Ground
        Common properties of the panels.
    """

    coarse: np.ndarray
    columns: Mapping[str, Sequence[np.ndarray]]
    times: Sequence[str]
    title: str
    ground: Ground

    @classmethod
    def of(
        cls, coarse: xr.DataArray, ensemble: xr.DataArray, truth: xr.DataArray | None, step: int | None
    ) -> _View:
        """Select the frames of a step, in one orientation and one unit."""
        coarse, ensemble = scorable(coarse, "coarse"), scorable(ensemble, "ensemble")
        flat(coarse, "coarse field")
        axes = member_axes(ensemble)
        coarse, ensemble = in_shown_units(coarse), in_shown_units(ensemble)
        frame, fine = _of_step(coarse, ensemble, axes, step)
        member = str(axes.member)
        first = [fine.isel({member: number}) for number in range(min(2, fine.sizes[member]))]
        columns = {member_title(each, member, number): each for number, each in enumerate(first)}
        columns[f"mean of {fine.sizes[member]} members"] = fine.mean(member, keep_attrs=True)
        if truth is not None:
            columns["truth"] = _of_truth(in_shown_units(scorable(truth, "truth")), fine, axes)
        arrays = {title: list(upright(each, axes)) for title, each in columns.items()}
        return cls(
            coarse=upright(frame, find_axes(frame))[0],
            columns=arrays,
            times=clock(fine, axes),
            title=f"coarse input{_length(fine, axes)}",
            ground=Ground.of(fine, axes),
        )


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
    step = whole_number(step, "step", least=-coarse.sizes[time])
    if not -coarse.sizes[time] <= step < coarse.sizes[time]:
        msg = f"step={step} is outside of the {coarse.sizes[time]} coarse steps. Pass 0 to {coarse.sizes[time] - 1}."
        raise DimensionError(msg)
    step %= coarse.sizes[time]
    return coarse.isel({time: step}), ensemble.isel({axes.time: slice(step * count, (step + 1) * count)})


def _of_truth(truth: xr.DataArray, fine: xr.DataArray, axes: Axes) -> xr.DataArray:
    """The observed field at the times of the fine frames."""
    flat(truth, "truth")
    if axes.time is not None and axes.time in fine.coords and axes.time in truth.coords:
        truth = truth.isel({axes.time: _steps_of(truth, fine, axes.time)})
    unlike = [d for d in axes.ordered if truth.sizes.get(d) != fine.sizes[d]]
    if unlike:
        msg = (
            f"the truth has the sizes {dict(truth.sizes)}, the ensemble {dict(fine.sizes)}: {unlike} differ. "
            f"Pass the part of the truth that was coarsened."
        )
        raise DimensionError(msg)
    return truth


def _steps_of(truth: xr.DataArray, fine: xr.DataArray, time: str) -> list[int]:
    """Steps of the observed field at the times of the fine frames."""
    labels = Labels(time, "forecasts", truth[time], fine[time])
    numbers = labels.numbers()
    if numbers is None:
        msg = f"the times of ensemble (forecasts) and truth (observations) do not compare: {labels.explain()}"
        raise DimensionError(msg)
    ours, theirs = numbers
    apart = np.abs(ours[:, None] - theirs)
    missing = np.flatnonzero(apart.min(axis=0) > tolerance(ours))
    if missing.size:
        lost = fine[time].values[missing[0]]
        msg = f"the truth has no step {lost}. Pass the field that was coarsened, with all of its times."
        raise DimensionError(msg)
    return [int(step) for step in apart.argmin(axis=0)]


def _length(field: xr.DataArray, axes: Axes) -> str:
    """Description of the length of a coarse step."""
    if axes.time is None or axes.time not in field.coords or field.sizes[axes.time] < 2:
        return ""
    step = field[axes.time].values[1] - field[axes.time].values[0]
    if not isinstance(step, np.timedelta64):
        return ""
    minutes = field.sizes[axes.time] * float(step / np.timedelta64(1, "m"))
    hours = f"{minutes / 60:g} h" if minutes % 60 == 0 else f"{minutes:g} min"
    return f"\n{hours} mean"
