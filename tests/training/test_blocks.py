"""Held-out steps: spread over the event, whole windows, no step on both sides, nothing across a gap."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdownscale.training.blocks import BLOCKS, hold_out
from xdownscale.training.patches import Source


def event(*lengths):
    """Pieces of an event whose values number its steps."""
    starts = np.cumsum([0, *lengths])
    return [
        Source(np.broadcast_to(np.arange(a, b, dtype=np.float32)[:, None, None, None], (b - a, 1, 2, 2)))
        for a, b in pairwise(starts)
    ]


def steps(sources):
    return [source.values[:, 0, 0, 0].astype(int).tolist() for source in sources]


def test_a_long_event_is_judged_by_blocks_all_over_it():
    training, held_out = (steps(part) for part in hold_out(event(400), 0.25, 12))
    assert [(block[0], block[-1]) for block in held_out] == [(75, 99), (175, 199), (275, 299), (375, 399)]
    assert [(part[0], part[-1]) for part in training] == [(0, 74), (100, 174), (200, 274), (300, 374)]


def test_a_short_one_by_its_end():
    training, held_out = (steps(part) for part in hold_out(event(30), 0.1, 6))
    assert (training, held_out) == ([list(range(24))], [list(range(24, 30))])


def test_too_short_to_hold_out_anything():
    assert hold_out(event(10), 0.1, 6)[1] == []


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.floats(0.01, 0.9), st.integers(1, 8))
def test_every_step_is_on_one_side_and_no_part_reaches_over_a_gap(lengths, share, window):
    pieces = event(*lengths)
    training, held_out = (steps(part) for part in hold_out(pieces, share, window))
    both = [step for part in (*training, *held_out) for step in part]
    assert sorted(both) == list(range(sum(lengths)))
    starts = set(np.cumsum([0, *lengths]).tolist())
    for part in (*training, *held_out):
        assert part == list(range(part[0], part[-1] + 1))
        assert not starts & set(part[1:])
    assert len(held_out) <= BLOCKS + len(lengths)
    if held_out:
        assert max(map(len, training)) >= window


@pytest.mark.parametrize("lengths", [(3, 40), (40, 3), (20, 2, 20)])
def test_a_block_lies_in_one_piece_where_it_fits(lengths):
    held_out = steps(hold_out(event(*lengths), 0.15, 5)[1])
    assert len(held_out) == 1
