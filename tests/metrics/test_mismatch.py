"""Labels that differ: what is the same is scored, what is not has a message whose call works."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.metrics.samples import label, sample
from tests.remedies import calls, mended
from tests.support import globe
from xdownscale import metrics
from xdownscale.errors import DimensionError
from xdownscale.evaluate import evaluate


def days(calendar, first="2001-02-26", count=6):
    return xr.date_range(first, periods=count, calendar=calendar, use_cftime=True)


def pair_of(**change):
    observations, ensemble = sample(shape=(6, 12, 16))
    return observations.assign_coords(change), ensemble


def scored(observations, forecasts):
    """The score, after every remedy that messages name on the way, and the messages."""
    said = []
    for _ in range(4):
        try:
            return float(evaluate(observations, forecasts, metrics=["mae"]).mae), said
        except DimensionError as error:
            said.append(str(error))
            fields = mended(str(error), observations=observations, forecasts=forecasts)
            observations, forecasts = fields["observations"], fields["forecasts"]
    raise AssertionError(said)


# ── the same, in another order or notation ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.isel(y=slice(None, None, -1)),
        lambda f: f.isel(time=[3, 0, 5, 1, 4, 2]),
        lambda f: f.isel(x=slice(None, None, -1)).chunk(x=5),
        lambda f: f.assign_coords(time=f.time + np.timedelta64(70, "ns")),
        lambda f: f.assign_coords(x=f.x.astype("f4") + np.float32(1e-3)),
        lambda f: f.convert_calendar("standard", use_cftime=True),
        lambda f: f.convert_calendar("proleptic_gregorian", use_cftime=True).isel(time=slice(None, None, -1)),
        lambda f: f.rename(member="number"),
        lambda f: f.rename(member="realization").transpose(..., "realization"),
    ],
)
def test_what_is_the_same_in_another_order_or_notation_scores_the_same(change):
    observations, ensemble = sample(shape=(6, 12, 16))
    for name in ("crps_ensemble", "lsd", "lag_autocorrelation_error", "spatial_autocorrelation_error"):
        expected = evaluate(observations, ensemble, metrics=[name])
        found = evaluate(observations, change(ensemble), metrics=[name]).compute()
        xr.testing.assert_allclose(found, expected, rtol=1e-12)
        assert getattr(metrics, name)(observations, change(ensemble), dim=None).notnull().all()


def test_longitudes_from_zero_and_from_date_line_are_the_same_places():
    field = globe()
    turned = field.assign_coords(lon=((field.lon + 180) % 360 - 180).assign_attrs(field.lon.attrs)).sortby(
        "lon"
    )
    assert turned.lon.min() < 0
    np.testing.assert_allclose(evaluate(field, turned, metrics=["mae"]).mae, 0)
    np.testing.assert_allclose(evaluate(turned, field + 1, metrics=["bias"]).bias, 1)


def test_weights_masks_and_labels_are_reordered_too():
    observations, ensemble = sample()
    weights = xr.DataArray(np.arange(1.0, 13), dims="y", coords={"y": observations.y})
    backwards = weights.isel(y=slice(None, None, -1))
    expected = evaluate(
        observations, ensemble, metrics=["mae"], weights=weights, region=observations.y < 3000
    )
    found = evaluate(
        observations,
        ensemble,
        metrics=["mae"],
        weights=backwards,
        region=backwards.y.copy(data=backwards.y < 3000),
    )
    np.testing.assert_allclose(found.mae, expected.mae)


# ── what is not has a message whose call works ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("calendar", ["julian", "noleap", "360_day", "all_leap"])
@pytest.mark.parametrize("civil", [True, False])
def test_another_calendar_is_named_and_can_be_converted(calendar, civil):
    dates = days("standard")
    observations, ensemble = pair_of(time=days(calendar))
    forecasts = ensemble.assign_coords(time=dates)
    if civil:
        forecasts = forecasts.convert_calendar("standard", use_cftime=False)
    score, said = scored(observations, forecasts)
    assert "calendar" in said[0]
    assert repr(calendar) in said[0]
    assert np.isfinite(score)
    other, said = scored(
        ensemble.isel(member=0, drop=True).assign_coords(time=dates),
        ensemble.assign_coords(time=days(calendar)),
    )
    assert "calendar" in said[0]
    assert np.isfinite(other)


def test_a_time_dimension_of_another_name_is_converted():
    observations, ensemble = pair_of(time=days("julian"))
    names = {"time": "valid_time"}
    forecasts = ensemble.assign_coords(time=days("standard")).rename(names)
    score, said = scored(observations.rename(names), forecasts)
    assert 'dim="valid_time"' in said[0]
    np.testing.assert_allclose(score, metrics.mae(observations.drop_vars("time"), ensemble.drop_vars("time")))


def test_dates_of_cftime_that_cover_less_are_converted():
    observations, ensemble = sample(shape=(6, 12, 16))
    score, said = scored(
        observations.isel(time=slice(4)).convert_calendar("standard", use_cftime=True), ensemble
    )
    assert "cftime" in said[0]
    assert "xarray.align" in said[1]
    np.testing.assert_allclose(score, metrics.mae(observations[:4], ensemble.isel(time=slice(4))))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda f: f.assign_coords(x=f.x / 1000, y=f.y / 1000), "kilometres"),
        (lambda f: f.assign_coords(x=f.x * 1000), "metres, not"),
        (lambda f: f.assign_coords(y=np.deg2rad(f.y)), "radians"),
        (lambda f: f.assign_coords(x=f.x + 500), "0.5 cells"),
        (lambda f: f.assign_coords(time=f.time - np.timedelta64(150, "s")), "-0.5 cells or steps"),
        (lambda f: f.assign_coords(x=f.x + 1e6), "share 0 labels"),
        (lambda f: f.assign_coords(time=f.time + np.timedelta64(900, "D")), "share 0 labels"),
        (lambda f: f.assign_coords(time=[f"step {n}" for n in range(6)]), "no times"),
        (lambda f: f.isel(x=slice(1, None)), "xarray.align"),
        (lambda f: f.assign_coords(time=f.time + np.timedelta64(5, "m")), "share 5 labels"),
        (lambda f: f.isel(x=[0, 1, 1, 2]), "repeat"),
        (lambda f: f.drop_vars("x").isel(x=slice(3)), "sizes 16 and 3"),
        (lambda f: f.isel(x=slice(2, 9)).assign_coords(x=f.x[2:9] + 1e-4), "but for rounding"),
        (lambda f: f.rename(y="lat", x="lon"), "rename"),
        (lambda f: f.isel(time=0), "differ by"),
        (lambda f: f.expand_dims(height=1), "isel(height=0)"),
    ],
)
def test_the_call_that_a_message_names_works(change, word):
    observations, ensemble = sample(shape=(6, 12, 16))
    score, said = scored(observations, change(ensemble))
    assert word in said[0], said
    assert np.isfinite(score)


def test_half_a_cell_beside_can_be_interpolated():
    observations, ensemble = sample()
    with pytest.raises(DimensionError) as error:
        metrics.mae(observations, ensemble.assign_coords(x=ensemble.x + 500))
    assert len(calls(str(error.value))) == 2
    fields = mended(
        str(error.value), 1, observations=observations, forecasts=ensemble.assign_coords(x=ensemble.x + 500)
    )
    assert evaluate(observations, fields["forecasts"], metrics=["mae"]).mae.notnull()


@pytest.mark.parametrize("number", [0, 1])
def test_fields_of_other_resolution_are_brought_together(number):
    observations, ensemble = sample(shape=(6, 12, 16))
    coarse = ensemble.isel(member=0, drop=True).sr.coarsen(4)
    with pytest.raises(DimensionError, match="4 times as coarse") as error:
        evaluate(observations, coarse)
    fields = mended(str(error.value), number, observations=observations, forecasts=coarse)
    assert evaluate(fields["observations"], fields["forecasts"], metrics=["mae"]).mae.notnull()


def test_undecoded_times_are_decoded():
    observations, ensemble = sample(shape=(6, 12, 16))
    raw = ensemble.assign_coords(time=("time", np.arange(6) * 5, {"units": "minutes since 2021-06-01"}))
    score, said = scored(observations, raw)
    assert "xarray.decode_cf" in said[0]
    np.testing.assert_allclose(score, metrics.mae(observations, ensemble))


def test_labels_of_several_levels_are_compared():
    points = pd.MultiIndex.from_product([[0, 1], [0, 1, 2]], names=["row", "column"])
    coords = xr.Coordinates.from_pandas_multiindex(points, "place")
    truth = xr.DataArray(np.arange(6.0), dims="place", coords=coords)
    np.testing.assert_allclose(metrics.bias(truth, truth + 1), 1)
    with pytest.raises(DimensionError, match="do not match"):
        metrics.bias(truth, truth[:4] + 1)


def test_one_label_is_compared_without_a_spacing():
    one = label(np.ones((1, 12, 16)), ("time", "y", "x"))
    metrics.mae(one, one.assign_coords(time=one.time + np.timedelta64(5, "ns")))
    with pytest.raises(DimensionError, match="share 0 labels"):
        metrics.mae(one, one.assign_coords(time=one.time + np.timedelta64(1, "h")))
