"""Proper scores by simulation: on average none is better than the law that truth is drawn from."""

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

from xdownscale import metrics

SHAPE = (120, 12, 12)
SCORES = {
    "crps_ensemble": {},
    "crps_pooled": {"scales": [1, 4]},
    "threshold_weighted_crps": {"thresholds": [0.5, 2]},
    "brier_score": {"thresholds": [0.1, 1]},
    "energy_score": {"points": 40},
    "variogram_score": {"points": 40},
}


def draw(chance, *, shift=0.0, spread=1.0, rough=0.0):
    """Rain as the positive part of a smooth Gaussian field, which half of the cells are dry of."""
    noise = chance.normal(size=SHAPE)
    smooth = gaussian_filter(noise, (0, 1.5, 1.5)) * 5.4  # unit variance
    mixed = np.sqrt(1 - rough) * smooth + np.sqrt(rough) * chance.normal(size=SHAPE)
    return np.maximum(2 * spread * mixed + shift, 0)


def ensemble(seed, **law):
    chance = np.random.default_rng(seed)
    return xr.DataArray(np.stack([draw(chance, **law) for _ in range(12)]), dims=("member", "time", "y", "x"))


@pytest.fixture(scope="module")
def truth():
    return xr.DataArray(draw(np.random.default_rng(0)), dims=("time", "y", "x"))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("law", [{"shift": 0.8}, {"shift": -0.8}, {"spread": 0.5}, {"spread": 1.8}], ids=str)
def test_the_law_of_the_truth_scores_best(truth, name, law):
    metric = getattr(metrics, name)
    best = metric(truth, ensemble(1), **SCORES[name])
    worse = metric(truth, ensemble(2, **law), **SCORES[name])
    assert (worse > best).all()


def test_blocks_see_rough_members_and_cells_do_not(truth):
    smooth, rough = ensemble(1), ensemble(2, rough=0.9)
    cells, blocks = (
        metrics.crps_pooled(truth, rough, scales=[1, 4]) / metrics.crps_pooled(truth, smooth, scales=[1, 4])
    ).values
    assert cells < 1.05
    assert blocks > 1.1


def test_fair_scores_do_not_depend_on_the_number_of_members(truth):
    members = ensemble(1)
    for name in ("energy_score", "variogram_score", "threshold_weighted_crps"):
        metric = getattr(metrics, name)
        many = metric(truth, members, **SCORES[name])
        few = metric(truth, members.isel(member=slice(3)), **SCORES[name])
        biased = metric(truth, members.isel(member=slice(3)), estimator="biased", **SCORES[name])
        np.testing.assert_allclose(few, many, rtol=0.05)
        assert (biased > 1.1 * many).all()
