import numpy as np
import pytest

from tests.metrics.samples import every_kind, missing, sample
from tests.support import raise_if_dask_computes
from xdownscale.metrics import minkowski_error, minkowski_functionals

measure = pytest.importorskip("skimage.measure")


def expected(frame, threshold):
    mask = np.pad(frame >= threshold, 1)
    return np.array(
        [
            mask.sum(),
            measure.perimeter_crofton(mask, directions=4),
            measure.euler_number(mask, connectivity=1),
        ]
    )


@every_kind
def test_functionals_equal_scikit_image(kind):
    observations, ensemble = sample(kind)
    found = minkowski_functionals(observations, thresholds=[0.5, 2], dim=())
    for t, threshold in enumerate([0.5, 2]):
        for i, frame in enumerate(observations.values):
            np.testing.assert_allclose(found.isel(time=i, threshold=t), expected(frame, threshold))
    members = np.mean([expected(f, 2) for f in ensemble.values.reshape(-1, 12, 16)], axis=0)
    truth = np.mean([expected(f, 2) for f in observations.values], axis=0)
    error = minkowski_error(observations, ensemble, thresholds=2)
    np.testing.assert_allclose(error, members - truth)
    assert list(error.functional.values) == ["area", "perimeter", "euler_characteristic"]


def test_frames_with_holes_are_left_out():
    observations, _ = sample()
    holed = observations.copy()
    holed[1, 2, 3] = np.nan
    found = minkowski_functionals(holed, thresholds=1, skipna=True)
    np.testing.assert_allclose(found, minkowski_functionals(observations.isel(time=[0, 2]), thresholds=1))
    assert minkowski_functionals(missing(observations), thresholds=1).isnull().all()


def test_functionals_are_lazy():
    observations, _ = sample()
    with raise_if_dask_computes():
        lazy = minkowski_functionals(observations.chunk(time=1, x=5), thresholds=[1])
    np.testing.assert_allclose(lazy.compute(), minkowski_functionals(observations, thresholds=[1]))
