"""Chunks of one size: values as they were, nothing computed, and sizes that zarr stores accept."""

import dask.array
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support import raise_if_dask_computes
from xdownscale.field.chunks import even_chunks

sizes = st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple)


@given(st.tuples(sizes, sizes))
def test_every_chunk_but_the_last_has_one_size_and_none_grows(chunks):
    shape = tuple(map(sum, chunks))
    values = np.arange(np.prod(shape)).reshape(shape)
    lazy = dask.array.from_array(values, chunks)
    with raise_if_dask_computes():
        even = even_chunks(lazy)
    for before, after in zip(chunks, even.chunks, strict=True):
        assert {*after[:-1]} <= {after[0]}
        assert after[-1] <= after[0]
        assert max(after) <= max(before)
    np.testing.assert_array_equal(even.compute(), values)


def test_even_chunks_and_arrays_in_memory_are_left_alone():
    lazy = dask.array.zeros((7, 4), chunks=(3, 4))
    assert even_chunks(lazy) is lazy
    values = np.zeros(3)
    assert even_chunks(values) is values
