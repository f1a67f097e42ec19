"""Scores set against those of a reference, and against chance."""

from __future__ import annotations

import numpy as np
import xarray as xr

_LEAST = (
    "brier_score",
    "crps_ensemble",
    "crps_pooled",
    "emd",
    "energy_score",
    "lsd",
    "mae",
    "mse",
    "rmse",
    "temporal_lsd",
    "threshold_weighted_crps",
    "variogram_score",
)
_PERFECT = dict.fromkeys(_LEAST, 0.0) | dict.fromkeys(("correlation", "fss", "roc_area", "ssim"), 1.0)
"""The value of a perfect forecast, for scores that grow or shrink steadily towards it."""

_POSITIVE = (
    "emd",
    "energy_log_ratio",
    "lsd",
    "mae",
    "minkowski_distance",
    "mse",
    "pit_deviation",
    "pooled_pit_deviation",
    "rmse",
    "sliced_wasserstein",
    "spread_skill_ratio",
    "temporal_lsd",
)
_RANGES = (
    dict.fromkeys(_POSITIVE, (0.0, None))
    | dict.fromkeys(("fss", "interval_coverage", "roc_area"), (0.0, 1.0))
    | dict.fromkeys(("correlation", "ssim"), (-1.0, 1.0))
    | {"brier_score": (None, 1.0)}
)
"""Values that scores can have; fair scores, such as the CRPS, have no lower bound for a finite sample."""

_INTERVAL = (0.025, 0.975)
"""Quantiles that bound the central 95 %."""


def skill(scores: xr.Dataset, reference: str) -> xr.Dataset:
    """Share of the way from the reference to a perfect forecast."""
    skills = {}
    for name in scores.data_vars:
        if name in _PERFECT:
            score = scores[name]
            base = score.sel(model=reference, drop=True)
            way = _PERFECT[str(name)] - base
            title = f"skill of the {score.attrs.get('long_name', name)} over {reference}"
            skills[f"{name}_skill"] = ((score - base) / way.where(way != 0)).assign_attrs(
                long_name=title, units="1"
            )
    return xr.Dataset(skills)


def bounds_of(blocks: xr.Dataset, scores: xr.Dataset, resamples: int) -> xr.Dataset:
    """Quantiles of the mean over drawn blocks, around the score of the whole, within the range of the score."""
    count = blocks.sizes["block"]
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=resamples)
    times = xr.DataArray(drawn.astype(float), dims=("resample", "block"))
    widening = (count / (count - 1)) ** 0.5  # drawing from B blocks shows (B - 1)/B of their variance
    bounds = {}
    for name in scores.data_vars:
        known = blocks[name].notnull()
        values = blocks[name].fillna(0)
        number = xr.dot(times, known.astype(float), dim="block")
        means = xr.dot(times, values, dim="block") / number.where(number > 0)
        shift = (means - blocks[name].mean("block", skipna=True)) * widening
        shift = shift.where(shift.notnull().any("resample"), 0.0)  # the score itself is missing there
        shift = shift.chunk({"resample": -1}) if shift.chunks else shift
        for end, quantile in zip(("low", "high"), _INTERVAL, strict=True):
            title = f"{scores[name].attrs.get('long_name', name)}, {100 * quantile:g} % bound"
            bound = scores[name] + shift.quantile(quantile, "resample", skipna=True).drop_vars("quantile")
            bound = bound.clip(*_RANGES.get(str(name), (None, None)))
            bounds[f"{name}_{end}"] = bound.assign_attrs(scores[name].attrs | {"long_name": title})
    return xr.Dataset(bounds)
