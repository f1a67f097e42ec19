"""A stretch of a field on its way into the networks and back: values in the model's units, then coordinates again."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, MissingValueError
from xdownscale.field.block_means import block_means, match_means
from xdownscale.field.grid import cell_areas, describe, refine_coords
from xdownscale.field.labels import has_labels, labels_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.static import named_static, static_on_grid
from xdownscale.field.units import dimension, to_units

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from xdownscale.field.axes import Axes
    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.factors import Factors
    from xdownscale.field.grid import Grid
    from xdownscale.field.static import Static
    from xdownscale.models.document import Variable
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.transform import Transform


@dataclass(frozen=True)
class Given:
    """A field that the user gave, as results are to be dressed again.

    Attributes
    ----------
    name : hashable
    units : str or None
    """

    name: Hashable
    units: str | None


@dataclass(frozen=True)
class Piece:
    """A stretch of time without gaps, ready for the networks.

    Attributes
    ----------
    values : array of numpy or dask, shape (time, channels, y, x)
        Coarse targets, then predictors, in the units of the model.
    grid : Grid
        Where they lie.
    coords : dict
        Coordinates of the fine fields.
    targets : tuple of Given
    factors : Factors
        By which they are refined.
    """

    values: Any
    grid: Grid
    coords: Coordinates
    targets: tuple[Given, ...]
    factors: Factors

    @property
    def shape(self) -> tuple[int, int, int]:
        """Coarse steps and cells."""
        steps, _, rows, columns = self.values.shape
        return steps, rows, columns

    @property
    def dims(self) -> tuple[str, str, str]:
        """Names of time, y and x."""
        return (self.grid.axes.time or "time", *self.grid.axes.spatial)


def piece_of(
    targets: Sequence[xr.DataArray],
    predictors: Sequence[xr.DataArray],
    axes: Axes,
    model: Downscaler,
    factors: Factors,
) -> Piece:
    """Fields without gaps, in the units of the model.

    Parameters
    ----------
    targets, predictors : sequence of DataArray
        Coarse fields on one grid, in the order of the model.
    axes : Axes
        Their dimensions.
    model : Downscaler
        What is to refine them.
    factors : Factors
        By how much.
    """
    grid = describe(targets[0], axes)
    pairs = zip(targets, model.variables, model.method.settings.transforms, strict=True)
    channels = [_target(*each, grid, factors) for each in pairs]
    channels += [_in_units(*each, grid) for each in zip(predictors, model.predictors, strict=True)]
    order = axes.ordered
    arrays = [each.transpose(*order).data for each in channels]
    if axes.time is None:
        arrays = [each[None] for each in arrays]
    return Piece(
        _side_by_side(arrays),
        grid,
        refine_coords(targets[0], axes, factors, grid),
        tuple(Given(each.name, each.attrs.get("units")) for each in targets),
        factors,
    )


def _side_by_side(arrays: list[Any]) -> Any:
    """Channels (time, y, x) as one array (time, channels, y, x): of dask if one of them is."""
    if all(isinstance(each, np.ndarray) for each in arrays):
        return np.stack(arrays, axis=1)
    import dask.array as da

    return da.stack(arrays, axis=1)


def _in_units(field: xr.DataArray, variable: Variable, grid: Grid) -> xr.DataArray:
    """A field in the units of the model."""
    return field if variable.units is None else to_units(field, variable.units, step=grid.step)


def _target(
    field: xr.DataArray, variable: Variable, transform: Transform, grid: Grid, factors: Factors
) -> xr.DataArray:
    """A target in the units of the model."""
    values = _in_units(field, variable, grid)
    if _amounts(field, grid.axes, variable, factors):
        values = values / values.dtype.type(factors.time)  # of a fine step, as they were learned
    # Negative rounding of packed files would change the sign of all that is drawn in a cell.
    return values.clip(min=0.0) if transform.nonnegative else values


def _amounts(field: xr.DataArray, axes: Axes, variable: Variable, factors: Factors) -> bool:
    """Whether a field holds amounts over its coarse steps, and the model works with amounts and not with rates."""
    works_in = dimension(variable.units or "")
    if works_in == "rate" or axes.time is None or factors.time == 1:
        return False
    gives = dimension(str(field.attrs.get("units", "")))
    return quantity_of(field, axes.time).time == "sum" or (gives, works_in) == ("rate", "amount")


def static_of(
    model: Downscaler, static: Static | None, axes: Axes, coords: Mapping[str, xr.Variable]
) -> np.ndarray | None:
    """Standardised static fields on the fine grid, shape (fields, y, x); None where the model takes none.

    Parameters
    ----------
    model : Downscaler
        Says which are wanted.
    static : DataArray, Dataset, mapping or None
        What the user gave.
    axes : Axes
        Dimensions of the field.
    coords : mapping
        Coordinates of the fine grid.

    Raises
    ------
    MissingValueError
        If one of them was not given.
    DimensionError
        If the grid has no coordinates to lay them by.
    """
    wanted = model.method.settings.static
    given = named_static(static)
    missing = [each.name for each in wanted if each.name not in given]
    if missing:
        names = [each.name for each in wanted]
        unused = [name for name in given if name not in names]
        meant = difflib.get_close_matches(missing[0], unused, n=1) or unused[:1]
        call = f"static={{{missing[0]!r}: {_field_of(static, meant[0]) if meant else 'field'}}}"
        msg = (
            f"the model was trained with static fields; missing: {missing} of {names}; given: {list(given)}. Pass them "
            f"by name, as in {call}."
        )
        raise MissingValueError(msg)
    if not wanted:
        return None
    grid = xr.Dataset(coords=coords)
    labels = {dim: labels_of(grid, dim).values for dim in axes.spatial if has_labels(grid, dim)}
    if len(labels) < 2:
        msg = (
            f"static fields are matched by coordinates, but the field has none along {axes.spatial}. Assign them "
            "first."
        )
        raise DimensionError(msg)
    laid = [(static_on_grid(s.name, given[s.name], labels) - s.mean) / s.scale for s in wanted]
    return np.stack(laid).astype(np.float32)


def _field_of(static: Static | None, name: str) -> str:
    """How a static field is reached in what the user gave."""
    return "static" if isinstance(static, xr.DataArray) else f"static[{name!r}]"


def drawn(
    model: Downscaler,
    piece: Piece,
    static: np.ndarray | None,
    *,
    members: int,
    seed: int,
    tile: tuple[int, int, int] | None,
    device: str,
    progress: bool | None,
) -> list[xr.DataArray]:
    """The ensemble of each target of one piece, in the user's units: numpy from numpy, dask from dask.

    Parameters
    ----------
    model : Downscaler
        Trained model.
    piece : Piece
        What to refine.
    static : array, shape (fields, y, x), or None
        Standardised static fields on the fine grid.
    members, seed : int
        Which ensemble, and how many of its members.
    tile : tuple of int or None
        Coarse frames and cells computed at once; None leaves the choice to the engine.
    device : str
        A torch device. The model stays where it is.
    progress : bool or None
        Whether to show a progress bar; None for work of more than a few seconds.
    """
    from xdownscale.inference.bar import LONG
    from xdownscale.inference.cores import core_for
    from xdownscale.inference.engine import Job, sample
    from xdownscale.inference.lazy import sample_lazily
    from xdownscale.models.device import on_device

    lazy = not isinstance(piece.values, np.ndarray)
    job = Job(
        on_device(model.method, device),
        origin=piece.grid.origin,
        seed=seed,
        members=members,
        conserve=model.method.settings.conserving,
        core=tile or core_for(piece.shape, model.method, piece.factors.blocks, lazy=lazy),
        device=device,
        chosen=piece.factors.blocks,
    )
    if lazy:
        return _dressed(sample_lazily(job, piece.values.astype(np.float32), static), piece, model)
    coarse = np.asarray(piece.values, np.float32)
    pixels = int(np.prod(piece.shape)) * int(np.prod(piece.factors.blocks)) * members
    shown = pixels > LONG if progress is None else progress
    return _dressed(sample(job, coarse, static, progress=shown), piece, model)


def _dressed(fine: Any, piece: Piece, model: Downscaler) -> list[xr.DataArray]:
    """Fine values (member, time, target, y, x) as fields with coordinates, in the user's units."""
    coords = {**piece.coords, "member": member_numbers(fine.shape[0])}
    areas = cell_areas(xr.Dataset(coords=piece.coords), piece.grid.axes)
    step = None if piece.grid.step is None else piece.grid.step / piece.factors.time
    results = []
    for number, (given, variable) in enumerate(zip(piece.targets, model.variables, strict=True)):
        values = _matched(fine[:, :, number], piece, model, number, areas)
        result = xr.DataArray(values, dims=("member", *piece.dims), name=given.name)
        if piece.grid.axes.time is None:
            result = result.isel({piece.dims[0]: 0}, drop=True)
        result = result.assign_coords(coords)
        if given.units is not None and variable.units is not None:
            result = to_units(result.assign_attrs(units=variable.units), given.units, step=step)
            result = result.astype(np.float32, copy=False)
        results.append(result)
    return results


