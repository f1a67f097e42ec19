"""The imaginary radar: seeded, coherent, intermittent, heavy-tailed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.field.axes import find_axes
from xdownscale.field.grid import describe
from xdownscale.tutorial import rain


@pytest.fixture(scope="module")
def field():
    return rain((12, 240, 240))


def shifted(frame, rows, columns):
    return np.roll(frame, (rows, columns), axis=(0, 1))


def test_the_same_seed_gives_the_same_values_and_another_seed_other_weather(field):
    xr.testing.assert_identical(field, rain((12, 240, 240)))
    assert not np.array_equal(field.values, rain((12, 240, 240), seed=1).values)


def test_the_global_random_state_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002  this is the state to leave alone
    rain((2, 20, 20))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_crop_and_a_shorter_series_are_parts_of_the_whole(field):
    part = rain((5, 80, 100))
    xr.testing.assert_identical(part, field.isel(time=slice(5), y=slice(80), x=slice(100)))


@pytest.mark.parametrize("seed", range(4))
def test_rain_falls_on_a_tenth_to_a_third_of_the_area_with_a_heavy_tail(seed):
    values = rain((6, 384, 384), seed=seed).values
    assert 0.1 < (values > 0).mean() < 0.35
    assert 8 < np.quantile(values, 0.999) < 80
    wet = values[values > 0]
    assert wet.min() >= 0.1
    assert np.quantile(wet, 0.99) > 9 * np.median(wet)  # an exponential law has 6.6


def test_the_gaussian_pattern_has_variance_one():
    from xdownscale import tutorial

    for size, seed in ((384, 0), (385, 1)):  # even and odd sizes keep different conjugate columns
        frame = next(tutorial._patterns(size, np.random.default_rng(seed), 300.0, 1000.0))
        assert frame.shape == (size, size)
        assert frame.mean() == pytest.approx(0, abs=1e-4)
    power = [
        np.square(next(tutorial._patterns(128, np.random.default_rng(seed), 300.0, 1000.0))).mean()
        for seed in range(60)
    ]
    assert np.mean(power) == pytest.approx(1, abs=0.15)


def test_patterns_travel_with_the_wind(field):
    first, last = np.log1p(field.values[0]), np.log1p(field.values[3])
    by_shift = {
        (j, i): np.corrcoef(shifted(first, j, i)[30:-30, 30:-30].ravel(), last[30:-30, 30:-30].ravel())[0, 1]
        for j in range(-18, 19, 2)
        for i in range(-18, 19, 2)
    }
    best = max(by_shift, key=by_shift.get)
    speed = np.hypot(*best) * 1000 / 900
    assert 6 < speed < 18
    assert by_shift[best] > by_shift[0, 0] + 0.1


def test_small_scales_are_forgotten_sooner(field):
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(np.log1p(field.values), (0, 20, 20))
    rough = np.log1p(field.values) - smooth

    def lag(values):
        return np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]

    assert lag(smooth) > lag(rough) + 0.1


def test_the_field_describes_itself(field):
    grid = describe(field, find_axes(field))
    assert (grid.spacing_y, grid.spacing_x) == (1000, 1000)
    assert grid.step == np.timedelta64(5, "m")
    assert field.attrs["units"] == "mm h-1"
    hourly = rain((3, 10, 10), step="1h", spacing=2000.0)
    assert describe(hourly, find_axes(hourly)).step == np.timedelta64(1, "h")
    assert float(hourly.x[1] - hourly.x[0]) == 2000


def test_impossible_wishes_are_refused():
    with pytest.raises(EmptyFieldError, match=r"rain\(\(36, 240, 240\)\)"):
        rain((0, 10, 10))
    for step in ("soon", "0min"):
        with pytest.raises(ValueRangeError, match='step="5min"'):
            rain((2, 10, 10), step=step)
    with pytest.raises(ValueRangeError, match=r"spacing=1000\.0"):
        rain((2, 10, 10), spacing=-1.0)
