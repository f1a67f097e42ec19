"""Windows turned by any angle."""

from __future__ import annotations

import numpy as np
import pytest

from xdownscale.training.turning import room_for, turned


@pytest.mark.parametrize("angle", [0.3, 1.1, 2.5, 4.0, 6.0])
def test_a_plane_wave_is_turned_as_its_formula_says(angle):
    """cos(k·x) of a smooth wave, turned about the middle: cos(k·Rx)."""
    shape = (24, 31)
    rows, columns = room_for(angle, shape)
    k = np.array([0.15, -0.2])

    def wave(y, x):
        return np.cos(k[0] * y + k[1] * x)

    y, x = np.indices((rows, columns), dtype=float)
    field = wave(y - (rows - 1) / 2, x - (columns - 1) / 2)[None].astype(np.float32)
    y, x = np.indices(shape, dtype=float)
    y, x = y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2
    c, s = np.cos(angle), np.sin(angle)
    np.testing.assert_allclose(turned(field, angle, shape)[0], wave(c * y - s * x, s * y + c * x), atol=2e-3)


def test_right_angles_are_exact_and_four_of_them_are_none():
    field = np.random.default_rng(0).normal(size=(2, 18, 18)).astype(np.float32)
    inner = field[:, 3:-3, 3:-3]
    np.testing.assert_allclose(turned(field, np.pi / 2, (12, 12)), np.rot90(inner, -1, (1, 2)), atol=1e-5)
    np.testing.assert_allclose(turned(field, 2 * np.pi, (12, 12)), inner, atol=1e-5)


def test_a_missing_value_is_missing_around_its_place_and_dry_stays_dry():
    field = np.zeros((1, 40, 40), np.float32)
    field[0, 20:26, 20:26], field[0, 8, 8] = 2.0, np.nan
    result = turned(field, 0.7, (20, 20), least=0.1)
    finite = result[np.isfinite(result)]
    assert ((finite == 0) | (finite >= 0.1)).all()
    assert np.isfinite(result).any()
    missing = turned(np.where(np.arange(40) < 20, np.float32(np.nan), field), np.pi / 2, (20, 20))
    assert 0.4 < np.isnan(missing).mean() < 0.75


def test_axes_differ_from_diagonals_no_more_once_turned():
    """Stripes along x, turned at random, have on average as much change along y as along x."""
    field = np.tile(np.sin(np.arange(64) / 2)[:, None], (1, 64))[None].astype(np.float32)
    ratio = []
    for angle in np.random.default_rng(0).uniform(0, 2 * np.pi, 60):
        made = turned(field, angle, (24, 24))
        ratio.append([np.square(np.diff(made, axis=axis)).mean() for axis in (1, 2)])
    along = np.mean(ratio, 0)
    assert 0.8 < along[0] / along[1] < 1.25
