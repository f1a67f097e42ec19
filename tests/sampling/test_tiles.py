"""The plan: every cell once, halos cut at the border, cores on an absolute lattice."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xdownscale.sampling.tiles import plan_tiles

small = st.integers(1, 9)


@given(st.tuples(small, small, small), st.tuples(st.integers(-20, 20), small, small), st.tuples(small, small, small),
       st.tuples(*[st.integers(0, 3)] * 3))  # fmt: skip
def test_cores_cover_every_cell_once_within_their_windows(shape, origin, core, halo):
    count = np.zeros(shape, int)
    for tile in plan_tiles(shape, origin=origin, core=core, halo=halo):
        count[tile.core] += 1
        for part, window, edge, size in zip(tile.core, tile.window, halo, shape, strict=True):
            assert window.start == max(0, part.start - edge)
            assert window.stop == min(size, part.stop + edge)
    assert (count == 1).all()


def test_a_longer_series_moves_no_core():
    def starts(frames):
        tiles = plan_tiles((frames, 1, 1), origin=(5, 0, 0), core=(4, 1, 1), halo=(0, 0, 0))
        return [t.core[0].start for t in tiles]

    assert starts(20)[: len(starts(16))] == starts(16)
