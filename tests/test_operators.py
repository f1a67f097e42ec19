"""Operators against their adjoints, ⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩, and against what is known by hand."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.operators import BlockMean, Chain, EveryFrame, Known, Part, Points, Stack, Variables

SHAPE = (2, 6, 8, 4)


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def areas():
    return torch.linspace(0.5, 2.0, 8, dtype=torch.float64)[:, None].expand(8, 4)


def stations(count=7):
    where = torch.rand(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    edge = torch.tensor([[-0.5, 7.5, 3.2], [0.0, 0.0, 0.0], [5.0, 7.0, 3.0]], dtype=torch.float64)
    places = torch.cat([where * torch.tensor([5.0, 7.0, 3.0]), edge])
    return Points(SHAPE, places, torch.arange(count + 3) % 2)


def holes():
    return torch.rand(2, 2, 2, 2, generator=torch.Generator().manual_seed(5)) < 0.6


def composed():
    coarse = BlockMean(SHAPE, (3, 4, 2), areas())
    return Stack([Chain([coarse, Known(holes())]), stations(), Chain([EveryFrame(SHAPE, 4, 1)])])


EACH = {
    "blocks": lambda: BlockMean(SHAPE, (3, 4, 2)),
    "weighted": lambda: BlockMean(SHAPE, (2, 4, 4), areas()),
    "frames": lambda: EveryFrame(SHAPE, 3, 1),
    "variables": lambda: Variables(SHAPE, (1,)),
    "known": lambda: Known(torch.rand(*SHAPE, generator=torch.Generator().manual_seed(4)) < 0.5),
    "points": stations,
    "part": lambda: Part(SHAPE, (0, 1, 0), (5, 6, 4)),
    "composed": composed,
}


@pytest.mark.parametrize("name", EACH)
def test_adjoint(name):
    operator = EACH[name]()
    x, y = random(3, *operator.inside), random(3, *operator.outside, seed=1)
    seen, spread = operator(x), operator.adjoint(y)
    assert seen.shape == y.shape
    assert spread.shape == x.shape
    assert abs(float((seen * y).sum() - (x * spread).sum())) < 1e-10
    # linear, and every entry of a batch on its own
    torch.testing.assert_close(operator(2 * x[1] - x[0]), 2 * seen[1] - seen[0], rtol=1e-12, atol=1e-12)


def test_block_means_are_those_of_area_weights():
    operator = BlockMean(SHAPE, (2, 4, 4), areas())
    x = random(*SHAPE).numpy()
    weights = np.broadcast_to(areas().numpy(), (2, 8, 4))[:, :4]
    expected = np.average(x[1, 2:4, :4, :4], weights=weights)
    assert float(operator(torch.from_numpy(x))[1, 1, 0, 0]) == pytest.approx(expected, rel=1e-12)


def test_points_are_those_of_scipy():
    x = random(*SHAPE)
    axes = [np.arange(size) for size in SHAPE[1:]]
    points = stations()
    inside = points.places.numpy().clip(0, [5, 7, 3])
    for variable in (0, 1):
        wanted = RegularGridInterpolator(axes, x[variable].numpy())(inside)
        mine = points(x)[points.variables == variable]
        np.testing.assert_allclose(mine, wanted[(points.variables == variable).numpy()], atol=1e-12)


def test_points_of_a_domain_of_one_frame():
    points = Points((1, 1, 3, 3), torch.tensor([[0.0, 1.5, 0.25]]), torch.tensor([0]))
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert float(points(x)) == pytest.approx(1.5 * 3 + 0.25)


def test_every_third_frame():
    x = torch.arange(7.0)[None, :, None, None]
    assert EveryFrame((1, 7, 1, 1), 3, 1)(x).flatten().tolist() == [1.0, 4.0]


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: BlockMean(SHAPE, (4, 4, 2)), DimensionError, r"\[2, 0, 0\] are left over"),
        (lambda: BlockMean(SHAPE, (3, 4, 2), -areas()), ValueRangeError, "not be negative"),
        (lambda: BlockMean(SHAPE, (3, 4, 2), 0 * areas()), ValueRangeError, "a positive one"),
        (
            lambda: Points(SHAPE, torch.tensor([[0.0, 0.0, 0.0], [0.0, 8.0, 0.0]]), torch.zeros(2)),
            ValueRangeError,
            "1 of 2 points lie outside .* number 1, at",
        ),
        (
            lambda: Chain([BlockMean(SHAPE, (3, 4, 2)), Known(torch.ones(SHAPE, dtype=torch.bool))]),
            DimensionError,
            "BlockMean gives",
        ),
        (
            lambda: Stack([EveryFrame(SHAPE, 2), EveryFrame((1, 6, 8, 4), 2)]),
            DimensionError,
            "same fine grid",
        ),
    ],
)
def test_what_does_not_fit_is_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()
