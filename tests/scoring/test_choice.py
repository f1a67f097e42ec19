import inspect

import pytest

from tests.metrics.samples import sample
from xdownscale import metrics
from xdownscale.errors import ValueRangeError
from xdownscale.scoring.choice import choose

NOT_BY_NAME = {
    "accumulate",
    "coarse_consistency",
    "intervariable_correlation_error",
    "return_level_error",
}
OF_TWO_FIELDS = {
    name
    for name in metrics.__all__
    if list(inspect.signature(getattr(metrics, name)).parameters)[:2] == ["observations", "forecasts"]
}


@pytest.mark.parametrize("name", sorted(OF_TWO_FIELDS - NOT_BY_NAME))
def test_every_score_is_ready_by_its_name(name):
    observations, ensemble = sample()
    metric = choose([name], observations, [0.5, 2])[name]
    found = metric(observations, ensemble, dim=None, member_dim="member", weights=None, skipna=True)
    assert found.name == name
    assert found.notnull().any()


@pytest.mark.parametrize("name", sorted(NOT_BY_NAME | {"power_spectrum", "gini", "anything"}))
def test_other_names_are_refused_with_those_that_are_known(name):
    with pytest.raises(ValueRangeError, match="spread_skill_ratio"):
        choose([name], sample()[0], None)


@pytest.mark.parametrize("name", ["brier_score", "threshold_weighted_crps", "roc_area", "minkowski_error"])
def test_thresholds_are_asked_for(name):
    with pytest.raises(ValueRangeError, match=r"thresholds=\[0.1, 1, 10\]"):
        choose([name], sample()[0], None)


def test_scales_and_lags_fit_the_frame():
    observations, ensemble = (part.isel(y=slice(0, 3), x=slice(0, 4)) for part in sample())
    chosen = choose(["crps_pooled", "spatial_autocorrelation_error"], observations, None)
    assert chosen["crps_pooled"](observations, ensemble).scale.values.tolist() == [1]
    assert chosen["spatial_autocorrelation_error"](observations, ensemble).lag.values.tolist() == [1, 2]
