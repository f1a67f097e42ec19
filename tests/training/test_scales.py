"""Windows of many scales and factors."""

from __future__ import annotations

import numpy as np
import pytest

from xdownscale.errors import EmptyFieldError
from xdownscale.kernels.blocks import block_mean
from xdownscale.models.scale import Scale
from xdownscale.models.transform import LogRain
from xdownscale.training.patches import Source
from xdownscale.training.scales import CELLS, VALUES, Cut, Draws, ScaleSampler, _averaged, cut_for, windows_of
from xdownscale.training.wetness import Wetness

RADAR = Scale(1.0, 5.0)


class Read:
    """An array that counts how much of it is read at a time, as of a file."""

    def __init__(self, values):
        self.values, self.shape, self.largest = values, values.shape, 0

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        part = self.values[key]
        self.largest = max(self.largest, part.size)
        return part


def source(shape=(48, 96, 80), *, seed=0, style="one", values=None, scale=RADAR):
    random = np.random.default_rng(seed)
    made = np.maximum(random.normal(size=shape), 0).astype(np.float32) if values is None else values
    return Source(made[:, None], None, f"{style}", style, scale)


def sampler(sources=None, *, spatial=(1, 2, 4, 5), temporal=(1, 2, 3), **draws):
    chosen = Draws(spatial, temporal, **{"km": (1.0, 3.0), "minutes": (5.0, 20.0), **draws})
    return ScaleSampler(sources or [source()], draws=chosen, transform=LogRain(), seed=3)


def test_windows_are_whole_coarse_cells_of_the_wanted_scale_and_bounded_in_size():
    for step in range(5):
        for window in sampler().batch(step, 4).parts:
            assert window.blocks != (1, 1, 1)
            assert window.fine[0].size <= VALUES
            shape = np.asarray(window.fine.shape)[[1, 3, 4]]
            coarse = shape // window.blocks
            assert (coarse * window.blocks == shape).all()
            assert coarse.prod() <= CELLS
            assert 1.0 <= window.scale.km <= 3.0
            assert 5.0 <= window.scale.minutes <= 20.0


def test_the_same_step_gives_the_same_windows_and_another_one_others():
    one, same, other = (sampler().batch(step, 3) for step in (7, 7, 8))
    for a, b in zip(one.fine, same.fine, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(one.fine, other.fine, strict=True)
    )


def test_a_truth_is_the_block_mean_of_the_field():
    """Of a field that tells its place: means of 2 × 2 cells and 2 steps of t + 100 y + 10000 x."""
    t, y, x = np.indices((48, 96, 80))
    field = source(values=(1 + t + 100 * y + 10_000 * x).astype(np.float32))
    window = sampler([field]).window(np.random.default_rng(0), (2, 4, 4), 2.0, 10.0)
    fine = window.fine[0, :, 0].astype(float)
    assert window.scale == Scale(2.0, 10.0)
    np.testing.assert_allclose(np.diff(fine, axis=0), 2, atol=0.1)
    np.testing.assert_allclose(np.diff(fine, axis=1), 200, atol=0.1)
    np.testing.assert_allclose(np.diff(fine, axis=2), 20_000, atol=0.1)
    assert (fine[0, 0, 0] - 1) % 10_000 % 100 % 1 == pytest.approx(0.5, abs=0.1), (
        "between two steps and cells"
    )


def test_factors_are_even_on_a_logarithmic_axis_and_never_all_one():
    random, draws = np.random.default_rng(0), Draws()
    blocks = np.asarray([draws.blocks(random) for _ in range(3000)])
    assert not (blocks == 1).all(1).any()
    low, middle, high = (
        ((blocks[:, 1] >= a) & (blocks[:, 1] <= b)).mean() for a, b in ((2, 4), (5, 10), (11, 25))
    )
    assert low == pytest.approx(middle, rel=0.25)
    assert middle == pytest.approx(high, rel=0.25)
    scales = np.log(np.asarray([draws.scale(random) for _ in range(3000)]))
    assert np.median(scales[:, 0]) == pytest.approx(np.log(8) / 2, abs=0.1)
    assert abs(np.corrcoef(scales.T)[0, 1]) < 0.05, "the rectangle of scales, not its diagonal"


def test_products_count_alike_however_large_they_are():
    large, small = source((48, 96, 80)), source((24, 64, 64), style="other")
    made = sampler([large, small])
    styles = [window.styles[0] for step in range(60) for window in made.batch(step, 4).parts]
    assert 0.35 < styles.count("other") / len(styles) < 0.6


def test_means_in_time_come_first_and_change_nothing():
    field = source().values[:24, 0, :60, :60]
    cut = Cut((3, 5, 5), 4, 2, (4, 3, 3))
    np.testing.assert_allclose(_averaged(field, cut, None, 0.1), block_mean(field, (2, 4, 4)), rtol=1e-5)
    smooth = np.ones((24, 90, 90), np.float32)
    np.testing.assert_allclose(_averaged(smooth, cut, 0.4, 0.1), 1.0, rtol=1e-5)


def test_a_source_that_is_coarser_or_too_small_gives_no_window_of_a_scale():
    coarse = source(scale=Scale(4.0, 30.0))
    assert cut_for(coarse, (1, 2, 2), 1.0, 30.0) is None
    assert cut_for(coarse, (1, 2, 2), 4.0, 30.0).cells == 1
    assert cut_for(source((48, 20, 20)), (1, 10, 10), 1.0, 5.0) is None


def test_fields_without_a_scale_and_dry_ones_are_refused():
    with pytest.raises(EmptyFieldError, match="coordinates with units"):
        sampler([source(scale=None)])
    with pytest.raises(EmptyFieldError, match="no training window"):
        sampler([source(values=np.zeros((24, 64, 64), np.float32))])


def test_weights_level_what_scales_differ_in():
    """White noise of one size: interpolation misses more of it where blocks are larger; weights undo that."""
    made = sampler(spatial=(2, 8), temporal=(1,))
    small, large = (
        made.window(np.random.default_rng(0), blocks, 1.0, 5.0).weights[0]
        for blocks in ((1, 2, 2), (1, 8, 8))
    )
    assert small > large


def test_fields_are_read_window_by_window():
    field = Read(source((400, 64, 64)).values)
    made = sampler([Source(field, None, "file", "one", Scale(1.0, 5.0))])
    field.largest = 0
    made.batch(0, 4)
    assert 0 < field.largest < np.prod(field.shape) / 3


def test_shares_of_boxes_are_those_of_the_cells():
    values = source((6, 37, 45)).values.copy()
    values[:, :, 20:30] = np.nan
    wet, known = Wetness(values, 0.1).shares((1, 8, 16), (3, 16, 24))
    window = values[1:4, 0, 8:24, 16:40]
    assert wet == pytest.approx((np.nan_to_num(window) > 0.1).mean())
    assert known == pytest.approx(np.isfinite(window).mean())


def test_listed_cases_come_with_their_number():
    found = list(windows_of(sampler(), [((1, 4, 4), 1, 5), ((3, 40, 40), 1, 5), ((2, 2, 2), 2, 10)], 2))
    assert [number for number, _ in found] == [0, 0, 2, 2]
