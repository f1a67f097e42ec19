from __future__ import annotations

import numpy as np
import pytest

from tests.support import globe, rain
from xdownscale.errors import ArgumentError, FactorError
from xdownscale.field.axes import Axes
from xdownscale.field.boundary import fit
from xdownscale.field.factors import Factors

AXES = Axes("y", "x", "time")


def test_a_size_that_fits_is_left_alone():
    field = rain((6, 20, 30))
    assert fit(field, AXES, Factors(10, 10, 3)) is field


def test_the_message_names_three_ways_out():
    with pytest.raises(
        FactorError, match=r"isel\(y=slice\(0, 14\)\).*'trim' \(drops the last 6\).*'pad' \(adds 1 missing\)"
    ):
        fit(rain(), AXES, Factors(7, 10, 3))


@pytest.mark.parametrize("boundary", ["exact", "trim"])
def test_a_factor_larger_than_the_field_is_refused(boundary):
    with pytest.raises(FactorError, match="fewer than the factor"):
        fit(rain(), AXES, Factors(40, 10, 3), boundary)
    with pytest.raises(ArgumentError, match="Pass one of"):
        fit(rain(), AXES, Factors(1, 1, 1), "wrap")


def test_trimming_drops_the_end():
    trimmed = fit(rain((7, 23, 31)), AXES, Factors(10, 10, 3), "trim")
    assert trimmed.shape == (6, 20, 30)
    assert trimmed.x[0] == rain().x[0]


def test_padding_adds_missing_values_and_goes_on_with_labels_and_bounds():
    whole = rain((6, 20, 30)).to_dataset()
    edges = whole.y.values[:, None] + np.array([500.0, -500.0])
    starts = whole.time.values
    whole = whole.assign_coords(
        y_bnds=(("y", "bnds"), edges),
        time_bnds=(("time", "bnds"), np.stack([starts, starts + np.timedelta64(5, "m")], axis=1)),
        name=("x", list("abcdefghijklmnopqrstuvwxyzäöüß")),
    )
    part = whole.isel(time=slice(0, 4), y=slice(0, 15), x=slice(0, 29))
    padded = fit(part, AXES, Factors(10, 10, 3), "pad")
    for name in ("time", "y", "x", "y_bnds", "time_bnds"):
        np.testing.assert_array_equal(padded[name], whole[name])
    assert padded.rain.notnull().sum() == part.rain.size


def test_padding_without_coordinates():
    assert fit(rain((4, 15, 29)).drop_vars(["time", "y"]), AXES, Factors(10, 10, 3), "pad").shape == (
        6,
        20,
        30,
    )
    assert fit(globe(), Axes("lat", "lon", None), Factors(5, 5, 3), "pad").shape == (20, 40)


def test_one_step_cannot_be_padded():
    with pytest.raises(FactorError, match="more steps"):
        fit(rain((1, 20, 30)), AXES, Factors(10, 10, 3), "pad")
