"""The ablation of the loss: one thing changes at a time, all else is alike, and lattices locked to cells are seen."""

import sys

import ablation
import numpy as np
import pytest
import xarray as xr
from ablation import SHOWN, lattice, summary, table, variants

import xdownscale
from xdownscale.models.recipe import Recipe


def test_every_variant_changes_one_thing():
    recipes = variants(Recipe.named("small"))
    full = recipes.pop("full").to_json()

    def flat(document):
        return {
            f"{part}.{key}": value
            for part in ("size", "schedule", "weights")
            for key, value in document[part].items()
        }

    for name, recipe in recipes.items():
        changed = {key for key, value in flat(recipe.to_json()).items() if value != flat(full)[key]}
        assert len(changed) == 1, name
        assert any(word in next(iter(changed)) for word in name.split()), name


def test_a_lattice_is_seen_and_texture_is_not():
    random = np.random.default_rng(0)
    white = xr.DataArray(random.normal(size=(3, 4, 80, 80)), dims=("member", "time", "y", "x"))
    locked = white + 0.3 * (-1.0) ** np.indices((80, 80)).sum(0)
    assert lattice(white) == pytest.approx(1 / (4 * 36), rel=0.3)
    assert lattice(locked) > 10 * lattice(white)


def test_means_are_over_events_and_seeds():
    scores = [{"a: ratio": value, "a: truth": 1.0, "b": value} for value in (1.0, 3.0, 5.0, 7.0)]
    results = {
        "0": {"fmi_1": {"full": scores[0]}, "mrms_1": {"full": scores[1]}},
        "1": {"fmi_1": {"full": scores[2]}, "mrms_1": {"full": scores[3]}},
    }
    assert summary(results)["full"]["b"] == summary(results)["full"]["a: ratio"] == 4.0


@pytest.mark.slow
def test_a_run_makes_every_row_and_trains_nothing_twice(tmp_path, monkeypatch, capsys):
    rain = xdownscale.tutorial.rain((12, 100, 100))
    names = ["rain_one_1km_5min_a.nc", "rain_two_1km_5min_b.nc"]
    for name in names:
        rain.to_netcdf(tmp_path / name)
    asked = [
        str(tmp_path),
        "--train",
        names[0],
        "--validate",
        *names,
        "--models",
        str(tmp_path),
        "--steps",
        "2",
    ]
    asked += [
        "--cells",
        "6",
        "--members",
        "2",
        "--only",
        "full",
        "without spectral",
        "--json",
        str(tmp_path / "a.json"),
    ]
    monkeypatch.setattr(sys, "argv", ["ablation.py", *asked])
    ablation.main()
    first = capsys.readouterr().out
    monkeypatch.setattr(xdownscale, "train", None)
    ablation.main()
    again = capsys.readouterr().out
    assert first.endswith(again)
    rows = again.strip().splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["full", "without spectral"]
    assert all(len(row.split("|")) == len(SHOWN) + 3 for row in rows)
    assert rows[2].split("|")[2:] != rows[3].split("|")[2:]


def test_the_table_has_a_row_for_each_variant():
    rows = {name: dict.fromkeys(SHOWN, 1.0) for name in ("full", "without spectral")}
    assert table(rows).count("\n") == 3
