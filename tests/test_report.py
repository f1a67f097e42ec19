"""The page: whole, safe, self-contained, and right."""

import base64
import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import sample
from tests.support import weather
from xdownscale import report
from xdownscale.errors import DimensionError, FileError, OptionalDependencyError
from xdownscale.evaluate import evaluate, scores_table

pytest.importorskip("matplotlib", reason="pictures need matplotlib")


class Page(HTMLParser):
    """Elements that are open, cells of tables, addresses, words of pictures."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.rows, self.addresses, self.pictures, self.ids = [], [], [], [], set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.addresses += [attrs[key] for key in ("src", "href") if key in attrs]
        self.ids |= {attrs["id"]} if "id" in attrs else set()
        if tag == "img":
            self.pictures.append(attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def fields():
    observations, ensemble = sample("zero-inflated", shape=(8, 12, 16))
    return observations, {"net": ensemble, "mean <i>": ensemble.mean("member")}


@pytest.fixture(scope="module")
def scores(fields):
    observations, models = fields
    return evaluate(
        observations,
        models,
        metrics=["mae", "crps_ensemble"],
        thresholds=[0.5, 2],
        reference="net",
        bootstrap=20,
    )


@pytest.fixture(scope="module")
def page(scores, fields, tmp_path_factory):
    observations, models = fields
    path = tmp_path_factory.mktemp("page") / "page.html"
    assert (
        report(scores, path, forecasts=models, observations=observations, title="A & B", notes="1 < 2")
        == path
    )
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]
    return path.read_text("utf-8")


def test_the_page_is_well_formed_and_needs_nothing_else(page):
    parsed = Page(page)
    for address in parsed.addresses:
        assert address.startswith(("data:image/png;base64,", "#"))
    links = {address[1:] for address in parsed.addresses if address.startswith("#")}
    assert links == parsed.ids
    assert "<script" not in page
    assert "url(" not in page
    assert "@import" not in page


def test_words_of_users_are_escaped(page):
    assert "<title>A &amp; B</title>" in page
    assert "<p>1 &lt; 2</p>" in page
    assert "mean &lt;i&gt;" in page
    assert "<i>" not in page


def test_pictures_are_pictures_and_have_words(page):
    pictures = Page(page).pictures
    assert len(pictures) >= 8
    for picture in pictures:
        assert picture["alt"]
        data = base64.b64decode(picture["src"].split(",")[1], validate=True)
        assert data.startswith(b"\x89PNG")


def test_the_table_holds_the_scores_with_their_intervals_and_marks_the_best(page, scores):
    rows = {row[0]: row[1:] for row in Page(page).rows}
    value, low, high = (float(scores[name].sel(model="net")) for name in ("mae", "mae_low", "mae_high"))
    assert rows["mae [mm h-1]"][0] == f"{value:.4g} ({low:.3g} … {high:.3g})"
    assert rows["score"] == ["net", "mean <i>"]
    assert "brier_score threshold 0.5" in rows
    assert not any("mae_low" in name for name in rows)
    assert page.count('class="best"') == len(
        [n for n in rows if n.split(" ")[0] in ("mae", "crps_ensemble", "brier_score", "fss")]
    )
    best = int(np.argmin(scores.crps_ensemble.values))
    (line,) = re.findall(r"<tr><td>crps_ensemble \[mm h-1\]</td>(.*?)</tr>", page)
    assert ['class="best"' in cell for cell in line.split("</td>")[:2]] == [n == best for n in range(2)]
    assert "1/2 MAE" in page


def test_where_scores_come_from_is_on_the_page(fields, tmp_path):
    observations, models = fields
    made = models["net"].assign_attrs(xdownscale_model_sha256="abc123", xdownscale_seed=5)
    scores = evaluate(observations, {"net": made}, metrics=["mae"])
    text = report(scores, tmp_path / "page.html").read_text("utf-8")
    assert "model_sha256: abc123" in text
    assert "seed: 5" in text
    assert "time: 8" in text
    strange = scores.assign_attrs(forecasts="{no json", more=3)
    text = report(strange, tmp_path / "page.html", overwrite=True).read_text("utf-8")
    assert "{no json" in text


def test_scores_from_a_file_give_the_same_tables(scores, tmp_path):
    scores.to_netcdf(tmp_path / "scores.nc")
    with xr.open_dataset(tmp_path / "scores.nc") as again:
        assert json.loads(again.attrs["forecasts"]).keys() == {"net", "mean <i>"}
        tables = [
            Page(report(each, tmp_path / "page.html", overwrite=True).read_text("utf-8")).rows
            for each in (scores, again)
        ]
    assert tables[0] == tables[1]


def test_scores_of_parts_and_of_one_model(fields, tmp_path):
    observations, models = fields
    scores = evaluate(observations, models["net"], metrics=["mae", "mse"], scales=(1, 2), by={"lead": 2})
    parsed = Page(report(scores, tmp_path / "page.html").read_text("utf-8"))
    rows = {row[0]: row[1:] for row in parsed.rows}
    assert rows["mse scale 2 lead 1 [mm2 h-2]"] == [f"{float(scores.mse.sel(scale=2, lead=1)):.4g}"]
    assert [picture["alt"] for picture in parsed.pictures] == ["mae along scale", "mse along scale"]


def test_fields_without_members_or_time_or_rain(tmp_path):
    field = xr.DataArray(
        np.random.default_rng(0).normal(280, 1, (16, 16)), dims=("y", "x"), attrs={"units": "K"}
    )
    scores = evaluate(field, field + 1, metrics=["mae"])
    text = report(scores, tmp_path / "page.html", forecasts=field + 1, observations=field).read_text("utf-8")
    assert len(Page(text).pictures) == 3


def test_a_page_that_cannot_be_written_leaves_the_one_before(scores, fields, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("before")
    with pytest.raises(DimensionError, match="observations="):
        report(scores, path, forecasts=fields[1])
    with pytest.raises(FileError, match=r"exists.*overwrite=True"):
        report(scores, path)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OptionalDependencyError, match="pip install"):
        report(scores, path)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_a_page_of_datasets_has_sections_for_each_variable(tmp_path):
    truth = weather((4, 12, 12))[["tas", "psl"]]
    forecasts = {
        "net": truth.expand_dims(member=3) + xr.DataArray([0.0, 0.5, -0.5], dims="member"),
        "shift": truth + 1,
    }
    forecasts = {name: each.assign_attrs(truth.attrs) for name, each in forecasts.items()}
    scores = evaluate(truth, forecasts, metrics=["mae", "crps_ensemble"])
    coarse = truth[["tas"]].sr.coarsen(4, 2)
    path = tmp_path / "page.html"
    text = report(scores, path, forecasts=forecasts, observations=truth, coarse=coarse).read_text("utf-8")
    parsed = Page(text)
    for name in ("tas", "psl"):
        for heading in ("Members", "Calibration", "Values and texture"):
            assert f"<h2>{name}: {heading}</h2>" in text
    assert {each[1:] for each in parsed.addresses if each.startswith("#")} == parsed.ids
    assert sum("wettest coarse step" in each["alt"] for each in parsed.pictures) == 1
    best = re.findall(r"<tr><td>(tas|psl)_mae[^<]*</td>(.*?)</tr>", text)
    assert [row.split("</td>")[0].count("best") for _, row in best] == [1, 1]
    one = evaluate(truth["tas"], forecasts["net"]["tas"], metrics=["mae"])
    text = report(
        one,
        path,
        forecasts=forecasts["net"][["tas"]],
        observations=truth["tas"],
        coarse=coarse,
        overwrite=True,
    ).read_text("utf-8")
    assert "<h2>Members</h2>" in text
    assert "wettest coarse step" in text


def test_notebooks_show_the_table_as_html(scores):
    table = scores_table(scores)
    assert isinstance(table, str)
    parsed = Page(table._repr_html_())
    assert parsed.rows[0] == ["score", "net", "mean <i>"]
    assert table.splitlines()[0].split() == ["score", "net", "mean", "<i>"]
