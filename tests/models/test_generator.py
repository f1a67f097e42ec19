"""The generator: what the network is shown, where a latent value is needed, styles, documents."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.small_models import model
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.kernels.resize import interpolate_cells
from xdownscale.models.conserve import PASSES
from xdownscale.models.generator import Generator, GeneratorSettings, draw_noise, is_style
from xdownscale.models.schema import parsed
from xdownscale.models.transform import LogRain

BLOCKS = (3, 4, 4)


@pytest.fixture(scope="module")
def rainy():
    return model(BLOCKS).method


def coarse_rain(shape=(1, 3, 6, 7), seed=0):
    """Of one target, (B, L, 1, M, N)."""
    return (torch.relu(torch.randn(shape, generator=torch.Generator().manual_seed(seed))) * 3)[:, :, None]


def cells(function, field, blocks):
    """What a function of blocks (time, y, x) makes of a field of one target (B, L, 1, M, N)."""
    return function(field[:, :, 0], blocks)[:, :, None]


def noise_for(method, coarse, seed=1):
    return draw_noise(method.noise_maps(), coarse.shape, generator=torch.Generator().manual_seed(seed))


def shown(method, monkeypatch, coarse, static=None):
    """The channels that the network is given."""
    given = []
    encode = method.network.encode
    monkeypatch.setattr(method.network, "encode", lambda values: given.append(values) or encode(values))
    with torch.inference_mode():
        method.prepare(coarse, static)
    return given[0]


def test_the_channel_after_the_features_is_one_where_a_cell_is_known_and_zero_where_it_is_missing(
    rainy, monkeypatch
):
    coarse = coarse_rain()
    known = torch.ones_like(coarse)
    torch.testing.assert_close(shown(rainy, monkeypatch, coarse)[:, :, 2:3], known)
    for gap in ((0, 1, 0, 2, 3), (0, 0, 0, 0, 0), (0, 2, 0, 5, 6)):
        coarse[gap], known[gap] = torch.nan, 0.0
    torch.testing.assert_close(shown(rainy, monkeypatch, coarse)[:, :, 2:3], known)


def test_validity_is_read_by_a_network_with_lively_weights(rainy, monkeypatch):
    """Turning the channel round changes members, so a sign that is wrong is seen."""
    coarse = coarse_rain()
    noise = noise_for(rainy, coarse)
    encode = rainy.network.encode

    def turned(values):
        values = values.clone()
        values[:, :, 2] = 1 - values[:, :, 2]
        return encode(values)

    with torch.inference_mode():
        first = rainy(rainy.prepare(coarse), noise)
        monkeypatch.setattr(rainy.network, "encode", turned)
        other = rainy(rainy.prepare(coarse), noise)
    assert float((first - other).abs().max()) > 1e-3


def test_the_other_channels_are_the_transform_and_static_fields_as_block_means(monkeypatch):
    method = model(BLOCKS, static=("height",)).method
    coarse = coarse_rain()
    static = torch.randn(1, 1, 24, 28, generator=torch.Generator().manual_seed(2))
    channels = shown(method, monkeypatch, coarse, static)
    torch.testing.assert_close(channels[:, :, :1], (1 + coarse / 0.2).log())
    torch.testing.assert_close(channels[:, :, 1:2], (coarse > 0).float())
    means = block_mean(static, (1, 4, 4))
    for frame in range(3):
        torch.testing.assert_close(channels[:, frame, 3], means[:, 0])
    with torch.inference_mode():
        finest = method.prepare(coarse, static).conditions[-1]
    torch.testing.assert_close(finest[:, 5, 1:], static)


def test_without_gaps_the_base_is_the_interpolation_and_with_them_it_is_made_from_known_cells(rainy):
    coarse = coarse_rain() + 1
    with torch.inference_mode():
        base = rainy.prepare(coarse).base
        torch.testing.assert_close(base, cells(interpolate_cells, coarse, BLOCKS))
        even = torch.full_like(coarse, 2.5)
        even[0, 1, 0, 2, 3] = torch.nan
        known = rainy.prepare(even).base[0, 3:6, 0][:, torch.arange(24) // 4 != 2]
    torch.testing.assert_close(known, torch.full_like(known, 2.5))


def test_a_network_of_zeros_is_an_interpolation(rainy):
    method = Generator(rainy.settings).eval()
    coarse = coarse_rain()
    with torch.inference_mode():
        monkey = method.network.decode
        method.network.decode = lambda *given, within: torch.zeros(1, 1, 1, 1, 1)
        window = method.prepare(coarse)
        latent = method.latent(window, noise_for(method, coarse))
        method.network.decode = monkey
    (transform,) = method.settings.transforms
    torch.testing.assert_close(transform.inverse(latent), cells(interpolate_cells, coarse, BLOCKS))


def test_wanted_are_the_cells_that_conservation_sees_from_rain(rainy):
    coarse = torch.zeros(2, 2, 1, 30, 30)
    coarse[1, 1, 0, 14, 3] = 0.1
    wanted = rainy._wanted(coarse)
    y, x = np.indices((30, 30))
    near = np.maximum(abs(y - 14), abs(x - 3)) <= PASSES
    np.testing.assert_array_equal(wanted.numpy(), near)
    assert not rainy._wanted(0 * coarse).any()
    for other in (model(BLOCKS, rain=False), model(BLOCKS, stochastic=False)):
        assert other.method._wanted(coarse) is None


@pytest.mark.parametrize("wet", [(0, 0), (20, 40), (10, 25)])
def test_what_is_not_wanted_changes_nothing_in_the_conserved_field(rainy, wet, monkeypatch):
    coarse = torch.zeros(1, 2, 1, 24, 48)
    coarse[0, :, 0, wet[0] : wet[0] + 3, wet[1] : wet[1] + 3] = coarse_rain((1, 2, 3, 3))[0, :, 0] + 0.1
    noise = noise_for(rainy, coarse)
    with torch.inference_mode():
        some = rainy(rainy.prepare(coarse), noise)
        monkeypatch.setattr(Generator, "_wanted", lambda *_: None)
        every = rainy(rainy.prepare(coarse), noise)
    torch.testing.assert_close(some, every, rtol=1e-5, atol=1e-5)
    assert (some[cells(block_repeat, coarse == 0, BLOCKS)] == 0).all()
    torch.testing.assert_close(cells(block_mean, some, BLOCKS), coarse, rtol=1e-5, atol=0)


def test_an_unconserved_field_needs_every_cell(rainy):
    """Where nothing is near, a network may still see rain: nothing may be left out."""
    coarse = torch.zeros(1, 2, 1, 24, 48)
    noise = noise_for(rainy, coarse)
    with torch.inference_mode():
        window = rainy.prepare(coarse)
        free = rainy.latent(window, noise, conserve=False)
        assert (free != window.conditions[-1]).float().mean() > 0.99
        found = rainy.finish(window, free.clone(), conserve=False)
    torch.testing.assert_close(found, LogRain().inverse(free))


def test_a_method_that_does_not_conserve_gives_the_inverse_transform():
    method = model(BLOCKS, stochastic=False).method
    coarse = coarse_rain()
    with torch.inference_mode():
        window = method.prepare(coarse)
        latent = method.latent(window, noise_for(method, coarse))
        torch.testing.assert_close(method.finish(window, latent.clone()), LogRain().inverse(latent))
    assert method.halo()[0] == method.network.reach.cells
    assert method.halo()[1] == method.network.reach.frames


def test_the_halo_is_the_reach_of_the_network_and_a_cell_and_a_frame_for_every_pass(rainy):
    cells, frames = rainy.halo()
    assert (cells - rainy.network.reach.cells, frames - rainy.network.reach.frames) == (PASSES, PASSES)


def test_repeated_windows_are_the_same_for_every_member(rainy):
    coarse = coarse_rain()
    with torch.inference_mode():
        window = rainy.prepare(coarse)
        sources = [noise_for(rainy, coarse, seed) for seed in (1, 2, 3)]
        together = rainy(window.repeated(3), [torch.cat(maps) for maps in zip(*sources, strict=True)])
        for member, noise in zip(together, sources, strict=True):
            torch.testing.assert_close(member, rainy(window, noise)[0], rtol=1e-5, atol=1e-5)


def test_a_style_is_taken_by_name_by_default_or_as_the_mean():
    settings = GeneratorSettings(blocks=BLOCKS, styles=("radar", "gauge"), size=model().method.settings.size)
    method = Generator(settings)
    torch.testing.assert_close(method.style("gauge"), method.styles[1])
    torch.testing.assert_close(method.style(), (method.styles[0] + method.styles[1]) / 2)
    other = Generator(replace(settings, default="radar"))
    torch.testing.assert_close(other.style(), other.styles[0])
    torch.testing.assert_close(other.style("gauge"), other.styles[1])


def test_settings_survive_their_document():
    settings = replace(model(static=("height",), styles=("a", "b")).method.settings, default="b")
    assert parsed(GeneratorSettings, json.loads(json.dumps(settings.to_json())), "settings") == settings
    plain = model(rain=False, stochastic=False).method.settings
    assert parsed(GeneratorSettings, json.loads(json.dumps(plain.to_json())), "settings") == plain


@pytest.mark.parametrize(
    ("name", "style"),
    [("styles", True), ("a.shift", True), ("a.scale", True), ("a.norm.scale", False), ("a.weight", False)],
)
def test_weights_of_the_style_are_known_by_name(name, style):
    assert is_style(name) == style


def test_noise_for_training_is_standard_normal_and_follows_its_generator(rainy):
    first, again = (
        draw_noise(rainy.noise_maps(), (2, 3, 1, 8, 9), generator=torch.Generator().manual_seed(5))
        for _ in "ab"
    )
    for each, same, maps in zip(first, again, rainy.noise_maps(), strict=True):
        assert torch.equal(each, same)
        assert each.shape == (2, *maps.shape((3, 8, 9)))
        assert float(each.std()) == pytest.approx(1, abs=0.05)
        assert abs(float(each.mean())) < 0.05
