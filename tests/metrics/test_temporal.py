import numpy as np
import pytest
from scipy.signal import periodogram

from tests.metrics.samples import case_weights, every_kind, missing, sample
from tests.support import raise_if_dask_computes
from xdownscale.errors import TimeAxisError
from xdownscale.metrics import temporal_lsd, temporal_spectrum


@every_kind
@pytest.mark.parametrize("steps", [9, 10])
def test_spectrum_equals_scipy(kind, steps):
    observations, _ = sample(kind, shape=(steps, 4, 5))
    frequency, power = periodogram(observations.values, 12, axis=0, scaling="spectrum")  # 12 steps an hour
    found = temporal_spectrum(observations, dim=())
    np.testing.assert_allclose(found.frequency, frequency[1:])
    np.testing.assert_allclose(found.transpose("frequency", "y", "x"), power[1:], atol=1e-12)
    assert found.frequency.attrs["units"] == "h-1"
    assert found.attrs["units"] == "mm2 h-2"
    np.testing.assert_allclose(temporal_spectrum(observations), power[1:].mean((1, 2)))
    variance = observations.var("time").mean()
    np.testing.assert_allclose(temporal_spectrum(observations).sum(), variance)


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
def test_distance_is_that_of_the_spectra(kind, weighted):
    observations, ensemble = sample(kind)
    weights = case_weights() if weighted else None
    share = np.ones((12, 16)) if weights is None else weights.mean("time").values

    def mean(field):
        power = periodogram(field.values, axis=-3, scaling="spectrum")[1][..., 1:, :, :]
        return np.average(power, axis=(-2, -1), weights=np.broadcast_to(share, power.shape))

    ratio = np.mean([mean(m) for m in ensemble], axis=0) / mean(observations)
    expected = np.sqrt(np.mean((10 * np.log10(ratio)) ** 2))
    np.testing.assert_allclose(temporal_lsd(observations, ensemble, weights=weights), expected)


def test_flicker_is_seen():
    observations, _ = sample("random", shape=(24, 5, 5))
    slow = observations.cumsum("time")
    assert temporal_lsd(slow, slow + 5 * observations) > 1
    np.testing.assert_allclose(temporal_lsd(slow, 10 * slow), 20)


def test_series_with_holes_are_left_out():
    observations, _ = sample()
    holed = observations.copy()
    holed[1, 2, :] = np.nan
    kept = observations.drop_isel(y=2)
    np.testing.assert_allclose(temporal_spectrum(holed, skipna=True), temporal_spectrum(kept))
    assert temporal_spectrum(missing(observations)).isnull().all()


def test_spectrum_is_lazy():
    observations, _ = sample()
    with raise_if_dask_computes():
        lazy = temporal_spectrum(observations.chunk(time=1, x=5))
    np.testing.assert_allclose(lazy.compute(), temporal_spectrum(observations))


def test_gaps_and_single_times_are_refused():
    observations, _ = sample(shape=(5, 4, 4))
    with pytest.raises(TimeAxisError, match="without gaps"):
        temporal_spectrum(observations.isel(time=[0, 1, 3, 4]))
    with pytest.raises(TimeAxisError, match="at least 2 steps"):
        temporal_spectrum(observations.isel(time=[0]))
    without = temporal_spectrum(observations.drop_vars("time"))
    assert without.frequency.attrs["units"] == "cycles per step"
