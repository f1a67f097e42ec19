"""The code of the README and of the manual runs as it stands there, page by page."""

import re
from pathlib import Path

import pytest

import xdownscale

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"<!-- runs( with weights)? -->\n```python\n(.*?)```", re.DOTALL)
FENCE = re.compile(r"^```python$", re.MULTILINE)
WEIGHTS = "rain-10x3" in xdownscale.zoo.list()


@pytest.fixture(scope="module")
def radar(tmp_path_factory):
    """A folder with the file that the pages read."""
    folder = tmp_path_factory.mktemp("docs")
    rain = xdownscale.tutorial.rain((12, 120, 120)).rename("rainfall_rate")
    rain.to_netcdf(folder / "radar.nc")
    return folder


@pytest.mark.parametrize(
    "page", [p for p in PAGES if BLOCK.search(p.read_text("utf-8"))], ids=lambda p: p.name
)
def test_code_runs(page, radar, monkeypatch, capsys):
    monkeypatch.chdir(radar)
    names = {}
    for number, (weights, code) in enumerate(BLOCK.findall(page.read_text("utf-8"))):
        if WEIGHTS or not weights:
            exec(compile(code, f"{page.name}, block {number}", "exec"), names)
    if page.name == "concepts.md":
        assert capsys.readouterr().out.split() == ["3.0"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_python_block_is_run(page):
    text = page.read_text("utf-8")
    assert len(FENCE.findall(text)) == len(BLOCK.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_classes_of_errors_are_all_explained():
    table = (ROOT / "docs" / "errors.md").read_text("utf-8")
    bases = {"XDownscaleError", "WeightsError"}
    assert [n for n in xdownscale.errors.__all__ if f"`{n}`" not in table and n not in bases] == []
