"""Samplers held against Gaussians, whose posterior mean is known: x̂₀ = μ + λα/(λα² + σ²)·(x_t − αμ).

With it every rule is affine in its noise, so mean and variance of the samples are computed exactly, not estimated: the
sample from zeros is the mean, and the answers to unit noise in each place are the standard deviations that add up.
"""

from dataclasses import replace

import pytest
import torch

from xdownscale.diffusion.denoise import standardised
from xdownscale.diffusion.sample import SAMPLERS, ancestral, angle_levels, ddim, named_sampler
from xdownscale.diffusion.schedule import PURE_NOISE, NoiseLevel, cosine, karras, sigmoid
from xdownscale.errors import ArgumentError

VARIANCES = torch.logspace(-2, 1, 13, dtype=torch.float64)


class Gaussian:
    """The exact denoiser of independent Gaussian modes; counts how often it is asked."""

    def __init__(self, mean=1.0, variances=VARIANCES):
        self.mean, self.variances, self.asked = mean, variances, 0

    def __call__(self, x_t, level):
        self.asked += 1
        gain = self.variances * level.alpha / (self.variances * level.alpha**2 + level.sigma**2)
        return self.mean + gain * (x_t - level.alpha * self.mean)


def law(sampler, steps=None, *, mean=1.0):
    """Mean and standard deviation of what a sampler gives for every mode, and the evaluations it took."""
    count = len(sampler.levels(sampler.steps if steps is None else steps))
    exact = Gaussian(mean)

    def noise(number):
        place = torch.zeros(count + 1, 1, dtype=torch.float64)
        place[number + 1] = 1.0
        return place.expand(count + 1, len(VARIANCES))

    result = sampler(exact, noise, steps=steps)
    return result[0], (result[1:] - result[0]).square().sum(0).sqrt(), exact.asked


@pytest.mark.parametrize("name", SAMPLERS)
def test_mean_and_spread_of_gaussians_within_three_percent_by_default(name):
    mean, spread, _ = law(SAMPLERS[name])
    assert float((mean - 1).abs().max()) < 0.03
    assert float((spread / VARIANCES.sqrt() - 1).abs().max()) < 0.03


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [4, 9])
def test_the_cost_is_what_is_said(name, steps):
    assert law(SAMPLERS[name], steps)[2] == SAMPLERS[name].cost(steps)


def test_the_default_asks_six_times():
    assert law(SAMPLERS["angle"])[2] == 6


@pytest.mark.parametrize(
    ("steps", "worst"), [(3, 0.139), (4, 0.066), (5, 0.022), (6, 0.021), (8, 0.0125), (10, 0.0104)]
)
def test_the_worst_deviation_in_the_angle_is_the_tabulated_one(steps, worst):
    _, spread, _ = law(SAMPLERS["angle"], steps)
    assert float((spread / VARIANCES.sqrt() - 1).abs().max()) == pytest.approx(worst, rel=0.02)


@pytest.mark.parametrize("name", ["angle", "dpm", "heun", "ddim"])
def test_more_steps_lead_to_the_truth(name):
    def worst(steps):
        levels = karras(steps, largest=200.0, smallest=1e-3)
        z = torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, 13)
        zero, one = SAMPLERS[name].rule(Gaussian(), levels, lambda n: z)
        return float(((one - zero) / VARIANCES.sqrt() - 1).abs().max())

    assert worst(400) < 0.5 * worst(40)
    assert worst(400) < 0.012


@pytest.mark.parametrize("name", ["angle", "dpm", "heun", "ddim"])
def test_the_mean_is_exact_with_any_number_of_steps(name):
    for steps in (3, 7):
        mean, _, _ = law(SAMPLERS[name], steps, mean=-2.5)
        torch.testing.assert_close(mean, torch.full_like(mean, -2.5), rtol=1e-9, atol=0)


