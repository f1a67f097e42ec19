import pickle
import tracemalloc
from functools import reduce
from operator import add

import dask.array
import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import case_weights, every_kind, missing, sample
from xdownscale import metrics
from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.metrics import accumulate

EDGES = np.linspace(0, 60, 301)
OPTIONS = {
    "bias": {},
    "brier_score": {"thresholds": [0.5, 2]},
    "crps_ensemble": {},
    "emd": {"edges": EDGES},
    "lsd": {},
    "mae": {},
    "mse": {},
    "pit_deviation": {},
    "rank_histogram": {},
    "rmse": {},
    "spread_skill_ratio": {},
}
ALL = {"metrics": [*OPTIONS, "power_spectra"], "thresholds": [0.5, 2], "edges": EDGES}


def cut(observations, ensemble, cuts, **options):
    """Sums of pieces of time, put together from the last to the first."""
    parts = []
    for steps in np.split(np.arange(observations.sizes["time"]), cuts):
        at = {"time": steps}
        parts.append(accumulate(observations.isel(at), ensemble.isel(at), **options, **ALL))
    return reduce(add, parts[::-1])


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("holes", [False, True])
def test_equals_the_scores_of_the_whole(kind, weighted, holes):
    observations, ensemble = sample(kind)
    observations = missing(observations, share=0.003) if holes else observations
    weights = case_weights() if weighted else None
    found = accumulate(observations, ensemble, weights=weights, skipna=holes, **ALL).scores()
    for name, options in OPTIONS.items():
        expected = getattr(metrics, name)(observations, ensemble, weights=weights, skipna=holes, **options)
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-14, err_msg=name)
        assert found[name].attrs["units"] == expected.attrs["units"]
        assert found[name].attrs["long_name"] == expected.attrs["long_name"]
        assert set(found[name].dims) == set(expected.dims)
    truth = metrics.power_spectrum(observations, skipna=holes)
    if not weighted:
        np.testing.assert_allclose(found.power_spectra.sel(source="observations"), truth)


@pytest.mark.parametrize(("kind", "dim"), [("zero-inflated", None), ("tied", "time")])
def test_parts_of_any_cut_give_the_same_bits(kind, dim):
    observations, ensemble = sample(kind, shape=(6, 12, 16))
    observations = missing(observations, share=0.002)
    options = {"dim": dim, "skipna": True}
    whole = accumulate(observations, ensemble, **options, **ALL).scores()
    for cuts in ([2, 3], range(1, 6)):
        xr.testing.assert_identical(cut(observations, ensemble, cuts, **options).scores(), whole)


def test_parts_of_space_give_the_same_bits():
    observations, ensemble = sample()
    names = ["crps_ensemble", "mae", "pit_deviation", "emd", "spread_skill_ratio"]
    options = {"metrics": names, "edges": EDGES}
    weights = case_weights()
    whole = accumulate(observations, ensemble, weights=weights, **options).scores()
    boxes = [
        {"y": slice(0, 5)},
        {"y": slice(5, 12), "x": slice(0, 3)},
        {"y": slice(5, 12), "x": slice(3, 16)},
    ]
    parts = [
        accumulate(observations.isel(b), ensemble.isel(b), weights=weights.isel(b), **options) for b in boxes
    ]
    merged = reduce(add, parts).scores()
    xr.testing.assert_identical(merged.drop_vars("emd"), whole.drop_vars("emd"))
    np.testing.assert_allclose(merged.emd, whole.emd, rtol=1e-12)


def test_lazy_fields_stream_through_in_pieces():
    observations, ensemble = sample(shape=(9, 12, 16))
    loaded = []

    def watched(block):
        loaded.append(block.shape)
        return block

    lazy = ensemble.chunk(time=1)
    lazy = lazy.copy(data=lazy.data.map_blocks(watched, dtype=float, meta=np.empty((0,) * 4)))
    found = accumulate(observations.chunk(time=1), lazy, times=2, **ALL)
    xr.testing.assert_identical(found.scores(), accumulate(observations, ensemble, **ALL).scores())
    assert len(loaded) == 9  # every piece once
    assert lazy.chunks is not None  # and kept nowhere
    weights = case_weights()
    options = {"metrics": ["mae"], "weights": weights}
    observations, ensemble = sample()
    streamed = accumulate(observations, ensemble, times=1, **options)
    xr.testing.assert_identical(streamed.scores(), accumulate(observations, ensemble, **options).scores())


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length():
    peaks = []
    for steps in (40, 160):
        lazy = dask.array.ones((5, steps, 40, 40), chunks=(5, 4, 40, 40))
        ensemble = xr.DataArray(lazy, dims=("member", "time", "y", "x"))
        tracemalloc.start()
        with dask.config.set(scheduler="synchronous"):
            accumulate(
                ensemble.isel(member=0), ensemble, times=4, metrics=["crps_ensemble", "rank_histogram"]
            )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[1] < ensemble.nbytes / 2


def test_missing_values_follow_the_rule():
    observations, ensemble = sample()
    holed = observations.copy()
    holed[1, 3, 4] = np.nan
    found = accumulate(holed, ensemble, **ALL).scores()
    assert all(found[name].isnull().all() for name in OPTIONS)
    empty = accumulate(holed * np.nan, ensemble, skipna=True, **ALL)
    assert all(empty.scores()[name].isnull().all() for name in OPTIONS)
    rest = accumulate(holed, ensemble, skipna=True, **ALL)
    xr.testing.assert_identical((empty + rest).scores(), rest.scores())


def test_what_does_not_add_up_is_refused():
    observations, ensemble = sample()
    whole = accumulate(observations, ensemble)
    with pytest.raises(DimensionError, match="same arguments"):
        whole + accumulate(observations, ensemble.isel(member=slice(3)))
    with pytest.raises(DimensionError, match="same arguments"):
        whole + accumulate(observations, ensemble, metrics=["mae"])
    first, second = (
        accumulate(observations.isel(time=[t]), ensemble.isel(time=[t]), dim=("y", "x")) for t in (0, 1)
    )
    with pytest.raises(DimensionError, match=r"xarray\.concat"):
        first + second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["ssim"]}, "spread_skill_ratio"),
        ({"metrics": []}, "Pass some of"),
        ({"metrics": ["brier_score"]}, "thresholds="),
        ({"metrics": ["emd"]}, "numpy.linspace"),
    ],
)
def test_what_is_not_a_sum_or_lacks_something_is_refused(options, message):
    with pytest.raises(ValueRangeError, match=message):
        accumulate(*sample(), **options)


def test_steps_cut_a_time_that_is_averaged():
    observations, ensemble = sample()
    with pytest.raises(DimensionError, match="times=1"):
        accumulate(observations, ensemble, times=1, dim=("y", "x"))


def test_sums_travel_between_processes():
    observations, ensemble = sample()
    sums = accumulate(observations, ensemble, **ALL)
    xr.testing.assert_identical(pickle.loads(pickle.dumps(sums)).scores(), sums.scores())
