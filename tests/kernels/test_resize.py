"""Interpolation between cells: exact on linear fields, and the same bits at every cell."""

import pytest
import torch

from xdownscale.kernels.resize import interpolate_cells, resize_axis


@pytest.mark.parametrize(("before", "after"), [(1, 3), (1, 10), (2, 5), (5, 10), (4, 7)])
def test_linear_fields_stay_linear_inside(before, after):
    cells = 6
    centre = lambda n: (torch.arange(cells * n, dtype=torch.float64) + 0.5) / n  # noqa: E731
    fine = resize_axis(centre(before), before, after, dim=0)
    inside = slice(after, -after)
    torch.testing.assert_close(fine[inside], centre(after)[inside])


@pytest.mark.parametrize("after", [3, 5, 10])
def test_agrees_with_torch_resize(after):
    values = torch.randn(1, 1, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theirs = torch.nn.functional.interpolate(values, scale_factor=after, mode="linear", align_corners=False)
    torch.testing.assert_close(resize_axis(values, 1, after, dim=-1), theirs)


def test_a_crop_gives_the_bits_of_the_whole():
    values = torch.randn(3, 40, 40, generator=torch.Generator().manual_seed(0))
    whole = interpolate_cells(values, (3, 10, 10))
    crop = interpolate_cells(values[:, 7:20, 11:30], (3, 10, 10))
    assert torch.equal(crop[:, 10:-10, 10:-10], whole[:, 80:190, 120:290])


def test_nothing_to_do_returns_the_same_tensor():
    values = torch.zeros(4)
    assert resize_axis(values, 2, 2, dim=0) is values
