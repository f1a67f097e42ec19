"""Noise: standard normal, independent, and a function of where it is, not of what was asked for."""

from statistics import NormalDist

import numpy as np
import pytest
import torch

from xdownscale.nn.carry import NoiseMaps
from xdownscale.sampling.noise import _Source, noise_window

MAPS = [NoiseMaps(2, (1, 1), 1), NoiseMaps(1, (5, 4), 3), NoiseMaps(1, (2, 3), 1, (1, 2), 4)]


def draw(start=(0, 0, 0), shape=(3, 20, 18), member=0, seed=0):
    return noise_window(MAPS, seed=seed, member=member, start=start, shape=shape)


@pytest.mark.parametrize("move", [(1, 3, 5), (-4, -17, -2), (2, 0, 31)])
def test_overlapping_windows_hold_the_same_values(move):
    whole = draw((-5, -20, -20), (12, 80, 80))
    part = draw((move[0], move[1], move[2]), (2, 10, 9))
    for m, a, b in zip(MAPS, whole, part, strict=True):
        t, y, x = ((move[i] - (-5, -20, -20)[i]) * s for i, s in enumerate((m.frames, *m.pixels)))
        size = b.shape
        assert torch.equal(a[:, t : t + size[1], :, y : y + size[3], x : x + size[4]], b)


def test_a_source_that_moves_on_gives_what_a_new_one_gives():
    source = _Source((7, 2**64 - 1))
    for words, count in [
        ((0, 5, 2**64 - 1, 3), 44),
        ((0, -1, 0, 0), 16),
        ((9, 0, 0, 1), 4),
        ((9, 0, 0, 1), 64),
    ]:
        counter = np.array([word % 2**64 for word in words], np.uint64)
        fresh = np.random.Philox(key=np.array([7, 2**64 - 1], np.uint64), counter=counter)
        assert np.array_equal(source.bits(words, count), fresh.random_raw(count // 4).view("<u2"))


def test_members_seeds_and_map_sets_differ():
    first = draw()[0]
    for other in (draw(member=1)[0], draw(seed=1)[0], draw(start=(0, 32, 0))[0]):
        correlation = np.corrcoef(first.numpy().ravel(), other.numpy().ravel())[0, 1]
        assert abs(correlation) < 0.08


def test_values_are_standard_normal_and_white():
    values = draw(shape=(4, 40, 40))[1].numpy()
    assert abs(values.mean()) < 0.01
    assert values.std() == pytest.approx(1, abs=0.01)
    assert np.mean(values**4) == pytest.approx(3, abs=0.1)
    assert abs((values[..., 1:] * values[..., :-1]).mean()) < 0.01
    assert abs((values[:, 1:] * values[:, :-1]).mean()) < 0.01


def test_the_law_is_normal_to_its_tails():
    values = np.sort(
        np.concatenate([draw(member=member, shape=(4, 64, 64))[1].numpy().ravel() for member in range(2)])
    )
    for q in (0.001, 0.1, 0.5, 0.841345, 0.99, 0.9999):
        found = values[int(q * len(values))]
        exact = NormalDist().inv_cdf(q)
        error = (q * (1 - q) / len(values)) ** 0.5 / NormalDist().pdf(exact)
        assert found == pytest.approx(exact, abs=4 * error)


def test_shapes_are_what_the_network_asks_for():
    assert [tuple(z.shape) for z in draw()] == [(1, 5, 2, 20, 18), (1, 11, 1, 100, 72), (1, 6, 1, 56, 78)]


def test_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    draw()
    assert np.array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.random.get_rng_state())
