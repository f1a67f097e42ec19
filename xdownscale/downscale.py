"""``downscale``: a coarse field in, an ensemble of fine fields out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr

from xdownscale.errors import DimensionError, FactorError, MissingValueError, UnitsError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.blocks import match_means
from xdownscale.field.change import fields_of, only_field, without_fields
from xdownscale.field.factors import Factors
from xdownscale.field.grid import cell_areas, describe, refine_coords
from xdownscale.field.methods import time_method
from xdownscale.field.pieces import check_gaps, contiguous, take
from xdownscale.field.provenance import package_version, refer_to_mapping, result_attrs
from xdownscale.field.static import named_static, static_on_grid
from xdownscale.field.tree import map_tree
from xdownscale.field.units import is_amount, is_rate, to_units
from xdownscale.field.values import check_values, name_of

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Mapping, Sequence

    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.grid import Grid
    from xdownscale.field.static import Static
    from xdownscale.model.downscaler import Downscaler


Field = TypeVar("Field", xr.DataArray, xr.DataTree)


def downscale(
    field: Field,
    model: Downscaler | str | os.PathLike[str] | None = None,
    *,
    spatial: int | tuple[int, int] | None = None,
    temporal: int | None = None,
    members: int = 1,
    seed: int = 0,
    static: Static | None = None,
    style: str | None = None,
    conserve: str = "auto",
    gaps: str = "error",
    tile: tuple[int, int, int] | None = None,
    device: str = "auto",
    progress: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> Field:
    """Draw an ensemble of fine fields whose block means are the coarse field.

    Parameters
    ----------
    field : DataArray or DataTree
        Coarse field with y, x and (for models that refine time) time. Missing values stay missing, and nowhere else. Of
        a tree, the one field of every node; nodes without such a field pass through and are named in a warning.
    model : Downscaler, path or name, optional
        A trained model. Without it the pretrained weights for `spatial` and `temporal` are taken.
    spatial : int or (int, int), optional
        Fine cells per coarse cell; needed without `model`, checked against it otherwise.
    temporal : int, optional
        Fine steps per coarse step, likewise.
    members : int
        Members of the ensemble. Member 3 of 4 is member 3 of 64.
    seed : int
        Another seed gives another ensemble; the same one gives the same bits.
    static : DataArray, Dataset or mapping, optional
        The static fields that the model was trained with, on the fine grid or beyond.
    style : str, optional
        The product of ``model.styles`` whose texture is wanted: radar networks differ in how smooth their fields are,
        and a coarse field does not tell. None takes the default of the model.
    conserve : {"auto", "cell", "none"}
        "cell": block means of every member equal the field. "auto" is what the model was trained for.
    gaps : {"error", "split"}
        What to do about gaps in time: raise, or treat every contiguous piece on its own. No window straddles a gap; the
        noise is that of the same steps in a whole series.
    tile : (int, int, int), optional
        Coarse frames and cells (time, y, x) computed at once; smaller tiles take less memory and more time.
    device : str
        "auto" takes a GPU if there is one.
    progress : bool, optional
        Show a progress bar; by default for work of more than a few seconds.
    dims : mapping, optional
        Dimension names by role, where they cannot be recognised.

    Returns
    -------
    DataArray, dims (member, time, y, x), or DataTree
        In the units of `field`, float32. Lazy if `field` is.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, FactorError, WeightsNotFoundError, ModelFileError
        Before any work starts, with the call that mends it.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((6, 60, 60))
    >>> coarse = xdownscale.coarsen(rain, spatial=10, temporal=3)
    >>> ensemble = xdownscale.downscale(coarse, spatial=10, temporal=3, members=2)
    >>> dict(ensemble.sizes)
    {'member': 2, 'time': 6, 'y': 60, 'x': 60}
    """
    if members < 1 or conserve not in ("auto", "cell", "none"):
        msg = f'members={members}, conserve={conserve!r}: members is at least 1, conserve is "auto", "cell" or "none"'
        raise FactorError(msg)
    check_gaps(gaps)
    downscaler = _resolved(model, spatial, temporal)
    if style is not None:
        downscaler = downscaler.with_style(style)
    options: dict[str, Any] = {
        "members": members,
        "seed": seed,
        "static": static,
        "conserve": conserve,
        "gaps": gaps,
        "tile": tile,
        "device": device,
        "progress": progress,
        "dims": dims,
    }
    if isinstance(field, xr.DataTree):
        return _mapped_tree(field, downscaler, **options)
    field = only_field(field)
    axes = find_axes(field, dims=dims, need_time=downscaler.factors.time > 1)
    others = [dim for dim in field.dims if dim not in axes.ordered]
    if others:
        return _mapped(field, others[0], downscaler, **options)
    check_values(field, name_of(field), allow_missing=False)
    methods = _known_methods(field, axes, downscaler.factors)
    parts = contiguous(field, axes.time) if gaps == "split" else [slice(None)]
    pieces = [_piece(take(field, axes.time, part), axes, downscaler) for part in parts]
    _warn_of_other_scales(pieces[0].grid, downscaler)
    ground = _ground(downscaler, static, axes, pieces[0].coords)
    fine = [
        _sampled(
            downscaler,
            piece,
            ground,
            members=members,
            seed=seed,
            conserve=conserve,
            tile=tile,
            device=device,
            progress=progress,
        )
        for piece in pieces
    ]
    result = fine[0] if len(fine) == 1 else _joined(fine, axes.time)
    line = f"downscale(model={downscaler.name!r}, members={members}, seed={seed}, conserve={conserve!r})"
    extra = _extra(downscaler, seed)
    result.attrs = result_attrs(field, line, cell_methods=methods, extra=extra, keep_attrs=True)
    return refer_to_mapping(result, field, pieces[0].coords)


def _mapped_tree(tree: xr.DataTree, model: Downscaler, **options: Any) -> xr.DataTree:
    """The one field of every node downscaled; what lies on the coarse grid beside it stays behind."""
    need_time, dims = model.factors.time > 1, options["dims"]

    def ensemble(node: xr.Dataset) -> xr.Dataset | None:
        found = {name: axes for name, axes in fields_of(node, dims).items() if axes.time or not need_time}
        if not found:
            return None
        field = node[next(iter(found))] if len(found) == 1 else only_field(node)
        fine = downscale(field, model, **options).to_dataset(name=field.name)
        return fine.assign(without_fields(node, found, fine.sizes)).assign_attrs(node.attrs)

    fine = map_tree(tree, ensemble)
    if not any("member" in node.dims for node in fine.subtree):
        msg = (
            f"no node of {[node.path for node in tree.subtree]} has a field that the model could refine. Name the "
            f'dimensions, for example dims={{"time": ..., "y": ..., "x": ...}}.'
        )
        raise DimensionError(msg)
    return fine


@dataclass(frozen=True)
class _Piece:
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
    """

    values: xr.DataArray
    grid: Grid
    coords: Coordinates
    name: Hashable
    units: str | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Coarse steps and cells."""
        steps, rows, columns = self.values.shape
        return steps, rows, columns


def _piece(field: xr.DataArray, axes: Axes, model: Downscaler) -> _Piece:
    """A field without gaps, checked and in the units of the model."""
    grid = describe(field, axes)
    values = field if model.variable.units is None else to_units(field, model.variable.units, step=grid.step)
    time = axes.time or "time"
    if axes.time is None:
        values = values.expand_dims(time)
    coords = refine_coords(field, axes, model.factors)
    return _Piece(values.transpose(time, *axes.spatial), grid, coords, field.name, field.attrs.get("units"))


def _joined(pieces: Sequence[xr.DataArray], dim: str | None) -> xr.DataArray:
    """Pieces one behind the other in time."""
    joined: xr.DataArray = xr.concat(
        pieces, dim=dim, coords="minimal", compat="override", join="override", combine_attrs="override"
    )
    return joined


def _resolved(
    model: Downscaler | str | os.PathLike[str] | None,
    spatial: int | tuple[int, int] | None,
    temporal: int | None,
) -> Downscaler:
    """The model that was given, named or wanted by its factors."""
    from xdownscale import zoo
    from xdownscale.model.downscaler import Downscaler

    if model is None:
        if spatial is None and temporal is None:
            msg = "downscale needs a model or factors: downscale(model=...), or downscale(spatial=10, temporal=3)"
            raise FactorError(msg)
        return zoo.find(Factors.parse(spatial or 1, temporal or 1))
    chosen = model if isinstance(model, Downscaler) else zoo.load(model)
    wanted = Factors.parse(
        chosen.factors.spatial if spatial is None else spatial,
        chosen.factors.time if temporal is None else temporal,
    )
    if wanted != chosen.factors:
        msg = (
            f"the model refines by {chosen.factors}, not by {wanted}. Leave spatial and temporal out, or train for "
            f"them: train(field, spatial={wanted.spatial}, temporal={wanted.time})"
        )
        raise FactorError(msg)
    return chosen


def _mapped(field: xr.DataArray, dim: Any, model: Downscaler, *, seed: int, **options: Any) -> xr.DataArray:
    """Every entry along an extra dimension downscaled on its own, entry i with the seed (seed, i)."""
    if dim == "member":
        msg = "the field already has a dimension 'member'; rename it, as in field.rename(member='driver')"
        raise DimensionError(msg)
    entries = [
        downscale(field.isel({dim: i}), model, seed=seed + 1_000_003 * i, **options)
        for i in range(field.sizes[dim])
    ]
    joined: xr.DataArray = xr.concat(entries, dim=field[dim] if dim in field.coords else dim)
    return joined.transpose("member", dim, ...)


def _warn_of_other_scales(grid: Grid, model: Downscaler) -> None:
    """Say when the field's scales are far from those that the model has learned."""
    trained, factors, notes = model.provenance, model.factors, []
    metres = {"m": 1.0, "km": 1000.0, "degrees": 111_000.0}
    units, own = metres.get(_length_units(grid.units)), metres.get(_length_units(trained.spacing_units))
    if units and own and trained.spacing:
        fine, learned = grid.spacing_y * units / factors.y, trained.spacing * own
        if not 0.5 < fine / learned < 2:
            notes.append(f"fine cells of {fine / 1000:.3g} km (trained on {learned / 1000:.3g} km)")
    if grid.step is not None and trained.step:
        seconds = float(grid.step / np.timedelta64(1, "s")) / factors.time
        if not 0.4 < seconds / trained.step < 2.5:
            notes.append(f"fine steps of {seconds:g} s (trained on {trained.step:g} s)")
    if notes:
        warnings.warn(
            f"this asks for {' and '.join(notes)}: texture and movement will be those of the training data. "
            f"Train on your own scales with xdownscale.train.",
            UserWarning,
            stacklevel=3,
        )


