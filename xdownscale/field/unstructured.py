"""Grids without rows and columns: what tells them, and what to do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xdownscale.field.labels import is_latitude, is_longitude

if TYPE_CHECKING:
    import xarray as xr

_NAMES: Final = frozenset(
    {
        "cell",
        "cells",
        "ncell",
        "ncells",
        "node",
        "nodes",
        "nnode",
        "nnodes",
        "nod2",
        "elem",
        "element",
        "nelem",
    }
    | {"face", "faces", "nface", "nfaces", "vertex", "edge", "point", "points", "npoint", "npoints", "values"}
    | {"ncol", "column", "pix", "npix", "healpix", "healpix_index", "hpx", "ngp"}
)
"""Names of dimensions that count the cells of ICON, MPAS, FESOM, CAM-SE, HEALPix, UGRID and reduced Gaussian grids."""


def unstructured_dims(field: xr.DataArray) -> set[str]:
    """Dimensions that latitude and longitude share, or that are named after the cells of an unstructured grid.

    Parameters
    ----------
    field : DataArray
        Any field.

    Examples
    --------
    >>> import xarray as xr
    >>> unstructured_dims(xr.DataArray([[1.0]], dims=("time", "nCells")))
    {'nCells'}
    """
    lines = [coordinate for coordinate in field.coords.values() if coordinate.ndim == 1]
    latitudes, longitudes = (
        {str(line.dims[0]) for line in lines if kind(line)} for kind in (is_latitude, is_longitude)
    )
    named = {str(dim) for dim in field.dims if str(dim).lower() in _NAMES and dim not in field.coords}
    return (latitudes & longitudes) | named


def no_grid(dims: set[str]) -> str:
    """Say that there are no rows and columns, and how to get some.

    Parameters
    ----------
    dims : set of str
        Dimensions that count cells.
    """
    return (
        f"the grid is unstructured: {' and '.join(repr(dim) for dim in sorted(dims))} counts its cells one by one, and "
        f"neighbours in that order are not neighbours in space. Regrid the field to a regular grid of latitude and "
        f"longitude first, with cdo (cdo remapcon,r360x180 in.nc out.nc), xESMF, earthkit-regrid, uxarray (ICON, MPAS) "
        f"or healpy (HEALPix)."
    )
