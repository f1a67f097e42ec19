"""Windows: valid enough, the same for the same step, unbiased averages from biased draws."""

import numpy as np
import pytest

from xdownscale.errors import EmptyFieldError
from xdownscale.training import patches
from xdownscale.training.masks import MASKED
from xdownscale.training.patches import LEAST, Patch, PatchSampler, Source


def source(values, *others, **options):
    """Of one target, from values (time, y, x)."""
    return Source(values[:, None], *others, **options)


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
    return PatchSampler([source(field)], **options)


def test_products_count_alike_and_weights_undo_the_preference_for_rain():
    random = np.random.default_rng(0)
    large = source(random.gamma(0.1, 1.0, (24, 40, 40)).astype("f4"), style="radar")
    small = source(random.gamma(0.1, 1.0, (6, 16, 16)).astype("f4"), style="gauge")
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
        assert values.shape == (6, 1, 16, 16)
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
    assert missing.any((1, 2, 3, 4)).mean() == pytest.approx(MASKED, abs=0.05)
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
        [source(np.stack([ramp + 1] * 6), ramp[None])], blocks=(3, 4, 4), cells=4, frames=2, wet=None
    )
    batch = s.batch(0, 8)
    expected = np.where(np.isnan(batch.fine[:, 0]), np.nan, batch.static + 1)
    np.testing.assert_allclose(batch.fine[:, 0], expected)
    assert np.isfinite(expected).mean() > 0.5


def test_validation_windows_are_fixed(field):
    np.testing.assert_array_equal(sampler(field).spread(4).fine, sampler(field).spread(4).fine)


@pytest.mark.parametrize("values", [np.zeros((12, 64, 64), np.float32), np.ones((2, 8, 8), np.float32)])
def test_nothing_to_learn_from_is_an_error_with_sizes(values):
    with pytest.raises(EmptyFieldError, match="larger or wetter"):
        sampler(values)


def shower(shape=(24, 40, 40), seed=0, share=0.1):
    """Wetter towards one side."""
    shapes = share * np.linspace(0.1, 4, shape[2]) ** 2
    return np.random.default_rng(seed).gamma(shapes, 1.0, shape).astype("f4")


def several(**changes):
    """Two events of one product, of different lengths, and one of another."""
    sources = [source(shower(), style="radar"), source(shower((12, 24, 24), 1, 0.3), style="radar"),
               source(shower((6, 40, 16), 2, 0.6), style="gauge")]  # fmt: skip
    options = {"blocks": (3, 4, 4), "cells": 4, "frames": 2, "floor": 0.5} | changes
    return PatchSampler(sources, **options)


def test_the_weighted_mean_over_draws_is_the_plain_mean_over_all_windows():
    """Of anything that a window has: its mean, its square, its largest value. No weight is cut at this floor."""
    s = PatchSampler([source(shower())], blocks=(3, 4, 4), cells=4, frames=2, floor=0.5)
    assert s.odds.sum() == pytest.approx(1)
    assert s.weights.max() < 3.5
    assert s.odds.max() > 1.2 * s.odds.min()  # rain is preferred
    windows = [s._cut(patch)[0].astype(float) for patch in s.patches]
    for of in (np.mean, np.max, lambda values: np.square(values).mean()):
        each = np.array([of(window) for window in windows])
        assert (s.odds * s.weights) @ each == pytest.approx(each.mean(), rel=1e-9)


def test_drawn_windows_have_the_frequency_and_the_weight_that_they_should():
    s = PatchSampler([source(shower())], blocks=(3, 4, 4), cells=4, frames=2, floor=0.5)
    batch = s.spread(20_000)
    each = np.array([s._cut(patch)[0].mean() for patch in s.patches])
    assert batch.weights.mean() == pytest.approx(1, abs=0.02)
    drawn = (batch.weights * batch.fine.mean((1, 2, 3, 4))).mean()
    assert drawn == pytest.approx(each.mean(), rel=0.03)
    assert batch.fine.mean() > 1.05 * each.mean()


