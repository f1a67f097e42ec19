"""Numbers that a user typed: what is accepted comes back as plain Python, and the rest says what would be."""

import numpy as np
import pytest

from xdownscale.errors import ArgumentError
from xdownscale.field.arguments import SEEDS, seed_number, share_of, whole_number


@pytest.mark.parametrize("kind", [int, np.int8, np.uint16, np.int64, np.uint64])
def test_any_integer_type_is_welcome(kind):
    assert type(whole_number(kind(3), "members", least=1)) is int
    assert whole_number(kind(3), "members", least=1) == 3
    assert seed_number(kind(3)) == 3


@pytest.mark.parametrize("value", [0, -1, 2.5, 3.0, True, "3", None, [3], np.float64(2), 2**63])
def test_anything_else_says_what_is_accepted(value):
    with pytest.raises(ArgumentError, match=r"members is a whole number of at least 1, as in members=1"):
        whole_number(value, "members", least=1)


def test_a_range_has_both_ends():
    assert [whole_number(n, "n", least=2, most=3) for n in (2, 3)] == [2, 3]
    with pytest.raises(ArgumentError, match="at least 2 and at most 3"):
        whole_number(4, "n", least=2, most=3)


def test_seeds_are_whole_numbers_of_64_bits():
    assert seed_number(-SEEDS) == -SEEDS
    assert seed_number(SEEDS - 1) == SEEDS - 1
    for wrong in (SEEDS, -SEEDS - 1, 1.5, "a", None):
        with pytest.raises(ArgumentError, match="seed is a whole number, as in seed=1"):
            seed_number(wrong)


def test_a_share_lies_from_0_on_below_1():
    assert [share_of(value, "validation") for value in (0, 0.5, np.float32(0.25))] == [0.0, 0.5, 0.25]
    for wrong in (1, 1.5, -0.1, float("nan"), True, "0.1"):
        with pytest.raises(ArgumentError, match=r"from 0 on and below 1, as in validation=0\.1"):
            share_of(wrong, "validation")
