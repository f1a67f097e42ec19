from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support import raise_if_dask_computes
from xdownscale.errors import ValueRangeError
from xdownscale.field.packing import Declared, declared, is_packed, unpacked


def field(values, encoding=None, **attrs):
    made = xr.DataArray(values, dims="x", name="tas", attrs=attrs)
    made.encoding = encoding or {}
    return made


def test_whole_numbers_are_unpacked_as_xarray_decodes_them():
    packed = field(np.array([10, -3, 7], "i2"), units="K", scale_factor=0.1, add_offset=np.array([-0.5]))
    values = unpacked(packed, "tas")
    np.testing.assert_allclose(values, xr.decode_cf(packed.to_dataset())["tas"], rtol=1e-6)
    assert values.attrs == {"units": "K"}
    assert packed.attrs.keys() == {"units", "scale_factor", "add_offset"}


def test_lazy_fields_are_unpacked_when_they_are_computed():
    packed = field(np.array([10, 20], "u1"), scale_factor=2.0).chunk(x=1)
    with raise_if_dask_computes():
        values = unpacked(packed, "tas")
    np.testing.assert_array_equal(values, [20.0, 40.0])


def test_nothing_declared_nothing_done():
    plain = field(np.array([1.0]), units="K")
    assert unpacked(plain, "tas") is plain


def test_scale_one_and_offset_zero_say_nothing():
    whole = field(np.array([1], "i2"), scale_factor=1.0, add_offset=0.0, _FillValue=-9)
    assert not is_packed(whole)
    assert unpacked(whole, "tas").dtype == np.int16
    assert unpacked(whole, "tas").attrs == {}


@pytest.mark.parametrize(
    "attrs",
    [{"scale_factor": 0.1}, {"add_offset": 5}, {"scale_factor": "a tenth"}, {"scale_factor": [1, 2]}],
    ids=str,
)
def test_floating_point_values_may_be_packed_or_not(attrs):
    with pytest.raises(ValueRangeError, match=r"decode_cf\(tas.*assign_attrs\(scale_factor=1"):
        unpacked(field(np.array([1.0]), **attrs), "tas")


def test_bytes_that_stand_for_numbers_without_sign():
    said = field(np.array([-1], "i1"), _Unsigned="true")
    with pytest.raises(ValueRangeError, match="_Unsigned"):
        unpacked(said, "tas")
    assert not is_packed(field(np.array([-1], "i1"), _Unsigned="false"))


def test_fill_values_of_attributes_and_encoding():
    said = field(
        np.array([1.0]), {"_FillValue": np.float32(-9)}, missing_value=np.array([-1.0, np.nan, -2.0])
    )
    assert declared(said).fills == (("missing_value", -1.0), ("missing_value", -2.0), ("_FillValue", -9.0))


def test_an_encoding_with_packing_tells_of_other_numbers():
    assert declared(field(np.array([1.0]), {"_FillValue": 1, "scale_factor": 0.1})) == Declared(
        (), -np.inf, np.inf
    )


@pytest.mark.parametrize("said", ["none", ["a"], None, np.nan], ids=str)
def test_fill_values_that_are_no_numbers(said):
    assert declared(field(np.array([1.0]), _FillValue=said)).fills == ()


def test_a_valid_range_counts_where_it_is_of_the_kind_of_the_values():
    bounds = declared(field(np.array([1.0]), valid_range=[0.0, 5.0], valid_max=np.float32(4.0)))
    assert (bounds.low, bounds.high) == (0.0, 4.0)
    assert declared(field(np.array([1], "i2"), valid_min=np.int16(-3))).low == -3
    # whole numbers bound what a file has packed
    assert declared(field(np.array([1.0]), valid_range=np.array([0, 200], "i2"))).high == np.inf
    assert declared(field(np.array([1.0]), valid_range=[0.0])).low == -np.inf
