"""Predictors to learn with: fields of other variables, on the grid of the targets or on the coarse one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.change import field_of, fields_of
from xdownscale.field.grid import coarsen_coords
from xdownscale.field.predictors import laid_on, named_predictors, picked, places_of, roles

if TYPE_CHECKING:
    from xdownscale.field.axes import Axes
    from xdownscale.field.factors import Factors

Predictors: TypeAlias = "xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray] | Sequence[str] | None"
"""What a user passes: fields, or names of some in the Dataset with the targets."""


@dataclass(frozen=True)
class Given:
    """A predictor as it was given.

    Parameters
    ----------
    name : str
    field : DataArray
    """

    name: str
    field: xr.DataArray

    def on_grid(
        self, target: xr.DataArray, axes: Axes, factors: Factors, dims: Mapping[str, str] | None
    ) -> tuple[xr.DataArray, bool]:
        """The predictor (time, y, x) on the cells of the target, and whether it was coarse along any dimension.

        Values of coarse cells are repeated: their block means are what they were.

        Parameters
        ----------
        target : DataArray, dims (time, y, x)
        axes : Axes
            Its dimensions.
        factors : Factors
        dims : mapping or None
        """
        wide = _factors(axes, factors)
        sizes = {dim: target.sizes[dim] // by for dim, by in wide.items()}
        whole = target.isel({dim: slice(sizes[dim] * by) for dim, by in wide.items()})
        coarse = xr.Dataset(coords=coarsen_coords(whole, axes, factors))
        coarse = coarse.assign({"cells": (list(sizes), np.empty(tuple(sizes.values())))})
        field = self._in_time(target, axes)
        places, finer = {}, {}
        for own, dim in roles(self.name, field, axes, dims):
            place = places_of(field, own, target, dim)
            if place is None:
                place = places_of(field, own, coarse, dim)
                finer[dim] = wide[dim]
            places[own] = (dim, place)
        if any(place is None for _, place in places.values()):
            laid_on(self.name, field, target, axes, dims)  # says what is wrong
        laid = picked(field, places).load().rename(self.name)
        for dim, by in finer.items():
            laid = _repeated(laid, dim, by, target.sizes[dim])
        return laid.transpose(*target.dims), any(by > 1 for by in finer.values())

    def _in_time(self, target: xr.DataArray, axes: Axes) -> xr.DataArray:
        """The predictor of a target of a single step, which may have no times."""
        alone = axes.time is not None and target.sizes[axes.time] == 1 and self.field.ndim == 2
        return self.field.expand_dims(axes.time) if alone else self.field


def predictors_of(
    event: xr.DataArray | xr.Dataset, given: Predictors, dims: Mapping[str, str] | None
) -> dict[str, Given]:
    """The predictors of an event by name.

    Parameters
    ----------
    event : DataArray or Dataset
        The fields to learn.
    given : DataArray, Dataset, mapping, sequence of str or None
        The predictors, or names of some in the event.
    dims : mapping or None

    Raises
    ------
    DimensionError
        For a name that the event does not have, or anything else.
    """
    if given is None or isinstance(given, (xr.DataArray, xr.Dataset, Mapping)):
        fields = named_predictors(cast("xr.Dataset | None", given), dims)
        return {name: Given(name, each) for name, each in fields.items()}
    names: Any = given
    if (
        isinstance(names, str)
        or not isinstance(names, Iterable)
        or not all(isinstance(n, str) for n in names)
    ):
        msg = (
            f"predictors={given!r} is not accepted: pass a Dataset of coarse fields, or names of variables of the "
            f'Dataset with the targets, as in predictors=["psl", "hurs"].'
        )
        raise DimensionError(msg)
    there = fields_of(event, dims) if isinstance(event, xr.Dataset) else {}
    missing = [name for name in given if name not in there]
    if missing:
        msg = (
            f"predictors={list(given)}: the field to learn from has no {missing} (it has {[*map(str, there)]}). Pass "
            f"them as a Dataset, predictors=dataset."
        )
        raise DimensionError(msg)
    return {name: Given(name, field_of(cast("xr.Dataset", event), name)) for name in given}


def _factors(axes: Axes, factors: Factors) -> dict[str, int]:
    """Factors by dimension."""
    time = {} if axes.time is None else {axes.time: factors.time}
    return {**time, axes.y: factors.y, axes.x: factors.x}


def _repeated(field: xr.DataArray, dim: str, by: int, size: int) -> xr.DataArray:
    """Every entry along a dimension as often as a coarse one has fine ones; the last beyond the last whole one."""
    places = np.minimum(np.arange(size) // by, field.sizes[dim] - 1)
    return field.isel({dim: places})
