"""A plan says what a call does: its tiles, passes and bytes are those of the result."""

import numpy as np
import pytest

from tests.small_models import model
from tests.support import rain
from xdownscale.errors import ArgumentError, DimensionError
from xdownscale.inference import engine
from xdownscale.inference.cores import TILE_BYTES, core_for, tile_bytes, work_of
from xdownscale.zoo import load

MODEL = model()


def test_bytes_and_passes_are_those_of_the_call(monkeypatch):
    field = rain((8, 6, 6), step=15, spacing=4000.0, dtype=np.float32)
    plan = field.sr.plan(MODEL, members=3, tile=(2, 4, 4))
    seen, tile = [], engine.sample_tile
    monkeypatch.setattr(engine, "sample_tile", lambda *a: (seen.append(len(a[-1])), tile(*a))[1])
    fine = field.sr.downscale(MODEL, members=3, tile=(2, 4, 4))
    assert (plan.read, plan.written) == (field.nbytes, fine.nbytes)
    assert plan.passes == sum(seen) == plan.tiles * 3
    assert plan.seconds > 0
    assert not plan.lazy
    assert "memory" in str(plan)
    twice = field.expand_dims(driver=2).sr.plan(MODEL, members=3, tile=(2, 4, 4))
    assert (twice.passes, twice.written) == (2 * plan.passes, 2 * plan.written)
    assert field.chunk().to_dataset().sr.plan(MODEL).lazy


def test_wrong_arguments_are_those_of_downscale():
    field = rain((8, 6, 6), step=15, spacing=4000.0)
    with pytest.raises(ArgumentError):
        field.sr.plan(MODEL, spatial=5)
    with pytest.raises(DimensionError, match="no field"):
        field.to_dataset().drop_vars("rain").sr.plan(MODEL)


@pytest.mark.parametrize("blocks", [(3, 1, 1), (3, 4, 4), None])
def test_a_core_fits_into_memory_and_costs_no_more_than_its_neighbours(blocks):
    method = load("rain-10x3").method if blocks is None else model(blocks).method
    shape = (200, 300, 300)
    core = core_for(shape, method)
    assert tile_bytes(core, shape, method) <= TILE_BYTES
    for smaller in ((core[0] // 2, *core[1:]), (core[0], core[1] // 2, core[2])):
        assert work_of(smaller, shape, method) >= work_of(core, shape, method)
    assert work_of(shape, shape, method) <= work_of(core, shape, method)
