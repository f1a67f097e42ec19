"""Limits of quantities: by standard name and units, by the names of products, and only where values keep them."""

import numpy as np
import pytest
import xarray as xr

from xdownscale.field.limits import limits_of

CF = [
    ("relative_humidity", "%", (0.0, 100.0)),
    ("relative_humidity", "1", (0.0, 1.0)),
    ("cloud_area_fraction", "1", (0.0, 1.0)),
    ("wind_speed", "m s-1", (0.0, None)),
    ("specific_humidity", "kg kg-1", (0.0, None)),
    ("surface_downwelling_shortwave_flux_in_air", "W m-2", (0.0, None)),
    ("surface_snow_amount", "kg m-2", (0.0, None)),
    ("air_temperature", "K", (None, None)),
    ("eastward_wind", "m s-1", (None, None)),
    ("air_pressure_at_mean_sea_level", "Pa", (None, None)),
]


@pytest.mark.parametrize(("name", "units", "limits"), CF)
def test_by_standard_name_and_units(name, units, limits):
    field = xr.DataArray([0.2, 0.5], dims="x", attrs={"standard_name": name, "units": units})
    assert limits_of(field) == limits
    assert limits_of(field.chunk()) == limits


@pytest.mark.parametrize(
    ("name", "units", "limits"),
    [("hurs", "%", (0.0, 100.0)), ("clt", "%", (0.0, 100.0)), ("sfcWind", "m s-1", (0.0, None)),
     ("rsds", "W m-2", (0.0, None)), ("tas", "K", (None, None)), ("hurricane", "%", (None, None))],
)  # fmt: skip
def test_by_the_names_of_products(name, units, limits):
    assert limits_of(xr.DataArray([20.0, 50.0], dims="x", name=name, attrs={"units": units})) == limits


def test_rounding_is_within_the_limits_and_anything_else_means_that_there_are_none():
    field = xr.DataArray([0.0, 100.05], dims="x", attrs={"standard_name": "relative_humidity", "units": "%"})
    assert limits_of(field) == (0.0, 100.0)
    over = field.copy(data=np.array([0.0, 130.0]))
    assert limits_of(over) == (None, None)
    anomalies = xr.DataArray([-3.0, 4.0], dims="x", attrs={"standard_name": "wind_speed", "units": "m s-1"})
    assert limits_of(anomalies) == (None, None)


def test_a_fraction_in_unknown_units_has_no_limits():
    field = xr.DataArray([2.0], dims="x", attrs={"standard_name": "cloud_area_fraction", "units": "oktas"})
    assert limits_of(field) == (None, None)
