"""Random masks: of whole cells, of all frames or of one, never of everything, the same for the same source."""

import numpy as np
import pytest

from xdownscale.training.masks import FRAME, MOST, random_mask


def drawn(shape, count=400):
    random = np.random.default_rng(0)
    return np.stack([random_mask(shape, random) for _ in range(count)])


def test_a_mask_hides_the_same_cells_of_all_frames_or_one_whole_frame():
    masks = drawn((4, 8, 12))
    whole = masks.all((2, 3))
    single = (whole.sum(1) == 1) & (masks.any((2, 3)).sum(1) == 1)
    assert single.mean() == pytest.approx(FRAME, abs=0.06)
    still = masks[~single]
    assert (still == still[:, :1]).all()
    share = still.mean((1, 2, 3))
    assert share.max() <= MOST + 1 / 96
    assert share.mean() == pytest.approx(MOST / 2, abs=0.04)


def test_the_only_frame_is_never_hidden_as_a_whole():
    masks = drawn((1, 6, 6))
    assert not masks.all((1, 2, 3)).any()
    assert masks.any()


def test_every_place_is_hidden_about_as_often():
    often = drawn((1, 8, 8), 2000).mean(0)[0]
    assert np.abs(often - often.mean()).max() < 0.06


def test_masks_have_edges_and_not_single_cells():
    masks = drawn((1, 12, 12))[:, 0].astype(int)
    changes = np.abs(np.diff(masks, axis=-1)).mean()
    shuffled = np.random.default_rng(1).permuted(masks, axis=-1)
    assert changes < 0.5 * np.abs(np.diff(shuffled, axis=-1)).mean()


def test_the_same_source_gives_the_same_mask():
    np.testing.assert_array_equal(drawn((2, 5, 5), 9), drawn((2, 5, 5), 9))