def _length_units(units: str | None) -> str:
    """One word for the many ways to write a unit of length."""
    text = (units or "").lower()
    return (
        "degrees"
        if text.startswith("degree")
        else {"metre": "m", "meter": "m", "kilometre": "km", "kilometer": "km"}.get(
            text.removesuffix("s"), text
        )
    )


def _ground(
    model: Downscaler, static: Static | None, axes: Axes, coords: Mapping[str, xr.Variable]
) -> np.ndarray | None:
    """Standardised static fields on the fine grid, shape (fields, y, x)."""
    wanted = model.method.settings.static
    given = named_static(static)
    missing = [each.name for each in wanted if each.name not in given]
    if missing:
        msg = f"the model was trained with static fields; missing: {missing}. Pass static={{name: field}}."
        raise MissingValueError(msg)
    if not wanted:
        return None
    labels = {dim: coords[dim].values for dim in axes.spatial if dim in coords}
    if len(labels) < 2:
        msg = f"static fields are laid by coordinates, and the field has none along {axes.spatial}. Assign them first."
        raise DimensionError(msg)
    laid = [(static_on_grid(s.name, given[s.name], labels) - s.mean) / s.scale for s in wanted]
    return np.stack(laid).astype(np.float32)


def _sampled(
    model: Downscaler,
    piece: _Piece,
    ground: np.ndarray | None,
    *,
    members: int,
    seed: int,
    conserve: str,
    tile: tuple[int, int, int] | None,
    device: str,
    progress: bool | None,
) -> xr.DataArray:
    """The ensemble of one piece, in the user's units: numpy from numpy, dask from dask."""
    from xdownscale.model.device import chosen_device
    from xdownscale.sampling.engine import Job, core_for, sample, sample_lazily

    where = chosen_device(device)
    job = Job(
        model.method.to(where),
        origin=piece.grid.origin,
        seed=seed,
        members=members,
        conserve=conserve != "none",
        core=tile or core_for(piece.shape, model.method),
        device=where,
    )
    if piece.values.chunks is not None:
        lazy = sample_lazily(job, piece.values.data.astype(np.float32), ground)
        return _dressed(lazy, piece, model, conserve=job.conserve)
    coarse = np.asarray(piece.values.values, np.float32)
    pixels = coarse.size * int(np.prod(model.factors.blocks)) * members
    shown = pixels > 20_000_000 if progress is None else progress
    return _dressed(sample(job, coarse, ground, progress=shown), piece, model, conserve=job.conserve)


