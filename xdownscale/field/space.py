"""Space axes: spacing, cell edges, coarser and finer labels, areas of cells on the sphere."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import DimensionError
from xdownscale.field.bounds import WIDTH, Coordinates, Source, find_bounds, labelled

if TYPE_CHECKING:
    import xarray as xr

    from xdownscale.field.axes import Axes

_REGULAR = 0.02
"""Share of the spacing by which steps of a coordinate may differ: Gaussian latitudes do by 1 %."""

_STRICT = 1e-3
"""Share of the spacing below which differences are rounding of the file, not geometry."""

_EXACT = 1e-11
"""Share of the spacing that double precision may have lost on the way through a coarse grid."""

_LATITUDES = {"latitude", "grid_latitude"}
_LONGITUDES = {"longitude", "grid_longitude"}
_NAMED_LATITUDE = {"lat", "latitude", "rlat", "xlat", "nav_lat"}
_NAMED_LONGITUDE = {"lon", "longitude", "rlon", "xlong", "nav_lon", "long"}
_ORIGIN_SHIFT = 0.2764
"""Moves the edge of rounding to where labels hardly ever lie: they lie on whole, half or quarter cells."""


def has_labels(field: Source, dim: str) -> bool:
    """Whether a dimension has a coordinate of numbers."""
    return dim in field.coords and field.coords[dim].dtype.kind in "fiu" and field.sizes[dim] > 0


def is_latitude(coordinate: xr.DataArray) -> bool:
    """Whether a coordinate is a latitude, true or rotated, by CF attributes or, without units, by name."""
    return _is_angle(coordinate, _LATITUDES, _NAMED_LATITUDE, "north")


def is_longitude(coordinate: xr.DataArray) -> bool:
    """Whether a coordinate is a longitude, true or rotated, by CF attributes or, without units, by name."""
    return _is_angle(coordinate, _LONGITUDES, _NAMED_LONGITUDE, "east")


def _is_angle(coordinate: xr.DataArray, standard: set[str], named: set[str], direction: str) -> bool:
    units = str(coordinate.attrs.get("units", "")).lower()
    if coordinate.attrs.get("standard_name") in standard:
        return True
    if units:
        return units.startswith("degree") and (direction in units or str(coordinate.name).lower() in named)
    return str(coordinate.name).lower() in named


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
    labels = field.coords[dim].values.astype(np.float64)
    if labels.size == 1:
        only = edges(field, dim)
        return 1.0 if only is None else float(only[0, 1] - only[0, 0])
    steps = np.diff(labels)
    mean = float(labels[-1] - labels[0]) / steps.size
    if mean == 0 or float(np.abs(steps - mean).max()) > _REGULAR * abs(mean):
        raise DimensionError(_irregular(dim, steps))
    resolution = float(np.abs(labels).max()) * _epsilon(field.coords[dim].dtype) * 2
    return _shortest(mean, resolution / steps.size + _EXACT * abs(mean))


def _irregular(dim: str, steps: np.ndarray) -> str:
    """Say where the spacing first changes, and how to go on."""
    usual = float(np.median(steps))
    at = int(np.flatnonzero(np.abs(steps - usual) > _REGULAR * abs(usual))[0]) if usual else 0
    wraps = abs(abs(steps[at]) - 360) < 2 * abs(usual)
    fix = (
        f"Make longitudes continuous: field.assign_coords({dim}=(field.{dim} + 180) % 360 - 180)"
        f".sortby({dim!r})."
        if wraps
        else f"Interpolate to even spacing, field.interp({dim}=...), or sort it, field.sortby({dim!r})."
    )
    return f"{dim!r} is not evenly spaced: {steps[at]:g} after index {at}, {usual:g} elsewhere. {fix}"


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
    if not (has_labels(field, dim) and is_longitude(field.coords[dim])):
        return False
    width = abs(spacing(field, dim))
    return field.sizes[dim] > 1 and abs(width * field.sizes[dim] - 360.0) <= _REGULAR * width


def lattice_index(field: Source, dim: str) -> int:
    """Absolute index of the first cell on its lattice; increases along the array; 0 without labels."""
    if not has_labels(field, dim):
        return 0
    return math.floor(float(field.coords[dim].values[0]) / spacing(field, dim) + _ORIGIN_SHIFT)


def edges(field: Source, dim: str) -> np.ndarray | None:
    """Edges of the cells, shape (cells, 2): bounds, else halfway between labels; None for a lone label."""
    bounds = find_bounds(field, dim)
    if bounds is not None:
        return bounds.values.astype(np.float64)
    labels = field.coords[dim].values.astype(np.float64)
    if labels.size < 2:
        width = field.coords[dim].attrs.get(WIDTH)
        return None if width is None else labels[:, None] + np.array([[-0.5, 0.5]]) * float(width)
    middle = (labels[1:] + labels[:-1]) / 2
    cuts = np.concatenate([[2 * labels[0] - middle[0]], middle, [2 * labels[-1] - middle[-1]]])
    return _on_globe(field.coords[dim], np.stack([cuts[:-1], cuts[1:]], axis=1))


def _on_globe(coordinate: xr.DataArray, cuts: np.ndarray) -> np.ndarray:
    """Edges of latitude cells end at the poles."""
    return np.clip(cuts, -90.0, 90.0) if is_latitude(coordinate) else cuts


def coarsen_labels(field: Source, dim: str, factor: int) -> Coordinates:
    """Centres and bounds of cells `factor` times as wide."""
    if not has_labels(field, dim):
        return {}
    coordinate = field.coords[dim]
    labels = coordinate.values.astype(np.float64).reshape(-1, factor).mean(axis=1)
    fine = edges(field, dim)
    bounds = None if fine is None else np.stack([fine[::factor, 0], fine[factor - 1 :: factor, 1]], axis=1)
    if bounds is None:
        return labelled(field, dim, _tidy(labels, coordinate), None)
    return labelled(
        field, dim, _tidy(labels, coordinate), _tidy(bounds, coordinate), {WIDTH: _wide(field, dim, factor)}
    )


def refine_labels(field: Source, dim: str, factor: int) -> Coordinates:
    """Centres and bounds of cells `factor` times as narrow: the inverse of :func:`coarsen_labels`."""
    if not has_labels(field, dim):
        return {}
    coordinate = field.coords[dim]
    labels = coordinate.values.astype(np.float64)
    coarse = edges(field, dim)
    if coarse is None:
        msg = (
            f"{dim!r} has one label and no bounds, so the width of its cell is unknown. "
            f"Pass two cells or more, or say it: field[{dim!r}].attrs[{WIDTH!r}] = 1000.0."
        )
        raise DimensionError(msg)
    width = spacing(field, dim)
    if labels.size > 1 and float(np.abs(np.diff(labels) - width).max()) <= _STRICT * abs(width):
        offsets = (np.arange(factor) - (factor - 1) / 2) * (width / factor)
        centres = (labels[:, None] + offsets).ravel()
        fine = _on_globe(
            coordinate, np.stack([centres - width / factor / 2, centres + width / factor / 2], axis=1)
        )
    else:
        cuts = coarse[:, :1] + (coarse[:, 1:] - coarse[:, :1]) * (np.arange(factor + 1) / factor)
        fine = np.stack([cuts[:, :-1].ravel(), cuts[:, 1:].ravel()], axis=1)
        centres = fine.mean(axis=1)
    return labelled(
        field,
        dim,
        _tidy(centres, coordinate),
        _tidy(fine, coordinate),
        {WIDTH: _wide(field, dim, 1 / factor)},
    )


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
    decimals = max(
        0, math.floor(-math.log10(tolerance)) - 1
    )  # so coarse that labels fit by intent, not by chance
    rounded = np.round(values, decimals)
    near = bool((np.abs(rounded - values) <= tolerance).all())
    return (rounded if near else values).astype(dtype)


def curvilinear(field: Source, axes: Axes) -> tuple[str, str] | None:
    """Names of two-dimensional latitude and longitude over (y, x); None where the field has none."""
    flat = [field.coords[name] for name in field.coords if set(field.coords[name].dims) == set(axes.spatial)]
    latitude = next((c.name for c in flat if is_latitude(c)), None)
    longitude = next((c.name for c in flat if is_longitude(c)), None)
    return None if latitude is None or longitude is None else (str(latitude), str(longitude))


def unit_vectors(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Points on the unit sphere, shape (..., 3), from degrees: they average across date line and poles."""
    phi, lam = np.deg2rad(latitude.astype(np.float64)), np.deg2rad(longitude.astype(np.float64))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def to_degrees(vectors: np.ndarray, *, east: bool) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude in degrees of vectors; longitudes from 0 where `east`, else from -180."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    latitude, longitude = np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.rad2deg(np.arctan2(y, x))
    return latitude, longitude % 360 if east else longitude


def row_areas(latitude_edges: np.ndarray) -> np.ndarray:
    """Relative area of the cells of each row: the difference of sin φ between its edges."""
    sines = np.sin(np.deg2rad(latitude_edges))
    areas: np.ndarray = np.abs(sines[:, 1] - sines[:, 0])
    relative: np.ndarray = areas / areas.mean()
    return relative


def patch_areas(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Relative area of curvilinear cells: |∂r/∂i x ∂r/∂j| of the points r on the unit sphere."""
    points = unit_vectors(latitude, longitude)
    areas: np.ndarray = np.linalg.norm(
        np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1)), axis=-1
    )
    relative: np.ndarray = areas / areas.mean()
    return relative
