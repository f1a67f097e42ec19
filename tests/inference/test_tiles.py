"""The plan: every cell once, halos cut at the border, cores on a lattice from its corner."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xdownscale.inference.tiles import Tile, plan_tiles

small = st.integers(1, 9)


@given(st.tuples(small, small, small), st.tuples(small, small, small), st.tuples(*[st.integers(0, 3)] * 3))
def test_cores_cover_every_cell_once_within_their_windows(shape, core, halo):
    count = np.zeros(shape, int)
    for tile in plan_tiles(shape, core=core, halo=halo):
        count[tile.core] += 1
        for part, window, edge, size in zip(tile.core, tile.window, halo, shape, strict=True):
            assert window.start == max(0, part.start - edge)
            assert window.stop == min(size, part.stop + edge)
    assert (count == 1).all()


def test_a_longer_series_moves_no_core():
    def starts(frames):
        tiles = plan_tiles((frames, 1, 1), core=(4, 1, 1), halo=(0, 0, 0))
        return [t.core[0].start for t in tiles]

    assert starts(20)[: len(starts(16))] == starts(16)


def test_an_axis_is_cut_from_one_and_a_half_cores_on_at_multiples_of_the_core():
    def cuts(size, length=4):
        tiles = plan_tiles((1, size, 1), core=(9, length, 9), halo=(0, 1, 0))
        return [(tile.core[1].start, tile.core[1].stop) for tile in tiles]

    assert cuts(6) == [(0, 6)]
    assert cuts(7) == [(0, 4), (4, 7)]
    assert cuts(9) == [(0, 4), (4, 8), (8, 9)]
    assert cuts(7, length=5) == [(0, 7)]
    assert cuts(8, length=5) == [(0, 5), (5, 8)]


def test_tiles_are_in_the_order_of_time_then_rows_then_columns():
    tiles = plan_tiles((4, 4, 4), core=(2, 2, 2), halo=(1, 0, 9))
    assert [tuple(part.start for part in tile.core) for tile in tiles] == [
        (t, y, x) for t in (0, 2) for y in (0, 2) for x in (0, 2)
    ]
    assert tiles[0].window == (slice(0, 3), slice(0, 2), slice(0, 4))
    assert tiles[-1].window == (slice(1, 4), slice(2, 4), slice(0, 4))


def test_a_tile_counts_the_coarse_cells_of_its_window():
    """By which threads are chosen, wherever in the domain the tile lies."""
    core = (slice(4, 6), slice(10, 13), slice(7, 9))
    assert Tile(core, (slice(3, 7), slice(9, 14), slice(5, 11))).cells == 4 * 5 * 6
