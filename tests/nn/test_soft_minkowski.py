"""Soft Minkowski functionals are exact ones averaged over thresholds, and have the gradients that they should."""

import numpy as np
import pytest
import torch

from xdownscale.kernels.minkowski import PERIMETERS, Measure, level_functionals, uniform_cells
from xdownscale.nn.soft_minkowski import soft_functionals

MEASURES = [Measure(p, c) for p in PERIMETERS for c in (4, 8)]


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).gamma(0.8, 1.0, shape))


def averaged(field, threshold, tau, measure, count=20_000):
    """The exact functionals, averaged over thresholds at the quantiles of the logistic distribution."""
    share = (np.arange(count) + 0.5) / count
    jittered = threshold + tau * np.log(share / (1 - share))
    return level_functionals(field.numpy(), jittered, measure).mean(0)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("tau", [0.05, 0.5])
def test_they_are_exact_ones_averaged_over_thresholds(measure, tau):
    field = noise(18, 23)
    for threshold in (0.2, 1.5):
        soft = soft_functionals(field, torch.tensor([threshold]), tau, measure)[0]
        np.testing.assert_allclose(soft, averaged(field, threshold, tau, measure), rtol=1e-3, atol=1e-3)


def test_products_in_the_place_of_minima_are_far_off():
    """Why the conjunction is the minimum: a frame that is wet at half of the thresholds is half a piece, not 33."""
    s = torch.full((20, 20), 0.5, dtype=torch.float64)
    pairs = (s[:, 1:] * s[:, :-1]).sum() + (s[1:] * s[:-1]).sum()
    products = s.sum() - pairs + (s[1:, 1:] * s[1:, :-1] * s[:-1, 1:] * s[:-1, :-1]).sum()
    found = soft_functionals(0 * s, torch.zeros(1), 1.0)[0, 2]
    np.testing.assert_allclose([float(found), float(products)], [0.5, 32.5625])


@pytest.mark.parametrize("measure", MEASURES)
def test_cold_ones_are_exact(measure):
    field = noise(3, 12, 14).round(decimals=1)
    thresholds = torch.tensor([0.25, 0.75, 1.55])
    soft = soft_functionals(field, thresholds, 1e-4, measure)
    np.testing.assert_allclose(soft, level_functionals(field.numpy(), thresholds.numpy(), measure), atol=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_gradients_are_those_of_finite_differences(measure):
    field = torch.from_numpy(np.random.default_rng(1).permutation(42) / 10).reshape(6, 7).requires_grad_()
    tau = torch.tensor([0.3, 0.7], dtype=torch.float64)
    thresholds = torch.tensor([1.0, 2.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: soft_functionals(v, thresholds, tau, measure), field, eps=1e-7)


def test_turning_and_mirroring_changes_nothing():
    field, thresholds = noise(9, 9), torch.tensor([0.5, 1.0])
    found = soft_functionals(field, thresholds, 0.2)
    for other in (field.T, field.flip(0), field.flip(1), field.rot90(1, (0, 1))):
        torch.testing.assert_close(soft_functionals(other, thresholds, 0.2), found)


def test_area_falls_with_the_threshold_and_length_keeps_the_isoperimetric_inequality():
    fields = noise(20, 10, 12)
    area, length, _ = soft_functionals(fields, torch.linspace(0.1, 4, 9), 0.1, Measure("edges")).unbind(-1)
    assert (area.diff(dim=-1) < 0).all()
    # P ≥ 4·A/√N with N all cells: 4·√A is concave, so the mean of the exact P may lie below 4·√(mean of A)
    assert (length >= 4 * area / 120**0.5).all()


def test_cells_of_another_size():
    field, thresholds = noise(8, 9), torch.tensor([0.5, 1.0])
    plain = soft_functionals(field, thresholds, 0.2)
    torch.testing.assert_close(
        soft_functionals(field, thresholds, 0.2, Measure("crofton", 4, uniform_cells(2, 2.0, 2.0))),
        plain * torch.tensor([4.0, 2.0, 1.0]),
    )


def test_sums_are_single_precision_under_autocast():
    field = noise(2, 64, 64).float()
    thresholds = torch.tensor([0.3])
    wanted = soft_functionals(field, thresholds, 0.2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = soft_functionals(field, thresholds, 0.2)
        low = soft_functionals(field.bfloat16(), thresholds, 0.2)
    assert found.dtype == low.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_thin_frames_have_no_squares():
    one = soft_functionals(torch.full((1, 5), 9.0), torch.tensor([1.0]), 0.01, Measure("edges"))
    torch.testing.assert_close(one, torch.tensor([[5.0, 12.0, 1.0]]))
