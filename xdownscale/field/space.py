"""Space axes: spacing, cell edges, coarser and finer labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import DimensionError
from xdownscale.field.bounds import WIDTH, Coordinates, find_bounds, labelled
from xdownscale.field.known import Blocks, coarser, finer, note_of_coarse, still_coarser
from xdownscale.field.labels import (
    Source,
    has_labels,
    indexed,
    is_latitude,
    is_longitude,
    labels_of,
    numbers_of,
)
from xdownscale.field.poles import POLE, check_globe, cut_rows, end_at_poles, polar_rows

if TYPE_CHECKING:
    import xarray as xr

    from xdownscale.field.axes import Axes

_REGULAR = 0.02
"""Share of the spacing by which steps of a coordinate may differ: Gaussian latitudes do by 1 %."""

_STRICT = 1e-3
"""Share of the spacing below which differences are rounding of the file, not geometry."""

_EXACT = 1e-11
"""Share of the spacing that double precision may have lost on the way through a coarse grid."""

_MOST_DECIMALS = 300
"""Powers of ten end a little above this in double precision."""

_ORIGIN_SHIFT = 0.2764
"""Moves the edge of rounding to where labels hardly ever lie: they lie on whole, half or quarter cells."""


def spacing(field: Source, dim: str) -> float:
    """Signed distance between neighbouring cells; 1 without a coordinate.

    The value is the shortest decimal that the labels allow, so that every crop of a field has the same
    spacing.

    Raises
    ------
    DimensionError
        If the labels are not evenly spaced.
    """
    if not has_labels(field, dim):
        return 1.0
    label, labels = labels_of(field, dim), numbers_of(field, dim)
    if not bool(np.isfinite(labels).all()):
        raise DimensionError(_unknown(label))
    labels = _between_polar_rows(label, labels)
    if labels.size == 1:
        only = edges(field, dim)
        return 1.0 if only is None else float(only[-1, 1] - only[-1, 0])
    steps = np.diff(labels)
    mean = float(labels[-1] - labels[0]) / steps.size
    if mean == 0 or float(np.abs(steps - mean).max()) > _REGULAR * abs(mean):
        raise DimensionError(_irregular(label, labels))
    resolution = float(np.abs(labels).max()) * _epsilon(label.dtype) * 2
    return _shortest(mean, resolution / steps.size + _EXACT * abs(mean))


def _between_polar_rows(label: xr.DataArray, labels: np.ndarray) -> np.ndarray:
    """Labels without those of narrower rows that a cell at a pole was split into."""
    if not is_latitude(label):
        return labels
    first, last = polar_rows(labels, label.attrs.get(WIDTH))
    return labels[first : labels.size - last]


def _check_no_other_labels(field: Source, dim: str) -> None:
    """Raise where labels of text, dates or truths tell nothing of the cells: those of new ones would be made up."""
    if dim in field.coords and field.coords[dim].dtype.kind not in "fiu":
        label = field.coords[dim]
        msg = (
            f"{dim!r} holds {label.dtype} labels, which give no positions of cells. Drop them, "
            f"field.drop_vars({dim!r}), or number the cells: field.assign_coords({{{dim!r}: "
            f"numpy.arange({label.size})}})."
        )
        raise DimensionError(msg)


def _unknown(label: xr.DataArray) -> str:
    """Say which label is none."""
    at = int(np.flatnonzero(~np.isfinite(label.values))[0])
    dim = label.dims[0]
    return (
        f"{label.name!r} holds {label.values[at]} at index {at}, which is no place. Cut it off, "
        f"field.isel({dim}=slice({at + 1}, None)), or assign labels, field.assign_coords({label.name}=({dim!r}, "
        f"numpy.arange({label.size})))."
    )


def _irregular(label: xr.DataArray, labels: np.ndarray) -> str:
    """Say where the spacing first changes, and how to go on."""
    field, name, steps = indexed(label), label.name, np.diff(labels)
    usual = float(np.median(steps))
    at = int(np.flatnonzero(np.abs(steps - usual) > _REGULAR * abs(usual))[0]) if usual else 0
    fix = f"Interpolate to even spacing, {field}.interp({name}=numpy.linspace({labels.min():.9g}, {labels.max():.9g}, "
    fix += f"{labels.size})), or sort it, {field}.sortby({name!r})."
    if abs(abs(steps[at]) - 360) < 2 * abs(usual):
        west = bool(np.ptp(np.diff(np.sort((labels + 180) % 360))) <= _REGULAR * abs(usual))
        continuous = f"(field.{name} + 180) % 360 - 180" if west else f"field.{name} % 360"
        fix = f"Make longitudes continuous: field.assign_coords({name}={continuous}).sortby({name!r})."
    return f"{name!r} is not evenly spaced: {steps[at]:g} after index {at}, {usual:g} elsewhere. {fix}"


def _epsilon(dtype: np.dtype[Any]) -> float:
    """Relative precision of labels."""
    return float(np.finfo(dtype).eps) if dtype.kind == "f" else float(np.finfo(np.float64).eps)


def _shortest(value: float, tolerance: float) -> float:
    """The number with the fewest digits within a tolerance."""
    return next(
        short for digits in range(1, 18) if abs((short := float(f"{value:.{digits}g}")) - value) <= tolerance
    )


def closes_circle(field: Source, dim: str) -> bool:
    """Whether the cells of a dimension are longitudes all the way round, so that the last lies beside the first."""
    if not (has_labels(field, dim) and is_longitude(labels_of(field, dim))):
        return False
    width = abs(spacing(field, dim))
    return field.sizes[dim] > 1 and abs(width * field.sizes[dim] - 360.0) <= _REGULAR * width


def lattice_index(field: Source, dim: str) -> int:
    """Absolute index of the first cell on its lattice; increases along the array; 0 without labels."""
    if not has_labels(field, dim):
        return 0
    return math.floor(float(labels_of(field, dim).values[0]) / spacing(field, dim) + _ORIGIN_SHIFT)


def edges(field: Source, dim: str) -> np.ndarray | None:
    """Edges of the cells, shape (cells, 2): bounds, else halfway between labels; None for a lone label.

    Bounds of no width are left aside. Cells of latitude end at the poles.

    Raises
    ------
    DimensionError
        If latitudes lie beyond the poles, or labels are no numbers.
    """
    label = labels_of(field, dim)
    globe = is_latitude(label)
    if globe:
        check_globe(label)
    bounds = find_bounds(field, dim)
    if bounds is not None:
        cuts = end_at_poles(bounds.values.astype(np.float64)) if globe else bounds.values.astype(np.float64)
        if bool((cuts[:, 0] != cuts[:, 1]).all()):
            return cuts
    if not bool(np.isfinite(label.values).all()):
        raise DimensionError(_unknown(label))
    width = label.attrs.get(WIDTH)
    if width is None and label.size < 2:
        return None
    return _edges_of(numbers_of(field, dim), None if width is None else float(width), globe=globe)


def _edges_of(labels: np.ndarray, width: float | None, *, globe: bool) -> np.ndarray:
    """Edges of cells from their labels; of one label alone from its width."""
    if labels.size < 2:
        cells = labels[:, None] + np.array([[-0.5, 0.5]]) * (width or 0.0)
        return end_at_poles(cells) if globe else cells
    first, last = polar_rows(labels, width) if globe else (0, 0)
    even = labels[first : labels.size - last]
    if even.size == 1:
        cuts = even[0] + np.array([-0.5, 0.5]) * math.copysign(width or 0.0, labels[-1] - labels[0])
    else:
        middle = (even[1:] + even[:-1]) / 2
        cuts = np.concatenate([[2 * even[0] - middle[0]], middle, [2 * even[-1] - middle[-1]]])
    before = np.linspace(math.copysign(POLE, labels[0]), cuts[0], first + 1)[:-1]
    after = np.linspace(cuts[-1], math.copysign(POLE, labels[-1]), last + 1)[1:]
    cuts = np.concatenate([before, cuts, after])
    cells = np.stack([cuts[:-1], cuts[1:]], axis=1)
    return end_at_poles(cells) if globe else cells


def coarsen_labels(field: Source, dim: str, factor: int) -> Coordinates:
    """Centres and bounds of cells `factor` times as wide; the labels note those of their parts."""
    if not has_labels(field, dim):
        _check_no_other_labels(field, dim)
        return {}
    label = labels_of(field, dim)
    labels, fine = _wider_labels(field, dim, factor)
    edged = edges(field, dim)
    if edged is None:
        return labelled(field, dim, labels, None)
    bounds = np.stack([edged[::factor, 0], edged[factor - 1 :: factor, 1]], axis=1)
    notes = {WIDTH: _wide(field, dim, factor)} | fine.note() | still_coarser(label, factor)
    return labelled(field, dim, labels, _tidy(bounds, label), notes)


def _wider_labels(field: Source, dim: str, factor: int) -> tuple[np.ndarray, Blocks]:
    """Labels of wider cells, those that the cells were parts of if these are known, and the finest known labels."""
    label, width = labels_of(field, dim), spacing(field, dim)
    known = finer(label, width, lambda blocks: _merged(blocks, label, width))
    fine = Blocks((known.labels if known else label.values).reshape(label.size // factor, -1))

    def split(labels: np.ndarray) -> np.ndarray:
        return _narrower(labels, width * factor, factor, label)[0]

    whole = coarser(label, factor, width, split)
    return _merged(fine.labels, label, width * factor) if whole is None else whole, fine


def _merged(blocks: np.ndarray, label: xr.DataArray, width: float) -> np.ndarray:
    """Labels of cells from those of their parts, shape (cells, parts).

    The rows of a cell on a pole are narrower than the others, and their mean is not the pole: its label goes on evenly.
    """
    labels: np.ndarray = blocks.astype(np.float64).mean(axis=1)
    parts = blocks.shape[1]
    if is_latitude(label) and len(labels) > 1 and parts > 1:
        first, last = polar_rows(blocks.ravel().astype(np.float64), width / parts)
        if first == parts:
            labels[0] = labels[1] - width
        if last == parts:
            labels[-1] = labels[-2] + width
    return _tidy(labels, label)


def refine_labels(field: Source, dim: str, factor: int) -> Coordinates:
    """Centres and bounds of cells `factor` times as narrow: the inverse of :func:`coarsen_labels`."""
    if not has_labels(field, dim):
        _check_no_other_labels(field, dim)
        return {}
    label, width = labels_of(field, dim), spacing(field, dim)
    coarse = edges(field, dim)
    known = finer(label, width, lambda blocks: _merged(blocks, label, width))
    if coarse is None:
        raise DimensionError(_no_width(label))
    labels, fine = _narrower(numbers_of(field, dim), width, factor, label, coarse)
    notes: dict[str, Any] = {WIDTH: _wide(field, dim, 1 / factor)} | note_of_coarse(label.values, factor)
    if known and known.parts % factor == 0:
        rest = Blocks(known.rows(known.parts // factor))
        labels = rest.labels[:, 0] if rest.parts == 1 else _merged(rest.labels, label, width / factor)
        notes |= rest.note()
    return labelled(field, dim, labels, _tidy(fine, label), notes)


def _no_width(label: xr.DataArray) -> str:
    """Say that a lone label does not tell how wide its cell is."""
    return (
        f"{label.name!r} has one label and no bounds, so the width of its cell is unknown. "
        f"Pass two cells or more, or set it: field[{label.name!r}].attrs[{WIDTH!r}] = 1000.0."
    )


def _narrower(
    labels: np.ndarray, width: float, factor: int, label: xr.DataArray, coarse: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Centres and edges of the parts of cells.

    Parameters
    ----------
    labels : ndarray, shape (cells,)
        Coarse labels.
    width : float
        Signed width of a cell.
    factor : int
        Parts of a cell.
    label : DataArray
        Says whether cells end at the poles, and what precision labels have.
    coarse : ndarray, shape (cells, 2), optional
        Edges of the cells; halfway between labels by default.
    """
    labels, globe = labels.astype(np.float64), is_latitude(label)
    own = coarse if labels.size == 1 else None
    halfway = _edges_of(labels, width, globe=globe) if own is None else own
    if labels.size > 1 and float(np.abs(np.diff(labels) - width).max()) <= _STRICT * abs(width):
        middle = labels[:, None] + (np.arange(factor) - (factor - 1) / 2) * (width / factor)
        fine = np.stack([middle - width / factor / 2, middle + width / factor / 2], axis=-1)
    else:
        middle = cut_rows(halfway, factor).mean(axis=-1)
        fine = cut_rows(halfway if coarse is None else coarse, factor)
    if globe:
        beyond = np.abs(middle).max(axis=1) > POLE + _EXACT
        fine[beyond] = cut_rows(halfway[beyond], factor)
        middle[beyond] = fine[beyond].mean(axis=-1)
        middle, fine = end_at_poles(middle), end_at_poles(fine)
    return _tidy(middle.ravel(), label), fine.reshape(-1, 2)


