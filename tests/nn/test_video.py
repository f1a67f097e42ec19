"""The U-Net of STVD: sizes as published, what is told and injected, weight standardisation, any number of frames."""

import pytest
import torch

from xdownscale.models.recipe import Recipe
from xdownscale.nn.video import Fourier, Half, StandardisedConvolution, VideoNetwork, VideoSize

TINY = VideoSize(base=8, multipliers=(1, 2), heads=2, head=4, patch=8)


def network(size=TINY, **options):
    torch.manual_seed(0)
    made = VideoNetwork(3, 1, size, **options)
    with torch.no_grad():
        made.leave.weight.normal_()
    return made.eval()


def test_the_published_sizes():
    """64 × (1, 1, 2, 2, 3, 4), six layers, tiles of 384 × 384, five frames, four heads of 32; without memory."""
    plan = Recipe.named("stvd")
    assert (8 * plan.cells, plan.frames) == (384, 5)
    assert (plan.schedule.rate, plan.schedule.last, plan.schedule.average) == (1e-4, 5e-7, 0.995)
    size = plan.video.size
    with torch.device("meta"):
        mean = VideoNetwork(12, 1, size)
        denoiser = VideoNetwork(14, 1, size, injected=True, leveled=True)
        found, features = mean(torch.empty(1, 5, 12, 384, 384))
        answer, _ = denoiser(torch.empty(1, 5, 14, 384, 384), torch.empty(1), features)
    assert found.shape == answer.shape == (1, 5, 1, 384, 384)
    shapes = [tuple(each.shape[2:]) for each in features]
    assert shapes == [
        (64, 384, 384),
        (64, 192, 192),
        (128, 96, 96),
        (128, 48, 48),
        (192, 24, 24),
        (256, 12, 12),
    ]
    assert [sum(p.numel() for p in each.parameters()) for each in (mean, denoiser)] == [31353409, 36477073]


def test_patches_halve_with_depth_and_attention_is_of_four_heads():
    with torch.device("meta"):
        made = VideoNetwork(1, 1, VideoSize())
    assert [layer.attention[0].patch for layer in made.down] == [192, 96, 48, 24, 12, 6]
    assert [layer.attention[0].patch for layer in made.up] == [6, 12, 24, 48, 96, 192]
    assert {(m.heads, m.enter.out_channels) for m in made.middle_attention} == {(4, 3 * 4 * 32)}


def test_weights_are_standardised_and_normalised_in_eight_groups():
    torch.manual_seed(0)
    layer = StandardisedConvolution(6, 8, 3)
    with torch.no_grad():
        layer.weight.mul_(3).add_(1)
    weights = layer.standardised().flatten(1)
    torch.testing.assert_close(weights.mean(1), torch.zeros(8), atol=1e-6, rtol=0)
    torch.testing.assert_close(weights.std(1, unbiased=False), torch.ones(8), atol=1e-3, rtol=0)
    assert Half(8, 16, 0).norm.num_groups == 8
    x = torch.randn(1, 6, 5, 5)
    expected = torch.nn.functional.conv2d(x, layer.standardised(), layer.bias)
    torch.testing.assert_close(layer(x), expected)


def test_noise_levels_have_distinct_embeddings_and_change_every_frame_that_they_are_told():
    torch.manual_seed(0)
    told = Fourier(16)(torch.linspace(0, 1.57, 50))
    apart = torch.cdist(told, told) + torch.eye(50)
    assert apart.min() > 1e-3
    made = network(VideoSize(base=8, multipliers=(1, 2), attention="none"), leveled=True)
    x = torch.randn(1, 3, 3, 8, 8)
    one = made(x, torch.tensor([0.5]))[0]
    torch.testing.assert_close(made(x, torch.full((1, 3), 0.5))[0], one)
    other = made(x, torch.tensor([[0.5, 1.0, 0.5]]))[0]
    torch.testing.assert_close(other[:, [0, 2]], one[:, [0, 2]])
    assert not torch.allclose(other[:, 1], one[:, 1])


@pytest.mark.parametrize("block", ["first", "second"])
def test_injected_features_reach_both_blocks_of_every_contractive_layer(block):
    made = network(injected=True)
    x = torch.randn(1, 2, 3, 8, 8)
    features = network()(x)[1]
    found = made(x, None, features)[0]
    for depth, width in enumerate(TINY.widths):
        seen = []
        hook = getattr(made.down[depth], block).register_forward_pre_hook(
            lambda _, given, seen=seen: seen.append(given[0])
        )
        changed = [each + (n == depth) for n, each in enumerate(features)]
        assert not torch.allclose(made(x, None, changed)[0], found, atol=1e-6)
        hook.remove()
        torch.testing.assert_close(seen[0][:, :, -width:], changed[depth])


def test_weights_of_zero_make_injection_powerless():
    made = network(VideoSize(base=8, multipliers=(1,), attention="none"), injected=True)
    for block in (made.down[0].first, made.down[0].second):
        # standardisation would lift equal weights; without it a zero weight is a closed door
        block.first.convolution.standardised = lambda layer=block.first.convolution: layer.weight
        with torch.no_grad():
            block.first.convolution.weight[:, -8:] = 0
            block.beside.weight[:, -8:] = 0
    x = torch.randn(1, 2, 3, 8, 8)
    features = [torch.randn(1, 2, 8, 8, 8)]
    torch.testing.assert_close(made(x, None, features)[0], made(x, None, [features[0] * 2])[0])


@pytest.mark.parametrize("shape", [(1, 8, 8), (5, 12, 8), (2, 7, 9)])
def test_any_number_of_frames_and_pixels(shape):
    frames, rows, columns = shape
    found, _ = network()(torch.randn(2, frames, 3, rows, columns))
    assert found.shape == (2, frames, 1, rows, columns)


def test_frames_are_told_apart_only_with_positions():
    x = torch.randn(1, 3, 3, 8, 8)
    order = torch.tensor([2, 1, 0])
    plain = network()
    torch.testing.assert_close(plain(x)[0][:, order], plain(x[:, order])[0], rtol=1e-3, atol=1e-4)
    placed = network(VideoSize(base=8, multipliers=(1, 2), heads=2, head=4, patch=8, positions=True))
    assert not torch.allclose(placed(x)[0][:, order], placed(x[:, order])[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("attention", ["none", "window"])
def test_without_attention_in_time_frames_are_alone(attention):
    made = network(VideoSize(base=8, multipliers=(1, 2), heads=2, head=4, patch=4, attention=attention))
    x = torch.randn(1, 2, 3, 8, 8)
    torch.testing.assert_close(made(x)[0][:, :1], made(x[:, :1])[0], rtol=1e-4, atol=1e-5)
