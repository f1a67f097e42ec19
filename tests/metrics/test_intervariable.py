"""Correlation between variables: known for Gaussian pairs, lost by variables that are drawn one by one."""

import numpy as np
import pytest
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.metrics import intervariable_correlation_error


def fields(correlation, members=None, *, seed=0, size=(30, 40, 40)):
    """Two Gaussian variables, of unlike units and means, with a known correlation."""
    shape = size if members is None else (members, *size)
    dims = ("time", "y", "x") if members is None else ("member", "time", "y", "x")
    a, b = np.random.default_rng(seed).standard_normal((2, *shape))
    b = correlation * a + np.sqrt(1 - correlation**2) * b
    return xr.Dataset({"tas": (dims, 280 + 5 * a), "huss": (dims, 8e-3 + 1e-3 * b)})


def test_members_of_the_same_law_have_no_error():
    error = intervariable_correlation_error(fields(0.7), fields(0.7, 5, seed=1))
    assert error.sel(pair="tas, huss").item() == pytest.approx(0, abs=0.01)
    assert error.attrs["units"] == "1"


@pytest.mark.parametrize(("truth", "forecast"), [(0.7, 0.0), (0.2, 0.9), (-0.5, 0.5)])
def test_the_error_is_the_difference_of_correlations(truth, forecast):
    error = intervariable_correlation_error(fields(truth), fields(forecast, 4, seed=2))
    assert error.item() == pytest.approx(forecast - truth, abs=0.015)


def test_variables_of_different_members_do_not_belong_together():
    joint = fields(0.8, 6, seed=3)
    apart = joint.assign(huss=joint.huss.roll(member=1))
    assert intervariable_correlation_error(fields(0.8), apart).item() == pytest.approx(-0.8, abs=0.02)


def test_units_offsets_and_the_order_of_variables_do_not_matter():
    truth, ensemble = fields(0.6), fields(0.3, 3, seed=4)
    other = ensemble.assign(tas=ensemble.tas - 273.15, huss=1000 * ensemble.huss)[["huss", "tas"]]
    np.testing.assert_allclose(
        intervariable_correlation_error(truth, other),
        intervariable_correlation_error(truth, ensemble),
        atol=1e-9,
    )


def test_a_bias_of_single_members_is_no_correlation():
    """Members are taken about their own means: shifts that differ by member do not tie the variables together."""
    truth, ensemble = fields(0.0), fields(0.0, 4, seed=5)
    shifted = ensemble + xr.DataArray([0.0, 30.0, 60.0, 90.0], dims="member")
    assert intervariable_correlation_error(truth, shifted).item() == pytest.approx(0, abs=0.02)


def test_along_a_kept_dimension_and_lazily():
    truth, ensemble = fields(0.5), fields(0.5, 3, seed=6)
    over_space = intervariable_correlation_error(truth, ensemble, dim=("y", "x"))
    assert dict(over_space.sizes) == {"time": 30, "pair": 1}
    lazy = intervariable_correlation_error(truth.chunk(time=7), ensemble.chunk(time=7), dim=("y", "x"))
    assert lazy.chunks is not None
    np.testing.assert_allclose(lazy, over_space)


def test_missing_cases_are_left_out_of_both():
    truth, ensemble = fields(0.5), fields(0.5, 3, seed=7)
    holes = truth.where(truth.y > 3)
    assert np.isnan(intervariable_correlation_error(holes, ensemble))
    np.testing.assert_allclose(
        intervariable_correlation_error(holes, ensemble, skipna=True),
        intervariable_correlation_error(truth.isel(y=slice(4, None)), ensemble.isel(y=slice(4, None))),
    )


def test_one_common_variable_is_too_few():
    truth = fields(0.5)
    with pytest.raises(DimensionError, match="rename"):
        intervariable_correlation_error(truth, fields(0.5, 2).rename(huss="hus"))