def test_white_noise_of_unit_variance_passes_the_angle_unchanged():
    z = torch.randn(100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for steps in (3, 5, 10):
        sample = SAMPLERS["angle"](lambda x, level: level.alpha * x, lambda n: z, steps=steps)
        torch.testing.assert_close(sample, z)


def test_a_point_is_found_whatever_the_noise():
    z = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for sampler in SAMPLERS.values():
        sample = sampler(lambda x, level: torch.full_like(x, 0.7), lambda n: z, steps=8)
        torch.testing.assert_close(sample, torch.full_like(z, 0.7), rtol=0, atol=1e-4)


def test_an_unstandardised_residual_loses_its_spread_under_few_steps_of_ddim():
    # STVD's sigmoid schedule and 30 of its 1400 steps: 42 % of a standard deviation of 0.05 is left, 67 % of 0.1
    every = sigmoid(1400)
    levels = every[torch.linspace(0, 1400, 31).round().long()]
    deviations = torch.tensor([0.05, 0.1, 0.3, 1.0], dtype=torch.float64)
    denoise = Gaussian(0.0, deviations**2)
    kept = ddim(denoise, levels, lambda n: torch.ones(4).double()) / deviations
    torch.testing.assert_close(kept, torch.tensor([0.42, 0.67, 0.90, 0.96]).double(), rtol=0, atol=0.02)


def test_rules_agree_where_all_are_exact_enough():
    z = torch.randn(13, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    fine = karras(2000, largest=200.0, smallest=1e-3)
    samples = [
        SAMPLERS[name].rule(Gaussian(), fine, lambda n: z) for name in ("ddim", "dpm", "heun", "angle")
    ]
    for other in samples[1:]:
        torch.testing.assert_close(other, samples[0], rtol=0.01, atol=0.005)


def test_ancestral_sampling_works_on_any_schedule_with_many_steps():
    sampler = SAMPLERS["ddpm"]
    other = type(sampler)(sampler.rule, cosine, 1000, sampler.cost)
    mean, spread, _ = law(other)
    assert float((mean - 1).abs().max()) < 0.01
    assert float((spread / VARIANCES.sqrt() - 1).abs().max()) < 0.01


def test_same_noise_same_sample_and_single_precision_is_enough():
    z = torch.randn(13, generator=torch.Generator().manual_seed(0))
    denoise = Gaussian(1.0, VARIANCES.float())
    for sampler in SAMPLERS.values():
        first, second = (sampler(denoise, lambda n: z, steps=20) for _ in range(2))
        assert first.dtype == torch.float32
        assert torch.equal(first, second)
        precise = sampler(Gaussian(), lambda n: z.double(), steps=20)
        torch.testing.assert_close(first.double(), precise, rtol=1e-4, atol=1e-4)


def test_levels_fall_and_end_clean():
    for steps in (1, 2, 5, 7, 40):
        ratio = angle_levels(steps).ratio
        assert len(ratio) == steps + 1
        assert (ratio.diff() < 0).all()
        assert ratio[-1] == 0


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ArgumentError, match="'angle', 'dpm', 'heun', 'ddim', 'ddpm'"):
        named_sampler("euler")


def missed(rule, steps, *, uneven=False):
    """Relative error of the spread of every mode, against the exact flow u − μ ∝ √(λ + r²) from the first ratio on."""
    share = torch.ones(steps, dtype=torch.float64)
    share[::2] = 2.0 if uneven else 1.0
    depth = torch.cat([share.new_zeros(1), share.cumsum(0) / share.sum()])
    ratio = 10.0 * 1e-5**depth
    levels = NoiseLevel.from_ratio(torch.cat([ratio, ratio.new_zeros(1)]))
    z = torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, len(VARIANCES))
    still, moved = rule(Gaussian(), levels, lambda n: z)
    first = levels[0]
    exact = (VARIANCES / (VARIANCES * first.alpha**2 + first.sigma**2)).sqrt()
    return ((moved - still) / exact - 1).abs()


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("heun", 2), ("dpm", 2)])
@pytest.mark.parametrize("uneven", [False, True], ids=["even steps", "steps of 1 and 2 in turn"])
def test_errors_fall_with_the_order_of_the_rule(name, order, uneven):
    coarse, fine = (missed(SAMPLERS[name].rule, steps, uneven=uneven).norm() for steps in (160, 320))
    assert float((coarse / fine).log2()) == pytest.approx(order, rel=0.04)


