import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import every_kind, label, sample
from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.metrics import fss, ssim

SHAPE = (3, 24, 31)


@every_kind
@pytest.mark.parametrize("span", [1.0, 100.0])
def test_ssim_equals_scikit_image(kind, span):
    metrics = pytest.importorskip("skimage.metrics")
    observations, ensemble = sample(kind, members=2, shape=SHAPE)
    options = {"data_range": span, "gaussian_weights": True, "use_sample_covariance": False}
    expected = [
        [
            metrics.structural_similarity(o, f, **options)
            for o, f in zip(observations.values, member, strict=True)
        ]
        for member in ensemble.values
    ]
    found = ssim(observations, ensemble, data_range=span, dim=("y", "x"))
    np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=1e-12)


def test_ssim_of_equal_fields_is_one_whatever_the_range():
    observations, _ = sample(shape=SHAPE)
    np.testing.assert_allclose(ssim(observations, observations, data_range=3), 1)
    span = observations.max() - observations.min()
    np.testing.assert_allclose(
        ssim(observations, observations.roll(x=1), data_range=span),
        ssim(observations, observations.roll(x=1), data_range=float(span)),
    )


def test_ssim_leaves_out_windows_with_missing_values():
    observations, ensemble = sample(members=2, shape=SHAPE)
    left, cut = {"x": slice(0, 21)}, {"x": slice(0, 20)}
    holed = observations.copy()
    holed[..., 20:] = np.nan
    expected = ssim(observations[cut], ensemble[cut], data_range=20)
    np.testing.assert_allclose(ssim(holed[left], ensemble[left], data_range=20, skipna=True), expected)


def test_ssim_needs_a_range_and_room():
    observations, ensemble = sample()
    with pytest.raises(ValueRangeError, match="data_range=100"):
        ssim(observations, ensemble, data_range=0)
    with pytest.raises(DimensionError, match="11 by 11"):
        ssim(observations.isel(y=slice(10)), ensemble.isel(y=slice(10)), data_range=1)
    with pytest.raises(TypeError, match="data_range"):
        ssim(observations, ensemble)


@every_kind
@pytest.mark.parametrize("threshold", [0.1, 2.0])
@pytest.mark.parametrize("scale", [1, 4, 9])
def test_fss_equals_scores(kind, threshold, scale):
    oracle = pytest.importorskip("scores.spatial")
    observations, ensemble = sample(kind, shape=SHAPE)
    member = ensemble.isel(member=0)
    expected = oracle.fss_2d(
        member,
        observations,
        event_threshold=threshold,
        window_size=(scale, scale),
        spatial_dims=("y", "x"),
        threshold_operator=np.greater_equal,
    )
    np.testing.assert_allclose(fss(observations, member, thresholds=threshold, scales=scale), expected)


def fss_by_hand(observations, probabilities, known, scale):
    """Loops over windows; shares of the known cells."""
    squared = reference = 0.0
    for frame in range(len(observations)):
        for i in range(observations.shape[1] - scale + 1):
            for j in range(observations.shape[2] - scale + 1):
                here = (frame, slice(i, i + scale), slice(j, j + scale))
                if known[here].any():
                    o, f = observations[here][known[here]].mean(), probabilities[here][known[here]].mean()
                    squared, reference = squared + (f - o) ** 2, reference + f**2 + o**2
    return 1 - squared / reference


@pytest.mark.parametrize("scale", [1, 3])
def test_fss_of_an_ensemble_and_missing_values_by_hand(scale):
    observations, ensemble = sample()
    holed = observations.copy()
    holed[0, 2:5, 3:9] = np.nan
    holed[1, 0, 0] = np.nan
    known = holed.notnull().values
    expected = fss_by_hand(holed.values >= 1, (ensemble >= 1).mean("member").values, known, scale)
    np.testing.assert_allclose(fss(holed, ensemble, thresholds=1, scales=scale, skipna=True), expected)


def test_fss_of_a_shift_grows_with_the_scale():
    truth = label(np.zeros((1, 40, 40)), ("time", "y", "x"))
    truth[0, 15:20, 15:20] = 5
    found = fss(truth, truth.roll(x=5, roll_coords=False), thresholds=[1, 9], scales=[1, 5, 11, 21])
    assert found.dims == ("threshold", "scale")
    at_one = found.sel(threshold=1)
    assert at_one.sel(scale=1) == 0
    assert (at_one.diff("scale") > 0).all()
    assert found.sel(threshold=9).isnull().all()
    np.testing.assert_allclose(fss(truth, truth, thresholds=1, scales=3), 1)


def test_fss_weighs_frames_and_keeps_dims():
    observations, ensemble = sample()
    by_frame = fss(observations, ensemble, thresholds=1, scales=3, dim=("y", "x"))
    assert by_frame.dims == ("time",)
    last = xr.DataArray([0.0, 0.0, 2.0], dims="time")
    np.testing.assert_allclose(fss(observations, ensemble, thresholds=1, scales=3, weights=last), by_frame[2])


@pytest.mark.parametrize("scale", [0, 13])
def test_fss_windows_fit(scale):
    observations, ensemble = sample()
    with pytest.raises((DimensionError, ValueRangeError), match=r"do not fit|whole numbers"):
        fss(observations, ensemble, thresholds=1, scales=scale)
