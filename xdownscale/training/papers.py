"""The papers of a trained model: what its values are, and where it comes from."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.field.attrs import package_version
from xdownscale.field.axes import Axes
from xdownscale.field.checks import name_of
from xdownscale.field.grid import describe
from xdownscale.field.quantity import quantity_of
from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from xdownscale.models.prior_recipe import PriorRecipe
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.data import TrainingData
    from xdownscale.training.fit import Result


def finished(
    model: Any, data: TrainingData, plan: Recipe | PriorRecipe, result: Result, seed: int
) -> Downscaler:
    """The downscaler with its papers.

    Parameters
    ----------
    model : Method
        Trained.
    data : TrainingData
        What it learned from.
    plan : Recipe or PriorRecipe
    result : Result
        Of the run.
    seed : int
    """
    first = data.events[0]
    field, axes = first.targets[0], first.axes
    regular = field.isel({axes.time: slice(0, 2)}) if axes.time in field.coords else field
    grid = describe(regular, axes if axes.time in field.coords else Axes(axes.y, axes.x, None))
    return Downscaler(
        model,
        variables=[_variable(each, axes) for each in first.targets],
        predictors=[_variable(each, axes) for each in first.predictors],
        provenance=Provenance(
            data=tuple(_described(each.targets) for each in data.events),
            spacing=float(grid.spacing_y),
            spacing_units=grid.units,
            step=None if grid.step is None else float(grid.step / np.timedelta64(1, "s")),
            recipe=plan.to_json(),
            steps=result.steps,
            seed=seed,
            versions={
                "xdownscale-sr": package_version(),
                **{p: version(p) for p in ("torch", "numpy", "xarray")},
            },
        ),
    )


def _variable(field: xr.DataArray, axes: Axes) -> Variable:
    """What a field is, for the model file."""
    return Variable(
        name=name_of(field),
        units=field.attrs.get("units"),
        standard_name=field.attrs.get("standard_name"),
        cell_methods=quantity_of(field, axes.time).said,
    )


def _described(fields: Sequence[xr.DataArray]) -> str:
    """One line about a training event."""
    field, names = fields[0], [name_of(each) for each in fields]
    sizes = " × ".join(f"{name} {size}" for name, size in field.sizes.items())
    source = (
        field.attrs.get("title")
        or field.attrs.get("source")
        or (field.attrs.get("long_name") if len(names) == 1 else None)
        or ", ".join(names)
    )
    licence = field.attrs.get("licence") or field.attrs.get("license")
    return f"{source}: {sizes}" + (f"; {licence}" if licence else "")
