"""The two U-Nets: published sizes, what a pixel sees in space and time, and how the context reaches the answer."""

from dataclasses import replace

import pytest
import torch

from xdownscale.nn.adaptive import (
    AdaptiveSize,
    ContextEncoder,
    CrossAttention,
    EncoderStage,
    MeanNetwork,
    ResidualNetwork,
    step_waves,
)
from xdownscale.nn.fresh import FreshWeights

TINY = AdaptiveSize(mean_widths=(8, 8), residual_widths=(8, 16), windows=(1, 1), heads=2, told=8, token=8)


def lively(module):
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=source))
    return module.eval()


def test_the_published_sizes_are_those_of_the_paper():
    size = AdaptiveSize()
    mean, residual = MeanNetwork(2, 3, 5, size), ResidualNetwork(7, 3, size)
    assert [stage.leave.second.convolution.out_channels for stage in mean.down] == [16, 32, 64, 128, 256]
    assert [block.second.norm.num_channels for block in residual.down] == [64, 128, 256, 512]
    assert [stage.space.reach[0] for stage in mean.down] == [3, 3, 1, 1, 1]  # (2n + 1)² pixels
    assert all(stage.space.projections.heads == stage.time.projections.heads == 4 for stage in mean.down)
    assert residual.level[0].in_features == 128
    assert residual.cross[0].key.in_features == 256
    assert len(mean.up), len(residual.up) == (4, 3)
    sides = MeanNetwork(2, 3, 5, replace(size, sides=True))
    assert [stage.space.reach[0] for stage in sides.down] == [1, 1, 0, 0, 0]  # n² pixels


@pytest.mark.parametrize("shape", [(16, 16), (13, 9), (1, 2)])
@pytest.mark.parametrize("length", [1, 4])
def test_shapes_of_any_field_and_zero_for_fresh_weights(shape, length):
    frames = torch.randn(2, length, 2, *shape)
    assert not MeanNetwork(2, 3, length, TINY)(frames).any()
    answer = lively(MeanNetwork(2, 3, length, TINY))(frames)
    assert answer.shape == (2, 3, *shape)
    tokens = ContextEncoder(2, length, 8)(frames)[None]
    residual = lively(ResidualNetwork(5, 3, TINY))
    assert residual(torch.randn(4, 2, 5, *shape), torch.tensor([1.0]), tokens).shape == (4, 2, 3, *shape)


@pytest.mark.parametrize("frames", ["attention", "stacked", "last"])
def test_how_past_frames_reach_the_mean(frames):
    size = replace(TINY, frames=frames)
    network = lively(MeanNetwork(2, 3, 3, size))
    inputs = network.down[0].enter.first.convolution.in_channels
    assert inputs == (6 if frames == "stacked" else 2)
    given = torch.randn(1, 3, 2, 8, 8)
    other = given.clone()
    other[0, 0] += 1.0
    moved = (network(other) - network(given)).abs().max().item()
    assert (moved > 1e-4) == (frames != "last")


def test_attention_in_time_is_at_one_pixel_and_in_space_within_the_window_of_the_last_frame():
    stage = lively(EncoderStage(4, 4, length=3, heads=2, radius=2))
    x = torch.randn(1, 3, 4, 9, 9)
    base = stage.time(x)
    x[0, 0, :, 4, 4] += 1.0
    moved = (stage.time(x) - base).abs().amax((0, 1, 2)) > 0
    assert moved.nonzero().tolist() == [[4, 4]]
    last = torch.randn(1, 1, 4, 9, 9)
    before = stage.space(last)
    last[0, 0, :, 4, 4] += 1.0
    moved = ((stage.space(last) - before).abs().amax((0, 1, 2)) > 0).nonzero()
    assert moved.min().item() == 2
    assert moved.max().item() == 6
    whole = stage(x)
    assert torch.equal(whole[:, :-1], stage.leave(stage.time(stage.enter(x)))[:, :-1])


def test_cross_attention_is_a_softmax_over_tokens():
    cross = lively(CrossAttention(4, 6))
    x, tokens = torch.randn(1, 2, 4, 3, 5), torch.randn(1, 2, 3, 6)
    query = cross.ask(cross.norm(x))[0, 1, :, 2, 4]
    key, value = cross.key(tokens)[0, 1], cross.value(tokens)[0, 1]
    found = torch.softmax(key @ query / 2.0, 0) @ value
    weight, bias = cross.leave.convolution.weight[:, :, 0, 0], cross.leave.convolution.bias
    torch.testing.assert_close(cross(x, tokens)[0, 1, :, 2, 4], x[0, 1, :, 2, 4] + weight @ found + bias)


def test_the_step_scales_and_shifts_and_is_told_by_sines_and_cosines():
    waves = step_waves(torch.tensor([3.0]), 8)[0]
    rates = 1e4 ** (-torch.arange(4.0) / 4)
    torch.testing.assert_close(waves, torch.cat([(3 * rates).sin(), (3 * rates).cos()]))
    steps = step_waves(torch.arange(1001.0), 128)
    assert float(torch.pdist(steps).min()) > 0.5
    network = lively(ResidualNetwork(5, 3, TINY))
    x, tokens = torch.randn(1, 1, 5, 8, 8), torch.randn(1, 1, 3, 8)
    one, other = (network(x, torch.tensor([step]), tokens) for step in (1.0, 900.0))
    assert float((one - other).abs().max()) > 1e-3
    with torch.no_grad():
        for block in (*network.down, *network.up):
            block.first.told.weight.zero_()
    assert torch.equal(network(x, torch.tensor([1.0]), tokens), network(x, torch.tensor([900.0]), tokens))


def test_tokens_tell_frames_apart_and_reach_the_answer():
    encoder, network = lively(ContextEncoder(2, 3, 8)), lively(ResidualNetwork(5, 3, TINY))
    frames = torch.randn(1, 3, 2, 8, 8)
    tokens = encoder(frames)
    assert float((encoder(frames.flip(1)) - tokens.flip(1)).abs().max()) > 1e-3
    x = torch.randn(1, 1, 5, 8, 8)
    answers = [network(x, torch.tensor([5.0]), each[None]) for each in (tokens, encoder(frames + 1))]
    assert float((answers[0] - answers[1]).abs().max()) > 1e-4


def test_fresh_weights_depend_on_the_seed_alone():
    made = []
    for noise in (0, 1):
        torch.manual_seed(noise)
        with FreshWeights(3):
            made.append(ContextEncoder(2, 3, 8).state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
