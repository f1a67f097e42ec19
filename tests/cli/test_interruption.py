"""Commands that are interrupted: nothing half-written, and an unfinished store says how it goes on."""

import re
import shlex

import dask
import numpy as np
import pytest
import xarray as xr

import xdownscale
from xdownscale.cli import main
from xdownscale.inference.records import Records

pytest.importorskip("zarr")

WORDS = "downscale coarse.nc out.zarr --spatial 10 --temporal 3 --members 2 --tile 1,2,2"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a coarse field of four steps, of which each is a region."""
    monkeypatch.chdir(tmp_path)
    xdownscale.tutorial.rain((12, 20, 20)).rename("rain").sr.coarsen(10, 3).to_netcdf("coarse.nc")
    return tmp_path


@pytest.fixture
def interrupted(monkeypatch, capsys):
    """Runs a command that is interrupted once two regions are finished; gives what it says."""
    finish = Records.finish

    def run(words):
        finished = []
        with monkeypatch.context() as patch:

            def interrupt(records, key, digest):
                finish(records, key, digest)
                finished.append(key)
                if len(finished) == 2:
                    raise KeyboardInterrupt

            patch.setattr(Records, "finish", interrupt)
            with dask.config.set(scheduler="synchronous"):
                assert main(shlex.split(words)) == 130
        said = capsys.readouterr()
        assert said.out == ""
        return said.err.splitlines()[-1]

    return run


def test_the_command_that_an_interruption_names_continues_the_store(folder, interrupted, capsys):
    said = interrupted(WORDS)
    assert "'out.zarr' is unfinished: it has 2 of its 4 regions" in said
    again = re.search(r"xdownscale (downscale coarse.nc out.zarr .*)", said)[1]
    assert again == f"{WORDS} --resume"
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("out.zarr/rain/c/**/*") if path.is_file()}
    assert kept
    assert main(shlex.split(again)) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert main(shlex.split(WORDS.replace("out.zarr", "whole.nc"))) == 0
    with xr.open_zarr("out.zarr") as store, xr.open_dataset("whole.nc") as whole:
        np.testing.assert_array_equal(store["rain"], whole["rain"])
    assert not (folder / "out.zarr.unfinished").exists()


def test_an_unfinished_store_is_not_a_missing_file(interrupted, capsys):
    interrupted(WORDS)
    for words in ("info out.zarr", "interpolate out.zarr fine.nc --spatial 2"):
        assert main(shlex.split(words)) == 1
        said = capsys.readouterr().err
        assert "is unfinished: it has 2 of its 4 regions" in said
        assert "xdownscale downscale IN out.zarr ... --resume" in said
    assert main(shlex.split(WORDS)) == 1
    assert (
        "Pass --resume to continue the same command, or --overwrite to start again" in capsys.readouterr().err
    )
    assert main(shlex.split(f"{WORDS} --seed 1 --resume")) == 1
    assert "or --overwrite to start again" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["downscale", "interpolate"])
def test_an_unfinished_store_is_replaced_where_that_is_said(folder, interrupted, verb):
    interrupted(WORDS)
    words = WORDS if verb == "downscale" else "interpolate coarse.nc out.zarr --spatial 10 --temporal 3"
    assert main(shlex.split(f"{words} --overwrite")) == 0
    assert not (folder / "out.zarr.unfinished").exists()
    with xr.open_zarr("out.zarr") as store:
        assert store["rain"].sizes["y"] == 20


def test_begun_anew_the_command_that_continues_does_not_begin_again(interrupted):
    interrupted(WORDS)
    again = interrupted(f"{WORDS} --overwrite")
    assert again.endswith(f"{WORDS} --resume")


def test_an_interrupted_file_is_not_there_and_a_finished_store_stays(folder, monkeypatch, capsys):
    assert main(shlex.split(WORDS)) == 0
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(xr.Dataset, "to_netcdf", interrupt)
    monkeypatch.setattr(xr.Dataset, "to_zarr", interrupt)
    capsys.readouterr()
    for words in (WORDS.replace("out.zarr", "out.nc"), f"{WORDS} --overwrite"):
        assert main(shlex.split(words)) == 130
        assert capsys.readouterr().err.endswith("downscale: interrupted; no output was written\n")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_store_in_a_folder_that_is_missing_is_refused(capsys):
    for flag in ("", " --resume"):
        assert main(shlex.split(WORDS.replace("out.zarr", "no/out.zarr") + flag)) == 1
        assert "mkdir -p" in capsys.readouterr().err


def test_a_bar_over_regions_is_shown_where_it_is_wanted(capsys):
    assert main(shlex.split(f"{WORDS} --progress")) == 0
    assert "4/4" in capsys.readouterr().err
    assert main(shlex.split(f"{WORDS.replace('out', 'other')} --quiet")) == 0
    assert capsys.readouterr().err == ""
