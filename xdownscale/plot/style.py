"""Shared code of the plots: figures without a window, colours, labels, files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdownscale.errors import DimensionError, OptionalDependencyError, UnitsError, ValueRangeError
from xdownscale.field.checks import name_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.units import to_units
from xdownscale.io import write_whole
from xdownscale.metrics.alignment import with_members
from xdownscale.metrics.scorable import scorable

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import xarray as xr
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import LayoutEngine

RATE = "mm h-1"

INK, TRUTH, BAND, GRID = "#333333", "#000000", "#d9d9d9", "#e6e6e6"

_MODELS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours of Okabe and Ito, distinguishable under all common kinds of colour blindness (doi:10.1038/nmeth.1618)."""

_MARKERS, _DASHES = "osD^vP", ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))
"""Markers and dashes that distinguish models also in grey."""

_DPI = 160


def matplotlib_figures() -> Any:
    """The module of figures; raises an error without matplotlib."""
    try:
        import matplotlib.figure as figures
    except ImportError as error:
        msg = "plots need matplotlib, which is not installed: pip install 'xdownscale-sr[plot]'"
        raise OptionalDependencyError(msg) from error
    return figures


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, without a window."""
    matplotlib_figures()
    from xdownscale.plot.picture import Picture

    return Picture(figsize=(width, height), layout=_layout())


def _layout() -> LayoutEngine:
    """Narrow gaps between panels."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)


def graph(figure: Figure, place: Any = 111, *, sharey: Panel | None = None) -> Panel:
    """A panel for curves: light grid, no frame at the top and right."""
    panel: Panel = figure.add_subplot(place, sharey=sharey)
    panel.grid(visible=True, color=GRID, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    for spine in panel.spines.values():
        spine.set(linewidth=0.6, edgecolor=INK)
    panel.tick_params(labelsize=8, colors=INK, width=0.6, length=3)
    return panel


def label(panel: Panel, *, x: str, y: str, title: str = "") -> None:
    """Labels of the axes, all of one size."""
    panel.set_xlabel(x, fontsize=8, color=INK)
    panel.set_ylabel(y, fontsize=8, color=INK)
    if title:
        panel.set_title(title, fontsize=9, color=INK, loc="left")


def legend(panel: Panel, **options: Any) -> None:
    """Names of the curves, if there are any."""
    if panel.get_legend_handles_labels()[1]:
        panel.legend(fontsize=7.5, frameon=False, labelcolor=INK, **options)


def models_of(
    observations: xr.DataArray,
    forecasts: xr.DataArray | Mapping[str, xr.DataArray],
    member_dim: str = "member",
) -> dict[str, xr.DataArray]:
    """Checked forecasts by name, with members along `member_dim`; a single one is called forecast."""
    if member_dim in getattr(observations, "dims", (member_dim,)):
        msg = (
            f"the first argument holds forecasts: it has names, or the member dimension {member_dim!r}. Plots take "
            f"observations first and forecasts second; swap them."
        )
        raise DimensionError(msg)
    named = isinstance(forecasts, Mapping) and not hasattr(forecasts, "dims")
    every = forecasts if named else {"forecast": forecasts}
    ours = scorable(observations, "observations")
    return {
        str(name): with_members(ours, scorable(model, "forecasts"), member_dim)
        for name, model in every.items()
    }


def looks() -> Iterator[dict[str, Any]]:
    """Colour, marker and dashes of one model after the other."""
    number = 0
    while True:
        yield {
            "color": _MODELS[number % len(_MODELS)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "linestyle": _DASHES[number // len(_MODELS) % len(_DASHES)],
        }
        number += 1


def in_shown_units(field: xr.DataArray) -> xr.DataArray:
    """Rain rates in mm/h; all other fields unchanged."""
    if not quantity_of(field).precipitation:
        return field
    try:
        return to_units(field, RATE).assign_attrs(units=RATE)
    except UnitsError:
        return field


def title_of(field: xr.DataArray) -> str:
    """Name of a field with its units in print notation."""
    name = str(field.attrs.get("long_name", name_of(field))).replace("_", " ")
    return f"{name} [{pretty(str(field.attrs.get('units', '1')))}]"


def pretty(units: str) -> str:
    """Units in print notation."""
    return {"mm h-1": "mm/h", "mm/hr": "mm/h", "mm2 h-2": "mm²/h²"}.get(units, units)


def finished(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """The figure, written to a file if one is named.

    Raises
    ------
    ValueRangeError
        If the extension of the path is not supported.
    FileError
        If it cannot be written there.
    """
    if path is not None:
        known = sorted(figure.canvas.get_supported_filetypes())
        if Path(path).suffix[1:].lower() not in known:
            msg = f"plots are written as one of {known}, not {Path(path).suffix!r}. Pass for example path='plot.png'."
            raise ValueRangeError(msg)
        write_whole(path, lambda draft: figure.savefig(draft, dpi=_DPI))
    return figure
