"""BCSD: a climate that repeats is found again, in space and in time."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import rain
from xdownscale.baselines import bcsd
from xdownscale.errors import DimensionError


def hours(days, seed=0, *, kind="rain", start="2001-01-01"):
    """Hourly fields with a fixed pattern in space, and a course over the day that depends on how wet the day is."""
    random = np.random.default_rng(seed)
    pattern = random.gamma(2.0, 1.0, (12, 12))
    level = np.tile(np.array([1.0, 2.0, 4.0, 8.0]), days)[:days]
    peaks = {1.0: 3, 2.0: 9, 4.0: 15, 8.0: 21}
    course = np.stack([np.exp(-0.5 * ((np.arange(24) - peaks[each]) / 3) ** 2) for each in level])
    values = (level[:, None] * course).reshape(-1)[:, None, None] * pattern
    attrs = {"units": "mm h-1", "standard_name": "rainfall_rate"}
    if kind == "temperature":
        values, attrs = values - 5, {"units": "degC", "standard_name": "air_temperature"}
    coords = {
        "time": xr.date_range(start, periods=24 * days, freq="h"),
        "y": np.arange(12.0),
        "x": np.arange(12.0),
    }
    return xr.DataArray(values, coords, ("time", "y", "x"), "field", attrs)


@pytest.mark.parametrize("kind", ["rain", "temperature"])
def test_days_that_were_seen_before_get_the_hours_that_they_had(kind):
    past, truth = hours(8, kind=kind), hours(4, kind=kind, start="2002-01-01")
    fine = bcsd(truth.sr.coarsen(1, 24), 1, 24, fine=past)
    np.testing.assert_allclose(fine, truth, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(fine.time, truth.time)


def test_a_fixed_pattern_in_space_is_put_back():
    past, truth = hours(8), hours(4, start="2002-01-01")
    fine = bcsd(truth.sr.coarsen(4), 4, fine=past)
    np.testing.assert_allclose(fine, truth, rtol=1e-6)


def test_the_fine_field_may_come_in_other_units():
    past, truth = hours(8), hours(4, start="2002-01-01")
    coarse = truth.sr.coarsen(4, 24)
    other = (past / 3600).assign_attrs(past.attrs | {"units": "kg m-2 s-1"})
    np.testing.assert_allclose(bcsd(coarse, 4, 24, fine=other), bcsd(coarse, 4, 24, fine=past), rtol=1e-5)


def test_a_biased_model_is_corrected_by_its_own_past():
    pytest.importorskip("xsdba")
    past, truth = hours(40), hours(40)
    coarse, model = truth.sr.coarsen(4, 24), 2 * truth.sr.coarsen(4, 24).assign_attrs(truth.attrs)
    model = model.assign_attrs(coarse.attrs)
    fine = bcsd(model, 4, 24, fine=past, historical=model)
    np.testing.assert_allclose(fine, bcsd(coarse, 4, 24, fine=past), rtol=0.02, atol=1e-3)


def test_members_are_analogues_and_the_same_in_company():
    truth = xdownscale.tutorial.rain((60, 32, 32))
    coarse = truth[48:].sr.coarsen(8, 3)
    four, two = (bcsd(coarse, 8, 3, fine=truth[:48], members=n, seed=1) for n in (4, 2))
    np.testing.assert_array_equal(four[:2], two)
    assert not np.allclose(four[0], four[1])
    # steps of a coarse step are cut, never added to
    np.testing.assert_allclose(four[0].sr.coarsen(1, 3), four[1].sr.coarsen(1, 3), rtol=1e-5, atol=1e-6)


def test_where_an_analogue_is_dry_rain_falls_evenly():
    past = hours(8)
    past[:, :4, :4] = 0.0
    coarse = hours(4, start="2002-01-01").sr.coarsen(4, 24)
    fine = bcsd(coarse, 4, 24, fine=past)
    np.testing.assert_allclose(
        fine.values[:24, :4, :4], np.broadcast_to(coarse.values[0, 0, 0], (24, 4, 4)), rtol=1e-6
    )


def test_another_domain_is_refused():
    coarse = rain((4, 3, 3), step=15, spacing=4000.0)
    with pytest.raises(DimensionError, match=r"\(8, 8\) \(y, x\) cells.*\(12, 12\)"):
        bcsd(coarse, 4, 3, fine=rain((12, 8, 8)))
