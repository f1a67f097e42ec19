"""What the program that trains the shipped weights does beside training."""

import torch
from make_weights import mean_of

import xdownscale


def test_the_mean_of_models_has_the_mean_of_their_weights():
    first, second = xdownscale.zoo.load("rain-10x3"), xdownscale.zoo.load("rain-10x3")
    with torch.no_grad():
        second.method.styles += 2.0
    found = mean_of([first, second]).method.state_dict()
    for name, value in first.method.state_dict().items():
        torch.testing.assert_close(found[name], value + (1.0 if name == "styles" else 0.0))
