import numpy as np
import pytest
import xarray as xr
from scipy.stats import wasserstein_distance

from tests.metrics.samples import case_weights, every_kind, missing, sample
from xdownscale.errors import ValueRangeError
from xdownscale.metrics import emd, percentile_error, quantiles


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
def test_emd_equals_scipy(kind, weighted):
    observations, ensemble = sample(kind)
    members = ensemble.sizes["member"]
    weights = case_weights() if weighted else None
    shares = (
        [None, None]
        if weights is None
        else [weights.values.ravel(), np.tile(weights.values.ravel(), members)]
    )
    expected = wasserstein_distance(observations.values.ravel(), ensemble.values.ravel(), *shares)
    np.testing.assert_allclose(emd(observations, ensemble, weights=weights), expected)


def test_emd_of_every_cell_equals_scipy():
    observations, ensemble = sample()
    weights = case_weights()
    found = emd(observations, ensemble, dim="time")
    weighted = emd(observations, ensemble, dim="time", weights=weights)
    for y, x in ((0, 0), (5, 7)):
        here = {"y": y, "x": x}
        pooled = ensemble.isel(here).transpose("time", "member")
        expected = wasserstein_distance(observations.isel(here), pooled.values.ravel())
        np.testing.assert_allclose(found.isel(here), expected)
        shares = weights.isel(here).values, np.repeat(weights.isel(here).values, pooled.sizes["member"])
        expected = wasserstein_distance(observations.isel(here), pooled.values.ravel(), *shares)
        np.testing.assert_allclose(weighted.isel(here), expected)


def test_emd_ignores_places_and_scales_with_values():
    observations, ensemble = sample()
    rolled = observations.roll(x=3, y=2)
    assert emd(observations, rolled) == 0
    np.testing.assert_allclose(emd(observations, observations + 2), 2)
    np.testing.assert_allclose(emd(5 * observations, 5 * ensemble), 5 * emd(observations, ensemble))


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_without_their_incomplete_cases(weighted):
    observations, ensemble = sample()
    holed = missing(observations)
    known = holed.notnull().values
    weights = case_weights() if weighted else None
    flat = xr.DataArray(observations.values[known], dims="x")
    flat_ensemble = xr.DataArray(ensemble.values[:, known], dims=("member", "x"))
    flat_weights = None if weights is None else xr.DataArray(weights.values[known], dims="x")
    for metric in (emd, percentile_error):
        expected = metric(flat, flat_ensemble, weights=flat_weights)
        np.testing.assert_allclose(metric(holed, ensemble, weights=weights, skipna=True), expected)
        assert metric(holed, ensemble, weights=weights).isnull().all()


@every_kind
def test_percentiles_equal_numpy(kind):
    observations, ensemble = sample(kind)
    q = [0, 25, 50, 99, 100]
    expected = np.percentile(ensemble, q) - np.percentile(observations, q)
    found = percentile_error(observations, ensemble, q=q)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.percentile, q)
    assert percentile_error(observations, ensemble, q=50).ndim == 0
    by_cell = np.percentile(ensemble, 50, axis=(0, 1)) - np.percentile(observations, 50, axis=0)
    np.testing.assert_allclose(
        percentile_error(observations, ensemble, q=50, dim="time"), by_cell, atol=1e-12
    )


def test_weighted_percentiles_equal_those_of_repeated_values():
    observations, ensemble = sample("random")
    times = xr.DataArray(np.random.default_rng(3).integers(0, 4, observations.shape), dims=observations.dims)
    q = [10, 50, 90, 100]
    repeated = np.repeat(observations.values.ravel(), times.values.ravel())
    pooled = np.concatenate([np.repeat(m.ravel(), times.values.ravel()) for m in ensemble.values])
    expected = [np.percentile(s, q, method="inverted_cdf") for s in (pooled, repeated)]
    np.testing.assert_allclose(
        percentile_error(observations, ensemble, q=q, weights=times), expected[0] - expected[1]
    )


def test_percentiles_outside_their_range_are_refused():
    observations, ensemble = sample()
    with pytest.raises(ValueRangeError, match=r"q=\(99, 99.9\)"):
        percentile_error(observations, ensemble, q=101)


def test_no_weight_gives_no_distance():
    observations, ensemble = sample()
    assert emd(observations, ensemble, weights=xr.zeros_like(observations)).isnull()


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
def test_histograms_are_as_far_apart_as_the_values_within_a_bin(kind, weighted):
    observations, ensemble = sample(kind)
    weights = case_weights() if weighted else None
    edges = np.linspace(0, 60, 601)
    found = emd(observations, ensemble, edges=edges, weights=weights)
    assert abs(found - emd(observations, ensemble, weights=weights)) < 0.1
    snapped = [np.floor(10 * part) / 10 + 0.05 for part in (observations, ensemble)]
    np.testing.assert_allclose(found, emd(*snapped, weights=weights), atol=1e-9)


def test_values_beyond_the_edges_are_in_the_last_bins():
    observations, ensemble = sample()
    edges = [0.0, 1.0, 2.0]
    snapped = [xr.where(part < 1, 0.5, 1.5) for part in (observations - 1, ensemble)]
    np.testing.assert_allclose(emd(observations - 1, ensemble, edges=edges), emd(*snapped))
    with pytest.raises(ValueRangeError, match="must increase"):
        emd(observations, ensemble, edges=[0, 0, 1])


@every_kind
def test_quantiles_equal_numpy(kind):
    observations, ensemble = sample(kind)
    q = [5, 50, 99.9]
    found = quantiles(observations, ensemble, q=q)
    np.testing.assert_allclose(found.sel(source="observations"), np.percentile(observations, q))
    np.testing.assert_allclose(found.sel(source="forecasts"), np.percentile(ensemble, q))


def test_a_percentile_with_no_observation_beyond_it_is_missing():
    truth = xr.DataArray(np.arange(1000.0), dims="x")
    error = percentile_error(truth, truth + 1, q=(0, 99, 99.9, 99.999, 100))
    np.testing.assert_allclose(error, [1, 1, 1, np.nan, 1])
    holes = percentile_error(truth.where(truth < 999), truth + 1, q=(99, 99.9), skipna=True)
    np.testing.assert_array_equal(np.isnan(holes), [False, True])
