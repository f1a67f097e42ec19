from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr

from tests.support import rain, raise_if_dask_computes
from xdownscale.errors import UnitsError
from xdownscale.field.units import dimension, to_units, unit_scale
from xdownscale.field.water import metres_of_water


@pytest.mark.parametrize(
    ("source", "target", "scale"),
    [
        ("mm h-1", "mm/day", 24),
        ("mm/h", "kg m-2 s-1", 1 / 3600),
        ("kg m**-2 s**-1", "mm hr^-1", 3600),
        ("kg/m2/s", "mm/s", 1),
        ("m s-1", "mm h-1", 3.6e6),
        ("millimeter/hour", "mm.h-1", 1),
        ("mm", "kg m-2", 1),
        ("cm", "um", 1e4),
        ("mm hr-1", "mm/hour", 1),
        ("mm day-1", "mm per day", 1),
        ("inch h-1", "mm h-1", 25.4),
        ("ft", "inches", 12),
        ("1e-3 m s-1", "mm/s", 1),
        ("10^-3 m", "mm", 1),
        ("0.1 mm", "mm", 0.1),
        ("mm/3h", "mm h-1", 1 / 3),
        ("0.01 mm/5min", "mm h-1", 0.12),
        ("kg m⁻² s⁻¹", "kg/(m^2*s)", 1),
        ("L/m2", "mm", 1),
        ("g m-2 s-1", "kg m-2 s-1", 1e-3),
        ("m of water equivalent", "mm", 1000),
    ],
)
def test_rates_fluxes_and_depths_of_water(source, target, scale):
    assert unit_scale(source, target) == (pytest.approx(scale, rel=1e-15), 0.0)
    assert unit_scale(target, source)[0] == pytest.approx(1 / scale, rel=1e-15)


def test_temperatures_have_an_offset():
    assert unit_scale("K", "degC") == (1.0, -273.15)
    scale, offset = unit_scale("degF", "celsius")
    assert 212 * scale + offset == pytest.approx(100)
    assert unit_scale("kelvin", "K") == (1.0, 0.0)
    for spelling in ("degree_Celsius", "degrees C", "deg_C", "°C", "℃", "C"):
        assert unit_scale(spelling, "degrees_kelvin" if spelling == "C" else "K") == (1.0, 273.15)


def test_amounts_per_step_need_the_step():
    step = np.timedelta64(5, "m")
    assert unit_scale("mm", "mm h-1", step=step)[0] == pytest.approx(12)
    assert unit_scale("mm h-1", "kg m-2", step=step)[0] == pytest.approx(1 / 12)
    with pytest.raises(UnitsError, match=r"step=numpy\.timedelta64"):
        unit_scale("mm", "mm h-1")


def test_the_step_is_read_from_the_time_axis():
    amount = rain().assign_attrs(units="mm")
    np.testing.assert_allclose(to_units(amount, "mm h-1"), amount * 12)


def test_conversion_there_and_back_is_the_identity():
    field = rain()
    back = to_units(to_units(field, "kg m-2 s-1"), "mm h-1")
    np.testing.assert_allclose(back, field, rtol=1e-14)
    assert back.attrs["units"] == "mm h-1"


def test_equal_units_in_another_spelling_give_the_field_itself():
    field = rain().assign_attrs(units="mm/h")
    assert to_units(field, "mm h-1") is field


def test_precision_is_kept_and_the_input_is_not_modified():
    field = rain(dtype=np.float32)
    before = field.copy(deep=True)
    assert to_units(field, "mm day-1").dtype == np.float32
    assert to_units(xr.DataArray([1], attrs={"units": "degC"}), "K")[0] == pytest.approx(274.15)
    xr.testing.assert_identical(field, before)


def test_conversion_is_lazy():
    with raise_if_dask_computes():
        converted = to_units(rain().chunk(time=1), "mm day-1")
    assert converted.chunks is not None


def test_beside_gaps_an_amount_belongs_to_a_step_of_the_usual_length():
    amount = rain().assign_attrs(units="mm").isel(time=[0, 1, 2, 5])
    np.testing.assert_allclose(to_units(amount, "mm h-1"), amount * 12)


def test_a_field_of_any_dimensions_has_its_units_converted():
    station = rain().isel(y=0, x=0).assign_attrs(units="inch")
    np.testing.assert_allclose(to_units(station, "mm h-1"), station * 25.4 * 12)
    alone = station.isel(time=[0])
    with pytest.raises(UnitsError, match=r"cell_width.*300 s"):
        to_units(alone, "mm h-1")
    alone.time.attrs["cell_width"] = "300 s"
    np.testing.assert_allclose(to_units(alone, "mm h-1"), alone * 25.4 * 12)


