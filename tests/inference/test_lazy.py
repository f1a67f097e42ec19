"""Lazy tiles: the graph grows with tiles alone, source chunks are read once, and no task holds more than its window."""

from collections import Counter

import dask.array as da
import numpy as np
import pytest

from tests.prior_oracle import exact_prior
from tests.small_models import model
from xdownscale.inference import cores, lazy
from xdownscale.inference.cores import REGIONS, core_for, work_of
from xdownscale.inference.engine import Job, sample
from xdownscale.inference.lazy import sample_lazily

METHOD = model().method
CORE = (2, 8, 8)


def coarse(shape=(5, 17, 40)):
    return np.random.default_rng(0).gamma(0.4, 2.0, (shape[0], 1, *shape[1:])).astype(np.float32)


def own_tasks(fine):
    return len(fine.dask.layers[fine.name])


@pytest.mark.parametrize("chunks", [(1, 1, 17, 40), (5, 1, 3, 7), (5, 1, 17, 40)])
def test_chunks_of_the_source_change_no_bit_and_each_is_read_once(chunks):
    read = Counter()

    def block(values, block_id):
        read[block_id] += 1
        return values

    values = coarse()
    source = da.map_blocks(
        block, da.from_array(values, chunks), dtype=np.float32, meta=np.empty((0,) * 4, np.float32)
    )
    read.clear()
    job = Job(METHOD, (3, 1, 2), members=2, core=CORE)
    np.testing.assert_array_equal(sample_lazily(job, source), sample(job, values))
    assert set(read.values()) == {1}


def test_members_do_not_multiply_the_graph_until_they_fill_a_chunk(monkeypatch):
    source = da.from_array(coarse(), (2, 1, 17, 40))
    few, many = (sample_lazily(Job(METHOD, (0, 0, 0), members=n, core=CORE), source) for n in (1, 30))
    assert own_tasks(few) == own_tasks(many) == few.npartitions + 2  # the weights, and the static fields
    monkeypatch.setattr(lazy, "CHUNK_BYTES", 4 * 10 * 2 * 8 * 8 * 48)
    parted = sample_lazily(Job(METHOD, (0, 0, 0), members=30, core=CORE), source)
    assert parted.chunks[0] == (10, 10, 10)
    assert own_tasks(parted) == 3 * few.npartitions + 2


def test_three_members_are_the_first_of_thirty(monkeypatch):
    source = da.from_array(coarse((2, 5, 6)), (1, 1, 5, 3))
    three, thirty = (sample_lazily(Job(METHOD, (0, 0, 0), members=n), source).compute() for n in (3, 30))
    np.testing.assert_array_equal(three, thirty[:3])


def test_a_large_chunk_is_cut_up_before_tasks_take_it():
    cells, _ = METHOD.halo()
    side = 2 * (2 * cells + 8) + 40
    source = da.zeros((2, 1, side, side), chunks=-1, dtype=np.float32)
    fine = sample_lazily(Job(METHOD, (0, 0, 0), core=CORE), source)
    needed = [key for key in fine.dask.layers[fine.name].values() if len(key) == 4]
    largest = max(
        len(rows) * len(columns[0]) for each in needed for rows in [each[3][0]] for columns in [rows]
    )
    assert largest * 64 < side * side
    assert not fine.compute(scheduler="synchronous").any()


def test_a_long_series_is_drawn_in_many_parts_with_the_bits_of_the_whole(monkeypatch):
    """An early end of the work must not lose all of it."""
    shape = (365, 6, 6)
    assert core_for(shape, METHOD)[0] == 96  # parts of less than half a second are not worth it
    for module in (cores, lazy):
        monkeypatch.setattr(module, "PART", 2**10)
    core = core_for(shape, METHOD)
    least = work_of(core_for(shape, METHOD, lazy=False), shape, METHOD)
    assert core[0] <= 48
    assert work_of(core, shape, METHOD) <= 1.25 * least
    values = coarse(shape)
    whole = sample(Job(METHOD, (3, 1, 2), members=3, core=shape), values)
    parts = sample_lazily(Job(METHOD, (3, 1, 2), members=3, core=core), da.from_array(values, (73, 1, 6, 6)))
    assert parts.npartitions >= REGIONS
    np.testing.assert_array_equal(parts, whole)


def test_a_model_that_sees_the_whole_domain_is_cut_as_before():
    method = exact_prior().method
    one, other = (core_for((365, 8, 8), method, (3, 4, 4), lazy=lazily) for lazily in (True, False))
    assert one == other
