import numpy as np
import pytest

from tests.metrics.samples import case_weights, every_kind, missing, sample
from tests.support import raise_if_dask_computes
from xdownscale.errors import DimensionError
from xdownscale.metrics import spatial_autocorrelation, spatial_autocorrelation_error


def by_pairs(values, lag, weight=None):
    """Mean over both directions of the correlation of all pairs of cells."""
    found = []
    for axis in (-2, -1):
        size = values.shape[axis]
        first, second = (np.take(values, range(*ends), axis).ravel() for ends in ((size - lag,), (lag, size)))
        share = None
        if weight is not None:
            share = np.take(np.broadcast_to(weight, values.shape), range(size - lag), axis).ravel()
        known = ~np.isnan(first * second)
        share = None if share is None else share[known]
        covariance = np.cov(first[known], second[known], aweights=share)
        found.append(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    return np.mean(found)


@every_kind
@pytest.mark.parametrize("holes", [False, True])
def test_equals_the_correlation_of_pairs(kind, holes):
    observations, ensemble = sample(kind)
    observations = missing(observations) if holes else observations
    found = spatial_autocorrelation(observations, lags=[1, 4], skipna=holes)
    np.testing.assert_allclose(found, [by_pairs(observations.values, lag) for lag in (1, 4)])
    known = observations.notnull()
    error = spatial_autocorrelation_error(observations, ensemble, lags=[1, 4], skipna=holes)
    members = [by_pairs(ensemble.where(known).values, lag) for lag in (1, 4)]
    np.testing.assert_allclose(error, members - found, atol=1e-12)


def test_weights_are_those_of_the_first_of_a_pair():
    observations, ensemble = sample()
    weights = case_weights()
    found = spatial_autocorrelation_error(observations, ensemble, lags=2, weights=weights)
    parts = [by_pairs(part.values, 2, weights.values) for part in (ensemble, observations)]
    np.testing.assert_allclose(found, parts[0] - parts[1], atol=1e-12)


def test_smooth_members_are_seen():
    observations, _ = sample("random")
    smooth = observations.rolling(x=3, center=True, min_periods=1).mean()
    assert (spatial_autocorrelation_error(observations, smooth, lags=[1, 2]) > 0.1).all()
    stretched = 7 * observations + 3
    np.testing.assert_allclose(spatial_autocorrelation_error(observations, stretched, lags=1), 0, atol=1e-12)


def test_some_dimensions_may_stay_and_nothing_is_computed():
    observations, _ = sample()
    with raise_if_dask_computes():
        lazy = spatial_autocorrelation(observations.chunk(time=1, x=5), lags=[1], dim=())
    expected = [by_pairs(frame, 1) for frame in observations.values]
    np.testing.assert_allclose(lazy.compute().isel(lag=0), expected)


def test_lags_must_fit():
    with pytest.raises(DimensionError, match="12 cells on a side"):
        spatial_autocorrelation(sample()[0], lags=12)
