"""What a field is refined to: the side of a fine cell in km, the length of a fine step in minutes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.field.factors import Factors
    from xdownscale.field.grid import Grid

DEGREE = 111.2
"""Kilometres of a degree of latitude."""


@dataclass(frozen=True)
class Scale:
    """What a field is refined to.

    Parameters
    ----------
    km : float, optional
        Side of a fine cell; None where it is not known.
    minutes : float, optional
        Length of a fine step.

    Examples
    --------
    >>> Scale(km=1.0).filled(Scale(4.0, 60.0))
    Scale(km=1.0, minutes=60.0)
    """

    km: float | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        wrong = [
            f"{name}={value!r}" for name, value in asdict(self).items() if value is not None and not value > 0
        ]
        if wrong:
            msg = f"{', '.join(wrong)} is not accepted: km and minutes must be above zero"
            raise ArgumentError(msg)

    def filled(self, other: Scale | None) -> Scale:
        """What is not known taken from another scale."""
        there = other or Scale()
        return Scale(there.km if self.km is None else self.km, self.minutes or there.minutes)


def scale_of(grid: Grid, coords: Mapping[Any, Any], factors: Factors) -> Scale:
    """Side of a fine cell and length of a fine step of a field, as far as its coordinates tell.

    Of cells of unequal sides it is the root of their area; of latitudes and longitudes that in the middle.

    Parameters
    ----------
    grid : Grid
        Of the coarse field.
    coords : mapping
        Coordinates of the field, coarse or fine.
    factors : Factors
        By how much it is refined.
    """
    minutes = None if grid.step is None else float(grid.step / np.timedelta64(1, "s")) / 60 / factors.time
    unit = {"m": 1e-3, "km": 1.0, "degrees": DEGREE}.get(length_units(grid.units))
    if unit is None:
        return Scale(None, minutes)
    wide = grid.spacing_x
    if grid.latlon:
        middle = float(np.mean(np.asarray(coords[grid.axes.y], float)))
        wide *= float(np.cos(np.deg2rad(middle)))
    area = grid.spacing_y * wide / (factors.y * factors.x)
    return Scale(unit * float(np.sqrt(max(area, 0.0))) or None, minutes)


def length_units(units: str | None) -> str:
    """One word for the many ways to write a unit of length: "degrees", "m", "km", or what it is."""
    text = (units or "").lower()
    return (
        "degrees"
        if text.startswith("degree")
        else {"metre": "m", "meter": "m", "kilometre": "km", "kilometer": "km"}.get(
            text.removesuffix("s"), text
        )
    )
