from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from xdownscale import correct
from xdownscale.errors import ArgumentError, DimensionError, OptionalDependencyError, QuantityError

pytest.importorskip("xsdba")


def field(values, name="tas", units="K", standard="air_temperature", start="2001-01-01", calendar="standard"):
    times = xr.date_range(start, periods=len(values), calendar=calendar, use_cftime=calendar != "standard")
    coords = {"time": times, "y": [10.0, 20.0], "x": [0.0, 5.0, 10.0]}
    return xr.DataArray(values, coords, ("time", "y", "x"), name, {"units": units, "standard_name": standard})


def normal(mean, spread, seed, days=1460):
    return np.random.default_rng(seed).normal(mean, spread, (days, 2, 3))


@pytest.mark.parametrize("kind", ["quantile_mapping", "quantile_delta"])
@pytest.mark.parametrize("group", ["time", "time.month"])
def test_identical_data_stay_as_they_are(kind, group):
    tas = field(normal(285, 5, 0))
    np.testing.assert_allclose(correct(tas, tas, kind=kind, group=group), tas, rtol=1e-9)
    rain = field(np.maximum(normal(0.5, 3, 1), 0.01), "pr", "mm d-1", "lwe_precipitation_rate")
    np.testing.assert_allclose(correct(rain, rain, kind=kind, group=group), rain, rtol=1e-9)


def test_the_law_becomes_that_of_the_reference():
    reference, model = field(normal(285, 4, 0)), field(normal(288, 7, 1))
    made = correct(model, reference, group="time")
    assert float(made.mean()) == pytest.approx(285, abs=0.2)
    assert float(made.std()) == pytest.approx(4, rel=0.03)
    assert xr.testing.assert_equal(made.time, model.time) is None
    assert "correct(" in made.attrs["history"]


def test_quantile_delta_keeps_the_change_of_the_model():
    reference, historical = field(normal(285, 4, 0)), field(normal(288, 4, 1))
    future = field(normal(291, 4, 2), start="2051-01-01")
    kept = correct(future, reference, historical=historical, kind="quantile_delta", group="time")
    assert float(kept.mean() - reference.mean()) == pytest.approx(3.0, abs=0.3)


def test_units_calendars_and_precision_are_kept():
    reference = field(normal(12, 4, 0), units="degC")
    model = field(normal(288, 4, 1), calendar="noleap").astype(np.float32)
    made = correct(model, reference, group="time")
    assert made.dtype == np.float32
    assert made.attrs["units"] == "K"
    assert made.time.dt.calendar == "noleap"
    assert float(made.mean()) == pytest.approx(285.15, abs=0.3)


def test_lazy_fields_stay_lazy_and_agree():
    pytest.importorskip("dask")
    reference, model = field(normal(285, 4, 0, 400)), field(normal(288, 7, 1, 400))
    lazy = correct(model.chunk(time=100), reference.chunk(time=100), group="time")
    assert lazy.chunks is not None
    np.testing.assert_allclose(lazy.compute(), correct(model, reference, group="time"))


def test_other_grids_quantities_and_words_are_refused():
    tas = field(normal(285, 5, 0, 100))
    with pytest.raises(DimensionError, match=r"other cells.*interp\(x=model_field\.x\)"):
        correct(tas, tas.assign_coords(x=[0.0, 5.0, 14.0]))
    with pytest.raises(QuantityError, match="reference="):
        correct(tas, field(normal(3, 1, 0, 100), "pr", "mm d-1", "lwe_precipitation_rate"))
    with pytest.raises(ArgumentError, match="quantile_delta"):
        correct(tas, tas, kind="delta")
    with pytest.raises(ArgumentError, match=r"time\.season"):
        correct(tas, tas, group="week")
    with pytest.raises(DimensionError, match=r"reference is a Dataset of \['tas'\]; pass one variable"):
        correct(tas, tas.to_dataset())


def test_without_xsdba_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xsdba", None)
    tas = field(normal(285, 5, 0, 30))
    with pytest.raises(OptionalDependencyError, match=r"xdownscale-sr\[correct\]"):
        xdownscale.correct(tas, tas)