def test_the_angle_is_of_first_order_on_a_grid_on_which_nothing_cancels():
    def error(steps):
        levels = karras(steps, largest=10.0, smallest=1e-4)
        z = torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, len(VARIANCES))
        still, moved = SAMPLERS["angle"].rule(Gaussian(), levels, lambda n: z)
        power = VARIANCES * levels.alpha[0] ** 2 + levels.sigma[0] ** 2
        return ((moved - still) / (VARIANCES / power).sqrt() - 1).abs()

    order = (error(400) / error(800)).log2()
    torch.testing.assert_close(order[VARIANCES != 1], torch.ones(12).double(), rtol=0, atol=0.05)


def test_the_variance_of_ancestral_sampling_is_right_to_first_order_in_the_steps():
    def error(steps):
        levels = NoiseLevel.from_angle(torch.linspace(1.55, 0, steps + 1, dtype=torch.float64))
        sampler = replace(SAMPLERS["ddpm"], levels=lambda _: levels)
        return law(sampler, steps)[1].square() / VARIANCES - 1

    coarse, fine = error(200), error(400)
    assert float(fine.abs().max()) < 0.03
    small = VARIANCES < 0.9  # λ = 1 is exact, and what is missing at the start counts for large λ
    torch.testing.assert_close((coarse / fine).log2()[small], torch.ones(8).double(), rtol=0, atol=0.1)


def test_ancestral_noise_is_fresh_in_every_step_but_the_last():
    asked = []
    levels = NoiseLevel.from_angle(torch.linspace(1.5, 0, 6, dtype=torch.float64))
    SAMPLERS["ddpm"].rule(Gaussian(), levels, lambda n: asked.append(n) or torch.zeros(13).double())
    assert asked == [0, 1, 2, 3, 4]


DEFAULTS = {
    "angle": (5, 0.01141, -0.02200),
    "dpm": (15, 0.02478, -0.00441),
    "heun": (18, 0.02191, -0.00690),
    "ddim": (100, -0.02032, -0.02632),
    "ddpm": (1000, 0.00766, -0.00178),
}
"""Steps, and the largest and smallest deviation of a mode's standard deviation: every number of a grid moves them."""


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_default_grids_are_those_that_were_chosen(name):
    spread = law(SAMPLERS[name])[1] / VARIANCES.sqrt() - 1
    steps, most, least = DEFAULTS[name]
    assert SAMPLERS[name].steps == steps
    assert (float(spread.max()), float(spread.min())) == pytest.approx((most, least), abs=2e-5)
    assert SAMPLERS[name].fresh == (name == "ddpm")


def test_grids_of_the_angle_between_known_numbers_of_steps_are_those_of_the_next_smaller():
    for steps, known in ((1, 3), (2, 3), (7, 6), (9, 8), (40, 10)):
        ends = [angle_levels(known).ratio[place] for place in (0, -2)]
        found = angle_levels(steps).ratio
        assert float(found[0]) == pytest.approx(float(ends[0]))
        if steps > 1:
            assert float(found[-2]) == pytest.approx(float(ends[1]))


@pytest.mark.parametrize(
    ("deviation", "kept"), [(0.05, 0.42), (0.1, 0.67), (0.3, 0.90), (1.0, 0.96)], ids=str
)
def test_thirty_published_steps_keep_a_part_of_the_spread(deviation, kept):
    """STVD's schedule and steps, exact denoiser: a residual that is not standardised loses more than half of it."""

    def denoise(x, level):
        return deviation**2 * level.alpha / (deviation**2 * level.alpha**2 + level.sigma**2) * x

    one = torch.ones(1, dtype=torch.float64)
    assert float(named_sampler("ddim-sigmoid")(denoise, lambda n: one)) / deviation == pytest.approx(
        kept, abs=0.006
    )


def test_published_levels_are_1400_of_a_sigmoid_and_end_in_noise():
    levels = named_sampler("ddim-sigmoid").levels(1400)
    power = levels.alpha.square()
    assert len(levels) == 1401
    assert bool((power.diff() > 0).all())
    assert float(power[0]) == pytest.approx(2.1e-7, rel=0.05)
    assert float(power[-1]) == 1.0


