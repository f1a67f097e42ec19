"""What a quantity allows a verb to do, and the calls that the messages name, executed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import rain, raise_if_dask_computes
from xdownscale.errors import QuantityError, TimeAxisError, UnitsError
from xdownscale.field.axes import Axes
from xdownscale.field.cell_methods import fine_methods, time_method

AXES = Axes("y", "x", "time")


def totals(start_anew=None, **attrs):
    """Amounts of each step, and their running totals, which may start anew every few steps."""
    steps = rain((24, 8, 8)).rename("tp").drop_attrs(deep=False).assign_attrs(units="mm", **attrs)
    runs = steps.values.reshape(-1, start_anew or 24, 8, 8)
    return steps, steps.copy(data=runs.cumsum(axis=1).reshape(steps.shape))


@pytest.mark.parametrize("start_anew", [None, 12, 6])
def test_totals_that_never_fall_are_not_added(start_anew):
    steps, total = totals(start_anew, GRIB_stepType="accum")
    assert time_method(steps, AXES) == "sum"
    for verb in (xdownscale.coarsen, xdownscale.interpolate):
        with pytest.raises(QuantityError, match="totals since a start"):
            verb(total, 1, 3)
        verb(total, 2)  # over cells alone a total has a mean
    xdownscale.coarsen(total.assign_attrs(cell_methods="time: sum"), 4, 3)
    each = total.diff("time")
    anew = (each < -1e-3 * total.max()).any(("y", "x"))
    each = each.where(~anew, total.isel(time=slice(1, None))).assign_attrs(cell_methods="time: sum")
    np.testing.assert_allclose(each, steps[1:], atol=1e-9)
    np.testing.assert_allclose(xdownscale.coarsen(each, 4, 23).sum(), steps[1:].sum() / 16)


def test_amounts_that_grow_by_chance_are_added():
    steps, _ = totals()
    few = steps.isel(time=slice(0, 3)).copy(data=np.cumsum(steps.values[:3], axis=0))
    assert time_method(few, AXES) == "sum"  # three steps may grow
    assert time_method(steps.copy(data=np.ones(steps.shape)), AXES) == "sum"
    assert time_method(steps * 0, AXES) == "sum"
    assert time_method(steps.where(steps < 0), AXES) == "sum"


def test_lazy_totals_are_not_looked_at():
    _, total = totals()
    with raise_if_dask_computes():
        assert time_method(total.chunk(time=2), AXES) == "sum"


def test_totals_are_known_by_name():
    _, total = totals(description="ACCUMULATED TOTAL GRID SCALE PRECIPITATION")
    for name in ("RAINNC", "x"):
        with pytest.raises(QuantityError, match=r'diff\("time"\)'):
            xdownscale.coarsen(total.rename(name).chunk(), 4, 3)
    mixed = total.rename("Total_precipitation").assign_attrs(
        long_name="Total precipitation (Mixed_intervals Accumulation) @ Ground or water surface",
        description="",
    )
    with pytest.raises(QuantityError, match="totals since a start"):
        xdownscale.coarsen(mixed.chunk(), 4, 3)
    each = total.rename("RAINNC").diff("time").assign_attrs(cell_methods="time: sum")
    assert xdownscale.coarsen(each.isel(time=slice(0, 6)), 4, 3).sizes["time"] == 2


def test_classes_have_no_mean_and_the_ways_out_work():
    field = xr.DataArray(
        np.tile([[1, 7], [7, 1]], (4, 4)).astype("i1"),
        coords={"y": np.arange(8.0), "x": np.arange(8.0)},
        dims=("y", "x"),
        name="landuse",
        attrs={"flag_values": np.array([1, 7], "i1"), "flag_meanings": "water forest"},
    )
    with pytest.raises(QuantityError, match=r"class numbers.*flag_values"):
        xdownscale.coarsen(field, 2)
    share = (field == 7).astype(float).drop_attrs(deep=False).rename("share")
    np.testing.assert_array_equal(xdownscale.coarsen(share, 2), 0.5)
    assert set(np.unique(field.isel(y=slice(None, None, 2), x=slice(None, None, 2)))) == {1}
    dataset = xr.Dataset({"landuse": field, "rain": share * 2})
    with pytest.raises(QuantityError, match=r"dataset.drop_vars\('landuse'\)"):
        dataset.sr.coarsen(2)
    assert list(dataset.drop_vars("landuse").sr.coarsen(2)) == ["rain"]
    with pytest.raises(QuantityError, match="class numbers"):
        xdownscale.interpolate(field, 2)
    fine = xdownscale.interpolate(field, 2, method="nearest")
    np.testing.assert_array_equal(fine, np.kron(field, np.ones((2, 2))))
    with pytest.raises(QuantityError, match="class numbers"):
        xdownscale.train(field, 2, recipe="small", steps=1, progress=False)


def test_classes_are_sampled_in_time():
    field = (
        rain((6, 4, 4)).astype(int).assign_attrs(flag_values=[0, 1], units="1", cell_methods="time: point")
    )
    np.testing.assert_array_equal(xdownscale.coarsen(field, 1, 3), field[::3])
    for method in ("mean", "sum"):
        with pytest.raises(QuantityError, match="class numbers"):
            xdownscale.coarsen(field, 1, 3, time_method=method)
    fine = xdownscale.interpolate(field, 1, 3, method="nearest")
    np.testing.assert_array_equal(fine, np.repeat(field, 3, axis=0))


def test_directions_are_averaged_as_vectors():
    values = np.tile([[350.0, 10.0], [350.0, 10.0]], (2, 2, 2))
    field = xr.DataArray(values, dims=("time", "y", "x"), name="wd", attrs={"units": "degree"})
    field.attrs["standard_name"] = "wind_from_direction"
    for spatial, temporal in ((2, 1), (1, 2)):
        with pytest.raises(QuantityError, match="arctan2"):
            xdownscale.coarsen(field.assign_coords(time=rain((2, 1, 1)).time), spatial, temporal)
    angle = np.deg2rad(field.drop_attrs(deep=False))
    u, v = (xdownscale.coarsen(part, 2) for part in (np.sin(angle), np.cos(angle)))
    np.testing.assert_allclose((np.rad2deg(np.arctan2(u, v)) + 1e-9) % 360, 0, atol=1e-6)
    with pytest.raises(QuantityError, match="components"):
        xdownscale.evaluate(field, field, metrics=["mae"])


def test_totals_over_a_cell_are_added_by_xarray():
    field = xr.DataArray(np.ones((4, 4)), dims=("y", "x"), name="population", attrs={"units": "1"})
    for call in (xdownscale.coarsen, xdownscale.interpolate):
        with pytest.raises(QuantityError, match=r"coarsen\(y=2, x=2\).sum\(\)"):
            call(field, 2)
    with pytest.raises(QuantityError, match="total over each cell"):
        xdownscale.interpolate(field, 2, method="nearest")
    np.testing.assert_array_equal(field.coarsen(y=2, x=2).sum(), 4)
    density = (field / 2.0).assign_attrs(units="m-2", cell_methods="area: mean")
    np.testing.assert_array_equal(xdownscale.coarsen(density, 2), 0.5)


def test_rate_or_amount_is_never_guessed():
    field = rain((6, 4, 4)).rename("x").drop_attrs(deep=False).assign_attrs(units="mm")
    for verb in (xdownscale.coarsen, xdownscale.interpolate):
        with pytest.raises(QuantityError, match=r"'time: mean'.*'time: sum'"):
            verb(field, 1, 3)
    mean = xdownscale.coarsen(field.assign_attrs(cell_methods="time: mean"), 1, 3)
    total = xdownscale.coarsen(field.assign_attrs(cell_methods="time: sum"), 1, 3)
    np.testing.assert_allclose(total, 3 * mean)
    for method, expected in (("mean", mean), ("sum", total)):
        np.testing.assert_array_equal(xdownscale.coarsen(field, 1, 3, time_method=method), expected)
    xdownscale.coarsen(field, 2)
    np.testing.assert_allclose(xdownscale.coarsen(field.drop_attrs(deep=False), 1, 3), mean)


def test_maxima_are_not_merged_unless_told_how():
    field = (
        rain((6, 4, 4))
        .rename("i10fg")
        .drop_attrs(deep=False)
        .assign_attrs(units="m s-1", GRIB_stepType="max")
    )
    with pytest.raises(TimeAxisError, match=r'GRIB_stepType.*time_method="mean"'):
        xdownscale.coarsen(field, 1, 3)
    xdownscale.coarsen(field, 1, 3, time_method="mean")


def test_precipitation_in_an_amount_is_no_mean_to_a_model():
    field = rain().assign_attrs(units="mm", cell_methods="time: mean")
    for refines in (True, False):
        with pytest.raises(UnitsError, match="'time: sum'"):
            fine_methods(field, AXES, refines_time=refines)
    snow = field.assign_attrs(standard_name="surface_snow_thickness")
    assert fine_methods(snow, AXES, refines_time=True) is None
