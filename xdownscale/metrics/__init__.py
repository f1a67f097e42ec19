"""Scores of forecasts, one family per file.

The signature of all scores is ``f(observations, forecasts, *, dim, member_dim, weights, skipna, keep_attrs)``.
Observations come first, as in xskillscore; only forecasts have the member dimension. All scores are lazy with dask,
average in double precision, and set their units. One rule for missing values applies to all: a case is complete if its
observation, every member of its forecast and its weight are present. ``skipna=False`` gives NaN if a case is
incomplete; ``skipna=True`` leaves the case out, from observations and forecasts alike. Scores of whole frames, series,
blocks or pairs then leave out the whole frame, series, block or pair. Functions that describe a single field take one
field: :func:`power_spectrum`, :func:`temporal_spectrum`, :func:`lag_autocorrelation`, :func:`spatial_autocorrelation`,
:func:`wet_fraction`, :func:`gini`, :func:`wet_quantiles`, :func:`minkowski_functionals` and :func:`border_jump_ratio`.
:func:`accumulate` scores data larger than memory; :func:`wind_power` converts wind to power, which can then be scored.
"""

from xdownscale.metrics.accumulate import Sums, accumulate
from xdownscale.metrics.autocorrelation import spatial_autocorrelation, spatial_autocorrelation_error
from xdownscale.metrics.consistency import border_jump_ratio, coarse_consistency
from xdownscale.metrics.crps import crps_ensemble, crps_pooled, threshold_weighted_crps
from xdownscale.metrics.distribution import emd, percentile_error, quantiles
from xdownscale.metrics.ensemble import pit_deviation, rank_histogram, spread_skill_ratio
from xdownscale.metrics.error import bias, correlation, mae, mse, rmse
from xdownscale.metrics.events import brier_score, reliability, roc, roc_area
from xdownscale.metrics.extremes import return_level_error
from xdownscale.metrics.intermittency import gini, gini_error, wet_fraction, wet_fraction_error
from xdownscale.metrics.intervariable import intervariable_correlation_error
from xdownscale.metrics.multivariate import energy_score, variogram_score
from xdownscale.metrics.persistence import lag_autocorrelation, lag_autocorrelation_error
from xdownscale.metrics.pit import interval_coverage, pit_histogram
from xdownscale.metrics.pooled_pit import pooled_pit_deviation
from xdownscale.metrics.shape import minkowski_error, minkowski_functionals
from xdownscale.metrics.shape_distance import minkowski_crps, minkowski_distance, wet_quantiles
from xdownscale.metrics.sliced import sliced_wasserstein
from xdownscale.metrics.spectral_distance import dry_frames, energy_log_ratio, lsd, lsd_noise_floor
from xdownscale.metrics.spectrum import power_spectrum
from xdownscale.metrics.structure import fss, ssim
from xdownscale.metrics.temporal import temporal_lsd, temporal_spectrum
from xdownscale.metrics.wind_power import wind_power

__all__ = [
    "Sums",
    "accumulate",
    "bias",
    "border_jump_ratio",
    "brier_score",
    "coarse_consistency",
    "correlation",
    "crps_ensemble",
    "crps_pooled",
    "dry_frames",
    "emd",
    "energy_log_ratio",
    "energy_score",
    "fss",
    "gini",
    "gini_error",
    "interval_coverage",
    "intervariable_correlation_error",
    "lag_autocorrelation",
    "lag_autocorrelation_error",
    "lsd",
    "lsd_noise_floor",
    "mae",
    "minkowski_crps",
    "minkowski_distance",
    "minkowski_error",
    "minkowski_functionals",
    "mse",
    "percentile_error",
    "pit_deviation",
    "pit_histogram",
    "pooled_pit_deviation",
    "power_spectrum",
    "quantiles",
    "rank_histogram",
    "reliability",
    "return_level_error",
    "rmse",
    "roc",
    "roc_area",
    "sliced_wasserstein",
    "spatial_autocorrelation",
    "spatial_autocorrelation_error",
    "spread_skill_ratio",
    "ssim",
    "temporal_lsd",
    "temporal_spectrum",
    "threshold_weighted_crps",
    "variogram_score",
    "wet_fraction",
    "wet_fraction_error",
    "wet_quantiles",
    "wind_power",
]
