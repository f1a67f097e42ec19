"""Whether a field lies on the scales that a model has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xdownscale.field.warn import warn_user

if TYPE_CHECKING:
    from xdownscale.field.grid import Grid
    from xdownscale.model.downscaler import Downscaler


def warn_of_other_scales(grid: Grid, model: Downscaler) -> None:
    """Say when the cells or steps of a field are far from those that the model has learned.

    Parameters
    ----------
    grid : Grid
        Where the coarse field lies.
    model : Downscaler
        What is to refine it.
    """
    trained, factors, notes = model.provenance, model.factors, []
    metres = {"m": 1.0, "km": 1000.0, "degrees": 111_000.0}
    units, own = metres.get(_length_units(grid.units)), metres.get(_length_units(trained.spacing_units))
    if units and own and trained.spacing:
        fine, learned = grid.spacing_y * units / factors.y, trained.spacing * own
        if not 0.5 < fine / learned < 2:
            notes.append(f"fine cells of {fine / 1000:.3g} km (trained on {learned / 1000:.3g} km)")
    if grid.step is not None and trained.step:
        seconds = float(grid.step / np.timedelta64(1, "s")) / factors.time
        if not 0.4 < seconds / trained.step < 2.5:
            notes.append(f"fine steps of {seconds:g} s (trained on {trained.step:g} s)")
    if notes:
        warn_user(
            f"this asks for {' and '.join(notes)}: texture and movement will be those of the training data. "
            f"Train on your own scales with xdownscale.train."
        )


def _length_units(units: str | None) -> str:
    """One word for the many ways to write a unit of length."""
    text = (units or "").lower()
    return (
        "degrees"
        if text.startswith("degree")
        else {"metre": "m", "meter": "m", "kilometre": "km", "kilometer": "km"}.get(
            text.removesuffix("s"), text
        )
    )
