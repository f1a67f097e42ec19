"""tune: the best of what was tried comes back, within the budget, and a log outlives its process."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import xdownscale
from tests.small_models import model
from xdownscale.errors import ArgumentError, EmptyFieldError, FileError, ResumeError
from xdownscale.models.document import Provenance
from xdownscale.models.recipe import Recipe
from xdownscale.tune import elbow
from xdownscale.tuning.log import CHOSEN, STUDY, read_log
from xdownscale.tuning.settings import value_of

pytest.importorskip("optuna")

RAIN = xdownscale.tutorial.rain((12, 32, 32))


@pytest.fixture
def trained(monkeypatch):
    """Train nothing: a score that is least at a rate of 1e-3 and a batch of 3, with 0.1 s for each trial."""
    seen = []

    def fake(field, spatial, temporal, *, recipe, **options):
        seen.append((recipe, options))
        time.sleep(0.02)
        if recipe.cells == 7:
            msg = "too large"
            raise ArgumentError(msg)
        made = model()
        bowl = abs(np.log(recipe.schedule.rate / 1e-3)) + abs(recipe.schedule.batch - 3)
        made.provenance = Provenance(scores={"crps": 1 + bowl, "crps_bicubic": 2.0})
        return made

    monkeypatch.setattr(sys.modules["xdownscale.tune"], "train", fake)
    return seen


def tuned(**options):
    return xdownscale.tune(RAIN, 4, 3, **({"recipe": "small", "progress": False} | options))


def test_the_best_that_was_tried_comes_back_in_the_recipe_that_was_given(trained, tmp_path):
    log = tmp_path / "log.journal"
    found = tuned(minutes=0.02, log=log)
    (trials, chosen), base = read_log(log)[STUDY], Recipe.named("small")
    scores = [each.score for each in trials]
    assert len(trials) > 5
    assert trials[0].values["schedule.rate"] == base.schedule.rate
    assert scores[0] == pytest.approx((1 + np.log(3) + abs(base.schedule.batch - 3)) / 2)
    assert min(scores) < scores[0]
    best = trials[scores.index(min(scores))].values
    assert chosen == best == {path: value_of(found, path) for path in best}
    assert found.schedule.steps == base.schedule.steps  # how long it trains is the user's to say
    assert found.schedule.seconds is None
    assert trained[0][0].schedule.seconds == pytest.approx(60 * 0.02 / 13)
    assert sum(each.seconds for each in trials) < 60 * 0.02 + 0.5
    assert not any(each.values["cells"] == 7 for each in trials)


def test_a_search_goes_on_where_it_stopped_within_its_budget(trained, tmp_path):
    log = tmp_path / "log.journal"
    tuned(minutes=0.01, log=log)
    first, runs = len(read_log(log)[STUDY][0]), len(trained)
    tuned(minutes=0.01, log=log)
    assert len(trained) <= runs + 1  # the budget was spent
    tuned(minutes=0.02, log=log)
    trials = read_log(log)[STUDY][0]
    assert len(trials) > first
    assert len({tuple(each.values.values()) for each in trials}) > 0.8 * len(trials)
    assert trained[-1][0].schedule.seconds == trained[0][0].schedule.seconds
    for other in ({"seed": 1}, {"recipe": "standard"}, {"validation": 0.3}):
        with pytest.raises(ResumeError, match=next(iter(other))):
            tuned(minutes=0.02, log=log, **other)


def test_the_scale_adaptive_framework_is_tuned_as_its_paper_says(monkeypatch, tmp_path):
    seen = []

    def fake(field, spatial, temporal, *, recipe, method, **options):
        seen.append(recipe.adaptive)
        time.sleep(0.01)
        errors = {1: 1.0, 2: 0.7, 3: 0.5, 4: 0.499}
        beta = recipe.adaptive.beta
        made = model()
        made.provenance = Provenance(
            scores={
                "rmse": errors.get(recipe.adaptive.length, 0.498),
                "rmse_bicubic": 2.0,
                "crps": 1.0,
                "crps_bicubic": 1.0,
                "pit_deviation": abs(np.log(beta / 0.05)) + recipe.adaptive.threshold,
            }
        )
        return made

    monkeypatch.setattr(sys.modules["xdownscale.tune"], "train", fake)
    log = tmp_path / "log.journal"
    base = Recipe.named("scale-adaptive")
    found = xdownscale.tune(RAIN, 10, 3, minutes=0.05, recipe=base, log=log, progress=False)
    lengths = [each for each in seen if not each.residual]
    assert [each.length for each in lengths] == [1, 2, 3, 4, 5]
    assert found.adaptive.length == 3
    rest = seen[len(lengths) :]
    assert {each.length for each in rest} == {3}
    assert (rest[0].beta, rest[0].power, rest[0].threshold) == (2e-2, 1.0, 2e-2)  # the published preset
    assert all(each.steps <= 50 for each in rest)
    assert found.adaptive.steps is base.adaptive.steps is None
    trials, chosen = read_log(log)[STUDY]
    assert min(each.score for each in trials) < trials[0].score
    assert chosen["adaptive.beta"] == found.adaptive.beta
    assert read_log(log)["length"][1] == {"adaptive.length": 3}
    runs = len(seen)
    again = xdownscale.tune(RAIN, 10, 3, minutes=0.05, recipe=base, log=log, progress=False)
    assert all(each.residual for each in seen[runs:])  # the length is not looked for again
    assert again.adaptive.length == 3
    panels = [panel.get_xlabel() for panel in xdownscale.plot.tuning(log).axes]
    assert panels == ["adaptive.length", "adaptive.beta", "adaptive.power", "adaptive.threshold"]


def test_arguments_are_passed_on(trained):
    xdownscale.tune(RAIN, 4, 3, minutes=1e-9, recipe="small", static={}, styles=["one"], progress=False)
    ((_, options),) = trained
    assert (options["static"], options["styles"], options["validation"]) == ({}, ["one"], 0.1)


KILLED = """
import sys, time, xdownscale
import xdownscale.tune
from tests.small_models import model
from xdownscale.models.document import Provenance

