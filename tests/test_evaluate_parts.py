"""Scores of parts of the cases: blocks of cells, groups of steps, places in the coarse step, regions."""

import json

import dask.array
import numpy as np
import pytest
import xarray as xr
from dask.callbacks import Callback

from tests.metrics.samples import case_weights, missing, sample
from tests.support import globe, raise_if_dask_computes
from xdownscale import metrics
from xdownscale.errors import ArgumentError, DimensionError, ValueRangeError
from xdownscale.evaluate import evaluate

CHEAP = ["crps_ensemble", "mae", "mse", "bias"]


@pytest.fixture(scope="module")
def pair():
    return sample("random", shape=(12, 12, 16))


def blocks(field, size):
    return field.coarsen(y=size, x=size, boundary="trim").mean()


# ── scales ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_scores_of_blocks_are_those_of_block_means(pair):
    observations, ensemble = pair
    scores = evaluate(observations, ensemble, metrics=CHEAP, scales=(1, 2, 5))
    assert scores.mae.dims == ("scale",)
    assert scores.scale.attrs["units"] == "cells"
    for size in (1, 2, 5):
        for name in CHEAP:
            expected = getattr(metrics, name)(blocks(observations, size), blocks(ensemble, size))
            np.testing.assert_allclose(scores[name].sel(scale=size), expected, rtol=1e-12)
    np.testing.assert_allclose(scores.bias[1], scores.bias[0])  # whole blocks: a mean of means


def test_one_scale_makes_no_dimension(pair):
    observations, ensemble = pair
    scores = evaluate(observations, ensemble, metrics=["mae"], scales=4)
    np.testing.assert_allclose(scores.mae, metrics.mae(blocks(observations, 4), blocks(ensemble, 4)))


def test_scales_are_windows_for_fss(pair):
    observations, ensemble = pair
    scores = evaluate(observations, ensemble, metrics=[], thresholds=[0.5, 2], scales=(1, 3))
    expected = metrics.fss(observations, ensemble, thresholds=[0.5, 2], scales=(1, 3))
    np.testing.assert_allclose(scores.fss.transpose("threshold", "scale"), expected)
    brier = metrics.brier_score(blocks(observations, 3), blocks(ensemble, 3), thresholds=[0.5, 2])
    np.testing.assert_allclose(scores.brier_score.sel(scale=3), brier)


def test_usual_scores_that_do_not_fit_blocks_are_missing_there(pair):
    observations, ensemble = pair
    scores = evaluate(observations, ensemble, scales=(1, 4))
    assert scores.ssim.notnull().values.tolist() == [True, False]
    assert scores.mae.notnull().all()
    with pytest.raises(DimensionError, match="do not fit"):
        evaluate(observations, ensemble, metrics=["ssim"], scales=4)
    with pytest.raises(ArgumentError, match="Leave 13 out"):
        evaluate(observations, ensemble, metrics=["mae"], scales=13)


def test_a_block_with_a_missing_cell_is_missing(pair):
    observations, ensemble = pair
    holed = missing(observations, share=0.02)
    scores = evaluate(holed, ensemble, metrics=["mae"], scales=2)
    whole = holed.coarsen(y=2, x=2).reduce(np.mean)
    np.testing.assert_allclose(scores.mae, metrics.mae(whole, blocks(ensemble, 2), skipna=True))


def test_blocks_are_weighted_by_area():
    field = globe((18, 36))
    shift = xr.where(field.lat > 0, field.lat / 90, 0.0)
    scores = evaluate(field, field + shift, metrics=["bias"], scales=(1, 3, 9), weights="area")
    np.testing.assert_allclose(scores.bias, scores.bias[0], rtol=1e-12)


def test_weights_follow_the_blocks(pair):
    observations, ensemble = pair
    weights = case_weights().isel(time=0, drop=True)
    scores = evaluate(observations, ensemble, metrics=["mae"], scales=2, weights=weights)
    expected = metrics.mae(blocks(observations, 2), blocks(ensemble, 2), weights=blocks(weights, 2))
    np.testing.assert_allclose(scores.mae, expected)


