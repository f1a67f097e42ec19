import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import SHAPE, case_weights, label, missing, sample
from tests.support import globe, raise_if_dask_computes
from xdownscale import metrics
from xdownscale.errors import DimensionError, UnitsError

SCORES = {
    "mse": {},
    "rmse": {},
    "mae": {},
    "bias": {},
    "crps_ensemble": {},
    "crps_pooled": {"scales": [1, 4]},
    "threshold_weighted_crps": {"thresholds": [0.5, 2]},
    "rank_histogram": {},
    "pit_deviation": {},
    "spread_skill_ratio": {},
    "emd": {},
    "percentile_error": {"q": 95},  # of the higher ones a small sample knows nothing
    "lsd": {},
    "energy_log_ratio": {},
    "sliced_wasserstein": {"projections": 5},
    "ssim": {"data_range": 20.0},
    "fss": {"thresholds": [0.5, 2], "scales": [1, 5]},
    "brier_score": {"thresholds": [0.5, 2]},
    "lag_autocorrelation_error": {},
    "temporal_lsd": {},
    "spatial_autocorrelation_error": {"lags": [1, 3]},
    "minkowski_error": {"thresholds": [0.5, 2]},
    "minkowski_distance": {"thresholds": [0.5, 2]},
    "minkowski_crps": {"thresholds": [0.5, 2]},
    "lsd_noise_floor": {},
    "dry_frames": {},
    "correlation": {},
    "pit_histogram": {"bins": 5},
    "interval_coverage": {"levels": [0.5, 0.9]},
    "energy_score": {"points": 192},
    "variogram_score": {"points": 192},
    "reliability": {"thresholds": [0.5, 2]},
    "roc": {"thresholds": [0.5, 2]},
    "roc_area": {"thresholds": [0.5, 2]},
    "pooled_pit_deviation": {},
    "quantiles": {"q": [50, 99]},
    "gini_error": {},
    "wet_fraction_error": {"thresholds": [0.5, 2]},
    "return_level_error": {"block": 1, "periods": [2]},
}
WITH_GAPS = {"reliability"}
"""Scores that are missing where a probability is never given."""

OF_WHOLE_FRAMES_OR_PAIRS = {
    "lag_autocorrelation_error",
    "lsd",
    "energy_log_ratio",
    "sliced_wasserstein",
    "lsd_noise_floor",
    "temporal_lsd",
    "ssim",
    "fss",
    "minkowski_error",
    "minkowski_distance",
    "minkowski_crps",
    "energy_score",
    "variogram_score",
    "spatial_autocorrelation_error",
}
"""Scores in which a missing weight leaves out more than its cell."""

every_score = pytest.mark.parametrize("name", SCORES)


def score(name, observations, ensemble, **options):
    return getattr(metrics, name)(observations, ensemble, **SCORES[name], **options)


@every_score
@pytest.mark.parametrize(("dim", "weighted"), [(None, True), ("time", False)])
def test_chunks_change_nothing_and_nothing_is_computed(name, dim, weighted):
    observations, ensemble = sample()
    weights = case_weights() if weighted else None
    lazy_observations = observations.chunk(time=2)
    lazy_ensemble = ensemble.chunk(member=4, time=2, x=9)
    with raise_if_dask_computes():
        found = score(name, lazy_observations, lazy_ensemble, dim=dim, weights=weights)
    assert found.chunks is not None
    found = found.compute(scheduler="synchronous")
    xr.testing.assert_allclose(found, score(name, observations, ensemble, dim=dim, weights=weights))


@every_score
def test_order_of_members_and_dims_changes_nothing(name):
    observations, ensemble = sample()
    shuffled = ensemble.isel(member=[3, 0, 6, 1, 5, 2, 4]).transpose("x", "member", "time", "y")
    expected = score(name, observations, ensemble)
    xr.testing.assert_allclose(score(name, observations.transpose("y", "x", "time"), shuffled), expected)


