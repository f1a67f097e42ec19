"""Scores as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def scores_table(scores: xr.Dataset) -> str:
    """Write scores as a plain table: a line for each metric, a column for each model.

    The last line checks a bound that no forecast can beat: the expected CRPS is at least half of the MAE of the best
    median forecast. A table that beats it is wrong.

    Parameters
    ----------
    scores : Dataset
        What :func:`evaluate` returns, averaged over all dimensions.

    Returns
    -------
    str

    Examples
    --------
    >>> import xarray as xr
    >>> scores = xr.Dataset({"crps_ensemble": ("model", [0.2, 0.3]), "mae": ("model", [0.3, 0.3])})
    >>> print(scores_table(scores.assign_coords(model=["net", "bicubic"])))
    score               net  bicubic
    crps_ensemble       0.2      0.3
    mae                 0.3      0.3
    CRPS >= 1/2 MAE of the best median: 0.2 >= 0.15 holds
    """
    scores = scores.load() if "model" in scores.dims else scores.load().expand_dims(model=["value"])
    head = ["score", *(str(model) for model in scores["model"].values)]
    rows = [head] + [row for name in scores.data_vars for row in _rows(scores[name])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    widths = [max(widths[0], 13)] + [max(width, 8) for width in widths[1:]]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), *_bound(scores)])


def _rows(score: xr.DataArray) -> list[list[str]]:
    """Lines of one metric: one for each value along dimensions besides the models."""
    others = [d for d in score.dims if d != "model"]
    units = score.attrs.get("units", "1")
    unit = "" if units == "1" else f" [{units}]"
    flat = score.transpose("model", *others).values.reshape(score.sizes["model"], -1)
    places = np.ndindex(*(score.sizes[d] for d in others))
    rows = []
    for column, place in enumerate(places):
        labels = (score[d].values[i] if d in score.coords else i for d, i in zip(others, place, strict=True))
        title = " ".join(
            [str(score.name), *(f"{label:g}" if isinstance(label, float) else str(label) for label in labels)]
        )
        rows.append([title + unit, *(f"{value:.4g}" for value in flat[:, column])])
    return rows


def _bound(scores: xr.Dataset) -> list[str]:
    """Say whether the CRPS keeps its bound, where CRPS and MAE are there to tell."""
    if not {"crps_ensemble", "mae"} <= set(scores.data_vars) or scores["mae"].dims != ("model",):
        return []
    crps, half = float(scores["crps_ensemble"].min()), float(scores["mae"].min()) / 2
    verdict = "holds" if crps >= half else "is beaten: something is wrong"
    return [f"CRPS >= 1/2 MAE of the best median: {crps:.4g} >= {half:.4g} {verdict}"]
