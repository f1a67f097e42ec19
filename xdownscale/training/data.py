"""All that a run learns from and is judged by, gathered from the user's fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from xdownscale.errors import ArgumentError, DimensionError
from xdownscale.field.arguments import is_number, share_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.static import named_static
from xdownscale.field.vectors import vector_pairs
from xdownscale.training.covariates import Predictors, predictors_of
from xdownscale.training.sources import (
    Event,
    alike,
    as_list,
    magnitudes,
    prepared,
    sources_of,
    split,
    standard_fields,
    standard_predictors,
    targets_of,
    transform_for,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from xdownscale.field.axes import Axes
    from xdownscale.field.factors import Factors
    from xdownscale.field.quantity import Quantity
    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.generator import Covariate
    from xdownscale.models.transform import Transform
    from xdownscale.training.patches import Source
    from xdownscale.training.sources import Fields

Vectors: TypeAlias = "tuple[tuple[int, int], ...] | None"
"""Channels of eastward and northward components; None where windows are not to be turned."""


@dataclass(frozen=True)
class TrainingData:
    """Fields made ready.

    Attributes
    ----------
    events : list of Event
        The fields to learn from, checked, in the units of the model.
    sources, held_out : list of Source
        Arrays to learn from and to judge by.
    products : tuple of str
        Names of the products, each once.
    transforms : tuple of Transform
        From physical to latent values, one for each target.
    predictors, static : tuple of Covariate
        What the other fields are standardised by.
    vectors : tuple of (int, int), or None
        Channels that are components of a vector.
    """

    events: list[Event]
    sources: list[Source]
    held_out: list[Source]
    products: tuple[str, ...]
    transforms: tuple[Transform, ...]
    predictors: tuple[Covariate, ...]
    static: tuple[Covariate, ...]
    vectors: Vectors

    @property
    def quantities(self) -> list[Quantity]:
        """What the targets measure."""
        first = self.events[0]
        return [quantity_of(field, first.axes.time) for field in first.targets]

    @property
    def magnitudes(self) -> tuple[float, ...]:
        """A typical magnitude of each target."""
        return magnitudes(self.sources, self.transforms)


def gather(
    field: Fields,
    validation: float | Fields,
    *,
    factors: Factors,
    frames: int,
    targets: Sequence[str] | None,
    predictors: Predictors,
    vectors: Sequence[tuple[str, str]] | None,
    styles: Sequence[str] | None,
    static: Static | None,
    dims: Mapping[str, str] | None,
) -> TrainingData:
    """Check fields and make arrays of them.

    Parameters
    ----------
    field, validation, targets, predictors, vectors, styles, static, dims
        As in :func:`xdownscale.train`.
    factors : Factors
        What is to be learned.
    frames : int
        Coarse frames of a window: fewer are not held out.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, EmptyFieldError, ArgumentError
        Each with the call that fixes it.
    """
    share = share_of(validation, "validation") if is_number(validation) else None
    judges = as_list(cast("Fields", validation)) if share is None else []
    names, judge_names = _products(styles, len(as_list(field)), len(judges))
    events = read_events(as_list(field), factors, targets=targets, predictors=predictors, dims=dims)
    measured = _Measured.of(events[0])
    events = measured.alike(events, what="the field to learn from", whose="the first one measures")
    ground = named_static(static)
    standard = standard_fields(ground, events)

    def arrays(some: Sequence[Event], products: Sequence[str]) -> list[list[Source]]:
        pairs = zip(some, products, strict=True)
        return [sources_of(event, ground, standard, style=name) for event, name in pairs]

    sources, held_out = split(arrays(events, names), share or 0.0, factors.time * frames)
    if share is None:
        own = read_events(judges, factors, targets=measured.targets, predictors=predictors, dims=dims)
        own = measured.alike(own, what="the field of validation", whose="the fields to learn from measure")
        held_out = [source for event in arrays(own, judge_names) for source in event]
    shown = standard_predictors([str(each.name) for each in events[0].predictors], events)
    return TrainingData(
        events=events,
        sources=sources,
        held_out=held_out,
        products=tuple(dict.fromkeys(names)),
        transforms=tuple(
            transform_for([event.targets[number] for event in events])
            for number in range(len(events[0].targets))
        ),
        predictors=shown,
        static=standard,
        vectors=vector_pairs([*events[0].targets, *events[0].predictors], vectors),
    )


def read_events(
    fields: Sequence[xr.DataArray | xr.Dataset],
    factors: Factors,
    *,
    targets: Sequence[str] | None,
    predictors: Predictors,
    dims: Mapping[str, str] | None,
) -> list[Event]:
    """Events with their targets and predictors, checked.

    Parameters
    ----------
    fields : sequence of DataArray or Dataset
    factors : Factors
    targets, predictors, dims
        As in :func:`xdownscale.train`.
    """
    return [_event(each, factors, targets, predictors, dims) for each in fields]


def like_model(
    field: Fields,
    model: Downscaler,
    factors: Factors,
    *,
    predictors: Predictors,
    dims: Mapping[str, str] | None,
) -> list[Event]:
    """Events of the variables that a model refines, in its units.

    Parameters
    ----------
    field, predictors, dims
        As in :func:`xdownscale.train`.
    model : Downscaler
    factors : Factors
        By which it refines them.
    """
    names = list(model.targets) if len(model.targets) > 1 else None
    events = read_events(as_list(field), factors, targets=names, predictors=predictors, dims=dims)
    if (here := [str(each.name) for each in events[0].predictors]) != [
        each.name for each in model.predictors
    ]:
        msg = (
            f"the model was trained with the predictors {[e.name for e in model.predictors]}, not {here}. Pass "
            "the same."
        )
        raise ArgumentError(msg)
    measured = _Measured(names, list(model.quantities), [each.quantity for each in model.predictors])
    return measured.alike(events, what="the field", whose="the model refines")


def _event(
    field: xr.DataArray | xr.Dataset,
    factors: Factors,
    targets: Sequence[str] | None,
    predictors: Predictors,
    dims: Mapping[str, str] | None,
) -> Event:
    """One event."""
    given = predictors_of(field, predictors, dims)
    chosen = targets_of(field, targets, others=given, dims=dims)
    ready = [prepared(each, factors, dims) for each in chosen]
    first, axes = ready[0]
    for each, own in ready[1:]:
        if own != axes or each.sizes != first.sizes:
            msg = (
                f"targets lie on one grid: {first.name!r} has {dict(first.sizes)}, {each.name!r} {dict(each.sizes)}. "
                f"Choose some that do, targets=[{str(first.name)!r}, ...], or interpolate them to one grid."
            )
            raise DimensionError(msg)
    laid = [each.on_grid(first, axes, factors, dims) for each in given.values()]
    return Event(
        [each for each, _ in ready],
        axes,
        [each for each, _ in laid],
        aligned=any(coarse for _, coarse in laid),
    )


@dataclass(frozen=True)
class _Measured:
    """What fields measure and how they are called, in their order."""

    targets: list[str] | None
    quantities: list[Quantity]
    predictors: list[Quantity]

    @classmethod
    def of(cls, event: Event) -> _Measured:
        """What the fields of an event measure."""
        names = [str(each.name) for each in event.targets]
        return cls(
            names if len(names) > 1 else None,
            [quantity_of(each, event.axes.time) for each in event.targets],
            [quantity_of(each, event.axes.time) for each in event.predictors],
        )

    def alike(self, events: Sequence[Event], *, what: str, whose: str) -> list[Event]:
        """Events that measure the same, in the same units; raises for others."""

        def same(
            fields: Sequence[xr.DataArray], wanted: Sequence[Quantity], axes: Axes
        ) -> list[xr.DataArray]:
            if len(fields) != len(wanted):
                msg = (
                    f"{what} has {[str(each.name) for each in fields]}, and {whose} {[each.name for each in wanted]}. "
                    f"Every field has the same variables: name them, targets=[...]."
                )
                raise ArgumentError(msg)
            pairs = zip(fields, wanted, strict=True)
            return [alike(each, axes, quantity, what=what, whose=whose) for each, quantity in pairs]

        return [
            replace(
                event,
                targets=same(event.targets, self.quantities, event.axes),
                predictors=same(event.predictors, self.predictors, event.axes),
            )
            for event in events
        ]


def _products(styles: Any, count: int, judges: int) -> tuple[list[str], list[str]]:
    """A product for every field to learn from, and for every one to judge by."""
    if styles is None:
        return ["training"] * count, ["training"] * judges
    if isinstance(styles, str) or len(styles) not in (count, count + judges):
        more = f" (and may name those of the {judges} fields of validation)" if judges else ""
        msg = f"styles must name one product for each of the {count} fields{more}, got {styles!r}"
        raise ArgumentError(msg)
    return list(styles[:count]), list(styles[count:]) or [""] * judges
