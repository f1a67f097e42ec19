"""Means over cells weigh by area where cells differ in area, as coarsening does, and plainly where they do not."""

import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import sample
from tests.metrics.test_cases import SCORES, score
from tests.remedies import calls
from tests.support import globe
from xdownscale import coarsen, metrics
from xdownscale.errors import DimensionError
from xdownscale.evaluate import evaluate
from xdownscale.field.axes import find_axes
from xdownscale.field.grid import cell_areas

WHOLE_FRAMES = {
    "lsd",
    "energy_log_ratio",
    "sliced_wasserstein",
    "ssim",
    "fss",
    "energy_score",
    "variogram_score",
    "minkowski_error",
    "minkowski_distance",
    "minkowski_crps",
    "dry_frames",
    "lsd_noise_floor",
}
"""Scores that use space up by a way of their own: every frame weighs the same."""


def on_globe(steps=4, members=5, seed=0):
    """Rain whose law changes with latitude, and an ensemble."""
    chance = np.random.default_rng(seed)
    grid = globe((12, 16))
    amount = np.cos(np.deg2rad(grid.lat)).values[:, None] + 0.2
    template = grid.expand_dims(time=steps).assign_attrs(units="mm h-1").rename("rain")
    truth = template.copy(data=amount * chance.gamma(0.7, 3, (steps, 12, 16)))
    ensemble = template.expand_dims(member=members)
    return truth, ensemble.copy(data=amount * chance.gamma(0.7, 4, (members, steps, 12, 16)))


def curved():
    """The same cells on a grid whose latitudes are two-dimensional, the northern rows far apart."""
    truth, ensemble = (
        f.rename(lat="y", lon="x").drop_vars(("lat", "lon"), errors="ignore") for f in on_globe()
    )
    rows, columns = np.cumsum(np.linspace(1, 3, 12)), np.arange(16.0)
    places = {
        "lat": (
            ("y", "x"),
            np.repeat(rows[:, None], 16, 1),
            {"standard_name": "latitude", "units": "degrees_north"},
        ),
        "lon": (
            ("y", "x"),
            np.repeat(columns[None], 12, 0),
            {"standard_name": "longitude", "units": "degrees_east"},
        ),
    }
    return tuple(f.drop_vars(("y", "x"), errors="ignore").assign_coords(places) for f in (truth, ensemble))


@pytest.mark.parametrize("fields", [on_globe, curved])
def test_the_mean_error_is_that_of_the_coarsest_cell(fields):
    truth, ensemble = fields()
    mean = ensemble.mean("member", keep_attrs=True)
    whole = [
        coarsen(f.rename("a").assign_attrs(standard_name="air_temperature"), (12, 16)) for f in (truth, mean)
    ]
    expected = float((whole[1] - whole[0]).mean())
    found = evaluate(truth, mean, metrics=["bias"], scales=(1, 2, 4)).bias
    np.testing.assert_allclose(found, expected, rtol=1e-9)  # block means weigh by area too: a mean of means
    np.testing.assert_allclose(metrics.bias(truth, mean), expected, rtol=1e-9)
    assert abs(float(metrics.bias(truth, mean, weights=None)) / expected - 1) > 0.02


@pytest.mark.parametrize("fields", [on_globe, curved])
@pytest.mark.parametrize("name", SCORES)
def test_areas_are_the_default_of_every_score(name, fields):
    truth, ensemble = fields()
    areas = cell_areas(truth, find_axes(truth))
    found = score(name, truth, ensemble)
    xr.testing.assert_identical(found, score(name, truth, ensemble, weights="area"))
    xr.testing.assert_allclose(found, score(name, truth, ensemble, weights=areas))
    plain = score(name, truth, ensemble, weights=None)
    if name in WHOLE_FRAMES:
        xr.testing.assert_allclose(found, plain)
    else:
        assert (abs(found - plain) > 1e-6 * abs(plain)).any()


