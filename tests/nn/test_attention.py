"""Attention of pixels and frames: loops and torch's own as oracles, how far it sees, and what it is untrained."""

import pytest
import torch

from xdownscale.nn.attention import TemporalAttention, WindowAttention, attend_frames, attend_window


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def three(*shape):
    return [draw(*shape, seed=seed) for seed in range(3)]


def lively(module):
    """Weights under which every offset and channel matters."""
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.5 * torch.randn(weight.shape, generator=source))
    return module.double()


def asked_one_by_one(query, key, value, bias):
    """The formula, a pixel at a time, for one frame of (heads, d, H, W)."""
    heads, channels, height, width = query.shape
    radius = bias.shape[-1] // 2
    found = torch.empty_like(query)
    for n in range(heads):
        for y in range(height):
            for x in range(width):
                near = [
                    (j, i)
                    for j in range(max(0, y - radius), min(height, y + radius + 1))
                    for i in range(max(0, x - radius), min(width, x + radius + 1))
                ]
                scores = torch.stack(
                    [
                        query[n, :, y, x] @ key[n, :, j, i] / channels**0.5
                        + bias[n, j - y + radius, i - x + radius]
                        for j, i in near
                    ]
                )
                shares = torch.softmax(scores, 0)
                found[n, :, y, x] = sum(p * value[n, :, j, i] for p, (j, i) in zip(shares, near, strict=True))
    return found


@pytest.mark.parametrize("radius", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (4, 8), (5, 7), (2, 9)])
def test_a_window_gives_what_the_formula_gives_pixel_by_pixel(radius, size):
    query, key, value = three(2, 2, 3, *size)
    bias = draw(2, 2 * radius + 1, 2 * radius + 1, seed=4)
    found = attend_window(query, key, value, bias=bias)
    for frame in range(2):
        expected = asked_one_by_one(query[frame], key[frame], value[frame], bias)
        torch.testing.assert_close(found[frame], expected)


def test_a_window_as_wide_as_the_field_is_the_attention_of_torch():
    query, key, value = three(2, 2, 4, 5, 6)
    found = attend_window(query, key, value, bias=torch.zeros(2, 13, 13, dtype=torch.float64))
    tokens = (each.flatten(3).mT for each in (query, key, value))
    expected = torch.nn.functional.scaled_dot_product_attention(*tokens).mT.unflatten(3, (5, 6))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("horizon", "length"), [(1, 1), (1, 6), (2, 6), (3, 2)])
def test_frames_give_what_torch_gives_with_a_band_as_its_mask(horizon, length):
    query, key, value = three(1, length, 2, 4, 2, 3)
    bias = draw(2, 2 * horizon + 1, seed=4)
    distance = torch.arange(length) - torch.arange(length)[:, None]
    near = bias[:, (distance + horizon).clamp(0, 2 * horizon)]
    mask = near.masked_fill(distance.abs() > horizon, -torch.inf)
    tokens = (each[0].permute(3, 4, 1, 0, 2) for each in (query, key, value))  # (H, W, heads, L, d)
    expected = torch.nn.functional.scaled_dot_product_attention(*tokens, attn_mask=mask)
    torch.testing.assert_close(
        attend_frames(query, key, value, bias=bias)[0], expected.permute(3, 2, 4, 0, 1)
    )


