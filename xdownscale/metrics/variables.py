"""Matching fields of two Datasets, without bounds, grid mappings and coordinates."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeAlias

import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.change import with_grid_as_coords
from xdownscale.field.labels import is_latitude, is_longitude

Source: TypeAlias = xr.DataArray | xr.Dataset

_POINTING = ("cell_measures", "ancillary_variables", "coordinates", "climatology")
"""Attributes, besides bounds and grid mappings, that name variables describing a field."""

_VERTICES = {"bnds", "bounds", "bound", "nbnd", "nbnds", "tbnds", "nv", "nvertex", "vertex", "vertices"}
"""Dimensions that count the edges or corners of a cell."""


def scored_fields(source: Source) -> dict[Hashable, xr.DataArray]:
    """The fields of a Dataset that can be scored, by name; a DataArray is one field.

    Parameters
    ----------
    source : DataArray or Dataset

    Examples
    --------
    >>> rain = xr.DataArray([[0.0]], dims=("y", "x"), attrs={"grid_mapping": "crs"})
    >>> list(scored_fields(xr.Dataset({"rain": rain, "crs": 0, "y_bnds": (("y", "bnds"), [[0.0, 1.0]])})))
    ['rain']
    """
    if isinstance(source, xr.DataArray):
        return {"field" if source.name is None else source.name: source}
    dataset = with_grid_as_coords(source)
    beside = _described_by(dataset) | {f"{d}{end}" for d in dataset.dims for end in ("_bnds", "_bounds")}
    return {
        name: field
        for name, field in dataset.data_vars.items()
        if field.ndim and field.dtype.kind in "fiub" and name not in beside and not _is_of_grid(field)
    }


def shared_fields(observations: Source, forecasts: Iterable[Source]) -> list[Hashable]:
    """Names of the fields that observations and all forecasts have.

    If forecasts are single fields of another name, this is the only field of the observations.

    Raises
    ------
    DimensionError
        If there are none.
    """
    every = list(forecasts)
    ours, theirs = scored_fields(observations), [scored_fields(each) for each in every]
    shared = [name for name in ours if all(name in fields for fields in theirs)]
    single = all(isinstance(each, xr.DataArray) for each in every)
    if not shared and single and len(ours) == 1:
        return list(ours)
    if not shared:
        first = next((fields for fields in theirs if not set(fields) & set(ours)), theirs[0])
        names = [str(next(iter(fields), "rain")) for fields in (first, ours)]
        msg = (
            f"no variable is in both: observations have {list(map(str, ours))}, forecasts {list(map(str, first))}. "
            f'Choose them: evaluate(observations["{names[1]}"], forecasts["{names[0]}"]), or rename: '
            f'forecasts.rename({{"{names[0]}": "{names[1]}"}}).'
        )
        raise DimensionError(msg)
    return shared


def field_of(source: Source, name: Hashable) -> xr.DataArray:
    """The field of a Dataset with this name, with its grid mapping; a DataArray is returned unchanged."""
    return source if isinstance(source, xr.DataArray) else scored_fields(source)[name]


def _described_by(dataset: xr.Dataset) -> set[str]:
    """Names that attributes of fields point to."""
    sources: list[Mapping[Hashable, object]] = []
    for variable in dataset.variables.values():
        sources += [variable.attrs, variable.encoding]
    return {word for source in sources for key in _POINTING for word in str(source.get(key, "")).split()}


def _is_of_grid(field: xr.DataArray) -> bool:
    """Whether a variable holds latitudes, longitudes, edges or corners."""
    return bool(_VERTICES & set(field.dims)) or is_latitude(field) or is_longitude(field)
