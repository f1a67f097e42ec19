"""Filled gaps: known values as they are, means of neighbours, a bounded reach, the same bits wherever a gap lies."""

import pytest
import torch

from xdownscale.kernels.gaps import fill_gaps


@pytest.fixture
def gappy():
    source = torch.Generator().manual_seed(0)
    values = torch.randn(2, 6, 24, 24, generator=source)
    coast = torch.nn.functional.avg_pool2d(torch.randn(2, 6, 28, 28, generator=source), 5, 1) < 0.05
    return values.masked_fill(coast, torch.nan)


def test_known_values_stay_and_a_field_without_gaps_is_returned_as_it_is(gappy):
    known = ~gappy.isnan()
    assert 0.3 < float(known.float().mean()) < 0.7
    assert torch.equal(fill_gaps(gappy, reach=3)[known], gappy[known])
    whole = torch.ones(1, 2, 2)
    assert fill_gaps(whole, reach=3) is whole


def test_one_round_is_the_binomial_mean_of_the_known_neighbours(gappy):
    filled = fill_gaps(gappy, reach=1, beyond=-99.0)
    weights = {-1: 1.0, 0: 2.0, 1: 1.0}
    sizes = gappy.shape[1:]
    for place in gappy[0].isnan().nonzero()[::7].tolist():
        total = share = 0.0
        for t, a in weights.items():
            for y, b in weights.items():
                for x, c in weights.items():
                    at = [p + step for p, step in zip(place, (t, y, x), strict=True)]
                    if all(0 <= i < size for i, size in zip(at, sizes, strict=True)):
                        value = float(gappy[0][tuple(at)])
                        if value == value:
                            total, share = total + a * b * c * value, share + a * b * c
        expected = total / share if share else -99.0
        assert float(filled[0][tuple(place)]) == pytest.approx(expected, abs=1e-6)


def test_a_constant_is_continued_as_far_as_the_reach_and_no_farther():
    values = torch.full((1, 9, 9), torch.nan)
    values[:, 4, 0] = 7.0
    filled = fill_gaps(values, reach=3, beyond=torch.tensor(2.0))
    distance = torch.maximum((torch.arange(9)[:, None] - 4).abs(), torch.arange(9))
    assert torch.equal(filled[0], torch.where(distance <= 3, 7.0, 2.0))
    assert torch.equal(fill_gaps(values * torch.nan, reach=3), torch.zeros(1, 9, 9))


def test_a_missing_frame_is_filled_from_those_before_and_after():
    values = torch.stack([torch.full((3, 3), float(n)) for n in (1, 9, 5)])
    values[1] = torch.nan
    assert torch.equal(fill_gaps(values, reach=1)[1], torch.full((3, 3), 3.0))


@pytest.mark.parametrize("reach", [1, 3])
def test_a_crop_with_its_reach_gives_the_bits_of_the_whole(gappy, reach):
    whole = fill_gaps(gappy[:1], reach=reach, beyond=1.0)[0]
    part = (slice(1, None), slice(5, 20), slice(2, 21))
    crop = fill_gaps(gappy[:1, *part], reach=reach, beyond=1.0)[0]
    inner = (slice(reach, None), *(slice(reach, -reach),) * 2)
    assert torch.equal(crop[inner], whole[part][inner])
