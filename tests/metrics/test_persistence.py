import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import label, missing, sample
from tests.support import raise_if_dask_computes
from xdownscale.errors import DimensionError, TimeAxisError
from xdownscale.metrics import lag_autocorrelation, lag_autocorrelation_error


def autoregressive(share, seed=0, shape=(400, 8, 9)):
    """A field that keeps a known share of itself from step to step."""
    chance = np.random.default_rng(seed)
    values = [chance.normal(size=shape[1:])]
    for _ in range(shape[0] - 1):
        values.append(share * values[-1] + np.sqrt(1 - share**2) * chance.normal(size=shape[1:]))
    return label(np.array(values), ("time", "y", "x"))


@pytest.mark.parametrize("lag", [1, 2])
def test_equals_numpy_and_the_known_share(lag):
    field = autoregressive(0.7)
    expected = np.corrcoef(field.values[:-lag].ravel(), field.values[lag:].ravel())[0, 1]
    found = lag_autocorrelation(field, lag=lag)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found, 0.7**lag, atol=0.02)
    assert found.attrs["lag"] == lag


def test_of_every_cell():
    field = autoregressive(0.5)
    found = lag_autocorrelation(field, dim="time")
    expected = np.corrcoef(field.values[:-1, 2, 3], field.values[1:, 2, 3])[0, 1]
    np.testing.assert_allclose(found[2, 3], expected)


def test_pairs_across_a_gap_are_left_out():
    field = autoregressive(0.7)
    gap = xr.concat([field.isel(time=slice(50)), field.isel(time=slice(200, 250))], "time")
    values = field.values
    first = np.concatenate([values[0:49], values[200:249]]).ravel()
    second = np.concatenate([values[1:50], values[201:250]]).ravel()
    np.testing.assert_allclose(lag_autocorrelation(gap), np.corrcoef(first, second)[0, 1])


def test_missing_values_and_constants():
    field = autoregressive(0.7)
    holed = missing(field)
    assert lag_autocorrelation(holed).isnull()
    known = holed.values[:-1] + holed.values[1:]
    pairs = [v[~np.isnan(known)] for v in (holed.values[:-1], holed.values[1:])]
    np.testing.assert_allclose(lag_autocorrelation(holed, skipna=True), np.corrcoef(*pairs)[0, 1])
    assert lag_autocorrelation(xr.zeros_like(field)).isnull()


def test_error_is_relative():
    truth, field = autoregressive(0.8), autoregressive(0.6, seed=1)
    ratio = lag_autocorrelation(field) / lag_autocorrelation(truth)
    np.testing.assert_allclose(lag_autocorrelation_error(truth, field), ratio - 1)
    assert lag_autocorrelation_error(truth, truth) == 0
    ensemble = xr.concat([field, field], "member")
    np.testing.assert_allclose(lag_autocorrelation_error(truth, ensemble), ratio - 1)


def test_weights_choose_pairs():
    truth, field = autoregressive(0.8), autoregressive(0.6, seed=1)
    early = xr.DataArray((np.arange(400) < 100).astype(float), dims="time")
    first = {"time": slice(101)}
    expected = lag_autocorrelation_error(truth[first], field[first])
    np.testing.assert_allclose(lag_autocorrelation_error(truth, field, weights=early), expected)


def test_lazy_without_time_labels():
    field = autoregressive(0.7).drop_vars("time")
    with raise_if_dask_computes():
        lazy = lag_autocorrelation(field.chunk(time=130))
    np.testing.assert_allclose(lazy.compute(scheduler="synchronous"), lag_autocorrelation(field))


def test_too_short_or_timeless_fields_are_refused():
    observations, ensemble = sample()
    for lag in (0, 3):
        with pytest.raises(TimeAxisError, match="longer field"):
            lag_autocorrelation(observations, lag=lag)
    with pytest.raises(DimensionError, match="time"):
        lag_autocorrelation_error(observations.isel(time=0), ensemble.isel(time=0))
    with pytest.raises(DimensionError, match=r"\['z'\]"):
        lag_autocorrelation(observations, dim=("time", "z"))
