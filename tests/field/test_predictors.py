"""Predictors laid on a coarse grid: whatever their extent, order, dtype or calendar; errors that name the remedy."""

import numpy as np
import pytest
import xarray as xr

from tests.support import globe, rain
from xdownscale.errors import DimensionError, XDownscaleError
from xdownscale.field.axes import find_axes
from xdownscale.field.predictors import laid_on, named_predictors


@pytest.fixture
def psl():
    field = rain((8, 10, 12), step=15, spacing=4000.0).rename("psl")
    return field.assign_attrs(units="Pa", standard_name="air_pressure_at_mean_sea_level")


@pytest.fixture
def grid(psl):
    return psl.isel(time=slice(2, 6), y=slice(3, 8), x=slice(1, 9)).rename("pr")


def laid(predictor, grid, **options):
    return laid_on("psl", predictor, grid, find_axes(grid), **options)


CHANGES = {
    "the same cells": lambda p: p.isel(time=slice(2, 6), y=slice(3, 8), x=slice(1, 9)),
    "more cells and steps": lambda p: p,
    "rows the other way round": lambda p: p[:, ::-1],
    "columns the other way round": lambda p: p[..., ::-1],
    "dims in another order": lambda p: p.transpose("x", "time", "y"),
    "labels in single precision": lambda p: p.assign_coords(y=p.y.astype("f4"), x=p.x.astype("f4")),
    "labels off by a hundredth of a cell": lambda p: p.assign_coords(x=p.x + 40.0),
    "times off by seconds": lambda p: p.assign_coords(time=p.time + np.timedelta64(2, "s")),
    "steps out of order": lambda p: p[[3, 1, 2, 0, 5, 4, 7, 6]],
    "whole numbers": lambda p: p.round(),
    "lazy": lambda p: p.chunk(time=1),
    "other names of dims": lambda p: p.rename(y="north", x="east"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_values_lie_on_their_cells_and_steps(what, psl, grid):
    found = laid(CHANGES[what](psl), grid)
    wanted = psl.round() if what == "whole numbers" else psl
    assert found.dims == ("time", "y", "x")
    assert not found.coords
    np.testing.assert_array_equal(
        found.values, wanted.isel(time=slice(2, 6), y=slice(3, 8), x=slice(1, 9)).values
    )


def test_a_lazy_predictor_stays_lazy(psl, grid):
    assert laid(psl.chunk(time=1), grid).chunks is not None


@pytest.mark.parametrize("descending", [False, True])
def test_longitudes_may_be_counted_from_anywhere_and_over_the_edge(descending):
    whole = globe(descending=descending).rename("psl")
    here = whole.assign_coords(lon=(whole.lon + 180) % 360 - 180).sortby("lon")
    for part in (
        here.isel(lon=slice(14, 22)),
        here,
        here.isel(lon=slice(0, 5)),
        here.isel(lon=slice(30, 36)),
    ):
        grid = part.isel(lat=slice(4, 9)).rename("tas")
        np.testing.assert_array_equal(laid(whole, grid).values, grid.values)
        np.testing.assert_array_equal(laid(here.isel(lat=slice(None, None, -1)), grid).values, grid.values)
    turned = whole.isel(lat=slice(4, 9))
    np.testing.assert_array_equal(laid(here.astype("f4"), turned).values, turned.values.astype("f4"))


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "standard"])
def test_times_of_other_calendars_are_matched(calendar, psl):
    model_times = xr.date_range("2001-02-01", periods=8, freq="6h", calendar=calendar, use_cftime=True)
    there = psl.assign_coords(time=model_times)
    grid = there.isel(time=slice(2, 6)).rename("pr")
    np.testing.assert_array_equal(laid(there, grid).values, grid.values)


WRONG = {
    "a row is missing": (
        lambda p: p.isel(y=slice(4, 9)),
        r"'psl' does not lie on the cells of the field along 'y'.*psl.interp\(y=field.y\)",
        None,
    ),
    "cells between the cells": (
        lambda p: p.assign_coords(x=p.x + 2000.0),
        r"along 'x'.*psl.interp\(x=field.x\)",
        lambda p, g: p.interp(x=g.x, kwargs={"fill_value": "extrapolate"}),
    ),
    "coarser cells": (
        lambda p: p.isel(x=slice(None, None, 2), y=slice(None, None, 1)),
        r"psl.interp\(x=field.x\)",
        lambda p, g: p.interp(x=g.x),
    ),
    "finer cells, one of which has its middle where a coarse one has": (
        lambda p: p.interp(x=np.linspace(float(p.x[0]), float(p.x[-1]), 34)),
        r"along 'x'.*Coarsen or interpolate it",
        lambda p, g: p.interp(x=g.x),
    ),
    "shorter steps, one of which begins with a longer": (
        lambda p: p.resample(time="5min").nearest(),
        r"along 'time'.*Coarsen or interpolate it",
        lambda p, g: p.resample(time="15min").mean(),
    ),
    "a step is missing": (
        lambda p: p.drop_isel(time=3),
        r"along 'time'.*psl.interp\(time=field.time\)",
        lambda p, g: p.interp(time=g.time),
    ),
    "times in the middle": (
        lambda p: p.assign_coords(time=p.time + np.timedelta64(450, "s")),
        r"along 'time'.*psl.interp\(time=field.time\)",
        lambda p, g: p.interp(time=g.time),
    ),
    "levels": (
        lambda p: p.expand_dims(level=[850, 500], axis=1),
        r"also has the dimensions \['level'\].*psl.isel\(level=0\)",
        lambda p, g: p.isel(level=0),
    ),
    "no labels and another size": (
        lambda p: p.drop_vars("x"),
        "12 cells without labels; it must cover 8 labels",
        lambda p, g: p.isel(x=slice(1, 9)),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_lie_on_the_grid_says_where_and_the_named_call_mends_it(what, psl, grid):
    spoil, said, mend = WRONG[what]
    wrong = spoil(psl)
    with pytest.raises(DimensionError, match=said):
        laid(wrong, grid)
    if mend is not None:
        assert laid(mend(wrong, grid), grid).shape == grid.shape


def test_a_predictor_in_time_for_a_field_without(psl, grid):
    frame = grid.isel(time=0, drop=True)
    with pytest.raises(
        DimensionError, match=r"has times and the field has none. Select one: psl.isel\(time=0\)"
    ):
        laid(psl, frame)
    np.testing.assert_array_equal(laid(psl.isel(time=2), frame).values, frame.values)


def test_dates_of_another_calendar_are_an_error(psl, grid):
    for calendar in ("noleap", "standard"):
        there = psl.convert_calendar(calendar, use_cftime=True)
        with pytest.raises(DimensionError, match=r"psl.convert_calendar\(field.time.dt.calendar, 'time'\)"):
            laid(there, grid)
        found = laid(there.convert_calendar(grid.time.dt.calendar, "time"), grid)
        np.testing.assert_array_equal(found.values, grid.values)


def test_predictors_have_names_whatever_they_come_in(psl):
    assert named_predictors(None) == {}
    assert [*named_predictors(psl)] == ["psl"]
    assert [*named_predictors({"p": psl})] == ["p"]
    dataset = psl.to_dataset().assign(crs=0, height=psl.isel(time=0, drop=True), station=("s", [1]))
    assert [*named_predictors(dataset)] == ["psl", "height"]


def test_values_that_are_no_numbers_are_refused(psl, grid):
    with pytest.raises(XDownscaleError):
        laid(psl.astype(str), grid)