def test_what_is_beyond_the_border_has_no_weight():
    query, key, value = three(1, 1, 2, 3, 3)
    value[:] = 1.0
    ones = torch.ones_like(value)
    # zeros that were let in from beyond would take a share; a large bias towards them would take all of it
    bias = torch.zeros(1, 5, 5, dtype=torch.float64)
    bias[:, 0] = 50.0
    torch.testing.assert_close(attend_window(query, key, value, bias=bias), ones)
    early = torch.tensor([[50.0, 0.0, 0.0]]).double()
    torch.testing.assert_close(
        attend_frames(query[None], key[None], value[None], bias=early), ones[None], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    "made",
    [
        lambda: WindowAttention(8, heads=4, radius=1),
        lambda: WindowAttention(8, heads=2, radius=3),
        lambda: TemporalAttention(8, heads=4, horizon=2),
        lambda: TemporalAttention(8, heads=1, horizon=1),
    ],
)
class TestBlocks:
    def test_untrained_it_is_the_identity_and_can_learn(self, made):
        module, x = made(), draw(2, 3, 8, 5, 6).float()
        assert torch.equal(module(x), x)
        module(x).square().sum().backward()
        assert module.projections.leave.convolution.weight.grad.abs().max() > 0

    def test_every_weight_is_of_use_once_it_is_awake(self, made):
        module = lively(made())
        module(draw(1, 5, 8, 9, 9)).square().sum().backward()
        for name, weight in module.named_parameters():
            assert torch.isfinite(weight.grad).all(), name
            assert weight.grad.abs().max() > 0, name

    def test_it_sees_as_far_as_its_reach_in_every_direction_and_no_further(self, made):
        module = lively(made())
        pixels, frames = module.reach
        x = draw(1, 9, 8, 11, 11)
        touched = x.clone()
        touched[0, 4, :, 5, 5] += 1.0
        moved = (module(x) - module(touched))[0].abs().amax(1) > 0
        expected = torch.zeros_like(moved)
        expected[4 - frames : 5 + frames, 5 - pixels : 6 + pixels, 5 - pixels : 6 + pixels] = True
        assert torch.equal(moved, expected)

    def test_a_crop_gives_what_the_whole_gives_wherever_its_patches_lie(self, made):
        module = lively(made())
        pixels, frames = module.reach
        x = draw(1, 9, 8, 17, 19)
        whole, part = module(x), module(x[:, 1:, :, 3:, 2:-1])
        inside = part[:, frames:, :, pixels:, pixels : part.shape[-1] - pixels]
        same = whole[:, 1 + frames :, :, 3 + pixels :, 2 + pixels : 18 - pixels]
        assert inside.numel() > 0
        torch.testing.assert_close(inside, same, rtol=0, atol=1e-12)

    def test_windows_of_a_batch_do_not_meet(self, made):
        module, x = lively(made()), draw(2, 3, 8, 5, 6)
        torch.testing.assert_close(module(x)[1:], module(x[1:]))


def test_neither_pixels_nor_frames_meet_by_the_attention_of_the_other():
    x = draw(1, 5, 8, 7, 7)
    touched = x.clone()
    touched[:, 2] += draw(1, 8, 7, 7, seed=9)
    window = lively(WindowAttention(8, heads=4, radius=1))
    others = [0, 1, 3, 4]
    assert torch.equal(window(x)[:, others], window(touched)[:, others])
    touched = x.clone()
    touched[..., 3, 3] += 1.0
    frames = lively(TemporalAttention(8, heads=4, horizon=2))
    same = torch.ones(7, 7, dtype=torch.bool)
    same[3, 3] = False
    assert torch.equal(frames(x)[..., same], frames(touched)[..., same])


def test_a_window_finds_a_value_far_off_that_convolutions_would_have_to_pass_on():
    # a query that matches the key three pixels to its left takes its value, which is what an attention is for
    query, key, value = (torch.zeros(1, 1, 2, 8, 8, dtype=torch.float64) for _ in range(3))
    query[..., 0, 4, 6] = key[..., 0, 4, 3] = 30.0
    value[..., 1, 4, 3] = 7.0
    found = attend_window(query, key, value, bias=torch.zeros(1, 7, 7, dtype=torch.float64))
    assert float(found[0, 0, 1, 4, 6]) == pytest.approx(7.0)
    # one that matches nothing takes the mean of its window, of which a column is beyond the border
    assert float(found[0, 0, 1, 4, 2]) == pytest.approx(7.0 / (7 * 6))
