"""Coastlines in the coordinates of a panel, if cartopy and its files are installed; nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    from xdownscale.field.axes import Axes

Line: TypeAlias = "NDArray[np.float64]"
"""Points (n, 2): x and y, or longitude and latitude."""

_FINE = 2000.0
"""Width of a domain in km up to which the finest coastline is used."""


def coastlines(field: xr.DataArray, axes: Axes, extent: tuple[float, float]) -> tuple[Line, ...]:
    """Coastlines in a field, in the units of its panel; none if the field is not georeferenced.

    Parameters
    ----------
    field : DataArray, with x and y
        In degrees, or with a grid mapping.
    axes : Axes
    extent : (float, float)
        Width and height of the panel, whose origin is the corner of the first column and the southern row.
    """
    project = _projection(field, axes)
    if project is None:
        return ()
    edges = [_edges(field[dim].values.astype(float)) for dim in (axes.x, axes.y)]
    start = np.array([edges[0][0], min(edges[1])])
    size = np.array([edges[0][1] - edges[0][0], abs(edges[1][1] - edges[1][0])])
    kept = []
    for line in _world(("10m", "50m", "110m") if max(extent) < _FINE else ("50m", "110m", "10m")):
        for turn in (-360.0, 0.0, 360.0) if project is _degrees else (0.0,):
            points = (project(line + np.array([turn, 0.0])) - start) / size
            near = np.isfinite(points).all(1) & (abs(points - 0.5) < 1).all(1)
            if near.any():
                kept += [points[piece] * extent for piece in _runs(near)]
    return tuple(kept)


def _projection(field: xr.DataArray, axes: Axes) -> Callable[[Line], Line] | None:
    """From longitude and latitude to the coordinates of a field."""
    if not all(dim in field.coords and field.sizes[dim] > 1 for dim in axes.spatial):
        return None
    units = str(field[axes.y].attrs.get("units", ""))
    mapping = _grid_mapping(field)
    if not mapping:
        return _degrees if units.startswith("degree") else None
    try:
        import pyproj
    except ImportError:
        return None
    try:
        system = pyproj.CRS.from_cf(mapping)
    except (KeyError, pyproj.exceptions.CRSError):
        return None
    if system.is_geographic and "rotated" not in str(mapping.get("grid_mapping_name", "")):
        return _degrees
    there = pyproj.Transformer.from_crs(system.geodetic_crs, system, always_xy=True)
    scale = 1e-3 if units in ("km", "kilometre", "kilometer") else 1.0

    def project(line: Line) -> Line:
        return np.stack(there.transform(line[:, 0], line[:, 1]), axis=1) * scale

    return project


def _degrees(line: Line) -> Line:
    return line


def _grid_mapping(field: xr.DataArray) -> dict[str, Any]:
    """Attributes of the grid mapping among the coordinates, if there is one."""
    names = {"grid_mapping_name", "crs_wkt"}
    return next(
        ({str(k): v for k, v in c.attrs.items()} for c in field.coords.values() if names & set(c.attrs)), {}
    )


def _world(resolutions: tuple[str, ...]) -> list[Line]:
    """The coastlines of the world at the first resolution whose files are installed."""
    try:
        from cartopy import config
        from cartopy.io.shapereader import NEShpDownloader, Reader
    except ImportError:
        return []
    for resolution in resolutions:
        words = {"resolution": resolution, "category": "physical", "name": "coastline"}
        source = NEShpDownloader.from_config(("shapefiles", "natural_earth", *words.values()))
        words["config"] = config
        for path in (source.pre_downloaded_path(words), source.target_path(words)):
            if path is not None and path.exists():
                shapes = Reader(path).geometries()
                return [
                    np.asarray(one.coords)[:, :2]
                    for shape in shapes
                    for one in getattr(shape, "geoms", [shape])
                ]
    return []


def _edges(labels: Line) -> tuple[float, float]:
    """Outer edges of an axis of cell centres, in its own order."""
    half = (labels[-1] - labels[0]) / (labels.size - 1) / 2
    return float(labels[0] - half), float(labels[-1] + half)


def _runs(near: NDArray[np.bool_]) -> list[slice]:
    """Runs of at least two neighbouring points, one line each."""
    turns = np.flatnonzero(np.diff(near.astype(np.int8), prepend=0, append=0))
    pairs = zip(turns[::2], turns[1::2], strict=True)
    return [slice(int(first), int(last)) for first, last in pairs if last - first > 1]
