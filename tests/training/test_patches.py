"""Windows: all valid, the same for the same step, unbiased averages from biased draws."""

import numpy as np
import pytest

from xdownscale.errors import EmptyFieldError
from xdownscale.training.patches import PatchSampler, Source


@pytest.fixture
def field():
    random = np.random.default_rng(0)
    values = np.zeros((12, 64, 64), np.float32)
    values[:, :20, :20] = random.gamma(0.5, 2, (12, 20, 20))
    values[:, 40:44, 40:44] = 1.0
    values[3, 60, 2] = np.nan
    return values


def sampler(field, **changes):
    options = {"blocks": (3, 4, 4), "cells": 4, "frames": 2, "seed": 0} | changes
    return PatchSampler([Source(field)], **options)


def test_products_count_alike_and_weights_undo_the_preference_for_rain():
    random = np.random.default_rng(0)
    large = Source(random.gamma(0.1, 1.0, (24, 40, 40)).astype("f4"), style="radar")
    small = Source(random.gamma(0.1, 1.0, (6, 16, 16)).astype("f4"), style="gauge")
    s = PatchSampler([large, large, small], blocks=(3, 4, 4), cells=4, frames=2, floor=0.5)
    styles = np.asarray([s.sources[p.source].style for p in s.patches])
    for style in ("radar", "gauge"):
        assert s.odds[styles == style].sum() == pytest.approx(0.5)
        assert (s.odds * s.weights)[styles == style].sum() == pytest.approx(0.5)
    assert set(s.batch(0, 16).styles) == {"radar", "gauge"}


def test_windows_are_finite_and_wet(field):
    s = sampler(field)
    for patch in s.patches:
        values = s._cut(patch)[0]
        assert values.shape == (6, 16, 16)
        assert np.isfinite(values).all()
        assert (values > 0.1).any()


def test_weights_undo_the_bias_of_the_draw(field):
    s = sampler(field)
    means = np.array([s._cut(p)[0].mean() for p in s.patches])
    weighted = (s.odds * s.weights * means).sum()
    capped = s.weights >= s.weights.max() * (1 - 1e-9)
    assert s.odds @ s.weights == pytest.approx(1.0)
    if not capped.any():
        assert weighted == pytest.approx(means.mean())
    else:
        assert abs(weighted - means.mean()) < abs((s.odds * means).sum() - means.mean())


def test_the_same_step_gives_the_same_windows(field):
    first, again, other = sampler(field).batch(5, 3), sampler(field).batch(5, 3), sampler(field).batch(6, 3)
    np.testing.assert_array_equal(first.fine, again.fine)
    assert not np.array_equal(first.fine, other.fine)


def test_static_fields_turn_with_the_window():
    ramp = np.add.outer(np.arange(48.0), 100 * np.arange(48.0)).astype(np.float32)
    s = PatchSampler(
        [Source(np.stack([ramp + 1] * 6), ramp[None])], blocks=(3, 4, 4), cells=4, frames=2, wet=None
    )
    batch = s.batch(0, 8)
    np.testing.assert_allclose(batch.fine[:, 0], batch.static[:, 0] + 1)


def test_validation_windows_are_fixed(field):
    np.testing.assert_array_equal(sampler(field).spread(4).fine, sampler(field).spread(4).fine)


@pytest.mark.parametrize("values", [np.zeros((12, 64, 64), np.float32), np.ones((2, 8, 8), np.float32)])
def test_nothing_to_learn_from_is_an_error_with_sizes(values):
    with pytest.raises(EmptyFieldError, match="larger or wetter"):
        sampler(values)