def test_the_noise_of_a_step_is_what_was_put_in():
    """v̂ exact: r̂ = α·r_n − σ·v̂ is r₀ and (r_n − α·r̂)/σ = σ·r_n + α·v̂ is ε, not (σ/α)·(r_n − r̂)."""
    clean, noise = torch.tensor(0.3), torch.tensor(-1.7)
    alpha, sigma = torch.tensor(0.6), torch.tensor(0.8)
    r_n, v = alpha * clean + sigma * noise, alpha * noise - sigma * clean
    found = alpha * r_n - sigma * v
    torch.testing.assert_close(found, clean)
    torch.testing.assert_close((r_n - alpha * found) / sigma, noise)
    torch.testing.assert_close(sigma * r_n + alpha * v, noise)
    assert abs(float(sigma / alpha * (r_n - found) - noise)) > 0.1


def test_ancestral_sampling_is_equations_8_to_12_of_the_scale_adaptive_paper():
    """Each step by the paper's letters, with the noise that a velocity implies, and none in the last step."""
    steps, last, size = 1000, 0.035, 0.05
    beta = torch.linspace(1e-4, last, steps, dtype=torch.float64)
    kept = torch.cumprod(1 - beta, 0)  # ᾱ_j
    source = torch.Generator().manual_seed(0)
    draws = torch.randn((steps, 3), generator=source, dtype=torch.float64)

    def velocity(r, power):  # of the exact denoiser of N(0, size²)
        signal = size**2 * power.sqrt() / (size**2 * power + 1 - power) * r
        return (power.sqrt() * r - signal) / (1 - power).sqrt()

    r = draws[0]
    for j in range(steps, 0, -1):
        b, a, power = beta[j - 1], 1 - beta[j - 1], kept[j - 1]
        noise = power.sqrt() * velocity(r, power) + (1 - power).sqrt() * r  # equation 11
        z = draws[steps - j + 1] if j > 1 else torch.zeros(3)
        r = (r - b / (1 - power).sqrt() * noise) / a.sqrt() + b.sqrt() * z  # equation 12

    def denoise(x, level):
        return level.alpha * x - level.sigma * velocity(x, level.alpha.square())

    sampler = ancestral(last)
    torch.testing.assert_close(sampler(denoise, lambda n: draws[n]), r)
    assert sampler.steps == sampler.cost(1000) == 1000
    # equations 8 and 9: one step after the other, or all at once
    levels = sampler.levels(steps)
    assert float((levels.alpha[0] - torch.sqrt(kept[-1])).abs()) < 1e-12
    forward = torch.ones((), dtype=torch.float64)
    for each in beta:
        forward = (1 - each) * forward
    assert float(levels.alpha[0] ** 2) == pytest.approx(float(forward))


def test_the_last_ancestral_step_takes_no_noise_and_fewer_steps_use_levels_of_training():
    levels = ancestral(0.02).levels(50)
    assert len(levels) == 51
    whole = ancestral(0.02).levels(1000)
    assert all(bool((whole.sigma == each).any()) for each in levels.sigma)

    def exact(x, level):
        return 0.0 * x

    first, other = (
        ancestral(0.02)(exact, lambda n, last=last: torch.tensor(last if n == 49 else 1.0), steps=50)
        for last in (0.0, 9.0)
    )
    assert float(first) == 0  # the last step gives x̂₀ itself
    assert float(other) == 0


@pytest.mark.parametrize("name", ["angle", "dpm", "heun"])
def test_a_denoiser_of_small_data_is_sampled_in_few_steps_once_it_is_standardised(name):
    """The exact denoiser of N(m, s²) becomes that of N(m/s, 1)."""
    size, mean = 0.05, 0.02
    own = Gaussian(mean, torch.tensor([size**2], dtype=torch.float64))
    wanted = Gaussian(mean / size, torch.ones(1, dtype=torch.float64))
    made = standardised(own, size)
    x = torch.randn(5, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for level in (*karras(9, largest=20.0, smallest=0.01)[torch.arange(9)], PURE_NOISE):
        torch.testing.assert_close(made(x, level), wanted(x, level))
    z = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    zero, one = SAMPLERS[name](made, lambda n: z)
    assert float(zero * size) == pytest.approx(mean, rel=0.03)
    assert float((one - zero).abs() * size) == pytest.approx(size, rel=0.03)
    plain = SAMPLERS[name](own, lambda n: z)
    assert abs(float(plain[1] - plain[0]) / size - 1) > 0.03  # without it spread is lost
