"""Every block of Python and every command in the README and in the manual runs as it stands there, page by page."""

import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xdownscale
from xdownscale import cli

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = [path for path in (ROOT / "docs").rglob("*.md") if not {"_build", "generated"} & set(path.parts)]
MADE = {ROOT / "docs" / "models" / f"{name}.md" for name in xdownscale.zoo.list()}
PAGES = sorted({ROOT / "README.md", *WRITTEN} - MADE)
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^xdownscale .*$", re.MULTILINE)


def blocks(page):
    """Language and text of the blocks of a page."""
    return BLOCK.findall(page.read_text("utf-8"))


def name(page):
    """A page as tests are called after it."""
    return str(page.relative_to(ROOT))


def days(mean):
    """Temperature of a year, day by day."""
    times = xr.date_range("2001-01-01", periods=365)
    values = np.random.default_rng(0).normal(mean, 5, (365, 2, 2))
    coords = {"time": times, "y": [0.0, 1.0], "x": [0.0, 1.0]}
    attrs = {"units": "K", "standard_name": "air_temperature"}
    return xr.DataArray(values, coords, ("time", "y", "x"), "tas", attrs)


@pytest.fixture
def radar(tmp_path):
    """A folder with the files that some pages read."""
    xdownscale.tutorial.rain((12, 60, 60)).rename("rainfall_rate").to_netcdf(tmp_path / "radar.nc")
    for name, mean in (("climate_model", 288.0), ("reanalysis", 285.0)):
        days(mean).to_netcdf(tmp_path / f"{name}.nc")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_code_runs(page, radar, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    monkeypatch.chdir(radar)
    names = {}
    for number, (language, text) in enumerate(blocks(page)):
        if language == "python":
            exec(compile(text, f"{page.name}, block {number}", "exec"), names)
        for command in COMMAND.findall(text) if language == "sh" else ():
            assert not cli.main(shlex.split(command)[1:]), command
    if page.name == "concepts.md":
        assert capsys.readouterr().out.split() == ["3.0"]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    places = {link: (page.parent / link).resolve() for link in links}
    made = (
        MADE if page == ROOT / "docs/models/index.md" else set()
    )  # in a clone, only this page says where they are
    assert [
        link for link, there in places.items() if not (there in made if there in MADE else there.exists())
    ] == []


def test_zarr_has_its_install_command_where_stores_are_written():
    pages = [
        ROOT / "docs" / name
        for name in ("scaling.md", "guides/cluster.md", "guides/archive.md", "gallery/large.py")
    ]
    without = [
        name(page)
        for page in pages
        if "'xdownscale-sr[zarr]'" not in page.read_text("utf-8").split("to_zarr(")[0]
    ]
    assert without == []


def test_every_notebook_is_in_the_gallery():
    listed = set(re.findall(r"\]\(([a-z_]+\.py)\)", (ROOT / "docs/gallery/index.md").read_text("utf-8")))
    assert listed == {path.name for path in (ROOT / "docs" / "gallery").glob("*.py")}


def test_every_command_has_an_example():
    page = (ROOT / "docs" / "reference" / "command_line.md").read_text("utf-8")
    app = cli._app()
    names = {f"{verb} {name}" if verb == "zoo" else verb for verb in app for name in app[verb]}
    commands = [name for name in names if "-" not in name]
    assert len(commands) > 12
    assert [name for name in commands if f"xdownscale {name} " not in page.replace("\n", " ")] == []


def test_classes_of_errors_are_all_explained():
    table = (ROOT / "docs" / "errors.md").read_text("utf-8")
    bases = {"XDownscaleError", "WeightsError"}
    assert [n for n in xdownscale.errors.__all__ if f"`{n}`" not in table and n not in bases] == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    spec = importlib.util.spec_from_file_location("check_links", ROOT / "docs" / "check_links.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "a.html").write_text(
        '<p id="here"><a href="b.html#there"><a href="#here"><a href="https://x.y">'
    )
    (tmp_path / "b.html").write_text('<p id="else"><img src="no.png"><a href="a.html">')
    assert sorted(module.broken(tmp_path)) == ["a.html: b.html#there", "b.html: no.png"]