# ── groups ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_place_in_the_coarse_step(pair):
    observations, ensemble = pair
    scores = evaluate(observations, ensemble, metrics=CHEAP, by={"lead": 3})
    for lead in range(3):
        at = {"time": slice(lead, None, 3)}
        for name in CHEAP:
            expected = getattr(metrics, name)(observations.isel(at), ensemble.isel(at))
            np.testing.assert_allclose(scores[name].sel(lead=lead), expected)
    np.testing.assert_allclose(scores.mse.mean(), metrics.mse(observations, ensemble))
    assert "lag_autocorrelation_error" not in evaluate(observations, ensemble, by={"lead": 3})
    with pytest.raises(ValueRangeError, match="leaves a remainder"):
        evaluate(observations, ensemble, by={"lead": 5})


def test_seasons_come_in_the_order_of_the_year(pair):
    observations, ensemble = pair
    months = np.array(["2021-07", "2021-01", "2021-10"] * 4, "datetime64[ns]")
    dated = [field.assign_coords(time=months) for field in (observations, ensemble)]
    scores = evaluate(dated[0], dated[1], metrics=["mae"], by="season")
    assert scores.season.values.tolist() == ["DJF", "JJA", "SON"]
    at = {"time": months == np.datetime64("2021-10")}
    np.testing.assert_allclose(
        scores.mae.sel(season="SON"), metrics.mae(observations.isel(at), ensemble.isel(at))
    )
    both = evaluate(dated[0], dated[1], metrics=["mae"], by=["season", "time.month"])
    assert both.mae.dims == ("season", "month")
    assert both.mae.notnull().sum() == 3  # January is in winter alone: other pairs have no case
    np.testing.assert_allclose(both.mae.sel(season="SON", month=10), scores.mae.sel(season="SON"))


def test_labels_of_steps_of_cells_and_of_both(pair):
    observations, ensemble = pair
    calm = xr.DataArray(["calm", "windy"] * 6, dims="time", name="weather")
    steps = evaluate(observations, ensemble, metrics=["mse"], by=calm)
    np.testing.assert_allclose(
        steps.mse.sel(weather="windy"),
        metrics.mse(observations[1::2], ensemble.isel(time=slice(1, None, 2))),
    )
    height = xr.DataArray(np.arange(192).reshape(12, 16) % 3, dims=("y", "x"))
    height = height.where(height < 2)  # a third of the cells belongs nowhere
    cells = evaluate(observations, ensemble, metrics=["mse"], by={"height": height})
    assert cells.height.values.tolist() == [0, 1]
    np.testing.assert_allclose(
        cells.mse[1], metrics.mse(observations.where(height == 1), ensemble, skipna=True)
    )
    amount = (observations > 1).rename("wet")
    cases = evaluate(observations, ensemble, metrics=["mse"], by=amount)
    shares = [float((amount == wet).mean()) for wet in (False, True)]
    np.testing.assert_allclose(np.dot(cases.mse, shares), metrics.mse(observations, ensemble))


def test_a_coordinate_of_the_observations(pair):
    observations, ensemble = pair
    labelled = observations.assign_coords(event=("time", np.repeat(["a", "b"], 6)))
    scores = evaluate(labelled, ensemble, metrics=["mae"], by="event")
    np.testing.assert_allclose(
        scores.mae.sel(event="b"), metrics.mae(observations[6:], ensemble.isel(time=slice(6, None)))
    )


def test_groupings_that_cannot_be(pair):
    observations, ensemble = pair

    def by(group):
        return evaluate(observations, ensemble, metrics=["mae"], by=group)

    with pytest.raises(ValueRangeError, match="season"):
        by("weather")
    with pytest.raises(ValueRangeError, match="need a name"):
        by(xr.DataArray(np.zeros(12), dims="time"))
    with pytest.raises(ValueRangeError, match="labels that repeat"):
        by(observations.rename("value"))
    with pytest.raises(DimensionError, match="already"):
        by({"time": 3})
    with pytest.raises(DimensionError, match="match along 'time'"):
        by({"event": xr.DataArray(np.zeros(5), dims="time")})
    with pytest.raises(DimensionError, match="Rename"):
        by({"height": xr.DataArray(np.zeros((12, 16)), dims=("lat", "lon"))})


