"""A report on forecasts as one HTML file: tables, plots and the provenance of the scores."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, FileError
from xdownscale.field.attrs import add_history, package_version
from xdownscale.field.axes import find_axes
from xdownscale.io import check_place, write_whole
from xdownscale.metrics.scorable import scorable
from xdownscale.metrics.variables import field_of, scored_fields, shared_fields
from xdownscale.scoring.table import by_model, html_table

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable

    from matplotlib.figure import Figure

    from xdownscale.evaluate import Models
    from xdownscale.field.labels import Source

__all__ = ["report"]

_ALONG = ("scale", "threshold", "lead", "season", "month", "hour", "region", "year", "percentile")
"""Dimensions along which scores are plotted, the most informative first."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="xdownscale {version}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 68rem; margin: 2rem auto;
  padding: 0 1.2rem; }
h1 { font-size: 1.6rem; margin-bottom: .3rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; }
p { max-width: 46rem; }
nav a { margin-right: 1rem; }
a { color: #0060a0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem; text-align: right; border-bottom: 1px solid #e6e6e6; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #888; }
td.best { font-weight: 700; }
td.best::before { content: "\\2713\\00a0"; color: #0072b2; }
.interval { color: #666; font-size: .92em; font-weight: 400; }
dl.provenance { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .85rem; }
dl.provenance dt { color: #555; }
dl.provenance dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { color: #444; font-size: .87rem; max-width: 46rem; }
.pair { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }
details summary { cursor: pointer; color: #0060a0; }
@media print { body { margin: 0; max-width: none; } figure { break-inside: avoid; } }
"""

_DPI = 130


def report(
    scores: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    forecasts: Models | None = None,
    observations: xr.DataArray | xr.Dataset | None = None,
    coarse: xr.DataArray | xr.Dataset | None = None,
    title: str = "Evaluation",
    notes: str = "",
    overwrite: bool = False,
) -> Path:
    """Write scores as one self-contained HTML page with tables, plots and provenance.

    The page needs no other file, no network and no script. With forecasts and observations it also
    shows members beside the observed field, rank histogram, reliability, spread against error, quantiles and spectra.

    Parameters
    ----------
    scores : Dataset
        The result of :func:`xdownscale.evaluate`.
    path : path
        File to write; it is written completely or not at all.
    forecasts : DataArray, Dataset, or mapping of str to DataArray, optional
        The scored forecasts, for plots. They are loaded into memory. Datasets are plotted variable by variable, as
        :func:`xdownscale.evaluate` scores them.
    observations : DataArray or Dataset, optional
        Observed field; required with `forecasts`.
    coarse : DataArray or Dataset, optional
        The coarse field of the first forecast, for a plot of coarse field, forecast and observations.
    title : str
        Heading of the page.
    notes : str
        A paragraph below it, plain text.
    overwrite : bool
        Replace the file if it exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DimensionError
        If only one of `forecasts` and `observations` is passed, or they do not match.
    FileError
        If the file exists and `overwrite` is not set, or cannot be written.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.evaluate : Score forecasts against observations.
    xdownscale.plot.overview : All scores of all models.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((2, 20, 20))
    >>> scores = xdownscale.evaluate(rain, {"half": rain / 2, "double": 2 * rain}, metrics=["mae", "bias"])
    >>> report(scores, "page.html").read_text("utf-8")[:15]
    '<!DOCTYPE html>'
    """
    from xdownscale.plot.style import matplotlib_figures

    matplotlib_figures()
    by_model(scores, "value")  # which are scores
    if (forecasts is None) is not (observations is None):
        given, lacking = (
            ("forecasts", "observations") if observations is None else ("observations", "forecasts")
        )
        msg = f"pictures need both, and only {given} are there. Pass {lacking}=... too, or neither."
        raise DimensionError(msg)
    check_place(path)
    if Path(path).exists() and not overwrite:
        msg = f"{str(path)!r} exists. Give another name, or pass overwrite=True to replace it."
        raise FileError(msg)
    fields = [] if observations is None else list(_by_variable(observations, forecasts, coarse))
    scores = scores.compute()
    sections = dict(_of_scores(scores))
    for name, parts in fields:
        sections |= {f"{name}{heading}": text for heading, text in _of_fields(*parts)}
    sections["Where the scores come from"] = _provenance(scores)
    body = [f"<p>{escape(notes)}</p>"] if notes else []
    body.append(f"<nav>{''.join(_link(name) for name in sections)}</nav>")
    body += [
        f'<section id="{_key(name)}"><h2>{escape(name)}</h2>{text}</section>'
        for name, text in sections.items()
    ]
    page = _PAGE.format(
        title=escape(title), version=escape(package_version()), style=_STYLE, body="\n".join(body)
    )
    return write_whole(path, lambda draft: draft.write_text(page, encoding="utf-8"))


def _of_scores(scores: xr.Dataset) -> Iterator[tuple[str, str]]:
    """Sections that need only the scores."""
    from xdownscale import plot

    skills = [name for name in scores.data_vars if str(name).endswith("_skill")]
    tables = f'<div class="wide">{html_table(scores.drop_vars(skills))}</div>'
    if skills:
        words = "Skill over the reference: 1 is perfect, 0 no better"
        table = html_table(scores[skills])
        tables += f'<details><summary>{words}</summary><div class="wide">{table}</div></details>'
    yield "Scores", tables
    try:
        figure = plot.overview(scores)
    except DimensionError:  # all scores have further dimensions: these follow
        pass
    else:
        words = "Each model a dot, with its 95 % interval where there is one; dotted: the perfect value."
        yield "At a glance", _picture(figure, words)
    pictures = []
    for name, score in scores.data_vars.items():
        dims = [dim for dim in _ALONG if dim in score.dims and score.sizes[dim] > 1]
        dims += [str(d) for d in score.dims if d not in (*_ALONG, "model", "rank", "wavenumber")]
        others = int(np.prod([score.sizes[d] for d in score.dims if d not in ("model", *dims[:1])]))
        if dims and others <= 12 and not str(name).endswith(("_low", "_high", "_skill")):
            pictures.append(_picture(plot.along(scores, str(name), dims[0]), f"{name} along {dims[0]}"))
    if pictures:
        yield "By scale, threshold and group", "".join(pictures)


def _by_variable(
    observations: Source, forecasts: Any, coarse: Source | None
) -> Iterator[tuple[str, tuple[xr.DataArray, dict[str, xr.DataArray], xr.DataArray | None]]]:
    """What starts the headings of each variable, and its observations, forecasts by name and coarse field."""
    named = isinstance(forecasts, Mapping) and not hasattr(forecasts, "dims")
    models = dict(forecasts) if named else {"forecast": forecasts}
    if not any(isinstance(each, xr.Dataset) for each in (observations, *models.values())):
        yield "", (scorable(observations, "observations"), models, _coarse_of(coarse, None))
        return
    shared = shared_fields(observations, models.values())
    for name in shared:
        ours = scorable(field_of(observations, name), "observations")
        theirs = {model: field_of(each, name) for model, each in models.items()}
        start = f"{name}: " if len(shared) > 1 else ""
        yield start, (ours, theirs, _coarse_of(coarse, name))


def _coarse_of(coarse: Source | None, name: Hashable) -> xr.DataArray | None:
    """The coarse field of a variable, if there is one."""
    if coarse is None:
        return None
    fields = scored_fields(coarse)
    return next(iter(fields.values())) if len(fields) == 1 and name is None else fields.get(name)


def _of_fields(
    observations: xr.DataArray, forecasts: Mapping[str, xr.DataArray], coarse: xr.DataArray | None
) -> Iterator[tuple[str, str]]:
    """Sections that need the fields of one variable."""
    from xdownscale import plot
    from xdownscale.plot.style import models_of

    observations = observations.compute()
    models = {name: model.compute() for name, model in models_of(observations, forecasts).items()}
    ensembles = {name: model for name, model in models.items() if model.sizes.get("member", 1) > 1}
    if ensembles:
        name, ensemble = next(iter(ensembles.items()))
        pictures = _picture(
            plot.stamps(ensemble, observations, most=7),
            f"{name}: members beside the truth, at the wettest step.",
        )
        if coarse is not None:
            words = f"{name}: the wettest coarse step, two members, their mean and the truth."
            pictures += _picture(plot.comparison(coarse, ensemble, observations), words)
        if find_axes(ensemble).time is not None:
            pictures += _picture(plot.series(ensemble, observations), f"{name}: mean over all cells.")
        yield "Members", pictures
        threshold = _typical(observations)
        chance = (
            "Of rain, cells that are dry in all are left out. Bars within the grey band are what chance alone would do "
            "for independent frames."
        )
        yield (
            "Calibration",
            _picture(
                plot.rank_histogram(observations, ensembles),
                f"Where the truth ranks. {chance}",
            )
            + '<div class="pair">'
            + _picture(
                plot.reliability(observations, models, threshold),
                "Probabilities against frequencies; dotted: climate.",
            )
            + _picture(plot.spread_skill(observations, ensembles), "Spread against error, ten bins of cases.")
            + "</div>",
        )
    yield (
        "Values and texture",
        '<div class="pair">'
        + _picture(plot.quantiles(observations, models), "Percentiles, members pooled.")
        + _picture(plot.spectra(observations, models), "Power of single members by wavelength.")
        + "</div>",
    )


def _typical(observations: xr.DataArray) -> float:
    """A round threshold that about one case in ten reaches."""
    value = float(observations.quantile(0.9))
    if not value > 0:
        value = float(observations.where(observations > 0).median())
    if not np.isfinite(value) or value <= 0:
        return value if np.isfinite(value) else 0.0
    return float(f"{value:.1g}")


def _picture(figure: Figure, caption: str) -> str:
    """A figure inside the page, with its caption as alternative text."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": ""})
    data = base64.b64encode(buffer.getvalue()).decode()
    width = round(figure.get_figwidth() * 96)
    words = escape(caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" alt="{words}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _provenance(scores: xr.Dataset) -> str:
    """Provenance from the attributes of the scores: fields and version."""
    rows: list[tuple[str, str]] = []
    for key, value in scores.attrs.items():
        for name, text in _told(str(key), value):
            rows.append((name, text))
    rows.append(("page", add_history({}, "report")["history"]))
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    return f'<dl class="provenance">{lines}</dl>'


def _told(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """An attribute as table rows; JSON is expanded."""
    try:
        found = json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    except json.JSONDecodeError:
        found = value
    if not isinstance(found, Mapping):
        yield key, str(found)
        return
    if all(isinstance(each, Mapping) for each in found.values()) and found:
        for name, each in found.items():
            yield f"{key}: {name}", _listed(each)
    else:
        yield key, _listed(found)


def _listed(found: Mapping[str, Any]) -> str:
    """Description of a field in one line."""
    return "; ".join(f"{key.removeprefix('xdownscale_')}: {value}" for key, value in found.items())


def _key(name: str) -> str:
    """Name of a section inside the page."""
    return name.lower().replace(" ", "-").translate({ord(sign): None for sign in ",:"})


def _link(name: str) -> str:
    """Link to a section."""
    return f'<a href="#{_key(name)}">{escape(name)}</a>'
