"""Sizes that factors divide: checked, trimmed or padded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, overload

import numpy as np
import xarray as xr

from xdownscale.errors import ArgumentError, FactorError
from xdownscale.field.bounds import find_bounds
from xdownscale.field.labels import Source, has_labels, label_of, labels_of
from xdownscale.field.space import spacing
from xdownscale.field.times import tick_step, to_ticks

if TYPE_CHECKING:
    from xdownscale.field.axes import Axes
    from xdownscale.field.factors import Factors

BOUNDARIES: Final = ("exact", "trim", "pad")


@overload
def fit(field: xr.DataArray, axes: Axes, factors: Factors, boundary: str = ...) -> xr.DataArray: ...
@overload
def fit(field: Source, axes: Axes, factors: Factors, boundary: str = ...) -> Source: ...
def fit(field: Source, axes: Axes, factors: Factors, boundary: str = "exact") -> Source:
    """A field whose sizes are multiples of the factors.

    Parameters
    ----------
    field : DataArray or Dataset
        Any field.
    axes : Axes
        Its dimensions.
    factors : Factors
        Cells and steps per block.
    boundary : str
        What to do with a last incomplete block: ``"exact"`` raises, ``"trim"`` drops it, ``"pad"`` fills it
        with missing values.

    Raises
    ------
    ArgumentError
        If a size is not a multiple and `boundary` is ``"exact"``, or nothing would be left.
    """
    check_boundary(boundary)
    sizes = {axes.y: factors.y, axes.x: factors.x} | ({axes.time: factors.time} if axes.time else {})
    for dim, factor in sizes.items():
        if dim not in field.dims:  # the grid of a Dataset has no dimension without labels
            continue
        rest = field.sizes[dim] % factor
        if rest == 0:
            continue
        if boundary == "exact" or (boundary == "trim" and field.sizes[dim] < factor):
            raise FactorError(_not_divided(dim, field.sizes[dim], factor))
        if boundary == "trim":
            field = field.isel({dim: slice(0, field.sizes[dim] - rest)})
        else:
            field = _pad(field, dim, factor - rest, is_time=dim == axes.time)
    return field


def check_boundary(boundary: str) -> None:
    """Raise where `boundary` is none of the known words."""
    if boundary not in BOUNDARIES:
        msg = f"boundary={boundary!r} is unknown. Pass one of {BOUNDARIES}."
        raise ArgumentError(msg)


def _not_divided(dim: str, size: int, factor: int) -> str:
    """Say by how much the size is off, and the ways out."""
    if size < factor:
        return (
            f"the field has {size} cells along {dim!r}, fewer than the factor {factor}. "
            f"Use a smaller factor or a larger field, or pass boundary='pad'."
        )
    rest = size % factor
    return (
        f"the field has {size} cells along {dim!r}, which {factor} does not divide. Cut it, "
        f"field.isel({dim}=slice(0, {size - rest})), or pass boundary='trim' (drops the last {rest}) "
        f"or boundary='pad' (adds {factor - rest} missing)."
    )


def _pad(field: Source, dim: str, count: int, *, is_time: bool) -> Source:
    """Add missing cells at the end of a dimension; its labels and bounds go on evenly."""
    along = {name: field.coords[name].variable for name in field.coords if dim in field.coords[name].dims}
    padded = field.drop_vars(along).pad({dim: (0, count)})
    label = label_of(field, dim)
    coords = {name: coordinate.pad({dim: (0, count)}) for name, coordinate in along.items() if name != label}
    if label is not None:
        ahead = _ahead_in_time(field, dim, count) if is_time else _ahead_in_space(field, dim, count)
        coords |= {name: _extend(along[name], dim, values) for name, values in ahead.items()}
    return padded.assign_coords(coords)


def _ahead_in_space(field: Source, dim: str, count: int) -> dict[str, np.ndarray]:
    """Labels and bounds of `count` more cells."""
    if not has_labels(field, dim):
        return {}
    further = spacing(field, dim) * np.arange(1, count + 1)
    found = find_bounds(field, dim)
    label = labels_of(field, dim)
    more = {str(label.name): label.values[-1] + further}
    if found is None:
        return more
    ahead = found.values[-1] + further[:, None]
    return more | {found.name: ahead[:, ::-1] if found.turned else ahead}


def _ahead_in_time(field: Source, dim: str, count: int) -> dict[str, np.ndarray]:
    """Labels and bounds of `count` more steps."""
    step = tick_step(field, dim)
    if step is None:
        msg = f"{dim!r} has one label and no bounds, so the next label is unknown. Pass boundary='exact' or more steps."
        raise FactorError(msg)
    further = step * np.arange(1, count + 1)
    label = labels_of(field, dim)
    ticks, decode, _ = to_ticks(label.values)
    found = find_bounds(field, dim)
    more = {str(label.name): decode(ticks[-1] + further)}
    if found is not None:
        last, decode, _ = to_ticks(found.values[-1])
        ahead = decode(last + further[:, None])
        more[found.name] = ahead[:, ::-1] if found.turned else ahead
    return more


def _extend(coordinate: xr.Variable, dim: str, values: np.ndarray) -> xr.Variable:
    """A coordinate with more values at its end."""
    both = np.concatenate([coordinate.values, values.astype(coordinate.dtype)])
    return xr.Variable((dim, *coordinate.dims[1:]), both, dict(coordinate.attrs))
