"""Distances between curves of Minkowski functionals: by hand, and what makes the CRPS of an ensemble proper."""

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from tests.metrics.samples import sample
from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.kernels.minkowski import LEVELS
from xdownscale.metrics import minkowski_crps, minkowski_distance, minkowski_functionals, wet_quantiles


def blobs(count, seed, smooth=1.5):
    noise = np.random.default_rng(seed).normal(size=(count, 24, 24))
    return ndimage.gaussian_filter(noise, (0, smooth, smooth)) * 10


def logarithm(values):
    return np.sign(values) * np.log1p(np.abs(values))


def test_the_integral_by_hand():
    observations, ensemble = sample()
    thresholds, levels = [0.5, 1.0, 3.0], [0.1, 0.5, 0.6]
    ours, theirs = (
        logarithm(minkowski_functionals(field, thresholds=thresholds, dim=()))
        for field in (observations, ensemble)
    )
    weights = np.array([0.2, 0.25, 0.05])[:, None]
    distance = (abs(theirs - ours).transpose(..., "threshold", "functional").values * weights).sum(-2)
    wanted = distance.reshape(-1, 3).mean(0)
    found = minkowski_distance(observations, ensemble, thresholds=thresholds, levels=levels)
    np.testing.assert_allclose(found, wanted)


def test_zero_for_equal_curves_and_positive_for_others():
    observations, _ = sample()
    same = minkowski_distance(observations, observations[..., ::-1].values + observations * 0, thresholds=[1])
    np.testing.assert_array_equal(same, 0)  # mirrored: the same shapes
    assert (minkowski_distance(observations, observations + 0.3, thresholds=[0.5, 1, 2]).sum() > 0).all()


def test_one_member_makes_crps_and_distance_equal():
    observations, ensemble = sample()
    options = {"thresholds": [0.5, 2], "components": True, "connectivity": 8, "perimeter": "edges"}
    one = ensemble.isel(member=[2])
    xr.testing.assert_allclose(
        minkowski_crps(observations, one, **options).rename("a"),
        minkowski_distance(observations, one, **options).rename("a"),
        check_dim_order=False,
    )


def test_crps_prefers_the_law_of_the_truth_and_the_distance_members_that_are_alike():
    """A forecaster who gives one typical field, again and again, has the shorter distance and the worse CRPS."""
    offsets = np.random.default_rng(1).normal(size=(2, 400)) * 2
    truth, member = (blobs(400, seed) + o[:, None, None] for seed, o in zip((1, 2), offsets, strict=True))
    other = blobs(400, 3) + np.random.default_rng(2).normal(size=(400, 1, 1)) * 2
    typical = blobs(400, 4)
    fields = {
        name: xr.DataArray(np.stack(m), dims=("member", "time", "y", "x"))
        for name, m in {"honest": (member, other), "typical": (typical, typical)}.items()
    }
    observed = xr.DataArray(truth, dims=("time", "y", "x"))
    thresholds = [-2.0, 0.0, 2.0]
    distance, score = (
        {name: float(f(observed, field, thresholds=thresholds).sum()) for name, field in fields.items()}
        for f in (minkowski_distance, minkowski_crps)
    )
    assert distance["typical"] < distance["honest"]
    assert score["honest"] < score["typical"]


@pytest.mark.parametrize("levels", [[0.1, 0.2], [0.5, 0.5, 0.9], [0.9, 0.5, 0.1]])
def test_levels_belong_to_thresholds(levels):
    observations, ensemble = sample()
    with pytest.raises(ValueRangeError, match="levels"):
        minkowski_crps(observations, ensemble, thresholds=[0.5, 1, 2], levels=levels)


def test_quantiles_of_wet_values():
    rain = xr.DataArray([0.0, 0.05, np.nan, *np.linspace(1, 3, 201)], dims="x", attrs={"units": "mm h-1"})
    found = wet_quantiles(rain)
    np.testing.assert_allclose(found, 1 + 2 * np.array(LEVELS))
    assert found.attrs["units"] == "mm h-1"
    assert wet_quantiles(rain, skipna=False).isnull().all()
    with pytest.raises(EmptyFieldError, match="wet"):
        wet_quantiles(rain * 0)
    with pytest.raises(ValueRangeError, match="between 0 and 1"):
        wet_quantiles(rain, levels=[50])
