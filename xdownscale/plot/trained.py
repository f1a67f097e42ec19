"""Training data of a model, and its scores on held-out data."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

import xarray as xr

from xdownscale.errors import EmptyFieldError
from xdownscale.plot.scores import overview
from xdownscale.plot.style import INK, finished

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

    from xdownscale.models.downscaler import Downscaler

_NAMES = {"crps": "crps", "rmse": "rmse", "spread_skill": "spread_skill_ratio", "lsd": "lsd"}
"""Plotted scores, by their names in :func:`xdownscale.evaluate`, which has the perfect values."""

_LINES, _CHARACTERS = 4, 100
"""Number and length of the lines on the training data."""


def model(model: Downscaler, *, path: str | os.PathLike[str] | None = None) -> Figure:
    """Plot the scores of a model and of bicubic interpolation on held-out data, and name the training data.

    Parameters
    ----------
    model : Downscaler
        A trained model.
    path : path, optional
        File to write, in the format of its extension.

    Returns
    -------
    Figure
        A panel for each score of each target; the dotted line is the perfect value.

    Raises
    ------
    EmptyFieldError
        If the model has no scores, because nothing was held out.
    OptionalDependencyError
        Without matplotlib.

    See Also
    --------
    xdownscale.plot.overview : All scores of :func:`xdownscale.evaluate`.

    Examples
    --------
    >>> import xdownscale
    >>> figure = model(xdownscale.zoo.load("rain-10x3"))
    >>> [panel.get_title(loc="left") for panel in figure.axes]
    ['crps [mm/h]', 'spread_skill_ratio', 'lsd [dB]']
    """
    scores = xr.Dataset(
        {
            name if len(model.targets) == 1 else f"{variable.name}: {name}": xr.DataArray(
                [told[key], told.get(f"{key}_bicubic", float("nan"))],
                dims="model",
                attrs={"units": _units(key, variable.units)},
            )
            for variable in model.variables
            for told in [model.scores(variable.name)]
            for key, name in _NAMES.items()
            if key in told
        },
        coords={"model": [model.name, "bicubic"]},
    )
    if not scores.data_vars:
        msg = f"the model {model.name!r} has no scores on held-out data. Hold some out: train(..., validation=0.1)."
        raise EmptyFieldError(msg)
    compared = bool(xr.concat(scores.isel(model=1).data_vars.values(), "score").notnull().any())
    figure = overview(scores if compared else scores.isel(model=[0]))
    text = _trained_on(model)
    figure.set_figheight(figure.get_figheight() + 0.15 * (text.count("\n") + 2))
    figure.suptitle(text, fontsize=7.5, color=INK, ha="left", x=0.01)
    return finished(figure, path)


def _units(key: str, units: str | None) -> str:
    """Units of a score."""
    return {"spread_skill": "1", "lsd": "dB"}.get(key, units or "1")


def _trained_on(model: Downscaler) -> str:
    """A few lines on factors, scale and training data."""
    told = model.provenance
    scale = [f"{told.spacing:g} {told.spacing_units or ''}".strip()] if told.spacing else []
    scale += [f"{told.step:g} s"] if told.step else []
    lines = [f"{model.name}: factors {model.factors}{', fine grid ' if scale else ''}{', '.join(scale)}"]
    lines += [shorten(f"trained on {line}", _CHARACTERS) for line in told.data[:_LINES]]
    more = len(told.data) - _LINES
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])
