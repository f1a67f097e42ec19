"""Scores as a table: plain text, and HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from xdownscale.errors import DimensionError

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

_SMALLEST_IS_BEST = ("crps_ensemble", "mae", "rmse", "mse", "emd", "lsd", "brier_score", "pit_deviation")
_LARGEST_IS_BEST = ("ssim", "fss")


class Table(str):
    """A table as text, which notebooks show as HTML."""

    __slots__ = ("html",)
    html: str

    @classmethod
    def of(cls, text: str, html: str) -> Table:
        """The same table in both forms."""
        table = cls(text)
        table.html = html
        return table

    def _repr_html_(self) -> str:
        return self.html


def scores_table(scores: xr.Dataset) -> Table:
    """Write scores as a plain table: a line for each metric, a column for each model.

    The last line checks a bound: the expected CRPS is at least half of the MAE of the best median forecast, because it
    is at least ½·E|Y − Y′| ≥ ½·E|Y − m| for independent observations Y, Y′ under the same conditions with median m.
    The page on evaluation has the derivation.

    Parameters
    ----------
    scores : Dataset
        What :func:`xdownscale.evaluate` returns; further dimensions, as thresholds and scales, give a line for each
        label. The interval of a bootstrap stands beside its score.

    Returns
    -------
    str
        Jupyter shows it as HTML, the best model of each line marked.

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
    scores = by_model(scores, "value").load()
    head = ["score", *(str(model) for model in scores["model"].values)]
    rows = [head] + [row for name in _shown(scores) for row in _rows(scores, name)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    widths = [max(widths[0], 13)] + [max(width, 8) for width in widths[1:]]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    ]
    text = "\n".join([*(line.rstrip() for line in lines), *_bound(scores)])
    return Table.of(text, html_table(scores))


def html_table(scores: xr.Dataset) -> str:
    """Scores as a table of HTML: a row for each metric, a column for each model, intervals behind their score.

    Parameters
    ----------
    scores : Dataset
        As in :func:`scores_table`.

    Returns
    -------
    str
        One ``<table>``; the best model of a row has the class ``best``, where best means smallest or largest.

    Examples
    --------
    >>> import xarray as xr
    >>> scores = xr.Dataset({"mae": ("model", [0.3, 0.2])}, coords={"model": ["bicubic", "net"]})
    >>> '<td class="best">0.2</td>' in html_table(scores)
    True
    """
    scores = by_model(scores, "value").load()
    head = "".join(f"<th>{escape(str(name))}</th>" for name in ["score", *scores["model"].values])
    rows = []
    for name in _shown(scores):
        bounds = [
            _cells(scores[f"{name}{end}"])[1] if f"{name}{end}" in scores else None
            for end in ("_low", "_high")
        ]
        titles, values = _cells(scores[name], named=True)
        rows += [
            _html_row(str(name), title, row, [None if b is None else b[n] for b in bounds])
            for n, (title, row) in enumerate(zip(titles, values, strict=True))
        ]
    notes = "".join(f"<p>{escape(line)}</p>" for line in _bound(scores))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{notes}"


def by_model(scores: xr.Dataset, name: str) -> xr.Dataset:
    """Scores along ``model``; those of a single one get its name.

    Raises
    ------
    DimensionError
        If they are no Dataset.

    Examples
    --------
    >>> import xarray as xr
    >>> dict(by_model(xr.Dataset({"mae": 0.3}), "forecast").sizes)
    {'model': 1}
    """
    if not hasattr(scores, "data_vars"):
        msg = f"scores are a {type(scores).__name__}; pass the Dataset that xdownscale.evaluate(...) returns."
        raise DimensionError(msg)
    return scores if "model" in scores.dims else scores.expand_dims(model=[name])


def _html_row(name: str, title: str, values: np.ndarray, bounds: list[np.ndarray | None]) -> str:
    """A line of the table."""
    best = _best(name, values)
    cells = []
    for column, value in enumerate(values):
        low, high = (None if end is None else end[column] for end in bounds)
        known = low is not None and high is not None and np.isfinite(low)
        interval = f' <span class="interval">({low:.3g} … {high:.3g})</span>' if known else ""
        text = f"{value + 0.0:.4g}" if np.isfinite(value) else "–"
        mark = ' class="best"' if column == best else ""
        cells.append(f"<td{mark}>{text}{interval}</td>")
    return f"<tr><td>{escape(title)}</td>{''.join(cells)}</tr>"


def _best(name: str, values: np.ndarray) -> int | None:
    """Which model is the best, where there is one and the score says so."""
    known = np.isfinite(values)
    largest, smallest = (
        f"_{name}".endswith(tuple(f"_{each}" for each in names))
        for names in (_LARGEST_IS_BEST, _SMALLEST_IS_BEST)
    )  # the name of a variable may come first
    if known.sum() < 2 or not (largest or smallest):
        return None
    return int(np.nanargmax(values) if largest else np.nanargmin(values))


def _rows(scores: xr.Dataset, name: Hashable) -> list[list[str]]:
    """Lines of one metric: one for each value along dimensions besides the models, its interval beside it."""
    titles, values = _cells(scores[name])
    bounds = [_cells(scores[key])[1] for end in ("_low", "_high") if (key := f"{name}{end}") in scores]
    texts = [[f"{value:.4g}" for value in row] for row in values]
    if len(bounds) == 2:
        ends = zip(*bounds, strict=True)
        texts = [
            [f"{text} ({low:.3g} … {high:.3g})" for text, low, high in zip(row, *end, strict=True)]
            for row, end in zip(texts, ends, strict=True)
        ]
    return [[title, *row] for title, row in zip(titles, texts, strict=True)]


def _shown(scores: xr.Dataset) -> list[Hashable]:
    """Scores that have a line: all but the ends of intervals, which stand beside their score."""
    ends = {f"{name}{end}" for name in scores.data_vars for end in ("_low", "_high")}
    return [name for name in scores.data_vars if name not in ends]


def _cells(score: xr.DataArray, *, named: bool = False) -> tuple[list[str], np.ndarray]:
    """Titles of the lines of one metric, with the names of its dimensions or without, and values (line, model)."""
    others = [d for d in score.dims if d != "model"]
    units = score.attrs.get("units", "1")
    unit = "" if units == "1" else f" [{units}]"
    titles = []
    for place in np.ndindex(*(score.sizes[d] for d in others)):
        labels = (score[d].values[i] if d in score.coords else i for d, i in zip(others, place, strict=True))
        words = [f"{label:g}" if isinstance(label, float) else str(label) for label in labels]
        words = [f"{d} {word}" for d, word in zip(others, words, strict=True)] if named else words
        titles.append(" ".join([str(score.name), *words]) + unit)
    return titles, score.transpose("model", *others).values.reshape(score.sizes["model"], -1).T


def _bound(scores: xr.Dataset) -> list[str]:
    """Say whether the CRPS keeps its bound, where CRPS and MAE are there to tell."""
    if not {"crps_ensemble", "mae"} <= set(scores.data_vars) or scores["mae"].dims != ("model",):
        return []
    crps, half = float(scores["crps_ensemble"].min()), float(scores["mae"].min()) / 2
    verdict = "holds" if crps >= half else "is beaten: something is wrong"
    return [f"CRPS >= 1/2 MAE of the best median: {crps:.4g} >= {half:.4g} {verdict}"]
