"""Mean + residual diffusion: identities with networks that say nothing or say the truth, and locality."""

from dataclasses import replace

import pytest
import torch

from xdownscale.errors import ArgumentError
from xdownscale.inference.engine import Job, sample
from xdownscale.kernels.blocks import block_mean
from xdownscale.models.artefact import plain
from xdownscale.models.conserve import PASSES
from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler, load
from xdownscale.models.generator import GeneratorSettings, draw_noise
from xdownscale.models.recipe import Attention, NetworkSize
from xdownscale.models.residual import DRY, Residual, ResidualSettings, latent_truth, residual_settings
from xdownscale.models.schema import parsed
from xdownscale.models.transform import LogRain, Standard

SIZE = NetworkSize(maps=(2, 2, 1), width=8, encoder_blocks=1, decoder_blocks=0, stages=(8, 8, 8, 8))


ATTENTION = Attention(windows=(1,), frames=2, heads=2)


def method(blocks=(2, 4, 4), *, rain=True, styles=("training",), scale=0.7, attention=None):
    settings = ResidualSettings(
        blocks=blocks,
        transforms=(LogRain() if rain else Standard(280.0, 8.0),),
        styles=styles,
        size=SIZE,
        scales=(scale,),
        dilations=(1,),
        attention=attention,
    )
    torch.manual_seed(0)
    made = Residual(settings)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.05 * torch.randn(weight.shape))
    return made.eval()


def case(made, shape=(1, 3, 4, 5), seed=0):
    source = torch.Generator().manual_seed(seed)
    coarse = (torch.relu(torch.randn(shape, generator=source)) * 3)[:, :, None]
    return coarse, draw_noise(made.noise_maps(), coarse.shape, generator=source)


def means(fine, made):
    """Block means (B, L, 1, M, N) of a field of one target."""
    return block_mean(fine[:, :, 0], made.settings.blocks)[:, :, None]


def test_a_denoiser_that_says_nothing_adds_white_noise_of_the_scale():
    made = method()
    with torch.no_grad():
        for weight in made.denoiser.leave.parameters():
            weight.zero_()
    coarse, noise = case(made)
    with torch.inference_mode():
        window = made.prepare(coarse)
        torch.testing.assert_close(
            made.latent(window, noise), window.mean + 0.7 * noise[0], rtol=1e-4, atol=1e-5
        )


def test_a_denoiser_that_knows_the_law_gives_the_law(monkeypatch):
    made, variance, mean = method(), 0.25, 0.8

    def exact(x_t, angle, known, style):
        # v = E[α·ε − σ·x₀ | x_t] for x₀ ~ N(0.8, 0.25)
        a, s = torch.cos(angle), torch.sin(angle)
        signal = mean + variance * a / (variance * a**2 + s**2) * (x_t - a * mean)
        return (a * x_t - signal) / s

    monkeypatch.setattr(made.denoiser, "forward", exact)
    coarse, noise = case(made, (1, 4, 24, 24))
    with torch.inference_mode():
        window = made.prepare(coarse)
        drawn = (made.latent(window, noise) - window.mean) / 0.7
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.03)
    assert float(drawn.std()) == pytest.approx(variance**0.5, rel=0.03)


def test_the_remainder_leads_back_to_the_truth():
    made = method()
    truth = torch.relu(torch.randn(1, 6, 1, 16, 20, generator=torch.Generator().manual_seed(0))) * 2
    window = made.prepare(means(truth, made))
    latent = window.mean + made.settings.scales[0] * made.remainder(window, truth)
    torch.testing.assert_close(made.settings.transforms[0].inverse(latent), truth, rtol=1e-4, atol=1e-5)
    assert float(latent[truth == 0].detach().max()) == pytest.approx(DRY, abs=1e-5)


def test_a_field_without_rectifier_has_no_dry_value():
    values = torch.tensor([280.0, 272.0])
    torch.testing.assert_close(latent_truth(Standard(280.0, 8.0), values), torch.tensor([0.0, -1.0]))


