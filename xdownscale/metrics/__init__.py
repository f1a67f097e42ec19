"""Scores of forecasts, one family per file.

All are ``f(observations, forecasts, *, dim, member_dim, weights, skipna, keep_attrs)``. Observations come
first, as in xskillscore; only forecasts carry the member dimension. All are lazy with dask, average in double
precision, and state their units. One rule for missing values holds for all: a case counts when its
observation, every member of its forecast and its weight are there; ``skipna=False`` gives NaN where one does
not, and ``skipna=True`` leaves it out, from observations and forecasts alike. Three measures take one field:
:func:`power_spectrum`, :func:`lag_autocorrelation` and :func:`border_jump_ratio`.
"""

from xdownscale.metrics.consistency import border_jump_ratio, coarse_consistency
from xdownscale.metrics.crps import crps_ensemble, crps_pooled, threshold_weighted_crps
from xdownscale.metrics.distribution import emd, percentile_error
from xdownscale.metrics.ensemble import pit_deviation, rank_histogram, spread_skill_ratio
from xdownscale.metrics.error import bias, mae, mse, rmse
from xdownscale.metrics.events import brier_score
from xdownscale.metrics.persistence import lag_autocorrelation, lag_autocorrelation_error
from xdownscale.metrics.spectrum import lsd, power_spectrum
from xdownscale.metrics.structure import fss, ssim

__all__ = [
    "bias",
    "border_jump_ratio",
    "brier_score",
    "coarse_consistency",
    "crps_ensemble",
    "crps_pooled",
    "emd",
    "fss",
    "lag_autocorrelation",
    "lag_autocorrelation_error",
    "lsd",
    "mae",
    "mse",
    "percentile_error",
    "pit_deviation",
    "power_spectrum",
    "rank_histogram",
    "rmse",
    "spread_skill_ratio",
    "ssim",
    "threshold_weighted_crps",
]
