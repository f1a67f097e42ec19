"""Training of the scale-adaptive framework: who learns, when frames are conserved, limits of values, ends of a run."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

import xdownscale
from tests.models.test_adaptive import method
from tests.nn.test_adaptive import TINY
from xdownscale.diffusion.schedule import linear_beta
from xdownscale.errors import ArgumentError, EmptyFieldError
from xdownscale.models.adaptive_recipe import AdaptiveRecipe
from xdownscale.models.recipe import Recipe
from xdownscale.models.schedule import Schedule
from xdownscale.models.transform import LogRain, Standard
from xdownscale.training.adaptive import judge, last_of, left_over, mean_loss, residual_loss
from xdownscale.training.caps import gamma_quantile, limits_of
from xdownscale.training.fit import _Loop, fit
from xdownscale.training.patches import Batch, PatchSampler, Source
from xdownscale.training.run import Run
from xdownscale.training.trainers import TRAINERS, trainer_named

PLAN = AdaptiveRecipe(size=TINY, length=3, beta=0.02, power=1.0, threshold=0.02)


def batch(shape=(1, 9, 1, 16, 16), seed=0):
    values = np.maximum(np.random.default_rng(seed).normal(size=shape) * 3, 0).astype(np.float32)
    return Batch(values, None, np.ones(shape[0], np.float32), ("training",) * shape[0])


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def small(steps=2, **options):
    plan = replace(AdaptiveRecipe(size=TINY, tile=16, steps=2, length=2), **options)
    schedule = Schedule(
        steps=steps, batch=1, rate=1e-3, warmup=1, average=0.0, check=1, patience=8, validation=2
    )
    return Recipe(schedule=schedule, adaptive=plan)


# ── who learns ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_encoder_of_the_context_is_in_the_optimiser_the_state_and_the_gradient():
    made = method()
    made.mean.requires_grad_(requires_grad=False)
    names = {name for name, _ in made.named_parameters() if name.startswith("context.")}
    assert len(names) > 20
    assert names <= made.state_dict().keys()
    loop = _Loop(made, lambda *given: residual_loss(PLAN, *given), Schedule(rate=1e-2, warmup=1), Run((1.0,)))
    held = {id(weight) for group in loop.optimiser.param_groups for weight in group["params"]}
    encoder = dict(made.context.named_parameters())
    assert {id(weight) for weight in encoder.values()} <= held
    before = {name: weight.detach().clone() for name, weight in encoder.items()}
    for _ in range(2):
        loop.advance(batch(), 0.0)
    moved = [name for name, weight in encoder.items() if not torch.equal(weight, before[name])]
    without = {name for name in encoder if "in_proj_bias" in name}  # that of keys cancels in a softmax
    assert {*moved} >= encoder.keys() - without
    assert all(float(weight.grad.abs().sum()) > 0 for name, weight in encoder.items() if name in moved)


def test_training_changes_the_encoder_of_the_context_and_the_file_keeps_it(tmp_path):
    rain = xdownscale.tutorial.rain((24, 32, 32), seed=3)
    first = xdownscale.train(rain, 4, 3, recipe=small(1), validation=0.0, progress=False)
    second = xdownscale.train(rain, 4, 3, recipe=small(4), validation=0.0, progress=False)
    one, two = (each.method.context.state_dict() for each in (first, second))
    assert any(not torch.equal(one[name], two[name]) for name in one)
    second.save(tmp_path / "model.safetensors")
    kept = xdownscale.load(tmp_path / "model.safetensors").method.context.state_dict()
    assert all(torch.equal(kept[name], two[name]) for name in two)


def test_the_mean_gets_its_gradient_from_the_squared_error_alone():
    made = method()
    residual_loss(PLAN, made, batch(), source()).backward()
    assert all(weight.grad is None for weight in made.mean.parameters())
    assert float(made.denoiser.final.convolution.weight.grad.abs().sum()) > 0
    made.zero_grad()
    mean_loss(PLAN, made, batch(), source(), 1.0).backward()
    assert all(weight.grad is None for weight in made.denoiser.parameters())
    assert float(made.mean.final.convolution.weight.grad.abs().sum()) > 0


# ── losses ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_loss_of_fresh_weights_is_the_size_of_the_velocity_of_equation_10():
    made = method(lively=False, standardised=True)
    window = batch()
    made.settings = replace(made.settings, scales=left_over(made, window))
    with torch.no_grad():
        loss = float(residual_loss(replace(PLAN, draws=300), made, window, source(1)))
    assert loss == pytest.approx(1.0, abs=0.05)  # v̂ = 0, r and ε have unit size, and ᾱ + (1 − ᾱ) = 1


def test_the_velocity_that_is_learned_is_that_of_equation_10(monkeypatch):
    made, told = method(), {}

    def answer(r_n, step, **known):
        told.update(r_n=r_n, step=step)
        return torch.zeros_like(r_n)

    monkeypatch.setattr(made, "answer", answer)
    loss = float(residual_loss(PLAN, made, batch(), source(4)))
    last = last_of(made, batch(), torch.device("cpu"))
    left = last.truth - made.mean_of(last.context, last.coarse)[:, None]
    j = int(told["step"])
    beta = 1e-4 + (0.02 - 1e-4) * np.arange(1000) / 999
    kept = float(np.prod(1 - beta[:j]))
    noise = (told["r_n"] - kept**0.5 * left) / (1 - kept) ** 0.5
    velocity = kept**0.5 * noise - (1 - kept) ** 0.5 * left
    assert 1 <= j <= 1000
    assert loss == pytest.approx(velocity.square().mean().item(), rel=1e-3)
    assert noise.std().item() == pytest.approx(1.0, abs=0.1)


def test_frames_are_conserved_after_the_delay_and_never_before():
    made = method()
    before, at, after = (
        float(mean_loss(PLAN, made, batch(), source(), share)) for share in (0.2499, 0.25, 1.0)
    )
    assert before != at == after
    last = last_of(made, batch(), torch.device("cpu"))
    free, kept = (made.mean_of(last.context, last.coarse, kept=each) for each in (False, True))
    assert before == pytest.approx(float((free[:, None] - last.truth).square().mean()))
    assert after == pytest.approx(float((kept[:, None] - last.truth).square().mean()))
    torch.testing.assert_close(kept.double().mean(), last.coarse.double().mean() / 10, rtol=1e-6, atol=0)
    assert abs(float(free.double().mean() * 10 / last.coarse.double().mean()) - 1) > 1e-3


def test_the_last_frame_alone_is_asked_for_and_dry_ones_teach_nothing():
    made = method()
    window, other = batch(), batch()
    other.fine[0, :6] *= 0.5  # the past is context
    assert float(mean_loss(PLAN, made, window, source(), 1.0)) != float(
        mean_loss(PLAN, made, other, source(), 1.0)
    )
    torch.testing.assert_close(*(last_of(made, each, torch.device("cpu")).truth for each in (window, other)))
    window.fine[0, 6:] = 0.0  # the latest wet frame stands for a dry one
    last, first = last_of(made, window, torch.device("cpu")), last_of(made, batch(), torch.device("cpu"))
    torch.testing.assert_close(last.context[0, [1, 2]], first.context[0, [0, 1]])
    torch.testing.assert_close(last.context[0, 0], last.context[0, 1])
    torch.testing.assert_close(last.truth[0, 0], torch.from_numpy(batch().fine[0, 3:6, 0]).clamp_max(10) / 10)
    window.fine[0] = 0.0
    loss = mean_loss(PLAN, made, window, source(), 1.0)
    loss.backward()
    assert float(loss) == 0


def test_missing_cells_do_not_count():
    made = method()
    gap, filled = batch(), batch()
    gap.fine[0, :, 0, 4:8, 4:8] = np.nan
    filled.fine[0, :, 0, 4:8, 4:8] = np.nan
    filled.fine[0, 7, 0, 5, 5] = 9.0
    for loss in (
        lambda each: mean_loss(PLAN, made, each, source(), 1.0),
        lambda each: residual_loss(PLAN, made, each, source()),
    ):
        assert float(loss(gap)) == float(loss(filled)) != float(loss(batch()))


# ── limits of values ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cap_is_the_quantile_of_the_most_likely_gamma_law():
    values = np.random.default_rng(0).gamma(0.8, 2.0, 20_000).astype(np.float32)
    wet = values[values > 0.1].astype(float)
    shape, _, scale = stats.gamma.fit(wet, floc=0)
    assert gamma_quantile([values[:5000], values[5000:]], 0.995) == pytest.approx(
        stats.gamma.ppf(0.995, shape, scale=scale), rel=1e-3
    )


def test_rain_is_cut_at_the_cap_and_other_fields_lie_between_their_limits():
    random = np.random.default_rng(0)
    values = np.stack([random.gamma(0.8, 2.0, (4, 9, 9)), 280 + random.normal(size=(4, 9, 9))], axis=1)
    values[0, :, 0, 0] = np.nan
    sources = [Source(values.astype(np.float32))]
    transforms = (LogRain(), Standard(280.0, 1.0))
    lows, highs = limits_of(sources, transforms, quantile=0.9)
    assert lows == (0.0, pytest.approx(np.nanmin(values[:, 1]), abs=1e-4))
    assert highs[0] < np.nanmax(values[:, 0])
    assert highs[1] == pytest.approx(np.nanmax(values[:, 1]), abs=1e-4)
    assert limits_of(sources, transforms, quantile=None)[1][0] == pytest.approx(np.nanmax(values[:, 0]))
    made = method(highs=(2.0,))
    window = batch()
    last = last_of(made, window, torch.device("cpu"))
    assert float(last.truth.max()) == 1
    mean = torch.from_numpy(np.minimum(window.fine[0, 6:, 0], 2.0)).double().mean()  # cut, then averaged
    torch.testing.assert_close(last.coarse[0, 0].double().mean(), mean, rtol=1e-6, atol=0)
    with pytest.raises(EmptyFieldError):
        gamma_quantile([np.zeros(3)], 0.5)


def test_whole_numbers_are_taken_for_tenths_of_a_millimetre():
    tenths = np.round(np.random.default_rng(0).gamma(0.8, 20.0, (4, 1, 9, 9))).astype(np.float32)
    with pytest.warns(UserWarning, match="tenths of a millimetre"):
        limits_of([Source(tenths)], (LogRain(),), quantile=0.995)
    limits_of([Source(tenths / 10)], (LogRain(),), quantile=0.995)


# ── ends of a run ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_score_is_a_mean_of_the_windows_that_were_judged_however_many():
    """An end in the middle of a test must not divide a sum of some windows by the number of all."""
    made, windows = method(), batch((4, 9, 1, 16, 16))
    windows = windows._replace(weights=np.asarray([1.0, 2.0, 0.5, 1.5], np.float32))

    def loss(method, part, source):
        return mean_loss(PLAN, method, part, source, 1.0)

    alone = [judge(loss, made, windows.part(slice(n, n + 1)), source)["loss"] for n in range(4)]
    for count in (1, 2, 4):
        found = judge(loss, made, windows.part(slice(0, count)), source)["loss"]
        assert found == pytest.approx(np.average(alone[:count], weights=windows.weights[:count]), rel=1e-6)
    same = windows._replace(fine=np.repeat(windows.fine[:1], 4, axis=0))
    assert judge(loss, made, same, source) == pytest.approx(judge(loss, made, same.part(slice(0, 2)), source))


def test_a_run_ends_after_its_patience_with_the_best_weights_and_the_rate_of_a_whole_one():
    values = np.maximum(np.random.default_rng(0).normal(size=(12, 24, 24)), 0).astype(np.float32) * 3
    windows = PatchSampler([Source(values[:, None])], blocks=(3, 4, 4), cells=4, frames=2)
    schedule = Schedule(
        steps=200, batch=1, rate=1e-3, warmup=1, average=0.0, check=1, patience=8, validation=1
    )
    made, rising = method(length=2), iter(range(1000))
    seen = []

    def judged(*given):
        seen.append({name: value.clone() for name, value in made.state_dict().items()})
        return {"loss": float(next(rising))}  # the first one is the best

    result = fit(
        made, windows, windows, recipe=Recipe(schedule=schedule), run=Run((1.0,), progress=False),
        loss=lambda *given: mean_loss(PLAN, *given), judge=judged,
    )  # fmt: skip
    assert result.steps == 9  # eight without improvement
    assert result.scores == {"loss": 0.0}
    assert all(torch.equal(value, seen[0][name]) for name, value in result.weights.items())


# ── recipes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_recipe_says_which_method_it_is_for_and_they_do_not_mix():
    for name in ("scale-adaptive", "scale-adaptive-small"):
        plan = Recipe.named(name)
        assert trainer_named(None, plan) is TRAINERS["scale-adaptive"]
        with pytest.raises(ArgumentError, match="scale-adaptive framework"):
            trainer_named("residual", plan)
    assert trainer_named(None, Recipe.named("stvd")) is TRAINERS["video"]
    with pytest.raises(ArgumentError, match="scale-adaptive-small"):
        trainer_named("scale-adaptive", Recipe.named("small"))


def test_it_has_a_loss_of_its_own_and_one_pair_of_factors():
    rain = xdownscale.tutorial.rain((12, 32, 32), seed=3)
    for loss in ("mse", "minkowski"):
        with pytest.raises(ArgumentError, match="loss of its own"):
            xdownscale.train(rain, 4, 3, recipe="scale-adaptive-small", loss=loss, progress=False)
    with pytest.raises(ArgumentError, match="many factors"):
        xdownscale.train(rain, [2, 4], 1, recipe="scale-adaptive-small", progress=False)


@pytest.mark.parametrize(("spatial", "temporal"), [(1, 3), (10, 1), (10, 3), (25, 6)])
def test_every_published_pair_is_trained_and_downscaled_with_its_preset(spatial, temporal):
    rain = xdownscale.tutorial.rain((18, 50, 50), seed=3)
    ground = rain.isel(time=0, drop=True).rename("topography").drop_attrs()
    plan = small(2, length=None)
    plan = replace(plan, adaptive=replace(plan.adaptive, tile=50))
    model = xdownscale.train(
        rain, spatial, temporal, recipe=plan, static=ground, validation=0.0, progress=False
    )
    assert json.dumps(model.provenance.recipe["adaptive"]["beta"]) in ("0.015", "0.01", "0.02", "0.035")
    assert model.method.settings.beta == model.provenance.recipe["adaptive"]["beta"]
    coarse = rain.sr.coarsen(spatial, temporal)
    fine = coarse.sr.downscale(model, static=ground)
    assert fine.shape[1:] == rain.shape
    back = fine[0].astype(float).sr.coarsen(spatial, temporal).mean(("y", "x"))
    np.testing.assert_allclose(back, coarse.mean(("y", "x")), rtol=1e-4, atol=1e-6)


def test_the_mean_alone_is_trained_and_a_checkpoint_goes_on(tmp_path):
    rain = xdownscale.tutorial.rain((24, 32, 32), seed=3)
    alone = xdownscale.train(rain, 4, 3, recipe=small(2, residual=False), validation=0.0, progress=False)
    assert not alone.stochastic
    assert {name.split(".")[0] for name in alone.method.state_dict()} == {"mean", "styles"}
    both = [
        xdownscale.train(rain, 4, 3, recipe=small(2), checkpoint=path, validation=0.0, progress=False)
        for path in (None, tmp_path / "run", tmp_path / "run")
    ]
    hashes = {each.sha256 for each in both}
    assert len(hashes) == 1


def test_the_schedule_of_noise_is_that_of_the_preset():
    levels = linear_beta(1000, last=3.5e-2)
    assert float(levels.sigma[-2]) == pytest.approx(1e-2)  # β_1 = 1e-4
    assert float(1 - (levels.alpha[0] / levels.alpha[1]) ** 2) == pytest.approx(3.5e-2)
