"""The scale-adaptive framework: past and future, fresh weights, a denoiser that knows the law, totals, tiles, files."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import xdownscale
from tests.nn.test_adaptive import TINY
from tests.support import rain
from xdownscale.errors import ArgumentError
from xdownscale.field.factors import Factors
from xdownscale.inference.cores import core_for
from xdownscale.inference.engine import Job
from xdownscale.models.adaptive import Adaptive
from xdownscale.models.adaptive_recipe import PRESETS, AdaptiveRecipe, preset_for
from xdownscale.models.adaptive_settings import AdaptiveSettings
from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.models.generator import Covariate, draw_noise
from xdownscale.models.recipe import Recipe
from xdownscale.models.transform import LogRain, Standard


def method(blocks=(3, 4, 4), *, lively=True, **options):
    given = {
        "adaptive": TINY, "length": 3, "cells": 4, "lows": (0.0,), "highs": (10.0,), "masks": True, "beta": 0.02,
        "threshold": 0.02, "scales": (0.1,), "sampler": "angle", **options,
    }  # fmt: skip
    torch.manual_seed(0)
    made = Adaptive(AdaptiveSettings(blocks=blocks, **given))
    if lively:
        with torch.no_grad():
            for weight in made.parameters():
                weight.add_(0.05 * torch.randn(weight.shape))
    return made.eval()


def downscaler(made=None):
    variable = Variable("rain", "mm h-1", "rainfall_rate")
    provenance = Provenance(spacing=1000.0, spacing_units="m", step=300.0)
    return Downscaler(made or method(), variables=[variable], provenance=provenance, name="adaptive")


def case(made, shape=(1, 6, 1, 4, 4), seed=0):
    source = torch.Generator().manual_seed(seed)
    coarse = torch.relu(torch.randn(shape, generator=source)) * 3 + 0.01
    return coarse, draw_noise(made.noise_maps(), coarse.shape, generator=source)


def drawn(made, coarse, noise, static=None):
    with torch.inference_mode():
        return made(made.prepare(coarse, static), noise)


# ── past and future ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stochastic", [True, False])
def test_later_frames_change_nothing_and_earlier_ones_as_far_as_the_context_goes(stochastic):
    made = method(stochastic=stochastic, steps=2, sampler="ddpm")
    coarse, noise = case(made)
    before = drawn(made, coarse, noise)
    for frame in range(6):
        other = coarse.clone()
        other[0, frame] = torch.rand(1, 4, 4) * 9
        moved = [
            k
            for k in range(6)
            if not torch.equal(*(e[:, 3 * k : 3 * k + 3] for e in (drawn(made, other, noise), before)))
        ]
        assert moved == [k for k in (frame, frame + 1, frame + 2) if k < 6]


def test_gaps_are_not_filled_from_later_frames():
    made = method()
    coarse, noise = case(made)
    coarse[0, 2, 0, 1, 1] = torch.nan
    before = drawn(made, coarse, noise)[:, :9]
    coarse[0, 3:] *= 2
    assert torch.equal(drawn(made, coarse, noise)[:, :9], before)


def test_before_the_first_frame_stands_the_first_frame():
    made = method()
    coarse, noise = case(made, (1, 4, 1, 4, 4))
    repeated = torch.cat([coarse[:, :1]] * 2 + [coarse], dim=1)
    later = [torch.cat([each[:, :6], each], dim=1) for each in noise]
    torch.testing.assert_close(
        drawn(made, coarse, noise), drawn(made, repeated, later)[:, 6:], rtol=1e-5, atol=1e-5
    )


def test_frames_before_do_not_matter_without_context():
    size = AdaptiveRecipe(size=TINY).without_attention().size
    assert (size.windows, size.frames, size.token) == ((), "last", 0)
    made = method(adaptive=size)
    coarse, noise = case(made)
    before = drawn(made, coarse, noise)
    coarse[0, 2] += 5.0
    moved = [
        k
        for k in range(6)
        if not torch.equal(drawn(made, coarse, noise)[:, 3 * k : 3 * k + 3], before[:, 3 * k : 3 * k + 3])
    ]
    assert moved == [2]


# ── the mean and the residual ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("power", "threshold"), [(0.5, 0.01), (1.0, 0.02), (1.0, 0.0)])
def test_fresh_weights_give_the_interpolation_with_the_total_of_the_frame(power, threshold):
    made = method(lively=False, stochastic=False, power=power, threshold=threshold)
    coarse, _ = case(made)
    with torch.inference_mode():
        window = made.prepare(coarse)
    bicubic = torch.nn.functional.interpolate(coarse[0] / 10, scale_factor=4, mode="bicubic").clamp_min(0)
    wanted = bicubic * (coarse[0] / 10).mean((1, 2, 3), keepdim=True) / bicubic.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(window.mean[0], wanted.expand(-1, 3, -1, -1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("standardised", [True, False])
@pytest.mark.parametrize(("sampler", "steps"), [("angle", None), ("heun", None), ("ddpm", 200)])
def test_a_denoiser_that_knows_the_law_gives_the_law(monkeypatch, standardised, sampler, steps):
    """Of a residual N(m, s²), standardised or as small as it is, and by few steps or down the levels of training."""
    mean, size = 0.03, 0.1
    made = method(
        (1, 4, 4), standardised=standardised, sampler=sampler, steps=steps, scales=(size,), cells=24
    )

    def exact(r_n, step, **known):
        level = made._angles[step.long()] + (step - step.floor()) * (
            made._angles[(step.long() + 1).clamp_max(1000)] - made._angles[step.long()]
        )
        a, s = torch.cos(level), torch.sin(level)
        spread, centre = (1.0, mean / size) if standardised else (size, mean)
        signal = centre + spread**2 * a / (spread**2 * a**2 + s**2) * (r_n - a * centre)
        return ((a * r_n - signal) / s).float()

    monkeypatch.setattr(made, "answer", exact)
    coarse, noise = case(made, (1, 2, 1, 24, 24))
    with torch.inference_mode():
        window = made.prepare(coarse)
        residual = made._residual(window, noise[0])
    assert float(residual.mean()) == pytest.approx(mean, abs=0.1 * size)
    assert float(residual.std()) == pytest.approx(size, rel=0.05)


def test_steps_and_angles_go_to_and_fro():
    made = method()
    steps = made.step_of(made._angles)
    torch.testing.assert_close(steps, torch.arange(1001.0), rtol=0, atol=1e-3)
    assert float(made.step_of(torch.tensor(torch.pi / 2))) == 1000
    between = made.step_of((made._angles[4] + made._angles[5])[None] / 2)
    assert float(between) == pytest.approx(4.5, abs=1e-3)


def test_members_differ_and_a_second_network_is_shown_the_mean_the_last_frame_and_the_context():
    made = method()
    coarse, noise = case(made)
    window = made.prepare(coarse)
    known = {"last": window.last, "mean": window.mean, "tokens": window.tokens[0], "style": window.style}
    r_n, step = torch.randn_like(window.mean), torch.tensor([7.0])
    before = made.answer(r_n, step, **known)
    for name in ("last", "mean", "tokens"):
        moved = made.answer(r_n, step, **{**known, name: known[name] + 1})
        assert (moved - before).abs().max().item() > 1e-5
    assert not torch.equal(drawn(made, coarse, noise), drawn(made, coarse, [each.flip(-1) for each in noise]))


# ── conservation and limits ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("power", "threshold"), [(0.5, 0.01), (1.0, 0.04), (1.0, 0.0)])
def test_members_are_not_negative_and_have_the_totals_of_frames(power, threshold):
    made = method(power=power, threshold=threshold)
    coarse, noise = case(made)
    fine = drawn(made, coarse, noise)
    assert float(fine.min()) >= 0
    found = fine.double().unflatten(1, (6, 3)).mean((2, 3, 4, 5))
    torch.testing.assert_close(found, coarse.double().mean((2, 3, 4)), rtol=1e-6, atol=0)


def test_dry_frames_are_dry_and_the_networks_are_not_asked():
    made = method()
    coarse, noise = case(made)
    coarse[0, 2] = 0.0
    window = made.prepare(coarse)
    assert window.chosen == [0, 1, 3, 4, 5]
    fine = drawn(made, coarse, noise)
    assert float(fine[:, 6:9].abs().max()) == 0
    assert float(fine[:, 9:].max()) > 0
    dry = torch.zeros_like(coarse)
    assert float(drawn(made, dry, noise).abs().max()) == 0


@pytest.mark.parametrize("conserve", ["cell", "none"])
def test_cells_may_be_conserved_instead_or_nothing(conserve):
    model = downscaler()
    coarse = rain((4, 4, 5), spacing=4000.0, step=15).astype("float32")
    fine = coarse.sr.downscale(model, conserve=conserve)
    assert float(fine.min()) >= 0
    back = fine[0].astype(float).sr.coarsen(4, 3)
    if conserve == "cell":
        np.testing.assert_allclose(back, coarse, rtol=1e-5, atol=1e-6)
    else:
        assert float(abs(back.mean(("y", "x")) / coarse.mean(("y", "x")) - 1).max()) > 1e-3


def test_temperature_and_rain_together_with_predictors_static_fields_and_gaps():
    made = method(
        transforms=(LogRain(), Standard(280.0, 8.0)), lows=(0.0, 250.0), highs=(10.0, 310.0), scales=(0.1, 0.02),
        predictors=(Covariate("psl", 1000.0, 5.0),), static=(Covariate("topo"),),
    )  # fmt: skip
    assert made.inputs == 3 + 3 + 1
    coarse = torch.stack(
        [torch.rand(1, 4, 3, 5), 280 + torch.randn(1, 4, 3, 5), 1000 + torch.randn(1, 4, 3, 5)], dim=2
    )
    coarse[0, 1, 0, 2, 2] = torch.nan
    source = torch.Generator().manual_seed(0)
    noise = draw_noise(made.noise_maps(), coarse.shape, generator=source)
    static = torch.randn(1, 1, 12, 20)
    fine = drawn(made, coarse, noise, static)
    assert fine.shape == (1, 12, 2, 12, 20)
    assert bool(fine.isfinite().all())
    found = fine.double().unflatten(1, (4, 3)).mean((2, 4, 5))
    wanted = coarse.double().mean((3, 4))
    torch.testing.assert_close(found[0, :, 1], wanted[0, :, 1], rtol=1e-6, atol=0)
    torch.testing.assert_close(found[0, [0, 2, 3], 0], wanted[0, [0, 2, 3], 0], rtol=1e-6, atol=0)
    other = drawn(made, coarse, noise, static + 1)
    assert float((other - fine).abs().max()) > 0


# ── any domain, tiles, files ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sampler", ["dpm", "ddpm"])
def test_tiles_in_time_and_dask_give_what_one_piece_gives(sampler):
    model = downscaler(method(steps=4, sampler=sampler))
    coarse = rain((7, 5, 6), spacing=4000.0, step=15).astype("float32")
    whole = coarse.sr.downscale(model, members=2)
    assert whole.sizes == {"member": 2, "time": 21, "y": 20, "x": 24}
    tiled = coarse.sr.downscale(model, members=2, tile=(2, 3, 3))
    np.testing.assert_allclose(tiled, whole, rtol=1e-3, atol=1e-3)
    lazy = coarse.chunk(time=2, y=3).sr.downscale(model, members=2, tile=(2, 3, 3))
    np.testing.assert_allclose(lazy, whole, rtol=1e-3, atol=1e-3)
    back = whole.astype(float).sr.coarsen(4, 3).mean(("y", "x"))
    np.testing.assert_allclose(back, np.broadcast_to(coarse.mean(("y", "x")), back.shape), rtol=1e-5)


def test_tiles_hold_whole_frames_and_as_many_as_noise_for_all_steps_leaves_room_for():
    made = method((3, 10, 10), sampler="ddpm", steps=1000)
    shape = (200, 30, 30)
    core = core_for(shape, made, lazy=False)
    assert core[1:] == shape[1:]
    assert 1 <= core[0] < 8  # a GB for each frame
    assert 4 * 1000 * 300 * 900 * core[0] < 2**32
    tiles = Job(made, origin=(0, 0, 0), core=core).tiles(shape)
    assert all(tile.core[1:] == tile.window[1:] == (slice(0, 30), slice(0, 30)) for tile in tiles)
    assert core_for(shape, method((3, 10, 10)), lazy=False)[0] > 2 * core[0]
    assert all(tile.window[0].start == max(0, tile.core[0].start - 2) for tile in tiles)  # L − 1 before


def test_a_file_gives_the_same_and_says_what_it_is(tmp_path):
    model = downscaler()
    model.save(tmp_path / "adaptive.safetensors")
    loaded = xdownscale.load(tmp_path / "adaptive.safetensors")
    coarse = rain((3, 4, 4), spacing=4000.0, step=15).astype("float32")
    np.testing.assert_array_equal(coarse.sr.downscale(loaded), coarse.sr.downscale(model))
    assert loaded.method.settings == model.method.settings
    assert "normalised by 0 and 10" in repr(loaded)
    assert "scale-adaptive diffusion (L 3" in repr(loaded)
    names = {name.split(".")[0] for name in loaded.method.state_dict()}
    assert names == {"mean", "denoiser", "context", "styles"}


def test_the_mean_alone_has_one_member_and_no_sampler():
    alone = method().deterministic()
    model = downscaler(alone)
    coarse = rain((3, 4, 4), spacing=4000.0, step=15).astype("float32")
    one, two = (coarse.sr.downscale(model, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(one, two)
    assert not model.stochastic
    with pytest.raises(ArgumentError, match="takes no steps"):
        coarse.sr.downscale(model, steps=3)


# ── presets and options ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spatial", "temporal", "length", "beta", "power", "threshold"),
    [
        (1, 3, 4, 1.5e-2, 0.5, 1e-2),
        (10, 1, 10, 1e-2, 0.5, 1e-2),
        (10, 3, 5, 2e-2, 1, 2e-2),
        (25, 6, 3, 3.5e-2, 1, 4e-2),
    ],
)
def test_the_presets_are_those_of_table_2(spatial, temporal, length, beta, power, threshold):
    factors = Factors.parse(spatial, temporal)
    assert preset_for(factors) == PRESETS[spatial, temporal]
    plan = Recipe.named("scale-adaptive").for_factors(factors)
    found = plan.adaptive
    assert (found.length, found.beta, found.power, found.threshold) == (length, beta, power, threshold)
    assert plan.frames == length
    assert plan.cells * spatial == 100
    assert (plan.schedule.rate, plan.schedule.last, plan.schedule.batch, plan.schedule.patience) == (
        1e-4,
        0,
        12,
        8,
    )
    assert plan.schedule.steps == 80 * plan.schedule.check
    assert found.delay * 80 == 20
    assert (found.levels, found.sampler, found.standardised) == (1000, "ddpm", False)


@pytest.mark.parametrize(
    ("factors", "nearest", "length"),
    [
        ((2, 1), (1, 3), 12),
        ((4, 2), (10, 1), 5),
        ((8, 3), (10, 3), 5),
        ((40, 24), (25, 6), 1),
        ((1, 1), (1, 3), 12),
    ],
)
def test_between_and_beyond_the_nearest_volume_is_taken_and_the_horizon_kept(factors, nearest, length):
    wanted = Factors.parse(*factors)
    assert preset_for(wanted) == PRESETS[nearest]
    assert AdaptiveRecipe().for_factors(wanted).length == length
    assert AdaptiveRecipe(length=7).for_factors(wanted).length == 7


def test_what_does_not_fit_together_is_refused():
    for wrong in ({"beta": 1.5}, {"power": 0.0}, {"threshold": -1.0}, {"length": 0}, {"draws": 0}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            AdaptiveRecipe(**wrong)
    with pytest.raises(ArgumentError, match="stacked"):
        AdaptiveRecipe(size=replace(TINY, frames="some"))
    for wrong in (
        {"lows": (0.0, 1.0)},
        {"adaptive": replace(TINY, heads=3)},
        {"scope": "tile"},
        {"sampler": "any"},
    ):
        with pytest.raises(ArgumentError):
            method(**wrong)
