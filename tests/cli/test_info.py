from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support import globe, rain
from xdownscale import zoo
from xdownscale.cli import main


def _info(field, tmp_path, capsys, *words):
    path = tmp_path / "field.nc"
    field.to_netcdf(path)
    assert main(["info", str(path), *words]) == 0
    return capsys.readouterr().out


def test_what_was_understood_and_which_factors_lead_to_the_scales_of_a_model(tmp_path, capsys):
    """Cells of 10 km and steps of 30 minutes: fine cells of 1 to 8 km are 2 to 10 times as many, steps 1 to 6."""
    coarse = rain((4, 6, 8), spacing=10_000.0, step=30)
    said = _info(coarse, tmp_path, capsys)
    assert "y: 6 cells of 10000 m" in said
    assert "time: 4 steps of 1800 s" in said
    assert "rain: spatial 2 to 10, temporal 1 to 6" in said
    assert "missing  nothing" in said


def test_what_is_missing_is_named_with_the_remedy(tmp_path, capsys):
    said = _info(xr.DataArray(np.zeros((3, 4)), dims=("y", "x"), name="q"), tmp_path, capsys)
    for told in (
        "'units'",
        "'standard_name'",
        "a time dimension",
        "coordinates along y",
        "coordinates along x",
    ):
        assert told in said


def test_other_quantities_have_no_model(tmp_path, capsys):
    field = globe().assign_attrs(standard_name="air_temperature", units="K")
    said = _info(field, tmp_path, capsys)
    assert said.count("no, it refines rainfall_rate") == len(zoo.list())


def test_gaps_are_found_and_the_option_that_treats_them(tmp_path, capsys):
    said = _info(rain().isel(time=[0, 1, 3, 4]), tmp_path, capsys)
    assert "gap after index 1" in said
    assert "--gaps split" in said


def test_a_model_that_has_learned_other_scales_is_refused(tmp_path, capsys):
    said = _info(rain(spacing=100.0), tmp_path, capsys)
    assert "rain: no, it was trained on other scales: fine cells of 1 to 8 km" in said


def test_one_variable_may_be_named(tmp_path, capsys):
    both = xr.Dataset({"a": rain(), "b": rain()})
    said = _info(both, tmp_path, capsys, "--variable", "b")
    assert said.startswith("b\n")
    assert "\na\n" not in said


def test_a_file_without_fields_and_one_that_is_missing_are_one_line(tmp_path, capsys):
    xr.Dataset({"a": ("station", [1.0])}).to_netcdf(tmp_path / "stations.nc")
    for name, told in (("stations.nc", "no field with y and x"), ("none.nc", "there is no file")):
        assert main(["info", str(tmp_path / name)]) == 1
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["rain", "rain-10x3"])
def test_a_model_file_says_what_it_is(name, capsys):
    assert main(["info", str(zoo.path(name))]) == 0
    assert "factors" in capsys.readouterr().out
