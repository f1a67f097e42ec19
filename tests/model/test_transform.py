"""Value transforms: exact inverses, exact zeros, gradients that do not die."""

import pytest
import torch

from xdownscale.model.schema import parsed
from xdownscale.model.transform import LogRain, Standard, transform_to_json


@pytest.mark.parametrize("transform", [LogRain(), LogRain(0.05, 1.0), Standard(280.0, 9.0)])
def test_inverse_undoes_forward(transform):
    values = torch.tensor([0.0, 1e-3, 0.1, 1.0, 30.0, 300.0], dtype=torch.float64)
    torch.testing.assert_close(transform.inverse(transform.forward(values)), values)


def test_rain_is_exactly_zero_at_and_below_zero():
    assert LogRain().inverse(torch.tensor([-3.0, -1e-9, 0.0])).tolist() == [0, 0, 0]


def test_gradient_leaks_below_zero():
    latent = torch.tensor([-2.0, -1.0, 1.0], requires_grad=True)
    LogRain().inverse(latent).sum().backward()
    assert (latent.grad > 0).all()


def test_beyond_the_bounds_only_gradients_that_lead_back_inside_pass():
    latent = torch.tensor([-9.0, -9.0, 9.0, 9.0, 1.0], requires_grad=True)
    bounded = LogRain().bound(latent)
    assert bounded.tolist() == [-3.0, -3.0, 7.5, 7.5, 1.0]
    bounded.backward(torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0]))
    assert latent.grad.tolist() == [0.0, -1.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize("transform", [LogRain(), Standard(280.0, 9.0)])
def test_the_offset_moves_a_constant_block_to_what_is_wanted(transform):
    wanted, obtained = torch.tensor([3.0]), torch.tensor([2.0])
    unit = transform if isinstance(transform, Standard) else LogRain(gain=1.0)
    moved = unit.inverse(unit.forward(obtained) + unit.offset(wanted, obtained))
    torch.testing.assert_close(moved, wanted)


@pytest.mark.parametrize("transform", [LogRain(0.3, 1.1), Standard(2.0, 3.0)])
def test_json_round_trip(transform):
    assert parsed(type(transform), transform_to_json(transform), "transform") == transform


def test_only_own_transforms_travel():
    with pytest.raises(TypeError, match="LogRain or Standard"):
        transform_to_json(object())


def test_features_have_the_channels_that_are_announced():
    for transform in (LogRain(), Standard()):
        assert transform.features(torch.zeros(2, 3, 4, 5)).shape == (2, 3, transform.channels, 4, 5)
