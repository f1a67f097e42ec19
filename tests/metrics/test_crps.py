import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import case_weights, every_kind, label, missing, sample
from tests.support import globe
from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.metrics import crps_ensemble, crps_pooled, mae, threshold_weighted_crps

ORDER = ("time", "y", "x", "member")


@every_kind
@pytest.mark.parametrize(
    ("estimator", "theirs"), [("fair", "fair"), ("fair", "pwm"), ("biased", "nrg"), ("biased", "qd")]
)
def test_crps_equals_scoringrules(kind, estimator, theirs):
    oracle = pytest.importorskip("scoringrules")
    observations, ensemble = sample(kind)
    if kind == "single-member":
        expected = abs(observations - ensemble.isel(member=0))
    else:
        values = ensemble.transpose(*ORDER).values
        expected = oracle.crps_ensemble(observations.values, values, estimator=theirs, backend="numpy")
    np.testing.assert_allclose(
        crps_ensemble(observations, ensemble, estimator=estimator, dim=()), expected, atol=1e-12
    )


@every_kind
def test_crps_equals_scores_and_xskillscore(kind):
    observations, ensemble = sample(kind)
    scores = pytest.importorskip("scores.probability")
    xskillscore = pytest.importorskip("xskillscore")
    biased = crps_ensemble(observations, ensemble, estimator="biased", dim="time")
    np.testing.assert_allclose(
        biased, xskillscore.crps_ensemble(observations, ensemble, dim="time"), atol=1e-12
    )
    if kind != "single-member":
        fair = scores.crps_for_ensemble(
            ensemble, observations, "member", method="fair", preserve_dims=["y", "x"]
        )
        np.testing.assert_allclose(crps_ensemble(observations, ensemble, dim="time"), fair, atol=1e-12)


def test_crps_of_one_member_is_the_absolute_error():
    observations, ensemble = sample()
    one = ensemble.isel(member=0)
    np.testing.assert_allclose(crps_ensemble(observations, one), mae(observations, one))


def test_fair_crps_does_not_depend_on_the_number_of_members():
    observations, ensemble = sample("random", members=40, shape=(20, 40, 40))
    few, many = (crps_ensemble(observations, ensemble.isel(member=slice(n))) for n in (3, 40))
    np.testing.assert_allclose(few, many, rtol=0.01)
    assert crps_ensemble(observations, ensemble.isel(member=slice(3)), estimator="biased") > 1.1 * many


def test_crps_is_proper():
    observations, ensemble = sample(members=20, shape=(20, 40, 40))
    best = crps_ensemble(observations, ensemble)
    for worse in (0.6 * ensemble, 1.5 * ensemble, ensemble + 0.2, ensemble.mean("member")):
        assert crps_ensemble(observations, worse) > best


def test_crps_keeps_small_spreads_of_large_values_in_single_precision():
    chance = np.random.default_rng(0)
    observations = label(288 + 0.05 * chance.normal(size=(1, 100, 100)), ("time", "y", "x"))
    ensemble = label(288 + 0.05 * chance.normal(size=(50, 1, 100, 100)), ("member", "time", "y", "x"))
    single = observations.astype("f4"), ensemble.astype("f4")
    exact = crps_ensemble(*(part.astype("f8") for part in single))
    np.testing.assert_allclose(crps_ensemble(*single), exact, rtol=1e-6)


@every_kind
def test_crps_of_quantiles_equals_scoringrules(kind):
    oracle = pytest.importorskip("scoringrules")
    observations, ensemble = sample(kind)
    values = np.sort(ensemble.transpose(*ORDER).values)
    count = values.shape[-1]
    levels = np.arange(1, count + 1) / (count + 1)
    expected = oracle.crps_quantile(observations.values, values, levels, backend="numpy")
    found = crps_ensemble(observations, ensemble, estimator="quantile", dim=())
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_estimators_without_a_name_are_refused():
    with pytest.raises(ValueRangeError, match="'quantile'"):
        crps_ensemble(*sample(), estimator="ecdf")


