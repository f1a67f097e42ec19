"""``xdownscale info FILE``: what was understood of a file, which pretrained models fit it, and what is missing."""

from __future__ import annotations

from math import ceil, floor
from pathlib import Path
from typing import Any, Final

import xarray as xr

from xdownscale import zoo
from xdownscale.cli.files import MODEL, chosen, opened
from xdownscale.errors import DimensionError, TimeAxisError, XDownscaleError
from xdownscale.field.axes import Axes
from xdownscale.field.change import field_of, fields_of
from xdownscale.field.compare import check_same
from xdownscale.field.factors import Factors
from xdownscale.field.grid import describe
from xdownscale.field.labels import has_labels
from xdownscale.field.quantity import TIME_METHODS, Quantity, quantity_of, read_quantity
from xdownscale.field.summary import pieces, summary
from xdownscale.field.times import check_times
from xdownscale.models.scale import Scale, scale_of

_FACTORS: Final = Factors.parse(1, 1)

TINY: Final = 1e-6
"""Share of a cell that spacings may be off."""


def info(file: str, /, *, variable: str | None = None) -> str:
    """Say what was understood of a file, which pretrained models fit it, and what is missing.

    Parameters
    ----------
    file
        A file of fields, or a model.
    variable
        Name of one field. All that are on y and x are shown without.
    """
    if Path(file).suffix in MODEL:
        from xdownscale.models.downscaler import load

        return repr(load(file))
    with opened(file) as dataset:
        part = chosen(dataset, variable)
        found = fields_of(part, None)
        if not found:
            names, known = [*map(str, dataset.data_vars)], [*map(str, dataset.dims)]
            msg = (
                f"{file!r} has no field with y and x among {names}: its dimensions are {known}. Name "
                "those of a field when you use it, as in --dims y=south_north x=west_east."
            )
            raise DimensionError(msg)
        return "\n\n".join(_told(field_of(part, name), axes) for name, axes in found.items())


def _told(field: xr.DataArray, axes: Axes) -> str:
    """All about one field."""
    rows = {name: [value] for name, value in summary(field).items()}
    rows["models"] = [*_models(field, axes)]
    rows["missing"] = _missing(field, axes) or ["nothing"]
    lines = [str(field.name)]
    for name, values in rows.items():
        lines += [f"  {name if number == 0 else '':<8} {value}" for number, value in enumerate(values)]
    return "\n".join(lines)


def _models(field: xr.DataArray, axes: Axes) -> list[str]:
    """A line for every pretrained model."""
    quantity = quantity_of(field, axes.time)
    try:
        first = field if axes.time is None else field.isel({axes.time: pieces(field, axes)[0]})
        scale = scale_of(describe(first, axes), field.coords, _FACTORS)
    except XDownscaleError:
        scale = Scale()
    return [f"{name}: {_fit(entry, quantity, scale)}" for name, entry in zoo.registry().items()]


def _fit(entry: dict[str, Any], quantity: Quantity, scale: Scale) -> str:
    """Whether a model refines a quantity at a scale, and by which factors."""
    standard = str(entry["variable"])
    try:
        check_same(quantity, read_quantity(standard, {"standard_name": standard}), whose="it refines")
    except XDownscaleError:
        return f"no, it refines {standard}"
    if quantity.subject is None:
        return f"if this is {standard}: the file does not say"
    least, most = zip(*(_pair(entry["spatial"]), _pair(entry["temporal"])), strict=True)
    learned = zip((scale.km, scale.minutes), ("km", "minutes"), least, most, strict=True)
    fits = [_factors(size, _pair(entry[key]), low, high) for size, key, low, high in learned]
    scales = f"fine cells of {_range(entry['km'])} km and fine steps of {_range(entry['minutes'])} minutes"
    if None in fits:
        return f"no, it was trained on other scales: {scales}"
    return f"spatial {_range(fits[0])}, temporal {_range(fits[1])} ({scales})"


def _factors(
    size: float | None, learned: tuple[float, float], least: int, most: int
) -> tuple[int, int] | None:
    """The factors that lead from the size of a coarse cell or step to those that a model has learned.

    >>> _factors(10.0, (1.0, 8.0), 1, 25), _factors(0.5, (1.0, 8.0), 1, 25), _factors(None, (1.0, 8.0), 1, 25)
    ((2, 10), None, (1, 25))
    """
    if size is None:
        return least, most
    low = max(least, ceil(size / (learned[1]) - TINY))
    high = min(most, floor(size / learned[0] + TINY))
    return (low, high) if low <= high else None


def _pair(value: Any) -> tuple[Any, Any]:
    """Bounds, or one value as both."""
    first, last = value if isinstance(value, list) else (value, value)
    return first, last


def _range(value: Any) -> str:
    """``1 to 8``, or one number."""
    first, last = value if isinstance(value, (list, tuple)) else (value, value)
    return f"{first:g}" if first == last else f"{first:g} to {last:g}"


def _missing(field: xr.DataArray, axes: Axes) -> list[str]:
    """What the file does not say and the verbs need, with the remedy."""
    quantity = quantity_of(field, axes.time)
    lacks = []
    if quantity.units is None:
        lacks.append("units, as in field.attrs['units'] = 'mm h-1'")
    if quantity.subject is None:
        lacks.append("the quantity, as in field.attrs['standard_name'] = 'rainfall_rate'")
    if quantity.time not in TIME_METHODS:
        lacks.append("how time is merged, as in field.attrs['cell_methods'] = 'time: mean'")
    if axes.time is None:
        lacks.append("a time dimension: models refine space and time")
    elif not _has_times(field, axes.time):
        lacks.append(f"times along {axes.time}, as CF or datetime64 coordinates")
    lacks += [f"coordinates along {dim}" for dim in axes.spatial if not has_labels(field, dim)]
    if "gaps" in summary(field):
        lacks.append("some steps: pass --gaps split to treat every contiguous piece on its own")
    return lacks


def _has_times(field: xr.DataArray, time: str) -> bool:
    """Whether a dimension has a coordinate that holds times."""
    try:
        return check_times(field, time)
    except TimeAxisError:
        return False
