from __future__ import annotations

import cftime
import dask.array
import numpy as np
import pint
import pytest
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.field.numbers import check_numbers


class Foreign:
    """An array of another library, as far as xarray asks for one."""

    __array_ufunc__ = None

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, values.dtype, values.ndim

    def __array_function__(self, function, types, args, kwargs):
        return NotImplemented

    def __array__(self, dtype=None, copy=None):
        return self.values


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", np.longdouble, "u1", "i8", bool])
def test_real_numbers_of_every_type(dtype):
    check_numbers(xr.DataArray(np.ones(2, dtype), dims="x"))
    check_numbers(xr.DataArray(np.ones(2, dtype), dims="x").chunk(x=1))


@pytest.mark.parametrize(
    ("value", "call"),
    [
        (np.timedelta64(3600, "s").astype("m8[ns]"), r'field / numpy.timedelta64\(1, "s"\)'),
        (np.datetime64("2020-01-01", "ns"), r"numpy.datetime64"),
        (1j, r"field.real, field.imag or abs\(field\)"),
        ("1.5", r"field.astype\(float\)"),
        (cftime.DatetimeNoLeap(2000, 1, 1), "field.astype"),
    ],
)
def test_other_types_are_refused_with_the_call_that_makes_numbers_of_them(value, call):
    for lazy in (False, True):
        field = xr.DataArray([value], dims="x")
        with pytest.raises(ValueRangeError, match=f"not real numbers.*{call}"):
            check_numbers(field.chunk(x=1) if lazy else field)


@pytest.mark.parametrize("lazy", [False, True])
def test_quantities_of_pint(lazy):
    values = dask.array.ones(3) if lazy else np.ones(3)
    field = xr.DataArray(pint.UnitRegistry().Quantity(values, "mm/h"), dims="x", name="pr")
    with pytest.raises(ValueRangeError, match=r"pr.pint.dequantify\(\)"):
        check_numbers(field, "pr")


def test_arrays_of_other_libraries():
    field = xr.DataArray(Foreign(np.ones(3)), dims="x")
    with pytest.raises(ValueRangeError, match=r"Foreign of .*field.as_numpy\(\)"):
        check_numbers(field)
    check_numbers(field.as_numpy())
