"""The network for every pair of factors and every scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support import rain
from xdownscale import zoo
from xdownscale.models.generator import draw_noise
from xdownscale.models.multiscale import Multiscale, MultiscaleSettings
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.scale import Scale
from xdownscale.nn.fresh import FreshWeights
from xdownscale.nn.multiscale import PHASES, GrownByPhase, Lattice, ScaleCode, basis
from xdownscale.training.warm_multiscale import start_from_pair

SMALL = NetworkSize(maps=(2, 2, 1), width=8, encoder_blocks=1, decoder_blocks=1, stages=(8, 8, 8, 4))


def fresh(size=SMALL, **settings):
    """A network whose scale and style matter, as after training."""
    with FreshWeights(0):
        method = Multiscale(MultiscaleSettings(size=size, **settings)).eval()
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in method.named_parameters():
            if name.rsplit(".", 1)[-1] in ("scale", "shift") and ".norm." not in name:
                value.add_(0.1 * torch.randn(value.shape, generator=source))
            if "apart" in name or "guess" in name:
                value.add_(0.1 * torch.randn(value.shape, generator=source))
    return method


def members(method, coarse, blocks, seed=0, noise=None):
    noise = noise or draw_noise(
        method.noise_maps(blocks), coarse.shape, generator=torch.Generator().manual_seed(seed)
    )
    with torch.no_grad():
        return method.latent(method.prepare(coarse, blocks=blocks), noise)[:, :, 0]


def some(shape=(3, 9, 9)):
    return torch.from_numpy(np.ascontiguousarray(rain(shape).values))[None, :, None].float()


@pytest.mark.parametrize("steps", range(1, PHASES + 1))
def test_basis_functions_are_orthogonal_over_the_steps(steps):
    """Σ_j φ_k φ_l = T·δ for k, l < T: as expressive as weights for each step."""
    phi = basis(steps).double()
    np.testing.assert_allclose(
        phi.T @ phi, torch.diag((torch.arange(PHASES) < steps) * float(steps)), atol=1e-5
    )


def test_steps_of_a_frame_are_mirrored_where_odd_functions_change_their_sign():
    grown = GrownByPhase(2)
    with torch.no_grad():
        grown.parts.convolution.weight.normal_(generator=torch.Generator().manual_seed(0))
        one = grown(torch.ones(1, 1, 2, 1, 1), 4)
        weight = grown.parts.convolution.weight.unflatten(0, (PHASES, -1))
        weight[1::2] *= -1
        other = grown(torch.ones(1, 1, 2, 1, 1), 4)
    torch.testing.assert_close(one, other.flip(1))


def test_scales_differ_in_their_codes_from_the_first_step_on():
    """A code that is faint at first stays so: between radar and climate scales all of it must change."""
    with FreshWeights(0):
        code = ScaleCode()
    one, other = (code(Lattice((3, 10, 10), *scale), 0).detach() for scale in ((1.0, 5.0), (8.0, 60.0)))
    assert float((one - other).square().mean().sqrt()) > 0.5
    assert float(one.square().mean().sqrt()) < 2.0


@pytest.mark.parametrize(
    ("blocks", "km", "minutes", "way"),
    [((3, 10, 10), 1.0, 5.0, 2.5), ((1, 1, 1), 1.0, 60.0, 100.0), ((6, 5, 4), 4.0, 10.0, 6.25)],
)
def test_velocity_is_bounded_in_kilometres_an_hour(blocks, km, minutes, way):
    """100 km/h: cells of a coarse frame that lasts T steps."""
    assert max(Lattice(blocks, km, minutes).fastest) == pytest.approx(way)
    if way < 20:
        method = fresh().at(Scale(km, minutes))
        with torch.no_grad():
            method.network.move.guess.convolution.bias.fill_(1e3)
            velocity = method.prepare(some(), blocks=blocks).velocity
        torch.testing.assert_close(
            velocity[0, 0, :, 0, 0], torch.tensor(Lattice(blocks, km, minutes).fastest)
        )


def test_memory_is_counted_in_minutes_and_grows_with_the_size_of_a_cell():
    assert Lattice((3, 10, 10), 1.0, 5.0).memories == (1, 2)
    assert Lattice((3, 10, 10), 1.0, 60.0).memories == (0, 0)
    assert Lattice((1, 4, 4), 8.0, 60.0).memories == (2, 4)


@pytest.mark.parametrize("blocks", [(3, 10, 10), (1, 2, 2), (3, 1, 1), (2, 5, 3), (2, 4, 1), (4, 16, 16)])
def test_a_crop_gives_what_the_whole_gives(blocks):
    """As far as the halo says: a fine value depends on nothing beyond it."""
    method = fresh(conserving=False).at(Scale(1.0, 10.0))
    cells, frames = method.halo(blocks)
    shape = (2 * frames + 3, 2 * cells + 4, 2 * cells + 3)
    coarse = some(shape)
    noise = draw_noise(method.noise_maps(blocks), coarse.shape, generator=torch.Generator().manual_seed(0))
    whole = members(method, coarse, blocks, noise=noise)
    coarse[:, 0], coarse[:, -1] = 30.0, 30.0
    coarse[..., 0, :], coarse[..., -1, :], coarse[..., 0], coarse[..., -1] = 30.0, 30.0, 30.0, 30.0
    other = members(method, coarse, blocks, noise=noise)
    inner = tuple(slice(n * b + b, -(n * b + b)) for n, b in zip((frames, cells, cells), blocks, strict=True))
    assert whole[(0, *inner)].numel()
    np.testing.assert_array_equal(whole[(0, *inner)], other[(0, *inner)])


def test_a_network_of_zeros_gives_the_interpolation():
    method = fresh().at(Scale(2.0, 10.0))
    with torch.no_grad():
        for value in method.network.leave.parameters():
            value.zero_()
    window = method.prepare(some(), blocks=(2, 5, 5))
    np.testing.assert_allclose(
        members(method, some(), (2, 5, 5)),
        method.settings.transforms[0].forward(window.base[:, :, 0]),
        rtol=1e-6,
    )


def test_weights_of_a_pair_are_a_start_that_changes_nothing_at_this_pair_and_scale():
    given = zoo.load("rain-10x3").method
    with FreshWeights(0):
        method = Multiscale(
            MultiscaleSettings(styles=given.settings.styles, default=given.settings.default)
        ).eval()
    start_from_pair(method, given)
    noise = draw_noise(given.noise_maps(), (1, 3, 1, 9, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = given.latent(given.prepare(some()), noise)[:, :, 0]
    at = method.at(Scale(1.0, 5.0))
    assert at.halo((3, 10, 10)) == given.halo()
    torch.testing.assert_close(members(at, some(), (3, 10, 10), noise=noise), wanted, rtol=1e-5, atol=1e-4)
    with torch.no_grad():
        method.network.stages[2].narrow.convolution.weight.mul_(0.9)
    assert float((members(at, some(), (3, 10, 10), noise=noise) - wanted).abs().max()) > 0.01


def test_another_scale_gives_another_field():
    method = fresh()
    one, other = (
        members(method.at(scale), some(), (1, 4, 4)) for scale in (Scale(1.0, 30.0), Scale(2.0, 60.0))
    )
    assert one.shape == other.shape
    assert float((one - other).abs().max()) > 0.01
