from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import globe, rain, raise_if_dask_computes
from xdownscale.errors import EmptyFieldError, ValueRangeError
from xdownscale.field.checks import checked, name_of

quick = settings(derandomize=True, max_examples=150, deadline=None, database=None)


def spoiled(field, marker, count=2):
    """A field with a marker in its first cells."""
    values = field.values.copy()
    values.ravel()[:count] = marker
    return field.copy(data=values)


def test_good_fields_pass():
    checked(rain())
    checked(globe() - 273.15)
    checked(rain().where(rain() > 1))
    checked((rain() * 10).astype(int))
    checked(rain() - 1e-9)
    checked(rain() > 1)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", np.longdouble, "u1", "u8", "i4", bool])
def test_every_type_of_real_numbers_stays_as_it_is(dtype):
    field = (rain() % 5).astype(dtype)
    assert checked(field).identical(field)
    assert checked(field).dtype == dtype


@pytest.mark.parametrize("marker", [-99.0, -999.0, -9999.0, -32.0])
def test_markers_of_missing_data_in_rain(marker):
    with pytest.raises(ValueRangeError, match=rf"{marker:g} stands 2 times in rain.*rain.where\(rain >= 0\)"):
        checked(spoiled(rain(), marker))


def test_no_echo_in_reflectivity_is_a_marker():
    field = xr.DataArray(np.linspace(-31.5, 60, 50), dims="x", attrs={"units": "dBZ"})
    checked(field)
    with pytest.raises(ValueRangeError, match="-32 stands 2 times"):
        checked(field.where(np.arange(50) > 1, -32.0))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("marker", [-9999.0, -9999.9, -999.9, -32767.0, -99999.0])
def test_markers_in_other_fields_stand_apart(marker, count):
    with pytest.raises(
        ValueRangeError, match=rf"{marker:g} stands {count} times.*tas.where\(tas != {marker:g}\)"
    ):
        checked(spoiled(globe(dtype="f8") - 273.15, marker, count), "tas")


def test_values_among_others_are_no_markers():
    checked(xr.DataArray(np.linspace(-99.0, 50.0, 100), dims="x"))
    checked(xr.DataArray(np.linspace(-9999.0, 50.0, 100), dims="x", name="elevation"))
    checked(spoiled(globe() - 273.15, -99.0, 1))
    checked(xr.DataArray(np.geomspace(1e15, 5e24, 50), dims="x", attrs={"units": "molec cm-2"}))


def test_nothing_but_a_marker():
    with pytest.raises(ValueRangeError, match="-9999 stands 4 times"):
        checked(xr.DataArray(np.full(4, -9999.0), dims="x"))
    checked(xr.DataArray(np.full(4, -99.0), dims="x", name="latitude"))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("marker", [1e20, -1e20, 9.999e20, 9.96921e36, 3.4e38, -3.4028235e38, -1e30, 1e35])
def test_numbers_that_no_quantity_has(marker, dtype):
    for field in (globe(), rain()):
        with pytest.raises(ValueRangeError, match="a marker of missing data"):
            checked(spoiled(field.astype(dtype), marker, 1))


def test_numbers_beyond_single_precision():
    with pytest.raises(ValueRangeError, match=r"tas contains 1e\+300"):
        checked(spoiled(globe(), 1e300))


@pytest.mark.parametrize(
    ("dtype", "marker"),
    [
        ("i4", -(2**31)),
        ("i4", 1 - 2**31),
        ("i8", -(2**63)),
        ("i8", 2 - 2**63),
        ("u4", 2**32 - 1),
        ("u8", 2**64 - 2),
    ],
)
def test_default_fill_values_of_whole_numbers(dtype, marker):
    field = xr.DataArray(np.array([5, 6, marker], dtype), dims="x", name="tas")
    with pytest.raises(ValueRangeError, match=rf"{marker} stands 1 times.*tas.where\(tas != {marker}\)"):
        checked(field)


@pytest.mark.parametrize("where", ["attrs", "encoding"])
@pytest.mark.parametrize("attr", ["_FillValue", "missing_value"])
@pytest.mark.parametrize(
    ("dtype", "marker"), [("u1", 255), ("u2", 65535), ("i2", -1), ("f4", -9.9), ("f8", 0.0), ("f8", 300.0)]
)
def test_declared_markers(dtype, marker, attr, where):
    field = spoiled(globe().round().astype(dtype), marker)
    getattr(field, where)[attr] = np.dtype(dtype).type(marker)
    with pytest.raises(ValueRangeError, match=rf"{marker:g} stands .* attribute {attr} declares"):
        checked(field)


def test_a_marker_declared_in_other_precision_is_found():
    """xarray compares single with double precision and leaves such a marker in place."""
    field = spoiled(globe().astype("f4"), -8.7)
    field.encoding["missing_value"] = np.float64(-8.7)
    with pytest.raises(ValueRangeError, match=r"tas.where\(tas != -8.7\)"):
        checked(field)
    double = spoiled(globe().astype("f4"), -8.7).astype("f8").assign_attrs(_FillValue=np.float64(-8.7))
    with pytest.raises(ValueRangeError, match=r"-8\.69999980926513"):
        checked(double)


def test_a_declared_marker_that_is_not_there_leaves_no_attribute():
    field = globe().assign_attrs(_FillValue=1e20, missing_value=1e20, valid_min=0.0)
    assert checked(field).attrs == {"units": "K"}
    assert "_FillValue" in field.attrs


