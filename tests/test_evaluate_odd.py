"""Odd arguments and fields: a score, or an error of the family that names the way out."""

import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import sample
from xdownscale import metrics
from xdownscale.errors import DimensionError, EmptyFieldError, XDownscaleError
from xdownscale.evaluate import evaluate, scores_table

STEPS = {"metrics": ["mae"]}


@pytest.fixture(scope="module")
def pair():
    return sample("random", shape=(6, 12, 16))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"metrics": 3}, "names or functions"),
        ({"metrics": [3]}, "not known"),
        ({"metrics": [["mae"]]}, "not known"),
        ({"metrics": []}, "no metric"),
        ({"metrics": [lambda o, f: 0.0, lambda o, f: 1.0]}, "two metrics"),
        ({"metrics": [lambda o, f: o.values]}, "a metric returned a ndarray"),
        ({"thresholds": "wet"}, "thresholds must be finite numbers"),
        ({"thresholds": []}, "thresholds must be finite numbers"),
        ({"thresholds": [1, np.nan]}, "thresholds must be finite numbers"),
        ({"bootstrap": 2.5, **STEPS}, "bootstrap must be a whole number"),
        ({"bootstrap": "many", **STEPS}, "bootstrap must be a whole number"),
        ({"dim": 3}, "dim is 3"),
        ({"dim": "z", **STEPS}, r"\['z'\]"),
        ({"member_dim": None}, "member_dim is None"),
        ({"scales": 2.5, **STEPS}, "scales must be whole numbers"),
        ({"scales": [0, 2], **STEPS}, "scales must be whole numbers"),
        ({"scales": [], **STEPS}, "scales must be whole numbers"),
        ({"by": 3}, "by=3 is not a grouping"),
        ({"by": {"lead": 2.5}}, "is not a grouping"),
        ({"by": ["hour", "hour"]}, "two groupings have the same name"),
        ({"by": {"model": 2}}, "model_group"),
        ({"by": {"rank": 2}}, "rank_group"),
        ({"region": np.ones((12, 16), bool)}, "pass a DataArray that is true"),
        ({"region": {}}, "pass a DataArray that is true"),
        ({"weights": np.ones(12)}, "pass a DataArray"),
        ({"weights": xr.DataArray(-np.ones(12), dims="y")}, "negative or infinite"),
        ({"weights": xr.DataArray(list("ab" * 6), dims="y")}, "not real numbers"),
        ({"reference": 3}, "int"),
    ],
)
def test_arguments_out_of_range(pair, options, match):
    observations, ensemble = pair
    with pytest.raises(XDownscaleError, match=match):
        evaluate(observations, ensemble, **options)


def test_one_name_or_function_is_a_list_of_one(pair):
    observations, ensemble = pair
    expected = evaluate(observations, ensemble, metrics=["mae"])
    xr.testing.assert_equal(evaluate(observations, ensemble, metrics="mae"), expected)
    xr.testing.assert_equal(evaluate(observations, ensemble, metrics=metrics.mae), expected)
    named = evaluate(observations, ensemble, metrics={"error": "mae", "none": lambda o, f: 0.0})
    np.testing.assert_allclose(named.error, expected.mae)
    assert named.none == 0
    numbers = evaluate(observations, ensemble, metrics=["mae"], scales=np.int64(2), by={"lead": np.int64(3)})
    assert numbers.sizes == {"lead": 3}


def test_dimensions_of_scores_are_not_those_of_fields(pair):
    observations, ensemble = (field.rename(time="model") for field in pair)
    with pytest.raises(XDownscaleError, match="Rename") as error:
        evaluate(observations, ensemble)
    assert ".rename(model='model_')" in str(error.value)
    renamed = (field.rename(model="model_") for field in (observations, ensemble))
    assert evaluate(*renamed, metrics=["mae"]).mae.notnull()


def test_a_model_that_is_called_like_the_reference_is_not_lost(pair):
    observations, ensemble = pair
    models = {"reference": ensemble}
    with pytest.raises(XDownscaleError, match='reference="reference"'):
        evaluate(observations, models, reference=observations + 1)
    assert (evaluate(observations, models, metrics=["mae"], reference="reference").mae_skill == 0).all()


def test_without_a_common_case_there_is_nothing_to_score(pair):
    observations, ensemble = pair
    with pytest.raises(EmptyFieldError, match=r"432 of 1152 observations .*'forecasts': 0"):
        evaluate(observations.where(observations.x > 9000), ensemble.where(ensemble.x < 3000))
    with pytest.raises(EmptyFieldError, match="0 of 1152"):
        evaluate(observations * np.nan, ensemble)
    lazy = evaluate((observations * np.nan).chunk(time=1), ensemble, metrics=["mae", "percentile_error"])
    assert lazy.compute().mae.isnull()


@pytest.mark.parametrize("cells", [{"y": [3], "x": [4]}, {"time": [2]}, {"member": [0]}, {"y": 3, "x": 4}])
def test_small_fields_have_the_scores_that_they_allow(pair, cells):
    observations, ensemble = pair
    ours = observations.isel({dim: place for dim, place in cells.items() if dim != "member"})
    scores = evaluate(ours, ensemble.isel(cells))
    np.testing.assert_allclose(scores.mae, metrics.mae(ours, ensemble.isel(cells)))


def test_scores_are_a_dataset():
    with pytest.raises(XDownscaleError, match=r"xdownscale\.evaluate"):
        scores_table(3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pit_histogram", {"bins": 2.5}),
        ("interval_coverage", {"levels": "most"}),
        ("quantiles", {"q": "high"}),
        ("percentile_error", {"q": []}),
        ("energy_score", {"points": 2.5}),
        ("energy_score", {"seed": -1}),
        ("variogram_score", {"p": "half"}),
        ("return_level_error", {"block": 1.5}),
        ("ssim", {"data_range": "all"}),
        ("lag_autocorrelation_error", {"lag": 1.5}),
        ("spatial_autocorrelation_error", {"lags": [0]}),
        ("emd", {"edges": "fine"}),
        ("crps_pooled", {"scales": [0]}),
        ("accumulate", {"times": 2.5}),
        ("accumulate", {"times": 0}),
        ("accumulate", {"metrics": ["emd"], "edges": "fine"}),
    ],
)
def test_arguments_of_metrics_out_of_range(pair, name, options):
    observations, ensemble = pair
    (word,) = list(options)[-1:]
    with pytest.raises(XDownscaleError, match=word):
        getattr(metrics, name)(observations, ensemble, **options)


@pytest.mark.parametrize("named", [False, True])
def test_swapped_arguments_are_refused(pair, named):
    observations, ensemble = pair
    with pytest.raises(DimensionError, match="swap them"):
        evaluate({"net": ensemble} if named else ensemble, observations)


def test_the_method_of_an_ensemble_is_the_function_with_observations_first(pair):
    observations, ensemble = pair
    xr.testing.assert_identical(
        ensemble.sr.evaluate(observations, metrics=["bias"]),
        evaluate(observations, ensemble, metrics=["bias"]),
    )
