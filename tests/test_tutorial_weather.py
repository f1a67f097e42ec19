"""The simulator of several variables: seeded, balanced, and of the joint law that it states."""

import numpy as np
import pytest

import xdownscale
from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.tutorial import weather, weather_law
from xdownscale.tutorial.atmosphere import GAUSSIAN, THRESHOLD

SHAPE = (4, 128, 128)


@pytest.fixture(scope="module")
def fields():
    return weather(SHAPE, seed=3)


def periodic(field, dim, spacing=10_000.0):
    """The derivative of a field on the whole periodic domain, in wave space."""
    axis = field.get_axis_num(dim)
    size = field.shape[axis]
    k = 2j * np.pi * np.fft.fftfreq(size, spacing)
    k[size // 2] = 0
    shape = [1] * field.ndim
    shape[axis] = size
    return np.fft.ifft(np.fft.fft(field.values.astype(float), axis=axis) * k.reshape(shape), axis=axis).real


def test_a_crop_and_a_shorter_series_are_parts_of_the_whole(fields):
    part = weather((2, 90, 70), seed=3)
    for name in fields:
        np.testing.assert_array_equal(part[name], fields[name][:2, :90, :70])
    assert not np.array_equal(weather((2, 90, 70), seed=4).tas, part.tas)


def test_wind_and_pressure_are_in_geostrophic_balance(fields):
    for wind, gradient in (
        (fields.uas - 9.0, -periodic(fields.psl, "y")),
        (fields.vas - 4.0, periodic(fields.psl, "x")),
    ):
        np.testing.assert_allclose(wind, gradient / (1.2 * 1e-4), atol=0.02)


def test_the_wind_has_no_divergence(fields):
    divergence = periodic(fields.uas, "x") + periodic(fields.vas, "y")
    assert abs(divergence).max() < 1e-3 * periodic(fields.vas, "x").std()


def test_means_and_deviations_are_those_of_the_law():
    law, names = weather_law(SHAPE), list(GAUSSIAN)
    stacked = np.stack(
        [weather((1, 128, 128), seed=s).to_dataarray().sel(variable=names)[:, 0] for s in range(60)]
    )
    variance = np.einsum("iiyx->iyx", law.covariance(names))[:, 0, 0]
    means = np.array([law.means[name] for name in names])
    np.testing.assert_allclose(stacked.mean((0, 2, 3)), means, atol=1e-4 * variance.max() ** 0.5)
    np.testing.assert_allclose(stacked.var((0, 2, 3)), variance, rtol=0.12)


@pytest.mark.parametrize("lag", [0, 2])
def test_covariances_between_variables_places_and_steps_are_those_of_the_law(lag):
    """The sample over 80 seeds lies within sampling error of the closed form, at distances with a direction."""
    law, names, places = (
        weather_law(SHAPE),
        ["psl", "uas", "vas", "tas", "huss"],
        [(0, 0), (3, 0), (0, 4), (-2, 5)],
    )
    scales = np.sqrt(np.einsum("iiyx->iyx", law.covariance(names))[:, 0, 0])
    means = np.array([law.means[name] for name in names])
    theory = law.covariance(names, lag=lag) / np.multiply.outer(scales, scales)[..., None, None]
    found = np.zeros((5, 5, len(places)))
    seeds = 80
    for seed in range(seeds):
        series = weather((lag + 1, 128, 128), seed=seed)
        now, later = (
            (np.stack([series[n][t].values for n in names]) - means[:, None, None]) / scales[:, None, None]
            for t in (0, lag)
        )
        for number, (down, right) in enumerate(places):
            moved = np.roll(later, (-down, -right), (1, 2))
            found[..., number] += np.einsum("iyx,jyx->ij", now, moved) / now[0].size / seeds
    for number, place in enumerate(places):
        np.testing.assert_allclose(found[..., number], theory[:, :, place[0], place[1]], atol=0.08)


def test_patterns_move_with_the_wind():
    """Half an hour later the pattern is best matched where the wind has carried it."""
    field = weather((2, 128, 128), step="30min", spacing=3600.0, wind=(8.0, -4.0)).tas.values
    first, second = (np.fft.fft2(each - each.mean()) for each in field)
    peak = np.unravel_index(np.fft.ifft2(second * first.conj()).real.argmax(), field.shape[1:])
    assert [(p + 64) % 128 - 64 for p in peak] == [-2, 4]


def test_it_rains_where_the_driver_exceeds_its_threshold(fields):
    from scipy.stats import norm

    share = np.mean([(weather((1, 128, 128), seed=s).pr > 0).mean() for s in range(40)])
    assert share == pytest.approx(1 - norm.cdf(THRESHOLD), abs=0.02)
    assert float(fields.pr.min()) == 0


def test_a_series_is_stationary():
    """The noise of every step makes up for what is forgotten: the variance stays that of the law."""
    later = np.mean([weather((5, 128, 128), seed=s, step="6h").tas[4].var() for s in range(40)])
    assert later == pytest.approx(9.0, rel=0.12)


def test_highs_are_warm():
    law = weather_law(SHAPE)
    shared = law.covariance(("psl", "tas"))[0, 1, 0, 0]
    assert shared > 0


def test_rain_prefers_lows_and_moist_air():
    many = [weather((1, 128, 128), seed=s) for s in range(20)]
    wet = np.concatenate([(each.pr > 0).values.ravel() for each in many])
    for name, sign in (("psl", -1), ("huss", 1)):
        values = np.concatenate([each[name].values.ravel() for each in many]).astype(float)
        assert sign * np.corrcoef(values, wet)[0, 1] > 0.2


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()
    weather((1, 4, 4))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    ("arguments", "error", "remedy"),
    [
        ({"shape": (0, 4, 4)}, EmptyFieldError, r"weather\(\(24, 96, 96\)\)"),
        ({"step": "often"}, ValueRangeError, "step="),
        ({"spacing": -1.0}, ValueRangeError, "spacing="),
        ({"wind": (1.0,)}, ValueRangeError, r"wind=\(9\.0, 4\.0\)"),
        ({"wind": (1.0, np.nan)}, ValueRangeError, r"wind=\(9\.0, 4\.0\)"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, error, remedy):
    with pytest.raises(error, match=remedy):
        weather(**{"shape": (1, 4, 4), **arguments})


def test_it_is_a_public_name_and_the_library_understands_it(fields):
    assert xdownscale.tutorial.weather is weather
    assert dict(fields.sr.coarsen(spatial=4, temporal=2).sizes) == {"time": 2, "y": 32, "x": 32, "bnds": 2}
