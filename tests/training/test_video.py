"""The joint loss: what gets a gradient, options, limits, and that a small one learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import xdownscale
from tests.models.test_video import TINY, method
from xdownscale.errors import ArgumentError
from xdownscale.models.recipe import Recipe
from xdownscale.models.schedule import Schedule
from xdownscale.models.video import VideoSettings
from xdownscale.models.video_recipe import VideoRecipe
from xdownscale.training.patches import Batch
from xdownscale.training.run import Run
from xdownscale.training.trainers import TRAINERS, trainer_named
from xdownscale.training.video import left_over, limits, video_loss, video_settings


def batch(shape=(1, 3, 1, 16, 16), seed=0):
    values = np.maximum(np.random.default_rng(seed).normal(size=shape) * 3, 0).astype(np.float32)
    return Batch(values, None, np.ones(shape[0], np.float32), ("training",))


def gradient(made, plan, name="enter"):
    """The size of the gradient of the downscaler's first convolution."""
    made.zero_grad(set_to_none=True)
    video_loss(plan, made, batch(), torch.Generator().manual_seed(0), 0.0).backward()
    found = getattr(made.mean, name).weight.grad
    return 0.0 if found is None else float(found.abs().sum())


PUBLISHED = VideoRecipe(size=TINY)


def test_the_v_loss_alone_trains_the_downscaler_through_the_residual_and_through_the_condition(monkeypatch):
    made = method()
    assert gradient(made, PUBLISHED) > 0
    answer = made.answer
    with monkeypatch.context() as only_residual:
        only_residual.setattr(
            made,
            "answer",
            lambda r_n, angle, *, shown, mean, features, style: answer(
                r_n,
                angle,
                shown=shown,
                mean=mean.detach(),
                features=[f.detach() for f in features],
                style=style,
            ),
        )
        assert gradient(made, PUBLISHED) > 0
    with monkeypatch.context() as only_condition:
        truth = made.latent_truth

        def moved(values):
            found = truth(values)
            mean = made.prepare(coarse_of(values)).mean
            return found + mean - mean.detach()  # y − ȳ no longer depends on the weights of ȳ

        only_condition.setattr(made, "latent_truth", moved)
        through_mean = gradient(made, PUBLISHED)
        assert through_mean > 0
        only_condition.setattr(
            made,
            "answer",
            lambda r_n, angle, *, shown, mean, features, style: answer(
                r_n,
                angle,
                shown=shown,
                mean=mean.detach(),
                features=[f.detach() for f in features],
                style=style,
            ),
        )
        assert gradient(made, PUBLISHED) < 1e-3 * through_mean


def coarse_of(values):
    return torch.nn.functional.avg_pool2d(values.flatten(0, 1), 4).unflatten(0, values.shape[:2])


def test_separate_training_takes_the_gradient_of_the_anchor_alone():
    made = method()
    apart = replace(PUBLISHED, joint=False, anchor=1.0)
    alone = replace(PUBLISHED, residual=False, anchor=1.0)
    assert gradient(made, apart) == pytest.approx(gradient(made, alone), rel=1e-6)
    assert gradient(made, replace(PUBLISHED, anchor=1.0)) != pytest.approx(gradient(made, alone), rel=1e-3)


def test_nothing_would_train_the_downscaler_is_refused():
    for wrong in ({"joint": False}, {"residual": False}):
        with pytest.raises(ArgumentError, match="nothing would train"):
            VideoRecipe(**wrong)
    for wrong in ({"levels": "even"}, {"draws": 0}):
        with pytest.raises(ArgumentError):
            VideoRecipe(**wrong)


def test_the_loss_of_fresh_weights_is_the_size_of_v_at_the_levels_that_are_drawn():
    """v̂ = 0: the loss is E[α²·ε² + σ²·r₀²] for the levels of a sequence, or of a frame."""
    made = method(lively=False)
    window = batch()
    with torch.no_grad():
        made.log_sigma.fill_(float(left_over(made, window).log()))
    for plan in (PUBLISHED, replace(PUBLISHED, levels="angle"), replace(PUBLISHED, per_frame=True)):
        many = replace(plan, draws=64)
        with torch.no_grad():
            loss = float(video_loss(many, made, window, torch.Generator().manual_seed(1), 0.0))
        assert loss == pytest.approx(1.0, abs=0.1)  # α² + σ² = 1 and r₀ has unit size
    with torch.no_grad():
        made.log_sigma.fill_(0.0)  # a residual that is small in units of [−1, 1] makes targets unequal
        assert float(video_loss(PUBLISHED, made, window, torch.Generator().manual_seed(1), 0.0)) < 1.5