def member_numbers(count: int) -> xr.Variable:
    """The coordinate of so many members.

    Parameters
    ----------
    count : int
    """
    return xr.Variable("member", np.arange(count), {"standard_name": "realization", "units": "1"})


def _matched(fine: Any, piece: Piece, model: Downscaler, number: int, areas: xr.DataArray | None) -> Any:
    """Fine values of a target whose means are right by area: a method conserves plain means, as it knows no grid.

    Means of whole frames are matched here for every method, since one that works on tiles does not see them.
    """
    conserved, blocks = model.method.conserves, piece.factors.blocks
    plain = areas is None or piece.factors.y * piece.factors.x == 1
    if conserved == "none" or (conserved == "cell" and plain):
        return fine
    coarse, (_, rows, columns) = piece.values[:, number], piece.shape
    weights = np.ones((rows * blocks[1], 1)) if areas is None else areas.values.reshape(areas.shape[0], -1)
    if conserved == "frame":
        cells = weights.reshape(rows, blocks[1], -1).sum(1)
        cells = cells.reshape(rows, columns, -1).sum(2) if cells.shape[1] > 1 else cells
        coarse = block_means(coarse, cells, (1, rows, columns), min_valid=0.0)
        blocks = (blocks[0], rows * blocks[1], columns * blocks[2])
    transform = model.method.settings.transforms[number]
    return match_means(fine, coarse, weights, blocks, ratio=transform.nonnegative, limits=transform.limits)
