"""Observations and ensembles of every kind that scores must survive."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

KINDS = ("random", "tied", "zero-inflated", "single-member")
SHAPE = (3, 12, 16)
DIMS = ("time", "y", "x")

every_kind = pytest.mark.parametrize("kind", KINDS)


def draw(kind, shape, chance):
    values = chance.gamma(0.7, 3.0, size=shape)
    if kind == "tied":
        return np.round(values)
    if kind == "zero-inflated":
        return np.where(chance.random(shape) < 0.7, 0.0, values)
    return values


def label(values, dims, **attrs):
    coords = {"y": np.arange(values.shape[-2]) * 1000.0, "x": np.arange(values.shape[-1]) * 1000.0}
    coords["time"] = np.datetime64("2021-06-01") + np.arange(values.shape[-3]) * np.timedelta64(5, "m")
    coords = {name: (name, c, {"units": "m"} if name != "time" else {}) for name, c in coords.items()}
    return xr.DataArray(values, dims=dims, coords=coords, name="rain", attrs={"units": "mm h-1"} | attrs)


def sample(kind="zero-inflated", *, members=7, shape=SHAPE, seed=0):
    """Observations and an ensemble of the same law."""
    chance = np.random.default_rng(seed)
    members = 1 if kind == "single-member" else members
    observations = label(draw(kind, shape, chance), DIMS)
    ensemble = label(draw(kind, (members, *shape), chance), ("member", *DIMS))
    return observations, ensemble


def missing(field, share=0.05, seed=1):
    """The field with some values taken away."""
    return field.where(xr.DataArray(np.random.default_rng(seed).random(field.shape) > share, dims=field.dims))


def case_weights(seed=2):
    """Positive weights on all dimensions."""
    return label(np.random.default_rng(seed).random(SHAPE) + 0.1, DIMS)
