"""Block means: exact sums, the share that must be valid, areas, and the same for any chunks."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdownscale.field import block_means as blocks_of
from xdownscale.field.block_means import block_means, match_means


def plain(values, weights, blocks, min_valid=1.0):
    """The definition, block by block."""
    t, i, j = blocks
    area = np.ones(values.shape[-2:]) if weights is None else np.broadcast_to(weights, values.shape[-2:])
    shape = tuple(size // n for size, n in zip(values.shape[-3:], blocks, strict=True))
    means = np.full((*values.shape[:-3], *shape), np.nan)
    for at in np.ndindex(*values.shape[:-3], *shape):
        k, m, n = at[-3:]
        cells = (slice(k * t, k * t + t), slice(m * i, m * i + i), slice(n * j, n * j + j))
        block, weight = values[at[:-3]][cells], np.broadcast_to(area[cells[1:]], (t, i, j))
        valid = ~np.isnan(block)
        share = weight[valid].sum() / weight.sum()
        if valid.any() and share >= min_valid - 1e-9:
            means[at] = (block[valid].astype(float) * weight[valid]).sum() / weight[valid].sum()
    return means


def case(seed, *, lead=(), holes=0.2, rows=True):
    random = np.random.default_rng(seed)
    values = random.normal(size=(*lead, 6, 8, 9)).astype(np.float32)
    values[random.random(values.shape) < holes] = np.nan
    weights = random.uniform(0.5, 2, (8, 1) if rows else (8, 9))
    return values, weights


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 9),
    blocks=st.sampled_from([(1, 1, 1), (3, 2, 3), (6, 8, 9), (2, 4, 1), (1, 1, 9)]),
    min_valid=st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]),
    lead=st.sampled_from([(), (2,)]),
    weighted=st.sampled_from([None, "rows", "cells"]),
    holes=st.sampled_from([0.0, 0.2]),
)
def test_means_follow_their_definition(seed, blocks, min_valid, lead, weighted, holes):
    values, weights = case(seed, lead=lead, holes=holes, rows=weighted == "rows")
    weights = weights if weighted else None
    found = block_means(values, weights, blocks, min_valid)
    assert found.dtype == values.dtype
    np.testing.assert_allclose(found, plain(values, weights, blocks, min_valid), rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 9),
    cuts=st.tuples(*(st.lists(st.integers(1, 5), min_size=1, max_size=5) for _ in range(3))),
    blocks=st.sampled_from([(3, 2, 3), (2, 4, 9), (1, 8, 1)]),
    weighted=st.sampled_from([None, "rows", "cells"]),
)
def test_chunks_of_any_size_give_the_same_means(seed, cuts, blocks, weighted):
    values, weights = case(seed, rows=weighted == "rows")
    weights = weights if weighted else None
    chunks = tuple(fitted(sizes, size) for sizes, size in zip(cuts, values.shape, strict=True))
    lazy = block_means(da.from_array(values, chunks), weights, blocks, 0.5)
    assert lazy.dtype == values.dtype
    np.testing.assert_allclose(lazy.compute(), block_means(values, weights, blocks, 0.5), rtol=1e-6)


def fitted(sizes, size):
    """Chunks of about these sizes that add up."""
    edges = [0, *(edge for edge in np.cumsum(sizes) if edge < size), size]
    return tuple(int(n) for n in np.diff(edges))


def test_a_share_that_is_a_sum_of_tenths_meets_its_limit_and_one_below_does_not():
    """Seven of ten cells are 0.7 of the block although binary sums say 0.7 less 1e-16, with areas as well."""
    values = np.ones((1, 1, 10))
    values[..., 7:] = np.nan
    for scale in (1.0, 0.1, 1 / 3):
        weights = np.full((1, 10), scale)
        assert block_means(values, weights, (1, 1, 10), 0.7)[0, 0, 0] == 1.0
        assert np.isfinite(block_means(values, weights, (1, 1, 10), 0.7 - 1e-8))
        assert np.isnan(block_means(values, weights, (1, 1, 10), 0.7 + 1e-8))


def test_nothing_valid_is_missing_whatever_the_limit():
    assert np.isnan(block_means(np.full((1, 2, 2), np.nan), None, (1, 2, 2), 0.0)).all()


@pytest.mark.parametrize("value", [0.1, 281.3, 1e-30])
def test_a_constant_is_its_own_mean(value):
    values = np.full((6, 8, 9), value)
    weights = np.linspace(0.3, 1.7, 8)[:, None]
    np.testing.assert_allclose(block_means(values, None, (3, 4, 3)), value, rtol=1e-15)
    np.testing.assert_allclose(block_means(values, weights, (3, 4, 3)), value, rtol=1e-15)
    values[0, 0, 0] = np.nan
    np.testing.assert_allclose(block_means(values, weights, (3, 4, 3), 0.5), value, rtol=1e-15)
    chunks = da.from_array(values, (2, 3, 5))
    np.testing.assert_allclose(block_means(chunks, weights, (3, 4, 3), 0.5).compute(), value, rtol=1e-15)


def test_sums_are_in_double_precision_and_integers_give_doubles():
    values = np.array([[[2**24, 1.0, 1.0, 1.0]]], np.float32)
    assert float(block_means(values, None, (1, 1, 4))[0, 0, 0]) == np.float32((2**24 + 3) / 4)
    assert block_means(np.array([[[1, 2]]], np.int16), None, (1, 1, 2)).tolist() == [[[1.5]]]


def test_slabs_change_no_bit(monkeypatch):
    values, weights = case(0, lead=(2,))
    whole = block_means(values, weights, (2, 2, 3), 0.5)
    monkeypatch.setattr(blocks_of, "_SLAB", 1)
    np.testing.assert_array_equal(block_means(values, weights, (2, 2, 3), 0.5), whole)
    monkeypatch.setattr(blocks_of, "_SLAB", 2 * 2 * 8 * 9)
    np.testing.assert_array_equal(block_means(values, weights, (2, 2, 3), 0.5), whole)


@pytest.mark.parametrize("ratio", [True, False])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("rows", [True, False])
def test_matched_means_are_the_wanted_ones_and_patterns_inside_blocks_stay(ratio, lazy, rows):
    random = np.random.default_rng(0)
    fine = random.uniform(0.5, 2, (2, 6, 8, 9))
    coarse = random.uniform(0.5, 2, (2, 4, 3))
    weights = random.uniform(0.5, 2, (8, 1) if rows else (8, 9))
    given = da.from_array(fine, (1, 3, 8, 5)) if lazy else fine.copy()
    target = da.from_array(coarse, 1) if lazy else coarse
    found = np.asarray(match_means(given, target, weights, (3, 2, 3), ratio=ratio))
    for member, before in zip(found, fine, strict=True):
        np.testing.assert_allclose(block_means(member, weights, (3, 2, 3)), coarse, rtol=1e-12)
        moved = member / before if ratio else member - before
        first = np.repeat(np.repeat(np.repeat(moved[::3, ::2, ::3], 3, 0), 2, 1), 3, 2)
        np.testing.assert_allclose(moved, first, rtol=1e-9)


def test_a_dry_block_stays_dry_and_a_missing_one_touches_no_other():
    fine = np.array([[[0.0, 0.0, 1.0, 3.0, np.nan, np.nan]]])
    found = match_means(fine.copy(), np.array([[[5.0, 4.0, 1.0]]]), np.ones((1, 1)), (1, 1, 2), ratio=True)
    np.testing.assert_array_equal(found, [[[0.0, 0.0, 2.0, 6.0, np.nan, np.nan]]])
