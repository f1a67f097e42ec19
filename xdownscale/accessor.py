"""``.sr`` on DataArray, Dataset and DataTree: the verbs with the field as ``self``, and no state of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import xarray as xr

from xdownscale.field.change import field_of, with_grid_as_coords
from xdownscale.field.html import html_tables
from xdownscale.field.keywords import suggesting
from xdownscale.field.summary import summary

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from xdownscale.evaluate import Reference
    from xdownscale.field.labels import Source
    from xdownscale.field.static import Static
    from xdownscale.inference.stations import Errors, Observations
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.minkowski import MinkowskiLoss
    from xdownscale.models.prior_recipe import PriorRecipe
    from xdownscale.models.recipe import Recipe
    from xdownscale.plan import Plan
    from xdownscale.scoring.choice import Metrics
    from xdownscale.scoring.groups import By, Region
    from xdownscale.training.covariates import Predictors

Field = TypeVar("Field", xr.DataArray, xr.Dataset, xr.DataTree)
Flat = TypeVar("Flat", xr.DataArray, xr.Dataset)


@suggesting("sr")
class _Grids(Generic[Field]):
    """The verbs that change the grid; each passes its arguments on to the function of the same name."""

    def __init__(self, field: Field) -> None:
        self._field: Field = field

    def coarsen(
        self,
        spatial: int | tuple[int, int] | None = None,
        temporal: int | None = None,
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
        spatial: int | tuple[int, int] | None = None,
        temporal: int | None = None,
        *,
        method: str = "bicubic",
        time: str = "hold",
        gaps: str = "error",
        like: Source | None = None,
        dims: Mapping[str, str] | None = None,
    ) -> Field:
        """Refine by interpolation: :func:`xdownscale.interpolate`."""
        from xdownscale.interpolate import interpolate

        return interpolate(
            self._field, spatial, temporal, method=method, time=time, gaps=gaps, like=like, dims=dims
        )

    def downscale(
        self,
        model: Downscaler | str | os.PathLike[str] | None = None,
        *,
        spatial: int | tuple[int, int] | None = None,
        temporal: int | None = None,
        members: int = 1,
        seed: int = 0,
        predictors: xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray] | None = None,
        static: Static | None = None,
        style: str | None = None,
        sampler: str | None = None,
        steps: int | None = None,
        conserve: str = "auto",
        observations: Observations = None,
        error: Errors = None,
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
            predictors=predictors,
            static=static,
            style=style,
            sampler=sampler,
            steps=steps,
            conserve=conserve,
            observations=observations,
            error=error,
            gaps=gaps,
            tile=tile,
            device=device,
            progress=progress,
            like=like,
            dims=dims,
        )


@suggesting("sr")
class _Verbs(_Grids[Flat]):
    """All the verbs: those that learn and score, too."""

    def plan(
        self,
        model: Downscaler | str | os.PathLike[str] | None = None,
        *,
        spatial: int | tuple[int, int] | None = None,
        temporal: int | None = None,
        members: int = 1,
        tile: tuple[int, int, int] | None = None,
        device: str = "auto",
        dims: Mapping[str, str] | None = None,
    ) -> Plan:
        """What downscaling this field will take: :func:`xdownscale.plan.plan`."""
        from xdownscale.plan import plan

        return plan(
            self._field,
            model,
            spatial=spatial,
            temporal=temporal,
            members=members,
            tile=tile,
            device=device,
            dims=dims,
        )

    def to_zarr(
        self,
        store: str | os.PathLike[str],
        *,
        resume: bool = False,
        overwrite: bool = False,
        shards: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        progress: bool | None = None,
    ) -> None:
        """Write this field into a zarr store, region by region: :func:`xdownscale.write.to_zarr`."""
        from xdownscale.write import to_zarr

        to_zarr(
            self._field,
            store,
            resume=resume,
            overwrite=overwrite,
            shards=shards,
            storage_options=storage_options,
            progress=progress,
        )

    def train(
        self,
        spatial: int | tuple[int, int] | range | list[int] = 1,
        temporal: int | range | list[int] = 1,
        *,
        targets: Sequence[str] | None = None,
        predictors: Predictors = None,
        static: Static | None = None,
        vectors: Sequence[tuple[str, str]] | None = None,
        styles: Sequence[str] | None = None,
        model: Downscaler | str | os.PathLike[str] | None = None,
        recipe: str | Recipe | PriorRecipe | None = None,
        method: str | None = None,
        loss: str | MinkowskiLoss | Sequence[str | MinkowskiLoss] | None = None,
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
            targets=targets,
            predictors=predictors,
            static=static,
            vectors=vectors,
            styles=styles,
            model=model,
            recipe=recipe,
            method=method,
            loss=loss,
            steps=steps,
            validation=validation,
            device=device,
            seed=seed,
            checkpoint=checkpoint,
            progress=progress,
            dims=dims,
        )

    def tune(
        self,
        spatial: int | tuple[int, int] | range | list[int] = 1,
        temporal: int | range | list[int] = 1,
        *,
        minutes: float,
        trials: int = 12,
        method: str | None = None,
        recipe: str | Recipe | None = None,
        targets: Sequence[str] | None = None,
        predictors: Predictors = None,
        static: Static | None = None,
        vectors: Sequence[tuple[str, str]] | None = None,
        styles: Sequence[str] | None = None,
        validation: float | xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset] = 0.1,
        device: str = "auto",
        seed: int = 0,
        log: str | os.PathLike[str] | None = None,
        progress: bool = True,
        dims: Mapping[str, str] | None = None,
    ) -> Recipe:
        """Find the settings by which a method learns most from this fine field: :func:`xdownscale.tune`."""
        from xdownscale.tune import tune

        return tune(
            self._field,
            spatial,
            temporal,
            minutes=minutes,
            trials=trials,
            method=method,
            recipe=recipe,
            targets=targets,
            predictors=predictors,
            static=static,
            vectors=vectors,
            styles=styles,
            validation=validation,
            device=device,
            seed=seed,
            log=log,
            progress=progress,
            dims=dims,
        )

    def calibrate(
        self,
        model: Downscaler | str | os.PathLike[str],
        *,
        spatial: int | tuple[int, int] | None = None,
        temporal: int | None = None,
        name: str = "calibrated",
        predictors: Predictors = None,
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
            spatial=spatial,
            temporal=temporal,
            name=name,
            predictors=predictors,
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
        reference: Reference = None,
        thresholds: float | Sequence[float] | None = None,
        scales: int | Sequence[int] | None = None,
        by: By = None,
        region: Region = None,
        bootstrap: int | None = None,
    ) -> xr.Dataset:
        """Score this ensemble: :func:`xdownscale.evaluate`."""
        from xdownscale.evaluate import evaluate

        return evaluate(
            observations,
            self._field,
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

    def _repr_html_(self) -> str:
        return html_tables("xdownscale .sr", {self._field.name: summary(self._field)})


@xr.register_dataset_accessor("sr")  # type: ignore[no-untyped-call]
class DatasetAccessor(_Verbs[xr.Dataset]):
    """Make the fields of this dataset coarser or finer."""

    def __repr__(self) -> str:
        parts = [f"<xdownscale .sr> of {len(self._field.data_vars)} variables"]
        for name, variable in _shown(self._field).items():
            parts += [str(name), *_lines(variable)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        title = f"xdownscale .sr of {len(self._field.data_vars)} variables"
        return html_tables(title, {name: summary(each) for name, each in _shown(self._field).items()})


class DataTreeAccessor(_Grids[xr.DataTree]):
    """Make the fields of all nodes coarser or finer."""

    def __repr__(self) -> str:
        nodes = [(node.path, repr(DatasetAccessor(node.to_dataset()))) for node in self._field.subtree]
        return "\n".join(
            [f"<xdownscale .sr> of {len(nodes)} nodes", *(f"{path} {text}" for path, text in nodes)]
        )

    def _repr_html_(self) -> str:
        nodes = [*self._field.subtree]
        rows: dict[Hashable | None, dict[str, str]] = {
            f"{node.path} {name}": summary(each)
            for node in nodes
            for name, each in _shown(node.to_dataset()).items()
        }
        return html_tables(f"xdownscale .sr of {len(nodes)} nodes", rows)


if hasattr(xr, "register_datatree_accessor"):  # not public in all versions that have trees
    xr.register_datatree_accessor("sr")(DataTreeAccessor)  # type: ignore[no-untyped-call]


def _shown(dataset: xr.Dataset) -> dict[Hashable, xr.DataArray]:
    """The variables that may be fields; neither scalars nor labels nor bounds are."""
    dataset = with_grid_as_coords(dataset)
    return {name: field_of(dataset, name) for name, each in dataset.data_vars.items() if each.ndim > 1}


def _lines(field: xr.DataArray) -> list[str]:
    """What was understood of a field, one line each."""
    return [f"  {key:<8} {value}" for key, value in summary(field).items()]