@pytest.mark.parametrize("kind", ["random", "tied", "zero-inflated"])
@pytest.mark.parametrize("tail", ["upper", "lower"])
@pytest.mark.parametrize(("estimator", "method"), [("fair", "fair"), ("biased", "ecdf")])
def test_threshold_weighted_crps_equals_scores(kind, tail, estimator, method):
    oracle = pytest.importorskip("scores.probability")
    observations, ensemble = sample(kind)
    for skipna, given in ((False, observations), (True, missing(observations))):
        options = {"tail": tail, "estimator": estimator, "dim": "time", "skipna": skipna}
        found = threshold_weighted_crps(given, ensemble, thresholds=[0.5, 3], **options)
        for threshold in (0.5, 3):
            expected = oracle.tail_tw_crps_for_ensemble(
                ensemble, given, "member", threshold, tail=tail, method=method, preserve_dims=["y", "x"]
            )
            np.testing.assert_allclose(found.sel(threshold=threshold), expected, atol=1e-12)


def test_threshold_weighted_crps_is_the_integral_beyond_the_threshold():
    observations, ensemble = sample(shape=(1, 3, 4))
    edges = np.linspace(2, 60, 200_001)
    below = (ensemble.values[..., None] <= edges).mean(0) - (observations.values[..., None] <= edges)
    expected = np.trapezoid(below**2, edges)
    found = threshold_weighted_crps(observations, ensemble, thresholds=2, estimator="biased", dim=())
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_both_tails_are_the_whole():
    observations, ensemble = sample()
    parts = [
        threshold_weighted_crps(observations, ensemble, thresholds=1.5, tail=t) for t in ("upper", "lower")
    ]
    np.testing.assert_allclose(sum(parts), crps_ensemble(observations, ensemble))
    with pytest.raises(ValueRangeError, match='"upper" or "lower"'):
        threshold_weighted_crps(observations, ensemble, thresholds=1, tail="both")


@pytest.mark.parametrize("statistic", ["mean", "max"])
@pytest.mark.parametrize("weighted", [False, True])
def test_pooled_crps_is_that_of_the_blocks(statistic, weighted):
    observations, ensemble = sample()
    weights = case_weights() if weighted else None
    found = crps_pooled(observations, ensemble, scales=[1, 5], statistic=statistic, weights=weights)
    np.testing.assert_allclose(found.sel(scale=1), crps_ensemble(observations, ensemble, weights=weights))

    def blocks(values, how):
        return how(values[..., :10, :15].reshape(*values.shape[:-2], 2, 5, 3, 5), axis=(-3, -1))

    how = getattr(np, statistic)
    ours, theirs = (xr.DataArray(blocks(v.values, how), dims=v.dims) for v in (observations, ensemble))
    shares = None if weights is None else xr.DataArray(blocks(weights.values, np.mean), dims=weights.dims)
    np.testing.assert_allclose(found.sel(scale=5), crps_ensemble(ours, theirs, weights=shares))


def test_blocks_on_the_sphere_are_means_by_area():
    field = globe()
    forecast = field + (field.lat / 10) ** 2
    coarse = [part.sr.coarsen(3) for part in (field, forecast)]
    np.testing.assert_allclose(crps_pooled(field, forecast, scales=3), crps_ensemble(*coarse), rtol=1e-6)


def test_pooled_crps_leaves_out_blocks_that_are_not_complete():
    observations, ensemble = sample()
    holed = observations.copy()
    holed[:, 2, 3] = np.nan
    found = crps_pooled(holed, ensemble, scales=2, skipna=True)
    first = xr.ones_like(observations)
    first[{"y": slice(2, 4), "x": slice(2, 4)}] = 0
    np.testing.assert_allclose(found, crps_pooled(observations, ensemble, scales=2, weights=first))
    assert crps_pooled(holed, ensemble, scales=2).isnull()


def test_pooled_crps_sees_that_cells_belong_together():
    chance = np.random.default_rng(0)
    shape = (40, 8, 8)
    storms = chance.gamma(1, size=(21, 40, 1, 1)) * np.ones((1, *shape))
    observations, together = (
        label(storms[0], ("time", "y", "x")),
        label(storms[1:], ("member", "time", "y", "x")),
    )
    apart = together.copy(data=chance.permuted(storms[1:], axis=0))
    cells = [float(crps_pooled(observations, ens, scales=1)) for ens in (together, apart)]
    blocks = [float(crps_pooled(observations, ens, scales=8)) for ens in (together, apart)]
    np.testing.assert_allclose(*cells, rtol=0.01)
    assert blocks[1] > 1.1 * blocks[0]


def test_blocks_must_fit():
    with pytest.raises(DimensionError, match="13 by 13"):
        crps_pooled(*sample(), scales=13)
    with pytest.raises(ValueRangeError, match='"mean" or "max"'):
        crps_pooled(*sample(), statistic="sum")
