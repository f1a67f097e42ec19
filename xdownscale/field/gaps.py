"""A time axis with gaps, cut into contiguous pieces that are treated one by one.

Nothing is computed across a gap: no block of steps, no window of a network, no interpolation. Every piece goes through
the very call that would be made for it alone, and the results are put one behind the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, overload

import numpy as np
import xarray as xr

from xdownscale.errors import FactorError, TimeAxisError
from xdownscale.field.boundary import check_boundary
from xdownscale.field.bounds import WIDTH, find_bounds
from xdownscale.field.labels import labels_of
from xdownscale.field.times import (
    JITTER,
    as_timedelta,
    check_times,
    irregular,
    noted_step,
    to_ticks,
    usual_step,
)
from xdownscale.field.warn import warn_user

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xdownscale.field.axes import Axes
    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.change import Change
    from xdownscale.field.labels import Source

GAPS: Final = ("error", "split")


def check_gaps(gaps: str) -> None:
    """Raise where `gaps` is none of the known words."""
    if gaps not in GAPS:
        msg = f"gaps={gaps!r} is unknown. Pass one of {GAPS}."
        raise TimeAxisError(msg)


def contiguous(field: Source, dim: str | None) -> list[slice]:
    """The pieces of a time axis between its gaps; one piece without gaps, or without times.

    A gap is a step longer than the usual one: the width that bounds or an earlier coarsening tell, else the step that
    occurs most often.

    Parameters
    ----------
    field : DataArray or Dataset
        Only its coordinates are read.
    dim : str or None
        The time dimension.

    Raises
    ------
    TimeAxisError
        If labels do not increase, or a step is shorter than the usual one.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> minutes = np.array([0, 5, 10, 20, 25]).astype("timedelta64[m]")
    >>> rain = xr.DataArray(np.zeros(5), coords={"time": np.datetime64("2020-07-01") + minutes})
    >>> contiguous(rain, "time")
    [slice(0, 3, None), slice(3, 5, None)]
    """
    if dim is None or not check_times(field, dim) or field.sizes[dim] < 2:
        return [slice(None)]
    step, steps = _steps(field, dim)
    if step <= 0 or bool((steps < (1 - JITTER) * step).any()):
        raise irregular(field, dim, steps, step)
    if bool((steps > (1 + JITTER) * step).all()) and find_bounds(field, dim) is None:
        _warn_of_lone_steps(dim, step / usual_step(steps))
    cuts = [0, *(int(at) + 1 for at in np.flatnonzero(steps > (1 + JITTER) * step)), field.sizes[dim]]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


@overload
def take(field: xr.DataArray, dim: str | None, part: slice) -> xr.DataArray: ...
@overload
def take(field: Source, dim: str | None, part: slice) -> Source: ...
def take(field: Source, dim: str | None, part: slice) -> Source:
    """One piece of a field; a lone label is told the step that it would not know any more.

    Parameters
    ----------
    field : DataArray or Dataset
        The field with all its pieces.
    dim : str or None
        The time dimension.
    part : slice
        One of those that :func:`contiguous` gives.
    """
    if dim is None or part == slice(None):
        return field
    piece = field.isel({dim: part})
    if piece.sizes[dim] != 1 or noted_step(piece, dim) is not None:
        return piece
    step, _ = _steps(field, dim)
    label = labels_of(piece, dim)
    seconds = as_timedelta(step, label.values) / np.timedelta64(1, "s")
    return piece.assign_coords({label.name: (dim, label.values, {**label.attrs, WIDTH: f"{seconds:.9g} s"})})


def step_beside_gaps(field: Source, dim: str) -> int | None:
    """The usual step of a time axis that may have gaps, in ticks; None without times, or for one lone label."""
    if not check_times(field, dim):
        return None
    if field.sizes[dim] < 2:
        return noted_step(field, dim)
    contiguous(field, dim)
    return _steps(field, dim)[0]


def _steps(field: Source, dim: str) -> tuple[int, np.ndarray]:
    """The usual step and all steps, in ticks.

    A width that is noted counts where it is shorter than all steps: cells that were made between gaps may all lie
    further apart than they are wide.
    """
    steps = np.diff(to_ticks(labels_of(field, dim).values)[0])
    usual, noted = usual_step(steps), noted_step(field, dim)
    return (noted if noted is not None and 0 < noted < usual else usual), steps


def _warn_of_lone_steps(dim: str, share: float) -> None:
    """Say that no two steps touch: a width that was noted for finer steps would do the same."""
    warn_user(
        f"no two steps along {dim!r} touch: attrs[{WIDTH!r}] says that a step is {share:.3g} of the "
        f"distance between labels. If steps were merged since, remove the note: del field[{dim!r}].attrs[{WIDTH!r}]."
    )


def in_pieces(change: Change, gaps: str, *, factor: int = 1, boundary: str = "exact") -> Change:
    """The change itself, or, where gaps split time, the change of every piece on its own.

    Parameters
    ----------
    change : Change
        What to do with a piece.
    gaps : {"error", "split"}
        What to do about gaps.
    factor : int
        Steps that a block takes together.
    boundary : str
        What to do with a last incomplete block of a piece.
    """
    check_gaps(gaps)
    return change if gaps == "error" else _InPieces(change, factor, boundary)


@dataclass(frozen=True)
class _InPieces:
    """A change of grid, piece by piece along time."""

    change: Change
    factor: int
    boundary: str

    def changed(self, axes: Axes) -> set[str]:
        """Dimensions that change."""
        return self.change.changed(axes)

    def attrs(self, field: Source) -> dict[str, object]:
        """Attributes that are kept."""
        return self.change.attrs(field)

    def variable(self, field: xr.DataArray, grid: Source, axes: Axes) -> xr.Variable:
        """New values and attributes, one piece behind the other."""
        dim, parts = self._parts(grid, axes)
        return joined(
            [self.change.variable(take(field, dim, part), take(grid, dim, part), axes) for part in parts], dim
        )

    def coords(self, field: xr.DataArray, grid: Source, axes: Axes) -> Coordinates:
        """New coordinates, one piece behind the other."""
        dim, parts = self._parts(grid, axes)
        pieces = [self.change.coords(take(field, dim, part), take(grid, dim, part), axes) for part in parts]
        return {name: joined([piece[name] for piece in pieces], dim) for name in pieces[0]}

    def _parts(self, grid: Source, axes: Axes) -> tuple[str | None, list[slice]]:
        """Pieces that the factor divides, or that the change itself fits; one where time does not change."""
        dim = axes.time if axes.time in self.changed(axes) else None
        parts = contiguous(grid, dim)
        return dim, parts if dim is None or len(parts) == 1 else self._fitted(grid, dim, parts)

    def _fitted(self, grid: Source, dim: str, parts: Sequence[slice]) -> list[slice]:
        """Pieces without what `boundary` says to leave out."""
        check_boundary(self.boundary)
        fitted = []
        for number, part in enumerate(parts):
            rest = (part.stop - part.start) % self.factor
            if rest and self.boundary != "trim":
                self._check_room(grid, dim, parts, number)
            stop = part.stop - (rest if self.boundary == "trim" else 0)
            fitted += [slice(part.start, stop)] if stop > part.start else []
        if not fitted:
            msg = (
                f"none of the {len(parts)} pieces along {dim!r} has {self.factor} steps. Use a smaller factor, "
                f"or pass boundary='pad'."
            )
            raise FactorError(msg)
        return fitted

    def _check_room(self, grid: Source, dim: str, parts: Sequence[slice], number: int) -> None:
        """Raise where a piece must fit by itself, or would be padded into the next one."""
        part, labels = parts[number], labels_of(grid, dim).values
        steps = part.stop - part.start
        rest = steps % self.factor
        name = (
            f"piece {number + 1} of {len(parts)} along {dim!r} (index {part.start} to {part.stop - 1}, "
            f"{labels[part.start]} to {labels[part.stop - 1]}) has {steps} steps, which {self.factor} does not divide"
        )
        trim = f"boundary='trim' (drops its last {rest})"
        if self.boundary == "exact":
            msg = f"{name}. Pass {trim} or boundary='pad' (adds {self.factor - rest} missing)."
            raise FactorError(msg)
        if number + 1 == len(parts):
            return
        step, apart = _steps(grid, dim)
        if apart[part.stop - 1] < (self.factor - rest + 1 - JITTER) * step:
            msg = f"{name}, and padded it would reach into the next piece. Pass {trim}."
            raise FactorError(msg)


def joined(pieces: Sequence[xr.Variable], dim: str | None) -> xr.Variable:
    """Pieces one behind the other; the first of those that do not lie along time.

    Parameters
    ----------
    pieces : sequence of Variable
        Values of each piece.
    dim : str or None
        The time dimension.
    """
    first = pieces[0]
    if len(pieces) == 1 or dim not in first.dims:
        return first
    joined: xr.Variable = xr.Variable.concat(list(pieces), dim)  # type: ignore[no-untyped-call]
    return joined
