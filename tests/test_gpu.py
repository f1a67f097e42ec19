"""On a GPU the ensemble is that of the CPU but for rounding: noise is a function of its place, not of the device."""

import numpy as np
import pytest
import torch

import xdownscale
from tests.small_models import model, residual_model
from tests.support import rain
from xdownscale.models.device import devices

GPUS = [name for name in devices() if name != "cpu"]

pytestmark = pytest.mark.skipif(not GPUS, reason=f"there is no GPU here, only {devices()}")

TOLERANCE = 0.02
"""Root mean square difference in standard deviations of the field; convolutions are in bfloat16 where it helps."""


@pytest.fixture(params=GPUS or ["none"])
def gpu(request):
    return request.param


def apart(first, second):
    """Root mean square difference in standard deviations."""
    return float(np.sqrt(((first - second) ** 2).mean()) / second.std())


@pytest.mark.parametrize("made", [model, residual_model])
def test_downscale(gpu, made):
    coarse = rain((4, 8, 9), step=15, spacing=4000.0)
    wanted = coarse.sr.downscale(made(), members=3, device="cpu")
    found = coarse.sr.downscale(made(), members=3, device=gpu)
    assert apart(found, wanted) < TOLERANCE
    lazy = coarse.chunk(time=2).sr.downscale(made(), members=3, device=gpu)
    np.testing.assert_array_equal(lazy, found)
    np.testing.assert_allclose(
        found.sr.coarsen(4, 3).values, np.broadcast_to(coarse, (3, *coarse.shape)), rtol=1e-4
    )


def test_the_shipped_weights(gpu):
    coarse = xdownscale.tutorial.rain((12, 160, 170), seed=11).sr.coarsen(spatial=10, temporal=3)
    wanted, found = (
        coarse.sr.downscale(spatial=10, temporal=3, members=2, device=each) for each in ("cpu", gpu)
    )
    assert apart(found, wanted) < TOLERANCE


def test_train_and_plan(gpu):
    fine = xdownscale.tutorial.rain((48, 80, 80))
    trained = fine.sr.train(spatial=4, temporal=3, recipe="small", steps=3, device=gpu, progress=False)
    assert all(torch.isfinite(weight).all() for weight in trained.method.state_dict().values())
    assert fine.sr.coarsen(4, 3).sr.plan(trained, device=gpu).device == gpu
