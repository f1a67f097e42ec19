"""The block-mean operator: against plain slices, and against its adjoint."""

import numpy as np
import pytest
import torch

from xdownscale.kernels.blocks import block_mean, block_mean_by_rows, block_repeat, block_scale, block_sum

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


def test_means_by_rows_are_the_means(arrays):
    fine, _ = arrays
    np.testing.assert_allclose(block_mean_by_rows(fine, BLOCKS), block_mean(fine, BLOCKS), rtol=1e-12)


def test_means_by_rows_have_the_same_bits_wherever_a_block_lies(arrays):
    fine = arrays[0].astype("float32") if isinstance(arrays[0], np.ndarray) else arrays[0].float()
    whole = block_mean_by_rows(fine, BLOCKS)
    np.testing.assert_array_equal(block_mean_by_rows(fine[..., 3:, 2:6, 5:], BLOCKS), whole[..., 1:, 1:3, 1:])


def test_scaling_is_a_product_with_the_repeated_factors(arrays):
    fine, coarse = arrays
    np.testing.assert_array_equal(block_scale(fine, coarse, BLOCKS), fine * block_repeat(coarse, BLOCKS))
