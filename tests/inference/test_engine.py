"""Members that pass together are those that pass alone, to the bit: lazily each is a task of its own."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import torch
from scipy import ndimage

from tests.small_models import model, residual_model
from xdownscale import zoo
from xdownscale.inference import engine
from xdownscale.inference.cores import IN_MEMORY_BYTES, TILE_BYTES, core_for, tile_bytes
from xdownscale.inference.engine import Job, sample, token_of
from xdownscale.inference.lazy import sample_lazily
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.kernels.gaps import fill_gaps
from xdownscale.models.generator import FILLED


def sampled(job, coarse, static=None):
    """Members (members, time, y, x) of a field (time, y, x) of one target."""
    return sample(job, coarse[:, None], static)[:, :, 0]


METHODS = {
    "shipped": zoo.load("rain-10x3").method,
    "generator": model().method,
    "residual": residual_model().method,
}
BLOCKS = (3, 4, 4)
SHAPES = [(1, 1, 1), (1, 1, 4), (2, 7, 5), (1, 3, 3)]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_members_do_not_depend_on_those_that_pass_beside_them(name, shape, monkeypatch):
    coarse = np.random.default_rng(0).normal(1, 1, shape).clip(0).astype(np.float32)
    job = Job(METHODS[name], (0, 0, 0), members=5)
    together = sampled(job, coarse)
    np.testing.assert_array_equal(sampled(replace(job, members=2), coarse), together[:2])
    monkeypatch.setattr(engine, "TOGETHER", 0)
    np.testing.assert_array_equal(sampled(job, coarse), together)


def test_missing_cells_are_missing_in_every_member():
    coarse = np.ones((2, 3, 4), np.float32)
    coarse[1, 2, 0] = np.nan
    fine = sampled(Job(METHODS["generator"], (0, 0, 0), members=3), coarse)
    missing = np.zeros(fine.shape, bool)
    missing[:, 3:, 8:, :4] = True
    np.testing.assert_array_equal(np.isnan(fine), missing)


GAPPY = {
    "cells": (slice(None), slice(2, 4), slice(5, 7)),
    "a frame": (slice(1, 2), slice(None), slice(None)),
    "an edge": (slice(None), slice(None), slice(0, 3)),
    "one cell once": (slice(2, 3), slice(0, 1), slice(8, 9)),
}


@pytest.mark.parametrize("gap", GAPPY)
@pytest.mark.parametrize("warm", [False, True], ids=["rain", "temperature"])
def test_beside_gaps_known_cells_keep_their_means_and_no_other_is_missing(gap, warm):
    method = model(rain=not warm, units="K" if warm else "mm h-1").method
    coarse = np.random.default_rng(0).normal(285 if warm else 0.5, 1, (3, 7, 9)).astype(np.float32)
    coarse = coarse if warm else coarse.clip(0)
    coarse[GAPPY[gap]] = np.nan
    fine = sampled(Job(method, (0, 0, 0), members=2), coarse)
    for member in fine:
        np.testing.assert_array_equal(np.isnan(member), block_repeat(np.isnan(coarse), BLOCKS))
        means = block_mean(member.astype(float), BLOCKS)
        np.testing.assert_allclose(means, coarse, rtol=2e-6)
        assert warm or (member[block_repeat(coarse == 0, BLOCKS)] == 0).all()


def test_a_gap_that_is_further_off_than_the_halo_changes_nothing():
    method = METHODS["generator"]
    cells = method.halo()[0]
    coarse = np.random.default_rng(0).normal(0.5, 1, (1, 3, 2 * cells + 6)).clip(0).astype(np.float32)
    gappy = coarse.copy()
    gappy[:, 1, 0] = np.nan
    whole, part = (sampled(Job(method, (0, 0, 0)), each) for each in (coarse, gappy))
    far = (..., slice(4 * (cells + 1), None))
    np.testing.assert_allclose(part[far], whole[far], rtol=1e-5, atol=1e-6)
    near = (0, slice(None), slice(4, 8), slice(4, 8))
    assert np.abs(part[near] - whole[near]).max() > 1e-3


def test_a_field_that_is_missing_everywhere_gives_missing_values():
    coarse = np.full((2, 3, 4), np.nan, np.float32)
    assert np.isnan(sampled(Job(METHODS["generator"], (0, 0, 0), members=2), coarse)).all()


@pytest.mark.parametrize("core", [(1, 4, 5), (2, 5, 4), (50, 50, 50)])
@pytest.mark.parametrize("name", ["generator", "residual"])
def test_tiles_and_dask_give_what_one_piece_gives(core, name):
    coarse = np.random.default_rng(0).normal(0.5, 1, (3, 7, 9)).clip(0).astype(np.float32)
    coarse[1, 2:4, 3] = np.nan
    whole = sampled(Job(METHODS[name], (5, -3, 11), seed=4, members=2, core=(99, 99, 99)), coarse)
    job = Job(METHODS[name], (5, -3, 11), seed=4, members=2, core=core)
    np.testing.assert_allclose(sampled(job, coarse), whole, rtol=1e-4, atol=1e-5)
    lazy = sample_lazily(job, da.from_array(coarse[:, None], (1, 1, 7, 4)))[:, :, 0]
    assert (lazy.shape, lazy.dtype) == (whole.shape, whole.dtype)
    np.testing.assert_array_equal(lazy.compute(), sampled(job, coarse))


def test_static_fields_belong_to_their_cells_whatever_the_tiles():
    method = model(static=("height",)).method
    random = np.random.default_rng(0)
    coarse = random.normal(0.5, 1, (2, 7, 9)).clip(0).astype(np.float32)
    static = random.normal(size=(1, 28, 36)).astype(np.float32)
    whole = sampled(Job(method, (0, 0, 0), core=(99, 99, 99)), coarse, static)
    tiled = sampled(Job(method, (0, 0, 0), core=(99, 3, 4)), coarse, static)
    np.testing.assert_allclose(tiled, whole, rtol=1e-4, atol=1e-5)
    assert not np.allclose(sampled(Job(method, (0, 0, 0)), coarse, static[..., ::-1].copy()), whole)


def test_origin_seed_and_member_choose_the_noise():
    coarse = np.full((1, 3, 4), 1.0, np.float32)
    first = sampled(Job(METHODS["generator"], (0, 0, 0), members=2), coarse)
    assert not np.allclose(first[0], first[1])
    for other in (Job(METHODS["generator"], (1, 0, 0)), Job(METHODS["generator"], (0, 0, 1)),
                  Job(METHODS["generator"], (0, 1, 0)), Job(METHODS["generator"], (0, 0, 0), seed=1)):  # fmt: skip
        assert not np.allclose(sampled(other, coarse)[0], first[0])
    free = sampled(Job(METHODS["generator"], (0, 0, 0), conserve=False), coarse)
    assert np.abs(block_mean(free[0], BLOCKS) - 1).max() > 1e-3


def test_equal_jobs_have_equal_names_in_the_graph_and_others_do_not():
    job = Job(METHODS["generator"], (0, 0, 0))
    assert token_of(job) == token_of(replace(job, members=9))
    changed = [replace(job, seed=1), replace(job, origin=(0, 0, 1)), replace(job, conserve=False),
               replace(job, core=(1, 2, 3)), replace(job, method=METHODS["shipped"])]  # fmt: skip
    assert len({token_of(each) for each in [job, *changed]}) == 6


@pytest.mark.parametrize("name", METHODS)
def test_a_core_is_the_whole_of_a_small_domain_and_otherwise_fits_into_memory(name):
    method = METHODS[name]
    assert core_for((3, 7, 9), method) == (3, 7, 9)
    for lazy, most in ((True, TILE_BYTES), (False, IN_MEMORY_BYTES)):
        core = core_for((99, 500, 500), method, lazy=lazy)
        least = tile_bytes((1, 4, 4), (99, 500, 500), method)
        assert tile_bytes(core, (99, 500, 500), method) <= max(most, 2 * least)
        assert (2 * least <= TILE_BYTES) == (name != "residual")


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("masks", [True, False])
def test_tiles_change_no_bit_beside_gaps(name, masks, monkeypatch):
    """The window of a tile is as much wider as its fill looks farther."""
    method = METHODS[name]
    inner = getattr(method, "mean", method)
    monkeypatch.setattr(inner, "settings", replace(inner.settings, masks=masks))
    cells = method.halo()[0] + FILLED
    shape = (2, 8, 2 * cells + 14) if name != "residual" else (1, 5, 2 * cells + 14)
    random = np.random.default_rng(1)
    coarse = random.gamma(1.0, 2.0, shape).astype(np.float32)
    coarse[:, ndimage.gaussian_filter(random.normal(size=shape[1:]), 1.5) > 0.03] = np.nan
    job = Job(method, (0, 0, 0))
    whole = sampled(job, coarse)
    np.testing.assert_array_equal(sampled(replace(job, core=(2, 8, 5)), coarse), whole)
    np.testing.assert_array_equal(
        np.isnan(whole[0]), np.kron(np.isnan(coarse), np.ones(method.settings.blocks)) > 0
    )


def test_a_dry_tile_with_gaps_is_dry_and_missing_where_they_are():
    coarse = np.zeros((1, 4, 4), np.float32)
    coarse[:, :2] = np.nan
    fine = sampled(Job(METHODS["generator"], (0, 0, 0)), coarse)[0]
    assert np.isnan(fine[:, :8]).all()
    assert (fine[:, 8:] == 0).all()


def test_the_window_of_a_tile_with_gaps_is_wide_enough_to_fill_them_as_in_the_whole(monkeypatch):
    method, seen = METHODS["generator"], []
    prepare = method.prepare
    monkeypatch.setattr(
        method,
        "prepare",
        lambda coarse, *more, **options: (seen.append(coarse), prepare(coarse, *more, **options))[1],
    )
    random = np.random.default_rng(1)
    coarse = 1 + random.random((1, 6, 3 * method.halo()[0])).astype(np.float32)
    coarse[:, :, ::2] = np.nan
    coarse[:, :, -method.halo()[0] :] = 1.0
    coarse[random.random(coarse.shape) < 0.5] = np.nan
    job = Job(method, (0, 0, 0), core=(1, 6, 4))
    sampled(job, coarse)
    whole = fill_gaps(torch.from_numpy(coarse), reach=FILLED)
    for tile, window in zip(job.tiles(coarse.shape), seen, strict=True):
        wide, narrow = tile.widened(FILLED, coarse.shape).window[2], tile.window[2]
        assert window.shape[-1] == wide.stop - wide.start
        inside = fill_gaps(window[0, :, 0], reach=FILLED)[..., narrow.start - wide.start :]
        assert torch.equal(inside[..., : narrow.stop - narrow.start], whole[..., narrow])


def test_a_job_that_says_no_more_draws_one_conserved_member_of_the_first_seed():
    method = METHODS["generator"]
    said = Job(method, (0, 0, 0), seed=0, members=1, conserve=True, core=engine.CORE, device="cpu")
    assert Job(method, (0, 0, 0)) == said