@pytest.mark.parametrize("name", SCORES)
def test_nothing_changes_on_projected_grids_and_where_space_is_kept(name):
    truth, ensemble = sample(shape=(4, 12, 16))
    xr.testing.assert_identical(score(name, truth, ensemble), score(name, truth, ensemble, weights=None))
    if name not in WHOLE_FRAMES | {"spatial_autocorrelation_error", "crps_pooled"}:  # which use space up
        truth, ensemble = on_globe()
        xr.testing.assert_identical(
            score(name, truth, ensemble, dim="time"), score(name, truth, ensemble, dim="time", weights=None)
        )


def test_one_field_by_itself_has_the_weights_of_its_error():
    truth, ensemble = on_globe()
    one = ensemble.isel(member=0)
    for name, options in (
        ("wet_fraction", {"thresholds": [1, 3]}),
        ("gini", {}),
        ("spatial_autocorrelation", {"lags": [1, 2]}),
    ):
        function = getattr(metrics, name)
        error = getattr(metrics, f"{name}_error")(truth, one, **options)
        np.testing.assert_allclose(error, function(one, **options) - function(truth, **options), rtol=1e-9)
        assert not np.allclose(
            function(truth, **options), function(truth, weights=None, **options), rtol=1e-4
        )
    ratio = metrics.lag_autocorrelation(one) / metrics.lag_autocorrelation(truth) - 1
    np.testing.assert_allclose(metrics.lag_autocorrelation_error(truth, one), ratio)
    power = metrics.temporal_spectrum(truth).sum("frequency")
    variance = truth.var("time").weighted(cell_areas(truth, find_axes(truth))).mean()
    np.testing.assert_allclose(power, variance)


def test_none_overrules():
    truth, ensemble = on_globe()
    found = evaluate(truth, ensemble, metrics=["mae"], weights=None)
    np.testing.assert_allclose(found.mae, abs(ensemble.median("member") - truth).mean())
    assert evaluate(truth, ensemble, metrics=["mae"]).mae != found.mae


def test_a_series_at_a_place_has_no_areas():
    truth, ensemble = (f.isel(lat=2, lon=3) for f in on_globe())
    np.testing.assert_allclose(metrics.bias(truth, ensemble), (ensemble.mean("member") - truth).mean())


def test_regions_and_parts_weigh_cells_alike():
    truth, ensemble = on_globe()
    north, south = (
        evaluate(truth, ensemble, metrics=["bias"], region=mask).bias
        for mask in (truth.lat > 30, truth.lat < 30)
    )
    areas = cell_areas(truth, find_axes(truth))
    share = float(areas.where(truth.lat > 30).sum() / areas.sum())
    whole = evaluate(truth, ensemble, metrics=["bias"]).bias
    np.testing.assert_allclose(share * north + (1 - share) * south, whole)


def test_sums_of_other_rows_need_weights_that_compare():
    truth, ensemble = on_globe()
    names = ["bias", "crps_ensemble"]
    whole = metrics.accumulate(truth, ensemble, metrics=names)
    np.testing.assert_allclose(whole.scores().bias, metrics.bias(truth, ensemble))
    first, second = (
        metrics.accumulate(truth.isel(time=t), ensemble.isel(time=t), metrics=names) for t in ([0], [1, 2, 3])
    )
    xr.testing.assert_identical((first + second).scores(), whole.scores())
    halves = [slice(0, 5), slice(5, 12)]
    parts = [metrics.accumulate(truth.isel(lat=h), ensemble.isel(lat=h), metrics=names) for h in halves]
    with pytest.raises(DimensionError, match="weights=numpy") as error:
        parts[0] + parts[1]
    (call,) = calls(str(error.value))
    weights = [eval(call, {"numpy": np, "observations": truth.isel(lat=h)}) for h in halves]
    parts = [
        metrics.accumulate(truth.isel(lat=h), ensemble.isel(lat=h), metrics=names, weights=w)
        for h, w in zip(halves, weights, strict=True)
    ]
    expected = metrics.bias(truth, ensemble, weights=np.cos(np.deg2rad(truth.lat)))
    np.testing.assert_allclose((parts[0] + parts[1]).scores().bias, expected)
