"""Baselines as references of evaluate, by name and by function."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import xdownscale
from tests.small_models import model
from xdownscale import baselines, metrics
from xdownscale.errors import ArgumentError, ValueRangeError

TRUTH = xdownscale.tutorial.rain((30, 40, 40))
COARSE = TRUTH.sr.coarsen(4, 3)


@pytest.fixture(scope="module")
def ensemble():
    return COARSE.sr.downscale(model(), members=3)


@pytest.mark.parametrize("name", ["nearest", "bicubic", "linear", "conservative", "rainfarm"])
def test_a_name_is_the_function_of_block_means(ensemble, name):
    scores = ensemble.sr.evaluate(TRUTH, metrics=["crps_ensemble"], reference=name)
    own = {"members": 10} if name == "rainfarm" else {}
    field = getattr(baselines, name)(COARSE, 4, 3, **own)
    field = field if "member" in field.dims else field.expand_dims("member")
    base = metrics.crps_ensemble(TRUTH, field)
    np.testing.assert_allclose(scores.crps_ensemble_skill, 1 - scores.crps_ensemble / base, rtol=1e-6)
    assert "model" not in scores.dims


def test_functions_and_models_of_the_same_name(ensemble):
    by_function = ensemble.sr.evaluate(
        TRUTH, metrics=["mae"], reference=partial(baselines.bcsd, fine=TRUTH[:, :, ::-1])
    )
    assert np.isfinite(by_function.mae_skill)
    assert '"reference": "bcsd"' in by_function.attrs["evaluation"]
    own = {"net": ensemble, "bicubic": ensemble.mean("member") + 1}
    scores = xdownscale.evaluate(TRUTH, own, metrics=["mae"], reference="bicubic")
    assert list(scores.model.values) == ["net", "bicubic"]
    np.testing.assert_allclose(scores.mae_skill.sel(model="bicubic"), 0)
    renamed = ensemble.rename(member="number")
    scores = xdownscale.evaluate(
        TRUTH, renamed, metrics=["crps_ensemble"], member_dim="number", reference="rainfarm"
    )
    assert np.isfinite(scores.crps_ensemble_skill)


def test_factors_are_forgotten_where_the_grid_changes(ensemble):
    assert list(ensemble.attrs["xdownscale_factors"]) == [3, 4, 4]
    assert "xdownscale_factors" not in ensemble.sr.coarsen(2).attrs
    assert list(baselines.rainfarm(COARSE, 4, 3).attrs["xdownscale_factors"]) == [3, 4, 4]


def test_what_cannot_be_a_reference_says_what_to_do(ensemble):
    with pytest.raises(ValueRangeError, match=r"partial\(xdownscale.baselines.edsr, model=trained\)"):
        ensemble.sr.evaluate(TRUTH, reference="edsr")
    with pytest.raises(ValueRangeError, match=r"neither among the models \[\] nor one of the baselines"):
        ensemble.sr.evaluate(TRUTH, reference="kriging")
    with pytest.raises(ValueRangeError, match="forecasts say none"):
        ensemble.drop_attrs().assign_attrs(units="mm h-1").sr.evaluate(TRUTH, reference="rainfarm")


def test_networks_are_of_their_own_kind():
    with pytest.raises(ArgumentError, match='method="edsr"'):
        baselines.edsr(COARSE, 4, 3, model=model())
    fine = baselines.median(COARSE, 4, 3, model=model(stochastic=False))
    assert fine.dims == TRUTH.dims
    with pytest.raises(ArgumentError):
        baselines.median(COARSE, 8, 3, model=model(stochastic=False))
