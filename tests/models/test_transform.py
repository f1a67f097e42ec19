"""Value transforms: exact inverses, exact zeros, gradients that do not die."""

import pytest
import torch

from xdownscale.models.schema import parsed
from xdownscale.models.transform import Bounded, LogRain, Standard, transform_to_json


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


@pytest.mark.parametrize(
    "transform", [LogRain(0.3, 1.1), Standard(2.0, 3.0), Bounded(50.0, 20.0, 0.0, 100.0), Bounded(5.0, 2.0)]
)
def test_json_round_trip(transform):
    assert parsed(type(transform), transform_to_json(transform), "transform") == transform


def test_only_own_transforms_travel():
    with pytest.raises(TypeError, match="LogRain, Standard or Bounded"):
        transform_to_json(object())


def test_features_have_the_channels_that_are_announced():
    for transform in (LogRain(), Standard()):
        assert transform.features(torch.zeros(2, 3, 4, 5)).shape == (2, 3, transform.channels, 4, 5)


def test_the_slope_is_that_of_the_exponential_above_zero_and_a_tenth_of_its_start_below():
    latent = torch.tensor([-2.0, -0.1, 0.3, 2.0], dtype=torch.float64, requires_grad=True)
    values = LogRain(0.5).inverse(latent)
    values.sum().backward()
    slope = torch.tensor([0.1, 0.1, 0.3, 2.0], dtype=torch.float64)
    slope[2:] = slope[2:].exp()
    torch.testing.assert_close(latent.grad, 0.5 * slope)
    with torch.no_grad():
        torch.testing.assert_close(values.detach(), LogRain(0.5).inverse(latent))
    assert latent.tolist() == [-2.0, -0.1, 0.3, 2.0]


def test_at_its_bounds_exactly_a_value_still_moves_both_ways():
    latent = torch.tensor([-3.0, -3.0, 7.5, 7.5], requires_grad=True)
    gradient = torch.tensor([1.0, -1.0, 1.0, -1.0])
    LogRain().bound(latent).backward(gradient)
    assert latent.grad.tolist() == gradient.tolist()
    other = torch.tensor([-99.0, 99.0])
    assert Standard().bound(other).tolist() == [-99.0, 99.0]


def test_offsets_have_their_closed_form():
    wanted, obtained = torch.tensor([3.0, 0.0]), torch.tensor([1.0, 0.6])
    torch.testing.assert_close(
        LogRain(0.2, 1.3).offset(wanted, obtained), 1.3 * torch.tensor([3.2 / 1.2, 0.2 / 0.8]).log()
    )
    torch.testing.assert_close(Standard(7.0, 4.0).offset(wanted, obtained), torch.tensor([0.5, -0.15]))
    assert LogRain() == LogRain(0.2, 1.3)
    assert Standard() == Standard(0.0, 1.0)
    assert (LogRain.nonnegative, Standard.nonnegative) == (True, False)


def test_features_are_the_latent_value_and_for_rain_whether_there_is_any():
    values = torch.tensor([[0.0, 1e-6], [0.2, 5.0]])
    shown = LogRain().features(values)
    torch.testing.assert_close(shown[0], torch.log1p(values / 0.2))
    assert shown[1].tolist() == [[0, 1], [1, 1]]
    torch.testing.assert_close(Standard(1.0, 2.0).features(values), ((values - 1) / 2)[None])


def test_values_are_cut_at_their_limits_and_the_gradient_leaks_beyond():
    humidity = Bounded(50.0, 25.0, 0.0, 100.0)
    latent = torch.tensor([-3.0, -1.0, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    values = humidity.inverse(latent)
    assert values.tolist() == [0.0, 25.0, 50.0, 100.0]
    values.sum().backward()
    assert latent.grad.tolist() == [2.5, 25.0, 25.0, 2.5]
    assert Bounded(5.0, 2.0).inverse(torch.tensor([-9.0, 90.0])).tolist() == [0.0, 185.0]