# ── regions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_region_makes_no_dimension(pair):
    observations, ensemble = pair
    disc = (observations.x - 8000) ** 2 + (observations.y - 6000) ** 2 < 5000**2
    scores = evaluate(observations, ensemble, metrics=CHEAP, region=disc)
    for name in CHEAP:
        expected = getattr(metrics, name)(observations.where(disc), ensemble, skipna=True)
        np.testing.assert_allclose(scores[name], expected)


def test_regions_by_name_and_along_a_dimension(pair):
    observations, ensemble = pair
    west, all_ = observations.x < 6000, xr.ones_like(observations.isel(time=0, drop=True), dtype=bool)
    scores = evaluate(observations, ensemble, metrics=["mae", "lsd"], region={"west": west, "all": all_})
    assert scores.region.values.tolist() == ["west", "all"]
    cut = {"x": slice(0, 6)}
    np.testing.assert_allclose(scores.lsd[0], metrics.lsd(observations.isel(cut), ensemble.isel(cut)))
    np.testing.assert_allclose(scores.mae[1], metrics.mae(observations, ensemble))
    masks = xr.concat(
        [west.broadcast_like(all_), all_], xr.DataArray(["west", "all"], dims="basin", name="basin")
    )
    along = evaluate(observations, ensemble, metrics=["mae"], region=masks)
    assert along.mae.dims == ("basin",)
    np.testing.assert_allclose(along.mae, scores.mae)
    with pytest.raises(ValueRangeError, match="no case is in 'north'"):
        evaluate(observations, ensemble, metrics=["mae"], region={"north": observations.y > 1e9})
    with pytest.raises(DimensionError, match="two dimensions"):
        evaluate(observations, ensemble, metrics=["mae"], region={"west": west}, by={"region": west})


def test_regions_of_blocks_hold_the_blocks_that_are_mostly_inside(pair):
    observations, ensemble = pair
    west = observations.x < 7000  # 7 of 16 columns: blocks of 4 are inside, and 3 of 4
    scores = evaluate(observations, ensemble, metrics=["mae"], region=west, scales=4)
    cut = {"x": slice(0, 2)}
    np.testing.assert_allclose(
        scores.mae, metrics.mae(blocks(observations, 4).isel(cut), blocks(ensemble, 4).isel(cut))
    )


def test_ragged_regions_leave_whole_frames_missing_and_the_rest_as_it_is(pair):
    observations, ensemble = pair
    ragged = (observations.x + observations.y) < 15000
    scores = evaluate(observations, ensemble, region=ragged)
    assert scores.lsd.isnull()
    assert scores.mae.notnull()


# ── all together ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_at_once_keeps_models_first_and_intervals_ordered(pair):
    observations, ensemble = pair
    models = {"net": ensemble, "mean": ensemble.mean("member")}
    scores = evaluate(
        observations,
        models,
        metrics=["mae", "rank_histogram"],
        scales=(1, 2),
        by={"lead": 2},
        region={"west": observations.x < 8000, "east": observations.x >= 8000},
        reference="mean",
        bootstrap=20,
    )
    assert scores.mae.dims == ("model", "scale", "lead", "region")
    assert scores.rank_histogram.dims == ("model", "scale", "lead", "region", "rank")
    assert (scores.mae_low <= scores.mae).all()
    assert (scores.mae <= scores.mae_high).all()
    np.testing.assert_allclose(scores.mae_skill.sel(model="mean"), 0)
    np.testing.assert_allclose(scores.rank_histogram.sel(model="net").sum("rank"), 1)
    part = {"time": slice(1, None, 2), "x": slice(8, 16)}
    one = metrics.mae(
        blocks(observations, 2).isel(part | {"x": slice(4, 8)}),
        blocks(ensemble, 2).isel(part | {"x": slice(4, 8)}),
    )
    np.testing.assert_allclose(scores.mae.sel(model="net", scale=2, lead=1, region="east"), one)


