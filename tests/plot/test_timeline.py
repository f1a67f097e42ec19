"""Pictures of every calendar, and of what cannot be drawn."""

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.metrics.samples import sample
from tests.remedies import mended
from xdownscale import plot
from xdownscale.errors import XDownscaleError
from xdownscale.evaluate import evaluate

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

CALENDARS = ["standard", "proleptic_gregorian", "noleap", "360_day", "julian", "all_leap"]


def in_calendar(field, calendar):
    dates = xr.date_range("2020-02-28T23:50", periods=6, freq="5min", calendar=calendar, use_cftime=True)
    return field.assign_coords(time=dates)


@pytest.fixture(scope="module")
def fields():
    return sample("random", shape=(6, 12, 16))


@pytest.mark.parametrize("calendar", CALENDARS)
def test_a_series_has_lines_and_dates_in_every_calendar(fields, calendar):
    truth, ensemble = (in_calendar(field, calendar) for field in fields)
    panel = plot.series(ensemble, truth).axes[0]
    plain = plot.series(fields[1], fields[0]).axes[0]
    for line, expected in zip(panel.lines, plain.lines, strict=True):
        np.testing.assert_allclose(line.get_ydata(), expected.get_ydata())
    np.testing.assert_allclose(panel.lines[-1].get_xdata(), 300.0 * np.arange(6))
    labels = [text.get_text() for text in panel.get_xticklabels()]
    assert labels[0] == "2020-02-28 23:50"
    assert len(set(labels)) == len(labels)


def test_times_of_cftime_and_of_numpy_are_drawn_together(fields):
    truth, ensemble = fields
    panel = plot.series(
        ensemble, truth.convert_calendar("standard", use_cftime=True).isel(time=slice(2, 5))
    ).axes[0]
    np.testing.assert_array_equal(panel.lines[-1].get_xdata(), ensemble.time.values[2:5])
    bare = plot.series(ensemble, truth.drop_vars("time")).axes[0]
    np.testing.assert_array_equal(bare.lines[-1].get_xdata(), ensemble.time.values)


@pytest.mark.parametrize("calendar", CALENDARS)
def test_a_page_in_every_calendar(fields, calendar, tmp_path):
    truth, ensemble = (in_calendar(field, calendar) for field in fields)
    scores = evaluate(truth, ensemble, metrics=["mae"], by="hour")
    page = xdownscale.report(
        scores,
        tmp_path / "page.html",
        forecasts=ensemble.rename(member="number").chunk(time=1),
        observations=truth.chunk(x=3),
    )
    assert "Members" in page.read_text("utf-8")


@pytest.mark.parametrize("draw", [plot.series, lambda e, t: plot.comparison(t.isel(time=[0]), e, t)])
def test_another_calendar_is_named_and_can_be_converted(fields, draw):
    truth, ensemble = in_calendar(fields[0], "julian"), in_calendar(fields[1], "standard")
    with pytest.raises(XDownscaleError, match="calendar 'julian'") as error:
        plot.series(ensemble, truth)
    truth = mended(str(error.value), observations=truth, forecasts=ensemble)["observations"]
    assert plot.series(ensemble, truth).axes[0].lines


def test_the_steps_of_the_truth_are_found_by_their_times(fields):
    truth, ensemble = fields
    coarse = truth.sr.coarsen(4, 3)
    expected = plot.comparison(coarse, ensemble, truth, step=1)
    shaken = truth.assign_coords(time=truth.time + np.timedelta64(3, "ns")).isel(time=[5, 4, 3, 2, 1, 0])
    for other in (shaken, truth.convert_calendar("standard", use_cftime=True)):
        found = plot.comparison(coarse, ensemble, other, step=1)
        for panel, before in zip(found.axes[:-1], expected.axes[:-1], strict=True):
            np.testing.assert_array_equal(panel.images[0].get_array(), before.images[0].get_array())
    with pytest.raises(XDownscaleError, match="has no step"):
        plot.comparison(coarse, ensemble, truth.isel(time=slice(4)), step=1)


