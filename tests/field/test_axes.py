from __future__ import annotations

import cftime
import numpy as np
import pytest
import xarray as xr

from tests.support import globe, rain
from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes


def bare(*dims):
    return xr.DataArray(np.zeros((2,) * len(dims)), dims=dims)


@pytest.mark.parametrize(
    ("dims", "expected"),
    [
        (("time", "y", "x"), Axes("y", "x", "time")),
        (("x", "time", "y"), Axes("y", "x", "time")),
        (("t", "LAT", "Longitude"), Axes("LAT", "Longitude", "t")),
        (("rlat", "rlon"), Axes("rlat", "rlon", None)),
        (
            ("number", "valid_time", "south_north", "west_east"),
            Axes("south_north", "west_east", "valid_time", "number"),
        ),
        (("y", "x", "level"), Axes("y", "x", None)),
    ],
)
def test_well_known_names_are_recognised_in_any_order(dims, expected):
    assert find_axes(bare(*dims)) == expected


def test_explicit_names_win_over_everything():
    field = rain()
    assert find_axes(field, dims={"y": "x", "x": "y"}) == Axes("x", "y", "time")


def test_cf_attributes_win_over_names():
    field = bare("x", "y").assign_coords(
        x=("x", [0.0, 1.0], {"axis": "Y"}), y=("y", [0.0, 1.0], {"standard_name": "projection_x_coordinate"})
    )
    assert find_axes(field) == Axes(y="x", x="y", time=None)


def test_one_dimensional_latitude_names_the_dimension_it_lies_on():
    field = bare("a", "b").assign_coords(
        lat=("a", [0.0, 1.0], {"units": "degrees_north"}), lon=("b", [0.0, 1.0], {"units": "degrees_east"})
    )
    assert find_axes(field).spatial == ("a", "b")


@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("dims", [("a", "b"), ("nj", "ni")])
def test_curvilinear_coordinates_name_their_dimensions(attributes, dims):
    lat, lon = np.meshgrid([0.0, 1.0], [5.0, 6.0], indexing="ij")
    units = ({"units": "degrees_north"}, {"units": "degrees_east"}) if attributes else ({}, {})
    field = bare(*dims).assign_coords(lat=(dims, lat, units[0]), lon=(dims, lon, units[1]))
    assert find_axes(field).spatial == dims


def test_curvilinear_coordinates_stored_transposed_follow_the_names_of_their_dimensions():
    field = bare("x", "y").assign_coords(
        lat=(("x", "y"), np.zeros((2, 2))), lon=(("x", "y"), np.zeros((2, 2)))
    )
    assert find_axes(field).spatial == ("y", "x")


@pytest.mark.parametrize(
    "times",
    [
        np.array(["2000-01-01", "2000-01-02"], "M8[ns]"),
        cftime.num2date([0, 1], "days since 2000-01-01", "noleap"),
    ],
)
def test_a_dimension_that_holds_times_is_time_whatever_its_name(times):
    assert find_axes(bare("when", "y", "x").assign_coords(when=times)).time == "when"


def test_the_ensemble_is_found_by_its_standard_name():
    field = bare("run", "y", "x").assign_coords(run=("run", [0, 1], {"standard_name": "realization"}))
    assert find_axes(field).member == "run"


def test_ordered_dimensions():
    assert Axes("y", "x", "time").ordered == ("time", "y", "x")
    assert Axes("y", "x", None).ordered == ("y", "x")


@pytest.mark.parametrize(
    ("field", "options", "fix"),
    [
        (bare("t0", "lat", "lon"), {"need_time": True}, r'dims=\{"time": "t0"\}'),
        (bare("lat", "lon"), {"need_time": True}, r'expand_dims\("time"\)'),
        (bare("a", "x"), {}, r'dims=\{"y": "a"\}'),
        (bare("y", "x"), {"dims": {"y": "yy"}}, r'Did you mean dims=\{"y": "y"\}'),
        (bare("y", "x"), {"dims": {"y": "north"}}, "Pass one of these"),
        (bare("y", "x"), {"dims": {"z": "y"}}, "unknown role 'z'"),
        (bare("y", "x"), {"dims": {"z": "y", "x": "xx"}}, "unknown role 'z'.*Did you mean dims"),
        (bare("a", "b", "c"), {}, r"'y' and 'x' not found.*dims=\{\"y\": \"b\", \"x\": \"c\"\}"),
        (bare("a", "b", "c"), {"need_time": True}, r'dims=\{"y": "b", "x": "c", "time": "a"\}'),
        (bare("a", "x"), {"need_time": True}, r'Add one, for example field.expand_dims\("time"\)'),
        (bare("y", "x"), {"dims": {"y": "x", "x": "x"}}, "different name for each"),
    ],
)
def test_messages_name_the_fix(field, options, fix):
    with pytest.raises(DimensionError, match=fix):
        find_axes(field, **options)


def test_the_message_offers_the_attribute_where_there_is_a_coordinate():
    field = bare("a", "x").assign_coords(a=[0.0, 1.0])
    with pytest.raises(DimensionError, match=r'field\["a"\].attrs\["axis"\] = "Y"'):
        find_axes(field)


def test_finding_axes_modifies_nothing():
    field = globe()
    before = field.copy(deep=True)
    find_axes(field)
    xr.testing.assert_identical(field, before)
