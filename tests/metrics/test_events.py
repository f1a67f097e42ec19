import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import every_kind, missing, sample
from xdownscale.metrics import brier_score, reliability, roc, roc_area


@every_kind
def test_equals_scores(kind):
    oracle = pytest.importorskip("scores.probability")
    observations, ensemble = sample(kind)
    expected = oracle.brier_score_for_ensemble(
        ensemble, observations, "member", [0.5, 3.0], fair_correction=kind != "single-member"
    )
    found = brier_score(observations, ensemble, thresholds=[0.5, 3.0])
    np.testing.assert_allclose(found, expected)
    assert found.threshold.attrs["units"] == "mm h-1"
    np.testing.assert_allclose(brier_score(observations, ensemble, thresholds=3.0), expected[1])


def test_by_hand_without_fairness():
    observations, ensemble = sample()
    one = ensemble.isel(member=0)
    expected = ((one >= 1) != (observations >= 1)).mean()
    np.testing.assert_allclose(brier_score(observations, one, thresholds=1), expected)


@every_kind
def test_reliability_equals_xskillscore(kind):
    oracle = pytest.importorskip("xskillscore")
    observations, ensemble = sample(kind)
    members = ensemble.sizes["member"]
    given = (ensemble >= 1).mean("member")
    edges = (np.arange(members + 2) - 0.5) / members
    expected = oracle.reliability(observations >= 1, given, probability_bin_edges=edges)
    found = reliability(observations, ensemble, thresholds=1)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found.share * observations.size, expected.samples)
    np.testing.assert_allclose(found.probability, expected.forecast_probability)


def test_weights_count_cases_several_times():
    observations, ensemble = sample("random")
    times = xr.DataArray(np.random.default_rng(3).integers(0, 4, observations.shape), dims=observations.dims)
    number = times.values.ravel()
    flat = xr.DataArray(np.repeat(observations.values.ravel(), number), dims="x")
    members = np.repeat(ensemble.values.reshape(7, -1), number, axis=1)
    repeated = xr.DataArray(members, dims=("member", "x"))
    for metric in (reliability, roc, roc_area):
        found = metric(observations, ensemble, thresholds=[1, 2], weights=times)
        np.testing.assert_allclose(found, metric(flat, repeated, thresholds=[1, 2]))


@every_kind
def test_roc_equals_xskillscore(kind):
    oracle = pytest.importorskip("xskillscore")
    observations, ensemble = sample(kind)
    members = ensemble.sizes["member"]
    given = (ensemble >= 1).mean("member")
    edges = np.append(np.arange(members + 1) / members, 2.0)
    expected = oracle.roc(observations >= 1, given, bin_edges=edges, return_results="all_as_tuple")
    alarms, hits, area = (np.asarray(part) for part in expected)
    found = roc(observations, ensemble, thresholds=1)
    for rate, theirs in (("hit", hits), ("false alarm", alarms)):  # theirs has some points twice
        ours = found.sel(rate=rate).values
        np.testing.assert_allclose(np.unique([0, *ours]), np.unique([0, *theirs]))
    np.testing.assert_allclose(roc_area(observations, ensemble, thresholds=1), area)


@every_kind
@pytest.mark.parametrize("holes", [False, True])
def test_roc_area_is_the_share_of_pairs_in_the_right_order(kind, holes):
    observations, ensemble = sample(kind)
    observations = missing(observations) if holes else observations
    known = observations.notnull().values
    event = (observations >= 1).values[known]
    given = (ensemble >= 1).mean("member").values[known]
    pairs = given[event][:, None] - given[~event][None]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    np.testing.assert_allclose(roc_area(observations, ensemble, thresholds=1, skipna=holes), expected)


def test_events_that_never_come_have_no_curve():
    observations, ensemble = sample()
    for metric in (roc, roc_area):
        assert metric(observations, ensemble, thresholds=1e6).isnull().any()
    perfect = roc_area(observations, observations, thresholds=[0.5, 1])
    np.testing.assert_allclose(perfect, 1)
    np.testing.assert_allclose(roc_area(observations, 0 * observations, thresholds=1), 0.5)