@every_score
def test_missing_values_follow_one_rule(name):
    observations, ensemble = sample(shape=(4, 12, 16))
    hole = {"time": 1, "y": 3, "x": 4}
    holed = observations.copy()
    holed[hole] = np.nan
    holed_ensemble = ensemble.copy()
    holed_ensemble[{"member": 2, **hole}] = np.nan
    assert score(name, holed, ensemble).isnull().all()
    assert score(name, observations, holed_ensemble).isnull().all()
    one = score(name, holed, ensemble, skipna=True)
    assert one.notnull().any() if name in WITH_GAPS else one.notnull().all()
    xr.testing.assert_allclose(one, score(name, observations, holed_ensemble, skipna=True))
    assert score(name, observations * np.nan, ensemble, skipna=True).isnull().all()


@pytest.mark.parametrize("name", [name for name in SCORES if name != "dry_frames"])  # which counts frames
def test_a_missing_weight_leaves_out_its_case(name):
    observations, ensemble = sample(shape=(4, 12, 16))
    weights = label(np.random.default_rng(2).random(observations.shape) + 0.1, observations.dims)
    hole = {"time": 1, "y": 3, "x": 4}
    holed, holed_weights = observations.copy(), weights.copy()
    holed[hole] = np.nan
    holed_weights[hole] = np.nan
    assert score(name, observations, ensemble, weights=holed_weights).isnull().all()
    found = score(name, observations, ensemble, weights=holed_weights, skipna=True)
    if name in OF_WHOLE_FRAMES_OR_PAIRS:
        assert found.notnull().all()
        assert (found != score(name, observations, ensemble, weights=weights)).any()
    else:
        xr.testing.assert_allclose(found, score(name, holed, ensemble, weights=weights, skipna=True))


@every_score
def test_inputs_stay_as_they_are(name):
    observations, ensemble = sample()
    before = observations.copy(deep=True), ensemble.copy(deep=True)
    score(name, observations, ensemble, weights=case_weights())
    xr.testing.assert_identical(observations, before[0])
    xr.testing.assert_identical(ensemble, before[1])


@every_score
def test_a_forecast_without_members_is_an_ensemble_of_one(name):
    observations, ensemble = sample()
    one = ensemble.isel(member=[0])
    xr.testing.assert_identical(score(name, observations, one), score(name, observations, one.isel(member=0)))


@every_score
def test_dimensions_may_have_other_names(name):
    observations, ensemble = sample()
    names = {"time": "valid_time", "y": "lat", "x": "lon"}
    found = score(
        name, observations.rename(names), ensemble.rename(names | {"member": "number"}), member_dim="number"
    )
    np.testing.assert_allclose(found, score(name, observations, ensemble))


@every_score
def test_units_and_names_are_stated(name):
    observations, ensemble = sample()
    found = score(name, observations.assign_attrs(source="radar", valid_max=900), ensemble)
    assert found.name == name
    assert found.attrs["long_name"]
    assert found.attrs["source"] == "radar"
    assert "valid_max" not in found.attrs
    assert (
        "source"
        not in score(name, observations.assign_attrs(source="radar"), ensemble, keep_attrs=False).attrs
    )
    with_units = {"rmse", "mae", "bias", "emd", "percentile_error"}
    with_units |= {"sliced_wasserstein", "energy_score", "variogram_score", "quantiles", "return_level_error"}
    with_units |= {"crps_ensemble", "crps_pooled", "threshold_weighted_crps"}
    special = {"mse": "mm2 h-2", "minkowski_error": None, "minkowski_distance": None, "minkowski_crps": None}
    special |= dict.fromkeys(("lsd", "lsd_noise_floor", "temporal_lsd"), "dB")
    special |= dict.fromkeys(with_units, "mm h-1")
    assert found.attrs.get("units") == special.get(name, "1")


def test_without_units_none_are_invented():
    observations, ensemble = sample()
    assert "units" not in metrics.mse(observations.drop_attrs(), ensemble).attrs
    assert metrics.power_spectrum(observations.drop_attrs()).attrs.get("units") is None


