"""The U-Net of a prior: the shapes and the size of the paper's, on the meta device, and what a torus asks for."""

import pytest
import torch

from xdownscale.models.prior_recipe import PriorRecipe
from xdownscale.nn.fresh import FreshWeights
from xdownscale.nn.unet import UNet, UNetSize


def test_the_papers_network_has_its_shapes_and_weights():
    """52 channels (13 frames of 4 variables), 128² cells, 8² at the lowest of five levels, 72 million weights."""
    recipe = PriorRecipe.named("climate2weather")
    sizes = []
    with torch.device("meta"):
        network = UNet(4 * recipe.frames, recipe.size)
        for level in network.down:
            level[0][0].register_forward_hook(lambda _, __, y: sizes.append(tuple(y.shape[1:])))
        answer = network(torch.zeros(2, 52, recipe.cells, recipe.cells), torch.zeros(2))
    assert answer.shape == (2, 52, 128, 128)
    assert sizes == [(128, 128, 128), (128, 64, 64), (256, 32, 32), (384, 16, 16), (512, 8, 8)]
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(72e6, rel=0.01)


@pytest.fixture
def network():
    with FreshWeights(0):
        return UNet(3, UNetSize((8, 12), depth=1))


def test_on_a_torus_a_shift_of_the_input_shifts_the_answer(network):
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    angle = torch.tensor(0.7)
    moved = network(x.roll((2, 4), (2, 3)), angle)  # by whole cells of the lowest level
    torch.testing.assert_close(moved, network(x, angle).roll((2, 4), (2, 3)), rtol=1e-4, atol=1e-5)


def test_every_entry_of_a_batch_has_its_own_level(network):
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    angles = torch.tensor([0.1, 1.2])
    both = network(x, angles)
    for number in range(2):
        alone = network(x[number : number + 1], angles[number])
        torch.testing.assert_close(both[number : number + 1], alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(both[:1], network(x[:1], angles[1]), rtol=1e-2)


def test_a_silenced_network_answers_zero(network):
    answer = network.silenced()(torch.ones(1, 3, 8, 8), torch.tensor(0.3))
    assert not answer.any()
