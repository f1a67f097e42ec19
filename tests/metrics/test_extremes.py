import numpy as np
import pytest

from tests.metrics.samples import every_kind, sample
from xdownscale.errors import TimeAxisError, ValueRangeError
from xdownscale.metrics import return_level_error


@every_kind
def test_return_levels_are_percentiles_of_block_maxima(kind):
    observations, ensemble = sample(kind, shape=(26, 5, 6))
    found = return_level_error(observations, ensemble, block=4, periods=[2, 20])

    def maxima(values):
        return values[..., :24, :, :].reshape(*values.shape[:-3], 6, 4, 5, 6).max(axis=-3)

    q = [50, 95]
    expected = np.percentile(maxima(ensemble.values), q) - np.percentile(maxima(observations.values), q)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.attrs["block"] == 4
    by_cell = return_level_error(observations, ensemble, block=4, periods=2, dim="time")
    expected = np.median(maxima(ensemble.values), axis=(0, 1)) - np.median(
        maxima(observations.values), axis=0
    )
    np.testing.assert_allclose(by_cell, expected, atol=1e-12)


def test_the_level_of_exponential_values_has_a_closed_form():
    observations, _ = sample(shape=(4000, 5, 5))
    chance = np.random.default_rng(0)
    truth = observations.copy(data=chance.exponential(size=observations.shape))
    found = return_level_error(0 * truth, truth, block=10, periods=20)
    # P(max of 10 <= z) = (1 - exp(-z))^10 = 0.95
    np.testing.assert_allclose(found, -np.log(1 - 0.95**0.1), rtol=0.02)


def test_what_cannot_be_known_is_refused():
    observations, ensemble = sample()
    with pytest.raises(TimeAxisError, match="smaller block"):
        return_level_error(observations, ensemble, block=9)
    with pytest.raises(ValueRangeError, match="periods up to 3"):
        return_level_error(observations, ensemble, block=1, periods=10, dim="time")
    with pytest.raises(ValueRangeError, match="longer than one block"):
        return_level_error(observations, ensemble, block=1, periods=1)