def slow(field, spatial, temporal, *, recipe, **options):
    time.sleep(0.3)
    made = model()
    made.provenance = Provenance(scores={"crps": recipe.schedule.rate, "crps_bicubic": 1.0})
    return made

sys.modules["xdownscale.tune"].train = slow
rain = xdownscale.tutorial.rain((12, 32, 32))
xdownscale.tune(rain, 4, 3, minutes=1.0, recipe="small", log=sys.argv[1], progress=False)
"""


def test_a_killed_search_goes_on(tmp_path, trained):
    log = tmp_path / "log.journal"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(log)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])},
    )
    deadline = time.monotonic() + 300
    while not log.exists() or log.read_bytes().count(b'"state":1') < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    with log.open("ab") as file:
        file.write(b'{"op_code": 4, "trial')  # a line that was being written
    before = read_log(log)[STUDY][0]
    assert len(before) >= 2
    tuned(minutes=0.08, log=log)
    after, chosen = read_log(log)[STUDY]
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert chosen
    assert CHOSEN == "chosen"


def test_the_elbow():
    assert elbow({1: 1.0}) == 1
    assert elbow({1: 1.0, 2: 0.5, 3: 0.498, 4: 0.497}) == 2
    assert elbow({1: 1.0, 2: 1.0, 3: 0.8}) == 3  # a plateau before a fall is no elbow
    assert elbow({1: 1.0, 2: 1.1}) == 1


def test_a_picture_of_what_was_tried(trained, tmp_path):
    log = tmp_path / "log.journal"
    found = tuned(minutes=0.01, log=log)
    figure = xdownscale.plot.tuning(log)
    panels = {panel.get_xlabel(): panel for panel in figure.axes}
    assert set(panels) == {"schedule.rate", "schedule.batch", "cells", "size.width"}
    points, first, chosen = panels["schedule.rate"].lines
    assert points.get_xdata()[0] == first.get_xdata()[0] == 3e-3
    assert chosen.get_xdata()[0] == found.schedule.rate
    assert chosen.get_ydata()[0] == min(points.get_ydata())


def test_what_cannot_be_tuned_says_so(tmp_path):
    with pytest.raises(ArgumentError, match="minutes=30"):
        tuned(minutes=0)
    with pytest.raises(ArgumentError, match=r"validation=0\.2"):
        tuned(minutes=1, validation=0.0)
    with pytest.raises(ArgumentError, match='method="generator"'):
        tuned(minutes=1, method="prior")
    with pytest.raises(ArgumentError):
        xdownscale.tune(RAIN, 0, 3, minutes=1)
    with pytest.raises(FileError, match="no file"):
        read_log(tmp_path / "none")
    (tmp_path / "other").write_text("no journal\n")
    with pytest.raises(FileError, match="not a log"):
        read_log(tmp_path / "other")
    (tmp_path / "empty").write_text("")
    with pytest.raises(EmptyFieldError, match="Wait"):
        xdownscale.plot.tuning(tmp_path / "empty")
