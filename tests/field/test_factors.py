from __future__ import annotations

import numpy as np
import pytest

from xdownscale.errors import FactorError
from xdownscale.field.axes import Axes
from xdownscale.field.factors import FactorRange, Factors


def test_factors_are_printed_as_they_are_typed():
    assert str(Factors.parse(10, 3)) == "(10, 3)"
    assert str(Factors.parse((10, 5), 3)) == "((10, 5), 3)"


def test_blocks_are_in_the_order_time_y_x():
    factors = Factors.parse((np.int64(10), 5), 3)
    assert factors.blocks == (3, 10, 5)
    assert factors.cells == 150


def test_factors_of_one_change_no_dimension():
    assert Factors.parse((1, 5), 3).by_dim(Axes("y", "x", None)) == {"x": 5}
    assert Factors.parse(2, 3).by_dim(Axes("y", "x", "t")) == {"y": 2, "x": 2, "t": 3}


@pytest.mark.parametrize(
    ("spatial", "temporal", "said"),
    [
        (0, 1, "spatial"),
        (10.0, 1, "spatial"),
        (True, 1, "spatial"),
        ("10", 1, "spatial"),
        (1, -1, "temporal"),
        ((1, 2, 3), 1, "pair"),
        ({"y": 10, "x": 5}, 1, r"\(10, 5\) for \(y, x\)"),
    ],
)
def test_anything_but_whole_numbers_of_at_least_one_is_refused(spatial, temporal, said):
    with pytest.raises(FactorError, match=said):
        Factors.parse(spatial, temporal)


def test_a_factor_that_a_model_has_to_know_is_asked_for():
    learned = FactorRange(spatial=(2, 8), temporal=(3, 3))
    with pytest.raises(FactorError, match="spatial is left out: choose it, as in spatial=8"):
        learned.chosen(None, 3)
    assert learned.chosen(4, None) == Factors.parse(4, 3)


def test_one_factor_is_needed():
    with pytest.raises(FactorError, match=r"coarsen\(field, spatial=10\)"):
        Factors.given(None, None, "coarsen")
    assert Factors.given(None, 3, "coarsen") == Factors.parse(1, 3)
    assert Factors.given(1, 1, "coarsen") == Factors.parse(1, 1)
