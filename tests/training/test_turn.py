"""Windows turned with their vectors: solid rotation stays what it is, and is the opposite one in a mirror."""

from itertools import product

import numpy as np
import pytest

from xdownscale.training import patches
from xdownscale.training.patches import PatchSampler, Source
from xdownscale.training.turn import Turn

TURNS = [Turn(*flags) for flags in product([False, True], repeat=3)]
DIRECTIONS = list(product([1, -1], repeat=2))
"""Whether labels along y and x increase or decrease."""


def rotation(y, x, rate=0.5):
    """Eastward and northward components of solid rotation about the origin, (2, y, x)."""
    return rate * np.stack(np.broadcast_arrays(-y[:, None], x[None, :])).astype(np.float32)


def vorticity(wind, y, x):
    """∂v/∂x − ∂u/∂y of windows (..., 2, y, x)."""
    east, north = wind[..., 0, :, :], wind[..., 1, :, :]
    return np.gradient(north, x, axis=-1) - np.gradient(east, y, axis=-2)


@pytest.mark.parametrize("turn", TURNS, ids=str)
@pytest.mark.parametrize(("up", "right"), DIRECTIONS)
def test_solid_rotation_is_the_same_after_a_rotation_and_the_opposite_after_a_mirror(turn, up, right):
    labels = np.arange(7.0) - 3
    wind = rotation(up * labels, right * labels)
    found = turn.of(wind, vectors=[(0, 1)], handed=up * right)
    mirrored = (turn.flip_y + turn.flip_x + turn.swap) % 2
    np.testing.assert_array_equal(found, -wind if mirrored else wind)


@pytest.mark.parametrize("turn", TURNS, ids=str)
@pytest.mark.parametrize(("up", "right"), DIRECTIONS)
def test_a_pressure_gradient_turns_with_the_pressure(turn, up, right):
    """The gradient of the turned scalar is the turned gradient: an oracle for every symmetry, mirrors included."""
    random = np.random.default_rng(0)
    labels = np.arange(6.0)
    pressure = random.normal(size=(6, 6)).astype(np.float32)

    def gradient(values):
        return np.stack(
            [np.gradient(values, right * labels, axis=1), np.gradient(values, up * labels, axis=0)]
        )

    fields = np.stack([pressure, *gradient(pressure)[::-1]])  # northward before eastward
    found = turn.of(fields, vectors=[(2, 1)], handed=up * right)
    np.testing.assert_allclose(found[[2, 1]], gradient(found[0]), atol=1e-6)


def test_what_is_given_is_left_alone_and_scalars_have_no_sign():
    wind = rotation(np.arange(4.0), np.arange(4.0))
    before = wind.copy()
    for turn in TURNS:
        turn.of(wind, vectors=[(0, 1)])
        np.testing.assert_array_equal(wind, before)
    np.testing.assert_array_equal(Turn(flip_x=True).of(wind), wind[..., ::-1])


def windows(values, monkeypatch, blocks=(1, 2, 2), **options):
    """Many windows of a field (channels, y, x)."""
    monkeypatch.setattr(patches, "MASKED", 0.0)
    source = Source(np.stack([values] * 2), handed=options.pop("handed", 1))
    sampler = PatchSampler(
        [source], blocks=blocks, cells=3, frames=2, wet=None, targets=len(values), **options
    )
    return np.concatenate([sampler.batch(step, 8).fine for step in range(30)])


@pytest.mark.parametrize(("up", "right"), DIRECTIONS)
@pytest.mark.parametrize("blocks", [(1, 2, 2), (1, 2, 3)], ids=["square", "oblong"])
def test_windows_with_wind_are_never_mirror_images(up, right, blocks, monkeypatch):
    y, x = up * (np.arange(24.0) - 9), right * (np.arange(24.0) - 14)
    wind = rotation(y, x, rate=0.5)
    found = windows(wind, monkeypatch, blocks, vectors=[(0, 1)], handed=up * right)
    rows, columns = y[: 3 * blocks[1]], x[: 3 * blocks[2]]
    np.testing.assert_allclose(vorticity(found, rows, columns), 1.0, rtol=1e-5)


def test_windows_with_wind_are_turned_in_every_way(monkeypatch):
    """Four rotations of a square, two of an oblong: a uniform wind then blows from so many sides."""
    wind = np.stack([np.full((12, 12), 2.0, np.float32), np.full((12, 12), 1.0, np.float32)])
    for blocks, directions in (
        ((1, 2, 2), {(2, 1), (-1, 2), (-2, -1), (1, -2)}),
        ((1, 2, 3), {(2, 1), (-2, -1)}),
    ):
        found = windows(wind, monkeypatch, blocks, vectors=[(0, 1)])
        assert {tuple(each) for each in found[:, 0, :, 0, 0].astype(int)} == directions


def test_windows_with_a_lone_component_are_not_turned_at_all(monkeypatch):
    ramp = np.add.outer(100 * np.arange(12.0), np.arange(12.0)).astype(np.float32)
    found = windows(ramp[None], monkeypatch, vectors=None)
    np.testing.assert_array_equal(np.diff(found, axis=-1), 1)
    np.testing.assert_array_equal(np.diff(found, axis=-2), 100)
