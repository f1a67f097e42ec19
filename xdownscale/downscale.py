"""``downscale``: a coarse field in, an ensemble of fine fields out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import xarray as xr

from xdownscale.errors import DimensionError, FactorError
from xdownscale.field.arguments import seed_number, whole_number
from xdownscale.field.attrs import add_history, package_version, refer_to_mapping, result_attrs
from xdownscale.field.axes import find_axes
from xdownscale.field.cell_methods import fine_methods
from xdownscale.field.change import (
    check_dims_of_tree,
    check_field,
    fields_of,
    only_field,
    with_grid_as_coords,
    without_fields,
)
from xdownscale.field.checks import checked
from xdownscale.field.chunks import even_chunks
from xdownscale.field.compare import check_same
from xdownscale.field.entries import entry_seeds
from xdownscale.field.factors import Factors
from xdownscale.field.gaps import check_gaps, contiguous, take
from xdownscale.field.like import check_no_tree, coords_like, with_labels
from xdownscale.field.quantity import quantity_of
from xdownscale.field.tree import map_tree

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Mapping, Sequence

    from xdownscale.field.labels import Source
    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler


Field = TypeVar("Field", xr.DataArray, xr.Dataset, xr.DataTree)
Told = TypeVar("Told", xr.DataArray, xr.Dataset)


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
    """Draw an ensemble of fine fields whose block means are the coarse field.

    Parameters
    ----------
    field : DataArray, Dataset or DataTree
        Coarse field with y, x and (for models that refine time) time. Of a field with members, each gets `members`
        draws of its own. Missing values stay missing, and nowhere else. Of
        a Dataset, its one such field, and of a tree, that of every node. What else they hold passes through where it
        fits the fine grid; a warning names it.
    model : Downscaler, path or name, optional
        A trained model. Without it the pretrained weights for `spatial` and `temporal` are taken.
    spatial : int or (int, int), optional
        Fine cells per coarse cell; needed without `model`, checked against it otherwise.
    temporal : int, optional
        Fine steps per coarse step, likewise.
    members : int
        Members of the ensemble. Member 3 of 4 is member 3 of 64.
    seed : int
        Another seed gives another ensemble; the same one gives the same bits. An entry along any other dimension, such
        as a driver, has a seed of its own that depends on its label, so that it is the same alone and in company; where
        the dimension has no labels, on its position.
    static : DataArray, Dataset or mapping, optional
        The static fields that the model was trained with, on the fine grid or beyond.
    style : str, optional
        The product of ``model.styles`` whose texture is wanted: radar networks differ in how smooth their fields are,
        and a coarse field does not tell. None takes the default of the model.
    sampler : {"angle", "dpm", "heun", "ddim", "ddpm"}, optional
        For a model with a diffused residual: how its members are drawn. None takes what the model says.
    steps : int, optional
        Of the sampler, instead of its default: more take longer and look farther.
    conserve : {"auto", "cell", "none"}
        "cell": block means of every member equal the field. "auto" is what the model was trained for: "cell", but
        "none" for a median net.
    gaps : {"error", "split"}
        What to do about gaps in time: raise, or treat every contiguous piece on its own. No window straddles a gap; the
        noise is that of the same steps in a whole series.
    tile : (int, int, int), optional
        Coarse frames and cells (time, y, x) computed at once; smaller tiles take less memory and more time.
    device : str
        Where to compute; "auto" takes a GPU if there is one. The model stays where it is.
    progress : bool, optional
        Show a progress bar; by default for work of more than a few seconds.
    like : DataArray or Dataset, optional
        A field on the fine grid, whose coordinates along y, x and time the ensemble gets, so that both join. They must
        agree with the computed ones within a tenth of a cell or step. By default a field that was made by ``coarsen``
        gets the labels back that it had before.
    dims : mapping, optional
        Dimension names by role, where they cannot be recognised.

    Returns
    -------
    DataArray, dims (member, time, y, x), Dataset or DataTree
        As `field`. In its units, float32. Lazy if it is.

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
    from xdownscale.models.device import chosen_device

    check_field(field)
    check_gaps(gaps)
    check_no_tree(field, like)
    members, seed, tile = whole_number(members, "members", least=1), seed_number(seed), _checked_tile(tile)
    where = chosen_device(device)
    given = _resolved(model, spatial, temporal)
    wish = _Wish(
        members=members,
        seed=seed,
        factors=given.factors.chosen(spatial, temporal),
        static=static,
        gaps=gaps,
        tile=tile,
        device=where,
        progress=progress,
        like=like,
        dims=dims,
        model_sha256=given.sha256,
    )
    downscaler = given.with_conservation(conserve)
    if style is not None:
        downscaler = downscaler.with_style(style)
    if sampler is not None or steps is not None:
        downscaler = downscaler.with_sampler(sampler, steps)
    if isinstance(field, xr.DataTree):
        return _of_tree(field, downscaler, wish)
    if isinstance(field, xr.Dataset):
        return _of_dataset(field, downscaler, wish)
    return _told(_of_field(field, downscaler, wish), downscaler, wish)


