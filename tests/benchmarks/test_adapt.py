"""The sample and what is scored are strangers, and every model gets the whole table."""

import json
from dataclasses import replace

import adapt
import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.small_models import model


def test_sample_and_scored_part_have_whole_coarse_cells_and_the_gap_between_them():
    field = xr.DataArray(np.arange(957.0), dims="x")
    west, east = adapt.parts(field)
    assert west.sizes["x"] == east.sizes["x"] == 430
    assert float(east[0] - west[-1]) > adapt.GAP
    assert float(east[-1]) == 956


@pytest.mark.slow
def test_all_three_are_scored_and_recorded(tmp_path, monkeypatch):
    small = replace(xdownscale.Recipe.named("standard"), cells=6)
    monkeypatch.setattr(xdownscale.Recipe, "named", lambda _: small)
    field = xdownscale.tutorial.rain((12, 60, 210)).rename("rainfall_rate")
    field.to_netcdf(tmp_path / "rain_new_1km_5min.nc")
    monkeypatch.setattr(xdownscale.zoo, "load", lambda _: model((3, 10, 10)))
    record = tmp_path / "record.json"
    monkeypatch.setattr(
        "sys.argv",
        ["adapt.py", str(tmp_path), "--product", "rain_new_1km_5min.nc", "--calibration", "1", "--steps", "1",
         "--cells", "6", "--members", "3", "--threads", "1", "--json", str(record)],
    )  # fmt: skip
    adapt.main()
    results = json.loads(record.read_text())["results"]
    assert list(results) == ["as it is", "calibrated", "then trained on"]
    assert results["as it is"]["seconds of fitting"] == 0
    crps = [rows["CRPS, blocks of 1 km"] for rows in results.values()]
    assert len(set(crps)) == 3
    assert min(crps) > 0
