import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import case_weights, every_kind, missing, sample
from tests.support import raise_if_dask_computes
from xdownscale.errors import DimensionError
from xdownscale.metrics import gini, gini_error, wet_fraction, wet_fraction_error


def mean_difference(values, weight=None):
    """The coefficient by its definition, all pairs."""
    weight = np.ones(values.size) if weight is None else weight
    pairs = np.abs(values[:, None] - values[None])
    share = weight / weight.sum()
    return share @ pairs @ share / (2 * share @ values)


@every_kind
def test_gini_is_half_of_the_relative_mean_difference(kind):
    observations, ensemble = sample(kind)
    truth, members = observations.values.ravel(), ensemble.transpose(*observations.dims, "member").values
    np.testing.assert_allclose(gini(observations), mean_difference(truth))
    found = gini_error(observations, ensemble)
    np.testing.assert_allclose(found, mean_difference(members.ravel()) - mean_difference(truth), atol=1e-12)
    weight = case_weights().values.ravel()
    expected = mean_difference(members.ravel(), np.repeat(weight, members.shape[-1])) - mean_difference(
        truth, weight
    )
    np.testing.assert_allclose(
        gini_error(observations, ensemble, weights=case_weights()), expected, atol=1e-12
    )


def test_gini_does_not_depend_on_units_or_places():
    observations, _ = sample()
    np.testing.assert_allclose(gini(3.6 * observations), gini(observations))
    np.testing.assert_allclose(gini(observations.roll(x=3)), gini(observations))
    assert gini(xr.zeros_like(observations)).isnull()
    assert gini(observations, dim="time").shape == observations.shape[1:]


@every_kind
def test_wet_fraction_counts(kind):
    observations, ensemble = sample(kind)
    holed = missing(observations)
    known = holed.notnull().values
    expected = [np.mean(holed.values[known] >= t) for t in (0.5, 2)]
    np.testing.assert_allclose(wet_fraction(holed, thresholds=[0.5, 2], skipna=True), expected)
    assert wet_fraction(holed, thresholds=0.5).isnull()
    found = wet_fraction_error(holed, ensemble, thresholds=[0.5, 2], skipna=True)
    theirs = [np.mean(ensemble.values[:, known] >= t) for t in (0.5, 2)]
    np.testing.assert_allclose(found, np.subtract(theirs, expected), atol=1e-12)


def test_a_value_on_the_threshold_is_wet():
    assert wet_fraction(xr.DataArray([0.1, 0.0], dims="x"), thresholds=0.1) == 0.5


def test_measures_of_one_field_are_lazy_and_name_their_dims():
    observations, _ = sample()
    for measure, options in ((gini, {}), (wet_fraction, {"thresholds": 1})):
        with raise_if_dask_computes():
            lazy = measure(observations.chunk(time=1), **options)
        np.testing.assert_allclose(lazy.compute(), measure(observations, **options))
        with pytest.raises(DimensionError, match=r"\['z'\]"):
            measure(observations, dim="z", **options)