def test_products_share_alike_and_events_by_the_root_of_their_windows():
    s = several()
    number = np.array([patch.source for patch in s.patches])
    share = np.bincount(number, s.odds * s.weights)
    counts = np.bincount(number)
    assert share[2] == pytest.approx(0.5)
    assert share[0] / share[1] == pytest.approx(np.sqrt(counts[0] / counts[1]))
    assert np.bincount(number, s.odds)[2] == pytest.approx(0.5)
    windows = np.array([s._cut(patch)[0].mean(dtype=float) for patch in s.patches])
    expected = sum(share[n] * windows[number == n].mean() for n in range(3))
    assert (s.odds * s.weights) @ windows == pytest.approx(expected, rel=1e-9)


def test_a_window_is_as_likely_as_its_wet_share_and_the_floor():
    s = PatchSampler([source(shower())], blocks=(3, 4, 4), cells=4, frames=2, floor=0.3, wet=0.2)
    wet = np.array([(s._cut(patch)[0] > 0.2).mean() for patch in s.patches])
    np.testing.assert_allclose(s.odds / s.odds[0], (wet + 0.3) / (wet[0] + 0.3))


def test_a_weight_is_at_most_a_few_times_the_mean(field):
    """Where a window is so unlikely that it would drown a batch, its weight is cut, and the mean stays one."""
    s = sampler(field, floor=0.01)
    assert s.odds @ s.weights == pytest.approx(1)
    uncut = 1 / s.odds / len(s.patches)
    assert uncut.max() > 4
    cut = uncut >= 4
    assert np.ptp(s.weights[cut]) < 1e-9
    np.testing.assert_allclose(s.weights[~cut] / uncut[~cut], s.weights[cut][0] / 4)


def test_all_windows_are_alike_where_no_rain_is_asked_for():
    s = PatchSampler([source(shower() - 5)], blocks=(3, 4, 4), cells=4, frames=2, wet=None)
    np.testing.assert_allclose(s.odds, 1 / len(s.patches))
    np.testing.assert_allclose(s.weights, 1)


def test_windows_overlap_by_half_and_reach_the_end():
    s = PatchSampler([source(shower((14, 40, 23)) + 1)], blocks=(3, 4, 4), cells=4, frames=2)
    starts = [sorted({patch[axis] for patch in s.patches}) for axis in (1, 2, 3)]
    assert starts == [[0, 3, 6, 8], [0, 8, 16, 24], [0, 7]]
    assert len(s.patches) == 4 * 4 * 2


def test_windows_of_a_batch_are_moved_within_the_field_by_up_to_a_quarter(monkeypatch):
    monkeypatch.setattr(patches, "MASKED", 0.0)
    monkeypatch.setattr(patches, "TURNED", 0.0)
    ramp = np.arange(12 * 40 * 40, dtype=np.float32).reshape(12, 40, 40) + 1
    s = PatchSampler([source(ramp)], blocks=(3, 4, 4), cells=4, frames=2, wet=None)
    moves = []
    for step in range(40):
        for window in s.batch(step, 8).fine:
            t, y, x = np.unravel_index(int(window.min()) - 1, ramp.shape)
            assert (
                np.sort(window.ravel()).tolist()
                == np.sort(ramp[t : t + 6, y : y + 16, x : x + 16].ravel()).tolist()
            )
            moves.append((t, y, x))
    found = np.array(moves)
    assert [sorted(set(found[:, axis])) for axis in range(3)] == [
        list(range(7)),
        list(range(25)),
        list(range(25)),
    ]


@pytest.mark.parametrize("blocks", [(3, 4, 4), (3, 2, 4)])
def test_windows_are_turned_in_every_way_that_keeps_their_shape(blocks, monkeypatch):
    monkeypatch.setattr(patches, "MASKED", 0.0)
    ramp = np.add.outer(np.arange(16.0), 100 * np.arange(16.0)).astype("f4") + 1
    if blocks[1] != blocks[2]:
        ramp = ramp[:8]
    s = PatchSampler([source(np.stack([ramp] * 6))], blocks=blocks, cells=4, frames=2, wet=None)
    seen = {window[0].tobytes() for step in range(30) for window in s.batch(step, 8).fine}
    square = blocks[1] == blocks[2]
    ways = [
        turned[::a, ::b]
        for turned in ([ramp, ramp.T] if square else [ramp])
        for a in (1, -1)
        for b in (1, -1)
    ]
    assert seen == {np.ascontiguousarray(way).tobytes() for way in ways}


