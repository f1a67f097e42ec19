from __future__ import annotations

import dask.array
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import raise_if_dask_computes
from xdownscale.field.interpolation import METHODS, TIMES, interpolate_array


def centres(size, factor):
    return (np.arange(size * factor) + 0.5) / factor - 0.5


@pytest.mark.parametrize(("method", "degree"), [("bicubic", 2), ("linear", 1), ("nearest", 0)])
@pytest.mark.parametrize("factor", [2, 3, 10])
def test_polynomials_of_the_methods_degree_are_reproduced_inside(method, degree, factor):
    y, x = np.arange(8.0), np.arange(9.0)
    coarse = 1 + (x[None, :] ** degree + y[:, None] ** degree - 3) * (degree > 0)
    fine = interpolate_array(coarse[None], (1, factor, factor), method)[0]
    y, x = centres(8, factor), centres(9, factor)
    expected = 1 + (x[None, :] ** degree + y[:, None] ** degree - 3) * (degree > 0)
    inner = slice(2 * factor, -2 * factor)
    np.testing.assert_allclose(fine[inner, inner], expected[inner, inner], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_stays_to_the_edge_and_time_is_held(method):
    values = np.broadcast_to(np.array([2.0, 3.0])[:, None, None], (2, 3, 4))
    fine = interpolate_array(np.ascontiguousarray(values), (3, 5, 4), method)
    assert fine.shape == (6, 15, 16)
    np.testing.assert_allclose(fine[:3], 2.0, rtol=1e-14)
    np.testing.assert_allclose(fine[3:], 3.0, rtol=1e-14)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [2, 3])
def test_linear_in_time_reproduces_a_trend_and_holds_the_ends(method, factor):
    trend = 3.0 + np.arange(5.0)[:, None, None] * np.ones((1, 3, 4))
    fine = interpolate_array(trend, (factor, 2, 2), method, time="linear")
    expected = 3.0 + np.clip(centres(5, factor), 0, 4)
    np.testing.assert_allclose(fine, expected[:, None, None] * np.ones((1, 6, 8)), rtol=1e-14)


def test_a_missing_step_is_filled_from_no_other():
    values = np.array([1.0, np.nan, 3.0])[:, None, None]
    fine = interpolate_array(values, (2, 1, 1), "nearest", time="linear")
    np.testing.assert_array_equal(fine.ravel(), [1, 1, np.nan, np.nan, 3, 3])


@pytest.mark.parametrize("method", METHODS)
def test_missing_cells_are_missing_and_no_others(method):
    values = np.random.default_rng(0).random((1, 6, 7))
    values[0, 2, 3] = values[0, 0, 0] = np.nan
    fine = interpolate_array(values, (1, 4, 3), method)
    expected = np.repeat(np.repeat(np.isnan(values), 4, axis=1), 3, axis=2)
    np.testing.assert_array_equal(np.isnan(fine), expected)


def test_cubic_is_cut_off_at_zero_only_where_all_around_is_non_negative():
    values = np.zeros((1, 7, 7))
    values[0, 3, 3] = 5.0
    fine = interpolate_array(values, (1, 4, 4), "bicubic")
    assert fine.min() == 0.0
    assert interpolate_array(values - 1e-12, (1, 4, 4), "bicubic").min() < -0.01
    assert interpolate_array(values - 1.0, (1, 4, 4), "bicubic").min() < -1.01


def test_transposing_the_input_transposes_the_result():
    values = np.random.default_rng(0).normal(size=(1, 6, 6))
    fine = interpolate_array(values, (1, 3, 3), "bicubic")
    np.testing.assert_allclose(
        interpolate_array(values.swapaxes(1, 2), (1, 3, 3), "bicubic"), fine.swapaxes(1, 2), atol=1e-14
    )


@given(
    chunks=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 8)),
    method=st.sampled_from(METHODS),
    time=st.sampled_from(TIMES),
    missing=st.booleans(),
)
def test_chunks_change_nothing(chunks, method, time, missing):
    values = np.random.default_rng(1).random((5, 9, 8)).astype(np.float32)
    if missing:
        values[:, 4:6, 3] = np.nan
    with raise_if_dask_computes():
        lazy = interpolate_array(dask.array.from_array(values, chunks=chunks), (2, 3, 4), method, time=time)
    eager = interpolate_array(values, (2, 3, 4), method, time=time)
    assert lazy.shape == eager.shape
    assert lazy.dtype == eager.dtype == np.float32
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), eager)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 5), (1, 2, 2)])
def test_small_domains(shape):
    fine = interpolate_array(np.ones(shape), (1, 3, 3), "bicubic")
    np.testing.assert_allclose(fine, 1.0)
