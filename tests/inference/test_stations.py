"""Stations and errors that cannot be used: each its own message, before work starts."""

import numpy as np
import pytest
import xarray as xr

from tests.prior_oracle import exact_prior, fine_field
from tests.remedies import mended
from xdownscale.errors import (
    ArgumentError,
    DimensionError,
    EmptyFieldError,
    MissingValueError,
    QuantityError,
    UnitsError,
    ValueRangeError,
    XDownscaleError,
)
from xdownscale.field.axes import find_axes
from xdownscale.field.factors import Factors
from xdownscale.inference.domain import piece_of
from xdownscale.inference.stations import told


def given(**coords):
    place = {"y": ("station", [1500.0, 6000.0]), "x": ("station", [2000.0, 5250.0]), "error": 0.4}
    place |= {"time": np.datetime64("2020-01-01T01:30", "ns")} | coords
    return xr.DataArray(
        [283.0, 279.0], dims="station", coords={k: v for k, v in place.items() if v is not None},
        name="tas", attrs={"units": "K"},
    )  # fmt: skip


def seen(observations=None, error=None):
    coarse = fine_field(3).sr.coarsen(4, 3)
    model = exact_prior()
    piece = piece_of([coarse], [], find_axes(coarse), model, Factors(4, 4, 3))
    return told(model, piece, [coarse], observations=observations, error=error).method.beside


def test_places_are_in_cells_and_values_in_the_units_of_the_model():
    (stations,) = seen(given()).stations
    np.testing.assert_allclose(stations.places, [[1.5, 1.5, 2.0], [1.5, 6.0, 5.25]], atol=1e-6)
    celsius = (given() - 273.15).assign_attrs(units="degC").rename("tas")
    (other,) = seen(celsius).stations
    np.testing.assert_allclose(other.values, stations.values, rtol=1e-5)
    np.testing.assert_allclose(other.errors, [0.4, 0.4], rtol=1e-6)
    fahrenheit = (given() * 1.8 - 459.67).assign_attrs(units="degF").rename("tas")
    np.testing.assert_allclose(seen(fahrenheit).stations[0].errors, [0.4 / 1.8] * 2, rtol=1e-5)


def test_values_that_are_missing_are_left_out_and_errors_may_differ():
    series = given(time=None, error=("station", [0.4, 0.8])).expand_dims(
        time=np.datetime64("2020-01-01", "ns") + np.arange(3) * np.timedelta64(1, "h")
    )
    series = series.copy()
    series[1, 0] = np.nan
    (stations,) = seen(series).stations
    assert len(stations.values) == 5
    np.testing.assert_allclose(stations.errors, [0.4, 0.8, 0.8, 0.4, 0.8])
    np.testing.assert_allclose(stations.places[:, 0], [0, 0, 1, 2, 2])


def test_the_error_of_coarse_values_is_for_all_or_by_name():
    assert seen(error=1.0).errors == (1.0,)
    assert seen(error={"tas": 0.5}).errors == (0.5,)
    assert seen().errors == ()


@pytest.mark.parametrize(
    ("observations", "error", "message"),
    [
        (
            given(y=("station", [1500.0, 9000.0])),
            ValueRangeError,
            "1 of 2 observations of 'tas' lie outside .*'y'",
        ),
        (
            given(time=np.datetime64("2020-01-03", "ns")),
            ValueRangeError,
            "outside of the domain along 'time'",
        ),
        (given(error=None), MissingValueError, "have no error"),
        (given(error=-1.0), ValueRangeError, "positive standard deviation"),
        (given(x=None), DimensionError, "no coordinate 'x'"),
        (given() * np.nan, EmptyFieldError, "no valid value"),
        (given().assign_attrs(units="Pa"), UnitsError, "cannot convert"),
        (given().to_dataset(name="psl"), DimensionError, "has no variable"),
        (np.zeros(3), DimensionError, "not a ndarray"),
    ],
)
def test_stations_that_cannot_be_used(observations, error, message):
    with pytest.raises(error, match=message):
        seen(observations)


def values_of(stations):
    return [float(each) for each in stations.values]


@pytest.mark.parametrize(
    "outside",
    [
        given(y=("station", [1500.0, 9000.0])),
        given(x=("station", [2000.0, -5250.0])),
        given(time=("station", np.array(["2020-01-01T01:30", "2020-01-03"], "M8[ns]"))),
    ],
    ids=["y", "x", "time"],
)
def test_the_call_that_leaves_out_stations_outside_runs(outside):
    with pytest.raises(ValueRangeError, match="Take those inside") as caught:
        seen(outside)
    inside = mended(str(caught.value), observations=outside)["observations"]
    assert values_of(seen(inside).stations[0]) == values_of(seen(given().isel(station=[0])).stations[0])


@pytest.mark.parametrize(
    ("name", "attrs", "call"),
    [
        ("t2m", {}, "rename({'t2m': 'tas'})"),
        ("tas_obs", {}, "rename({'tas_obs': 'tas'})"),
        ("something", {"standard_name": "air_temperature"}, "rename({'something': 'tas'})"),
        ("psl", {"units": "Pa"}, "drop_vars(['psl'])"),
    ],
)
def test_stations_of_an_unknown_variable_name_the_nearest_one(name, attrs, call):
    dataset = given().assign_attrs(attrs).to_dataset(name=name)
    dataset = dataset if "rename" in call else dataset.assign(tas=given())
    with pytest.raises(DimensionError, match=r"its variables are \['tas'\]") as caught:
        seen(dataset)
    assert f"observations.{call}" in str(caught.value)
    right = mended(str(caught.value), observations=dataset)["observations"]
    assert values_of(seen(right).stations[0]) == values_of(seen(given()).stations[0])


@pytest.mark.parametrize("error", [0.0, -1.0, np.nan, "0.1", {"psl": 1.0}])
def test_errors_that_are_none(error):
    with pytest.raises(ArgumentError):
        seen(error=error)


def test_other_methods_take_neither():
    from tests.support import rain

    coarse = rain((2, 4, 4))
    with pytest.raises(ArgumentError, match="are for a generative prior"):
        coarse.sr.downscale(spatial=10, temporal=3, error=0.1)


def test_a_variable_that_the_prior_has_not_is_refused():
    coarse = (
        fine_field(3).sr.coarsen(4, 3).rename("psl").assign_attrs(units="Pa", standard_name="air_pressure")
    )
    with pytest.raises(QuantityError):
        coarse.sr.downscale(exact_prior(), spatial=4, temporal=3)
    with pytest.raises(XDownscaleError, match="choose, as in"):
        fine_field(3).sr.downscale(exact_prior())
