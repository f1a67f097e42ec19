"""Held-out scores: those of the truth, of bicubic itself, and advice whose calls work."""

import numpy as np
import pytest

import xdownscale
from tests.small_models import model
from tests.support import rain
from xdownscale import heldout
from xdownscale.training.patches import PatchSampler, Source

MODEL = model(stochastic=False)


@pytest.fixture(scope="module")
def windows():
    values = rain((24, 32, 32)).values.astype(np.float32)
    return PatchSampler([Source(values[:, None])], blocks=(3, 4, 4), cells=4, frames=2)


def scored(windows, monkeypatch, drawn):
    """Scores of a method that draws what a function of coarse and fine windows gives."""
    fine = iter(heldout._some(windows).fine)
    monkeypatch.setattr(heldout, "sample", lambda job, coarse, static: drawn(coarse, next(fine)))
    return heldout.scores_of(MODEL, windows, windows)


def test_the_truth_has_no_error(windows, monkeypatch):
    scores = scored(windows, monkeypatch, lambda _, fine: np.stack([fine, fine]))
    assert [scores[name] for name in ("crps", "rmse", "lsd")] == [0, 0, 0]
    assert "spread_skill" not in scores
    assert heldout.lost(scores) is None


def test_bicubic_is_no_better_than_itself(windows, monkeypatch):
    bicubic = heldout.interpolate_array
    scores = scored(windows, monkeypatch, lambda coarse, _: bicubic(coarse[:, 0], (3, 4, 4))[None, :, None])
    for name in heldout.TITLES:
        assert scores[name] == pytest.approx(scores[f"{name}_bicubic"])
    assert "CRPS" in heldout.lost(scores)


def test_scores_are_those_of_the_metrics_with_the_weights_of_windows(windows, monkeypatch):
    batch = heldout._some(windows)
    scores = scored(windows, monkeypatch, lambda _, fine: fine[None] + 1)
    assert scores["crps"] == pytest.approx(1, rel=1e-5)
    errors = [
        np.square(
            fine - heldout.interpolate_array(heldout.block_means(fine, None, (3, 4, 4)), (3, 4, 4))
        ).mean()
        for fine in batch.fine[:, :, 0]
    ]
    assert scores["rmse_bicubic"] == pytest.approx(np.average(errors, weights=batch.weights) ** 0.5, rel=1e-5)


def test_windows_are_few_and_each_once(windows):
    batch = heldout._some(windows)
    assert len(batch.fine) <= heldout.WINDOWS
    assert len({fine.tobytes() for fine in batch.fine}) == len(batch.fine)


def test_the_real_way_is_reproducible_and_knows_every_style(windows):
    styled = model(styles=("one", "other"))
    first, second = (heldout.scores_of(styled, windows, windows, seed=3) for _ in range(2))
    assert first == second
    assert {"lsd_training", "lsd_style_one", "lsd_style_other", "spread_skill"} <= first.keys()
    assert styled.style is None


def test_another_style_that_is_nearer_is_named_and_may_be_taken():
    styled = model(styles=("one", "other"))
    scores = {"lsd": 6.0, "lsd_style_one": 5.5, "lsd_style_other": 4.0, "lsd_training": 1.0}
    said = heldout.textures(scores, styled)
    assert "model.with_style('other')" in said
    assert styled.with_style("other").style == "other"
    coarse = rain((6, 8, 8), step=15, spacing=4000.0)
    assert coarse.sr.downscale(styled, style="other").attrs["xdownscale_style"] == "other"
    assert "calibrate" in heldout.textures({**scores, "lsd_style_other": 5.4}, styled)
    assert xdownscale.calibrate(rain((12, 48, 48)), styled, steps=1, progress=False).style == "calibrated"
    assert heldout.textures({"lsd": 6.0, "lsd_training": 4.0}, styled) is None
