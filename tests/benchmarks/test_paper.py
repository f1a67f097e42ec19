"""The table of the scale-adaptive paper: means over what was processed, the bound, intervals."""

from __future__ import annotations

import numpy as np
import paper_table as paper
import pytest
import xarray as xr

import xdownscale
from xdownscale import metrics


@pytest.fixture(scope="module")
def rows():
    """A calibrated ensemble, one whose members are alike, and the mean, on two cases of different length."""
    random = np.random.default_rng(0)
    made = {"ensemble": {}, "alike": {}, "median": {}}
    for case, steps in (("one", 12), ("other", 24)):
        middle = random.gamma(1.0, 2.0, (steps, 1, 1)) * np.ones((1, 24, 24))
        truth = xr.DataArray(middle * random.gamma(2.0, 0.5, middle.shape), dims=("time", "y", "x"))
        drawn = middle * random.gamma(2.0, 0.5, (20, *middle.shape))
        ensemble = xr.DataArray(drawn, dims=("member", "time", "y", "x"))
        forecasts = {"ensemble": ensemble, "alike": 0.3 * ensemble + 0.7 * ensemble.mean("member")}
        forecasts["median"] = ensemble.median("member").expand_dims("member")
        for name, forecast in forecasts.items():
            made[name][case] = paper.judge(truth, forecast.transpose("member", ...), 3)
    return {name: {"cases": found, "evaluations": 1, "trained for steps": 1} for name, found in made.items()}


def test_a_score_is_the_mean_over_the_samples_that_were_processed(rows):
    row = rows["ensemble"]
    one, other = (row["cases"][name]["scores"]["MSE"] for name in ("one", "other"))
    assert paper.mean_over_samples(row, "MSE") == pytest.approx((4 * one + 8 * other) / 12)
    early = {"cases": {"one": row["cases"]["one"]}}  # a run that was broken off
    assert paper.mean_over_samples(early, "MSE") == pytest.approx(one)
    assert paper.mean_over_samples(row, "CRPS") == pytest.approx(paper.joined(row, "crps").mean())
    assert paper.mean_over_samples(rows["median"], "PIT deviation") is None


def test_a_possible_table_holds_and_an_impossible_one_is_called_broken(rows):
    found = paper.summary(rows, 3)
    assert found["holds"]
    assert found["all processed the same samples"]
    assert "holds" in paper.table(found)
    share = 0.3
    for case in rows["alike"]["cases"].values():
        case["crps"] = [share * value for value in case["crps"]]  # divided by more than was processed
    found = paper.summary(rows, 3)
    assert not found["holds"]
    assert "BROKEN" in paper.table(found)


def test_rows_of_different_samples_do_not_compare(rows):
    early = {**rows["ensemble"], "cases": {"one": rows["ensemble"]["cases"]["one"]}}
    found = paper.summary({"ensemble": early, "median net": rows["median"]}, 3)
    assert "do not compare" in paper.table(found)
    assert "fair CRPS over MAE of the median net" not in found["rows"]["ensemble"]


def test_an_interval_holds_its_ratio_and_is_of_half_hours(rows):
    row = rows["ensemble"]
    blocks = paper.runs(row, 3)
    assert [len(block) for block in blocks] == [2] * 6
    assert sorted(np.concatenate(blocks)) == list(range(12))
    value, low, high = paper.ratio(paper.joined(row, "crps"), paper.joined(row, "mae"), blocks)
    assert low < value < high
    assert paper.ratio(paper.joined(row, "mae"), paper.joined(row, "mae"), blocks) == [1.0, 1.0, 1.0]


def test_the_scores_are_those_of_the_package():
    truth = xdownscale.tutorial.rain((6, 24, 24))
    forecast = xr.concat([truth + 1, truth - 0.5], "member")
    found = paper.judge(truth, forecast, 3)
    assert found["samples"] == 2
    assert found["scores"]["MAE"] == pytest.approx(1.0, rel=1e-5)
    assert found["mae of the median"] == pytest.approx([0.25, 0.25], rel=1e-4)
    assert found["scores"]["CRPS"] == pytest.approx(float(metrics.crps_ensemble(truth, forecast)), rel=1e-6)
