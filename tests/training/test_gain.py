"""The noise gain: fitted where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.small_models import model
from tests.support import rain
from xdownscale.training.gain import MEMBERS, fit_gain, gain_score, with_gain
from xdownscale.training.patches import Batch, PatchSampler, Source
from xdownscale.training.window import draw

METHOD = model(styles=("one", "other")).with_style("one").method


def windows(truth_gain, count=6):
    """Windows whose truth is a member of the method at a gain."""
    sampler = PatchSampler(
        [Source(np.asarray(rain((18, 64, 64)).values, np.float32)[:, None])],
        blocks=(3, 4, 4),
        cells=8,
        frames=3,
    )
    given = sampler.spread(count)
    made = []
    for number in range(count):
        part = given.part(slice(number, number + 1))
        source = torch.Generator().manual_seed(900 + number)
        with torch.no_grad():
            drawn = draw(with_gain(METHOD, truth_gain), part, members=1, passes=8, source=source)
        made.append(drawn.members[0].float().numpy())
    return Batch(np.concatenate(made), None, np.ones(count, np.float32), given.styles, given.blocks)


@pytest.mark.parametrize(("truth", "low", "high"), [(0.7, 0.55, 0.9), (1.0, 0.85, 1.2), (1.5, 1.15, 1.8)])
def test_the_gain_of_the_truth_is_found(truth, low, high):
    gain, before, after = fit_gain(METHOD, windows(truth))
    assert low < gain < high
    assert after <= before


def test_a_gain_of_one_changes_no_bit_and_another_one_the_style_alone_that_has_it():
    judged = windows(1.0, 2)
    assert gain_score(with_gain(METHOD, 1.0), judged) == gain_score(METHOD, judged)
    louder = with_gain(METHOD, 2.0)
    assert gain_score(louder, judged) != gain_score(METHOD, judged)
    louder.settings = replace(louder.settings, default="other")
    assert louder.gain == 1.0
    assert MEMBERS > 1
