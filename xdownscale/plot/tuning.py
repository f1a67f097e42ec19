"""Plot of the trials of :func:`xdownscale.tune`: the score of every trial along each setting."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from xdownscale.errors import EmptyFieldError
from xdownscale.plot.style import INK, finished, graph, label, legend, new_figure
from xdownscale.tuning.log import read_log

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

RATIO = 8.0
"""Ratio of largest to smallest value above which an axis is logarithmic."""


def tuning(log: str | os.PathLike[str], *, path: str | os.PathLike[str] | None = None) -> Figure:
    """Plot the score of every trial along each of the settings.

    Scores have a minimum along a setting that matters; along others, they scatter at every value. The first trial, with
    the initial settings, is a ring; the chosen trial is filled.

    Parameters
    ----------
    log : path
        Log of ``tune(..., log=path)``, finished or not.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure

    Raises
    ------
    FileError
        If there is no such log.
    EmptyFieldError
        If no trial has finished yet.
    OptionalDependencyError
        Without matplotlib or optuna.
    """
    panels = [
        (setting, trials, chosen)
        for trials, chosen in read_log(log).values()
        if trials
        for setting in trials[0].values
    ]
    if not panels:
        msg = (
            f"no trial of {str(log)!r} has finished yet. Wait for the first one, or run tune(..., "
            f"log={str(log)!r}) again."
        )
        raise EmptyFieldError(msg)
    columns = min(len(panels), 4)
    rows = ceil(len(panels) / columns)
    figure = new_figure(2.6 * columns + 0.8, 2.3 * rows + 0.3)
    grid = figure.add_gridspec(rows, columns)
    for place, (setting, trials, chosen) in enumerate(panels):
        panel = graph(figure, grid[divmod(place, columns)])
        values, scores = [each.values[setting] for each in trials], [each.score for each in trials]
        panel.plot(values, scores, "o", color=INK, alpha=0.35, markeredgewidth=0, label="trial")
        panel.plot(
            values[:1],
            scores[:1],
            "o",
            color="none",
            markeredgecolor=INK,
            markersize=10,
            label="started from",
        )
        if setting in chosen:
            at = min(range(len(values)), key=lambda n: (values[n] != chosen[setting], scores[n]))
            panel.plot([chosen[setting]], [scores[at]], "o", color=INK, label="chosen")
        if min(values) > 0 and max(values) / min(values) > RATIO:
            panel.set_xscale("log")
        label(panel, x=setting, y="score on held-out windows" if place % columns == 0 else "", title="")
    legend(figure.axes[0], loc="best")
    return finished(figure, path)
