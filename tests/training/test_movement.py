"""The velocity is learned from how a field moves: the true one is best, and the gradient leads there."""

import pytest
import torch

from xdownscale.training.movement import movement_error

BLOCKS, SHAPE = (3, 10, 10), (4, 8, 8)
VELOCITY = (0.9, -0.6)
ONE = torch.ones(1)


def field(velocity):
    """Three showers that drift, `velocity` in coarse cells per coarse frame."""
    t, y, x = (torch.arange(s * b, dtype=torch.float32) for s, b in zip(SHAPE, BLOCKS, strict=True))
    total = torch.zeros(1, len(t), len(y), len(x))
    for row, column in ((25.0, 60.0), (40.0, 35.0), (15.0, 30.0)):
        at_y = row + velocity[0] * 10 / 3 * t
        at_x = column + velocity[1] * 10 / 3 * t
        off = (y[:, None] - at_y[:, None, None]) ** 2 + (x - at_x[:, None, None]) ** 2
        total = total + torch.exp(-off / (2 * 5.0**2))
    return total


def uniform(y, x):
    return torch.tensor([y, x]).reshape(1, 1, 2, 1, 1).expand(1, SHAPE[0], 2, *SHAPE[1:])


def error(y, x, truth):
    return float(movement_error(uniform(y, x), truth, blocks=BLOCKS, windows=ONE))


def test_the_true_velocity_leaves_next_to_nothing():
    truth = field(VELOCITY)
    still = error(0.0, 0.0, truth)
    assert error(*VELOCITY, truth) < 0.05 * still
    assert error(-VELOCITY[0], -VELOCITY[1], truth) > still
    assert error(VELOCITY[1], VELOCITY[0], truth) > 0.5 * still


def test_the_gradient_leads_to_it():
    truth = field(VELOCITY)
    velocity = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.Adam([velocity], lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        whole = velocity.reshape(1, 1, 2, 1, 1).expand(1, SHAPE[0], 2, *SHAPE[1:])
        movement_error(whole, truth, blocks=BLOCKS, windows=ONE).backward()
        optimiser.step()
    assert velocity.tolist() == pytest.approx(VELOCITY, abs=0.1)


def test_windows_count_by_their_weight():
    truth = torch.cat([field(VELOCITY), field((0.0, 0.0))])
    still = torch.zeros(2, SHAPE[0], 2, *SHAPE[1:])
    first = movement_error(still, truth, blocks=BLOCKS, windows=torch.tensor([2.0, 0.0]))
    second = movement_error(still, truth, blocks=BLOCKS, windows=torch.tensor([0.0, 2.0]))
    assert float(second) < 1e-6
    assert float(first) == pytest.approx(error(0.0, 0.0, truth[:1]), rel=1e-5)


def test_in_a_single_frame_nothing_moves():
    assert (
        float(
            movement_error(torch.ones(1, 1, 2, 4, 4), torch.rand(1, 1, 8, 8), blocks=(1, 2, 2), windows=ONE)
        )
        == 0
    )


def test_only_movements_between_known_cells_count():
    truth = field(VELOCITY)
    spoiled, known = truth.clone(), torch.ones_like(truth, dtype=torch.bool)
    spoiled[..., 30:50], known[..., 30:50] = 40.0, False
    errors = []
    for each in (truth, spoiled):
        velocity = uniform(*VELOCITY).clone().requires_grad_(True)
        error_beside = movement_error(velocity, each, blocks=BLOCKS, windows=ONE, known=known)
        error_beside.backward()
        errors.append((error_beside.detach(), velocity.grad))
    assert torch.equal(errors[0][0], errors[1][0])
    assert torch.equal(errors[0][1], errors[1][1])
    assert 0 < float(errors[0][0]) <= error(*VELOCITY, truth)
    assert error(*VELOCITY, spoiled) > 2 * error(*VELOCITY, truth)
    everything = movement_error(uniform(*VELOCITY), truth, blocks=BLOCKS, windows=ONE, known=known | True)
    assert float(everything) == error(*VELOCITY, truth)
