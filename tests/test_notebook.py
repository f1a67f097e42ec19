"""What notebooks show: tables of what was understood, escaped, and the picture of a model."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.small_models import model
from tests.support import globe, rain
from xdownscale.errors import EmptyFieldError


class Cells(HTMLParser):
    """Texts of the cells of tables; raises where tags do not nest."""

    def __init__(self, html):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize(
    "shown",
    [
        rain().sr,
        rain().to_dataset().assign(crs=0).sr,
        xr.DataTree.from_dict({"/radar": rain().to_dataset(), "/model": globe().to_dataset()}).sr,
        xr.DataArray([1.0]).sr,
        xdownscale.Recipe.named("small"),
        xdownscale.PriorRecipe(),
        model(),
        rain((2, 6, 6), step=15, spacing=4000.0).sr.plan(model()),
    ],
    ids=lambda shown: type(shown).__name__,
)
def test_tables_hold_what_the_text_says(shown):
    """Every value of the text is in a cell of the table."""
    texts = " ".join(" ".join(Cells(shown._repr_html_()).texts).split())
    lines = [line.split(maxsplit=1) for line in repr(shown).splitlines() if line.startswith("  ")]
    assert lines
    assert all(" ".join(words[-1].split()) in texts for words in lines if len(words) == 2)


def test_names_of_users_are_text():
    field = rain().rename("<b>rain</b>").assign_attrs(units="<script>")
    assert "<script>" not in field.sr._repr_html_()
    assert "<b>" not in field.sr._repr_html_()


def test_a_recipe_shows_a_line_for_each_setting():
    shown = repr(xdownscale.Recipe.named("small"))
    assert shown.startswith("<xdownscale.Recipe>")
    assert "steps=150" in shown
    assert shown.count("\n") == len(xdownscale.Recipe.__dataclass_fields__)


def test_a_model_draws_its_scores_beside_bicubic(tmp_path):
    pytest.importorskip("matplotlib")
    trained = model()
    trained.provenance.scores.clear()
    with pytest.raises(EmptyFieldError, match=r"validation=0\.1"):
        trained.plot()
    trained.provenance.scores.update(crps=0.2, crps_bicubic=0.4, spread_skill=0.9)
    figure = trained.plot(tmp_path / "scores.png")
    crps, ratio = figure.axes
    assert [line.get_xdata()[0] for line in crps.lines] == [0.2, 0.4, 0.0]
    assert ratio.lines[0].get_xdata()[0] == 0.9
    assert np.isnan(ratio.lines[1].get_xdata()[0])
    assert ratio.lines[2].get_xdata()[0] == 1.0


def test_progress_bars_are_those_of_the_place():
    """In a notebook a widget, in a terminal a line."""
    from tqdm.auto import tqdm

    from xdownscale import heldout
    from xdownscale.inference import bar, engine
    from xdownscale.training import progress, style

    assert all(module.tqdm is tqdm for module in (bar, engine, heldout, progress, style))
