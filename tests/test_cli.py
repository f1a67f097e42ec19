from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import globe, rain
from xdownscale.cli import main


@pytest.fixture
def fine(tmp_path):
    path = tmp_path / "fine.nc"
    rain().assign_attrs(grid_mapping="crs").to_dataset().assign(crs=0).to_netcdf(path)
    return path


def test_coarsen_and_interpolate_do_what_the_functions_do(fine, tmp_path, capsys):
    assert (
        main(["coarsen", str(fine), str(tmp_path / "coarse.nc"), "--spatial", "10,5", "--temporal", "3"]) == 0
    )
    assert "wrote" in capsys.readouterr().out
    with xr.open_dataset(tmp_path / "coarse.nc") as coarse:
        xr.testing.assert_allclose(coarse["rain"], xdownscale.coarsen(rain(), (10, 5), 3))
        assert coarse["time_bnds"].shape == (2, 2)
    words = ["interpolate", str(tmp_path / "coarse.nc"), str(tmp_path / "again.nc"), "--spatial", "10,5"]
    assert main([*words, "--temporal", "3", "--method", "nearest", "--variable", "rain"]) == 0
    with xr.open_dataset(tmp_path / "again.nc") as again:
        np.testing.assert_array_equal(again.x, rain().x)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.nc", "coarse.nc", "fine.nc"]


def test_a_failure_says_how_to_go_on_and_leaves_nothing_behind(fine, tmp_path, capsys):
    assert main(["coarsen", str(fine), str(tmp_path / "coarse.nc"), "--spatial", "7"]) == 1
    assert "boundary='trim'" in capsys.readouterr().err
    assert main(["coarsen", str(fine), str(tmp_path / "coarse.nc"), "--variable", "snow"]) == 1
    assert "--variable NAME" in capsys.readouterr().err
    assert main(["coarsen", str(fine), str(tmp_path / "coarse.nc"), "--dims", "y"]) == 1
    assert "ROLE=NAME" in capsys.readouterr().err
    assert main(["coarsen", str(fine), str(tmp_path / "no" / "coarse.nc")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["fine.nc"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(fine, tmp_path, monkeypatch):
    out = tmp_path / "coarse.nc"
    assert main(["coarsen", str(fine), str(out), "--spatial", "10"]) == 0
    before = out.read_bytes()

    def fail(self, path, **options):
        path.write_bytes(b"half")
        raise OSError

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    assert main(["coarsen", str(fine), str(out), "--spatial", "5"]) == 1
    assert out.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_the_output_may_be_the_input(fine):
    assert main(["coarsen", str(fine), str(fine), "--spatial", "10"]) == 0
    with xr.open_dataset(fine) as coarse:
        assert coarse["rain"].shape == (6, 2, 3)


class FakeModel:
    def save(self, path):
        from pathlib import Path

        Path(path).write_text("model")


def test_train_and_downscale_pass_their_words_on(fine, tmp_path, monkeypatch):
    import importlib

    calls = {}
    train = importlib.import_module("xdownscale.train")
    downscale = importlib.import_module("xdownscale.downscale")
    monkeypatch.setattr(train, "train", lambda field, *a, **k: calls.update(train=(a, k)) or FakeModel())
    monkeypatch.setattr(
        downscale, "downscale", lambda field, *a, **k: calls.update(downscale=(a, k)) or field
    )
    words = [str(fine), str(tmp_path / "out"), "--spatial", "10", "--temporal", "3", "--dims", "y=y"]
    assert main(["train", *words, "--recipe", "small", "--steps", "5", "--seed", "7"]) == 0
    assert calls["train"][0] == (10, 3)
    assert calls["train"][1] == {
        "recipe": "small",
        "steps": 5,
        "seed": 7,
        "device": "auto",
        "dims": {"y": "y"},
    }
    assert main(["downscale", *words, "--model", "m", "--members", "4"]) == 0
    assert calls["downscale"][0] == ("m",)
    assert calls["downscale"][1]["members"] == 4
    assert calls["downscale"][1]["spatial"] == 10


def test_several_fields_need_a_name(tmp_path, capsys):
    xr.Dataset({"a": globe(), "b": globe()}).to_netcdf(tmp_path / "two.nc")
    assert main(["downscale", str(tmp_path / "two.nc"), str(tmp_path / "out.nc")]) == 1
    assert "--variable NAME" in capsys.readouterr().err


def test_scores_are_printed_and_written(fine, tmp_path, capsys):
    words = ["evaluate", str(fine), str(tmp_path / "scores.nc"), "--observations", str(fine)]
    assert main([*words, "--metrics", "mae"]) == 0
    assert "mae" in capsys.readouterr().out
    with xr.open_dataset(tmp_path / "scores.nc") as scores:
        assert float(scores["mae"]) == 0.0


def test_the_zoo_is_listed(capsys):
    assert main(["zoo"]) == 0
    assert capsys.readouterr().out


def test_words_that_are_not_understood(capsys):
    with pytest.raises(SystemExit):
        main(["sharpen"])
    with pytest.raises(SystemExit):
        main(["--version"])
    assert "xdownscale" in capsys.readouterr().out


def test_a_variable_that_is_named_keeps_its_bounds_and_grid_mapping(tmp_path):
    coarse = rain((6, 4, 4)).sr.coarsen(2, 3).drop_attrs(deep=True)
    step = np.timedelta64(15, "m")
    field = coarse.assign_attrs(
        units="mm h-1", standard_name="rainfall_rate", grid_mapping="crs"
    ).to_dataset()
    field = field.assign_coords(time=("time", coarse.time.values + step, {"bounds": "time_bnds"}))
    edges = np.stack([coarse.time.values, coarse.time.values + step], axis=1)
    field = field.assign(
        time_bnds=(("time", "bnds"), edges), crs=((), 0, {"grid_mapping_name": "stereographic"})
    )
    field.to_netcdf(tmp_path / "in.nc")
    words = ["--spatial", "10", "--temporal", "3"]
    assert main(["downscale", str(tmp_path / "in.nc"), str(tmp_path / "all.nc"), *words]) == 0
    words += ["--variable", "rain"]
    assert main(["downscale", str(tmp_path / "in.nc"), str(tmp_path / "one.nc"), *words]) == 0
    with xr.open_dataset(tmp_path / "all.nc") as both, xr.open_dataset(tmp_path / "one.nc") as one:
        np.testing.assert_array_equal(one.time, both.time)
        assert one.time.values[0] == coarse.time.values[0] + np.timedelta64(5, "m")
        assert one.crs.attrs["grid_mapping_name"] == "stereographic"
