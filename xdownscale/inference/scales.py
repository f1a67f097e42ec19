"""What a field is refined to, in km and minutes, and whether a model has learned that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdownscale.errors import ArgumentError, XDownscaleError
from xdownscale.field.axes import find_axes
from xdownscale.field.change import fields_of
from xdownscale.field.grid import describe
from xdownscale.field.warn import warn_user
from xdownscale.models.scale import Scale, length_units, scale_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.field.factors import Factors
    from xdownscale.field.grid import Grid
    from xdownscale.inference.domain import Piece
    from xdownscale.models.downscaler import Downscaler


FAR = 1.5
"""Times the trained cell or step, either way, from which on it is said."""

MEASURED = (
    "Measured on radar networks that nobody trained on, rain-10x3 has 0.49 to 0.57 of bicubic's absolute error and a "
    "spread/skill of 0.8 to 1.06 at the scale that it knows (1 km, 5 to 10 minutes), and 0.60 to 0.72 and 0.49 to 0.81 "
    "away from it (2 to 5 km, 15 minutes, hourly)."
)
"""What other scales cost."""


def at_scale_of(piece: Piece, model: Downscaler) -> Downscaler:
    """The model for the scale that a field is refined to.

    Parameters
    ----------
    piece : Piece
        The field.
    model : Downscaler

    Returns
    -------
    Downscaler
        The model itself, where it knows a single scale.

    Raises
    ------
    ArgumentError
        If the model asks for a scale that neither coordinates nor the user tell.

    Warns
    -----
    UserWarning
        Where the model has not learned the scale; the message says how far it is.
    """
    if not model.method.scaled:
        warn_of_other_scales(piece.grid, model, piece.factors)
        return model
    known = scale_of(piece.grid, piece.coords, piece.factors).filled(model.method.settings.scale)
    missing = [
        f"{name}=..." for name, value in (("km", known.km), ("minutes", known.minutes)) if value is None
    ]
    if missing:
        msg = (
            f"the model {model.name!r} needs the size of fine cells and the length of fine steps, and the coordinates "
            "do "
            f"not state them. Set them: model.with_scale({', '.join(missing)}), or give the coordinates units."
        )
        raise ArgumentError(msg)
    _warn_beyond(known, model)
    return model.with_scale(known.km, known.minutes)


def scale_told_by(
    field: xr.DataArray | xr.Dataset | xr.DataTree, factors: Factors, dims: Mapping[str, str] | None
) -> Scale:
    """Scale of the first field on y and x, as far as its coordinates tell, and are in order.

    Parameters
    ----------
    field : DataArray, Dataset or DataTree
    factors : Factors
        By how much it is refined.
    dims : mapping, optional
        Dimension names by role.
    """
    try:
        first = _first(field, dims)
        if first is None:
            return Scale()
        axes = find_axes(first, dims=dims)
        few = first if axes.time is None else first.isel({axes.time: slice(0, 2)})
        return scale_of(describe(few, axes), few.coords, factors)
    except XDownscaleError:  # of which the user is told when the field is opened
        return Scale()


def _first(
    field: xr.DataArray | xr.Dataset | xr.DataTree, dims: Mapping[str, str] | None
) -> xr.DataArray | None:
    """The first field on y and x."""
    if isinstance(field, xr.DataArray):
        return field
    nodes = [field] if isinstance(field, xr.Dataset) else [node.to_dataset() for node in field.subtree]
    return next((node[name] for node in nodes for name in fields_of(node, dims)), None)


def warn_of_other_scales(grid: Grid, model: Downscaler, factors: Factors) -> None:
    """Say when the cells or steps of a field are 1.5 times or more away from those that the model has learned.

    Parameters
    ----------
    grid : Grid
        Where the coarse field lies.
    model : Downscaler
        What is to refine it.
    factors : Factors
        By how much.
    """
    trained, notes = model.provenance, []
    metres = {"m": 1.0, "km": 1000.0, "degrees": 111_000.0}
    units, own = metres.get(length_units(grid.units)), metres.get(length_units(trained.spacing_units))
    if units and own and trained.spacing:
        fine, learned = grid.spacing_y * units / factors.y, trained.spacing * own
        if _far(fine / learned):
            notes.append(f"fine cells of {fine / 1000:.3g} km (trained on {learned / 1000:.3g} km)")
    if grid.step is not None and trained.step:
        seconds = float(grid.step / np.timedelta64(1, "s")) / factors.time
        if _far(seconds / trained.step):
            notes.append(f"fine steps of {seconds:g} s (trained on {trained.step:g} s)")
    if notes:
        warn_user(
            f"this asks for {' and '.join(notes)}: texture and movement will be those of the training data, and "
            f"members may have about half of the spread that they should have. {MEASURED} Train on your own scales "
            f"with xdownscale.train, or score on them with xdownscale.evaluate."
        )


def _warn_beyond(scale: Scale, model: Downscaler) -> None:
    """Say when cells or steps are 1.5 times or more beyond the range that a model has learned."""
    low, high = model.method.settings.finest, model.method.settings.coarsest
    notes = []
    for what, unit, value, least, most in (
        ("fine cells", "km", scale.km, low.km, high.km),
        ("fine steps", "minutes", scale.minutes, low.minutes, high.minutes),
    ):
        ratio = max(least / value, value / most)
        if ratio > FAR * (1 - 1e-6):
            learned = f"{least:g} to {most:g} {unit}"
            notes.append(
                f"{what} of {float(f'{value:.3g}'):g} {unit}, {ratio:.2g} times beyond the {learned} that it learned"
            )
    if notes:
        warn_user(
            f"this asks the model {model.name!r} for {' and for '.join(notes)}: it extrapolates how rain changes "
            f"with scale, and its quality there has not been measured. Score it with xdownscale.evaluate, or train on "
            f"your own scales with xdownscale.train."
        )


def _far(ratio: float) -> bool:
    """Whether a scale is :data:`FAR` times another one or more, either way."""
    return max(ratio, 1 / ratio) > FAR * (1 - 1e-6)