def test_a_part_of_a_batch_keeps_windows_static_fields_weights_and_styles_together():
    static = np.zeros((1, 40, 40), "f4")
    s = PatchSampler([source(shower() + 1, static, style="radar")], blocks=(3, 4, 4), cells=4, frames=2)
    batch = s.batch(0, 5)
    part = batch.part(slice(1, 3))
    np.testing.assert_array_equal(part.fine, batch.fine[1:3])
    np.testing.assert_array_equal(part.weights, batch.weights[1:3])
    assert part.static.shape == (2, 1, 16, 16)
    assert part.styles == ("radar",) * 2
    assert s.spread(3).static.shape == (3, 1, 16, 16)


def test_validation_windows_differ_as_long_as_there_are_enough():
    s = PatchSampler([source(shower((12, 24, 24)) + 1)], blocks=(3, 4, 4), cells=4, frames=2)
    count = len(s.patches)
    assert len({window.tobytes() for window in s.spread(count).fine}) == count
    assert len(s.spread(3 * count).fine) == 3 * count
    another = PatchSampler([source(shower((12, 24, 24)) + 1)], blocks=(3, 4, 4), cells=4, frames=2, seed=1)
    assert not np.array_equal(s.spread(4).fine, another.spread(4).fine)
    assert not np.array_equal(s.batch(0, 4).fine, another.batch(0, 4).fine)


def test_a_window_moves_as_far_back_as_forward_and_by_a_quarter_at_most():
    ramp = np.arange(18 * 48 * 48, dtype=np.float32).reshape(18, 48, 48)
    s = PatchSampler([source(ramp)], blocks=(4, 4, 4), cells=4, frames=2, wet=None)
    middle, random = Patch(0, 5, 16, 16), np.random.default_rng(0)
    starts = [np.unravel_index(int(s._jittered(middle, random)[0].min()), ramp.shape) for _ in range(400)]
    moves = np.array(starts) - middle[1:]
    assert [sorted(set(moves[:, axis])) for axis in range(3)] == [
        [*range(-2, 3)],
        [*range(-4, 5)],
        [*range(-4, 5)],
    ]


def stripes(shape=(12, 80, 80)):
    """Waves along y, one pixel of rain at least."""
    return (1.5 + np.sin(np.arange(shape[1]) / 2.0))[None, :, None] * np.ones(shape, np.float32)


def slopes(windows):
    """Mean squares of changes along y and along x."""
    return [float(np.square(np.diff(windows, axis=axis)).mean()) for axis in (-2, -1)]


def test_half_of_the_windows_are_turned_by_any_angle_and_static_fields_with_them(monkeypatch):
    monkeypatch.setattr(patches, "MASKED", 0.0)
    ground = stripes()[:1].astype(np.float32)
    piece = source(stripes().astype(np.float32), static=ground)
    drawn = PatchSampler([piece], blocks=(3, 4, 4), cells=4, frames=2)
    share = 0
    for step in range(30):
        batch = drawn.batch(step, 4)
        for window, static in zip(batch.fine, batch.static, strict=True):
            np.testing.assert_allclose(window[0], static, atol=2e-2)
            share += min(slopes(window)) > 1e-3 * max(slopes(window))
    assert 0.15 < share / 120 < 0.5, "half of those that are not at the border"


def test_windows_with_wind_are_turned_by_right_angles_alone(monkeypatch):
    monkeypatch.setattr(patches, "MASKED", 0.0)
    both = np.stack([stripes()] * 2, axis=1).astype(np.float32)
    drawn = PatchSampler(
        [Source(both)], blocks=(3, 4, 4), cells=4, frames=2, targets=2, vectors=((0, 1),), wet=None
    )
    for step in range(10):
        for window in drawn.batch(step, 4).fine:
            assert min(slopes(window)) < 1e-6