@pytest.mark.parametrize("rain", [True, False])
def test_block_means_are_conserved_and_members_differ(rain):
    made = method(rain=rain)
    coarse, noise = case(made)
    if not rain:
        coarse = coarse + 280
    with torch.inference_mode():
        window = made.prepare(coarse)
        first, again = made(window, noise), made(window, noise)
        other = made(window, draw_noise(made.noise_maps(), coarse.shape, generator=torch.Generator()))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    torch.testing.assert_close(means(first, made), coarse, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("attention", [None, ATTENTION], ids=["convolutions", "attention"])
def test_a_crop_with_its_halo_gives_what_the_whole_gives(attention):
    made = method((1, 4, 4), attention=attention).double()
    cells, frames = made.halo()
    coarse, noise = case(made, (1, frames + 2, cells + 4, cells + 4))
    coarse, noise = coarse.double(), [noise[0].double()]
    with torch.inference_mode():
        whole = made(made.prepare(coarse), noise)
        crop = made(made.prepare(coarse[:, 1:, :, 2:, 3:]), [noise[0][:, 1:, :, 8:, 12:]])
    inside = crop[:, frames:, :, 4 * cells :, 4 * cells :]
    same = whole[:, frames + 1 :, :, 4 * (cells + 2) :, 4 * (cells + 3) :]
    assert inside.numel() > 0
    torch.testing.assert_close(inside, same, rtol=0, atol=1e-9)


@pytest.mark.parametrize("attention", [None, ATTENTION], ids=["convolutions", "attention"])
def test_tiles_agree_with_the_whole(attention):
    made = method((1, 4, 4), attention=attention)
    coarse = case(made, (1, 4, 40, 6))[0][0].numpy()
    whole = sample(Job(made, (0, 0, 0), seed=3, members=2, core=(4, 40, 6)), coarse)
    tiled = sample(Job(made, (0, 0, 0), seed=3, members=2, core=(4, 6, 6)), coarse)
    torch.testing.assert_close(torch.from_numpy(tiled), torch.from_numpy(whole), rtol=1e-4, atol=1e-4)


def test_styles_change_the_members():
    made = method(styles=("smooth", "rough"))
    coarse, noise = case(made)
    with torch.inference_mode():
        smooth, rough = (made(made.prepare(coarse, style=s), noise) for s in ("smooth", "rough"))
        made.settings = replace(made.settings, default="rough")
        by_default = made(made.prepare(coarse), noise)
    assert not torch.allclose(smooth, rough)
    torch.testing.assert_close(by_default, rough)


@pytest.mark.parametrize("attention", [None, ATTENTION], ids=["convolutions", "attention"])
def test_settings_and_weights_travel_in_the_model_file(tmp_path, attention):
    made = method(styles=("a", "b"), scale=0.37, attention=attention)
    downscaler = Downscaler(
        made, variables=[Variable("rain", "mm h-1")], provenance=Provenance(), name="test"
    )
    back = load(downscaler.save(tmp_path / "model.safetensors"))
    assert back.method.settings == made.settings
    assert back.sha256 == downscaler.sha256
    assert ("σ_r 0.37, with attention)" if attention else "σ_r 0.37)") in repr(back)
    assert back.with_style("b").style == "b"
    coarse, noise = case(made)
    with torch.inference_mode():
        torch.testing.assert_close(
            back.method(back.method.prepare(coarse), noise), made(made.prepare(coarse), noise)
        )


def test_settings_of_a_generator_become_those_of_a_residual():
    base = GeneratorSettings(blocks=(1, 4, 4), size=SIZE, styles=("a",))
    made = residual_settings(base)
    assert (made.blocks, made.size, made.styles, made.scales) == (base.blocks, base.size, base.styles, (1.0,))
    assert made.attention is None
    assert residual_settings(base, attention=ATTENTION) == replace(made, attention=ATTENTION)


def drawn(made, coarse, **changes):
    """A member, and what the denoiser was asked."""
    made.settings = replace(made.settings, **changes)
    asked = []
    made.denoiser.register_forward_hook(lambda *_: asked.append(1))
    noise = draw_noise(made.noise_maps(), coarse.shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return made(made.prepare(coarse), noise), len(asked)


@pytest.mark.parametrize(
    ("sampler", "steps", "cost"), [("angle", None, 6), ("dpm", 5, 6), ("heun", 3, 6), ("ddpm", 4, 4)]
)
def test_the_sampler_says_how_often_the_denoiser_is_asked_and_how_far_it_looks(sampler, steps, cost):
    made = method()
    coarse = case(made)[0]
    fine, asked = drawn(made, coarse, sampler=sampler, steps=steps)
    assert asked == cost
    assert made.halo()[1] == cost + made.mean.halo()[1] + PASSES
    torch.testing.assert_close(means(fine, made), coarse, rtol=1e-5, atol=1e-5)


def test_ancestral_sampling_takes_fresh_noise_at_every_step_and_others_none():
    made = method()
    made.settings = replace(made.settings, sampler="ddpm", steps=7)
    assert made.noise_maps()[0].maps == 7
    coarse = case(made, (1, 1, 4, 5))[0]
    noise = draw_noise(made.noise_maps(), coarse.shape, generator=torch.Generator().manual_seed(1))
    other = noise[0].clone()
    other[:, :, 3] += 1.0
    with torch.inference_mode():
        window = made.prepare(coarse)
        assert not torch.allclose(made.latent(window, noise), made.latent(window, [other]))
    made.settings = replace(made.settings, sampler="ddim", steps=7)
    assert made.noise_maps()[0].maps == 1


def test_a_sample_looks_as_far_as_its_attention_as_often_as_it_is_asked():
    plain, attentive = method(blocks=(2, 4, 4)), method(blocks=(2, 4, 4), attention=ATTENTION)
    # six evaluations, each a pixel (half a cell) and a frame further
    assert attentive.halo() == (plain.halo()[0] + 3, plain.halo()[1] + 6)


@pytest.mark.parametrize(
    ("attention", "why"),
    [
        (Attention(windows=(1, 1)), "has 1 blocks"),
        (Attention(windows=(-1,)), "0 .no attention. or more"),
        (Attention(windows=(1,), frames=-1), "0 .no attention. or more"),
        (Attention(windows=(1,), heads=3), "divisor of size.stages"),
        (Attention(windows=(1,), heads=0), "divisor of size.stages"),
    ],
)
def test_attention_that_does_not_fit_is_named(attention, why):
    with pytest.raises(ArgumentError, match=why):
        replace(method().settings, attention=attention)


def test_a_file_without_attention_has_convolutions_alone():
    made = method()
    document = made.settings.to_json()
    del document["attention"]
    assert parsed(ResidualSettings, plain(document), "settings") == made.settings
    assert set(Residual(made.settings).state_dict()) == set(made.state_dict())


def test_a_file_without_a_sampler_takes_the_default():
    settings = method().settings
    document = replace(settings, sampler="heun", steps=4).to_json()
    assert parsed(ResidualSettings, plain(document), "settings").drawn[1] == 4
    del document["sampler"], document["steps"]
    assert parsed(ResidualSettings, plain(document), "settings") == settings
