"""Fields with masks: missing where they are missing, and as good beside a mask as without one."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import xdownscale
from tests.small_models import model
from tests.support import rain
from xdownscale.kernels.blocks import block_repeat

MODELS = {"rain": model(), "temperature": model(rain=False, units="K")}
Y, X = np.indices((12, 16))
MASKS = {
    "half": X >= 9,
    "circle": np.hypot(Y - 6, X - 8) > 5.5,
    "coast": ndimage.gaussian_filter(np.random.default_rng(0).normal(size=X.shape), 1.5) > 0.02,
    "cell": (Y == 5) & (X == 7),
}


def temperature(shape=(3, 48, 64)):
    """Smooth, and tens of standard deviations of the model from 0 K."""
    y, x = np.indices(shape[1:])
    field = rain(shape).rename("tas").assign_attrs(units="K", standard_name="air_temperature")
    return field.copy(data=np.broadcast_to(285 + 4 * np.sin(x / 9) * np.cos(y / 11), shape))


@pytest.fixture(scope="module")
def steady():
    """Rain everywhere, coarse, and members of it by the weights that ship."""
    field = rain((6, 120, 160), seed=2)
    smooth = np.stack([ndimage.gaussian_filter(each, 4.0, mode="wrap") for each in field.values])
    coarse = field.copy(data=smooth + 2.0).sr.coarsen(10, 3)
    return coarse, coarse.sr.downscale("rain-10x3", seed=1, members=2)


@pytest.mark.parametrize("name", [*MASKS, "frame"])
def test_rain_beside_a_mask_is_as_much_as_without_it(steady, name):
    """Neither drawn to the 0 that once stood in a gap, nor piled up before it."""
    coarse, whole = steady
    missing = np.zeros(coarse.shape, bool)
    missing[0 if name == "frame" else slice(None)] = MASKS.get(name, True)
    masked = coarse.where(~missing).sr.downscale("rain-10x3", seed=1, members=2)
    hidden = block_repeat(missing, (3, 10, 10))
    edge = ndimage.binary_dilation(hidden, np.ones((3, 5, 5))) & ~hidden
    assert float(masked.values[:, edge].mean() / whole.values[:, edge].mean()) == pytest.approx(1, abs=0.1)
    change = np.abs(masked.values - whole.values)[:, edge].mean()
    assert change < np.abs(whole.values[0] - whole.values[1])[edge].mean()
    np.testing.assert_array_equal(np.isnan(masked.values[0]), hidden)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("masks", [True, False])
def test_temperature_beside_a_mask_is_no_farther_off_than_without_it(mask, masks, monkeypatch):
    tas = MODELS["temperature"]
    monkeypatch.setattr(tas.method, "settings", replace(tas.method.settings, masks=masks))
    truth = temperature()
    coarse, missing = truth.sr.coarsen(4, 3), MASKS[mask]
    whole, masked = (
        abs(each.sr.downscale(tas, members=4) - truth.values).values
        for each in (coarse, coarse.where(xr.DataArray(~missing, dims=("y", "x"))))
    )
    around = block_repeat((ndimage.binary_dilation(missing, np.ones((3, 3))) & ~missing)[None], (3, 4, 4))[0]
    assert masked[..., around].mean() < 1.33 * whole[..., around].mean()
    assert masked[..., around].max() < 2 * whole.max()


@settings(max_examples=10)
@given(kind=st.sampled_from(sorted(MODELS)), share=st.floats(0, 1), seed=st.integers(0, 99), data=st.data())
def test_members_keep_the_known_means_and_nothing_else_depends_on_the_cut(kind, share, seed, data):
    """For any mask, also one of single cells or of everything: means, missing cells, tiles."""
    tas, random = MODELS[kind], np.random.default_rng(seed)
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)))
    fine = rain((3 * shape[0], 4 * shape[1], 4 * shape[2]), seed=seed)
    if kind == "temperature":
        fine = (fine + 280).rename("tas").assign_attrs(units="K", standard_name="air_temperature")
    coarse = fine.sr.coarsen(4, 3)
    missing = random.random(shape) < share
    missing.flat[random.integers(missing.size)] = False
    coarse = coarse.where(~missing)
    members = coarse.sr.downscale(tas, members=2, seed=seed)
    np.testing.assert_array_equal(np.isnan(members.values[1]), block_repeat(missing, (3, 4, 4)))
    again = members.astype(float).sr.coarsen(4, 3)
    np.testing.assert_allclose(again.values, np.stack([coarse.values] * 2), rtol=1e-6, atol=1e-6)
    tiled = coarse.sr.downscale(tas, members=2, seed=seed, tile=(1, 2, 3))
    np.testing.assert_array_equal(tiled.values, members.values)
    lazy = coarse.chunk(x=2, y=3).sr.downscale(tas, members=2, seed=seed)
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous").values, members.values)


def test_a_model_is_trained_from_a_field_with_gaps_and_works_beside_them():
    """A coast in all windows: before, none was left to learn from."""
    truth = temperature((12, 48, 64)) + np.random.default_rng(0).normal(0, 0.2, (12, 48, 64))
    y, x = np.indices((48, 64))
    sea = truth.where(xr.DataArray(np.hypot(y - 24, x - 32) > 9, dims=("y", "x"))).assign_attrs(truth.attrs)
    small = xdownscale.Recipe.named("small")
    recipe = replace(small, cells=12, size=MODELS["rain"].method.settings.size).with_steps(6)
    recipe = replace(recipe, schedule=replace(recipe.schedule, batch=2))
    learned = xdownscale.train(sea, 4, 1, recipe=recipe, validation=0.25, progress=False)
    assert learned.method.settings.masks
    scores = learned.provenance.scores
    assert scores["crps"] < 1.2 * scores["crps_bicubic"]
    coarse = sea.sr.coarsen(4, 1)
    error = abs(coarse.sr.downscale(learned, members=2) - truth.values)
    np.testing.assert_array_equal(
        error.isnull().any("member"), block_repeat(np.isnan(coarse.values), (1, 4, 4))
    )
    assert float(error.max()) < 3
