import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import missing, sample
from tests.support import globe, rain, raise_if_dask_computes
from xdownscale import coarsen
from xdownscale.errors import FactorError, ValueRangeError
from xdownscale.metrics import border_jump_ratio, coarse_consistency

FACTORS = {"spatial": (3, 4), "temporal": 3}


@pytest.mark.parametrize("statistic", ["rms", "max"])
@pytest.mark.parametrize("cell_methods", ["time: mean", "time: sum", "time: point"])
def test_coarsen_is_consistent_with_itself(statistic, cell_methods):
    units = "mm" if cell_methods == "time: sum" else "mm h-1"
    fine = rain((6, 12, 16)).assign_attrs(cell_methods=cell_methods, units=units)
    coarse = coarsen(fine, **FACTORS)
    assert float(coarse_consistency(coarse, fine, **FACTORS, statistic=statistic)) < 1e-12
    assert float(coarse_consistency(coarse, 1.1 * fine, **FACTORS, statistic=statistic)) == pytest.approx(0.1)


def test_areas_count_on_the_globe():
    fine = globe()
    coarse = coarsen(fine, spatial=6)
    assert float(coarse_consistency(coarse, fine, spatial=6)) < 1e-12
    plain = coarse.copy(data=fine.values.reshape(3, 6, 6, 6).mean(axis=(1, 3)))
    assert float(coarse_consistency(plain, fine, spatial=6)) > 1e-5


def test_rms_and_max_by_hand():
    coarse = xr.DataArray([[3.0, 4.0]], dims=("y", "x"))
    fine = xr.DataArray(np.kron([[3.0, 5.0]], np.ones((2, 2))), dims=("y", "x"))
    np.testing.assert_allclose(coarse_consistency(coarse, fine, spatial=2), 1 / 5)
    np.testing.assert_allclose(coarse_consistency(coarse, fine, spatial=2, statistic="max"), 1 / 4)
    ensemble = xr.concat([fine, fine.clip(max=4)], "member")
    np.testing.assert_allclose(coarse_consistency(coarse, ensemble, spatial=2), np.sqrt(0.5) / 5)
    np.testing.assert_allclose(coarse_consistency(coarse, ensemble, spatial=2, statistic="max"), 1 / 4)
    by_cell = coarse_consistency(coarse, ensemble, spatial=2, statistic="max", dim="y")
    np.testing.assert_allclose(by_cell, [0, 1 / 4])


@pytest.mark.parametrize("statistic", ["rms", "max"])
def test_missing_cells_propagate_or_are_left_out(statistic):
    fine = rain((6, 12, 16))
    coarse = coarsen(fine, **FACTORS)
    holed = missing(fine, share=0.01)
    assert coarse_consistency(coarse, holed, **FACTORS, statistic=statistic).isnull()
    assert float(coarse_consistency(coarse, holed, **FACTORS, statistic=statistic, skipna=True)) < 1e-12


def test_consistency_is_lazy_and_checks_sizes():
    fine = rain((6, 12, 16))
    coarse = coarsen(fine, **FACTORS)
    with raise_if_dask_computes():
        lazy = coarse_consistency(coarse.chunk(time=1), fine.chunk(time=2, y=5), **FACTORS)
    assert float(lazy.compute(scheduler="synchronous")) < 1e-12
    with pytest.raises(FactorError, match="along 'x' the forecasts have the size 16"):
        coarse_consistency(coarse, fine, spatial=(3, 2), temporal=3)
    with pytest.raises(ValueRangeError, match='"rms" or "max"'):
        coarse_consistency(coarse, fine, **FACTORS, statistic="mean")


def jumps_by_hand(values, axis, factor):
    """Jumps across borders and inside, along one axis."""
    steps = np.moveaxis(np.abs(np.diff(values, axis=axis)), axis, 0)
    border = np.arange(1, values.shape[axis]) % factor == 0
    return steps[border].ravel(), steps[~border].ravel()


def test_jumps_by_hand():
    _, ensemble = sample(members=2)
    found = border_jump_ratio(ensemble, spatial=(3, 4), temporal=2)
    along_y, along_x, along_time = (jumps_by_hand(ensemble.values, a, n) for a, n in ((2, 3), (3, 4), (1, 2)))
    across, inside = (np.concatenate(pair).mean() for pair in zip(along_y, along_x, strict=True))
    np.testing.assert_allclose(found.sel(direction="space"), across / inside)
    np.testing.assert_allclose(found.sel(direction="time"), along_time[0].mean() / along_time[1].mean())


def test_a_field_that_knows_no_blocks_has_ratio_one_and_blocks_show():
    fine = rain((12, 60, 80))
    np.testing.assert_allclose(border_jump_ratio(fine, spatial=10, temporal=3), 1, atol=0.03)
    blocks = coarsen(fine, spatial=10, temporal=3).values.repeat(3, 0).repeat(10, 1).repeat(10, 2)
    assert (border_jump_ratio(0.1 * fine + 5 * blocks, spatial=10, temporal=3) > 3).all()
    assert border_jump_ratio(fine.copy(data=blocks), spatial=10, temporal=3).isnull().all()


def test_directions_without_borders_have_no_ratio():
    fine = rain((6, 12, 16))
    found = border_jump_ratio(fine, spatial=1, temporal=3)
    assert found.sel(direction="space").isnull()
    assert found.sel(direction="time").notnull()
    still = border_jump_ratio(fine.isel(time=0), spatial=4)
    assert still.sel(direction="time").isnull()
    assert still.sel(direction="space").notnull()
    one_way = border_jump_ratio(fine, spatial=(4, 1))
    expected = [part.mean() for part in jumps_by_hand(fine.values, 1, 4)]
    np.testing.assert_allclose(one_way.sel(direction="space"), expected[0] / expected[1])


def test_jumps_of_each_member_missing_values_and_laziness():
    _, ensemble = sample()
    each = border_jump_ratio(ensemble, spatial=4, temporal=2, dim="time")
    assert each.dims == ("direction", "member")
    np.testing.assert_allclose(
        each.isel(member=3), border_jump_ratio(ensemble.isel(member=3), spatial=4, temporal=2)
    )
    holed = missing(ensemble)
    assert border_jump_ratio(holed, spatial=4).sel(direction="space").isnull()
    assert border_jump_ratio(holed, spatial=4, skipna=True).sel(direction="space").notnull()
    with raise_if_dask_computes():
        lazy = border_jump_ratio(ensemble.chunk(time=1, x=5), spatial=4, temporal=2)
    eager = border_jump_ratio(ensemble, spatial=4, temporal=2)
    xr.testing.assert_allclose(lazy.compute(scheduler="synchronous"), eager)
