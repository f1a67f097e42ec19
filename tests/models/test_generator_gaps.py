"""What a network is shown of a window with gaps: values of the neighbours, and which cells are known."""

import json
from dataclasses import replace

import pytest
import torch

from tests.small_models import model, residual_model
from xdownscale import zoo
from xdownscale.kernels.gaps import fill_gaps
from xdownscale.kernels.resize import interpolate_cells
from xdownscale.models.generator import FILLED, Generator, GeneratorSettings, draw_noise
from xdownscale.models.schema import parsed

BLOCKS = (3, 4, 4)


@pytest.fixture
def gappy():
    source = torch.Generator().manual_seed(0)
    coarse = 280 + 5 * torch.randn(1, 4, 1, 9, 9, generator=source)
    coarse[..., 5:, :] = torch.nan
    coarse[:, 1] = torch.nan
    return coarse


def shown(method, coarse, monkeypatch):
    """The channels that the network gets for a window."""
    seen = []
    encode = method.network.encode
    monkeypatch.setattr(
        method.network, "encode", lambda channels: (seen.append(channels), encode(channels))[1]
    )
    with torch.inference_mode():
        method.prepare(coarse)
    monkeypatch.undo()
    return seen[0]


def test_the_last_channel_says_which_cells_are_known(gappy, monkeypatch):
    channels = shown(model(rain=False).method, gappy, monkeypatch)
    assert torch.equal(channels[:, :, -1:], (~gappy.isnan()).float())
    assert bool((shown(model(rain=False).method, gappy.nan_to_num(280.0), monkeypatch)[:, :, -1:] == 1).all())


def test_a_method_that_never_saw_a_mask_is_shown_filled_cells_as_known_ones(gappy, monkeypatch):
    method = model(rain=False).method
    method.settings = replace(method.settings, masks=False)
    filled = fill_gaps(gappy[:, :, 0], reach=FILLED, beyond=280.0)[:, :, None]
    assert torch.equal(shown(method, gappy, monkeypatch), shown(method, filled, monkeypatch))


def test_a_file_from_before_masks_is_such_a_method():
    assert not zoo.load("rain-10x3").method.settings.masks
    settings = GeneratorSettings(blocks=BLOCKS, masks=True)
    document = json.loads(json.dumps(settings.to_json()))
    assert parsed(GeneratorSettings, document, "settings") == settings
    assert settings.masks
    del document["masks"]
    assert not parsed(GeneratorSettings, document, "settings").masks


@pytest.mark.parametrize("rain", [True, False])
def test_gaps_are_filled_from_their_neighbours_and_with_a_latent_zero_far_inside(rain, gappy):
    method, coarse = model(rain=rain).method, gappy if not rain else gappy - 279
    with torch.inference_mode():
        base = method.prepare(coarse.clamp_min(0)).base
    filled = fill_gaps(coarse[:, :, 0].clamp_min(0), reach=FILLED, beyond=0.0 if rain else 280.0)
    torch.testing.assert_close(base[:, :, 0], interpolate_cells(filled, BLOCKS))
    assert base.isfinite().all()


def test_a_constant_field_with_a_narrow_gap_is_that_field():
    """Nothing tells its known cells from those of a field without the gap but the mark, which is left out here."""
    method = model(rain=False).method
    method.settings = replace(method.settings, masks=False)
    coarse = torch.full((1, 3, 1, 12, 12), 288.0)
    gaps = coarse.clone()
    gaps[..., 4 : 4 + FILLED] = torch.nan
    noise = draw_noise(method.noise_maps(), coarse.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, behind = (method.prepare(each) for each in (coarse, gaps))
        assert torch.equal(method.latent(behind, noise), method.latent(whole, noise))
        texture = method(whole, noise) - 288
        change = (method(behind, noise) - method(whole, noise))[..., :16]
    assert float(change.std()) < 0.2 * float(texture.std())


@pytest.mark.parametrize("rain", [True, False])
def test_a_loss_of_known_cells_trains_what_the_mark_means(rain, gappy):
    torch.manual_seed(0)
    method = Generator(model(rain=rain).method.settings)
    coarse = gappy if not rain else (gappy - 279).clamp_min(0)
    noise = draw_noise(method.noise_maps(), coarse.shape, generator=torch.Generator().manual_seed(0))
    method.latent(method.prepare(coarse), noise)[..., :20].square().sum().backward()
    weight = method.network.enter.convolution.weight.grad[:, -1]
    assert weight.isfinite().all()
    assert weight.any()


def test_a_diffused_residual_is_shown_the_same(gappy, monkeypatch):
    method = residual_model().method
    channels = shown(method.mean, (gappy - 279).clamp_min(0), monkeypatch)
    assert torch.equal(channels[:, :, -1:], (~gappy.isnan()).float())
