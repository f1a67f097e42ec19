"""The joint posterior of simulated weather against simulated weather."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
import oracle_weather
from oracle_weather import STILL, Posterior, exact_gain

from xdownscale.kernels.blocks import block_mean
from xdownscale.tutorial import weather, weather_law

TARGETS, SIDE = ["uas", "tas"], 8


@pytest.fixture(scope="module")
def law():
    return weather_law((1, 128, 128), wind=STILL)


@pytest.fixture(scope="module")
def posterior(law):
    return Posterior(law, TARGETS, ["psl"], (1, 4, 4), SIDE)


@pytest.fixture(scope="module")
def windows(law):
    """Anomalies (windows, variables, time, y, x)."""
    names = [*TARGETS, "psl"]
    cut = []
    for seed in range(12):
        field = weather((oracle_weather.FRAMES, 128, 128), seed=seed, wind=STILL)[names]
        values = field.to_array().values - np.array([law.means[n] for n in names])[:, None, None, None]
        cut += [values[..., y : y + SIDE, x : x + SIDE] for y in range(0, 128, 16) for x in range(0, 128, 16)]
    return np.stack(cut).astype(float)


def test_what_is_left_has_the_covariance_of_the_posterior(posterior, windows):
    coarse = block_mean(windows, posterior.blocks)
    left = np.stack([w[:2] - posterior.mean(c) for w, c in zip(windows, coarse, strict=True)])
    for n in range(2):
        exact = posterior.covariance(n, n)
        assert (left[:, n] ** 2).mean() == pytest.approx(exact.mean(), rel=0.05)
    across = posterior.covariance(0, 1)
    scale = np.sqrt(posterior.covariance(0, 0) * posterior.covariance(1, 1))
    found = (left[:, 0] * left[:, 1]).mean(0)
    np.testing.assert_allclose(found / scale, across / scale, atol=0.15)


def test_what_is_left_does_not_depend_on_what_was_seen(posterior, windows):
    coarse = block_mean(windows, posterior.blocks)
    left = np.stack([w[:2] - posterior.mean(c) for w, c in zip(windows, coarse, strict=True)])
    left, seen = left.reshape(len(left), -1), coarse.reshape(len(coarse), -1)
    correlation = np.corrcoef(left.T, seen.T)[: left.shape[1], left.shape[1] :]
    assert abs(correlation).mean() < 1.5 / np.sqrt(len(windows))


def test_pressure_helps_the_wind_and_not_the_temperature(law):
    without, with_it = (Posterior(law, TARGETS, some, (1, 4, 4), SIDE) for some in ([], ["psl"]))
    gains = exact_gain(with_it, without)
    assert gains["uas"] > 0.2
    assert 0 <= gains["tas"] < 0.02
