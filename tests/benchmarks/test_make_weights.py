"""What the program that trains the shipped weights does beside training."""

from dataclasses import replace

import torch
from make_weights import mean_of

import xdownscale
from tests.small_models import model
from xdownscale.models.generator import Generator


def test_the_mean_of_models_has_the_mean_of_their_weights():
    first, second = xdownscale.zoo.load("rain-10x3"), xdownscale.zoo.load("rain-10x3")
    with torch.no_grad():
        second.method.styles += 2.0
    found = mean_of([first, second]).method.state_dict()
    for name, value in first.method.state_dict().items():
        torch.testing.assert_close(found[name], value + (1.0 if name == "styles" else 0.0))


def test_weights_that_an_earlier_leg_had_not_yet_count_as_zero():
    earlier = model()
    settings = earlier.method.settings
    able = Generator(replace(settings, size=replace(settings.size, apart=True)))
    later = xdownscale.Downscaler(
        able, variables=earlier.variables, provenance=earlier.provenance, name="later"
    )
    with torch.no_grad():
        able.network.apart.parts.convolution.weight.fill_(1.0)
    found = mean_of([later, earlier]).method.state_dict()
    assert (found["network.apart.parts.convolution.weight"] == 0.5).all()
