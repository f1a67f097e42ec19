"""The rain simulator: seeded, consistent in space and time, and like rain."""

import numpy as np
import pytest

import xdownscale
from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.grid import describe
from xdownscale.tutorial import rain


@pytest.fixture(scope="module")
def field():
    return rain((12, 240, 240))


def test_the_same_seed_gives_the_same_rain_and_global_random_state_is_left_alone(field):
    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(rain((12, 240, 240)), field)
    assert not np.array_equal(rain((12, 240, 240), seed=1), field)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_crop_and_a_shorter_series_are_parts_of_the_whole(field):
    np.testing.assert_array_equal(rain((5, 90, 70)), field[:5, :90, :70])


def test_a_domain_beyond_the_periodic_one_does_not_repeat():
    wide = rain((1, 40, 500)).values[0]
    assert wide.shape == (40, 500)
    assert not np.array_equal(wide[:, :116], wide[:, 384:])


def test_it_is_like_rain(field):
    values = field.values
    wet = values[values > 0]
    assert 0.1 < (values > 0).mean() < 0.35
    assert wet.min() >= 0.1
    assert 10 < np.percentile(values, 99.9) < 50
    assert wet.mean() > 1.5 * np.median(wet)


def test_rain_is_carried_along_rather_than_standing_still(field):
    """With its wind taken out, a frame is far more like the next than where it was."""
    first, second = field.values[5], field.values[6]
    spectrum = np.fft.fft2(second - second.mean()) * np.conj(np.fft.fft2(first - first.mean()))
    peak = np.unravel_index(np.fft.ifft2(spectrum).real.argmax(), first.shape)
    shift = [(p + 120) % 240 - 120 for p in peak]
    speed = 1000 * np.hypot(*shift) / 300
    assert 7 < speed < 18
    inner = (slice(20, -20),) * 2
    standing = np.corrcoef(first[inner].ravel(), second[inner].ravel())[0, 1]
    moving = np.corrcoef(first[inner].ravel(), np.roll(second, [-s for s in shift], (0, 1))[inner].ravel())[
        0, 1
    ]
    assert moving > 0.8 > standing


def test_small_scales_are_forgotten_sooner_than_large_ones(field):
    """Block means of 20 km stay alike over a quarter of an hour where single cells do not."""
    cells, blocks = field, field.sr.coarsen(spatial=20)
    alike = [np.corrcoef(each[4].values.ravel(), each[7].values.ravel())[0, 1] for each in (cells, blocks)]
    assert alike[1] > alike[0] + 0.2


def test_the_library_understands_it(field):
    assert find_axes(field) == Axes(y="y", x="x", time="time")
    grid = describe(field, find_axes(field))
    assert (grid.spacing_y, grid.units, grid.step) == (1000.0, "m", np.timedelta64(300, "s"))
    assert dict(field.sr.coarsen(spatial=10, temporal=3).sizes) == {"time": 4, "y": 24, "x": 24}
    assert field.dtype == np.float32


@pytest.mark.parametrize(("step", "seconds"), [("5min", 300), ("90s", 90), ("1h", 3600)])
def test_step_and_spacing_are_on_the_axes(step, seconds):
    field = rain((3, 4, 5), step=step, spacing=500.0)
    assert set(np.diff(field.time.values) / np.timedelta64(1, "s")) == {seconds}
    np.testing.assert_array_equal(field.x, [250, 750, 1250, 1750, 2250])


@pytest.mark.parametrize("shape", [(0, 4, 4), (3, 0, 4), (3, 4, -1)])
def test_no_cells_is_an_error(shape):
    with pytest.raises(EmptyFieldError, match=r"rain\(\(36, 240, 240\)\)"):
        rain(shape)


@pytest.mark.parametrize("step", ["often", "0min", "-5min", ""])
def test_a_step_that_is_none_is_an_error(step):
    with pytest.raises(ValueRangeError, match='step="5min"'):
        rain((1, 4, 4), step=step)


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan")])
def test_a_spacing_that_is_none_is_an_error(spacing):
    with pytest.raises(ValueRangeError, match=r"spacing=1000\.0"):
        rain((1, 4, 4), spacing=spacing)


def test_it_is_a_public_name():
    assert xdownscale.tutorial.rain is rain
