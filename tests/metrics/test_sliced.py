"""Distances of the laws of frames in cases where they are known."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import wasserstein_distance

from xdownscale.errors import ValueRangeError
from xdownscale.metrics import energy_log_ratio, lsd, sliced_wasserstein


def frames(count, shift=0.0, seed=0):
    values = np.random.default_rng(seed).standard_normal((count, 5, 4)) + shift
    return xr.DataArray(values, dims=("time", "y", "x"))


def test_it_is_the_mean_over_directions_of_scipys_distance():
    truth, other = frames(30), frames(30, 0.5, seed=1)
    directions = np.random.default_rng(3).standard_normal((20, 7))
    directions /= np.linalg.norm(directions, axis=0)
    here, there = (each.values.reshape(30, -1) @ directions for each in (truth, other))
    wanted = np.mean([wasserstein_distance(a, b) for a, b in zip(here.T, there.T, strict=True)])
    assert float(sliced_wasserstein(truth, other, projections=7, seed=3)) == pytest.approx(wanted)


def test_it_feels_how_cells_belong_together_and_not_which_frame_is_which():
    truth = frames(400)
    shuffled = truth.isel(time=np.random.default_rng(0).permutation(400))
    assert float(sliced_wasserstein(truth, shuffled)) == pytest.approx(0, abs=1e-12)
    even = truth.isel(x=[0] * 4, y=[0] * 5)  # every cell has the same law, and all are one
    chance = float(sliced_wasserstein(truth, frames(400, seed=9)))
    assert float(sliced_wasserstein(truth, even)) > 3 * chance


def test_a_frame_without_weight_has_no_say():
    truth, other = frames(10), frames(10, 1.0, seed=1)
    weights = xr.DataArray([1.0] * 9 + [0.0], dims="time")
    found = sliced_wasserstein(truth, other, weights=weights)
    first = {"time": slice(9)}
    assert float(found) == pytest.approx(float(sliced_wasserstein(truth.isel(first), other.isel(first))))


def test_there_is_a_direction():
    with pytest.raises(ValueRangeError, match="projections"):
        sliced_wasserstein(frames(2), frames(2), projections=0)


def test_the_log_ratio_of_an_even_factor_is_that_of_its_power():
    truth = xr.DataArray(np.random.default_rng(0).standard_normal((3, 32, 32)), dims=("time", "y", "x"))
    assert float(energy_log_ratio(truth, 0.5 * truth)) == pytest.approx(2 * np.log(2))
    off = truth + 0.3 * xr.DataArray(np.random.default_rng(1).standard_normal((3, 32, 32)), dims=truth.dims)
    # the mean of sizes is at most their root mean square
    assert float(energy_log_ratio(truth, off)) <= float(lsd(truth, off)) * np.log(10) / 10
