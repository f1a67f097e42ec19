"""Two fields are compared by what they measure, and not only by whether units convert."""

from __future__ import annotations

import pytest

from xdownscale.errors import QuantityError, UnitsError
from xdownscale.field.compare import check_same
from xdownscale.field.quantity import read_quantity

RAIN = read_quantity("rainfall_rate", {"units": "mm h-1", "standard_name": "rainfall_rate"})
WIND = read_quantity("sfcWind", {"units": "m s-1", "standard_name": "wind_speed"})
WARM = read_quantity("tas", {"units": "K", "standard_name": "air_temperature"})
SNOW = read_quantity("snw", {"units": "kg m-2", "standard_name": "surface_snow_amount"})


@pytest.mark.parametrize(
    ("name", "attrs", "wanted"),
    [
        ("pr", {"units": "kg m-2 s-1", "standard_name": "precipitation_flux"}, RAIN),
        ("tp", {"units": "m", "standard_name": "unknown"}, RAIN),
        ("precip", {"units": "m s-1"}, RAIN),
        ("x", {"units": "mm/day"}, RAIN),
        (None, {}, RAIN),
        (None, {}, WARM),
        ("t2m", {"units": "degC"}, WARM),
        ("x", {"units": "degF"}, WARM),
        (
            "sd",
            {"units": "m of water equivalent", "standard_name": "lwe_thickness_of_surface_snow_amount"},
            SNOW,
        ),
        ("ws10", {"units": "m s-1"}, WIND),
        ("x", {"units": "km h-1"}, WIND),
    ],
)
def test_the_same_quantity_passes(name, attrs, wanted):
    if attrs.get("units") == "km h-1":
        pytest.importorskip("pint")
    check_same(read_quantity(name, attrs), wanted, whose="the model refines")
    check_same(wanted, read_quantity(name, attrs), whose="the model refines")


@pytest.mark.parametrize(
    ("name", "attrs", "wanted"),
    [
        ("sfcWind", {"units": "m s-1", "standard_name": "wind_speed"}, RAIN),
        ("ws10", {"units": "m s-1"}, RAIN),
        ("x", {"units": "m s-1"}, RAIN),
        ("x", {"units": "mm h-1"}, WIND),
        ("uas", {"units": "m s-1"}, WIND),
        ("x", {"standard_name": "eastward_wind"}, WIND),
        ("x", {"standard_name": "eastward_wind", "units": "mm h-1"}, RAIN),
        ("ts", {"units": "K", "standard_name": "surface_temperature"}, WARM),
        ("x", {"units": "Pa"}, WARM),
        ("rain", {"units": "K", "standard_name": "rainfall_rate"}, RAIN),
        ("tp", {"units": "mm"}, SNOW),
        ("e", {"units": "mm"}, RAIN),
        ("evspsbl", {"units": "kg m-2 s-1"}, read_quantity("mrro", {"units": "kg m-2 s-1"})),
    ],
)
def test_another_quantity_is_refused_and_both_are_named(name, attrs, wanted):
    there = read_quantity(name, attrs)
    for field, other in ((there, wanted), (wanted, there)):
        with pytest.raises(QuantityError, match=r"assign_attrs\((standard_name|units)=") as caught:
            check_same(field, other, whose="the model refines")
        assert str(field) in str(caught.value)
        assert str(other) in str(caught.value)
        assert isinstance(caught.value, UnitsError)


def test_the_call_that_the_message_names_works():
    bare = {"units": "m s-1"}
    with pytest.raises(QuantityError, match="standard_name='rainfall_rate'"):
        check_same(read_quantity("x", bare), RAIN, whose="the model refines")
    check_same(read_quantity("x", bare | {"standard_name": "rainfall_rate"}), RAIN, whose="the model refines")
    by_name = read_quantity("tp", {"units": "mm"})
    with pytest.raises(QuantityError, match="standard_name='precipitation'"):
        check_same(read_quantity("x", bare), by_name, whose="the model refines")
    check_same(
        read_quantity("x", bare | {"standard_name": "precipitation"}), by_name, whose="the model refines"
    )
