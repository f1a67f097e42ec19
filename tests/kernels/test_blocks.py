"""The block-mean operator: against plain slices, and against its adjoint."""

import numpy as np
import pytest
import torch

from xdownscale.kernels.blocks import block_mean, block_repeat, block_sum

BLOCKS = (3, 2, 5)


@pytest.fixture(params=["numpy", "torch"])
def arrays(request):
    random = np.random.default_rng(0)
    fine, coarse = random.normal(size=(2, 6, 8, 10)), random.normal(size=(2, 2, 4, 2))
    return (fine, coarse) if request.param == "numpy" else (torch.from_numpy(fine), torch.from_numpy(coarse))


def test_mean_is_the_mean_of_each_block(arrays):
    fine, _ = arrays
    assert float(block_mean(fine, BLOCKS)[1, 1, 3, 0]) == pytest.approx(float(fine[1, 3:6, 6:8, 0:5].mean()))


def test_repeat_is_the_adjoint_of_sum(arrays):
    fine, coarse = arrays
    left = float((block_sum(fine, BLOCKS) * coarse).sum())
    right = float((fine * block_repeat(coarse, BLOCKS)).sum())
    assert left == pytest.approx(right)


def test_mean_of_a_repeated_field_is_the_field(arrays):
    _, coarse = arrays
    np.testing.assert_allclose(block_mean(block_repeat(coarse, BLOCKS), BLOCKS), coarse)
