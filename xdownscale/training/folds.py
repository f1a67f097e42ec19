"""Cross-validation in space: tiles of a field, one of every row and of every column in each fold."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import xarray as xr

from xdownscale.errors import ArgumentError, DimensionError
from xdownscale.field.arguments import whole_number
from xdownscale.field.axes import find_axes
from xdownscale.field.change import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fold(NamedTuple):
    """One of the ways to part a field in tiles to learn from and tiles to judge by."""

    training: list[xr.DataArray | xr.Dataset]
    """For ``train(fold.training, ...)``."""
    validation: list[xr.DataArray | xr.Dataset]
    """For ``validation=fold.validation``: a tile of every row and of every column."""


def latin_square_folds(
    field: xr.DataArray | xr.Dataset, tiles: int = 4, *, dims: Mapping[str, str] | None = None
) -> list[Fold]:
    """Folds of a cross-validation in space, in which no place and no strip of land is learned and judged alike.

    The field is cut into tiles × tiles parts. In row i and column j lies a tile of fold (i + j) modulo tiles, a Latin
    square, so that every fold holds out one tile of each row and each column: north and south, and east and west, are
    in all folds alike. A network that has seen the topography of a place could otherwise know it by heart (Defez et al.
    2026, arXiv:2604.21903, section 4 and appendix 10).

    Parameters
    ----------
    field : DataArray or Dataset
        With y and x. Static fields are passed whole to :func:`xdownscale.train`, which takes their part of each tile.
    tiles : int
        Parts along y and along x, and folds. Tiles of an axis that it does not divide differ by a cell.
    dims : mapping, optional
        Dimension names by role, where they cannot be recognised.

    Returns
    -------
    list of Fold
        As many as there are parts along an axis; every tile is held out in one of them.

    Raises
    ------
    DimensionError
        If there is no field on y and x.
    ArgumentError
        For fewer than two parts, or fewer cells than parts.

    Examples
    --------
    >>> import xdownscale
    >>> folds = latin_square_folds(xdownscale.tutorial.rain((2, 40, 40)))
    >>> len(folds), len(folds[0].training), dict(folds[0].validation[0].sizes)
    (4, 12, {'time': 2, 'y': 10, 'x': 10})
    """
    count = whole_number(tiles, "tiles", least=2)
    y, x = _space(field, dims)
    for dim in (y, x):
        if field.sizes[dim] < count:
            msg = f"tiles={count}: the field has {field.sizes[dim]} cells along {dim!r}. Pass fewer tiles."
            raise ArgumentError(msg)
    rows, columns = (_parts(field.sizes[dim], count) for dim in (y, x))
    square = [[field.isel({y: row, x: column}) for column in columns] for row in rows]
    places = [(i, j) for i in range(count) for j in range(count)]
    return [
        Fold(
            [square[i][j] for i, j in places if (i + j) % count != fold],
            [square[i][j] for i, j in places if (i + j) % count == fold],
        )
        for fold in range(count)
    ]


def _space(field: xr.DataArray | xr.Dataset, dims: Mapping[str, str] | None) -> tuple[str, str]:
    """Names of y and x; of a Dataset those of its first field."""
    if isinstance(field, xr.DataArray):
        return find_axes(field, dims=dims).spatial
    found = [*fields_of(field, dims).values()]
    if not found:
        msg = 'the dataset has no field on y and x. Name its dimensions, dims={"y": ..., "x": ...}.'
        raise DimensionError(msg)
    return found[0].spatial


def _parts(size: int, count: int) -> list[slice]:
    """An axis in so many parts."""
    edges = [round(number * size / count) for number in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(edges)]