def test_packed_values_are_checked_as_packed_and_as_unpacked():
    packed = xr.DataArray(
        np.array([10, 20, -9], "i2"), dims="x", name="rain", attrs={"scale_factor": 0.5, "units": "mm h-1"}
    )
    with pytest.raises(ValueRangeError, match=r"lowest -4\.5"):
        checked(packed)
    with pytest.raises(ValueRangeError, match=r"-9 stands 1 times.*decode_cf\(rain.where"):
        checked(packed.assign_attrs(_FillValue=np.int16(-9)))
    np.testing.assert_array_equal(checked(packed[:2]), [5.0, 10.0])


def test_valid_range():
    field = globe().assign_attrs(valid_range=[250.0, 290.0])
    with pytest.raises(ValueRangeError, match=r"valid range 250 to 290.*\(tas >= 250\) & \(tas <= 290\)"):
        checked(field)
    checked(field.clip(250 - 1e-5, 290 + 1e-5))
    with pytest.raises(ValueRangeError, match=r"tas.where\(\(tas <= 290\)\)"):
        checked(globe().assign_attrs(valid_max=290.0))


@pytest.mark.parametrize("lazy", [False, True])
def test_negative_rain(lazy):
    field = spoiled(rain(), -0.5, 1)
    with pytest.raises(ValueRangeError, match=r"1 negative values.*rain.where\(rain >= 0\)"):
        checked(field.chunk(time=1) if lazy else field).load()


def test_negative_rain_of_rounding_is_tolerated_wherever_the_largest_value_stands():
    field = spoiled(rain(), -2.5e-4, 5)
    field[-1] = 300.0
    checked(field)
    checked(field.chunk(time=1)).load()
    with pytest.raises(ValueRangeError):
        checked(field[:-1])


def test_forecasts_may_be_wrong_but_hold_no_markers():
    for wrong in (-0.5, np.inf, -np.inf):
        checked(spoiled(rain(), wrong), forecast=True)
    for marker in (-9999.0, 1e20):
        with pytest.raises(ValueRangeError, match="marker"):
            checked(spoiled(spoiled(rain(), np.inf, 5), marker), forecast=True)


def test_infinities():
    for bad in (np.inf, -np.inf):
        with pytest.raises(ValueRangeError, match="isfinite"):
            checked(spoiled(globe(), bad))


def test_nothing_at_all():
    with pytest.raises(EmptyFieldError, match="is empty"):
        checked(rain()[:0])
    nothing = rain() * np.nan
    with pytest.raises(EmptyFieldError, match="no valid value"):
        checked(nothing)
    checked(nothing, allow_missing=True)


def test_lazy_fields_are_looked_at_when_they_are_computed():
    with raise_if_dask_computes():
        good, bad = checked(rain().chunk(time=1)), checked(spoiled(rain(), -9999.0).chunk(time=1))
    assert good.chunks == rain().chunk(time=1).chunks
    xr.testing.assert_identical(good.compute(), rain())
    bad[1:].compute()
    with pytest.raises(ValueRangeError, match=r"-9999 stands 2 times in rain"):
        bad.compute()


def test_lazy_blocks_are_read_once():
    import dask.array

    reads = []

    def block(block_info=None):
        reads.append(block_info[None]["chunk-location"])
        return np.ones((1, 2))

    values = dask.array.map_blocks(block, chunks=((1, 1, 1), (2,)), dtype=float, meta=np.empty((0, 0)))
    checked(xr.DataArray(values, dims=("y", "x"))).compute()
    assert sorted(reads) == [(0, 0), (1, 0), (2, 0)]


def test_names():
    assert name_of(xr.DataArray(0)) == "field"
    assert name_of(rain()) == "rain"
    with pytest.raises(ValueRangeError, match=r"Use field.where\(field >= 0\)"):
        checked(spoiled(rain().rename("rain rate"), -9999.0))


KINDS = {"f2": -999.0, "f4": 1e20, "f8": -9999.9, "i2": -32767, "i4": 1 - 2**31, "u1": 255, "u2": 65535}


@quick
@given(
    dtype=st.sampled_from(sorted(KINDS)),
    count=st.sampled_from((0, 1, 7)),
    attr=st.sampled_from((None, "_FillValue", "missing_value")),
    encoded=st.booleans(),
    packing=st.sampled_from(
        ({}, {"scale_factor": 0.5}, {"scale_factor": 1.0}, {"add_offset": np.float32(3)})
    ),
    chunks=st.sampled_from((None, 1, 7, 100)),
    seed=st.integers(0, 99),
)
def test_values_are_right_or_refused(dtype, count, attr, encoded, packing, chunks, seed):
    """With a marker: refused. Without: what xarray decodes; floating-point values that may be packed are refused."""
    good = np.random.default_rng(seed).integers(10, 100, 100).astype(dtype)
    field = xr.DataArray(good, dims="x", name="tas", attrs=packing)
    field = spoiled(field, KINDS[dtype], count)
    if attr:
        (field.encoding if encoded else field.attrs)[attr] = field.dtype.type(KINDS[dtype])
    known = attr is not None or dtype[0] != "u"
    lazy = field if chunks is None else field.chunk(x=chunks)
    ambiguous = dtype[0] == "f" and packing not in ({}, {"scale_factor": 1.0})
    if ambiguous or (count and known):
        with pytest.raises(ValueRangeError):
            checked(lazy).compute()
    elif not count:
        result = checked(lazy).compute()
        wanted = good * packing.get("scale_factor", 1.0) + packing.get("add_offset", 0.0)
        np.testing.assert_allclose(result, wanted, rtol=1e-7)
        assert result.attrs == {}
