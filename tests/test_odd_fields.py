"""Any field at all: every verb gives a right result, or an error of the package's own.

`python benchmarks/odd_fields.py 2000` examines as many fields as the figure of the issue asks for; here are a few of
them, and those that once failed.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.odd_fields import Odd, odd_fields
from tests.odd_laws import examine

FAILED = {}
"""Fields that once gave a wrong result or an error of somebody else's, by what was wrong."""


@settings(
    derandomize=True, max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(odd_fields())
def test_an_odd_field_is_refused_or_right(odd):
    examine(odd)


@pytest.mark.parametrize("odd", FAILED.values(), ids=FAILED)
def test_a_field_that_once_failed_is_refused_or_right(odd):
    examine(odd, slow=True)


def test_an_ordinary_field_is_right_everywhere():
    assert set(examine(Odd()).values()) == {"right"}
