"""Windows: valid enough, the same for the same step, unbiased averages from biased draws."""

import numpy as np
import pytest

from xdownscale.errors import EmptyFieldError
from xdownscale.training import patches
from xdownscale.training.masks import MASKED
from xdownscale.training.patches import LEAST, PatchSampler, Source


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


def known(values):
    """Share of coarse cells without a gap."""
    return np.isfinite(values).reshape(-1, 3, 4, 4, 4, 4).all((1, 3, 5)).mean()


def test_windows_are_known_in_part_and_wet(field):
    field[:, :13, :10] = np.nan
    s = sampler(field)
    shares = []
    for patch in s.patches:
        values = s._cut(patch)[0]
        assert values.shape == (6, 16, 16)
        assert (values > 0.1).any()
        shares.append(known(values))
    assert LEAST <= min(shares) < 0.6
    assert max(shares) == 1
    gappy = [values for n in range(40) for values in s.batch(n, 2).fine if known(values) < 1]
    assert min(known(values) for values in gappy) > 0
    alone = sampler(np.where(np.arange(64) < 11, field, np.nan))
    assert all(patch.x == 0 and known(alone._cut(patch)[0]) >= LEAST for patch in alone.patches)
    with pytest.raises(EmptyFieldError, match="data in 25% of its coarse cells"):
        sampler(np.where(np.arange(64) < 3, field, np.nan))


def test_without_rain_a_window_is_drawn_as_often_as_it_is_known():
    values = np.ones((6, 16, 48), np.float32)
    values[:, :, 40:] = np.nan
    s = sampler(values, wet=None, floor=0.0)
    shares = [known(s._cut(patch)[0]) for patch in s.patches]
    assert set(shares) == {1.0, 0.5}
    np.testing.assert_allclose(s.odds, np.divide(shares, sum(shares)))
    np.testing.assert_allclose(s.odds * s.weights, 1 / len(shares))


def test_some_windows_are_hidden_in_part_by_whole_cells_and_all_else_is_as_it_was(field, monkeypatch):
    s, steps = sampler(np.nan_to_num(field)), range(150)
    fine = np.concatenate([s.batch(step, 2).fine for step in steps])
    monkeypatch.setattr(patches, "MASKED", 0.0)
    plain = np.concatenate([s.batch(step, 2).fine for step in steps])
    missing = np.isnan(fine)
    assert np.isfinite(plain).all()
    np.testing.assert_array_equal(fine[~missing], plain[~missing])
    assert missing.any((1, 2, 3)).mean() == pytest.approx(MASKED, abs=0.05)
    blocks = missing.reshape(-1, 2, 3, 4, 4, 4, 4).mean((2, 4, 6))
    assert set(np.unique(blocks)) == {0.0, 1.0}
    assert not np.isnan(s.spread(40).fine).any()


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
    expected = np.where(np.isnan(batch.fine[:, 0]), np.nan, batch.static[:, 0] + 1)
    np.testing.assert_allclose(batch.fine[:, 0], expected)
    assert np.isfinite(expected).mean() > 0.5


def test_validation_windows_are_fixed(field):
    np.testing.assert_array_equal(sampler(field).spread(4).fine, sampler(field).spread(4).fine)


@pytest.mark.parametrize("values", [np.zeros((12, 64, 64), np.float32), np.ones((2, 8, 8), np.float32)])
def test_nothing_to_learn_from_is_an_error_with_sizes(values):
    with pytest.raises(EmptyFieldError, match="larger or wetter"):
        sampler(values)