@dataclass(frozen=True)
class _Wish:
    """The arguments of :func:`downscale` that hold for every field of a tree and every entry of a dimension."""

    members: int
    seed: int
    factors: Factors
    static: Static | None
    gaps: str
    tile: tuple[int, int, int] | None
    device: str
    progress: bool | None
    like: Source | None
    dims: Mapping[str, str] | None
    model_sha256: str
    """Of the model that was given; a style or sampler that was asked for is recorded beside it."""


def _checked_tile(tile: Any) -> tuple[int, int, int] | None:
    """Three whole numbers, or None."""
    if tile is None:
        return None
    if not isinstance(tile, (tuple, list)) or len(tile) != 3:
        msg = f"tile={tile!r} is not accepted: coarse frames and cells (time, y, x), as in tile=(16, 96, 96)"
        raise FactorError(msg)
    frames, rows, columns = (whole_number(size, "tile", least=1) for size in tile)
    return frames, rows, columns


def _of_tree(tree: xr.DataTree, model: Downscaler, wish: _Wish) -> xr.DataTree:
    """The one field of every node downscaled."""
    check_dims_of_tree(tree, wish.dims)

    def ensemble(node: xr.Dataset) -> xr.Dataset | None:
        return _of_dataset(node, model, wish) if _candidates(node, wish) else None

    fine = map_tree(tree, ensemble)
    if not any("member" in node.dims for node in fine.subtree):
        msg = (
            f"no node of {[node.path for node in tree.subtree]} has a field that the model could refine. Name the "
            f'dimensions, for example dims={{"time": ..., "y": ..., "x": ...}}.'
        )
        raise DimensionError(msg)
    return fine


def _of_dataset(dataset: xr.Dataset, model: Downscaler, wish: _Wish) -> xr.Dataset:
    """The one field of a Dataset downscaled; of what lies beside it, what does not fit the fine grid stays behind."""
    dataset = with_grid_as_coords(dataset)
    found = _candidates(dataset, wish)
    beside = fields_of(dataset, wish.dims).keys() - found if found else ()
    field = only_field(dataset.drop_vars(beside), dims=wish.dims)
    fine = _of_field(field, model, wish).to_dataset(name=field.name)
    both = fine.assign(without_fields(dataset, [field.name], fine.sizes)).assign_attrs(dataset.attrs)
    return _told(both, model, wish)


def _told(result: Told, model: Downscaler, wish: _Wish) -> Told:
    """The result with a line of history."""
    kept = "cell" if model.method.settings.conserving else "none"
    line = f"downscale(model={model.name!r}, members={wish.members}, seed={wish.seed}, conserve={kept!r})"
    return result.assign_attrs(add_history(result.attrs, line))


def _candidates(dataset: xr.Dataset, wish: _Wish) -> list[Hashable]:
    """The fields with the dimensions that the model refines."""
    need_time = wish.factors.time > 1
    return [name for name, axes in fields_of(dataset, wish.dims).items() if axes.time or not need_time]


