"""Interpolation between cells: exact on linear fields, and the same bits at every cell."""

import pytest
import torch

from xdownscale.kernels.resize import interpolate_cells, interpolate_known, resize_axis


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


@pytest.fixture
def beside_gaps():
    source = torch.Generator().manual_seed(0)
    known = (torch.rand(2, 5, 6, generator=source) < 0.7).float()
    return torch.randn(2, 5, 6, generator=source), known


def test_where_all_is_known_the_weights_change_no_bit(beside_gaps):
    values, known = beside_gaps
    plain = interpolate_cells(values, (2, 3, 10))
    assert torch.equal(interpolate_known(values, torch.ones_like(known), (2, 3, 10)), plain)
    assert torch.equal(interpolate_known(values, None, (2, 3, 10)), plain)


def test_unknown_values_do_not_count_and_a_constant_is_kept(beside_gaps):
    values, known = beside_gaps
    blocks = (2, 3, 10)
    other = torch.where(known > 0, values, 1e6)
    assert torch.equal(interpolate_known(values, known, blocks), interpolate_known(other, known, blocks))
    constant = interpolate_known(torch.full_like(values, 3.0), known, blocks)
    near = interpolate_cells(known, blocks) > 0
    torch.testing.assert_close(constant[near], torch.full_like(constant[near], 3.0))
    assert not constant[~near].any()


def test_beside_a_straight_gap_it_is_as_if_the_field_ended_there(beside_gaps):
    values, known = beside_gaps
    known = torch.ones_like(known)
    known[..., 4:] = 0
    ended = interpolate_cells(values[..., :4], (2, 3, 10))
    torch.testing.assert_close(interpolate_known(values, known, (2, 3, 10))[..., :40], ended)
