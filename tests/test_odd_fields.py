"""Any field at all: every verb gives a right result, or an error of the package's own.

`python benchmarks/odd_fields.py 2000` examines as many fields as the figure of the issue asks for; here are a few of
them, and those that once failed.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

import xdownscale
from tests.odd_fields import Odd, odd_fields
from tests.odd_laws import examine

FAILED = {
    "a Dataset without labels": Odd(grid="no labels", container="dataset", bounds="start"),
    "a Dataset without labels, refined back": Odd(grid="no labels", container="crowd", by=(3, 3, 4)),
    "an array of numpy": Odd(container="numpy"),
    "a share that is text": Odd(options=12),
    "a share that is none": Odd(options=13),
    "several variables to score": Odd(container="crowd", chunks=(2, 3, 5)),
    "labels that are all NaN": Odd(grid="all labels nan", by=(1, 2, 2)),
    "one label that is NaN": Odd(grid="nan among labels", quantity="temperature"),
    "times with a zone": Odd(times="time zones"),
    "periods as times": Odd(times="periods"),
    "a grid mapping that is a number": Odd(attrs=("odd mapping",), times="year one"),
    "an attribute whose key is a number": Odd(attrs=("dictionary",), container="dataset"),
    "a time that is None": Odd(times="a none"),
    "two calendars in one axis": Odd(times="two calendars"),
    "a dimension without a name": Odd(names="empty", grid="no labels", by=(2, 1, 1)),
    "a dimension without a name, beside other fields": Odd(names="empty", container="crowd", by=(1, 2, 2)),
    "dimensions that are numbers": Odd(names="numbers"),
    "text as labels of a changed axis": Odd(grid="text"),
    "dates as labels of x": Odd(grid="dates"),
    "objects as labels": Odd(grid="objects", container="dataset"),
    "cells smaller than powers of ten go": Odd(grid="tiny cells"),
    "two-dimensional coordinates called like dimensions": Odd(
        sizes=(4, 1, 11), names="short", grid="curvilinear all nan", times="noleap"
    ),
    "latitudes and longitudes called like dimensions": Odd(names="short", grid="curvilinear"),
    "bounds with three edges": Odd(
        names="turned", grid="single precision", times="days", bounds="wrong shape", by=(2, 1, 1), seed=68
    ),
}
"""Fields that once gave a wrong result or an error of somebody else's, by what was wrong."""


OUTCOMES = {"right", *xdownscale.errors.__all__}
"""What may become of a field in a verb."""


@settings(
    derandomize=True, max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(odd_fields())
def test_an_odd_field_is_refused_or_right(odd):
    assert set(examine(odd).values()) <= OUTCOMES


@pytest.mark.parametrize("odd", FAILED.values(), ids=FAILED)
def test_a_field_that_once_failed_is_refused_or_right(odd):
    assert set(examine(odd, slow=True).values()) <= OUTCOMES


def test_an_ordinary_field_is_right_everywhere():
    assert set(examine(Odd()).values()) == {"right"}
