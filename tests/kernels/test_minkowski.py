"""Area, perimeter and Euler characteristic: against scikit-image, on every set of 3 × 3 cells and on random ones."""

import numpy as np
import pytest

from xdownscale.kernels.minkowski import minkowski_functionals

measure = pytest.importorskip("skimage.measure")


def expected(mask):
    """The same from scikit-image, which has no dry surroundings: they are given to it."""
    surrounded = np.pad(mask, 1)
    return [
        mask.sum(),
        measure.perimeter_crofton(surrounded, directions=4),
        measure.euler_number(surrounded, connectivity=1),
    ]


def test_every_set_of_nine_cells():
    sets = (np.arange(512)[:, None] >> np.arange(9) & 1).astype(bool).reshape(-1, 3, 3)
    np.testing.assert_allclose(minkowski_functionals(sets), [expected(mask) for mask in sets])


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.8, 0.99])
def test_random_sets(share):
    sets = np.random.default_rng(0).random((2, 5, 17, 23)) < share
    found = minkowski_functionals(sets)
    assert found.shape == (2, 5, 3)
    for place in np.ndindex(2, 5):
        np.testing.assert_allclose(found[place], expected(sets[place]))


def test_discs_have_the_perimeter_of_circles():
    y, x = np.indices((201, 201)) - 100
    for radius in (20, 80):
        area, perimeter, pieces = minkowski_functionals(np.hypot(y, x) <= radius)
        np.testing.assert_allclose(area, np.pi * radius**2, rtol=0.01)
        np.testing.assert_allclose(perimeter, 2 * np.pi * radius, rtol=0.03)
        assert pieces == 1


def test_area_adds_up_and_turning_changes_nothing():
    mask = np.random.default_rng(1).random((12, 15)) < 0.4
    found = minkowski_functionals(mask)
    np.testing.assert_allclose(found[0] + minkowski_functionals(~mask)[0], mask.size)
    for turned in (mask.T, mask[::-1], mask[:, ::-1]):
        np.testing.assert_allclose(minkowski_functionals(turned), found)


def test_pieces_less_holes():
    mask = np.zeros((9, 20), bool)
    mask[1:6, 1:6] = True
    mask[3, 3] = False  # a ring
    mask[1:3, 9:12] = mask[5:7, 14:17] = True  # two pieces
    assert minkowski_functionals(mask)[2] == 2