def _wide(field: Source, dim: str, times: float) -> float:
    """Signed width of cells `times` as wide, without the noise of the product."""
    return float(f"{spacing(field, dim) * times:.12g}")


def _tidy(values: np.ndarray, coordinate: xr.DataArray) -> np.ndarray:
    """Labels in the coordinate's own precision, as the decimal they stand for where rounding alone hides it.

    47.05 and 47.050000000000004 do not join in xarray; a label that went to the coarse grid and back must.
    """
    dtype = coordinate.dtype if coordinate.dtype.kind == "f" else np.dtype(np.float64)
    largest = max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    tolerance = (1.5 if dtype.itemsize < 8 else 16) * _epsilon(dtype) * largest
    decimals = math.floor(-math.log10(tolerance)) - 1  # so coarse that labels fit by intent, not by chance
    decimals = min(max(0, decimals), _MOST_DECIMALS)
    rounded = np.round(values, decimals)
    near = bool((np.abs(rounded - values) <= tolerance).all())
    return (rounded if near else values).astype(dtype)


def curvilinear(field: Source, axes: Axes) -> tuple[str, str] | None:
    """Names of latitude and longitude over (y, x), or over time, y and x; None where the field has none."""
    space, whole = set(axes.spatial), set(axes.ordered)
    flat = [label for label in field.coords.values() if space <= set(label.dims) <= whole]
    latitude = next((c for c in flat if is_latitude(c)), None)
    longitude = next((c for c in flat if is_longitude(c)), None)
    if latitude is None or longitude is None or set(latitude.dims) != set(longitude.dims):
        return None
    return str(latitude.name), str(longitude.name)
