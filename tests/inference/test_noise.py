"""Noise: standard normal, independent, and a function of where it is, not of what was asked for."""

from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
import torch

from xdownscale.inference.noise import _quantiles, _Source, noise_window
from xdownscale.nn.advected_noise import NoiseMaps

MAPS = [NoiseMaps(2, (1, 1), 1), NoiseMaps(1, (5, 4), 3), NoiseMaps(1, (2, 3), 1, (1, 2), (4, 4))]


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


PINNED = {
    # seed, member, first cell: the first values of every map
    (0, 0, (0, 0, 0)): [
        [0.231956, 0.653824, 0.769957, 0.723602],
        [1.19069, 1.524346, -1.229668, -3.068514],
        [1.026929, 0.781117, 0.366323, -1.414423],
    ],
    (7, 3, (441_100, -25, 19)): [
        [0.335084, 0.338809, 1.784998, 0.650938],
        [0.028327, 0.116134, -0.737537, 0.240097],
        [0.954212, -0.831681, 0.269613, -0.27819],
    ],
    (-1, 2**16, (-2, 5, -9)): [
        [0.554369, 1.772348, 0.667957, 0.6219],
        [0.441957, 2.265005, -0.946342, -0.021019],
        [-0.069113, -0.296087, -0.472489, -0.234707],
    ],
    (2**40 + 5, 1, (10**7, 2**20, 2**20)): [
        [1.014565, 0.457828, 1.651759, 1.664003],
        [-0.600554, -0.356402, -0.099207, 0.371318],
        [0.005948, -0.712416, 0.745796, -0.138924],
    ],
}


@pytest.mark.parametrize("case", PINNED, ids=str)
def test_the_stream_is_the_one_that_every_published_ensemble_was_drawn_from(case):
    seed, member, start = case
    drawn = draw(start, (2, 3, 4), member, seed)
    found = [each[0, -1, -1, -1, -4:].tolist() for each in drawn]
    assert found == [pytest.approx(each, abs=1e-6) for each in PINNED[case]]


def streams(members, seeds=(0,), frames=(0,), strips=(0,), rows=(0,), maps=MAPS):
    """What is drawn in one cell for every choice."""
    for seed, member, t, y, x in product(seeds, members, frames, rows, strips):
        for z in noise_window(maps, seed=seed, member=member, start=(t, y, 16 * x), shape=(1, 1, 16)):
            yield z[0, -1, 0, 0, -8:].tolist()


def test_no_two_members_seeds_or_maps_share_a_stream():
    """Members beyond 65,535 neither: the number of the map has bits of its own."""
    members = [0, 1, 2, 255, 256, 65_535, 65_536, 65_537, 2**32, 2**47]
    drawn = [tuple(values) for values in streams(members, seeds=(-1, 0, 1, 2**16, 2**32, 2**63))]
    assert len(set(drawn)) == len(drawn) == 10 * 6 * len(MAPS)


def test_no_two_places_share_a_stream():
    plain = [NoiseMaps(1, (1, 1), 1, (0, 0))]
    places = [-(2**33), -65_536, -17, -1, 0, 1, 16, 65_536, 2**33]
    drawn = [tuple(values) for values in streams([0], frames=places, strips=places, rows=places, maps=plain)]
    assert len(set(drawn)) == len(drawn) == len(places) ** 3


def test_members_maps_frames_strips_and_rows_are_independent():
    """Every pair among them, at the significance that so many pairs ask for."""
    maps = [NoiseMaps(2, (1, 1), 1, (0, 0)), NoiseMaps(2, (1, 1), 1, (0, 0))]
    drawn = []
    for member in (0, 1, 2**16):
        for z in noise_window(maps, seed=0, member=member, start=(-1, 0, -16), shape=(2, 400, 32)):
            values = z[0].numpy()  # (frames, maps, rows, columns)
            drawn += [values[t, m, :, 16 * s : 16 * s + 16] for t, m, s in product(range(2), repeat=3)]
    pairs = np.corrcoef([each.ravel() for each in drawn])[np.triu_indices(len(drawn), 1)]
    assert len(drawn) == 48
    assert np.abs(pairs).max() < 4.5 / np.sqrt(6400)
    assert np.std(pairs) == pytest.approx(1 / np.sqrt(6400), rel=0.1)
    shifted = [np.corrcoef(each[1:].ravel(), each[:-1].ravel())[0, 1] for each in drawn]
    assert np.abs(shifted).max() < 4.5 / np.sqrt(6384)


def test_the_table_has_every_quantile_once_with_unit_variance():
    values = _quantiles().astype(float)
    assert len(values) == 2**16
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(values, -values[::-1], rtol=0, atol=1e-6)
    assert np.square(values).mean() == pytest.approx(1, abs=1e-7)
    assert [NormalDist().inv_cdf((k + 0.5) / 2**16) for k in (0, 20_000, 65_535)] == pytest.approx(
        values[[0, 20_000, 65_535]].tolist(), abs=1e-4
    )
