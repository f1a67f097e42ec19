import pytest

from xdownscale.metrics.labels import difference_units, squared_units


@pytest.mark.parametrize(
    ("units", "squared"),
    [
        ("mm", "mm2"),
        ("mm h-1", "mm2 h-2"),
        ("kg m-2 s-1", "kg2 m-4 s-2"),
        ("kg.m-2", "kg2 m-4"),
        ("m^2 s**-1", "m4 s-2"),
        ("mm/h", "(mm/h)2"),
        ("K", "K2"),
        ("degC", "K2"),
        ("%", "%2"),
        ("1", "1"),
        (None, None),
    ],
)
def test_squared_units(units, squared):
    assert squared_units(units) == squared


def test_a_difference_of_celsius_is_kelvin():
    assert difference_units("degrees_C") == "K"
    assert difference_units(None) is None
