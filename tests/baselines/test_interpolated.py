"""Conservative interpolation: block means, smoothness, and no negative rain."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import globe, rain, raise_if_dask_computes
from xdownscale import baselines
from xdownscale.errors import ArgumentError


@pytest.mark.parametrize(("spatial", "temporal"), [(1, 3), (4, 1), ((2, 5), 2)])
@pytest.mark.parametrize("kind", ["rain", "amount", "temperature"])
def test_block_means_come_back(spatial, temporal, kind):
    coarse = rain((4, 5, 6), step=15, spacing=10_000.0)
    if kind == "amount":
        coarse = coarse.assign_attrs(
            units="mm", cell_methods="time: sum", standard_name="precipitation_amount"
        )
    if kind == "temperature":
        coarse = (coarse - 5).assign_attrs(units="degC", standard_name="air_temperature")
    coarse[1, 2, 3] = np.nan
    fine = baselines.conservative(coarse, spatial, temporal)
    back = fine.sr.coarsen(spatial, temporal)
    np.testing.assert_allclose(back, coarse, rtol=1e-10, atol=1e-12)
    assert kind == "temperature" or float(fine.min()) >= 0
    assert fine.dims == coarse.dims


def test_block_means_on_a_globe_are_weighted_by_area():
    coarse = globe((9, 18))
    fine = baselines.conservative(coarse, 4)
    np.testing.assert_allclose(fine.sr.coarsen(4), coarse, rtol=1e-12)


def test_it_is_smoother_than_constant_cells_and_nearer_to_a_smooth_truth():
    y, x = np.meshgrid(np.arange(48.0), np.arange(48.0), indexing="ij")
    values = 280 + 5 * np.sin(x / 7) * np.cos(y / 9)
    truth = xr.DataArray(
        values, {"y": np.arange(48.0), "x": np.arange(48.0)}, ("y", "x"), "tas", {"units": "K"}
    )
    coarse = truth.sr.coarsen(4)

    def error(name):
        return float(abs(getattr(baselines, name)(coarse, 4) - truth.values).mean())

    assert error("conservative") < 0.8 * error("linear") < 0.8 * error("nearest")


def test_chunks_change_nothing():
    coarse = rain((4, 9, 10), step=15, spacing=10_000.0)
    eager = baselines.conservative(coarse, 3, 2)
    with raise_if_dask_computes():
        lazy = baselines.conservative(coarse.chunk(time=2, y=4, x=5), 3, 2)
    np.testing.assert_allclose(lazy.compute(scheduler="synchronous"), eager, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["nearest", "bicubic", "linear", "conservative", "rainfarm"])
def test_all_are_called_alike_and_fit_the_truth(name):
    truth = xdownscale.tutorial.rain((24, 64, 64))
    fine = getattr(baselines, name)(truth.sr.coarsen(8, 3), 8, 3)
    for dim in truth.dims:
        np.testing.assert_array_equal(fine[dim], truth[dim])
    assert fine.attrs["units"] == truth.attrs["units"]
    with pytest.raises(ArgumentError):
        getattr(baselines, name)(truth, 0)
