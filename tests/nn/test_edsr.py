"""EDSR: its reach, its growth by prime factors, and that it learns."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import xdownscale
from tests.support import rain
from xdownscale.models.kinds import kind_named
from xdownscale.nn.edsr import EdsrNetwork
from xdownscale.nn.fresh import FreshWeights


@pytest.mark.parametrize("blocks", [(3, 1, 1), (1, 10, 10), (2, 4, 6), (1, 7, 1)])
def test_an_output_depends_on_what_is_in_reach_and_on_its_own_frame(blocks):
    with FreshWeights(0):
        network = EdsrNetwork(blocks=blocks, inputs=2, width=6, depth=1)
    reach = network.reach.cells
    size = 2 * reach + 1
    condition = torch.randn(1, 3, 2, size + 2, size + 2, generator=torch.Generator().manual_seed(0))
    condition.requires_grad_()
    fine = network.decode(network.encode(condition)[0], [], [], [], torch.zeros(4))
    t, i, j = blocks
    assert fine.shape == (1, 3 * t, 1, i * (size + 2), j * (size + 2))
    middle = fine[0, t : 2 * t, 0, i * reach : i * (reach + 1), j * reach : j * (reach + 1)]
    (gradient,) = torch.autograd.grad(middle.square().sum(), condition)
    seen = gradient[0].abs().sum(1)
    assert seen[0].sum() == seen[2].sum() == 0
    assert seen[1, size:].sum() == seen[1, :, size:].sum() == 0
    assert seen[1, reach, reach] > 0


def test_it_is_trained_kept_and_tiled_like_any_method(tmp_path):
    truth = rain((12, 32, 32))
    recipe = xdownscale.Recipe.named("small")
    recipe = replace(recipe, cells=4, size=replace(recipe.size, width=8, encoder_blocks=1))
    model = xdownscale.train(
        truth, 4, 3, method="edsr", recipe=recipe, steps=2, validation=0.0, progress=False
    )
    assert model.method.kind == "edsr"
    model.save(tmp_path / "edsr.safetensors")
    coarse = truth.sr.coarsen(4, 3)
    again = xdownscale.load(tmp_path / "edsr.safetensors")
    fine = xdownscale.baselines.edsr(coarse, 4, 3, model=again)
    np.testing.assert_array_equal(fine, xdownscale.baselines.edsr(coarse, model=model))
    tiled = coarse.sr.downscale(model, tile=(2, 3, 4)).isel(member=0)
    np.testing.assert_allclose(tiled, fine, rtol=1e-5, atol=1e-5)
    assert kind_named("edsr").build is type(model.method)


def test_it_beats_bicubic_after_a_minute_of_rain():
    truth = xdownscale.tutorial.rain((36, 96, 96))
    recipe = xdownscale.Recipe.named("small")
    recipe = replace(recipe, size=replace(recipe.size, width=24, encoder_blocks=3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a median has a larger root mean square error
        model = xdownscale.train(
            truth[:24], 4, 3, method="edsr", recipe=recipe, steps=60, validation=[truth[24:]], progress=False
        )
    coarse = truth[24:].sr.coarsen(4, 3)
    error = abs(xdownscale.baselines.edsr(coarse, model=model) - truth[24:]).mean()
    assert error < 0.95 * abs(xdownscale.baselines.bicubic(coarse, 4, 3) - truth[24:]).mean()
