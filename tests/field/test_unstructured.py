"""Cells without rows and columns are refused by name, with a way out."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.axes import find_axes


def cells(dim="cell", *, placed=True):
    source = np.random.default_rng(0)
    field = xr.DataArray(source.random((6, 360)), dims=("time", dim), name="t")
    if not placed:
        return field
    return field.assign_coords(
        lat=(dim, source.uniform(-90, 90, 360), {"units": "degrees_north"}),
        lon=(dim, source.uniform(0, 360, 360), {"units": "degrees_east"}),
    )


@pytest.mark.parametrize(
    "field",
    [
        cells(),
        cells("station"),
        cells("x"),
        *(cells(d, placed=False) for d in ("ncells", "nCells", "values", "ncol")),
    ],
    ids=["icon", "stations", "x", "ncells", "mpas", "gaussian", "cam"],
)
@pytest.mark.parametrize("dims", [None, {"x": "cell"}, {"y": "time", "x": "cell"}])
def test_unstructured_grids_are_named(field, dims):
    dims = dims and {role: name if name in field.dims else field.dims[-1] for role, name in dims.items()}
    for use in (field.sr.coarsen, field.sr.interpolate):
        with pytest.raises(DimensionError, match=r"unstructured.*regular grid.*xESMF"):
            use(10, dims=dims)
    with pytest.raises(DimensionError, match="unstructured"):
        field.to_dataset(name="t").sr.coarsen(10, dims=dims)


def test_the_last_dimension_alone_is_never_x():
    with pytest.raises(DimensionError, match="'x' not found"):
        find_axes(xr.DataArray(np.zeros((2, 3, 4)), dims=("time", "y", "k")))


def test_a_dimension_of_cells_beside_a_grid_is_no_matter():
    field = xr.DataArray(np.zeros((2, 4, 4)), dims=("point", "y", "x"))
    assert field.sr.coarsen(2).shape == (2, 2, 2)
