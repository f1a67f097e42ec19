from __future__ import annotations

import numpy as np
import pytest
import torch

from xdownscale.models.generator import Covariate
from xdownscale.models.transform import LogRain, Standard
from xdownscale.training.data import TrainingData
from xdownscale.training.detail import LEAST, with_details
from xdownscale.training.patches import PatchSampler, Source


def detailed(values, transforms, predictors=()):
    data = TrainingData([], [], [], ("training",), tuple(transforms), tuple(predictors), (), ())
    windows = PatchSampler(
        [Source(values)], blocks=(1, 2, 2), cells=4, frames=2, targets=len(transforms), wet=None
    )
    return with_details(data, windows)


def test_what_no_block_mean_shows_is_left_as_a_whole():
    board = np.indices((2, 1, 8, 8)).sum(0) % 2 * 2.0 - 1  # the mean of every block is zero
    made = detailed((280 + 3 * board).astype(np.float32), [Standard(280.0, 30.0)])
    assert made.transforms[0].detail == pytest.approx(0.1, rel=1e-5)


def test_a_constant_leaves_nothing_and_rain_has_its_own_unit():
    values = np.ones((2, 2, 8, 8), np.float32)
    made = detailed(values, [Standard(1.0, 1.0), LogRain()])
    assert made.transforms[0].detail == LEAST
    assert made.transforms[1] == LogRain()


def test_a_predictor_counts_what_sets_coarse_cells_apart():
    coarse = np.zeros((4, 4))
    coarse[1, 1] = 9.0  # apart from the nine around it by 8, each of these by −1 or more
    values = np.kron(coarse, np.ones((2, 2)))[None, None].repeat(2, 0).astype(np.float32)
    made = detailed(np.concatenate([values * 0 + 1, values], 1), [LogRain()], [Covariate("psl", 0.0, 10.0)])
    apart = np.full((4, 4), 0.0)
    padded = np.pad(coarse, 1, mode="edge")
    for y in range(4):
        for x in range(4):
            apart[y, x] = coarse[y, x] - padded[y : y + 3, x : x + 3].mean()
    assert made.predictors[0].detail == pytest.approx(np.sqrt((apart**2).mean()) / 10, rel=1e-5)


def test_a_field_is_shown_as_its_value_and_what_sets_it_apart_from_its_neighbours():
    plane = torch.arange(5.0)[:, None] * 2 + torch.arange(6.0)
    shown = Standard(1.0, 2.0, detail=0.5).features(plane[None, None])
    torch.testing.assert_close(shown[0, 0, 0], (plane - 1) / 2)
    torch.testing.assert_close(shown[0, 0, 1, 1:-1, 1:-1], torch.zeros(3, 4))
    raised = plane.clone()
    raised[2, 3] += 9.0
    apart = Standard(1.0, 2.0, detail=0.5).features(raised[None, None])[0, 0, 1]
    assert float(apart[2, 3]) == pytest.approx(8 / 2 / 0.5)
    assert float(apart[1, 2]) == pytest.approx(-1 / 2 / 0.5)
