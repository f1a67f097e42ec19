"""The local network: what an output depends on, and that a crop with its halo gives what the whole gives."""

import dataclasses

import pytest
import torch

from xdownscale.models.generator import Generator, GeneratorSettings, draw_noise
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.transform import Standard
from xdownscale.nn.blocks import (
    FrameConvolution,
    FrameExchange,
    GrownApart,
    PixelNorm,
    convolve_frames,
    sharp_swish,
    swish,
)
from xdownscale.nn.local import LocalNetwork, ladder

SMALL = NetworkSize(maps=(2, 2, 1), width=16, encoder_blocks=1, decoder_blocks=1, stages=(16, 8, 8, 8))


def lively(module: torch.nn.Module) -> torch.nn.Module:
    """Weights large enough that everything that can matter does."""
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=source))
    return module.double()


@pytest.mark.parametrize("activation", [swish, sharp_swish])
def test_activations_have_the_same_bits_wherever_a_field_ends(activation):
    """Processors take many values at a time, and the rest one by one: none may be rounded otherwise."""
    x = 3 * torch.randn(4096, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = activation(x.clone())
        for size in range(1, 70):
            assert torch.equal(activation(x[:size].clone()), whole[:size])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_a_frame_is_convolved_to_the_same_bits_beside_any_number_of_others(threads, size):
    """Members and frames pass in groups of any size; torch would choose among two ways by it."""
    source = torch.Generator().manual_seed(0)
    frame, weight = (
        torch.randn(1, 1, 16, 9, 8, generator=source),
        torch.randn(8, 16, size, size, generator=source),
    )
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        alone = convolve_frames(frame, weight, torch.zeros(8))
        for count in (2, 10, 16, 25):
            beside = convolve_frames(frame.expand(count, 1, 16, 9, 8), weight, torch.zeros(8))
            assert torch.equal(beside, alone.expand_as(beside))
    finally:
        torch.set_num_threads(before)


def test_the_smooth_activation_is_the_same_with_and_without_gradients():
    x = torch.linspace(-20, 20, 1001)
    with torch.no_grad():
        without = swish(x)
    torch.testing.assert_close(swish(x.requires_grad_()).detach(), without)


@pytest.mark.parametrize(
    ("size", "steps", "rungs"), [(10, 3, [2, 5, 10]), (3, 1, [3]), (1, 1, [1]), (4, 2, [2, 4])]
)
def test_ladder_ends_at_the_factor(size, steps, rungs):
    assert ladder(size, steps) == rungs


def test_exchange_takes_from_both_neighbours_and_keeps_the_ends():
    x = torch.arange(3.0).reshape(1, 3, 1, 1, 1).expand(1, 3, 8, 1, 1)
    y = FrameExchange()(x)[0, :, :, 0, 0]
    assert y[:, 0].tolist() == [0, 0, 1]
    assert y[:, 1].tolist() == [1, 2, 2]
    assert (y[:, 2:] == x[0, :, 2:, 0, 0]).all()


def test_pixel_norm_gives_unit_power_at_every_pixel():
    x = torch.randn(1, 2, 6, 3, 3, generator=torch.Generator().manual_seed(0)) * 7
    power = PixelNorm(6)(x).square().mean(2)
    torch.testing.assert_close(power, torch.ones_like(power))


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("blocks", [(3, 5, 5), (3, 1, 1), (1, 4, 4), (2, 4, 2)])
def test_an_output_depends_on_no_more_than_its_reach(blocks, apart):
    net = lively(LocalNetwork(blocks=blocks, inputs=1, maps=(0, 0, 0), width=8, encoder_blocks=1, decoder_blocks=1,
                              stages=(8, 8, 8, 8), apart=apart))  # fmt: skip
    reach = net.reach
    size, frames = 2 * reach.cells + 5, 2 * reach.frames + 3
    condition = torch.zeros(1, frames, 1, size, size, dtype=torch.float64)
    middle, now = size // 2, frames // 2
    touched = condition.clone()
    touched[0, now, 0, middle, middle] = 1.0

    def run(x):
        conditions = [
            torch.zeros(1, blocks[0] * frames, 1, size * r[0], size * r[1]).double() for r in net.rungs
        ]
        return net.decode(net.encode(x)[0], conditions, [], [], torch.zeros(net.style).double())

    moved = (run(condition) - run(touched)).abs() > 0
    cells = (
        moved[0, :, 0]
        .unfold(0, blocks[0], blocks[0])
        .unfold(1, blocks[1], blocks[1])
        .unfold(2, blocks[2], blocks[2])
    )
    hit = cells.flatten(3).any(-1).nonzero()
    distance = (hit - torch.tensor([now, middle, middle])).abs().amax(0)
    assert distance[0] <= reach.frames
    assert distance[1:].max() <= reach.cells
    assert distance[1:].max() >= 3  # the network does look around


def test_a_crop_with_its_halo_gives_what_the_whole_gives():
    method = lively(Generator(GeneratorSettings(blocks=(2, 4, 4), size=SMALL)))
    cells, frames = method.halo()
    shape = (1, frames + 3, 1, cells + 5, cells + 6)
    source = torch.Generator().manual_seed(1)
    coarse = torch.relu(torch.randn(shape, generator=source)).double() * 3
    noise = [z.double() for z in draw_noise(method.noise_maps(), shape, generator=source)]
    part = (slice(1, None), slice(2, None), slice(3, None))
    cut = [
        z[:, 1 * m.frames :, :, 2 * m.pixels[0] :, 3 * m.pixels[1] :]
        for z, m in zip(noise, method.noise_maps(), strict=True)
    ]
    with torch.inference_mode():
        whole = method(method.prepare(coarse), noise)
        crop = method(method.prepare(coarse[:, part[0], :, part[1], part[2]]), cut)
    inside = crop[:, 2 * frames :, :, 4 * cells :, 4 * cells :]
    same = whole[:, 2 * (frames + 1) :, :, 4 * (cells + 2) :, 4 * (cells + 3) :]
    assert inside.numel() > 0
    torch.testing.assert_close(inside, same, rtol=0, atol=1e-9)


def test_the_velocity_looks_no_farther_than_the_members():
    method = lively(Generator(GeneratorSettings(blocks=(2, 4, 4), size=SMALL, conserving=False)))
    cells, frames = method.halo()
    size, now = 2 * cells + 5, frames + 1
    source = torch.Generator().manual_seed(1)
    coarse = torch.relu(torch.randn(1, 2 * now + 1, 1, size, size, generator=source)).double() * 3
    touched = coarse.clone()
    touched[0, now, 0, size // 2, size // 2] += 5
    noise = [z.double() for z in draw_noise(method.noise_maps(), coarse.shape, generator=source)]
    with torch.no_grad():
        method.network.move.guess.convolution.weight.mul_(5)
        windows = [method.prepare(x) for x in (coarse, touched)]
        first, second = (method.latent(window, noise, conserve=False) for window in windows)
    turned = (windows[0].velocity != windows[1].velocity)[0].any(1).nonzero()
    apart = (turned - torch.tensor([now, size // 2, size // 2])).abs().amax(0)
    assert 4 < apart[1:].max() < cells - 1  # one cell is left for its interpolation, another for the stages
    assert apart[0] < frames
    hit = (
        (first != second)[0, :, 0]
        .unfold(0, 2, 2)
        .unfold(1, 4, 4)
        .unfold(2, 4, 4)
        .flatten(3)
        .any(-1)
        .nonzero()
    )
    distance = (hit - torch.tensor([now, size // 2, size // 2])).abs().amax(0)
    assert distance[0] <= frames
    assert distance[1:].max() <= cells


def test_without_gradients_blocks_and_single_frames_give_what_the_whole_gives(monkeypatch):
    method = lively(Generator(GeneratorSettings(blocks=(3, 10, 10), size=SMALL)))
    monkeypatch.setattr("xdownscale.nn.climb.BLOCK", 3)
    source = torch.Generator().manual_seed(0)
    coarse = torch.relu(torch.randn(1, 3, 1, 8, 7, generator=source)).double() * 3
    noise = [z.double() for z in draw_noise(method.noise_maps(), coarse.shape, generator=source)]
    learned = method.latent(method.prepare(coarse), noise)
    with torch.inference_mode():
        used = method.latent(method.prepare(coarse), noise)
    torch.testing.assert_close(used, learned.detach(), rtol=0, atol=1e-10)


def test_what_is_left_out_far_from_rain_changes_no_value(monkeypatch):
    method = lively(Generator(GeneratorSettings(blocks=(1, 4, 4), size=SMALL)))
    monkeypatch.setattr("xdownscale.nn.climb.BLOCK", 4)
    coarse = torch.zeros(1, 2, 1, 28, 28, dtype=torch.float64)
    coarse[..., :3, :3] = 4.0
    source = torch.Generator().manual_seed(0)
    noise = [z.double() for z in draw_noise(method.noise_maps(), coarse.shape, generator=source)]
    with torch.inference_mode():
        window = method.prepare(coarse)
        sparse, full = method.latent(window, noise), method.latent(window, noise, conserve=False)
        assert (sparse != full).any()
        assert torch.equal(method.finish(window, sparse), method.finish(window, full))


def test_fine_kernels_start_without_a_preferred_direction():
    weight = FrameConvolution(8, 8, even=True).convolution.weight.detach()
    torch.testing.assert_close(weight, torch.rot90(weight, 1, (2, 3)))
    torch.testing.assert_close(weight, weight.flip(3))
    other = FrameConvolution(8, 8).convolution.weight.detach()
    assert 0.7 < float(weight.std() / other.std()) < 1.4


def test_styles_change_the_members_and_the_default_is_their_mean_unless_named():
    settings = GeneratorSettings(blocks=(1, 4, 4), size=SMALL, styles=("smooth", "rough"))
    method = lively(Generator(settings))
    coarse = torch.ones(1, 1, 1, 4, 4, dtype=torch.float64)
    noise = [
        z.double()
        for z in draw_noise(method.noise_maps(), coarse.shape, generator=torch.Generator().manual_seed(0))
    ]
    smooth, rough, mean = (method(method.prepare(coarse, style=s), noise) for s in ("smooth", "rough", None))
    assert not torch.allclose(smooth, rough)
    assert not torch.allclose(smooth, mean)
    torch.testing.assert_close(method.style(), method.styles.mean(0))
    method.settings = dataclasses.replace(settings, default="rough")
    torch.testing.assert_close(method(method.prepare(coarse), noise), rough)


def test_a_zero_network_is_an_interpolation():
    method = Generator(GeneratorSettings(blocks=(2, 4, 4), size=SMALL, conserving=False))
    with torch.no_grad():
        for weight in method.network.leave.parameters():
            weight.zero_()
    coarse = torch.rand(1, 3, 1, 5, 5, generator=torch.Generator().manual_seed(0)) + 0.5
    window = method.prepare(coarse)
    noise = draw_noise(method.noise_maps(), coarse.shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(method(window, noise), window.base)


@pytest.mark.parametrize("blocks", [(3, 10, 10), (1, 4, 4), (2, 2, 2)])
@pytest.mark.parametrize("seed", range(4))
def test_a_fresh_network_begins_near_the_interpolation_and_with_members(blocks, seed):
    """What a long run of steps would first have to take off again is not there, what it must use is."""
    torch.manual_seed(seed)
    method = Generator(GeneratorSettings(blocks=blocks, transforms=(Standard(),)))
    source = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 3, 1, 10, 10, generator=source)
    with torch.inference_mode():
        window = method.prepare(coarse)
        noise = [draw_noise(method.noise_maps(), coarse.shape, generator=source) for _ in range(3)]
        members = torch.stack([method.latent(window, each, conserve=False) for each in noise])
    assert (members - window.conditions[-1]).std() < 0.6
    assert members.std(0).mean() > 0.01


def test_only_what_grows_apart_tells_the_steps_of_a_steady_frame_from_each_other():
    """In a steady field interpolation in time gives every step the same, whatever the network."""
    size = dataclasses.replace(SMALL, maps=(0, 0, 0))
    for apart in (False, True):
        settings = GeneratorSettings(
            blocks=(3, 1, 1),
            transforms=(Standard(),),
            size=dataclasses.replace(size, apart=apart),
            conserving=False,
        )
        method = lively(Generator(settings))
        coarse = torch.ones(1, 12, 1, 5, 5, dtype=torch.float64)
        first, second, third = method.latent(method.prepare(coarse), [None] * 4)[0, 18:21].detach()
        assert bool(torch.allclose(first, second)) is not apart
        assert bool(torch.allclose(second, third)) is not apart


def test_growing_apart_starts_with_no_effect():
    x = torch.randn(1, 2, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    grown = GrownApart(5, 3)(x)
    assert grown.shape == (1, 6, 5, 3, 3)
    assert (grown == 0).all()


def test_growing_apart_finds_the_slope_and_the_curvature_of_neighbours():
    """Weights can be given by hand: the steps of a frame on the parabola through its neighbours."""
    grow = GrownApart(1, 3)
    at = torch.tensor([-1 / 3, 0, 1 / 3])
    parabola = torch.stack([at * (at - 1) / 2, 1 - at**2, at * (at + 1) / 2], dim=1)
    with torch.no_grad():
        grow.parts.convolution.weight.copy_(parabola[:, :, None, None])
    x = torch.arange(5.0).square().reshape(1, 5, 1, 1, 1)
    fine = ((torch.arange(15) - 1) / 3).square()
    torch.testing.assert_close(grow(x)[0, 3:-3, 0, 0, 0], fine[3:-3])
