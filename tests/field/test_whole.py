from __future__ import annotations

import numpy as np
import pytest

from xdownscale.errors import FactorError
from xdownscale.field.whole import whole


@pytest.mark.parametrize("kind", [int, np.int8, np.int64, np.uint32])
def test_every_type_of_whole_numbers(kind):
    assert whole(kind(3), "seed") == 3
    assert type(whole(kind(3), "seed")) is int


@pytest.mark.parametrize("value", [3.0, np.float32(3), True, np.True_, "3", None, -1, np.arange(3)], ids=repr)
def test_anything_else_is_refused(value):
    with pytest.raises(FactorError, match=r"seed is a whole number of at least 0.*Pass for example seed=3"):
        whole(value, "seed")


def test_the_least_is_said():
    assert whole(2, "members", 1) == 2
    with pytest.raises(FactorError, match="members is a whole number of at least 1, got 0"):
        whole(0, "members", 1)