def test_the_mean_over_all_cells_weighs_by_area():
    rows = xr.DataArray(
        [0.0, 60.0], dims="lat", coords={"lat": ("lat", [0.0, 60.0], {"units": "degrees_north"})}
    )
    field = rows.expand_dims(time=2, lon=[0.0, 30.0]).transpose("time", "lat", "lon")
    (line,) = plot.series(field.expand_dims(member=1)).axes[0].lines[:1]
    areas = np.sin(np.deg2rad([30.0, 90.0])) - np.sin(np.deg2rad([-30.0, 30.0]))
    np.testing.assert_allclose(line.get_ydata(), 60 * areas[1] / areas.sum())


@pytest.mark.parametrize(
    ("draw", "match"),
    [
        (lambda e, t, tmp: plot.series(e.values), "pass an xarray.DataArray"),
        (lambda e, t, tmp: plot.series(e, t.to_dataset(name="a")), "one of its variables"),
        (lambda e, t, tmp: plot.series(e.where(e < 3, np.inf)), "infinite"),
        (lambda e, t, tmp: plot.series(e, t, at={"x": 3000.0}), "a line has the dimensions"),
        (lambda e, t, tmp: plot.series(e, t, at={"z": 3000.0}), "at names"),
        (lambda e, t, tmp: plot.series(e, t, at={"x": "west", "y": 0.0}), "there is no place"),
        (lambda e, t, tmp: plot.series(e, e), "a line has the dimensions"),
        (lambda e, t, tmp: plot.series(e, t.drop_vars("time").isel(time=[0])), "only one of them has labels"),
        (lambda e, t, tmp: plot.series(e, path=tmp / "a.xyz"), "plot.png"),
        (lambda e, t, tmp: plot.series(e, path=tmp / "none" / "a.png"), "mkdir"),
        (lambda e, t, tmp: plot.stamps(e.expand_dims(height=2)), r"isel\(height=0\)"),
        (lambda e, t, tmp: plot.stamps(e, e), r"isel\(member=0\)"),
        (lambda e, t, tmp: plot.stamps(e, step="first"), "step must be a whole number"),
        (lambda e, t, tmp: plot.stamps(e, most=0), "most must be a whole number"),
        (lambda e, t, tmp: plot.animation(e, tmp / "a.gif", steps_per_second=0), "steps_per_second"),
        (lambda e, t, tmp: plot.comparison(t, e, t, step="first"), "step must be a whole number"),
        (lambda e, t, tmp: plot.rank_histogram(t, [e]), "list"),
        (lambda e, t, tmp: plot.spectra(t, e.isel(x=slice(5))), "xarray.align"),
        (lambda e, t, tmp: plot.spectra(t.to_dataset(name="a"), e), "one of its variables"),
        (lambda e, t, tmp: plot.reliability(t, e, "wet"), "threshold must be finite"),
        (lambda e, t, tmp: plot.overview(3), "xdownscale.evaluate"),
        (lambda e, t, tmp: plot.along(3, "mae"), "xdownscale.evaluate"),
        (lambda e, t, tmp: xdownscale.report(3, tmp / "a.html"), "xdownscale.evaluate"),
    ],
)
def test_what_cannot_be_drawn_says_why(fields, draw, match, tmp_path):
    truth, ensemble = fields
    with pytest.raises(XDownscaleError, match=match):
        draw(ensemble, truth, tmp_path)


@pytest.mark.parametrize("draw", [plot.rank_histogram, plot.spread_skill, plot.quantiles, plot.spectra])
def test_members_of_another_name_and_rows_in_another_order_give_the_same_picture(fields, draw):
    truth, ensemble = fields
    expected = draw(truth, ensemble).axes[0].lines
    found = draw(truth, ensemble.rename(member="number").isel(y=slice(None, None, -1))).axes[0].lines
    for line, before in zip(found, expected, strict=True):
        np.testing.assert_allclose(line.get_ydata(), before.get_ydata())
