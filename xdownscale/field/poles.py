"""Rows of latitude end at the poles, also where a label lies on one, as in every global file of ERA5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xdownscale.errors import DimensionError

if TYPE_CHECKING:
    import xarray as xr

POLE = 90.0
"""Latitude of the pole, true or rotated."""

_BEYOND = 1e-3
"""Degrees beyond the pole that are rounding."""

_NEAR = 0.02
"""Share of a row by which labels may be off and still be taken for its centre."""


def check_globe(label: xr.DataArray) -> None:
    """Raise where a latitude lies beyond the poles.

    Parameters
    ----------
    label : DataArray
        Latitudes.
    """
    values = label.values
    at = int(np.abs(values).argmax())
    if abs(float(values[at])) > POLE + _BEYOND:
        msg = (
            f"{label.name!r} is a latitude and holds {values[at]:g}, beyond the pole. If it is not a latitude, set "
            f'its units: field[{label.name!r}].attrs["units"] = "1".'
        )
        raise DimensionError(msg)


def end_at_poles(edges: np.ndarray) -> np.ndarray:
    """Edges of latitude cells that end at the poles."""
    inside: np.ndarray = np.clip(edges, -POLE, POLE)
    return inside


def cut_rows(edges: np.ndarray, factor: int) -> np.ndarray:
    """Edges (cells, factor, 2) of equal parts of cells whose edges (cells, 2) are given."""
    cuts = edges[:, :1] + (edges[:, 1:] - edges[:, :1]) * (np.arange(factor + 1) / factor)
    return np.stack([cuts[:, :-1], cuts[:, 1:]], axis=-1)


def polar_rows(labels: np.ndarray, width: float | None) -> tuple[int, int]:
    """How many rows at the first and the last end are narrower than the others, as parts of the half cell at a pole.

    Parameters
    ----------
    labels : ndarray, shape (rows,)
        Latitudes.
    width : float or None
        Width of the other rows; by default the distance of labels that occurs in their middle.

    Examples
    --------
    >>> import numpy as np
    >>> polar_rows(np.array([89.9375, 89.8125, 89.625, 89.375]), 0.25)
    (2, 0)
    """
    if labels.size < 3:
        return 0, 0
    usual = abs(float(width)) if width else float(np.median(np.abs(np.diff(labels))))
    first, last = _at_first_end(labels, usual), _at_first_end(labels[::-1], usual)
    return (first, last) if first + last < labels.size else (0, 0)


def _at_first_end(labels: np.ndarray, usual: float) -> int:
    """Rows that begin at a pole with a width of their own and are followed by one of the usual width."""
    steps = np.abs(np.diff(labels))
    if not 0 < steps[0] < (1 - _NEAR) * usual:
        return 0
    inside = steps < steps[0] + (usual - steps[0]) / 4
    rows = 1 + (len(steps) if inside.all() else int(np.argmin(inside)))
    narrow = float(steps[: rows - 1].mean())
    begins = abs(POLE - abs(labels[0]) - narrow / 2) <= _NEAR * narrow
    follows = rows < labels.size and abs(steps[rows - 1] - (narrow + usual) / 2) <= _NEAR * usual
    return rows if begins and follows else 0
