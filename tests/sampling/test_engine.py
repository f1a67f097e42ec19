"""Members that pass together are those that pass alone, to the bit: lazily each is a task of its own."""

from dataclasses import replace

import numpy as np
import pytest

from tests.models import model, residual_model
from xdownscale import zoo
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