def _dressed(fine: Any, piece: _Piece, model: Downscaler, *, conserve: bool) -> xr.DataArray:
    """Fine values (member, time, y, x) with coordinates, in the user's units."""
    if conserve:
        fine = _on_the_sphere(fine, piece, model)
    result = xr.DataArray(fine, dims=("member", *piece.values.dims), name=piece.name)
    if piece.grid.axes.time is None:
        result = result.isel({piece.values.dims[0]: 0}, drop=True)
    member = xr.Variable(
        "member", np.arange(result.sizes["member"]), {"standard_name": "realization", "units": "1"}
    )
    result = result.assign_coords({**piece.coords, "member": member})
    if piece.units is None or model.variable.units is None:
        return result
    step = None if piece.grid.step is None else piece.grid.step / model.factors.time
    result = to_units(result.assign_attrs(units=model.variable.units), piece.units, step=step)
    return result.astype(np.float32, copy=False)


def _on_the_sphere(fine: Any, piece: _Piece, model: Downscaler) -> Any:
    """Fine values whose means are right by area: a method conserves plain means, as its network knows no grid."""
    settings = model.method.settings
    areas = cell_areas(xr.Dataset(coords=piece.coords), piece.grid.axes)
    if areas is None or not settings.conserving or model.factors.y * model.factors.x == 1:
        return fine
    weights = areas.values.reshape(areas.shape[0], -1)
    ratio = settings.transform.nonnegative
    return match_means(fine, piece.values.data, weights, settings.blocks, ratio=ratio)


def _known_methods(field: xr.DataArray, axes: Axes, factors: Factors) -> str | None:
    """Cell methods that fine values add: a model takes snapshots as means, and cannot add rates up."""
    method = time_method(field, axes) if axes.time and factors.time > 1 else "mean"
    units = str(field.attrs.get("units", ""))
    if is_rate(units) if method == "sum" else is_amount(units):
        msg = (
            f"the field is in {units!r}, and its values are a {method!r} over time by cell_methods: rates are means, "
            f"amounts are sums. Set field.attrs['cell_methods'] = 'time: {'sum' if is_amount(units) else 'mean'}'."
        )
        raise UnitsError(msg)
    if method == "point":
        warnings.warn(
            "the field holds snapshots (cell_methods 'time: point'); they are taken as means over their steps.",
            UserWarning,
            stacklevel=3,
        )
        return f"{axes.time}: mean"
    return None


def _extra(model: Downscaler, seed: int) -> dict[str, Any]:
    """What a reader of the file needs to make the same ensemble again."""
    return {
        "xdownscale_version": package_version(),
        "xdownscale_model": model.name,
        "xdownscale_model_sha256": model.sha256,
        "xdownscale_seed": seed,
        "xdownscale_style": model.style or "mean",
    }
