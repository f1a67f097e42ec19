import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import every_kind, label, sample
from xdownscale.errors import ValueRangeError
from xdownscale.metrics import crps_ensemble, energy_score, variogram_score

SIZE = 12 * 16


def frames(observations, ensemble):
    """Values as (time, points) and (time, member, points)."""
    theirs = ensemble.transpose("time", "member", "y", "x").values
    return observations.values.reshape(3, -1), theirs.reshape(*theirs.shape[:2], -1)


@every_kind
@pytest.mark.parametrize(("estimator", "theirs"), [("fair", "fair"), ("biased", "nrg")])
def test_energy_score_equals_scoringrules(kind, estimator, theirs):
    oracle = pytest.importorskip("scoringrules")
    observations, ensemble = sample(kind)
    found = energy_score(observations, ensemble, points=SIZE, estimator=estimator, dim=())
    ours, values = frames(observations, ensemble)
    if kind == "single-member":
        expected = np.linalg.norm(ours - values[:, 0], axis=-1)
    else:
        expected = oracle.es_ensemble(ours, values, estimator=theirs, backend="numpy")
    np.testing.assert_allclose(found, expected / np.sqrt(SIZE))


@every_kind
@pytest.mark.parametrize("p", [0.5, 1.0])
@pytest.mark.parametrize(("estimator", "theirs"), [("fair", "fair"), ("biased", "nrg")])
def test_variogram_score_equals_scoringrules(kind, estimator, theirs, p):
    oracle = pytest.importorskip("scoringrules")
    observations, ensemble = (part.isel(y=slice(5), x=slice(6)) for part in sample(kind))
    found = variogram_score(observations, ensemble, estimator=estimator, p=p, dim=())
    ours, values = frames(observations, ensemble)
    theirs = "nrg" if kind == "single-member" else theirs
    expected = oracle.vs_ensemble(ours, values, p=p, estimator=theirs, backend="numpy")
    np.testing.assert_allclose(found, expected / (30 * 29), atol=1e-12)


def test_the_energy_score_of_equal_cells_is_their_crps():
    observations, ensemble = sample()
    one = {"y": [0] * 12, "x": [0] * 16}
    observations, ensemble = (part.copy(data=part.isel(one).values) for part in (observations, ensemble))
    np.testing.assert_allclose(energy_score(observations, ensemble), crps_ensemble(observations, ensemble))


def test_points_are_the_same_for_all_and_only_theirs_count():
    observations, ensemble = sample()
    for metric in (energy_score, variogram_score):
        few = metric(observations, ensemble, points=20)
        assert few == metric(observations, ensemble, points=20)
        assert few != metric(observations, ensemble, points=20, seed=1)
        np.testing.assert_allclose(few, metric(observations, ensemble, points=SIZE), rtol=0.5)


def test_missing_points_are_left_out_of_their_frame():
    observations, ensemble = sample()
    holed = observations.copy()
    holed[:, :, 10:] = np.nan
    holed[0] = np.nan
    for metric in (energy_score, variogram_score):
        found = metric(holed, ensemble, points=SIZE, skipna=True)
        kept = {"time": slice(1, None), "x": slice(0, 10)}
        expected = metric(observations.isel(kept), ensemble.isel(kept), points=SIZE)
        np.testing.assert_allclose(found, expected)


def test_variogram_score_sees_wrong_correlations():
    chance = np.random.default_rng(0)
    smooth = chance.normal(size=(21, 40, 1, 1)) + 0.2 * chance.normal(size=(21, 40, 6, 6))
    observations, good = label(smooth[0], ("time", "y", "x")), label(smooth[1:], ("member", "time", "y", "x"))
    apart = good.copy(data=chance.permuted(smooth[1:], axis=0))
    assert variogram_score(observations, apart) > 2 * variogram_score(observations, good)
    np.testing.assert_allclose(variogram_score(observations, good + 5), variogram_score(observations, good))


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        (energy_score, {"points": 1}, "points=2"),
        (variogram_score, {"estimator": "quantile"}, '"fair" or "biased"'),
        (variogram_score, {"p": 0}, "p=0.5"),
    ],
)
def test_options_out_of_range_are_refused(metric, options, message):
    with pytest.raises(ValueRangeError, match=message):
        metric(*sample(), **options)


def test_units_follow_the_power():
    observations, ensemble = (part.isel(time=[0]) for part in sample(members=2))
    assert variogram_score(observations, ensemble).attrs["units"] == "mm h-1"
    assert variogram_score(observations, ensemble, p=1).attrs["units"] == "mm2 h-2"
    assert "units" not in variogram_score(observations, xr.DataArray(ensemble), p=0.7).attrs
