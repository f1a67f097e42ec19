"""Sums with their rounding kept: against exact fractions, in any order and grouping."""

from fractions import Fraction
from functools import reduce

import numpy as np

from xdownscale.kernels.sums import add, long_sum


def exact(values):
    return float(sum(map(Fraction, values.tolist())))


def test_equals_the_exact_sum():
    chance = np.random.default_rng(0)
    for size in (1, 2, 3, 7, 1000, 1023):
        values = chance.normal(size=size) * 10.0 ** chance.integers(-8, 8, size)
        assert long_sum(values)[0] == exact(values)


def test_what_cancels_leaves_the_rest():
    high, _ = long_sum(np.array([1e16, 1.0, 1.0, -1e16, 1.0]))
    assert high == 3.0


def test_any_grouping_gives_the_same_bits():
    chance = np.random.default_rng(1)
    values = chance.gamma(0.3, size=(2, 3, 5000))
    whole = long_sum(values)[0]
    assert not np.array_equal(values[..., ::-1].cumsum(-1)[..., -1], values.cumsum(-1)[..., -1])
    for _ in range(20):
        order = chance.permutation(5000)
        cuts = np.sort(chance.integers(1, 5000, 4))
        parts = [long_sum(part) for part in np.split(values[..., order], cuts, axis=-1)]
        np.testing.assert_array_equal(reduce(add, parts)[0], whole)


def test_nothing_adds_up_to_nothing():
    assert long_sum(np.empty((2, 0)))[0].tolist() == [0.0, 0.0]
