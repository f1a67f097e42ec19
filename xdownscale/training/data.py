"""All that a run learns from and is judged by, gathered from the user's fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import xarray as xr

from xdownscale.errors import FactorError
from xdownscale.field.arguments import is_number, share_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.static import named_static
from xdownscale.training.sources import (
    alike,
    as_list,
    magnitude,
    prepared,
    sources_of,
    split,
    standard_fields,
    transform_for,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xdownscale.field.axes import Axes
    from xdownscale.field.factors import Factors
    from xdownscale.field.quantity import Quantity
    from xdownscale.field.static import Static
    from xdownscale.models.generator import StaticField
    from xdownscale.models.transform import Transform
    from xdownscale.training.patches import Source
    from xdownscale.training.sources import Fields


@dataclass(frozen=True)
class TrainingData:
    """Fields made ready.

    Attributes
    ----------
    events : list of (DataArray, Axes)
        The fields to learn from, checked, in the units of the model.
    sources, held_out : list of Source
        Arrays to learn from and to judge by.
    products : tuple of str
        Names of the products, each once.
    transform : Transform
        From physical to latent values.
    static : tuple of StaticField
        What the static fields are standardised by.
    """

    events: list[tuple[xr.DataArray, Axes]]
    sources: list[Source]
    held_out: list[Source]
    products: tuple[str, ...]
    transform: Transform
    static: tuple[StaticField, ...]

    @property
    def quantity(self) -> Quantity:
        """What the fields measure."""
        field, axes = self.events[0]
        return quantity_of(field, axes.time)

    @property
    def magnitude(self) -> float:
        """A typical magnitude of the values."""
        return magnitude(self.sources, self.transform)


def gather(
    field: Fields,
    validation: float | Fields,
    *,
    factors: Factors,
    frames: int,
    styles: Sequence[str] | None,
    static: Static | None,
    dims: Mapping[str, str] | None,
) -> TrainingData:
    """Check fields and make arrays of them.

    Parameters
    ----------
    field, validation, styles, static, dims
        As in :func:`xdownscale.train`.
    factors : Factors
        What is to be learned.
    frames : int
        Coarse frames of a window: fewer are not held out.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, EmptyFieldError, FactorError
        Each with the call that mends it.
    """
    share = share_of(validation, "validation") if is_number(validation) else None
    judges = as_list(cast("Fields", validation), dims) if share is None else []
    events = [prepared(each, factors, dims) for each in as_list(field, dims)]
    first = quantity_of(events[0][0], events[0][1].time)
    events = alike(events, first, what="the field to learn from", whose="the first one measures")
    names, judge_names = _products(styles, len(events), len(judges))
    fields = named_static(static)
    standard = standard_fields(fields, events)

    def arrays(some: Sequence[tuple[xr.DataArray, Axes]], products: Sequence[str]) -> list[list[Source]]:
        pairs = zip(some, products, strict=True)
        return [sources_of(*event, fields, standard, style=name) for event, name in pairs]

    sources, held_out = split(arrays(events, names), share or 0.0, factors.time * frames)
    if share is None:
        own = alike(
            [prepared(each, factors, dims) for each in judges],
            first,
            what="the field of validation",
            whose="the fields to learn from measure",
        )
        held_out = [source for event in arrays(own, judge_names) for source in event]
    transform = transform_for([values for values, _ in events])
    return TrainingData(events, sources, held_out, tuple(dict.fromkeys(names)), transform, standard)


def _products(styles: Sequence[str] | None, count: int, judges: int) -> tuple[list[str], list[str]]:
    """A product for every field to learn from, and for every one to judge by."""
    if styles is None:
        return ["training"] * count, ["training"] * judges
    if isinstance(styles, str) or len(styles) not in (count, count + judges):
        more = f" (and may name those of the {judges} fields of validation)" if judges else ""
        msg = f"styles must name one product for each of the {count} fields{more}, got {styles!r}"
        raise FactorError(msg)
    return list(styles[:count]), list(styles[count:]) or [""] * judges
