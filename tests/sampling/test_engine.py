"""Members that pass together are those that pass alone, to the bit: lazily each is a task of its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from tests.models import model, residual_model
from xdownscale import zoo
from xdownscale.kernels.gaps import fill_gaps
from xdownscale.model.generator import FILLED
from xdownscale.sampling import engine
from xdownscale.sampling.engine import Job, sample

METHODS = {
    "shipped": zoo.load("rain-10x3").method,
    "generator": model().method,
    "residual": residual_model().method,
}
SHAPES = [(1, 1, 1), (1, 1, 4), (2, 7, 5), (1, 3, 3)]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_members_do_not_depend_on_those_that_pass_beside_them(name, shape, monkeypatch):
    coarse = np.random.default_rng(0).normal(1, 1, shape).clip(0).astype(np.float32)
    job = Job(METHODS[name], (0, 0, 0), members=5)
    together = sample(job, coarse)
    np.testing.assert_array_equal(sample(replace(job, members=2), coarse), together[:2])
    monkeypatch.setattr(engine, "TOGETHER", 0)
    np.testing.assert_array_equal(sample(job, coarse), together)


def test_missing_cells_are_missing_in_every_member():
    coarse = np.ones((2, 3, 4), np.float32)
    coarse[1, 2, 0] = np.nan
    fine = sample(Job(METHODS["generator"], (0, 0, 0), members=3), coarse)
    missing = np.zeros(fine.shape, bool)
    missing[:, 3:, 8:, :4] = True
    np.testing.assert_array_equal(np.isnan(fine), missing)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("masks", [True, False])
def test_tiles_change_no_bit_beside_gaps(name, masks, monkeypatch):
    """The window of a tile is as much wider as its fill looks farther."""
    method = METHODS[name]
    inner = getattr(method, "mean", method)
    monkeypatch.setattr(inner, "settings", replace(inner.settings, masks=masks))
    cells = method.halo[0] + FILLED
    shape = (2, 8, 2 * cells + 14) if name != "residual" else (1, 5, 2 * cells + 14)
    random = np.random.default_rng(1)
    coarse = random.gamma(1.0, 2.0, shape).astype(np.float32)
    coarse[:, ndimage.gaussian_filter(random.normal(size=shape[1:]), 1.5) > 0.03] = np.nan
    job = Job(method, (0, 0, 0))
    whole = sample(job, coarse)
    np.testing.assert_array_equal(sample(replace(job, core=(2, 8, 5)), coarse), whole)
    np.testing.assert_array_equal(
        np.isnan(whole[0]), np.kron(np.isnan(coarse), np.ones(method.settings.blocks)) > 0
    )


def test_a_dry_tile_with_gaps_is_dry_and_missing_where_they_are():
    coarse = np.zeros((1, 4, 4), np.float32)
    coarse[:, :2] = np.nan
    fine = sample(Job(METHODS["generator"], (0, 0, 0)), coarse)[0]
    assert np.isnan(fine[:, :8]).all()
    assert (fine[:, 8:] == 0).all()


def test_the_window_of_a_tile_with_gaps_is_wide_enough_to_fill_them_as_in_the_whole(monkeypatch):
    method, seen = METHODS["generator"], []
    prepare = method.prepare
    monkeypatch.setattr(
        method, "prepare", lambda coarse, static: (seen.append(coarse), prepare(coarse, static))[1]
    )
    random = np.random.default_rng(1)
    coarse = 1 + random.random((1, 6, 3 * method.halo[0])).astype(np.float32)
    coarse[:, :, ::2] = np.nan
    coarse[:, :, -method.halo[0] :] = 1.0
    coarse[random.random(coarse.shape) < 0.5] = np.nan
    job = Job(method, (0, 0, 0), core=(1, 6, 4))
    sample(job, coarse)
    whole = fill_gaps(torch.from_numpy(coarse), reach=FILLED)
    for tile, window in zip(job.tiles(coarse.shape), seen, strict=True):
        wide, narrow = tile.widened(FILLED, coarse.shape).window[2], tile.window[2]
        assert window.shape[-1] == wide.stop - wide.start
        inside = fill_gaps(window[0], reach=FILLED)[..., narrow.start - wide.start :]
        assert torch.equal(inside[..., : narrow.stop - narrow.start], whole[..., narrow])