def test_swapped_arguments_are_noticed():
    observations, ensemble = sample()
    with pytest.raises(DimensionError, match="observations first"):
        metrics.mse(ensemble, observations)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.isel(x=slice(1, None)), "xarray.align"),
        (lambda f: f.assign_coords(x=f.x + 500), "cells or steps against"),
        (lambda f: f.assign_coords(time=f.time + np.timedelta64(5, "m")), "do not match along 'time'"),
        (lambda f: f.isel(time=0), "broadcast_like"),
        (lambda f: f.rename(member="draw"), "member_dim"),
        (lambda f: f.drop_vars("x").isel(x=slice(3)), "sizes 16 and 3"),
    ],
)
def test_mismatch_names_the_fix(change, message):
    observations, ensemble = sample()
    with pytest.raises(DimensionError, match=message):
        metrics.crps_ensemble(observations, change(ensemble))


def test_coordinates_may_differ_by_rounding():
    observations, ensemble = sample()
    shaken = ensemble.assign_coords(x=(ensemble.x + 1e-4).astype("f4"), y=ensemble.y.drop_attrs() - 1e-9)
    found = metrics.mse(observations, shaken, dim="time")
    xr.testing.assert_identical(found, metrics.mse(observations, ensemble, dim="time"))
    xr.testing.assert_equal(found.x, observations.x)


def test_unknown_dim_and_weights_are_refused():
    observations, ensemble = sample()
    with pytest.raises(DimensionError, match=r"\['z'\]"):
        metrics.mse(observations, ensemble, dim=("x", "z"))
    with pytest.raises(DimensionError, match="the observations lack"):
        metrics.mse(observations, ensemble, weights=xr.DataArray(np.ones(3), dims="region"))
    with pytest.raises(DimensionError, match="do not match along 'x'"):
        metrics.mse(observations, ensemble, weights=xr.DataArray(np.ones(3), dims="x"))
    with pytest.raises(DimensionError, match='"area" or None'):
        metrics.mse(observations, ensemble, weights="cosine")


def test_the_member_dimension_may_be_named_among_dims():
    observations, ensemble = sample()
    xr.testing.assert_identical(
        metrics.mse(observations, ensemble, dim=("member", "time")),
        metrics.mse(observations, ensemble, dim="time"),
    )


def test_forecasts_in_other_units_are_converted():
    observations, ensemble = sample()
    other = (ensemble / 3600).assign_attrs(units="kg m-2 s-1")
    np.testing.assert_allclose(metrics.mse(observations, other), metrics.mse(observations, ensemble))
    with pytest.raises(UnitsError):
        metrics.mse(observations, ensemble.assign_attrs(units="K"))


def test_area_weights_follow_the_sphere():
    field = globe()
    forecast = field + (field.lat > 60)
    expected = (1 - np.sin(np.deg2rad(60))) / 2
    np.testing.assert_allclose(metrics.mse(field, forecast, weights="area"), expected, rtol=1e-6)
    observations, ensemble = sample()
    xr.testing.assert_identical(
        metrics.mse(observations, ensemble, weights="area"), metrics.mse(observations, ensemble)
    )


def test_coordinates_that_still_fit_stay():
    observations, ensemble = sample()
    observations = observations.assign_coords(
        height=2.0, station=("y", np.arange(SHAPE[1])), area=(("y", "x"), np.ones(SHAPE[1:]))
    )
    found = metrics.mse(observations, ensemble, dim=("time", "x"))
    assert set(found.coords) == {"y", "height", "station"}
    assert "area" in metrics.mse(observations, ensemble, dim="time").coords


def test_some_missing_cells_leave_maps_elsewhere_alone():
    observations, ensemble = sample()
    holed = missing(observations)
    found = metrics.crps_ensemble(holed, ensemble, dim="time", skipna=True)
    whole = holed.notnull().all("time")
    xr.testing.assert_allclose(
        found.where(whole), metrics.crps_ensemble(observations, ensemble, dim="time").where(whole)
    )
