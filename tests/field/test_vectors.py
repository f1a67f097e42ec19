"""Components of vectors, recognised among fields or named."""

import numpy as np
import pytest
import xarray as xr

from xdownscale.errors import ArgumentError
from xdownscale.field.vectors import vector_pairs


def fields(*names):
    """Fields by name, each with a standard name after a colon where it has one."""
    made = []
    for name in names:
        short, _, standard = name.partition(":")
        attrs = {"standard_name": standard} if standard else {}
        made.append(
            xr.DataArray(np.zeros((2, 2)), dims=("y", "x"), name=short, attrs=attrs | {"units": "m s-1"})
        )
    return made


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["uas:eastward_wind", "vas:northward_wind"], ((0, 1),)),
        (["vas:northward_wind", "tas:air_temperature", "uas:eastward_wind"], ((2, 0),)),
        (["a:x_wind", "b:y_wind"], ((0, 1),)),
        (["a:grid_eastward_wind", "b:grid_northward_wind"], ((0, 1),)),
        (["tauu:surface_downward_eastward_stress", "tauv:surface_downward_northward_stress"], ((0, 1),)),
        (["tauu:surface_downward_eastward_stress", "pr:rainfall_rate"], None),
        (["siu:sea_ice_x_velocity", "siv:sea_ice_y_velocity"], ((0, 1),)),
        (["u10", "v10"], ((0, 1),)),
        (["v10", "u10"], ((1, 0),)),
        (["uas", "vas"], ((0, 1),)),
        (["u10:eastward_wind", "v10:northward_wind", "v100:northward_wind", "u100:eastward_wind"], ((0, 1), (3, 2))),
        (["wo:eastward_sea_water_velocity", "w:eastward_wind", "v:northward_wind", "vo:northward_sea_water_velocity"],
         ((0, 3), (1, 2))),
        (["pr:rainfall_rate", "tas:air_temperature"], ()),
        (["uas:eastward_wind"], None),
        (["uas:eastward_wind", "tas:air_temperature"], None),
        (["uas:eastward_wind", "vo:northward_sea_water_velocity"], None),
        (["uas:eastward_wind", "vas:northward_wind", "u200:eastward_wind"], None),
    ],
)  # fmt: skip
def test_pairs_are_recognised_in_any_order_and_a_lone_component_forbids_turning(names, pairs):
    assert vector_pairs(fields(*names)) == pairs


def test_named_pairs_are_taken_as_they_are_named():
    there = fields("a", "b", "uas:eastward_wind")
    assert vector_pairs(there, [("b", "a")]) == ((1, 0),)
    assert vector_pairs(there, []) == ()


def test_a_name_that_no_field_has_is_named():
    with pytest.raises(
        ArgumentError, match=r"vectors=\[\('uas', 'vas'\)\]: no field is called 'vas'; there are \['uas'\]"
    ):
        vector_pairs(fields("uas:eastward_wind"), [("uas", "vas")])
