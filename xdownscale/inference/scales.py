"""Whether a field lies on the scales that a model has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xdownscale.field.warn import warn_user

if TYPE_CHECKING:
    from xdownscale.field.factors import Factors
    from xdownscale.field.grid import Grid
    from xdownscale.models.downscaler import Downscaler


FAR = 1.5
"""Times the trained cell or step, either way, from which on it is said."""

MEASURED = (
    "Measured on radar networks that nobody trained on, rain-10x3 has 0.49 to 0.57 of bicubic's absolute error and a "
    "spread/skill of 0.8 to 1.06 at the scale that it knows (1 km, 5 to 10 minutes), and 0.60 to 0.72 and 0.49 to 0.81 "
    "away from it (2 to 5 km, 15 minutes, hourly)."
)
"""What other scales cost."""


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
    units, own = metres.get(_length_units(grid.units)), metres.get(_length_units(trained.spacing_units))
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


def _far(ratio: float) -> bool:
    """Whether a scale is :data:`FAR` times another one or more, either way."""
    return max(ratio, 1 / ratio) > FAR * (1 - 1e-6)


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
