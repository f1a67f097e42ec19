from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import globe, raise_if_dask_computes
from xdownscale.baselines import rainfarm
from xdownscale.baselines.rainfarm import rainfarm_array, spectral_slopes
from xdownscale.errors import ArgumentError, EmptyFieldError, QuantityError
from xdownscale.field.factors import Factors
from xdownscale.kernels.blocks import block_mean


def power_law(shape, slopes, seed=0):
    """A periodic Gaussian field of a known spectrum, by a sum over frequencies of its own."""
    random = np.random.default_rng(seed)
    freq = [np.fft.fftfreq(size) for size in shape]
    omega, y, x = np.meshgrid(*freq, indexing="ij")
    k = np.sqrt(y**2 + x**2)
    with np.errstate(divide="ignore"):
        power = np.maximum(abs(omega), 1 / shape[0]) ** -slopes[1] * np.where(k > 0, k, np.inf) ** -slopes[0]
    return np.fft.ifftn(np.fft.fftn(random.standard_normal(shape)) * np.sqrt(power)).real


@pytest.mark.parametrize("slopes", [(2.0, 1.0), (3.0, 0.5)])
def test_the_slopes_of_a_power_law_are_found(slopes):
    found = spectral_slopes(power_law((64, 64, 64), slopes))
    assert found == pytest.approx(slopes, abs=0.15)


def test_fine_scales_follow_the_wanted_spectrum():
    coarse = np.ones((16, 8, 8))
    fine = np.stack(
        [
            np.log(rainfarm_array(coarse, (2, 8, 8), (2.5, 1.0), random=np.random.default_rng(n)))
            for n in range(4)
        ]
    )
    power = (np.abs(np.fft.fft2(fine)) ** 2).mean((0, 1))
    k = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    inner = (k > 3 / 16) & (k < 0.5)  # within blocks, where scaling them changes nothing
    slope = -np.polyfit(np.log(k[inner]), np.log(power[inner]), 1)[0]
    assert slope == pytest.approx(2.5, abs=0.25)


@pytest.mark.parametrize(("spatial", "temporal"), [(4, 1), (1, 3), ((2, 5), 2)])
def test_block_means_are_kept_and_dry_cells_stay_dry(spatial, temporal):
    coarse = xdownscale.tutorial.rain((36, 80, 80)).sr.coarsen(spatial=8, temporal=3)
    coarse = coarse.where(coarse > coarse.quantile(0.3), 0.0).drop_vars("quantile", errors="ignore")
    coarse[3, 2, 4] = np.nan
    fine = rainfarm(coarse, spatial, temporal, members=2)
    back = fine.sr.coarsen(spatial=spatial, temporal=temporal)
    np.testing.assert_allclose(back.isel(member=1), coarse, rtol=1e-5, atol=1e-7)
    assert float(fine.min()) >= 0
    factors = Factors.parse(spatial, temporal)
    cell = fine.values[0][
        3 * factors.time : 4 * factors.time,
        2 * factors.y : 3 * factors.y,
        4 * factors.x : 5 * factors.x,
    ]
    assert np.isnan(cell).all()
    assert int(fine.isel(member=0).isnull().sum()) == cell.size


def test_members_differ_and_are_the_same_in_company():
    coarse = xdownscale.tutorial.rain((24, 64, 64)).sr.coarsen(spatial=8, temporal=3)
    four, two = (rainfarm(coarse, 8, 3, members=n, seed=5) for n in (4, 2))
    xr.testing.assert_identical(four.isel(member=slice(0, 2)).drop_attrs(), two.drop_attrs())
    assert not np.allclose(two[0], two[1])
    assert not np.allclose(two[0], rainfarm(coarse, 8, 3, seed=6)[0])


def test_amounts_add_up_and_labels_join():
    fine = xdownscale.tutorial.rain((24, 64, 64))
    total = (fine / 12).assign_attrs(
        units="mm", cell_methods="time: sum", standard_name="precipitation_amount"
    )
    coarse = total.sr.coarsen(spatial=8, temporal=3)
    made = rainfarm(coarse, 8, 3)
    for dim in ("time", "y", "x"):
        np.testing.assert_array_equal(made[dim], total[dim])
    np.testing.assert_allclose(made.sr.coarsen(spatial=8, temporal=3)[0], coarse, rtol=1e-5, atol=1e-7)


