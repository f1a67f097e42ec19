"""Values that are none: refused, or scored so that no score gets better by them."""

import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import sample
from tests.metrics.test_cases import SCORES, score
from tests.remedies import mended
from xdownscale import metrics
from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.evaluate import evaluate

ONE_FIELD = {
    "wet_fraction": {"thresholds": 1},
    "gini": {},
    "power_spectrum": {},
    "temporal_spectrum": {},
    "lag_autocorrelation": {},
    "spatial_autocorrelation": {"lags": 1},
    "minkowski_functionals": {"thresholds": 1},
    "wet_quantiles": {},
    "border_jump_ratio": {"spatial": 4},
}


def computed(call):
    return call().compute(scheduler="synchronous")


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("marker", [-9999.0, 1e20, np.inf])
@pytest.mark.parametrize("name", SCORES)
def test_no_score_takes_markers_or_infinities(name, marker, lazy):
    observations, ensemble = sample("random", shape=(4, 12, 16))
    if lazy:
        observations, ensemble = observations.chunk(time=2), ensemble.chunk(time=2)
    holed = ensemble.where(ensemble.x < 9000, marker)
    with pytest.raises(ValueRangeError, match="forecasts"):
        computed(lambda: score(name, observations, holed, skipna=True))
    with pytest.raises(ValueRangeError, match="observations"):
        computed(
            lambda: score(name, observations.where(observations.x < 9000, marker), ensemble, skipna=True)
        )


@pytest.mark.parametrize("name", ONE_FIELD)
def test_scores_of_one_field_take_fields_of_numbers(name):
    observations, _ = sample()
    function = getattr(metrics, name)
    with pytest.raises(ValueRangeError, match="infinite"):
        function(observations.where(observations.x > 0, np.inf), **ONE_FIELD[name])
    for other, word in (
        (observations.values, "xarray.DataArray"),
        (observations.to_dataset(name="a"), "dataset"),
    ):
        with pytest.raises(DimensionError, match=word):
            function(other, **ONE_FIELD[name])


def test_negative_rain_is_scored_and_refused_by_evaluate_in_observations():
    observations, ensemble = sample()
    low = (ensemble - 1).assign_attrs(ensemble.attrs)
    np.testing.assert_allclose(metrics.bias(observations, low), metrics.bias(observations, ensemble) - 1)
    below = (observations - 1).assign_attrs(observations.attrs)
    np.testing.assert_allclose(metrics.bias(below, ensemble), metrics.bias(observations, ensemble) + 1)
    with pytest.raises(ValueRangeError, match="negative") as error:
        evaluate(below, ensemble)
    assert ".where(observations >= 0)" in str(error.value)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_a_model_that_blew_up_has_no_scores_and_takes_nothing_from_others(bad, lazy):
    observations, ensemble = sample("random")
    broken = ensemble.where(ensemble < 8, bad)
    broken = broken.chunk(time=1) if lazy else broken
    names = ["crps_ensemble", "mae", "rmse", "lsd", "percentile_error", "rank_histogram"]
    if lazy:
        scores = evaluate(
            observations, {"good": ensemble, "broken": broken}, metrics=names, scales=(1, 2)
        ).compute()
    else:
        with pytest.warns(UserWarning, match="infinite values in broken"):
            scores = evaluate(
                observations, {"good": ensemble, "broken": broken}, metrics=names, scales=(1, 2)
            )
    alone = evaluate(observations, ensemble, metrics=names, scales=(1, 2))
    for name in names:
        assert scores[name].sel(model="broken").isnull().all()
        np.testing.assert_allclose(
            scores[name].sel(model="good"), alone[name].transpose(*scores[name][0].dims)
        )


@pytest.mark.parametrize("members", [True, False])
def test_the_call_of_the_warning_works(members):
    observations, ensemble = sample("random")
    broken = ensemble.where((ensemble < 8) | (xr.DataArray(np.arange(7), dims="member") != 1), np.inf)
    broken = broken if members else broken.isel(member=1)
    with pytest.warns(UserWarning, match="infinite") as told:
        evaluate(observations, broken, metrics=["mae"])
    fields = mended(str(told[0].message), forecasts=broken)
    assert fields["forecasts"].sizes == ({**broken.sizes, "member": 6} if members else broken.sizes)
    assert evaluate(observations, fields["forecasts"], metrics=["mae"]).mae.notnull()


def test_half_precision_that_overflowed_has_no_scores():
    observations, ensemble = sample("random")
    with np.errstate(over="ignore"), pytest.warns(UserWarning, match="infinite"):
        scores = evaluate(observations, (ensemble * 1e5).astype("f2"), metrics=["crps_ensemble"])
    assert scores.crps_ensemble.isnull()


def test_the_call_for_infinite_values_works():
    observations, ensemble = sample("random")
    broken = ensemble.where(ensemble < 8, np.inf)
    with pytest.raises(ValueRangeError, match="infinite") as error:
        metrics.crps_ensemble(observations, broken)
    fields = mended(str(error.value), forecasts=broken)
    assert metrics.crps_ensemble(observations, fields["forecasts"], skipna=True).notnull()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.astype(complex), "complex"),
        (lambda f: f.astype(str), "<U"),
        (lambda f: (f * 1e9).astype("timedelta64[ns]"), "timedelta"),
    ],
)
def test_anything_but_real_numbers_is_refused(change, match):
    observations, ensemble = sample()
    for pair in ((change(observations), ensemble), (observations, change(ensemble))):
        with pytest.raises(ValueRangeError, match=match):
            metrics.mae(*pair)
        with pytest.raises(ValueRangeError, match=match):
            evaluate(pair[0], pair[1])


def test_quantities_of_pint_are_refused_with_the_way_out():
    pint = pytest.importorskip("pint")
    observations, ensemble = sample()
    quantified = observations.copy(data=pint.UnitRegistry().Quantity(observations.values, "mm/h"))
    for call in (
        lambda: evaluate(quantified, ensemble),
        lambda: evaluate(observations, quantified),
        lambda: metrics.mae(quantified, ensemble),
    ):
        with pytest.raises(ValueRangeError, match="pint"):
            call()


@pytest.mark.parametrize("dtype", ["u1", "i2", bool, "f2", "f4"])
def test_whole_numbers_and_half_precision_are_scored_in_floating_point(dtype):
    observations, ensemble = sample()
    ours, theirs = ((3 * f).round().astype(dtype) for f in (observations, ensemble))
    expected = metrics.bias(ours.astype(float), theirs.astype(float))
    np.testing.assert_allclose(evaluate(ours, theirs, metrics=["bias"]).bias, expected, rtol=1e-3)


def test_fields_without_cells_are_refused():
    observations, ensemble = sample()
    with pytest.raises(ValueError, match="empty"):
        metrics.mae(observations.isel(x=[]), ensemble.isel(x=[]))
    with pytest.raises(ValueError, match="empty"):
        metrics.mae(observations, ensemble.isel(member=[]))
    assert metrics.mae(observations * np.nan, ensemble, skipna=True).isnull()
    xr.testing.assert_identical(observations, sample()[0])
