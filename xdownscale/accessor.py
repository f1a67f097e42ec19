"""``.sr`` on DataArray, Dataset and DataTree: the verbs with the field as ``self``, and no state of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import numpy as np
import xarray as xr

from xdownscale.errors import XDownscaleError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.grid import describe
from xdownscale.field.quantity import quantity_of

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from xdownscale.field.labels import Source
    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.recipe import Recipe
    from xdownscale.scoring.choice import Metrics
    from xdownscale.scoring.groups import By, Region

Field = TypeVar("Field", xr.DataArray, xr.Dataset, xr.DataTree)
Flat = TypeVar("Flat", xr.DataArray, xr.Dataset)

_NONE = "n/a"


class _Grids(Generic[Field]):
    """The verbs that change the grid; each passes its arguments on to the function of the same name."""

    def __init__(self, field: Field) -> None:
        self._field: Field = field

    def coarsen(
        self,
        spatial: int | tuple[int, int] = 1,
        temporal: int = 1,
        *,
        time_method: str = "auto",
        min_valid: float = 1.0,
        boundary: str = "exact",
        gaps: str = "error",
        dims: Mapping[str, str] | None = None,
        keep_attrs: bool | None = None,
    ) -> Field:
        """Average over blocks of cells and steps: :func:`xdownscale.coarsen`."""
        from xdownscale.coarsen import coarsen

        return coarsen(
            self._field,
            spatial,
            temporal,
            time_method=time_method,
            min_valid=min_valid,
            boundary=boundary,
            gaps=gaps,
            dims=dims,
            keep_attrs=keep_attrs,
        )

    def interpolate(
        self,
        spatial: int | tuple[int, int] = 1,
        temporal: int = 1,
        *,
        method: str = "bicubic",
        gaps: str = "error",
        like: Source | None = None,
        dims: Mapping[str, str] | None = None,
    ) -> Field:
        """Refine by interpolation: :func:`xdownscale.interpolate`."""
        from xdownscale.interpolate import interpolate

        return interpolate(self._field, spatial, temporal, method=method, gaps=gaps, like=like, dims=dims)

    def downscale(
        self,
        model: Downscaler | str | os.PathLike[str] | None = None,
        *,
        spatial: int | tuple[int, int] | None = None,
        temporal: int | None = None,
        members: int = 1,
        seed: int = 0,
        static: Static | None = None,
        style: str | None = None,
        sampler: str | None = None,
        steps: int | None = None,
        conserve: str = "auto",
        gaps: str = "error",
        tile: tuple[int, int, int] | None = None,
        device: str = "auto",
        progress: bool | None = None,
        like: Source | None = None,
        dims: Mapping[str, str] | None = None,
    ) -> Field:
        """Draw an ensemble of fine fields: :func:`xdownscale.downscale`."""
        from xdownscale.downscale import downscale

        return downscale(
            self._field,
            model,
            spatial=spatial,
            temporal=temporal,
            members=members,
            seed=seed,
            static=static,
            style=style,
            sampler=sampler,
            steps=steps,
            conserve=conserve,
            gaps=gaps,
            tile=tile,
            device=device,
            progress=progress,
            like=like,
            dims=dims,
        )


class _Verbs(_Grids[Flat]):
    """All the verbs: those that learn and score, too."""

    def train(
        self,
        spatial: int | tuple[int, int] = 1,
        temporal: int = 1,
        *,
        static: Static | None = None,
        styles: Sequence[str] | None = None,
        model: Downscaler | str | os.PathLike[str] | None = None,
        recipe: str | Recipe | None = None,
        method: str | None = None,
        steps: int | None = None,
        validation: float | xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset] = 0.1,
        device: str = "auto",
        seed: int = 0,
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
        dims: Mapping[str, str] | None = None,
    ) -> Downscaler:
        """Learn to downscale from this fine field: :func:`xdownscale.train`."""
        from xdownscale.train import train

        return train(
            self._field,
            spatial,
            temporal,
            static=static,
            styles=styles,
            model=model,
            recipe=recipe,
            method=method,
            steps=steps,
            validation=validation,
            device=device,
            seed=seed,
            checkpoint=checkpoint,
            progress=progress,
            dims=dims,
        )

    def calibrate(
        self,
        model: Downscaler | str | os.PathLike[str],
        *,
        name: str = "calibrated",
        static: Static | None = None,
        steps: int = 40,
        seed: int = 0,
        progress: bool = True,
        dims: Mapping[str, str] | None = None,
    ) -> Downscaler:
        """Give a model the texture of this fine field: :func:`xdownscale.calibrate`."""
        from xdownscale.calibrate import calibrate

        return calibrate(
            self._field,
            model,
            name=name,
            static=static,
            steps=steps,
            seed=seed,
            progress=progress,
            dims=dims,
        )

    def evaluate(
        self,
        observations: xr.DataArray | xr.Dataset,
        *,
        metrics: Metrics = None,
        dim: str | Iterable[Hashable] | None = None,
        member_dim: str = "member",
        weights: xr.DataArray | Literal["area"] | None = "area",
        reference: str | xr.DataArray | xr.Dataset | None = None,
        thresholds: float | Sequence[float] | None = None,
        scales: int | Sequence[int] | None = None,
        by: By = None,
        region: Region = None,
        bootstrap: int | None = None,
    ) -> xr.Dataset:
        """Score this ensemble: :func:`xdownscale.evaluate`."""
        from xdownscale.evaluate import evaluate

        return evaluate(
            self._field,
            observations,
            metrics=metrics,
            dim=dim,
            member_dim=member_dim,
            weights=weights,
            reference=reference,
            thresholds=thresholds,
            scales=scales,
            by=by,
            region=region,
            bootstrap=bootstrap,
        )


@xr.register_dataarray_accessor("sr")  # type: ignore[no-untyped-call]
class DataArrayAccessor(_Verbs[xr.DataArray]):
    """Make this field coarser or finer, learn from it, score it."""

    def __repr__(self) -> str:
        return "\n".join(["<xdownscale .sr>", *_lines(self._field)])


@xr.register_dataset_accessor("sr")  # type: ignore[no-untyped-call]
class DatasetAccessor(_Verbs[xr.Dataset]):
    """Make the fields of this dataset coarser or finer."""

    def __repr__(self) -> str:
        parts = [f"<xdownscale .sr> of {len(self._field.data_vars)} variables"]
        for name, variable in self._field.data_vars.items():
            parts += [str(name), *_lines(variable)] if variable.ndim > 1 else []
        return "\n".join(parts)


class DataTreeAccessor(_Grids[xr.DataTree]):
    """Make the fields of all nodes coarser or finer."""

    def __repr__(self) -> str:
        nodes = [(node.path, repr(DatasetAccessor(node.to_dataset()))) for node in self._field.subtree]
        return "\n".join(
            [f"<xdownscale .sr> of {len(nodes)} nodes", *(f"{path} {text}" for path, text in nodes)]
        )


if hasattr(xr, "register_datatree_accessor"):  # not public in all versions that have trees
    xr.register_datatree_accessor("sr")(DataTreeAccessor)  # type: ignore[no-untyped-call]


def _lines(field: xr.DataArray) -> list[str]:
    """What was understood of a field, one line each, ``n/a`` for the rest."""
    try:
        axes = find_axes(field)
    except XDownscaleError:
        return ["  y, x     n/a"]
    rows = {"time": _NONE, "y": _NONE, "x": _NONE, "members": _NONE} | _grid_rows(field, axes)
    if axes.member:
        rows["members"] = f"{axes.member}: {field.sizes[axes.member]}"
    rows["values"] = quantity_of(field, axes.time).told()
    rows["units"] = str(field.attrs.get("units", _NONE))
    rows["chunks"] = _NONE if field.chunks is None else str(dict(field.chunksizes))
    return [f"  {key:<8} {value}" for key, value in rows.items()]


def _grid_rows(field: xr.DataArray, axes: Axes) -> dict[str, str]:
    """Sizes and spacings; where an axis is irregular, the reason stands there instead."""
    sizes = {role: f"{dim}: {field.sizes[dim]}" for role, dim in _roles(axes).items()}
    try:
        grid = describe(field, axes)
    except XDownscaleError as error:
        return sizes | {"grid": str(error)}
    spacings = {"y": grid.spacing_y, "x": grid.spacing_x}
    units = f" {grid.units}" if grid.units else ""
    rows = {
        role: f"{text} cells of {spacings[role]:g}{units}" for role, text in sizes.items() if role in spacings
    }
    if axes.time:
        step = _NONE if grid.step is None else f"{grid.step / np.timedelta64(1, 's'):g} s"
        rows = {"time": f"{sizes['time']} steps of {step}"} | rows
    rows["area"] = "weighted" if grid.latlon else "plain"
    return rows


def _roles(axes: Axes) -> dict[str, str]:
    """Dimensions of a grid by role."""
    return {"y": axes.y, "x": axes.x} | ({"time": axes.time} if axes.time else {})
