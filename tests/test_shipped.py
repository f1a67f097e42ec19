"""The weights that ship, on simulated rain: block means, dry cells, and the same bits however the work is cut."""

import numpy as np
import pytest

import xdownscale


@pytest.fixture(scope="module")
def coarse():
    return xdownscale.tutorial.rain((12, 160, 170)).sr.coarsen(spatial=10, temporal=3)


@pytest.fixture(scope="module")
def ensemble(coarse):
    return coarse.sr.downscale(spatial=10, temporal=3, members=2)


def test_block_means_are_kept_and_dry_cells_stay_dry(coarse, ensemble):
    again = ensemble.astype(float).sr.coarsen(spatial=10, temporal=3)
    assert float((abs(again - coarse) / coarse.where(coarse > 0)).max()) < 1e-6
    assert not again.where(coarse == 0, 0.0).any()
    assert float(ensemble.min()) == 0
    assert not ensemble.isnull().any()


def test_tiles_and_members_change_no_bit(coarse, ensemble):
    tiled = coarse.sr.downscale(spatial=10, temporal=3, members=1, tile=(2, 8, 8))
    np.testing.assert_array_equal(tiled[0], ensemble[0])


def test_a_crop_gives_the_same_where_its_context_allows(coarse, ensemble):
    """Bit for bit on all but the tiniest fields.

    On 2 × 26 cells and one frame a convolution shares its sums among threads, and some 1e-5 of the spread remains.
    """
    cells = xdownscale.zoo.load("rain-10x3").method.halo()[0]
    wide = xdownscale.tutorial.rain((6, 60, 10 * (cells + 5))).sr.coarsen(spatial=10, temporal=3)
    whole = wide.sr.downscale(spatial=10, temporal=3)
    crop = wide.isel(x=slice(3, None)).sr.downscale(spatial=10, temporal=3)
    np.testing.assert_array_equal(crop[..., 10 * cells :], whole[..., 10 * (cells + 3) :])
    assert whole[..., 10 * (cells + 3) :].size > 0
