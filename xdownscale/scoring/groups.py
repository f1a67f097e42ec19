"""Parts of the cases of a field: steps of a season, of a place in the coarse step, cells of a region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.field.axes import find_axes

Group: TypeAlias = str | int | np.integer[Any] | xr.DataArray
"""A coordinate or part of the date by name, the number of fine steps in a coarse one, or a label for every case."""

By: TypeAlias = str | xr.DataArray | Sequence[str | xr.DataArray] | Mapping[str, Group] | None
"""One grouping or several; in a mapping by the name of the dimension that they become."""

Region: TypeAlias = xr.DataArray | Mapping[str, xr.DataArray] | None
"""One mask, several along a dimension of their own (as regionmask makes them), or several by name."""

OWN = ("model", "scale", "block", "resample", "rank", "percentile", "threshold")
"""Dimensions that scores get of their own."""

DATES = ("year", "season", "month", "day", "dayofyear", "dayofweek", "hour", "minute")
"""Parts of a date that steps are grouped by."""

_SEASONS = ("DJF", "MAM", "JJA", "SON")

_MOST = 400
"""More groups than this are a mistake: labels that hardly repeat."""


@dataclass(frozen=True)
class Part:
    """Which cases belong to a part.

    Attributes
    ----------
    steps : mapping of str to ndarray of bool
        Along dimensions: what is cut out.
    mask : DataArray of bool, or None
        Over several dimensions: what is made missing elsewhere.
    """

    steps: Mapping[str, np.ndarray] = field(default_factory=dict)
    mask: xr.DataArray | None = None

    @property
    def empty(self) -> bool:
        """Whether no case belongs to it."""
        return any(not keep.any() for keep in self.steps.values())

    def joined(self, other: Part) -> Part:
        """Cases that belong to both."""
        steps = dict(self.steps)
        for dim, keep in other.steps.items():
            steps[dim] = steps[dim] & keep if dim in steps else keep
        masks = [mask for mask in (self.mask, other.mask) if mask is not None]
        mask = masks[0] & masks[1] if len(masks) == 2 else masks[0] if masks else None
        return Part(steps, mask)

    def cut(self, values: xr.DataArray, *, masked: bool = True) -> xr.DataArray:
        """The part of a field; of weights, with ``masked=False``, only what is cut out."""
        at = {dim: np.flatnonzero(keep) for dim, keep in self.steps.items() if dim in values.dims}
        values = values.isel(at) if at else values
        if self.mask is None or not masked:
            return values
        here = {dim: place for dim, place in at.items() if dim in self.mask.dims}
        return values.where(self.mask.isel(here) if here else self.mask)


@dataclass(frozen=True)
class Level:
    """A new dimension of the scores: its labels, and the part of each.

    Attributes
    ----------
    label : DataArray
        The coordinate, whose name is that of the dimension.
    parts : tuple of Part
    """

    label: xr.DataArray
    parts: tuple[Part, ...]


def each(levels: Sequence[Level]) -> Iterator[Part]:
    """Parts of all combinations of labels, the last dimension fastest."""
    for chosen in product(*(level.parts for level in levels)):
        part = Part()
        for one in chosen:
            part = part.joined(one)
        yield part


def levels_of(by: By, region: Region, cases: xr.DataArray) -> tuple[list[Level], Part]:
    """The groupings as new dimensions, and the one region that makes no dimension.

    Parameters
    ----------
    by, region
        As in :func:`xdownscale.evaluate`.
    cases : DataArray
        The observations.

    Raises
    ------
    DimensionError
        If labels or masks do not lie on the observations.
    ValueRangeError
        If a grouping is not known, or no case is in a region.
    """
    groups = _named(by)
    if len({name for name, _ in groups}) < len(groups):
        names = [name for name, _ in groups]
        msg = f"two groupings have the same name: {names}. Name them: by={{'first': ..., 'second': ...}}."
        raise ValueRangeError(msg)
    levels = [_group(name, group, cases) for name, group in groups]
    if region is None:
        return levels, Part()
    every = region.values() if isinstance(region, Mapping) else [region]
    if not _are_masks(every):
        msg = (
            f"region is a {type(region).__name__}; pass a DataArray that is true in the region, as in "
            f'region=observations.lat > 45, or several by name, region={{"north": ..., "south": ...}}.'
        )
        raise ValueRangeError(msg)
    if isinstance(region, xr.DataArray) and set(region.dims) <= set(cases.dims):
        return levels, _of_mask(region, cases, "region")
    level = _regions(region, cases)
    taken = [str(known.label.name) for known in levels] + [str(d) for d in cases.dims]
    if level.label.name in taken:
        msg = f"there are two dimensions {level.label.name!r}. Rename the masks: masks.rename(...)."
        raise DimensionError(msg)
    return [*levels, level], Part()


def _are_masks(masks: Iterable[object]) -> bool:
    """Whether there are masks, and each is a DataArray."""
    every = list(masks)
    return bool(every) and all(isinstance(mask, xr.DataArray) for mask in every)


def pooled(part: Part, means: Callable[[xr.DataArray], xr.DataArray]) -> Part:
    """The part on blocks of cells: a block belongs to it if at least half of its cells do."""
    steps = {
        dim: means(xr.DataArray(keep.astype(float), dims=dim)).values >= 0.5
        for dim, keep in part.steps.items()
    }
    return Part(steps, None if part.mask is None else means(part.mask.astype(float)) >= 0.5)


def stacked(parts: Sequence[xr.Dataset], labels: Sequence[xr.DataArray]) -> xr.Dataset:
    """Scores of all combinations of labels, the last label fastest, along dimensions of their own."""
    order = max(parts, key=lambda part: len(part.data_vars)).data_vars
    for label in reversed(labels):
        groups = [parts[n : n + label.size] for n in range(0, len(parts), label.size)]
        parts = [
            xr.concat(
                group, label, join="outer", combine_attrs="drop_conflicts", data_vars="all", coords="minimal"
            )
            for group in groups
        ]
    names = ["model", *(str(label.name) for label in labels)]
    return parts[0][list(order)].transpose(*names, ..., missing_dims="ignore")


def _named(by: Any) -> list[tuple[str, Group]]:
    """Groupings with the names of their dimensions."""
    if by is None:
        return []
    if isinstance(by, Mapping):
        return [(str(name), group) for name, group in by.items()]
    every = list(by) if isinstance(by, Sequence) and not isinstance(by, str) else [by]
    named: list[tuple[str, Group]] = []
    for one in every:
        if not isinstance(one, str | xr.DataArray):
            msg = f'by={by!r} is not a grouping. Pass by="season", a named DataArray of labels, or by={{"lead": 3}}.'
            raise ValueRangeError(msg)
        name = one if isinstance(one, str) else one.name
        if name is None:
            msg = 'labels to group by need a name. Pass by={"weather": labels}, or labels.rename("weather").'
            raise ValueRangeError(msg)
        named.append((str(name).rsplit(".", 1)[-1], one))
    return named


def _group(name: str, group: Any, cases: xr.DataArray) -> Level:
    """A grouping as a dimension."""
    if isinstance(group, int | np.integer):
        labels = _places(name, int(group), cases)
    elif isinstance(group, str):
        labels = _by_name(group, cases)
    elif isinstance(group, xr.DataArray):
        labels = _fitted(group, cases, name)
    else:
        msg = (
            f'by={{{name!r}: {group!r}}} is not a grouping. Pass by="season", by={{"lead": 3}} for the place in coarse '
            f"steps of 3, or a DataArray of labels."
        )
        raise ValueRangeError(msg)
    if name in (*cases.dims, *OWN):
        msg = (
            f"the field or its scores have the dimension {name!r} already. Name the grouping: "
            f"by={{'{name}_group': ...}}; or average over less with dim=..."
        )
        raise DimensionError(msg)
    values = _labels(labels)
    if not 0 < len(values) <= _MOST:
        msg = (
            f"by={name!r} makes {len(values)} groups of {labels.size} labels. Pass labels that repeat, for "
            f"example by='season'."
        )
        raise ValueRangeError(msg)
    parts = [_of_mask(labels == value, cases, name) for value in values]
    attrs = {key: text for key, text in labels.attrs.items() if key in ("long_name", "units")}
    return Level(xr.DataArray(values, dims=name, name=name, attrs=attrs), tuple(parts))


def _places(name: str, steps: int, cases: xr.DataArray) -> xr.DataArray:
    """Place of each fine step in its coarse step, from 0."""
    time = str(find_axes(cases, need_time=True).time)
    if steps < 1 or cases.sizes[time] % steps:
        msg = (
            f"by={{{name!r}: {steps}}} cuts the {cases.sizes[time]} steps into coarse steps of {steps} fine ones, "
            f"which leaves a remainder. Pass the temporal factor, and fields of whole coarse steps."
        )
        raise ValueRangeError(msg)
    places = np.arange(cases.sizes[time]) % steps
    return xr.DataArray(places, dims=time, attrs={"long_name": "fine step within the coarse step"})


def _by_name(name: str, cases: xr.DataArray) -> xr.DataArray:
    """Labels that the field carries: a coordinate, or a part of the date."""
    if name in cases.coords and name not in cases.dims:
        return cases[name].reset_coords(drop=True)
    coordinate, _, part = name.rpartition(".")
    time = coordinate or find_axes(cases).time
    if part in DATES and time in cases.coords:
        labels: xr.DataArray = getattr(cases[time].dt, part).reset_coords(drop=True)
        return labels.drop_vars(labels.coords)
    known = [str(c) for c in cases.coords if c not in cases.dims]
    msg = (
        f"by={name!r} is neither a part of the date {DATES} nor one of the coordinates {known}. Pass "
        f'by="season", by={{"lead": 3}} for the place in coarse steps of 3, or a DataArray of labels.'
    )
    raise ValueRangeError(msg)


def _labels(labels: xr.DataArray) -> np.ndarray:
    """The different labels, in order; missing ones belong nowhere."""
    values = np.asarray(labels.values).ravel()
    if values.dtype == object:
        values = np.array([str(value) for value in values if value is not None and value == value])  # noqa: PLR0124  NaN
    if values.dtype.kind in "fmM":
        values = values[~np.isnat(values) if values.dtype.kind in "mM" else ~np.isnan(values)]
    found = np.unique(values)
    if set(found.tolist()) <= set(_SEASONS):
        return np.array([season for season in _SEASONS if season in found])
    return found


def _regions(region: xr.DataArray | Mapping[str, xr.DataArray], cases: xr.DataArray) -> Level:
    """Masks as a dimension."""
    if isinstance(region, Mapping):
        parts = [_of_mask(mask, cases, str(name)) for name, mask in region.items()]
        return Level(xr.DataArray(list(region), dims="region", name="region"), tuple(parts))
    extra = [str(d) for d in region.dims if d not in cases.dims]
    if len(extra) > 1:
        msg = (
            f"the region masks have the dimensions {extra} beside those of the field {tuple(cases.dims)}; one at most "
            f"can count regions. Select with .isel(...), or rename."
        )
        raise DimensionError(msg)
    (dim,) = extra
    label = region["names"] if "names" in region.coords and region["names"].dims == (dim,) else None
    if label is None:
        label = region[dim] if dim in region.coords else xr.DataArray(np.arange(region.sizes[dim]), dims=dim)
    parts = [_of_mask(region.isel({dim: n}), cases, str(label.values[n])) for n in range(region.sizes[dim])]
    return Level(xr.DataArray(label.values, dims=dim, name=dim), tuple(parts))


def _of_mask(mask: xr.DataArray, cases: xr.DataArray, name: str) -> Part:
    """The part where a mask holds; its bounding box is cut out, so that rectangles have no missing cells."""
    mask = _fitted(mask, cases, name)
    inside = mask.fillna(0).astype(bool) if mask.dtype != bool else mask
    values = np.asarray(inside.values)
    if not values.any():
        msg = f"no case is in {name!r}: its mask is false everywhere. Check its coordinates, or leave it out."
        raise ValueRangeError(msg)
    steps: dict[str, np.ndarray] = {}
    for axis, dim in enumerate(inside.dims):
        along: np.ndarray = np.any(values, axis=tuple(a for a in range(values.ndim) if a != axis))
        if not along.all():
            steps[str(dim)] = along
    box = values[
        np.ix_(*(np.flatnonzero(steps.get(str(d), np.ones(inside.sizes[d], bool))) for d in inside.dims))
    ]
    return Part(steps, None if box.all() else inside)


def _fitted(labels: xr.DataArray, cases: xr.DataArray, name: str) -> xr.DataArray:
    """Labels or a mask on the dimensions, sizes and coordinates of the cases."""
    unknown = [str(d) for d in labels.dims if d not in cases.dims]
    if unknown or not labels.dims:
        msg = (
            f"{name!r} has the dimensions {tuple(labels.dims)}, the observations {tuple(cases.dims)}. Rename: "
            f'.rename(lat="y"), or select with .isel(...).'
        )
        raise DimensionError(msg)
    for dim in labels.dims:
        ours, theirs = cases.sizes[dim], labels.sizes[dim]
        both = dim in cases.indexes and dim in labels.indexes
        if ours != theirs or (both and not _same(cases.indexes[dim].values, labels.indexes[dim].values)):
            msg = (
                f"{name!r} and the observations do not match along {dim!r}: sizes {theirs} and {ours}. Put it on the "
                f'same grid: .reindex_like(observations, method="nearest").'
            )
            raise DimensionError(msg)
    return xr.DataArray(labels.values, dims=labels.dims, attrs=labels.attrs)


def _same(ours: Any, theirs: Any) -> bool:
    """Whether labels are equal, numbers up to rounding."""
    if ours.dtype.kind in "fiu" and theirs.dtype.kind in "fiu":
        return bool(np.allclose(ours, theirs, rtol=1e-6, atol=1e-6 * float(np.ptp(ours))))
    return bool(np.array_equal(ours, theirs))
