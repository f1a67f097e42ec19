"""The denoiser's network: how far it looks, and that level, style and condition matter."""

import copy
import math

import pytest
import torch

from xdownscale.nn.denoiser import LevelBlock, LocalDenoiser

ATTENTION = {"windows": (2, 1), "horizon": 2}


def lively(blocks, dilations=(1, 2), **attention):
    torch.manual_seed(0)
    net = LocalDenoiser(blocks=blocks, features=3, style=2, width=12, dilations=dilations, **attention)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn(weight.shape))
    return net.double()


def inputs(blocks, shape, seed=0):
    """Noisy values, features and a mean of one target for (L, M, N) coarse cells."""
    source = torch.Generator().manual_seed(seed)
    steps, *fine = (b * n for b, n in zip(blocks, shape, strict=True))
    draw = [(1, steps, 1, *fine), (1, shape[0], 3, *shape[1:]), (1, steps, 1, *fine)]
    return [torch.randn(size, generator=source, dtype=torch.float64) for size in draw]


ANGLE, STYLE = torch.tensor(0.6).double(), torch.tensor([0.5, -1.0]).double()


@pytest.mark.parametrize("attention", [{}, ATTENTION], ids=["convolutions", "attention"])
@pytest.mark.parametrize("blocks", [(3, 4, 4), (2, 3, 1), (1, 1, 1), (1, 10, 5)])
def test_an_output_depends_on_no_more_than_its_reach(blocks, attention):
    net = lively(blocks, **attention)
    cells, frames = math.ceil(net.reach[0]), net.reach[1]
    shape = (2 * frames + 3, 2 * cells + 3, 2 * cells + 3)
    x, features, mean = inputs(blocks, shape)
    middle = [n // 2 for n in shape]
    touched = x.clone()
    steps, *place = (slice(m * b, (m + 1) * b) for m, b in zip(middle, blocks, strict=True))
    touched[(0, steps, 0, *place)] += 1.0
    known = net.condition(features, mean)
    moved = (net(x, ANGLE, known, STYLE) - net(touched, ANGLE, known, STYLE))[0, :, 0].abs() > 0
    hit = moved.nonzero() // torch.tensor(blocks)
    distance = (hit - torch.tensor(middle)).abs().amax(0)
    assert distance[0] == frames
    assert distance[1:].max() <= cells
    assert distance[1:].max() >= cells - 1


def test_level_style_and_condition_matter():
    blocks = (2, 4, 4)
    net = lively(blocks)
    x, features, mean = inputs(blocks, (2, 3, 3))
    known = net.condition(features, mean)
    plain = net(x, ANGLE, known, STYLE)
    assert not torch.allclose(net(x, ANGLE / 2, known, STYLE), plain)
    assert not torch.allclose(net(x, ANGLE, known, -STYLE), plain)
    assert not torch.allclose(net(x, ANGLE, net.condition(features, mean + 1), STYLE), plain)
    assert not torch.allclose(net(x, ANGLE, net.condition(features + 1, mean), STYLE), plain)


def test_levels_of_a_batch_are_its_own():
    blocks = (2, 4, 4)
    net = lively(blocks)
    x, features, mean = inputs(blocks, (2, 3, 3))
    known = net.condition(features, mean)
    angles = torch.tensor([0.2, 1.4]).double()
    both = net(x.expand(2, -1, -1, -1, -1), angles.reshape(2, 1, 1, 1, 1), known, STYLE)
    for angle, one in zip(angles, both, strict=True):
        torch.testing.assert_close(net(x, angle, known, STYLE)[0], one)


@pytest.mark.parametrize("attention", [{}, ATTENTION], ids=["convolutions", "attention"])
def test_a_shift_by_a_cell_shifts_the_output(attention):
    blocks = (1, 4, 4)
    net = lively(blocks, **attention)
    x, features, mean = inputs(blocks, (1, 18, 18))
    whole = net(x, ANGLE, net.condition(features, mean), STYLE)
    part = net(x[..., 4:, 8:], ANGLE, net.condition(features[..., 1:, 2:], mean[..., 4:, 8:]), STYLE)
    halo = 4 * math.ceil(net.reach[0] + 1)
    torch.testing.assert_close(part[..., halo:, halo:], whole[..., 4 + halo :, 8 + halo :])


def test_attention_adds_its_windows_and_its_horizon_to_the_reach():
    reach = {
        name: lively((3, 10, 10), **choice).reach
        for name, choice in {"none": {}, "windows": {"windows": (3,)}, "both": ATTENTION}.items()
    }
    assert reach["none"] == pytest.approx((7 / 5, 1))
    assert reach["windows"] == pytest.approx((10 / 5, 1))
    assert reach["both"] == pytest.approx((10 / 5, 2))


def test_attention_has_no_effect_before_it_is_trained():
    blocks = (2, 4, 4)
    torch.manual_seed(0)
    attentive = LocalDenoiser(blocks=blocks, features=3, style=2, width=12, dilations=(1, 2), **ATTENTION)
    plain = copy.deepcopy(attentive)
    plain.trunk = torch.nn.ModuleList(block for block in plain.trunk if isinstance(block, LevelBlock))
    assert len(attentive.trunk) == len(plain.trunk) + 3
    x, features, mean = (each.float() for each in inputs(blocks, (3, 4, 4)))
    known = plain.condition(features, mean)
    expected = plain(x, ANGLE.float(), known, STYLE.float())
    assert torch.equal(attentive(x, ANGLE.float(), known, STYLE.float()), expected)


def test_more_windows_than_blocks_are_an_error():
    with pytest.raises(ValueError, match="zip"):
        lively((1, 4, 4), windows=(1, 1, 1))