def test_lazy_parts_are_lazy_and_equal(pair):
    observations, ensemble = pair
    options = {
        "metrics": ["mae", "crps_ensemble"],
        "scales": (1, 4),
        "by": {"lead": 3},
        "region": {"west": observations.x < 8000},
    }
    with raise_if_dask_computes():
        lazy = evaluate(observations.chunk(time=4), ensemble.chunk(time=5, x=7), **options)
    xr.testing.assert_allclose(
        lazy.compute(scheduler="synchronous"), evaluate(observations, ensemble, **options)
    )


def test_scores_say_where_they_come_from(pair):
    observations, ensemble = pair
    made = ensemble.assign_attrs(xdownscale_model="net-1", xdownscale_seed=7)
    scores = evaluate(observations, {"net": made}, metrics=["mae"])
    assert '"xdownscale_model": "net-1"' in scores.attrs["forecasts"]
    assert "time: 12" in scores.attrs["observations"]
    asked = {
        "by": {"lead": 2},
        "region": observations.x < 3000,
        "scales": np.array([1, 2]),
        "metrics": [metrics.mae],
    }
    told = json.loads(evaluate(observations, made, **asked).attrs["evaluation"])
    assert told.pop("region") == "field 'x' along x"
    expected = {"metrics": ["mae"], "member_dim": "member", "weights": "area", "scales": [1, 2]}
    assert told == expected | {"by": {"lead": 2}}


def test_functions_of_anyone_are_scored_in_parts_too(pair):
    observations, ensemble = pair

    def largest(o, f, dim=None):
        return abs(o - f).max(dim)

    scores = evaluate(observations, ensemble, metrics={"largest": largest}, by={"lead": 2})
    assert float(scores.largest.max()) == float(abs(observations - ensemble.mean("member")).max())


# ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Held(Callback):
    """The most bytes of arrays that dask has held at once."""

    def __init__(self):
        self.most = 0

    def _posttask(self, key, result, dsk, state, worker_id):
        whole = {}
        for value in state["cache"].values():
            owner = value
            while isinstance(getattr(owner, "base", None), np.ndarray):
                owner = owner.base
            whole[id(owner)] = getattr(owner, "nbytes", 0)
        self.most = max(self.most, sum(whole.values()))


def drawn(steps):
    """Observations and an ensemble that are made block by block, two steps at a time."""

    def block(block_info=None):
        place = block_info[None]["array-location"]
        chance = np.random.default_rng([start for start, _ in place])
        return chance.standard_gamma(0.4, tuple(stop - start for start, stop in place), np.float32)

    time = (2,) * (steps // 2)
    values = [
        dask.array.map_blocks(block, chunks=(*lead, time, (24,), (24,)), dtype=np.float32)
        for lead in ((), ((8,),))
    ]
    return [xr.DataArray(v, dims=("member", "time", "y", "x")[-v.ndim :]) for v in values]


def test_memory_does_not_grow_with_time():
    metrics = ["crps_ensemble", "mae", "rmse", "bias", "spread_skill_ratio", "lsd", "ssim"]
    most = []
    for steps in (8, 32):
        observations, ensemble = drawn(steps)
        with Held() as held:
            evaluate(observations, ensemble, metrics=metrics).compute(scheduler="synchronous")
        most.append(held.most)
    chunk = 8 * 2 * 24 * 24 * 4
    assert most[1] < 1.25 * most[0]
    assert most[1] < 6 * chunk


def test_the_range_for_ssim_is_that_of_all_observations():
    observations, ensemble = drawn(8)
    scores = evaluate(observations, ensemble, metrics=["ssim"]).compute(scheduler="synchronous")
    expected = evaluate(observations.compute(), ensemble.compute(), metrics=["ssim"])
    np.testing.assert_allclose(scores.ssim, expected.ssim)
