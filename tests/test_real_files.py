"""Files as climate scientists have them: radar, reanalysis, weather models. Skipped where they are not at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xdownscale.field.axes import find_axes
from xdownscale.field.grid import cell_areas

DATA = Path(__file__).parents[2] / "shared" / "data"
FILES = {
    "rain_fmi_finland_1km_5min_20160928.nc": ("rainfall_rate", False),
    "rain_knmi_netherlands_1km_5min_20100826.nc": ("rainfall_rate", False),
    "rain_eccc_cascm_1km_6min_20240710.nc": ("rainfall_rate", False),
    "rain_mrms_usa_01_1km_2min_20190610.nc": ("rainfall_rate", True),
    "rain_taasrad19_trentino_3750m_5min_train.nc": ("rainfall_rate", False),
    "multivar_era5_britain_t2m_0p25deg_1h_201903.nc": ("tas", True),
    "multivar_wfde5_britain_0p5deg_1h_201701.nc": ("tas", True),
    "multivar_arome_france_nw_0p025deg_1h_20180501.nc": ("psl", True),
    "multivar_arpege_france_nw_0p1deg_1h_20180501.nc": ("tas", True),
    "multivar_storm1996_northamerica_6h.nc": ("psl", True),
    "topography_europe_era5_0p25deg.nc": ("orography", True),
}


@pytest.mark.parametrize(("name", "variable", "sphere"), [(name, *what) for name, what in FILES.items()])
def test_a_real_file_goes_to_the_coarse_grid_and_back(name, variable, sphere):
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not at hand")
    with xr.open_dataset(DATA / name) as dataset:
        axes = find_axes(dataset[variable])
        cut = {axes.y: slice(0, 20), axes.x: slice(0, 24)} | ({axes.time: slice(0, 6)} if axes.time else {})
        field = dataset[variable].isel(cut).load()
    temporal = 3 if axes.time else 1
    coarse = field.sr.coarsen(4, temporal, min_valid=0.5)
    assert (cell_areas(field, axes) is not None) == sphere
    assert coarse.encoding == {}
    back = coarse.sr.interpolate(4, temporal, method="conservative")
    for dim in axes.spatial:
        np.testing.assert_allclose(back[dim], field[dim], rtol=0, atol=1e-12 * float(abs(field[dim]).max()))
    if axes.time:
        np.testing.assert_array_equal(back[axes.time], field[axes.time])
    xr.testing.assert_allclose(back.sr.coarsen(4, temporal), coarse, rtol=1e-12)
