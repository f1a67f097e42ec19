"""A result takes the labels of a fine grid from elsewhere, if it is the same grid."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support import rain
from xdownscale.errors import DimensionError, TimeAxisError


def pair(*, off=1e-3):
    """A coarse field, and a fine one from another file whose labels are rounded otherwise."""
    fine = rain((6, 40, 40))
    coarse = fine.sr.coarsen(10, 3).drop_attrs(deep=True).assign_attrs(fine.attrs)
    other = fine.assign_coords(
        y=fine.y + 1000 * off, x=fine.x + 1000 * off, land=(("y", "x"), np.ones((40, 40))), height=2.0
    )
    return coarse, other.assign_coords(time=fine.time + np.timedelta64(20, "ms"))


@pytest.mark.parametrize("use", ["interpolate", "downscale"])
def test_the_result_joins_with_the_field_it_is_like(use):
    coarse, like = pair()
    result = getattr(coarse.sr, use)(spatial=10, temporal=3, like=like)
    for dim in ("time", "y", "x"):
        assert result[dim].variable.identical(like[dim].variable)
    np.testing.assert_array_equal(result.land, like.land)
    assert "height" not in result.coords
    assert (result - like).sizes == result.sizes


def test_a_dataset_takes_bounds_too_and_loses_those_that_are_replaced():
    coarse, like = pair()
    edges = like.y.values[:, None] + [500, -500]
    bounded = like.to_dataset().assign(y_bnds=(("y", "bnds"), edges))
    bounded.y.attrs["bounds"] = "y_bnds"
    fine = coarse.to_dataset().sr.interpolate(10, 3, like=bounded)
    np.testing.assert_array_equal(fine.y_bnds, edges)
    assert "x_bnds" not in fine
    assert "x_bnds" in coarse.to_dataset().sr.interpolate(10, 3)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (
            lambda like: like.assign_coords(y=like.y + 300),
            DimensionError,
            r"elsewhere along 'y'.*0.301 cells",
        ),
        (lambda like: like.isel(x=slice(0, 30)), DimensionError, r"30 labels along 'x', the result 40"),
        (lambda like: like.rename(y="lat"), DimensionError, r"not 'y' of the result. Rename"),
        (lambda like: like.isel(y=slice(None, None, -1)), DimensionError, "elsewhere along 'y'"),
        (
            lambda like: like.assign_coords(time=like.time + np.timedelta64(5, "m")),
            TimeAxisError,
            r"elsewhere along 'time'.* steps",
        ),
    ],
)
@pytest.mark.parametrize("use", ["interpolate", "downscale"])
def test_another_grid_is_refused_and_the_difference_named(change, error, match, use):
    coarse, like = pair()
    with pytest.raises(error, match=match):
        getattr(coarse.sr, use)(spatial=10, temporal=3, like=change(like))


def test_a_larger_grid_is_cut_by_the_call_of_the_message():
    coarse, like = pair()
    coarse = coarse.isel(x=slice(0, 3))
    with pytest.raises(DimensionError, match="nearest") as caught:
        coarse.sr.interpolate(10, 3, like=like)
    call = str(caught.value).split("like=: ")[1].rstrip(".")
    cut = eval(call, {"like": like, "result": coarse.sr.interpolate(10, 3)})
    np.testing.assert_array_equal(coarse.sr.interpolate(10, 3, like=cut).x, cut.x)


def test_a_field_without_time_gives_places_alone():
    coarse, like = pair()
    fine = coarse.sr.interpolate(10, 3, like=like.isel(time=0, drop=True))
    np.testing.assert_array_equal(fine.y, like.y)
    np.testing.assert_array_equal(fine.time, coarse.sr.interpolate(10, 3).time)


def test_longitudes_may_count_from_elsewhere():
    lon = 200 + 2.0 * np.arange(4)
    coarse = xr.DataArray(
        np.zeros((2, 4)), dims=("lat", "lon"), coords={"lon": lon}, name="tas", attrs={"units": "K"}
    )
    fine = coarse.sr.interpolate((1, 2))
    west = fine.assign_coords(lon=fine.lon - 360)
    np.testing.assert_array_equal(coarse.sr.interpolate((1, 2), like=west).lon, west.lon)


def test_pieces_between_gaps_are_compared_together():
    coarse, like = pair()
    both = xr.concat([coarse, coarse.assign_coords(time=coarse.time + np.timedelta64(1, "D"))], "time")
    wanted = xr.concat([like, like.assign_coords(time=like.time + np.timedelta64(1, "D"))], "time")
    for use in ("interpolate", "downscale"):
        result = getattr(both.sr, use)(spatial=10, temporal=3, gaps="split", like=wanted)
        np.testing.assert_array_equal(result.time, wanted.time)


def test_a_tree_takes_none():
    coarse, like = pair()
    tree = xr.DataTree.from_dict({"/a": coarse.to_dataset()})
    with pytest.raises(DimensionError, match=r"tree\[path\].to_dataset\(\)"):
        tree.sr.interpolate(10, 3, like=like)
    assert tree["/a"].to_dataset().sr.interpolate(10, 3, like=like).sizes["y"] == 40
