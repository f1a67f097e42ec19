"""``calibrate``: the style moves, the score improves, nothing else changes."""

import numpy as np
import pytest
import torch

import xdownscale
from tests.small_models import model
from tests.support import rain
from xdownscale.errors import ArgumentError

MODEL = model(styles=("one", "other")).with_style("one")


@pytest.fixture(scope="module")
def sample():
    return rain((12, 64, 64))


@pytest.fixture(scope="module")
def calibrated(sample):
    return xdownscale.calibrate(sample, MODEL, name="mine", steps=3, progress=False)


def test_nothing_but_the_style_moves(calibrated):
    assert calibrated.styles == ("one", "other", "mine")
    assert calibrated.style == "mine"
    assert MODEL.styles == ("one", "other")
    assert MODEL.style == "one"
    for name, value in MODEL.method.state_dict().items():
        kept = calibrated.method.state_dict()[name]
        assert torch.equal(kept[:2] if name == "styles" else kept, value)


@pytest.mark.slow
def test_the_texture_of_another_product_is_found():
    shipped = xdownscale.zoo.load("rain-10x3")
    coarse = xdownscale.tutorial.rain((6, 80, 80)).sr.coarsen(spatial=10, temporal=3)
    drawn = coarse.sr.downscale(shipped, style="fmi", seed=5).isel(member=0, drop=True)
    scores = xdownscale.calibrate(drawn, shipped, steps=12, progress=False).provenance.scores
    assert scores["loss_after_calibration"] < scores["loss_before_calibration"]


def test_it_is_reproducible_and_may_be_done_again(calibrated, sample):
    again = xdownscale.calibrate(sample, MODEL, name="mine", steps=3, progress=False)
    assert torch.equal(again.method.styles, calibrated.method.styles)
    further = xdownscale.calibrate(sample, calibrated, name="mine", steps=1, progress=False)
    assert further.styles == calibrated.styles


def test_the_new_style_is_used(calibrated):
    coarse = rain((3, 8, 8), step=15, spacing=4000.0)
    mine = coarse.sr.downscale(calibrated)
    assert not np.array_equal(mine, coarse.sr.downscale(calibrated, style="one"))
    np.testing.assert_array_equal(mine, coarse.sr.downscale(calibrated, style="mine"))


def test_a_median_net_is_refused():
    with pytest.raises(ArgumentError, match="which has no texture"):
        xdownscale.calibrate(rain((12, 64, 64)), model(stochastic=False))
