from __future__ import annotations

import xarray as xr

from xdownscale.scoring.skill import bounds_of


def test_bounds_stay_within_the_range_of_a_score():
    """A fractions skill score of 0.99 whose blocks scatter by 0.1 has no bound of 1.01; a CRPS may fall below 0."""
    spread = xr.DataArray([0.0, 0.2, -0.2, 0.15, -0.15], dims="block")
    scores = xr.Dataset({"fss": 0.99, "mae": 0.02, "brier_score": 0.99, "crps_ensemble": 0.02, "mine": 0.99})
    bounds = bounds_of(scores + spread, scores, 400)
    assert bounds.fss_high == bounds.brier_score_high == 1.0
    assert bounds.mae_low == 0.0
    assert bounds.crps_ensemble_low < 0
    assert bounds.mine_high > 1
