"""The demo on a file: the loop on a small one, and errors that say what to do."""

import importlib.util
from pathlib import Path

import pytest
import xarray as xr

from xdownscale.tutorial import rain

pytest.importorskip("matplotlib", reason="the demo draws a picture")


@pytest.fixture(scope="module")
def demo():
    spec = importlib.util.spec_from_file_location("demo", Path(__file__).parents[1] / "examples" / "demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def field():
    return rain((28, 85, 80)).rename("pr")


def failing(demo, dataset, folder, *words):
    """What the demo says about a file before it ends with an error."""
    dataset.to_netcdf(folder / "file.nc")
    with pytest.raises(SystemExit) as ending:
        demo.main([str(folder / "file.nc"), "--folder", str(folder), *words])
    assert {path.name for path in folder.iterdir()} == {"file.nc"}
    return str(ending.value)


@pytest.mark.slow
def test_a_file_goes_through_the_whole_loop(demo, field, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "MEMBERS", 2)
    monkeypatch.setattr(demo, "SHIPPED", "none")
    other = field.isel(time=0, drop=True).rename("height")
    field.to_dataset().assign(height=other).to_netcdf(tmp_path / "file.nc")
    demo.main([str(tmp_path / "file.nc"), "--folder", str(tmp_path), "--seconds", "0.01"])
    said = capsys.readouterr().out
    assert "variable 'pr'" in said
    assert "{'time': 27, 'y': 80, 'x': 80}, whole blocks" in said
    assert "crps_ensemble [mm h-1]" in said
    assert {path.name for path in tmp_path.iterdir()} == {"file.nc", "ensemble.nc", "ensemble.png"}
    with xr.open_dataset(tmp_path / "ensemble.nc") as written:
        assert dict(written["pr"].sizes) == {"member": 2, "time": 9, "y": 80, "x": 80}
        assert set(written.time.values) <= set(field.time.values)


def test_a_file_without_rain_lists_what_there_is(demo, field, tmp_path):
    warm = field.rename("tas").assign_attrs(standard_name="air_temperature", long_name="temperature")
    said = failing(demo, warm.to_dataset(), tmp_path)
    assert "tas {'time': 28, 'y': 85, 'x': 80}" in said
    assert "--variable NAME" in said
    assert "no variable 'rain'" in failing(demo, warm.to_dataset(), tmp_path, "--variable", "rain")


def test_a_small_field_says_what_it_needs(demo, field, tmp_path):
    said = failing(demo, field.isel(x=slice(0, 40)).to_dataset(), tmp_path)
    assert "too small" in said
    assert "{'x': 80}" in said


def test_a_gap_in_time_is_the_error_of_the_library(demo, field, tmp_path):
    assert "time" in failing(demo, field.drop_isel(time=23).to_dataset(), tmp_path)


def test_no_file_and_no_netcdf(demo, tmp_path):
    (tmp_path / "file.nc").write_text("rain")
    for name in ("file.nc", "other.nc"):
        with pytest.raises(SystemExit, match="demo: "):
            demo.main([str(tmp_path / name)])
