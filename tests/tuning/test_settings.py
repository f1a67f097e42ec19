from __future__ import annotations

import pytest

from xdownscale.errors import ArgumentError
from xdownscale.models.recipe import Recipe
from xdownscale.tuning.settings import SETTINGS, Setting, settings_for, value_of, with_values


def test_values_go_where_they_stand_and_nowhere_else():
    recipe = Recipe.named("standard")
    changed = with_values(recipe, {"schedule.rate": 0.01, "cells": 6})
    assert (changed.schedule.rate, changed.cells) == (0.01, 6)
    assert with_values(changed, {"schedule.rate": recipe.schedule.rate, "cells": recipe.cells}) == recipe


@pytest.mark.parametrize("method", [name for name in SETTINGS if name not in ("video", "scale-adaptive")])
@pytest.mark.parametrize("name", ["standard", "small", "edsr"])
def test_ranges_hold_what_is_started_from_on_their_grid(method, name):
    recipe = Recipe.named(name)
    for setting in settings_for(method, recipe):
        value = value_of(recipe, setting.path)
        assert setting.low <= value <= setting.high
        if setting.step:
            assert (value - setting.low) % setting.step == (setting.high - value) % setting.step == 0


def test_a_range_is_widened_for_a_value_beyond():
    setting = Setting("cells", 6, 12, step=3).around(with_values(Recipe.named("small"), {"cells": 20}))
    assert (setting.low, setting.high) == (8, 20)


def test_a_method_without_settings_says_which_have_some():
    with pytest.raises(ArgumentError, match="'generator'"):
        settings_for("prior", Recipe.named("small"))
