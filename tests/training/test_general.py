"""Training for many factors at many scales."""

from __future__ import annotations

import numpy as np
import pytest

import xdownscale
from tests.nn.test_multiscale import SMALL
from xdownscale.errors import ArgumentError, EmptyFieldError
from xdownscale.field.factors import FactorChoice, FactorRange
from xdownscale.models.recipe import Recipe
from xdownscale.models.schedule import Schedule

TINY = Recipe(
    cells=4, frames=2, size=SMALL, schedule=Schedule(steps=2, batch=1, warmup=1, check=1, validation=2)
)


@pytest.fixture(scope="module")
def field():
    return xdownscale.tutorial.rain((36, 64, 64))


@pytest.fixture(scope="module")
def model(field):
    return xdownscale.train(field, range(1, 5), [1, 3], recipe=TINY, progress=False)


def test_a_range_and_a_list_of_factors_make_one_model_for_all(model, field, tmp_path):
    assert model.factors == FactorRange((1, 4), (1, 3))
    settings = model.method.settings
    assert settings.coarsest.km == pytest.approx(8 * settings.finest.km)
    assert settings.coarsest.minutes == pytest.approx(12 * settings.finest.minutes)
    again = xdownscale.load(model.save(tmp_path / "many.safetensors"))
    coarse = field.sr.coarsen(4, 3)
    one, other = (coarse.sr.downscale(each, spatial=4, temporal=3) for each in (model, again))
    np.testing.assert_array_equal(one, other)
    assert set(model.provenance.scores) == {"crps", "spread_skill"}


def test_it_goes_on_from_itself_and_from_a_pair(model, field):
    same = xdownscale.train(field, [2, 3], 1, model=model, recipe=TINY, steps=1, progress=False)
    assert same.factors == FactorRange((2, 3), (1, 1))
    pair = xdownscale.train(field, 10, 3, recipe=TINY, steps=1, progress=False)
    assert isinstance(
        xdownscale.train(field, [10], [1, 3], model=pair, recipe=TINY, steps=1, progress=False).factors,
        FactorRange,
    )
    median = xdownscale.train(field, 10, 3, recipe=TINY, steps=1, method="median", progress=False)
    with pytest.raises(ArgumentError):
        xdownscale.train(field, [10], [1, 3], model=median, recipe=TINY, progress=False)


def test_what_it_cannot_learn_is_refused_with_the_reason(field):
    with pytest.raises(ArgumentError, match=r"not method='residual'"):
        xdownscale.train(field, [2, 3], method="residual", recipe=TINY, progress=False)
    with pytest.raises(ArgumentError, match="coordinates of the fields do not"):
        xdownscale.train(field.drop_vars(["y", "x"]), [2, 3], recipe=TINY, progress=False)
    with pytest.raises(ArgumentError, match="one variable on its own"):
        xdownscale.train(
            field, [2, 3], recipe=TINY, static={"height": field[0].drop_vars("time")}, progress=False
        )
    with pytest.raises(EmptyFieldError):
        xdownscale.train(field * 0, [2, 3], recipe=TINY, progress=False)


@pytest.mark.parametrize(
    ("spatial", "temporal", "match"),
    [
        ([], 1, "no factor above 1"),
        (range(1, 2), [1], "no factor above 1"),
        ((2, 3), [1, 2], "one pair"),
        ([2.5], 1, "whole"),
    ],
)
def test_choices_are_checked(spatial, temporal, match):
    with pytest.raises(ArgumentError, match=match):
        FactorChoice.parse(spatial, temporal)


def test_a_single_pair_is_no_choice():
    assert FactorChoice.parse((3, 4), 2) is None
    assert FactorChoice.parse([4, 2, 4], 1).largest.blocks == (1, 4, 4)
