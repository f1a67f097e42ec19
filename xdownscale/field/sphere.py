"""Latitude and longitude as points on the sphere: means and lines across date line and poles, areas of cells.

A point without a place (NaN, or a fill value that is no latitude) leaves no trace in the points around it.
"""

from __future__ import annotations

import numpy as np

_LONGEST = 720.0
"""Beyond this a number is no longitude, but a fill value."""


def unit_vectors(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Points on the unit sphere, shape (..., 3), from degrees: they average across date line and poles.

    Parameters
    ----------
    latitude, longitude : ndarray
        Degrees. Where either is none, the point is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> unit_vectors(np.array([0.0, -999.0]), np.array([180.0, 0.0])).round(3)
    array([[-1.,  0.,  0.],
           [nan, nan, nan]])
    """
    known = (np.abs(latitude) <= 90.0 + 1e-3) & (np.abs(longitude) <= _LONGEST)
    phi = np.deg2rad(np.where(known, latitude, np.nan).astype(np.float64))
    lam = np.deg2rad(np.where(known, longitude, np.nan).astype(np.float64))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def to_degrees(vectors: np.ndarray, *, east: bool) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude in degrees of vectors; longitudes from 0 where `east`, else from -180."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    latitude, longitude = np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.rad2deg(np.arctan2(y, x))
    return latitude, longitude % 360 if east else longitude


def merge_points(vectors: np.ndarray, blocks: tuple[int, int, int]) -> np.ndarray:
    """Mean direction of the points of every block that have a place; NaN where none has.

    Parameters
    ----------
    vectors : ndarray, shape (T·K, S_y·M, S_x·N, 3)
        Unit vectors.
    blocks : tuple of int
        Block lengths (T, S_y, S_x).
    """
    (t, y, x), (steps, rows, columns, _) = blocks, vectors.shape
    known = ~np.isnan(vectors)
    cut = (steps // t, t, rows // y, y, columns // x, x, 3)
    total = np.where(known, vectors, 0.0).reshape(cut).sum(axis=(1, 3, 5))
    number = known.reshape(cut).sum(axis=(1, 3, 5))
    means: np.ndarray = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return means


def split_points(vectors: np.ndarray, blocks: tuple[int, int, int]) -> np.ndarray:
    """Directions at the centres of finer cells, linear between coarse ones and beyond the outermost; held in time.

    Parameters
    ----------
    vectors : ndarray, shape (K, M, N, 3)
        Unit vectors.
    blocks : tuple of int
        Parts (T, S_y, S_x) of every step and cell.
    """
    t, y, x = blocks
    unknown = np.isnan(vectors[..., 0])
    fine = split_line(split_line(_filled(vectors, unknown), y, 1), x, 2)
    beneath = np.repeat(np.repeat(unknown, y, axis=1), x, axis=2)
    fine[beneath] = np.nan
    return np.repeat(fine, t, axis=0)


def split_line(values: np.ndarray, n: int, axis: int) -> np.ndarray:
    """Values at the centres of cells `n` times as narrow, linear in between and beyond the ends."""
    size = values.shape[axis]
    if n == 1 or size == 1:
        return np.repeat(values, n, axis=axis)
    positions = (np.arange(size * n) + 0.5) / n - 0.5
    left = np.clip(np.floor(positions).astype(int), 0, size - 2)
    share = (positions - left).reshape((-1,) + (1,) * (values.ndim - axis - 1))
    line: np.ndarray = np.take(values, left, axis) * (1 - share) + np.take(values, left + 1, axis) * share
    return line


def row_areas(latitude_edges: np.ndarray) -> np.ndarray:
    """Relative area of the cells of each row: the difference of sin φ between its edges."""
    sines = np.sin(np.deg2rad(latitude_edges))
    areas: np.ndarray = np.abs(sines[:, 1] - sines[:, 0])
    relative: np.ndarray = areas / areas.mean()
    return relative


def patch_areas(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray | None:
    """Relative area of curvilinear cells: |∂r/∂i x ∂r/∂j| of the points r on the unit sphere.

    A cell whose area cannot be known, or is none, gets that of the nearest cell whose area is known.

    Parameters
    ----------
    latitude, longitude : ndarray, shape (rows, columns)
        Degrees.

    Returns
    -------
    ndarray, shape (rows, columns), or None
        Areas above zero with a mean of one; None where no cell has a place.
    """
    points = unit_vectors(latitude, longitude)
    areas: np.ndarray = np.linalg.norm(
        np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1)), axis=-1
    )
    unknown = ~(areas > 0)
    if unknown.all():
        return None
    areas = _filled(areas, unknown)
    relative: np.ndarray = areas / areas.mean()
    return relative


def _filled(values: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Values with those of the nearest known place where they are unknown; as they are where nothing is known."""
    if not unknown.any() or unknown.all():
        return values
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    filled: np.ndarray = values[tuple(nearest)]
    return filled
