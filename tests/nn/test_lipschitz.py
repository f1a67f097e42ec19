"""Layers that cannot stretch: bounds hold for random weights, by Fourier transforms and by attack."""

import pytest
import torch
from torch.nn import functional

from xdownscale.nn.lipschitz import (
    Fold,
    GroupSort,
    LipschitzConvolution,
    LipschitzLinear,
    convolution_norm,
)


def random_kernel(*shape, seed=0):
    return torch.randn(*shape, generator=torch.manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (4, 8, 3, 3), (6, 6, 5, 5), (3, 9, 1, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_kernels_are_divided_by_about_their_norm(shape, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = LipschitzConvolution(shape[1], shape[0], shape[2])
        layer.weight.data += torch.randn(shape)
    for _ in range(60):
        layer(torch.zeros(1, shape[1], 4, 4))  # a step of power iteration each
    assert convolution_norm(layer.weight.detach(), 16) > 1.5
    # the probe is a frame of finite size and not the torus: it is stretched less than that, by a little
    assert 0.999 < layer.norm(14) < 1.2


def test_the_norm_by_fourier_transform_is_that_of_power_iteration():
    kernel = random_kernel(5, 3, 3, 3)
    x = random_kernel(1, 3, 12, 12, seed=1)
    for _ in range(300):
        y = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="circular"), kernel)
        back = functional.conv2d(
            functional.pad(y, (1, 1, 1, 1), mode="circular"), kernel.transpose(0, 1).flip(2, 3)
        )
        x = back / back.norm()
    assert convolution_norm(kernel, 12) == pytest.approx(float(back.norm()) ** 0.5, rel=1e-3)


def test_a_kernel_may_stretch_more_than_its_matrix_says():
    """Spectral normalisation bounds the kernel as a matrix: here 1, and the convolution stretches by 3."""
    kernel = torch.full((1, 1, 3, 3), 1 / 3, dtype=torch.float64)
    assert torch.linalg.matrix_norm(kernel.reshape(1, 9), ord=2) == pytest.approx(1.0)
    assert convolution_norm(kernel, 12) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LipschitzConvolution(4, 6), (2, 4, 8, 8)),
        (LipschitzLinear(9, 5), (2, 9)),
        (GroupSort(), (2, 6, 4, 4)),
        (Fold(), (2, 3, 4, 6)),
    ],
)
def test_differences_grow_by_no_more_than_the_norm(layer, shape):
    x, y = torch.randn(2, *shape, generator=torch.manual_seed(1))
    layer.eval()
    bound = layer.norm(8) if isinstance(layer, LipschitzConvolution) else 1.0
    with torch.no_grad():
        assert (layer(x) - layer(y)).norm() <= bound * (x - y).norm() * (1 + 1e-5)


def test_sorting_and_folding_keep_norms():
    x = torch.randn(2, 6, 4, 4, generator=torch.manual_seed(2))
    for layer in (GroupSort(), Fold()):
        torch.testing.assert_close(layer(x).norm(), x.norm())
