"""Windows that overlap: a partition of unity, exactness where answers agree, and no seams in what is sampled."""

import pytest
import torch

from xdownscale.diffusion.fuse import fused, regions
from xdownscale.diffusion.sample import named_sampler


@pytest.mark.parametrize(
    ("shape", "window", "overlap"),
    [
        ((11, 9, 7), (5, 4, 4), (2, 1, 1)),
        ((3, 4, 4), (5, 4, 4), (2, 1, 1)),
        ((6, 5, 4), (1, 4, 4), (0, 2, 0)),
    ],
)
def test_the_weights_of_all_windows_add_up_to_one(shape, window, overlap):
    blocks = (2, 3, 1)
    covered = regions(shape, window, overlap, blocks)
    total = torch.zeros([n * b for n, b in zip(shape, blocks, strict=True)])
    for each in covered:
        assert all(part.start % block == 0 for part, block in zip(each.where, blocks, strict=True))
        total[each.where] += each.weights
    torch.testing.assert_close(total, torch.ones_like(total))


def test_answers_that_agree_are_given_back():
    field = torch.randn(2, 11, 3, 9, 7)
    covered = regions((11, 9, 7), (5, 4, 4), (2, 1, 1))
    torch.testing.assert_close(fused(lambda region: region.of(field), covered), field)
    alone = regions((3, 4, 4), (5, 4, 4), (2, 1, 1))
    assert len(alone) == 1
    assert fused(lambda region: region.of(field[:, :3, :, :4, :4]), alone).shape == (2, 3, 3, 4, 4)


def exact(correlation, size):
    """The law of a stationary Markov sequence: covariance ρ^|i − j|."""
    steps = torch.arange(size, dtype=torch.float64)
    return correlation ** (steps[:, None] - steps[None]).abs()


def step_ratios(axis, *, shared, size=40, window=16, correlation=0.8):
    """Mean squares of steps, and variances, of a sampled sequence over those of the truth, by place.

    All is linear in the noise, so that unit noise in turn gives the law of samples in closed form.
    """
    law = exact(correlation, window)
    shape, cut, overlap = [1, 1, 1], [1, 1, 1], [0, 0, 0]
    shape[axis], cut[axis], overlap[axis] = size, window, shared
    covered = regions(shape, cut, overlap)
    place = (1, 3, 4)[axis]

    def answer(x_t, level):
        seen = level.alpha**2 * law + level.sigma**2 * torch.eye(window, dtype=torch.float64)
        gain = level.alpha * torch.linalg.solve(seen, law)
        return torch.movedim(torch.movedim(x_t, place, -1) @ gain, -1, place)

    def drawn(noise):
        return sampler(
            lambda x_t, level: fused(lambda region: answer(region.of(x_t), level), covered),
            lambda n: noise,
            steps=60,
        )

    sampler = named_sampler("heun")
    unit = torch.eye(size, dtype=torch.float64).reshape(size, shape[0], 1, *shape[1:])
    found = torch.movedim(drawn(unit), place, -1).reshape(size, size)
    covariance = found.T @ found
    steps = covariance.diag()[1:] + covariance.diag()[:-1] - 2 * covariance.diag(1)
    return steps / (2 * (1 - correlation)), covariance.diag()


@pytest.mark.parametrize("axis", [0, 2], ids=["time", "space"])
def test_border_ratios_in_time_and_space_are_within_five_percent_of_the_truth(axis):
    steps, variances = step_ratios(axis, shared=8)
    assert float((steps - 1).abs().max()) < 0.05
    assert float((variances - 1).abs().max()) < 0.05


@pytest.mark.parametrize(("correlation", "worst"), [(0.8, 1.175), (0.5, 1.034)])
def test_what_windows_of_five_frames_leave_is_known(correlation, worst):
    steps, _ = step_ratios(0, shared=3, window=5, correlation=correlation)
    assert float(steps.max()) == pytest.approx(worst, abs=0.01)


def test_windows_beside_each_other_have_seams():
    steps, _ = step_ratios(0, shared=0, size=32)
    assert float(steps.max()) > 1.5
