"""Schedules: their ends, their closed forms, and that none of them ever rises."""

import math

import pytest
import torch

from xdownscale.diffusion import schedule
from xdownscale.diffusion.schedule import NoiseLevel

SCHEDULES = {
    "linear": schedule.linear_beta(),
    "cosine": schedule.cosine(),
    "sigmoid": schedule.sigmoid(),
    "cosine squared": schedule.cosine_squared(),
    "karras": schedule.karras(20, largest=80.0, smallest=0.002),
    "angles": schedule.even_angles(20),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_noise_falls_from_hardly_any_signal_to_hardly_any_noise(name):
    levels = SCHEDULES[name]
    assert (levels.ratio.diff() < 0).all()
    assert levels[0].alpha < 0.08
    assert levels[-1].sigma <= 1e-3
    rest = 1e-6 if name == "cosine squared" else 0.0
    power = levels.alpha.square() + levels.sigma.square()
    torch.testing.assert_close(power, torch.full_like(power, 1 + rest), rtol=0, atol=1e-12)


@pytest.mark.parametrize("last", [0.01, 0.02, 0.035])
def test_linear_beta_is_the_product_of_its_betas(last):
    levels = schedule.linear_beta(1000, 1e-4, last)
    beta = [1e-4 + (last - 1e-4) * j / 999 for j in range(1000)]
    assert float(levels[0].alpha) == pytest.approx(math.sqrt(math.prod(1 - b for b in beta)))
    assert float(levels[-2].sigma) == pytest.approx(0.01)
    steps = 1 - (levels.alpha[:-1] / levels.alpha[1:]).square()
    assert steps.flip(0).tolist() == pytest.approx(beta)


def test_published_ends():
    # the values that the papers' settings lead to: sqrt of the cumulative product at the last of 1000 steps
    assert [
        float(schedule.linear_beta(last=b)[0].alpha) for b in (0.01, 0.015, 0.02, 0.035)
    ] == pytest.approx([0.079, 0.023, 0.0064, 1.4e-4], rel=0.05)
    assert float(schedule.sigmoid(1400)[0].alpha.square()) == pytest.approx(2e-7, rel=0.1)


def test_cosine_follows_its_angle_up_to_its_offset():
    levels = schedule.cosine(100)
    half = math.cos(math.pi / 2 * 0.508 / 1.008) / math.cos(math.pi / 2 * 0.008 / 1.008)
    assert float(levels[50].alpha) == pytest.approx(half)


def test_cosine_squared_keeps_its_rest_at_both_ends():
    levels = schedule.cosine_squared(256, 1e-3)
    assert float(levels[0].alpha) == pytest.approx(1e-3)
    assert (float(levels[-1].alpha), float(levels[-1].sigma)) == pytest.approx((1.0, 1e-3))


def test_karras_meets_the_ratios_between_which_it_lies():
    levels = schedule.karras(7, largest=10.0, smallest=0.1, rho=4.0)
    assert levels.ratio[[0, -2, -1]].tolist() == pytest.approx([10.0, 0.1, 0.0])
    roots = levels.ratio[:-1] ** 0.25
    torch.testing.assert_close(roots.diff(), roots.diff().mean().expand(6))


def test_angles_are_even_and_begin_without_signal():
    levels = schedule.even_angles(4)
    assert float(levels[0].alpha) == 0.0
    assert levels.angle.tolist() == pytest.approx([math.pi / 2 * k / 4 for k in (4, 3, 2, 1, 0)])


def test_angle_ratio_and_power_describe_the_same_level():
    angle = torch.linspace(0.1, 1.5, 9, dtype=torch.float64)
    level = NoiseLevel.from_angle(angle)
    torch.testing.assert_close(level.angle, angle)
    for other in (NoiseLevel.from_ratio(level.ratio), NoiseLevel.from_power(level.alpha.square())):
        torch.testing.assert_close(other.alpha, level.alpha)
        torch.testing.assert_close(other.sigma, level.sigma)


def test_drawn_levels_follow_their_law_and_their_generator():
    source = torch.Generator().manual_seed(0)
    logs = schedule.random_ratio(20_000, centre=-0.5, width=1.2, generator=source).ratio.log()
    assert float(logs.mean()) == pytest.approx(-0.5, abs=0.03)
    assert float(logs.std()) == pytest.approx(1.2, rel=0.02)
    angles = schedule.random_angle(20_000, generator=source).angle
    assert float(angles.mean()) == pytest.approx(math.pi / 4, rel=0.02)
    assert float(angles.max()) > 1.57
    again = schedule.random_angle(3, generator=torch.Generator().manual_seed(1)).angle
    assert torch.equal(again, schedule.random_angle(3, generator=torch.Generator().manual_seed(1)).angle)


def test_a_sample_is_noised_by_the_factors_of_its_level():
    level = NoiseLevel.from_angle(torch.tensor([0.3, 1.2], dtype=torch.float64))
    signal, noise = torch.full((2, 3, 1), 2.0).double(), torch.full((2, 3, 1), 5.0).double()
    noised = level.shaped(3).noised(signal, noise)
    assert level.shaped(3).alpha.shape == (2, 1, 1)
    for each, angle in zip(noised, (0.3, 1.2), strict=True):
        torch.testing.assert_close(
            each, torch.full((3, 1), 2 * math.cos(angle) + 5 * math.sin(angle)).double()
        )
    assert len(level) == 2
    assert [float(each.angle) for each in level] == pytest.approx([0.3, 1.2])
    assert float(level[1].ratio) == pytest.approx(math.tan(1.2))
    assert (float(schedule.PURE_NOISE.alpha), float(schedule.PURE_NOISE.sigma)) == (0.0, 1.0)


def test_where_a_schedule_would_reach_pure_noise_a_thousandth_of_the_signal_is_left():
    for levels in (schedule.cosine(100), schedule.sigmoid(100)):
        power = levels.alpha.square()
        beta = 1 - power[:-1] / power[1:]
        assert float(beta[0]) == pytest.approx(0.999)
        assert float(beta[1]) < 0.99


def test_sigmoid_follows_its_closed_form():
    levels = schedule.sigmoid(10, start=-2.0, end=4.0, scale=0.5)
    s = [k / 10 for k in range(10)]
    curve = lambda z: 1 / (1 + math.exp(-z / 0.5))  # noqa: E731
    power = [(curve(4) - curve(-2 + each * 6)) / (curve(4) - curve(-2)) for each in s]
    assert levels.alpha.square().flip(0)[:10].tolist() == pytest.approx(power)


def test_cosine_squared_follows_its_closed_form():
    levels = schedule.cosine_squared(4, 0.01)
    angle = math.acos(0.1)
    assert levels.alpha.tolist() == pytest.approx([math.cos(k / 4 * angle) ** 2 for k in (4, 3, 2, 1, 0)])
    assert (levels.alpha.square() + levels.sigma.square()).tolist() == pytest.approx([1.0001] * 5)


def test_the_defaults_are_those_of_the_papers():
    """Compared with what is passed by name, and their number of levels."""
    same = [
        (schedule.linear_beta(), schedule.linear_beta(1000, first=1e-4, last=0.02), 1001),
        (schedule.cosine(), schedule.cosine(1000, offset=0.008), 1001),
        (schedule.sigmoid(), schedule.sigmoid(1400, start=-3.0, end=3.0, scale=1.0), 1401),
        (schedule.cosine_squared(), schedule.cosine_squared(256, rest=1e-3), 257),
        (schedule.karras(9, largest=9.0, smallest=0.1), schedule.karras(9, largest=9.0, smallest=0.1, rho=7.0), 10),
    ]  # fmt: skip
    for default, named, count in same:
        assert len(default) == count
        assert torch.equal(default.alpha, named.alpha)
        assert torch.equal(default.sigma, named.sigma)
    levels = schedule.random_ratio(20_000, generator=torch.Generator().manual_seed(0)).ratio.log()
    assert float(levels.mean()) == pytest.approx(-0.5, abs=0.03)
    assert float(levels.std()) == pytest.approx(1.2, rel=0.02)
