import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import every_kind, missing, sample
from tests.support import globe, raise_if_dask_computes
from xdownscale.errors import DimensionError, ValueRangeError
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


def test_pieces_and_holes_are_those_of_labels():
    observations, _ = sample("random")
    for connectivity in (4, 8):
        found = minkowski_functionals(
            observations, thresholds=[0.5, 2], dim=(), connectivity=connectivity, components=True
        )
        for i, frame in enumerate(observations.values):
            for t, threshold in enumerate([0.5, 2]):
                mask = frame >= threshold
                around = np.pad(~mask, 1, constant_values=True)
                wanted = [
                    measure.label(mask, connectivity=connectivity // 4).max(),
                    measure.label(around, connectivity=3 - connectivity // 4).max() - 1,
                ]
                place = found.isel(time=i, threshold=t)
                np.testing.assert_array_equal(place.sel(functional=["components", "holes"]), wanted)
                assert place.sel(functional="euler_characteristic") == wanted[0] - wanted[1]


def test_sizes_of_cells():
    observations, _ = sample()
    plain = minkowski_functionals(observations, thresholds=1)
    scaled = minkowski_functionals(observations, thresholds=1, cell_size=2.0)
    np.testing.assert_allclose(scaled / plain, [4, 2, 1])
    for perimeter in ("crofton", "crofton2", "edges"):
        tall = minkowski_functionals(observations, thresholds=1, cell_size=(3.0, 1.0), perimeter=perimeter)
        placed = observations.assign_coords(y=3.0 * np.arange(12), x=np.arange(16.0))
        of_grid = minkowski_functionals(placed, thresholds=1, cell_size="grid", perimeter=perimeter)
        np.testing.assert_allclose(of_grid, tall)


def test_the_globe_has_its_area_and_bands_their_length():
    field = globe((90, 180)) * 0 + 1
    area, length, _ = minkowski_functionals(field, thresholds=1, cell_size="grid", perimeter="edges")
    np.testing.assert_allclose(area, 4 * np.pi * 6371.0**2, rtol=1e-6)
    np.testing.assert_allclose(length, 2 * np.pi * 6371.0, rtol=1e-6)  # the cut along the date line, twice
    band = field.where(abs(field.lat) < 30, 0)
    _, length, _ = minkowski_functionals(band, thresholds=1, cell_size="grid", perimeter="edges")
    circles = 2 * 2 * np.pi * 6371.0 * np.cos(np.deg2rad(30)) + 2 * 6371.0 * np.deg2rad(60)
    np.testing.assert_allclose(length, circles, rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"perimeter": "fractal"}, "crofton"),
        ({"connectivity": 6}, "4 or 8"),
        ({"cell_size": -1.0}, "cell_size"),
        ({"cell_size": "km"}, "grid"),
        ({"cell_size": (1, 2, 3)}, "cell_size"),
    ],
)
def test_wrong_arguments_name_the_right_ones(wrong, word):
    observations, _ = sample()
    with pytest.raises(ValueRangeError, match=word):
        minkowski_functionals(observations, thresholds=1, **wrong)


def test_sizes_of_the_grid_need_a_grid():
    bare = xr.DataArray(np.ones((3, 3)), dims=("y", "x"))
    with pytest.raises(DimensionError, match="cell_size"):
        minkowski_functionals(bare, thresholds=1, cell_size="grid")
    uneven = bare.assign_coords(y=[0.0, 1, 2], x=[0.0, 1, 4])
    with pytest.raises(DimensionError, match="wide"):
        minkowski_functionals(uneven, thresholds=1, cell_size="grid")
