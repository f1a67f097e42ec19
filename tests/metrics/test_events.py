import numpy as np
import pytest

from tests.metrics.samples import every_kind, sample
from xdownscale.metrics import brier_score


@every_kind
def test_equals_scores(kind):
    oracle = pytest.importorskip("scores.probability")
    observations, ensemble = sample(kind)
    expected = oracle.brier_score_for_ensemble(
        ensemble, observations, "member", [0.5, 3.0], fair_correction=kind != "single-member"
    )
    found = brier_score(observations, ensemble, thresholds=[0.5, 3.0])
    np.testing.assert_allclose(found, expected)
    assert found.threshold.attrs["units"] == "mm h-1"
    np.testing.assert_allclose(brier_score(observations, ensemble, thresholds=3.0), expected[1])


def test_by_hand_without_fairness():
    observations, ensemble = sample()
    one = ensemble.isel(member=0)
    expected = ((one >= 1) != (observations >= 1)).mean()
    np.testing.assert_allclose(brier_score(observations, one, thresholds=1), expected)