def test_steps_that_follow_are_alike():
    coarse = np.full((12, 8, 8), 2.0)
    slow, fast = (
        rainfarm_array(coarse, (3, 4, 4), (2.0, beta), random=np.random.default_rng(0)) for beta in (2.0, 0.0)
    )

    def lag(values):
        return np.corrcoef(values[1:].ravel(), values[:-1].ravel())[0, 1]

    assert lag(slow) > 0.5 > abs(lag(fast)) + 0.3
    np.testing.assert_allclose(block_mean(slow, (3, 4, 4)), coarse)


def test_wrong_fields_name_themselves():
    rain = xdownscale.tutorial.rain((6, 32, 32))
    with pytest.raises(EmptyFieldError, match=r"slopes=\(2.5, 1.5\)"):
        rainfarm(rain.isel(x=slice(4), y=slice(4)), 4)
    assert rainfarm(rain.isel(x=slice(4), y=slice(4)), 4, slopes=(2.5, 1.5)).sizes["y"] == 16
    with pytest.raises(QuantityError, match=r"negative values.*xdownscale\.interpolate"):
        rainfarm((rain - 1).assign_attrs(units="K", standard_name="air_temperature"), 4)
    with pytest.raises(ArgumentError, match=r"isel\(driver=0\)"):
        rainfarm(rain.expand_dims(driver=2), 4)


def test_a_lazy_field_stays_lazy_and_gives_the_same():
    coarse = xdownscale.tutorial.rain((24, 64, 64)).sr.coarsen(spatial=8, temporal=3)
    with raise_if_dask_computes():
        lazy = rainfarm(coarse.chunk(time=2, y=4, x=3), 8, 3, members=2)
    xr.testing.assert_identical(
        lazy.compute(scheduler="synchronous").drop_attrs(), rainfarm(coarse, 8, 3, members=2).drop_attrs()
    )
    assert lazy.chunksizes["member"] == (1, 1)
    cold = (coarse - 1).assign_attrs(units="K", standard_name="air_temperature").chunk(time=2)
    with pytest.raises(QuantityError):
        rainfarm(cold, 8, 3).compute(scheduler="synchronous")


def test_block_means_on_a_globe_are_weighted_by_area():
    coarse = globe((9, 18)).assign_attrs(units="mm h-1", standard_name="rainfall_rate")
    fine = rainfarm(coarse, 4, slopes=(2.5, 0.0))
    np.testing.assert_allclose(fine.sr.coarsen(4)[0], coarse, rtol=1e-6)


@pytest.mark.parametrize("alpha", [1.5, 2.5])
def test_spectra_and_wet_fractions_are_those_of_pysteps_in_the_mean(alpha):
    pysteps = pytest.importorskip(
        "pysteps.downscaling.rainfarm", reason="pip install pysteps (it is compiled)"
    )
    coarse = xdownscale.tutorial.rain((12, 64, 64)).sr.coarsen(4, 3).values[2].astype(float)
    coarse = np.where(coarse > np.quantile(coarse, 0.4), coarse, 0.0)
    numpy_state = np.random.get_state()
    np.random.seed(0)
    theirs = np.stack([pysteps.downscale(coarse, 4, alpha=alpha) for _ in range(40)])
    np.random.set_state(numpy_state)
    ours = np.stack(
        [
            rainfarm_array(coarse[None], (1, 4, 4), (alpha, 0.0), random=np.random.default_rng(n))[0]
            for n in range(40)
        ]
    )
    for threshold in (0.1, 1.0):
        wet = [(fields > threshold).mean() for fields in (ours, theirs)]
        assert wet[0] == pytest.approx(wet[1], rel=0.02)
    k = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    power = [(np.abs(np.fft.fft2(fields)) ** 2).mean(0) for fields in (ours, theirs)]
    for low, high in ((1 / 64, 1 / 16), (1 / 16, 1 / 6), (1 / 6, 0.5)):
        at = (k >= low) & (k < high)
        assert power[0][at].mean() == pytest.approx(power[1][at].mean(), rel=0.1)
    np.testing.assert_allclose(theirs.reshape(40, 16, 4, 16, 4).mean((2, 4))[0], coarse, atol=1e-9)
