"""Joint video diffusion: identities with networks that say nothing or know the law, what it is shown, any domain."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import xdownscale
from tests.support import rain
from xdownscale.errors import ArgumentError
from xdownscale.kernels.blocks import block_mean
from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.models.generator import Covariate, draw_noise
from xdownscale.models.transform import LogRain, Standard
from xdownscale.models.video import Video, VideoSettings
from xdownscale.nn.video import VideoSize

TINY = VideoSize(base=8, multipliers=(1, 2), heads=2, head=4, patch=8)


def method(blocks=(1, 4, 4), *, lively=True, **options):
    given = {
        "transforms": (LogRain(),), "video": TINY, "frames": 3, "cells": 4, "lows": (0.0,), "highs": (5.0,),
        "masks": True, **options,
    }  # fmt: skip
    torch.manual_seed(0)
    made = Video(VideoSettings(blocks=blocks, **given))
    if lively:
        with torch.no_grad():
            for network in (made.mean, made.denoiser):
                network.leave.weight.normal_(std=0.1)
    return made.eval()


def case(made, shape=(1, 3, 1, 4, 4), seed=0):
    source = torch.Generator().manual_seed(seed)
    coarse = torch.relu(torch.randn(shape, generator=source)) * 3
    return coarse, draw_noise(made.noise_maps(), coarse.shape, generator=source)


def test_fresh_weights_give_the_interpolation_and_white_noise_of_the_scale():
    made = method(lively=False)
    with torch.no_grad():
        made.log_sigma.fill_(float(np.log(0.3)))
    coarse, noise = case(made)
    with torch.inference_mode():
        window = made.prepare(coarse)
        torch.testing.assert_close(window.mean, window.shown[:, :, :1])
        drawn = made.normalised(made.latent(window, noise))
    torch.testing.assert_close(drawn, window.mean + 0.3 * noise[0], rtol=1e-4, atol=1e-4)
    assert float(made.denormalised(window.mean).max()) > 1


def test_a_denoiser_that_knows_the_law_gives_the_law(monkeypatch):
    made, variance, mean = method(frames=4, cells=24), 0.25, 0.8

    def exact(r_n, angle, **known):
        a, s = torch.cos(angle), torch.sin(angle)
        signal = mean + variance * a / (variance * a**2 + s**2) * (r_n - a * mean)
        return (a * r_n - signal) / s

    monkeypatch.setattr(made, "answer", exact)
    coarse, noise = case(made, (1, 4, 1, 24, 24))
    with torch.inference_mode():
        window = made.prepare(coarse)
        drawn = made.normalised(made.latent(window, noise)) - window.mean
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.03)
    assert float(drawn.std()) == pytest.approx(variance**0.5, rel=0.03)


@pytest.mark.parametrize("epsilon", [1e-14, 0.2])
def test_log_values_go_to_minus_one_and_one_and_back(epsilon):
    transform = LogRain(epsilon=epsilon)
    high = float(transform.forward(torch.tensor(60.0, dtype=torch.float64)))
    made = method(transforms=(transform,), highs=(high,), conserving=False)
    rates = torch.tensor([0.0, 1e-3, 0.5, 12.0, 60.0], dtype=torch.float64).reshape(1, 5, 1, 1, 1)
    scaled = made.latent_truth(rates)
    assert float(scaled[0, 0]) == -1.0
    assert float(scaled[0, -1]) == pytest.approx(1.0)
    # the published log(P + ε), brought to [−1, 1] by its least and largest value
    log = torch.log(rates + epsilon)
    torch.testing.assert_close(
        scaled, 2 * (log - log.min()) / (log.max() - log.min()) - 1, rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(transform.inverse(made.denormalised(scaled)), rates, rtol=1e-6, atol=1e-12)


def test_zero_rain_may_lie_below_the_edge_of_the_rectifier():
    made = method(dry=-0.4)
    latent = made.denormalised(made.latent_truth(torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1, 1)))
    torch.testing.assert_close(latent.flatten(), torch.tensor([-0.4, np.log1p(5.0)], dtype=torch.float32))


def test_what_is_shown_targets_predictors_masks_static_in_order_and_bicubic():
    predictors = (Covariate("psl", 100.0, 5.0, detail=0.1), Covariate("hus", 1.0, 2.0, detail=1.0))
    made = method((1, 2, 2), predictors=predictors, static=(Covariate("topo"),))
    coarse = torch.rand(1, 3, 3, 4, 4) + torch.tensor([0.0, 100.0, 1.0])[:, None, None]
    coarse[0, 1, 0, 2, 2] = torch.nan
    static = torch.randn(1, 1, 8, 8)
    shown = made.prepare(coarse, static).shown
    assert shown.shape[2] == made.mean.enter.in_channels == 3 + 3 + 3 + 1
    expected = torch.nn.functional.interpolate((coarse[0, :, 1:2] - 100) / 5, scale_factor=2, mode="bicubic")
    torch.testing.assert_close(shown[0, :, 1], expected[:, 0])
    first = made.normalised(torch.log1p(coarse[:, :1, :1] / 0.2))[0, 0]
    torch.testing.assert_close(
        shown[0, 0, :1], torch.nn.functional.interpolate(first[None], scale_factor=2, mode="bicubic")[0]
    )
    known = shown[0, 1, 6]
    assert known[4:6, 4:6].sum() == 0
    assert known.sum() == 64 - 4
    torch.testing.assert_close(shown[0, 2, 9], static[0, 0])
    assert torch.isfinite(shown).all()


def test_the_denoiser_is_shown_features_mean_and_noise_and_says_something_of_each():
    made = method()
    coarse, noise = case(made)
    window = made.prepare(coarse)
    asked = {"shown": window.shown, "mean": window.mean, "features": window.features, "style": window.style}
    angle = torch.tensor([0.7])
    said = made.answer(noise[0], angle, **asked)
    for name in ("shown", "mean"):
        assert not torch.allclose(made.answer(noise[0], angle, **{**asked, name: asked[name] + 1}), said)
    for depth in range(2):
        features = [each + (n == depth) for n, each in enumerate(window.features)]
        assert not torch.allclose(made.answer(noise[0], angle, **{**asked, "features": features}), said)


def test_windows_are_put_together_at_every_step_and_a_domain_of_one_window_is_that_window():
    made = method()
    small, _ = case(made)
    large, more = case(made, (1, 5, 1, 6, 4))
    with torch.inference_mode():
        one, several = made.prepare(small), made.prepare(large)
        assert (len(one.regions), len(several.regions)) == (1, 6)
        drawn = made.latent(several, more)
        whole = made.velocity_of(several, more[0], torch.tensor(0.5))
        region = several.regions[0]
        alone = made.answer(
            region.of(more[0]),
            torch.tensor(0.5),
            shown=region.of(several.shown),
            mean=region.of(several.mean),
            features=made.mean(region.of(several.shown))[1],
            style=several.style,
        )
    assert drawn.shape == (1, 5, 1, 24, 16)
    torch.testing.assert_close(whole[:, 0, :, :8], alone[:, 0, :, :8])  # where no other window answers


def test_the_cut_is_on_the_sum_and_not_on_the_residual():
    made = method(clip=True)
    made.log_sigma.data.fill_(1.0)
    coarse, noise = case(made)
    with torch.inference_mode():
        window = made.prepare(coarse)
        drawn = made.normalised(made.latent(window, noise))
        free = made.normalised(replace_settings(made, clip=False).latent(window, noise))
    assert float(drawn.abs().max()) < float(free.abs().max())
    assert float(drawn.abs().max()) <= 1.3
    assert float((drawn - window.mean).abs().max()) > 1.0


def replace_settings(made, **changes):
    made.settings = replace(made.settings, **changes)
    return made


def downscaler(made, **options):
    return Downscaler(
        made,
        variables=[Variable("rain", "mm h-1", "rainfall_rate")],
        provenance=Provenance(),
        **options,
    )


def test_it_goes_through_downscale_tiles_dask_and_its_file(tmp_path):
    model = downscaler(method(conserving=True, sampler="ddim-sigmoid", steps=2))
    coarse = rain((5, 6, 7))
    fine = coarse.sr.downscale(model, members=2)
    assert fine.shape == (2, 5, 24, 28)
    assert not np.array_equal(fine[0], fine[1])
    back = block_mean(fine.values.astype(float), (1, 4, 4))
    np.testing.assert_allclose(back, np.broadcast_to(coarse, back.shape), rtol=1e-4, atol=1e-5)
    again = xdownscale.load(model.save(tmp_path / "video.safetensors"))
    assert again.sha256 == model.sha256
    assert again.sampler == "ddim-sigmoid, 2 steps"
    lazy = coarse.chunk(time=2, y=3).sr.downscale(again, members=2, tile=(2, 3, 3))
    np.testing.assert_allclose(lazy, fine, rtol=1e-5, atol=1e-5)
    assert "video diffusion" in repr(again)


def test_without_a_residual_it_is_a_deterministic_multi_frame_net():
    made = Video(VideoSettings((1, 4, 4), video=TINY, frames=3, cells=4, stochastic=False))
    assert made.noise_maps() == []
    assert "multi-frame" in made.described()
    with pytest.raises(ArgumentError, match="takes no steps"):
        made.sampled("ddim", 3)
    window = made.prepare(torch.rand(1, 3, 1, 4, 4))
    assert made.latent(window, []).shape == (1, 3, 1, 16, 16)


def test_conservation_with_an_epsilon_that_is_too_small_is_refused():
    made = method(transforms=(LogRain(epsilon=1e-14),), highs=(35.0,), conserving=False)
    with pytest.raises(ArgumentError, match="ε is too small"):
        downscaler(made).with_conservation("cell")


@pytest.mark.parametrize(
    "wrong",
    [
        {"lows": (1.0, 2.0)}, {"sampler": "fast"}, {"steps": 0}, {"video": VideoSize(base=9)},
        {"video": VideoSize(attention="all")},
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ArgumentError):
        VideoSettings((1, 4, 4), **wrong)


def test_factors_in_time_and_fields_without_rectifier():
    made = method((2, 3, 3), transforms=(Standard(280.0, 8.0, detail=1.0),), lows=(-3.0,), highs=(3.0,))
    coarse = 280 + torch.randn(1, 3, 1, 4, 4)
    noise = draw_noise(made.noise_maps(), coarse.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        window = made.prepare(coarse)
        fine = made.finish(window, made.latent(window, noise))
    assert fine.shape == (1, 6, 1, 12, 12)
    torch.testing.assert_close(block_mean(fine[:, :, 0], (2, 3, 3)), coarse[:, :, 0], rtol=1e-5, atol=1e-3)
