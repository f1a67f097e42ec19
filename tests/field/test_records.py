"""More rain than was ever measured: the warning, and the call that it names."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import xdownscale
from tests.support import rain
from xdownscale.field.checks import checked
from xdownscale.field.quantity import quantity_of
from xdownscale.field.records import record_of


def of(units, largest, *, step=60, **attrs):
    """Rain whose largest value is known."""
    field = rain((3, 4, 4), step=step).drop_attrs(deep=False)
    return (field / field.max() * largest).assign_attrs(units=units, **attrs)


@pytest.mark.parametrize(("minutes", "depth"), [(1, 38), (42, 305), (60, 401), (1440, 1825), (8 * 60, 1100)])
def test_the_records_of_the_world_lie_below_the_envelope(minutes, depth):
    """Unionville 1956, Holt 1947, Shangdi 1975, Foc-Foc 1966; between half of it and all of it."""
    field = of("mm", depth, step=minutes)
    most = record_of(field, quantity_of(field)).most
    assert 0.45 * most < depth < most


@pytest.mark.parametrize(
    ("units", "largest", "step", "right"),
    [
        ("m", 11.8, 60, "mm"),
        ("m", 40.0, 1440, "mm"),
        ("mm", 3000.0, 60, "0.1 mm"),
        ("kg m-2 s-1", 12.0, 60, "mm h-1"),
        ("m s-1", 4.0, 5, "mm h-1"),
        ("mm h-1", 1200.0, 1440, "mm day-1"),
    ],
)
def test_a_wrong_magnitude_is_said_with_the_units_that_fit(units, largest, step, right):
    field = of(units, largest, step=step)
    with pytest.warns(UserWarning, match=rf"rain holds {largest:.4g} {units}.*mm/h") as said:
        xdownscale.coarsen(field, 2)
    call = str(said[0].message).partition("state them: rain = ")[2].rstrip(".")
    assert repr(right) in call
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xdownscale.coarsen(eval(call, {"rain": field}), 2)


def test_the_message_gives_the_rate_that_was_read():
    with pytest.warns(UserWarning, match=r"11.8 m, which is 1.18e\+04 mm/h over 1 h; .* is 491 mm/h"):
        checked(of("m", 11.8))


@pytest.mark.parametrize(
    "field",
    [
        of("mm", 490.0),
        of("mm h-1", 900.0, step=15),
        of("mm h-1", 2500.0, cell_methods="time: point"),
        of("mm h-1", 2500.0).drop_vars("time"),
        of("m", 40.0).drop_vars("time"),
        of("mm", 1e4).rename("RAINNC"),
        of("K", 1e5),
        of("parsecs per fortnight", 1e5),
        of("mm", 490.0).isel(time=[0, 1]).assign_coords(time=[5, 6]),
    ],
)
def test_what_can_be_or_is_not_known_is_not_said(field):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked(field)


def test_a_lazy_field_is_looked_at_when_it_is_computed_and_said_once():
    field = of("m", 20.0)
    field = field.where(field > 2, 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lazy = checked(field.chunk(time=1, y=1))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        values = lazy.compute(scheduler="synchronous")
    assert len([each for each in said if "mm/h" in str(each.message)]) == 1
    np.testing.assert_array_equal(values, field)
