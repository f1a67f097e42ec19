from __future__ import annotations

import json

import pytest

import xdownscale
from tests.support import rain


def test_a_baseline_is_told_from_the_observations_that_it_was_made_from():
    """Interpolation keeps the attributes of the field, of which "source" is that of the observations alone."""
    truth = rain().assign_attrs(source="weather radar", institution="a service")
    baseline = truth.sr.coarsen(10, 3).sr.interpolate(10, 3)
    scores = xdownscale.evaluate(truth, {"bicubic": baseline}, metrics=["mae"])
    told, observed = (
        json.loads(scores.attrs["forecasts"])["bicubic"],
        json.loads(scores.attrs["observations"]),
    )
    assert observed["source"] == told["made from: source"] == "weather radar"
    assert "source" not in told
    assert "institution" not in told
    assert told["made by"].startswith("interpolate(spatial=10, temporal=3")
    assert "made by" not in observed


@pytest.mark.parametrize("history", ["", "2020-01-01T00:00:00Z: cdo remapbil", "2020: (xdownscale"])
def test_fields_of_others_keep_their_source(history):
    field = rain().assign_attrs(source="ERA5", history=history)
    told = json.loads(xdownscale.evaluate(rain(), field, metrics=["mae"]).attrs["forecasts"])["forecast"]
    assert told["source"] == "ERA5"