def test_a_sequence_has_one_noise_level_unless_every_frame_is_to_have_its_own(monkeypatch):
    made, told = method(), []
    answer = made.answer

    def listening(r_n, angle, **known):
        told.append(angle)
        return answer(r_n, angle, **known)

    monkeypatch.setattr(made, "answer", listening)
    for plan in (PUBLISHED, replace(PUBLISHED, per_frame=True, draws=2)):
        video_loss(plan, made, batch(), torch.Generator().manual_seed(0), 0.0)
    assert told[0].shape == (1, 1)
    assert told[1].shape == (2, 3)
    assert len(told[1].unique()) == 6


def test_sigma_is_learned_as_the_scale_of_what_is_left_and_the_loss_of_v_does_not_move_it():
    made = method(lively=False)
    window = batch()
    wanted = left_over(made, window)
    source = torch.Generator().manual_seed(0)
    video_loss(PUBLISHED, made, window, source, 0.0).backward()
    assert made.log_sigma.grad is None
    standard = replace(PUBLISHED, standardised=True)
    with torch.no_grad():
        made.log_sigma.copy_(wanted.log())
    video_loss(standard, made, window, source, 0.0).backward()
    assert float(made.log_sigma.grad.abs()) < 1e-5
    with torch.no_grad():
        made.log_sigma.add_(0.3)
    made.zero_grad()
    video_loss(standard, made, window, source, 0.0).backward()
    assert float(made.log_sigma.grad) > 0.1


def test_missing_cells_do_not_count():
    made = method()
    whole, gap = batch(), batch()
    gap.fine[0, :, 0, 4:8, 4:8] = np.nan
    filled = batch()
    filled.fine[0, :, 0, 4:8, 4:8] = np.nan
    filled.fine[0, 1, 0, 5, 5] = 50.0  # one value of a coarse cell with a gap is no truth
    losses = [
        video_loss(PUBLISHED, made, each, torch.Generator().manual_seed(0), 0.0).item()
        for each in (whole, gap, filled)
    ]
    assert losses[1] == losses[2] != losses[0]


def test_limits_are_those_of_the_windows_and_dry_is_the_least():
    made = method()
    window = batch()
    lows, highs = limits(made, window)
    assert lows == (0.0,)
    assert highs[0] == pytest.approx(float(np.log1p(window.fine.max() / 0.2)), rel=1e-5)


def test_recipes_become_settings_and_do_not_mix():
    plan = Recipe.named("stvd")
    shared = xdownscale.zoo.load("rain-10x3").method.settings
    settings = video_settings(shared, plan)
    assert isinstance(settings, VideoSettings)
    assert settings.transforms[0].epsilon == 1e-14
    assert (settings.frames, settings.cells, settings.sampler, settings.drawn[1]) == (
        5,
        48,
        "ddim-sigmoid",
        30,
    )
    assert not settings.conserving
    small = video_settings(shared, replace(Recipe.named("stvd-small"), frames=3))
    assert (small.frames, small.conserving) == (3, True)
    with pytest.raises(ArgumentError, match="stvd-small"):
        trainer_named("video", Recipe.named("small"))
    with pytest.raises(ArgumentError, match="video diffusion"):
        trainer_named("generator", plan)
    assert trainer_named("video", plan) is TRAINERS["video"]


def test_the_rate_falls_to_its_last_value():
    from xdownscale.training.fit import _Loop

    made = method()
    loop = _Loop(made, lambda *_: made.log_sigma.sum(), Schedule(rate=1e-4, last=5e-7, warmup=1), Run((1.0,)))
    for share, rate in ((0.0, 1e-4), (0.5, 0.5 * (1e-4 + 5e-7)), (1.0, 5e-7)):
        loop.advance(batch(), share)
        assert loop.optimiser.param_groups[-1]["lr"] == pytest.approx(rate)


def test_train_and_downscale_with_predictors_and_static_fields():
    weather = xdownscale.tutorial.weather((8, 32, 32), seed=0)[["uas", "psl"]]
    topography = weather["psl"].isel(time=0).drop_vars("time")
    small = Recipe.named("stvd-small")
    plan = replace(
        small,
        frames=2,
        video=replace(small.video, size=TINY),
        schedule=replace(small.schedule, steps=2, check=1, validation=1),
    )
    model = xdownscale.train(
        weather, 4, targets=["uas"], predictors=["psl"], static=topography.rename("topo"),
        method="video", recipe=plan, validation=0.0, progress=False, vectors=[],
    )  # fmt: skip
    assert model.method.kind == "video"
    coarse = weather.sr.coarsen(4)
    fine = xdownscale.downscale(coarse, model, static=topography.rename("topo"), members=2)
    assert fine["uas"].shape == (2, 8, 32, 32) if hasattr(fine, "data_vars") else fine.shape == (2, 8, 32, 32)
