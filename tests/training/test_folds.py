"""Folds in space: a tile of every row and column, disjoint, and together the field."""

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import rain
from xdownscale.errors import ArgumentError, DimensionError
from xdownscale.training import latin_square_folds


@pytest.mark.parametrize(("shape", "tiles"), [((1, 40, 40), 4), ((2, 13, 18), 3), ((1, 4, 4), 4)])
def test_each_fold_holds_out_one_tile_of_each_row_and_column_and_all_folds_the_field(shape, tiles):
    field = rain(shape)
    number = field.copy(data=np.arange(field.size).reshape(field.shape))
    folds = latin_square_folds(number, tiles)
    assert len(folds) == tiles
    for fold in folds:
        assert len({float(tile.y[0]) for tile in fold.validation}) == tiles
        assert len({float(tile.x[0]) for tile in fold.validation}) == tiles
        every = np.concatenate([tile.values.ravel() for tile in (*fold.training, *fold.validation)])
        np.testing.assert_array_equal(np.sort(every), np.arange(field.size))
    held_out = np.concatenate([tile.values.ravel() for fold in folds for tile in fold.validation])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(field.size))


def test_folds_are_what_train_takes():
    field = xdownscale.tutorial.rain((12, 64, 64), seed=2)
    fold = latin_square_folds(field, 2)[0]
    model = xdownscale.train(
        fold.training,
        4,
        3,
        method="median",
        recipe="small",
        steps=1,
        validation=fold.validation,
        progress=False,
    )
    assert model.provenance.scores["crps"] > 0
    with pytest.raises(DimensionError, match="no field"):
        latin_square_folds(xr.Dataset({"number": 1}))
    assert isinstance(latin_square_folds(xr.Dataset({"rain": field}))[0].training[0], xr.Dataset)


@pytest.mark.parametrize("tiles", [1, 100])
def test_no_folds_of_one_tile_or_of_less_than_a_cell(tiles):
    with pytest.raises(ArgumentError, match="tiles"):
        latin_square_folds(rain((1, 20, 20)), tiles)
