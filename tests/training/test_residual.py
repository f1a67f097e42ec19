"""Training of the diffused residual: σ_r, the loss it should reach, runs that can be repeated and resumed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import xdownscale
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.models.recipe import Attention, NetworkSize, Recipe
from xdownscale.models.residual import Residual, ResidualSettings, latent_truth
from xdownscale.models.schedule import Schedule
from xdownscale.models.transform import Standard
from xdownscale.training import fit as fitting
from xdownscale.training.patches import PatchSampler, Source
from xdownscale.training.residual import denoising_loss, fit_residual, left_over, shared_out
from xdownscale.training.run import Run

SIZE = NetworkSize(maps=(2, 2, 1), width=8, encoder_blocks=1, decoder_blocks=1, stages=(8, 8, 8, 8))
SCHEDULE = Schedule(steps=4, batch=2, warmup=1, check=2, validation=2)
RECIPE = Recipe(cells=4, frames=2, size=SIZE, schedule=SCHEDULE)
BLOCKS = (2, 4, 4)


def windows(values):
    return PatchSampler(
        [Source(values.astype(np.float32)[:, None])], blocks=BLOCKS, cells=4, frames=2, wet=None
    )


@pytest.fixture(scope="module")
def rain():
    return windows(np.maximum(np.random.default_rng(0).normal(size=(12, 32, 32)), 0) * 3)


def means(truth):
    """Block means (B, L, 1, M, N) of windows of one target."""
    return block_mean(truth[:, :, 0], BLOCKS)[:, :, None]


def fresh(**changes):
    torch.manual_seed(0)
    return Residual(ResidualSettings(blocks=BLOCKS, size=SIZE, dilations=(1,), **changes))


def run(rain, checkpoint=None):
    model = fresh()
    result = fit_residual(
        model, rain, rain, recipe=RECIPE, run=Run((2.0,), checkpoint=checkpoint, progress=False)
    )
    return result, model.settings.scales


def test_the_scale_is_the_root_mean_square_of_what_is_left(rain):
    model, batch = fresh(scales=(5.0,)), rain.spread(4)
    truth = torch.from_numpy(batch.fine)
    with torch.no_grad():
        left = latent_truth(model.settings.transforms[0], truth) - model.prepare(means(truth)).mean
    weight = torch.from_numpy(batch.weights)[:, None, None, None, None]
    expected = ((weight * left.square()).mean() / weight.mean()).sqrt()
    assert left_over(model, batch) == pytest.approx((float(expected),), rel=1e-4)


def test_a_run_is_repeated_and_resumed_to_the_same_weights(rain, tmp_path, monkeypatch):
    whole, scale = run(rain)
    original = fitting._Loop.advance

    def interrupted(self, batch, share):
        if self.step == 3 and self.loss is denoising_loss:
            raise KeyboardInterrupt
        return original(self, batch, share)

    monkeypatch.setattr(fitting._Loop, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(rain, tmp_path / "run.safetensors")
    monkeypatch.setattr(fitting._Loop, "advance", original)
    resumed, again = run(rain, tmp_path / "run.safetensors")
    assert again == scale
    assert resumed.scores == whole.scores
    for name, value in whole.weights.items():
        assert torch.equal(value, resumed.weights[name]), name


def test_the_median_net_is_left_alone_while_the_denoiser_learns(rain):
    model = fresh()
    result = fit_residual(model, rain, rain, recipe=RECIPE, run=Run((2.0,), progress=False))
    for name, value in model.mean.state_dict().items():
        torch.testing.assert_close(result.weights[f"mean.{name}"], value)


@pytest.mark.slow
def test_white_noise_is_learned_down_to_the_loss_of_its_closed_form():
    # for x₀ ~ N(0, λ) the least error of v is λ/(λ·cos²t + sin²t), on average over t √λ; saying nothing costs (1 + λ)/2
    deviation = 0.2
    noise = windows(deviation * np.random.default_rng(1).normal(size=(12, 32, 32)))
    model = fresh(transforms=(Standard(),))
    with torch.no_grad():
        for weight in model.mean.network.leave.parameters():
            weight.zero_()
    model.mean.requires_grad_(requires_grad=False)
    recipe = replace(RECIPE, schedule=replace(SCHEDULE, steps=100, rate=3e-2, warmup=5))
    loop = fitting._Loop(model, denoising_loss, recipe.schedule, Run((1.0,)))
    losses = [loop.advance(noise.batch(step, 2), step / 100) for step in range(100)]
    assert np.mean(losses[:3]) == pytest.approx((1 + deviation**2) / 2, abs=0.12)
    assert deviation - 0.02 < np.mean(losses[-20:]) < 0.28


def test_train_makes_one_that_downscales():
    rain = xdownscale.tutorial.rain((12, 32, 32))
    recipe = replace(RECIPE, schedule=replace(SCHEDULE, steps=2))
    model = xdownscale.train(rain, 4, 2, method="residual", recipe=recipe, progress=False)
    coarse = rain.sr.coarsen(spatial=4, temporal=2)
    fine = coarse.sr.downscale(model, members=2)
    assert model.stochastic
    assert "crps" in model.provenance.scores
    np.testing.assert_allclose(
        fine.sr.coarsen(spatial=4, temporal=2), coarse.expand_dims(member=2), rtol=1e-5, atol=1e-5
    )
    start = xdownscale.train(rain, 4, 2, method="residual", model=model, recipe=recipe, progress=False)
    assert start.factors == model.factors
    with pytest.raises(xdownscale.errors.ArgumentError, match="not calibrated"):
        xdownscale.calibrate(rain, model, name="mine", progress=False)


@pytest.mark.slow
def test_train_makes_one_with_the_attention_of_the_recipe(tmp_path):
    rain = xdownscale.tutorial.rain((12, 32, 32))
    attention = Attention(windows=(2, 1), frames=1, heads=2)
    recipe = replace(RECIPE, schedule=replace(SCHEDULE, steps=4, rate=1e-2), attention=attention)
    model = xdownscale.train(rain, 4, 2, method="residual", recipe=recipe, progress=False)
    assert model.method.settings.attention == attention
    back = xdownscale.load(model.save(tmp_path / "model.safetensors"))
    assert back.method.settings.attention == attention
    woken = [block.projections.leave for block in back.method.denoiser.trunk if hasattr(block, "projections")]
    assert len(woken) == 3
    assert all(each.convolution.weight.abs().max() > 0 for each in woken)
    coarse = rain.sr.coarsen(spatial=4, temporal=2)
    fine = coarse.sr.downscale(back, members=2)
    np.testing.assert_allclose(
        fine.sr.coarsen(spatial=4, temporal=2), coarse.expand_dims(member=2), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("method", ["generator", "median", None])
def test_attention_is_for_the_residual(method):
    recipe = replace(RECIPE, attention=Attention())
    with pytest.raises(xdownscale.errors.ArgumentError, match='method="residual"'):
        xdownscale.train(
            xdownscale.tutorial.rain((12, 32, 32)), 4, 2, method=method, recipe=recipe, progress=False
        )


def test_seconds_are_shared_out_and_steps_are_not():
    timed = replace(RECIPE, schedule=replace(SCHEDULE, seconds=60.0))
    first, second = shared_out(timed)
    assert [each.schedule.seconds for each in (first, second)] == pytest.approx([20, 40])
    assert first.schedule.steps == second.schedule.steps == SCHEDULE.steps
    assert shared_out(RECIPE) == (RECIPE, RECIPE)


def test_cells_with_gaps_do_not_count_in_the_scale_and_have_nothing_left_in_the_loss(rain, monkeypatch):
    batch = rain.spread(1)
    batch.fine[..., 4:8, 4:12] = np.nan
    other = batch._replace(fine=batch.fine.copy())
    batch.fine[..., 8:12, 8:12], batch.fine[0, 0, 0, 8, 8], batch.fine[0, 2, 0, 8, 8] = 30.0, np.nan, np.nan
    other.fine[..., 8:12, 8:12] = np.nan
    model = fresh()
    assert left_over(model, batch) == pytest.approx(left_over(model, other), rel=1e-6)
    truth = torch.from_numpy(batch.fine)
    with torch.no_grad():
        coarse = means(truth)
        left = latent_truth(model.settings.transforms[0], truth) - model.prepare(coarse).mean
    known = ~block_repeat(coarse[:, :, 0].isnan(), BLOCKS)[:, :, None]
    assert left_over(model, batch) == pytest.approx((float(left[known].square().mean().sqrt()),), rel=1e-4)
    seen = []
    monkeypatch.setattr(
        "xdownscale.training.residual.denoising_error",
        lambda _, clean, noise, level: (seen.append(clean), clean.square())[1],
    )
    for each in (batch, other):
        denoising_loss(model, each, torch.Generator().manual_seed(0), 1.0)
    assert torch.equal(seen[0], seen[1])
    assert not seen[0][..., 4:8, 4:12].any()
    assert seen[0].any()
