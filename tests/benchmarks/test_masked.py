"""Rings, blocks and ratios of the benchmark of masked fields, and the whole of it on a small field."""

import json

import masked
import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.small_models import model


def test_rings_are_known_cells_beside_the_mask_and_those_beside_these():
    missing = np.zeros((7, 7), bool)
    missing[3, 3] = True
    first, second = masked.rings(missing)
    y, x = np.indices((7, 7))
    distance = np.maximum(abs(y - 3), abs(x - 3))
    np.testing.assert_array_equal(first, distance == 1)
    np.testing.assert_array_equal(second, distance == 2)


def test_a_ratio_is_a_sum_over_a_sum_within_its_interval():
    random = np.random.default_rng(0)
    whole = random.gamma(2.0, 1.0, (2, 2, 8))
    case = masked.Case("rain", "coast", whole * random.uniform(1.0, 1.4, whole.shape), whole)
    value, low, high = masked.ratio([case, case], 1, 0, random)
    assert value == pytest.approx(case.masked[1, 0].sum() / whole[1, 0].sum())
    assert 1.0 < low < value < high < 1.4


def test_all_masks_are_scored_and_recorded(tmp_path, monkeypatch):
    field = xdownscale.tutorial.rain((6, 90, 90)).rename("rainfall_rate")
    field.to_netcdf(tmp_path / "rain_new_1km_5min.nc")
    warm = (field[:, :48, :48] + 280).rename("tas").assign_attrs(units="K", standard_name="air_temperature")
    xr.concat([warm] * 9, "time").drop_vars("time").to_netcdf(tmp_path / "warm.nc")
    monkeypatch.setattr(xdownscale.zoo, "load", lambda _: model((3, 10, 10)))
    monkeypatch.setattr(xdownscale, "train", lambda *_, **__: model((1, 4, 4), rain=False, units="K"))
    record = tmp_path / "record.json"
    monkeypatch.setattr(
        "sys.argv",
        ["masked.py", str(tmp_path), "--rain", "rain_new_1km_5min.nc", "--temperature", "warm.nc", "--members", "2",
         "--cells", "8", "--frames", "2", "--json", str(record)],
    )  # fmt: skip
    masked.main()
    results = json.loads(record.read_text())["results"]
    names = [*masked.masks((8, 8)), "all"]
    assert list(results) == [f"{kind}, {name}" for kind in ("rain", "temperature") for name in names]
    assert all(0.5 < row["beside"]["CRPS"][0] < 3 for row in results.values())
