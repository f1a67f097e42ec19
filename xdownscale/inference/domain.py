"""A stretch of a field on its way into the networks and back: values in the model's units, then coordinates again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, MissingValueError
from xdownscale.field.block_means import match_means
from xdownscale.field.grid import cell_areas, describe, refine_coords
from xdownscale.field.labels import has_labels, labels_of
from xdownscale.field.quantity import quantity_of
from xdownscale.field.static import named_static, static_on_grid
from xdownscale.field.units import dimension, to_units

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from xdownscale.field.axes import Axes
    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.factors import Factors
    from xdownscale.field.grid import Grid
    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler


@dataclass(frozen=True)
class Piece:
    """A stretch of time without gaps, ready for the networks.

    Attributes
    ----------
    values : DataArray, dims (time, y, x)
        Coarse values in the units of the model.
    grid : Grid
        Where they lie.
    coords : dict
        Coordinates of the fine field.
    name, units : str or None
        Those of the field that the user gave.
    factors : Factors
        By which it is refined.
    """

    values: xr.DataArray
    grid: Grid
    coords: Coordinates
    name: Hashable
    units: str | None
    factors: Factors

    @property
    def shape(self) -> tuple[int, int, int]:
        """Coarse steps and cells."""
        steps, rows, columns = self.values.shape
        return steps, rows, columns


def piece_of(field: xr.DataArray, axes: Axes, model: Downscaler, factors: Factors) -> Piece:
    """A field without gaps, in the units of the model.

    Parameters
    ----------
    field : DataArray
        Coarse values.
    axes : Axes
        Its dimensions.
    model : Downscaler
        What is to refine it.
    factors : Factors
        By how much.
    """
    grid = describe(field, axes)
    values = field if model.variable.units is None else to_units(field, model.variable.units, step=grid.step)
    if _amounts(field, axes, model, factors):
        values = values / values.dtype.type(factors.time)  # of a fine step, as they were learned
    time = axes.time or "time"
    if model.method.settings.transform.nonnegative:
        # Negative rounding of packed files would change the sign of all that is drawn in a cell.
        values = values.clip(min=0.0)
    if axes.time is None:
        values = values.expand_dims(time)
    coords = refine_coords(field, axes, factors)
    return Piece(
        values.transpose(time, *axes.spatial), grid, coords, field.name, field.attrs.get("units"), factors
    )


def _amounts(field: xr.DataArray, axes: Axes, model: Downscaler, factors: Factors) -> bool:
    """Whether a field holds amounts over its coarse steps, and the model works with amounts and not with rates."""
    works_in = dimension(model.variable.units or "")
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
        msg = f"the model was trained with static fields; missing: {missing}. Pass static={{name: field}}."
        raise MissingValueError(msg)
    if not wanted:
        return None
    grid = xr.Dataset(coords=coords)
    labels = {dim: labels_of(grid, dim).values for dim in axes.spatial if has_labels(grid, dim)}
    if len(labels) < 2:
        msg = f"static fields are laid by coordinates, and the field has none along {axes.spatial}. Assign them first."
        raise DimensionError(msg)
    laid = [(static_on_grid(s.name, given[s.name], labels) - s.mean) / s.scale for s in wanted]
    return np.stack(laid).astype(np.float32)


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
) -> xr.DataArray:
    """The ensemble of one piece, in the user's units: numpy from numpy, dask from dask.

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
    from xdownscale.inference.engine import Job, core_for, sample, sample_lazily
    from xdownscale.models.device import on_device

    job = Job(
        on_device(model.method, device),
        origin=piece.grid.origin,
        seed=seed,
        members=members,
        conserve=model.method.settings.conserving,
        core=tile or core_for(piece.shape, model.method),
        device=device,
        chosen=piece.factors.blocks,
    )
    if piece.values.chunks is not None:
        lazy = sample_lazily(job, piece.values.data.astype(np.float32), static)
        return _dressed(lazy, piece, model)
    coarse = np.asarray(piece.values.values, np.float32)
    pixels = coarse.size * int(np.prod(piece.factors.blocks)) * members
    shown = pixels > 20_000_000 if progress is None else progress
    return _dressed(sample(job, coarse, static, progress=shown), piece, model)


def _dressed(fine: Any, piece: Piece, model: Downscaler) -> xr.DataArray:
    """Fine values (member, time, y, x) with coordinates, in the user's units."""
    fine = _on_the_sphere(fine, piece, model)
    result = xr.DataArray(fine, dims=("member", *piece.values.dims), name=piece.name)
    if piece.grid.axes.time is None:
        result = result.isel({piece.values.dims[0]: 0}, drop=True)
    result = result.assign_coords({**piece.coords, "member": member_numbers(result.sizes["member"])})
    if piece.units is None or model.variable.units is None:
        return result
    step = None if piece.grid.step is None else piece.grid.step / piece.factors.time
    result = to_units(result.assign_attrs(units=model.variable.units), piece.units, step=step)
    return result.astype(np.float32, copy=False)


def member_numbers(count: int) -> xr.Variable:
    """The coordinate of so many members.

    Parameters
    ----------
    count : int
    """
    return xr.Variable("member", np.arange(count), {"standard_name": "realization", "units": "1"})


def _on_the_sphere(fine: Any, piece: Piece, model: Downscaler) -> Any:
    """Fine values whose means are right by area: a method conserves plain means, as its network knows no grid."""
    settings = model.method.settings
    areas = cell_areas(xr.Dataset(coords=piece.coords), piece.grid.axes)
    if areas is None or not settings.conserving or piece.factors.y * piece.factors.x == 1:
        return fine
    weights = areas.values.reshape(areas.shape[0], -1)
    ratio, limits = settings.transform.nonnegative, settings.transform.limits
    return match_means(fine, piece.values.data, weights, piece.factors.blocks, ratio=ratio, limits=limits)
