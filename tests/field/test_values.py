from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support import globe, rain, raise_if_dask_computes
from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.field.values import check_numbers, check_values, name_of


def test_good_fields_pass():
    check_values(rain())
    check_values(globe() - 273.15)
    check_values(rain().where(rain() > 1))
    check_values((rain() * 10).astype(int))
    check_values(rain() - 1e-9)


@pytest.mark.parametrize("marker", [-99.0, -999.0, -9999.0, -32.0])
def test_markers_of_missing_data_in_rain(marker):
    field = rain()
    field[0, 0, :2] = marker
    with pytest.raises(ValueRangeError, match=rf"holds {marker:g} 2 times.*field.where\(field >= 0\)"):
        check_values(field)


def test_no_echo_in_reflectivity_is_a_marker():
    field = xr.DataArray(np.linspace(-31.5, 60, 50), dims="x", attrs={"units": "dBZ"})
    check_values(field)
    with pytest.raises(ValueRangeError, match="-32 2 times"):
        check_values(field.where(np.arange(50) > 1, -32.0))


def test_markers_in_other_fields_stand_apart():
    field = globe() - 273.15
    field[0, :3] = -9999.0
    with pytest.raises(ValueRangeError, match=r"tas.where\(tas != -9999\)"):
        check_values(field, "tas")
    check_values(xr.DataArray(np.linspace(-99.0, 50.0, 100), dims="x"))


def test_negative_rain():
    field = rain()
    field[0, 0, 0] = -0.5
    with pytest.raises(ValueRangeError, match=r"1 negative values.*field.where\(field >= 0\)"):
        check_values(field)


def test_infinities():
    field = rain()
    field[0, 0, 0] = np.inf
    with pytest.raises(ValueRangeError, match="isfinite"):
        check_values(field)


def test_nothing_at_all():
    with pytest.raises(EmptyFieldError, match="is empty"):
        check_values(rain()[:0])
    nothing = rain() * np.nan
    with pytest.raises(EmptyFieldError, match="no valid value"):
        check_values(nothing)
    check_values(nothing, allow_missing=True)


def test_lazy_fields_are_not_touched():
    with raise_if_dask_computes():
        check_values((rain() - 5).chunk(time=1))


def test_only_real_numbers():
    check_numbers(xr.DataArray([True]))
    with pytest.raises(ValueRangeError, match="astype"):
        check_numbers(xr.DataArray(["a"]))


def test_names():
    assert name_of(xr.DataArray(0)) == "field"
    assert name_of(rain()) == "rain"
