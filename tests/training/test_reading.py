"""Fields of dask are learned from window by window, and give what fields in memory give."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

import xdownscale
from tests.nn.test_multiscale import SMALL
from xdownscale.models.recipe import Recipe
from xdownscale.models.schedule import Schedule
from xdownscale.training.reading import Unread, runs, steps_of

TINY = Recipe(
    cells=4, frames=2, size=SMALL, schedule=Schedule(steps=2, batch=1, warmup=1, check=1, validation=2)
)


def test_what_is_asked_for_is_what_numpy_gives():
    values = np.random.default_rng(0).normal(size=(9, 2, 6, 5)).astype(np.float32)
    values[0, 0, 0, 0] = np.nan
    wanted = np.where(np.arange(2)[:, None, None] == 0, np.maximum(values, 0), values)
    unread = Unread(da.from_array(values, chunks=3), (True, False))
    for key in (
        slice(2, 5),
        (slice(1, 4), 0),
        (slice(None), slice(1, 2), slice(2, 4), 3),
        (slice(0, 2), slice(None), 1),
    ):
        np.testing.assert_array_equal(unread[key], wanted[key])
    np.testing.assert_array_equal(steps_of(unread, slice(3, 7))[:], wanted[3:7])
    np.testing.assert_array_equal(np.concatenate(list(runs(unread))), wanted)


@pytest.mark.parametrize(("spatial", "temporal"), [(4, 3), ([2, 4], [1, 3])])
def test_a_field_of_dask_gives_the_weights_of_one_in_memory(monkeypatch, spatial, temporal):
    field = xdownscale.tutorial.rain((36, 64, 64))
    wanted = xdownscale.train(field, spatial, temporal, recipe=TINY, progress=False)
    sizes = []
    inner = Unread.__getitem__

    def counted(self, key):
        values = inner(self, key)
        sizes.append(values.size)
        return values

    monkeypatch.setattr(Unread, "__getitem__", counted)
    monkeypatch.setattr("xdownscale.training.reading.RUN", 4 * 64 * 64)
    monkeypatch.setattr("xdownscale.training.wetness.READ", 4 * 64 * 64)
    with dask.config.set(scheduler="synchronous"):
        found = xdownscale.train(field.chunk(time=4), spatial, temporal, recipe=TINY, progress=False)
    for name, value in wanted.method.state_dict().items():
        np.testing.assert_array_equal(found.method.state_dict()[name], value, err_msg=name)
    assert sizes
    assert max(sizes) < field.size, "never the whole field"
