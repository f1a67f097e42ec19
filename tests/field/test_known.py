"""Labels come back to the last bit, whatever made them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import tests.support  # noqa: F401  no deadline for single examples
import xdownscale
from xdownscale.field.bounds import COARSER, FINER, FINER_CELLS
from xdownscale.field.known import Blocks, finer

SIDE = 48
GRIDS = {
    "PRISM": 49.9166666666667 - np.arange(SIDE) * 0.0416666666667,
    "GloH2O": 30 + 1 / 24 + np.arange(SIDE) / 12,
    "CHELSA": 83.99958333333333 - np.arange(SIDE) / 120,
    "MRMS": np.arange(54.995, 54.995 - (SIDE - 0.5) * 0.01, -0.01),
    "AROME": np.linspace(55.4, 37.5, 717)[200 : 200 + SIDE],
    "RADOLAN": -4658.644724265571 + np.arange(SIDE) * 1.0,
    "HRRR": np.cumsum(np.full(SIDE, 3000.000000001)) - 1_587_306.152556665,
    "FMI": 1_225_044.8445963496 - np.arange(SIDE) * 999.62859,
    "Gaussian": np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(96)[0]))[:SIDE],
    "pole": 90 - 0.25 * np.arange(SIDE),
    "counted": np.arange(SIDE),
}
PROJECTED = ("RADOLAN", "HRRR", "FMI", "counted")


def on(labels, *, name="lat", units="degrees_north"):
    values = np.random.default_rng(0).random((labels.size, 8))
    return xr.DataArray(
        values,
        dims=(name, "lon"),
        coords={name: (name, labels, {"units": units}), "lon": np.arange(8.0)},
        name="tas",
        attrs={"units": "K"},
    )


def product(name, dtype):
    labels = GRIDS[name] if name == "counted" else GRIDS[name].astype(dtype)
    return on(labels, name="y", units="m") if name in PROJECTED else on(labels)


def same(result, field):
    """Whether labels are those of a field to the last bit, of their type, and join with them."""
    dim = field.dims[0]
    np.testing.assert_array_equal(result[dim].values, field[dim].values)
    return result[dim].dtype == field[dim].dtype and (result - field).shape == field.shape


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("factor", [2, 3, 6, 8])
def test_grids_of_real_products_come_back_from_either_side(name, dtype, factor):
    field = product(name, dtype)
    assert same(field.sr.coarsen((factor, 2)).sr.interpolate((factor, 2)), field)
    assert same(field.sr.interpolate((factor, 2), method="nearest").sr.coarsen((factor, 2)), field)


@pytest.mark.parametrize("name", GRIDS)
def test_a_part_of_the_coarse_field_gets_its_own_labels(name):
    field = product(name, np.float64)
    dim, coarse = field.dims[0], field.sr.coarsen((4, 2))
    assert same(coarse.isel({dim: slice(2, -1)}).sr.interpolate((4, 2)), field.isel({dim: slice(8, -4)}))
    assert same(
        coarse.isel({dim: slice(None, None, -1)}).sr.interpolate((4, 2)),
        field.isel({dim: slice(None, None, -1)}),
    )
    assert same(coarse.isel({dim: [3]}).sr.interpolate((4, 2)), field.isel({dim: slice(12, 16)}))
    fine = field.sr.interpolate((4, 2), method="nearest")
    assert same(fine.isel({dim: slice(4, 16)}).sr.coarsen((4, 2)), field.isel({dim: slice(1, 4)}))


@pytest.mark.parametrize("name", GRIDS)
def test_labels_do_not_depend_on_the_steps_in_between(name):
    field = product(name, np.float64)
    twice = field.sr.coarsen(2).sr.coarsen(2)
    assert same(twice, field.sr.coarsen(4))
    assert same(twice.sr.interpolate(2), field.sr.coarsen(2))
    assert same(twice.sr.interpolate(2).sr.interpolate(2), field)
    assert same(twice.sr.interpolate(4), field)


@pytest.mark.parametrize("name", ["PRISM", "Gaussian", "MRMS"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_notes_survive_a_file(name, dtype, tmp_path):
    field = product(name, dtype)
    field.sr.coarsen(4).to_netcdf(tmp_path / "coarse.nc")
    with xr.open_dataarray(tmp_path / "coarse.nc") as read:
        assert same(read.load().sr.interpolate(4), field)


@given(
    first=st.floats(-180, 180),
    step=st.floats(1e-3, 2.0),
    count=st.integers(2, 8),
    factor=st.integers(2, 7),
    dtype=st.sampled_from([np.float64, np.float32]),
    down=st.booleans(),
)
def test_any_first_label_and_step_come_back(first, step, count, factor, dtype, down):
    labels = (first + np.arange(count * factor) * step * (-1 if down else 1)).astype(dtype)
    if np.spacing(np.abs(labels).max()) > 0.002 * step / factor:  # steps that single precision cannot hold
        return
    field = on(labels, name="y", units="km")
    assert same(field.sr.coarsen((factor, 1)).sr.interpolate((factor, 1)), field)
    assert same(field.sr.interpolate((factor, 1), method="nearest").sr.coarsen((factor, 1)), field)


def test_an_ensemble_joins_with_the_field_that_was_coarsened():
    rain = xdownscale.tutorial.rain((3, 40, 40))
    rain = rain.assign_coords(y=49.9166666666667 - np.arange(40) * 0.0416666666667)
    coarse = rain.sr.coarsen(10, 3)
    ensemble = coarse.sr.downscale(spatial=10, temporal=3)
    assert (ensemble - rain).sizes == ensemble.sizes
    assert (ensemble.sr.coarsen(10, 3) - coarse).sizes == ensemble.sr.coarsen(10, 3).sizes


def test_labels_that_were_moved_are_computed():
    coarse = product("PRISM", np.float64).sr.coarsen(4)
    moved = coarse.assign_coords(lat=("lat", coarse.lat.values + 0.05, coarse.lat.attrs))
    expected = coarse.drop_attrs(deep=True).sr.interpolate(4).lat + 0.05
    np.testing.assert_allclose(moved.sr.interpolate(4).lat, expected, atol=1e-9)


def test_another_factor_than_before_gets_computed_labels():
    coarse = product("PRISM", np.float64).sr.coarsen(4)
    assert FINER not in coarse.sr.interpolate(3).lat.attrs
    np.testing.assert_allclose(np.diff(coarse.sr.interpolate(3).lat), -4 / 72, atol=1e-9)


@pytest.mark.parametrize(
    "note", ["", "1 2", "a b c", "1.0 2.0 3 !!", "0.0 1.0 4 AAAA", "0.0 1.0 0", "0.0 1.0 1000000000000", 7]
)
def test_a_note_that_cannot_be_read_is_left_aside(note):
    coarse = product("PRISM", np.float64).sr.coarsen(4)
    plain = coarse.drop_attrs(deep=True).sr.interpolate(4).lat
    coarse.lat.attrs[FINER] = note
    np.testing.assert_allclose(coarse.sr.interpolate(4).lat, plain, atol=1e-9)
    coarse.lat.attrs[COARSER], coarse.lat.attrs["coarser_cells"] = note, 3
    assert coarse.sr.coarsen((3, 1)).sizes["lat"] == 4


def test_decimals_are_noted_in_words():
    note = Blocks((np.arange(12) * 0.5 + 0.25).reshape(-1, 4)).note()
    assert note == {FINER: "0.25 5.75 12", FINER_CELLS: 4}


def test_labels_that_are_no_mean_of_the_noted_ones_get_none():
    label = on(np.arange(4.0)).lat.assign_attrs({FINER: "10.0 17.0 8", FINER_CELLS: 2})
    assert finer(label, 1.0, lambda blocks: blocks.mean(axis=1)) is None


@pytest.mark.parametrize("position", [0.0, 0.5, 1.0])
def test_times_from_single_precision_hours_come_back(position):
    hours = np.float32(np.arange(24) / 12).astype(float)
    times = np.datetime64("2020-01-01", "ns") + np.round(hours * 3.6e12).astype("m8[ns]")
    field = xr.DataArray(
        np.zeros((24, 4, 4)), dims=("time", "y", "x"), coords={"time": times}, attrs={"units": "K"}
    )
    field["time"].attrs["cell_position"] = position
    coarse = field.sr.coarsen(2, 3)
    np.testing.assert_array_equal(coarse.sr.interpolate(2, 3).time, times)
    np.testing.assert_array_equal(coarse.isel(time=slice(2, 5)).sr.interpolate(2, 3).time, times[6:15])
    np.testing.assert_array_equal(coarse.sr.coarsen(1, 2).sr.interpolate(1, 6).time, times)