@pytest.mark.parametrize(
    "units", ["K", "Pa", "kg m-3", "kg2 m-2", "m2 s-1", "m s-2", "m s-1 d-1", "1", "", "0 mm", "mm/", "(("]
)
def test_units_of_another_dimension_are_refused(units):
    with pytest.raises(UnitsError, match="cannot convert"):
        unit_scale(units, "mm h-1")


def test_a_field_without_units_is_refused():
    with pytest.raises(UnitsError, match=r'field.attrs\["units"\]'):
        to_units(xr.DataArray([1.0]), "mm h-1")


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("kg m-2", "amount"),
        ("m of water equivalent", "amount"),
        ("mm day-1", "rate"),
        ("m s-1", "rate"),
        ("J m**-2", "energy amount"),
        ("MJ/m2", "energy amount"),
        ("N m**-2 s", "energy amount"),
        ("W m-2", "energy rate"),
        ("degC", "temperature"),
        ("K day", None),
        ("J kg-1", None),
        ("mm/month", None),
        ("1", None),
        ("", None),
    ],
)
def test_dimensions(units, expected):
    assert dimension(units) == expected


@pytest.mark.parametrize(
    ("source", "target", "scale"),
    [("hPa", "Pa", 100), ("km h-1", "m s-1", 1 / 3.6), ("W m-2", "J m-2 s-1", 1), ("g kg-1", "1", 1e-3)],
)
def test_other_units_are_converted_where_pint_is_installed(source, target, scale):
    pytest.importorskip("pint")
    assert unit_scale(source, target) == (pytest.approx(scale), 0.0)


@pytest.mark.parametrize(
    ("source", "target"), [("hPa", "K"), ("dBm", "W"), ("furlongs of rain", "Pa"), ("((", "Pa")]
)
def test_pint_is_not_asked_for_what_has_no_factor(source, target):
    pytest.importorskip("pint")
    with pytest.raises(UnitsError, match=r"cannot convert.*Convert the field beforehand"):
        unit_scale(source, target)


def test_without_pint_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pint", None)
    with pytest.raises(UnitsError, match=r"Known: mm h-1.*install pint"):
        unit_scale("hPa", "Pa")


def test_temperatures_and_rain_do_not_ask_for_a_time_step():
    warm = rain().isel(time=[0, 1, 3]).assign_attrs(units="K")
    with pytest.raises(UnitsError, match="cannot convert 'K' to 'mm'"):
        to_units(warm, "mm")


def test_fixed_points_of_temperature():
    for units, freezing, boiling in (("degF", 32.0, 212.0), ("degC", 0.0, 100.0), ("K", 273.15, 373.15)):
        for other, there in (("K", (273.15, 373.15)), ("degF", (32.0, 212.0)), ("degC", (0.0, 100.0))):
            scale, offset = unit_scale(units, other)
            assert (freezing * scale + offset, boiling * scale + offset) == pytest.approx(there, abs=1e-9)
    scale, offset = unit_scale("degF", "K")
    assert -459.67 * scale + offset == pytest.approx(0, abs=1e-9)


def test_a_field_in_celsius_is_moved_to_kelvin_and_says_so():
    field = xr.DataArray([0.0, 21.5], dims="x", attrs={"units": "degC", "long_name": "t"}, name="t")
    field.encoding = {"scale_factor": 0.1, "dtype": "int16"}
    warm = to_units(field, "K")
    assert warm.values.tolist() == [273.15, 294.65]
    assert (warm.attrs["units"], warm.attrs["long_name"], warm.name) == ("K", "t", "t")
    assert warm.encoding == {}


def test_amounts_take_a_step_given_before_the_one_of_the_axis():
    amount = rain().assign_attrs(units="mm")
    np.testing.assert_allclose(to_units(amount, "mm h-1", step=np.timedelta64(30, "m")), amount * 2)
    rate = rain()
    np.testing.assert_allclose(to_units(rate, "mm"), rate / 12)
    np.testing.assert_allclose(to_units(rate, "mm", step=np.timedelta64(1, "h")), rate)
    assert unit_scale("mm", "mm h-1", step=np.timedelta64(1500, "ms"))[0] == pytest.approx(2400)


def test_rates_and_amounts_are_told_apart():
    water = [metres_of_water(units) for units in ("mm", "kg m-2", "mm h-1", "kg m-2 s-1")]
    assert [per_time for _, per_time in water] == [False, False, True, True]
    assert metres_of_water("K") is None


def test_a_logarithmic_unit_has_no_factor():
    pytest.importorskip("pint")
    assert unit_scale("hPa", "Pa") == (100.0, 0.0)
    with pytest.raises(UnitsError, match="Convert the field beforehand"):
        unit_scale("dB", "1")
