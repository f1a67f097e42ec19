"""Terms of the training loss that users name, as parts of the recipe."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from xdownscale.errors import ArgumentError, UnitsError
from xdownscale.field.units import unit_scale
from xdownscale.kernels.minkowski import LEVELS
from xdownscale.models.minkowski import MinkowskiLoss
from xdownscale.training.emulator import load_emulator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.patches import Source

Wanted: TypeAlias = str | MinkowskiLoss
"""A term of a loss, as users name it."""

OWN = ("video", "scale-adaptive")
"""Methods whose loss is as published."""


def with_loss(plan: Recipe, loss: Wanted | Sequence[Wanted] | None, *, method: str | None) -> Recipe:
    """The recipe with the terms that a user asked for.

    Parameters
    ----------
    plan : Recipe
    loss : str, MinkowskiLoss or sequence of them, or None
        "mse", "minkowski", or both as "mse+minkowski".
    method : str or None
        The method that is trained.

    Raises
    ------
    ArgumentError
        If a term is not known, is named twice, or would make members alike, and for a method with a loss of its own.
    """
    if loss is None:
        return plan
    if method in OWN:
        msg = f"method={method!r} has a loss of its own, not from loss={loss!r}. Leave it out."
        raise ArgumentError(msg)
    every = loss if isinstance(loss, list | tuple) else [loss]
    terms = [part for each in every for part in (each.split("+") if isinstance(each, str) else [each])]
    squared = [term for term in terms if term == "mse"]
    named = [MinkowskiLoss() if term == "minkowski" else term for term in terms]
    shapes = [term for term in named if isinstance(term, MinkowskiLoss)]
    if len(squared) + len(shapes) != len(terms) or len(squared) > 1 or len(shapes) > 1 or not terms:
        msg = (
            f"loss={loss!r} is not known; pass 'mse', 'minkowski', 'mse+minkowski', an xdownscale.MinkowskiLoss(...), "
            f"or ['mse', xdownscale.MinkowskiLoss(...)]"
        )
        raise ArgumentError(msg)
    if squared and method not in ("median", "residual", "edsr"):
        msg = (
            "the squared error would make the members of method='generator' alike. "
            "Pass loss='minkowski', or train with method='residual', 'median' or 'edsr'."
        )
        raise ArgumentError(msg)
    return replace(plan, squared=bool(squared), shapes=shapes[0] if shapes else None)


def with_thresholds(
    plan: Recipe,
    sources: Sequence[Source],
    *,
    wet: float | None,
    units: Sequence[str | None],
    blocks: Blocks,
) -> Recipe:
    """The recipe with thresholds at the quantiles of the (wet) training values, where none are given.

    An emulator has thresholds of its own; that it fits the fields and windows is made sure instead.

    Parameters
    ----------
    plan : Recipe
    sources : sequence of Source
        Training fields.
    wet : float or None
        Values above it count; None counts all.
    units : sequence of str or None
        Of each target.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).

    Raises
    ------
    ModelFileError, UnitsError, ArgumentError
        If there are several targets, or if the emulator has no such file, was trained on fields in other units, or on
        frames of another size.
    """
    shapes = plan.shapes
    if shapes is not None and len(units) > 1:
        msg = (
            f"the shapes of level sets have thresholds of one variable, and there are {len(units)} targets. Name one, "
            f"targets=[...], or leave loss out."
        )
        raise ArgumentError(msg)
    if shapes is not None and shapes.emulator is not None:
        _check_emulator(shapes.emulator, units[0], (plan.cells * blocks[1], plan.cells * blocks[2]))
    if shapes is None or shapes.thresholds is not None or shapes.emulator is not None:
        return plan
    found = thresholds_of([source.values[:, 0] for source in sources], shapes.levels, wet=wet)
    return replace(plan, shapes=replace(shapes, thresholds=found))


def _check_emulator(path: str, units: str | None, window: tuple[int, int]) -> None:
    """Raise where training would ask the emulator about fields that it was not made for."""
    settings = load_emulator(path).settings
    if units is None or unit_scale(units, settings.units) != (1.0, 0.0):
        msg = (
            f"the emulator {path!r} takes fields in {settings.units!r}, and these are in {units!r}. Convert the field, "
            f"or train an emulator in its units."
        )
        raise UnitsError(msg)
    if window != (settings.side, settings.side):
        msg = (
            f"the emulator {path!r} takes frames of {settings.side} × {settings.side} cells, and training windows have "
            f"{window[0]} × {window[1]}. Pass a recipe with other cells, or train an emulator for frames of this size."
        )
        raise ArgumentError(msg)


def thresholds_of(
    fields: Sequence[NDArray[np.float32]], levels: Sequence[float] = LEVELS, *, wet: float | None
) -> tuple[float, ...]:
    """Quantiles of the known values above `wet` of several arrays, of all known values if that is None."""
    low = -np.inf if wet is None else wet
    values = np.concatenate([each[each > low].ravel() for each in fields])
    return tuple(float(q) for q in np.quantile(values, levels))