def _of_field(field: xr.DataArray, model: Downscaler, wish: _Wish) -> xr.DataArray:
    """One field downscaled, piece by piece where time has gaps."""
    from xdownscale.inference.domain import drawn, piece_of, static_of
    from xdownscale.inference.scales import warn_of_other_scales

    axes = find_axes(field, dims=wish.dims, need_time=wish.factors.time > 1)
    others = [dim for dim in field.dims if dim not in axes.ordered]
    if others:
        return _along(field, others[0], model, wish)
    check_same(quantity_of(field, axes.time), model.quantity, whose=f"the model {model.name!r} refines")
    field = checked(field)
    methods = fine_methods(field, axes, refines_time=wish.factors.time > 1)
    parts = contiguous(field, axes.time) if wish.gaps == "split" else [slice(None)]
    pieces = [piece_of(take(field, axes.time, part), axes, model, wish.factors) for part in parts]
    warn_of_other_scales(pieces[0].grid, model, wish.factors)
    made = _joined([xr.Dataset(coords=piece.coords) for piece in pieces], axes.time)
    labels = {} if wish.like is None else coords_like(made, wish.like, axes)
    static = static_of(model, wish.static, axes, pieces[0].coords)
    fine = [
        drawn(
            model,
            piece,
            static,
            members=wish.members,
            seed=wish.seed,
            tile=wish.tile,
            device=wish.device,
            progress=wish.progress,
        )
        for piece in pieces
    ]
    result = _joined(fine, axes.time)
    result = result.copy(deep=False, data=even_chunks(result.data))
    extra = _extra(model, wish)
    result.attrs = result_attrs(field, cell_methods=methods, extra=extra, keep_attrs=True)
    return refer_to_mapping(with_labels(result, labels), field, pieces[0].coords)


def _along(field: xr.DataArray, dim: Any, model: Downscaler, wish: _Wish) -> xr.DataArray:
    """Every entry along an extra dimension downscaled on its own, each with a seed of its own.

    Members of the field give draws of their own, which are numbered one input member after the other.
    """
    from xdownscale.inference.domain import member_numbers

    entries = [
        _of_field(field.isel({dim: i}), model, replace(wish, seed=seed))
        for i, seed in enumerate(entry_seeds(field, dim, wish.seed))
    ]
    if dim == "member":
        drawn: xr.DataArray = xr.concat(entries, dim="member", combine_attrs="override")
        numbers = member_numbers(drawn.sizes["member"])
        return drawn.assign_coords(member=numbers).assign_attrs(xdownscale_seed=wish.seed)
    joined: xr.DataArray = xr.concat(entries, dim=field[dim] if dim in field.coords else dim)
    return joined.assign_attrs(xdownscale_seed=wish.seed).transpose("member", dim, ...)


def _joined(pieces: Sequence[Told], dim: str | None) -> Told:
    """Pieces one behind the other in time."""
    if len(pieces) == 1:
        return pieces[0]
    joined: Told = xr.concat(
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
    from xdownscale.models.downscaler import Downscaler

    if model is None:
        if spatial is None and temporal is None:
            msg = "downscale needs a model or factors: downscale(model=...), or downscale(spatial=10, temporal=3)"
            raise FactorError(msg)
        return zoo.find(Factors.parse(spatial or 1, temporal or 1))
    return model if isinstance(model, Downscaler) else zoo.load(model)


def _extra(model: Downscaler, wish: _Wish) -> dict[str, Any]:
    """What a reader of the file needs to make the same ensemble again."""
    return {
        "xdownscale_version": package_version(),
        "xdownscale_model": model.name,
        "xdownscale_model_sha256": wish.model_sha256,
        "xdownscale_seed": wish.seed,
        "xdownscale_style": model.style or "mean",
        **({} if model.sampler is None else {"xdownscale_sampler": model.sampler}),
    }
