"""What the benchmark of shapes says of curves whose errors and violations are known."""

import minkowski_emulators as emulators
import numpy as np
import pytest
import torch
from minkowski import table

from xdownscale.nn.emulator import EmulatorSettings
from xdownscale.training.emulator import exact_curves

SETTINGS = EmulatorSettings("baseline", (0.5, 1.0, 2.0), (0.2, 0.5, 0.8), side=16)


def frames(count=30):
    return np.random.default_rng(0).gamma(0.7, 1.0, (count, 16, 16)).astype(np.float32)


def test_exact_curves_break_nothing_and_crofton_does():
    curves = torch.from_numpy(exact_curves(frames(), SETTINGS))
    assert set(emulators.violations(curves).values()) == {0.0}
    single = np.zeros((4, 16, 16), np.float32)
    single[:, 5, 5] = 1.2  # a cell of its own: above two of three thresholds
    assert emulators.of_crofton(single, SETTINGS) == pytest.approx(200 / 3)
    wrong = curves.clone()
    wrong[:, 0, 0], wrong[..., 1] = 0.0, 0.0
    found = emulators.violations(wrong)
    assert found["area rises, %"] == pytest.approx(50.0)
    assert found["P < 4·√A, %"] == pytest.approx(200 / 3)


def test_agreement_of_exact_and_of_mean_curves():
    curves = torch.from_numpy(exact_curves(frames(), SETTINGS))
    blocks = np.arange(30) // 5
    same = emulators.agreement(curves, curves, SETTINGS, blocks)
    assert same["R² area"] == "1.000 … 1.000"
    assert same["distance"] == "0.000 (0.000 … 0.000)"
    mean = torch.log1p(torch.expm1(curves).mean(0, keepdim=True)).expand_as(curves)
    assert emulators.agreement(mean, curves, SETTINGS, blocks)["R² perimeter"] in (
        "0.000 … 0.000",
        "-0.000 … -0.000",
    )


def test_intervals_hold_the_mean_and_shrink_with_frames():
    values, blocks = np.random.default_rng(1).normal(size=400), np.arange(400) // 2
    wide = emulators.with_interval(values[:40], blocks[:40])
    narrow = emulators.with_interval(values, blocks)

    def parts(text):
        mean, low, high = (
            float(part) for part in text.replace("(", "").replace(")", "").replace("…", "").split()
        )
        return mean, low, high

    for text in (wide, narrow):
        mean, low, high = parts(text)
        assert low < mean < high
    assert parts(narrow)[2] - parts(narrow)[1] < parts(wide)[2] - parts(wide)[1]


def test_rows_of_different_columns_make_one_table():
    lines = table({"a": {"x": 1.23456}, "b": {"y": "z"}}).splitlines()
    assert lines == ["| | x | y |", "|---|---|---|", "| a | 1.235 |  |", "| b |  | z |"]
