from __future__ import annotations

import functools
from pathlib import Path

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
    assert "--boundary trim" in capsys.readouterr().err
    assert main(["coarsen", str(fine), str(tmp_path / "coarse.nc"), "--variable", "snow"]) == 1
    assert "--variable NAME" in capsys.readouterr().err
    assert main(["coarsen", str(fine), str(tmp_path / "coarse.nc"), "--dims", "y"]) == 2
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
    assert main(["coarsen", str(fine), str(out), "--spatial", "5", "--overwrite"]) == 1
    assert out.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_read_is_never_overwritten(fine, tmp_path, capsys, monkeypatch):
    """By its name, another name, a relative one, a link of either kind; the observations and the model, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "soft.nc").symlink_to(fine)
    (tmp_path / "hard.nc").hardlink_to(fine)
    (tmp_path / "below").mkdir()
    before = fine.read_bytes()
    for out in (fine, "fine.nc", "./below/../fine.nc", "soft.nc", "hard.nc"):
        for flag in ([], ["--overwrite"]):
            assert main(["coarsen", str(fine), str(out), "--spatial", "10", *flag]) == 1
            assert "never overwritten" in capsys.readouterr().err
    other = tmp_path / "other.nc"
    rain(seed=1).to_netcdf(other)
    known = other.read_bytes()
    words = [str(fine), str(other), "--overwrite"]
    assert main(["evaluate", *words, "--observations", str(other)]) == 1
    assert main(["downscale", *words, "--model", str(other)]) == 1
    assert (fine.read_bytes(), other.read_bytes()) == (before, known)


def test_what_is_there_is_replaced_only_where_that_is_said(fine, tmp_path, capsys):
    out = tmp_path / "coarse.nc"
    out.write_text("years of work")
    words = ["coarsen", str(fine), str(out), "--spatial", "10"]
    assert main(words) == 1
    assert out.read_text() == "years of work"
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    with xr.open_dataset(out) as coarse:
        assert coarse["rain"].shape == (6, 2, 3)


def test_a_name_that_ends_in_zarr_makes_a_store(fine, tmp_path, capsys, monkeypatch):
    pytest.importorskip("zarr")
    out, again = tmp_path / "coarse.zarr", tmp_path / "again.nc"
    words = ["coarsen", str(fine), str(out), "--spatial", "10"]
    assert main(words) == 0
    assert main(words) == 1
    assert main([*words, "--temporal", "3", "--overwrite"]) == 0
    with xr.open_zarr(out) as coarse:
        xr.testing.assert_allclose(coarse["rain"].load(), xdownscale.coarsen(rain(), 10, 3))
    assert main(["interpolate", str(out), str(again), "--spatial", "10"]) == 0
    before = sorted(tmp_path.rglob("*"))
    inside = out / "again.nc"
    for target in (out, inside):
        assert main(["interpolate", str(out), str(target), "--overwrite"]) == 1
    assert main(["interpolate", str(inside), str(out), "--overwrite"]) == 1
    (tmp_path / "thesis.zarr").mkdir()
    assert main(["coarsen", str(fine), str(tmp_path / "thesis.zarr"), "--overwrite"]) == 1
    (tmp_path / "thesis.zarr").rmdir()
    assert sorted(tmp_path.rglob("*")) == before
    capsys.readouterr()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["coarsen", str(fine), str(tmp_path / "new.zarr")]) == 1
    assert "pip install 'xdownscale-sr[zarr]'" in capsys.readouterr().err


def test_names_that_tell_of_another_format_are_refused(fine, tmp_path, capsys):
    for verb, name in (
        ("coarsen", "o.grib"),
        ("coarsen", "o.tif"),
        ("train", "model.nc"),
        ("train", "m.zarr"),
    ):
        assert main([verb, str(fine), str(tmp_path / name)]) == 1
        assert "a name that ends in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [fine]


def test_places_that_cannot_be_written_are_refused_before_any_work(fine, tmp_path, capsys, monkeypatch):
    _replace(monkeypatch, "train", lambda *a, **k: pytest.fail("trained"))
    for out in (tmp_path, tmp_path / "none" / "m.safetensors", "/dev/null", fine / "m"):
        assert main(["train", str(fine), str(out), "--overwrite"]) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert said.startswith("xdownscale train: ")


def test_files_that_cannot_be_read_are_one_line(tmp_path, fine, capsys):
    months = xr.Dataset(
        {"a": ("time", [1.0])}, {"time": ("time", [0.0], {"units": "months since 2000-01-01"})}
    )
    months.to_netcdf(tmp_path / "months.nc")
    content = bytearray(fine.read_bytes())
    content[8:200] = bytes(192)
    (tmp_path / "broken.nc").write_bytes(content)
    (tmp_path / "forecast.grib").write_bytes(b"GRIB" + bytes(200))
    (tmp_path / "text.nc").write_text("Dear colleague,")
    (tmp_path / "empty.nc").write_bytes(b"")
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "plain").mkdir()
    for name in (
        "plain",
        "months.nc",
        "broken.nc",
        "forecast.grib",
        "text.nc",
        "empty.nc",
        "folder.zarr",
        "nowhere.nc",
        "",
    ):
        assert main(["coarsen", str(tmp_path / name), str(tmp_path / "o.nc"), "--spatial", "10"]) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert name in said
    assert (
        main(["evaluate", str(fine), str(tmp_path / "o.nc"), "--observations", str(tmp_path / "text.nc")])
        == 1
    )
    assert not (tmp_path / "o.nc").exists()


def test_a_file_that_turns_out_to_be_damaged_while_it_is_read_is_one_line(
    fine, tmp_path, capsys, monkeypatch
):
    def damaged(*args, **kwargs):
        msg = "NetCDF: HDF error"
        raise RuntimeError(msg)

    _replace(monkeypatch, "coarsen", damaged)
    assert main(["coarsen", str(fine), str(tmp_path / "o.nc")]) == 1
    assert "NetCDF: HDF error" in capsys.readouterr().err


def test_members_of_another_name_are_scored(fine, tmp_path, capsys):
    members = xr.concat([rain(), rain(seed=1), rain(seed=2)], "draw")
    members.to_netcdf(tmp_path / "ensemble.nc")
    words = ["evaluate", str(tmp_path / "ensemble.nc"), str(tmp_path / "s.nc"), "--observations", str(fine)]
    assert main(words) == 1
    assert "draw" in capsys.readouterr().err
    assert main([*words, "--member-dim", "draw", "--metrics", "crps_ensemble"]) == 0
    with xr.open_dataset(tmp_path / "s.nc") as scores:
        wanted = xdownscale.evaluate(rain(), members, member_dim="draw", metrics=["crps_ensemble"])
        xr.testing.assert_allclose(scores["crps_ensemble"], wanted["crps_ensemble"])


def test_several_forecasts_are_scored_on_the_same_cases(fine, tmp_path, capsys):
    other, gaps = rain(seed=1), rain()
    gaps[0, 0, 0] = float("nan")
    other.to_netcdf(tmp_path / "b.nc")
    gaps.to_netcdf(tmp_path / "a.nc")
    words = ["evaluate", str(tmp_path / "a.nc"), str(tmp_path / "s.nc"), "--observations", str(fine)]
    words += ["--metrics", "mae", "--others"]
    assert main([*words, f"a={tmp_path / 'b.nc'}"]) == 1
    assert "has this name already" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "b.nc")]) != 0
    assert "NAME=FILE" in capsys.readouterr().err
    assert main([*words, f"another={tmp_path / 'b.nc'}"]) == 0
    with xr.open_dataset(tmp_path / "s.nc") as scores:
        wanted = xdownscale.evaluate(rain(), {"a": gaps, "another": other}, metrics=["mae"])
        xr.testing.assert_allclose(scores["mae"], wanted["mae"])


def test_the_package_runs_as_a_module(fine, tmp_path):
    import subprocess
    import sys

    words = [sys.executable, "-m", "xdownscale", "coarsen", str(fine), str(fine)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "never overwritten" in ended.stderr


def _replace(monkeypatch, verb, fake):
    """Put a function in the place of a verb, with its signature and docstring."""
    monkeypatch.setattr(xdownscale, verb, functools.wraps(getattr(xdownscale, verb))(fake))


class FakeModel:
    def save(self, path):
        Path(path).write_text("model")


def test_train_and_downscale_pass_their_words_on(fine, tmp_path, monkeypatch):
    calls = {}
    _replace(monkeypatch, "train", lambda field, **k: calls.update(train=k) or FakeModel())
    _replace(monkeypatch, "downscale", lambda field, **k: calls.update(downscale=k) or field)
    words = [str(fine), str(tmp_path / "out"), "--spatial", "10", "--temporal", "3", "--dims", "y=y"]
    words.append("--overwrite")
    assert main(["train", *words, "--recipe", "small", "--steps", "5", "--seed", "7"]) == 0
    wanted = {"recipe": "small", "steps": 5, "seed": 7, "spatial": 10, "temporal": 3, "dims": {"y": "y"}}
    assert calls["train"] == wanted
    assert main(["downscale", *words, "--model", "m", "--members", "4"]) == 0
    assert calls["downscale"] == {
        "model": "m",
        "members": 4,
        "spatial": 10,
        "temporal": 3,
        "dims": {"y": "y"},
    }


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
    for words, told in (
        (["sharpen"], "(see xdownscale --help)"),
        (["coarsen"], "IN"),
        (["coarsen", "in.nc", "out.nc", "--spatial", "wide"], "N or N,N"),
        (["coarsen", "in.nc", "out.nc", "--boundary", "soft"], "pad"),
        (["coarsen", "in.nc", "out.nc", "--sharp"], "--sharp"),
        (["correct", "in.nc", "out.nc"], "--reference"),
    ):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"xdownscale {xdownscale.__version__}\n"


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


def test_grib_is_read_by_its_engine_without_an_index_beside_the_file(tmp_path, monkeypatch):
    """The engine is opened as cfgrib documents it; an index would be a file that nobody asked for."""
    path, asked = tmp_path / "field.grib", {}
    path.write_bytes(b"GRIB")

    def read(name, **options):
        asked.update(options, name=name)
        return rain().to_dataset()

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(xr, "open_dataset", read)
    assert main(["coarsen", str(path), str(tmp_path / "coarse.nc"), "--spatial", "10"]) == 0
    assert asked == {
        "name": str(path),
        "chunks": None,
        "engine": "cfgrib",
        "backend_kwargs": {"indexpath": ""},
    }


def test_quiet_prints_nothing_and_no_bar(fine, tmp_path, capfd):
    out = str(tmp_path / "s.nc")
    assert main(["evaluate", str(fine), out, "--observations", str(fine), "--metrics", "mae", "--quiet"]) == 0
    words = [
        str(fine),
        str(tmp_path / "m.safetensors"),
        "--spatial",
        "2",
        "--recipe",
        "small",
        "--steps",
        "1",
    ]
    assert main(["train", *words, "--validation", "0", "--quiet"]) == 0
    said = capfd.readouterr()
    assert said.out == ""
    assert "train:" not in said.err


def test_warnings_are_lines_without_a_place_in_the_code(fine, tmp_path, capsys):
    xr.Dataset({"rain": rain(), "station": ("s", [1.0])}).to_netcdf(tmp_path / "in.nc")
    assert main(["coarsen", str(tmp_path / "in.nc"), str(tmp_path / "out.nc"), "--spatial", "10"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("xdownscale coarsen: warning: ")
    assert ".py" not in said


def test_the_whole_chain_runs_on_files(fine, tmp_path, capsys):
    """Coarsen, train, calibrate, downscale, interpolate, score against a baseline, report."""
    made = {
        name: str(tmp_path / name)
        for name in ("c.nc", "m.safetensors", "k.safetensors", "e.nc", "b.nc", "s.nc")
    }
    factors = ["--spatial", "2", "--temporal", "2"]
    truth, page = str(fine), tmp_path / "page.html"
    chain = [
        ["coarsen", truth, made["c.nc"], *factors],
        [
            "train",
            truth,
            made["m.safetensors"],
            *factors,
            "--recipe",
            "small",
            "--steps",
            "1",
            "--validation",
            "0",
        ],
        ["calibrate", truth, made["k.safetensors"], "--model", made["m.safetensors"], "--steps", "1"],
        ["downscale", made["c.nc"], made["e.nc"], "--model", made["k.safetensors"], "--members", "2"],
        ["interpolate", made["c.nc"], made["b.nc"], *factors],
        ["evaluate", made["e.nc"], made["s.nc"], "--observations", truth, "--reference", made["b.nc"]],
        ["report", made["s.nc"], str(page), "--observations", truth, "--forecasts", f"ours={made['e.nc']}"],
    ]
    for words in chain:
        quiet = ["--no-progress"] if words[0] in ("train", "calibrate") else []
        assert main([*words, *quiet]) == 0, capsys.readouterr().err
    assert "<img" in page.read_text("utf-8")
    with xr.open_dataset(made["s.nc"]) as scores:
        assert "crps_ensemble_skill" in scores


def test_a_report_is_of_scores_and_shows_the_variable_that_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    truth = rain((6, 20, 20))
    ensemble = xr.concat([truth, 2 * truth], "member").assign_attrs(truth.attrs)
    for name, field in (("truth", truth), ("ensemble", ensemble)):
        xr.Dataset({"rain": field, "snow": field}).to_netcdf(f"{name}.nc")
    assert main(["report", "ensemble.nc", "page.html"]) == 1
    told = capsys.readouterr().err.partition("Score them first: xdownscale ")[2].split()
    assert told[2:] == ["scores.nc", "--observations", "truth.nc"]
    assert not (tmp_path / "page.html").exists()
    assert main([*told, "--metrics", "mae", "rmse", "bias"]) == 0
    shown = {}
    _replace(monkeypatch, "report", lambda scores, **options: shown.update(options, scores=scores.load()))
    words = ["scores.nc", "page.html", "--observations", "truth.nc", "--forecasts", "ensemble.nc"]
    assert main(["report", *words, "--variable", "snow"]) == 0
    assert shown["observations"].name == shown["forecasts"].name == "snow"
    assert "rain_mae" in shown["scores"]
    assert main(["report", *words]) == 0
    assert isinstance(shown["observations"], xr.Dataset)


def test_overwrite_reaches_a_function_that_takes_it(fine, tmp_path, monkeypatch):
    def report(scores: xr.Dataset, path: str, *, overwrite: bool = False) -> Path:
        """Write a page.

        Parameters
        ----------
        scores, path, overwrite
            Scores, place, whether to replace it.
        """
        Path(path).write_text(str(overwrite))

    monkeypatch.setattr(xdownscale, "report", report)
    xr.Dataset({"mae": 1.0}).to_netcdf(tmp_path / "scores.nc")
    page = tmp_path / "page.html"
    for flag, told in (([], "False"), (["--overwrite"], "True")):
        assert main(["report", str(tmp_path / "scores.nc"), str(page), *flag]) == 0
        assert page.read_text() == told


def test_the_bias_is_taken_off_on_files(tmp_path):
    pytest.importorskip("xsdba")
    times = xr.date_range("2001-01-01", periods=365)
    chance = np.random.default_rng(0)
    truth = xr.DataArray(
        chance.normal(285, 5, (365, 2, 2)),
        {"time": times, "y": [0.0, 1.0], "x": [0.0, 1.0]},
        ("time", "y", "x"),
        "tas",
        {"units": "K", "standard_name": "air_temperature"},
    )
    warm = (truth + 3).assign_attrs(truth.attrs)
    for name, field in (("truth", truth), ("warm", warm)):
        field.to_netcdf(tmp_path / f"{name}.nc")
    words = [
        "correct",
        str(tmp_path / "warm.nc"),
        str(tmp_path / "out.nc"),
        "--reference",
        str(tmp_path / "truth.nc"),
    ]
    assert main([*words, "--group", "time"]) == 0
    with xr.open_dataset(tmp_path / "out.nc") as made:
        xr.testing.assert_identical(
            made["tas"].drop_attrs(), xdownscale.correct(warm, truth, group="time").drop_attrs().rename("tas")
        )


def test_a_store_is_resumed_and_the_plan_told_first(tmp_path, capsys):
    pytest.importorskip("zarr")
    rain((6, 40, 60)).sr.coarsen(10, 3).to_netcdf(tmp_path / "coarse.nc")
    words = [
        "downscale",
        str(tmp_path / "coarse.nc"),
        str(tmp_path / "out.zarr"),
        "--spatial",
        "10",
        "--temporal",
        "3",
    ]
    assert main([*words, "--resume"]) == 0
    assert "passes" in capsys.readouterr().err
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out.zarr").rglob("*") if path.is_file()}
    assert main([*words, "--resume"]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert main([*words, "--resume", "--members", "2"]) == 1
    assert "another job" in capsys.readouterr().err
    assert main(["plan", str(tmp_path / "coarse.nc"), "--spatial", "10", "--temporal", "3"]) == 0
    assert capsys.readouterr().out.startswith("passes ")


def test_weights_are_listed_shown_and_fetched(capsys):
    from xdownscale import zoo

    assert main(["zoo", "list"]) == 0
    assert "rain-10x3" in capsys.readouterr().out
    assert main(["zoo", "show", "rain-10x3"]) == 0
    assert capsys.readouterr().out.strip() == zoo.card("rain-10x3").strip()
    assert main(["zoo", "fetch", "rain-10x3"]) == 0
    assert capsys.readouterr().out.strip() == str(zoo.path("rain-10x3"))
    assert main(["zoo", "fetch", "snow"]) == 1
    assert "no pretrained model 'snow'" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_verbs_options_and_choices(shell):
    from xdownscale.cli import _app

    script = _app().generate_completion(shell=shell)
    for word in ("interpolate", "min-valid", "conservative"):
        assert word in script


def test_settings_that_were_tuned_are_those_that_train_takes(fine, tmp_path, monkeypatch, capsys):
    """A recipe goes through a file unchanged, nested settings too; another file is refused."""
    if not hasattr(xdownscale, "tune"):
        pytest.skip("nothing tunes")
    found, taken = xdownscale.Recipe.named("stvd-small").with_steps(7), {}
    _replace(monkeypatch, "tune", lambda field, **k: found)
    _replace(monkeypatch, "train", lambda field, **k: taken.update(k) or FakeModel())
    path, model = str(tmp_path / "found.json"), str(tmp_path / "m.safetensors")
    assert main(["tune", str(fine), path, "--spatial", "2", "--minutes", "1"]) == 0
    assert main(["train", str(fine), model, "--recipe", path]) == 0
    assert taken["recipe"] == found
    for text, told in (('{"cells": "many"}', "recipe.cells"), ("Dear colleague,", "holds no recipe")):
        (tmp_path / "found.json").write_text(text)
        assert main(["train", str(fine), model, "--recipe", path, "--overwrite"]) == 1
        assert told in capsys.readouterr().err
