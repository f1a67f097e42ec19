from __future__ import annotations

import re

import pytest
import xarray as xr

from tests.support import rain
from xdownscale.errors import TimeAxisError
from xdownscale.field.attrs import add_history, cell_method, keeps_attrs, package_version, result_attrs
from xdownscale.field.axes import Axes
from xdownscale.field.cell_methods import time_method

AXES = Axes("y", "x", "time")


def test_history_is_newest_first_and_one_line_each(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    attrs = add_history(add_history({"a": 1}, "first"), "second")
    lines = attrs["history"].splitlines()
    assert lines[0] == f"1970-01-01T00:00:00Z: second (xdownscale {package_version()})"
    assert len(lines) == 2
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ: now", add_history({}, "now")["history"])


def test_attributes_follow_the_users_choice_and_xarrays_option():
    field = rain().assign_attrs(cell_measures="area: areacella")
    assert "cell_measures" not in result_attrs(field)
    assert result_attrs(field, keep_attrs=False, extra={"seed": 1}) == {"seed": 1}
    with xr.set_options(keep_attrs=False):
        assert not keeps_attrs()
        assert result_attrs(field) == {}
    assert "coarsen" in result_attrs(field, "coarsen()")["history"]


def test_cell_methods_that_hold_already_are_not_repeated():
    field = rain().assign_attrs(cell_methods="time: mean (interval: 5 min)")
    attrs = result_attrs(field, cell_methods="area: mean time: mean")
    assert attrs["cell_methods"] == "time: mean (interval: 5 min) area: mean"


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ("time: sum", "sum"),
        ("area: mean", None),
        ("lat: lon: time: point (comment: x)", "point"),
        ("time: mean time: maximum", "maximum"),
    ],
)
def test_the_last_cell_method_of_a_dimension_counts(methods, expected):
    assert cell_method(xr.DataArray(0.0, attrs={"cell_methods": methods}), "time") == expected


def test_time_methods():
    field = rain()
    assert time_method(field, AXES) == "mean"
    assert time_method(field, AXES, "point") == "point"
    assert time_method(field.assign_attrs(cell_methods="time: sum", units="mm"), AXES) == "sum"
    assert time_method(field.assign_attrs(units="kg m-2"), AXES) == "sum"
    assert (
        time_method(xr.DataArray(0.0, attrs={"units": "m", "standard_name": "surface_altitude"}), AXES)
        == "mean"
    )
    with pytest.raises(TimeAxisError, match="'auto' or one of"):
        time_method(field, AXES, "median")
    with pytest.raises(TimeAxisError, match='time_method="mean"'):
        time_method(field.assign_attrs(cell_methods="time: maximum"), AXES)
