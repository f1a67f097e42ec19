"""``downscale``: a coarse field in, an ensemble of fine fields out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import xarray as xr

from xdownscale.errors import ArgumentError, DimensionError, MissingValueError
from xdownscale.field.arguments import as_whole, seed_number, whole_number
from xdownscale.field.attrs import FACTORS, add_history, package_version, refer_to_mapping, result_attrs
from xdownscale.field.axes import find_axes
from xdownscale.field.cell_methods import fine_methods, kept_methods
from xdownscale.field.change import (
    check_dims_of_tree,
    check_field,
    field_of,
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
from xdownscale.field.fine_bounds import fine_bounds
from xdownscale.field.gaps import check_gaps, contiguous, take
from xdownscale.field.like import check_no_tree, coords_like, with_labels
from xdownscale.field.predictors import laid_on, named_predictors
from xdownscale.field.quantity import quantity_of
from xdownscale.field.tree import map_tree
from xdownscale.zoo.choice import factors_of, resolved

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Mapping, Sequence

    from xdownscale.field.axes import Axes
    from xdownscale.field.labels import Source
    from xdownscale.field.static import Static
    from xdownscale.inference.stations import Errors, Observations
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
    """Draw an ensemble of fine fields whose block means are the coarse field.

    Parameters
    ----------
    field : DataArray, Dataset or DataTree
        Coarse field with y, x and (for models that refine time) time. A field with members is downscaled member
        by member, with `members` samples of each. Exactly the fine cells in missing coarse cells are missing. From a
        Dataset, the targets of the model are taken by name and drawn jointly (for a model of one variable, the only
        such field); from a tree, those of every node. Other variables pass through if they match the fine grid; a
        warning names them.
    model : Downscaler, path or name, optional
        A trained model. Without it, the pretrained weights for `spatial` and `temporal` are used: those for this pair
        of factors if the scale of the field is close to theirs, otherwise those for all factors.
    spatial : int or (int, int), optional
        Fine cells per coarse cell; required without `model`, otherwise checked against it.
    temporal : int, optional
        Fine steps per coarse step, likewise.
    members : int
        Number of members. Member 3 of 4 equals member 3 of 64.
    seed : int
        Another seed gives another ensemble; the same seed gives bitwise the same ensemble. Each entry along an extra
        dimension, such as a driving model, has its own seed, which depends on its label, so that its result does not
        depend on the other entries. Without labels, the seed depends on the position.
    predictors : DataArray, Dataset or mapping, optional
        The predictors of the model, on the coarse grid; they may extend beyond it. Missing ones are taken by name from
        `field`, if it is a Dataset.
    static : DataArray, Dataset or mapping, optional
        The static fields of the model, on the fine grid; they may extend beyond it.
    style : str, optional
        The product of ``model.styles`` whose texture members have: radar networks differ in how smooth their fields
        are, and a coarse field does not determine it. None uses the default of the model.
    sampler : {"angle", "dpm", "heun", "ddim", "ddpm"}, optional
        For a model with a diffused residual: the sampler. None uses that of the model.
    steps : int, optional
        Steps of the sampler, instead of its default: more steps take longer and have a larger receptive field.
    conserve : {"auto", "cell", "frame", "none"}
        "cell": block means of every member equal the field. "frame": only the total of every coarse frame is conserved;
        rain is scaled, other fields are shifted. "auto" is the setting of the training: "cell", but "frame" for the
        scale-adaptive framework and "none" for a median net.
    observations : DataArray or Dataset, optional
        For a generative prior: values at stations, on which members are also conditioned. Variables have the names of
        the targets. Dimensions are a station dimension and time, or one of them, with the coordinates of the grid (y
        and x, or latitude and longitude, and time) and a coordinate or attribute ``error``, the standard deviation of
        their errors in their own units.
    error : float or mapping of float, optional
        For a generative prior: standard deviation of the errors of the coarse values, in the units of the field, for
        all targets or by name. None uses a fiftieth of the variability of each.
    gaps : {"error", "split"}
        How to treat gaps in time: raise an error, or treat each contiguous piece separately. No window spans a gap; the
        noise is that of the same steps in a complete series.
    tile : (int, int, int), optional
        Coarse frames and cells (time, y, x) per tile; smaller tiles need less memory and more time.
    device : str
        Device for the computation; "auto" uses a GPU if there is one. The model is not moved.
    progress : bool, optional
        Show a progress bar; by default for work of more than a few seconds.
    like : DataArray or Dataset, optional
        A field on the fine grid, whose coordinates along y, x and time the ensemble gets, so that both align. They must
        agree with the computed coordinates within a tenth of a cell or step. By default, a field from ``coarsen`` gets
        its original labels.
    dims : mapping, optional
        Dimension names by role, where they cannot be recognised.

    Returns
    -------
    DataArray, dims (member, time, y, x), Dataset or DataTree
        Same type as `field`, in its units, float32, lazy if it is.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, ArgumentError, WeightsNotFoundError, ModelFileError
        Before any computation; the message names the call that fixes it.

    See Also
    --------
    xdownscale.plan : Estimate time and memory of a call.
    xdownscale.train : Train a model on fine fields.
    xdownscale.evaluate : Score forecasts against observations.
    xdownscale.write.to_zarr : Write a lazy result region by region, and resume it.

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
    members, seed, tile = whole_number(members, "members", least=1), seed_number(seed), checked_tile(tile)
    where = chosen_device(device)
    given = resolved(model, spatial, temporal, field=field, dims=dims)
    wish = _Wish(
        members=members,
        seed=seed,
        factors=factors_of(given, spatial, temporal),
        predictors=named_predictors(predictors, dims),
        static=static,
        observations=observations,
        error=error,
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
    if len(downscaler.targets) > 1:
        msg = (
            f"the model {downscaler.name!r} refines {list(downscaler.targets)} jointly, and the field is a DataArray. "
            f"Pass a Dataset that has them, as in dataset.sr.downscale(model)."
        )
        raise DimensionError(msg)
    (fine,) = _of_fields(_Fields([field], _predictors({}, downscaler, wish)), downscaler, wish)
    return _told(fine, downscaler, wish)


@dataclass(frozen=True)
class _Fields:
    """The inputs of one ensemble.

    Attributes
    ----------
    targets : list of DataArray
        In the order of the model.
    predictors : dict
        By name, in the order of the model.
    """

    targets: list[xr.DataArray]
    predictors: dict[str, xr.DataArray]

    def entry(self, dim: Hashable, number: int) -> _Fields:
        """An entry of an extra dimension, in the fields that have it."""
        own = {dim: number}
        return _Fields(
            [each.isel(own, missing_dims="ignore") for each in self.targets],
            {name: each.isel(own, missing_dims="ignore") for name, each in self.predictors.items()},
        )


@dataclass(frozen=True)
class _Wish:
    """The arguments of :func:`downscale` that apply to every field of a tree and every entry of a dimension."""

    members: int
    seed: int
    factors: Factors
    predictors: dict[str, xr.DataArray]
    static: Static | None
    observations: Observations
    error: Errors
    gaps: str
    tile: tuple[int, int, int] | None
    device: str
    progress: bool | None
    like: Source | None
    dims: Mapping[str, str] | None
    model_sha256: str
    """Hash of the given model; a requested style or sampler is recorded separately."""


def checked_tile(tile: Any) -> tuple[int, int, int] | None:
    """Check that a tile is three whole numbers or None."""
    if tile is None:
        return None
    given = tile if isinstance(tile, (tuple, list)) else ()
    sizes = [size for each in given if (size := as_whole(each, least=1)) is not None]
    if not len(sizes) == len(given) == 3:
        msg = f"tile={tile!r} is not accepted: coarse frames and cells (time, y, x), as in tile=(16, 96, 96)"
        raise ArgumentError(msg)
    frames, rows, columns = sizes
    return frames, rows, columns


def _of_tree(tree: xr.DataTree, model: Downscaler, wish: _Wish) -> xr.DataTree:
    """Downscale the one field of every node."""
    check_dims_of_tree(tree, wish.dims)

    def ensemble(node: xr.Dataset) -> xr.Dataset | None:
        return _of_dataset(node, model, wish) if _candidates(fields_of(node, wish.dims), wish) else None

    fine = map_tree(tree, ensemble)
    if not any("member" in node.dims for node in fine.subtree):
        msg = (
            f"no node of {[node.path for node in tree.subtree]} has a field that the model could refine. Name the "
            f'dimensions, for example dims={{"time": "t", "y": "north", "x": "east"}}.'
        )
        raise DimensionError(msg)
    return fine


def _of_dataset(dataset: xr.Dataset, model: Downscaler, wish: _Wish) -> xr.Dataset:
    """Downscale the targets in a Dataset; other variables that do not match the fine grid are left out."""
    dataset = with_grid_as_coords(dataset)
    every = fields_of(dataset, wish.dims)
    targets = _targets(dataset, every, model, wish)
    names = [each.name for each in targets]
    there = {str(name): dataset[name] for name in every if name not in names}
    fields = _Fields(targets, _predictors(there, model, wish))
    fine = xr.Dataset({each.name: each for each in _of_fields(fields, model, wish)})
    axes = find_axes(targets[0], dims=wish.dims)
    fine = fine.assign_coords(fine_bounds(dataset, targets[0], fine, axes, wish.factors, gaps=wish.gaps))
    done = [name for name in (*fields.predictors, *fine.coords) if name in dataset.data_vars]
    beside = dataset.drop_vars(done)
    both = fine.assign(without_fields(beside, names, fine.sizes)).assign_attrs(dataset.attrs)
    return _told(both, model, wish)


def _targets(
    dataset: xr.Dataset, every: Mapping[Hashable, Axes], model: Downscaler, wish: _Wish
) -> list[xr.DataArray]:
    """The targets of a model by name; for a model of one variable, the only field, regardless of its name."""
    found = _candidates(every, wish)
    if len(model.targets) == 1:
        known = {each.name for each in model.predictors} | wish.predictors.keys()
        named = [name for name in found if name in model.targets]
        others = [name for name in found if name not in known]
        chosen = named if len(others) > 1 and named else others
        beside = every.keys() - chosen if chosen else ()
        return [only_field(dataset.drop_vars(beside), dims=wish.dims)]
    missing = [name for name in model.targets if name not in found]
    if missing:
        msg = (
            f"the model {model.name!r} refines {list(model.targets)} jointly; the dataset has no {missing} (it has "
            f"{[str(name) for name in found]}). Rename its variables, as in dataset.rename(t2m={missing[0]!r})."
        )
        raise DimensionError(msg)
    return [field_of(dataset, name) for name in model.targets]


def _predictors(there: Mapping[str, xr.DataArray], model: Downscaler, wish: _Wish) -> dict[str, xr.DataArray]:
    """The predictors of a model, as passed or from the Dataset."""
    given = {**there, **wish.predictors}
    missing = [each.name for each in model.predictors if each.name not in given]
    if missing:
        msg = (
            f"the model {model.name!r} was trained with the predictors {[each.name for each in model.predictors]}; "
            f"missing: {missing}; given: {list(given)}. Pass them, downscale(field, model, predictors=dataset), or in "
            f"one Dataset with the field."
        )
        raise MissingValueError(msg)
    return {each.name: given[each.name] for each in model.predictors}


def _told(result: Told, model: Downscaler, wish: _Wish) -> Told:
    """The result with a line of history."""
    kept = f"conserve={model.method.conserves!r}"
    line = f"downscale(model={model.name!r}, members={wish.members}, seed={wish.seed}, {kept})"
    return result.assign_attrs(add_history(result.attrs, line))


def _candidates(every: Mapping[Hashable, Axes], wish: _Wish) -> list[Hashable]:
    """The fields with the dimensions that the model refines."""
    need_time = wish.factors.time > 1
    return [name for name, axes in every.items() if axes.time or not need_time]


def _of_fields(fields: _Fields, model: Downscaler, wish: _Wish) -> list[xr.DataArray]:
    """Downscale the targets jointly, piece by piece if time has gaps."""
    from xdownscale.inference.domain import drawn, piece_of, static_of
    from xdownscale.inference.scales import at_scale_of
    from xdownscale.inference.stations import told

    first = fields.targets[0]
    axes = find_axes(first, dims=wish.dims, need_time=wish.factors.time > 1)
    _check_one_grid(fields.targets, axes, wish)
    others = [dim for each in fields.targets for dim in each.dims if dim not in axes.ordered]
    if others:
        return _along(fields, others[0], model, wish)
    targets, predictors = _checked(fields, axes, model, wish)
    # a prior takes snapshots for what they are
    methods_of = kept_methods if model.method.whole else fine_methods
    methods = [methods_of(each, axes, refines_time=wish.factors.time > 1) for each in targets]
    parts = contiguous(first, axes.time) if wish.gaps == "split" else [slice(None)]
    pieces = [
        piece_of(
            [take(each, axes.time, part) for each in targets],
            [take(each, axes.time, part) for each in predictors],
            axes,
            model,
            wish.factors,
        )
        for part in parts
    ]
    model = at_scale_of(pieces[0], model)
    made = _joined([xr.Dataset(coords=piece.coords) for piece in pieces], axes.time)
    labels = {} if wish.like is None else coords_like(made, wish.like, axes)
    static = static_of(model, wish.static, axes, pieces[0].coords)
    fine = [
        drawn(
            told(model, piece, targets, observations=wish.observations, error=wish.error),
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
    results = []
    for field, method, *parts_of_one in zip(targets, methods, *fine, strict=True):
        result = _joined(parts_of_one, axes.time)
        result = result.copy(deep=False, data=even_chunks(result.data))
        result.attrs = result_attrs(field, cell_methods=method, extra=_extra(model, wish), keep_attrs=True)
        results.append(refer_to_mapping(with_labels(result, labels), field, pieces[0].coords))
    return results


def _checked(
    fields: _Fields, axes: Axes, model: Downscaler, wish: _Wish
) -> tuple[list[xr.DataArray], list[xr.DataArray]]:
    """Targets and predictors on the grid of the first target, each checked for its quantity."""
    first, targets = fields.targets[0], []
    whose = f"the model {model.name!r} refines"
    for field, variable in zip(fields.targets, model.variables, strict=True):
        check_same(quantity_of(field, axes.time), variable.quantity, whose=whose)
        targets.append(checked(field))
    predictors = []
    for variable, (name, field) in zip(model.predictors, fields.predictors.items(), strict=True):
        what, whose = "the predictor", f"the model {model.name!r} is shown"
        check_same(quantity_of(field, axes.time), variable.quantity, what=what, whose=whose)
        predictors.append(laid_on(name, field, first, axes, wish.dims))
    return targets, predictors


def _check_one_grid(targets: Sequence[xr.DataArray], axes: Axes, wish: _Wish) -> None:
    """Raise an error for a target whose dimensions are not those of the first."""
    for field in targets[1:]:
        own = find_axes(field, dims=wish.dims, need_time=axes.time is not None)
        if own != axes:
            msg = (
                f"the targets lie on one grid: {targets[0].name!r} {axes.ordered}, {field.name!r} {own.ordered}. Give "
                f"them the same dimensions, {field.name}.rename({_renamed(own, axes)}), and the same labels, "
                f"{field.name}.interp_like({targets[0].name})."
            )
            raise DimensionError(msg)


def _renamed(own: Axes, axes: Axes) -> dict[str, str]:
    """Names of dimensions that differ."""
    pairs = zip(reversed(own.ordered), reversed(axes.ordered), strict=False)
    return {here: there for here, there in pairs if here != there}


def _along(fields: _Fields, dim: Any, model: Downscaler, wish: _Wish) -> list[xr.DataArray]:
    """Downscale every entry along an extra dimension separately, each with its own seed.

    Members of the field have their own draws, which are numbered one input member after the other.
    """
    from xdownscale.inference.domain import member_numbers

    first = next(each for each in fields.targets if dim in each.dims)
    entries = [
        _of_fields(fields.entry(dim, i), model, replace(wish, seed=seed))
        for i, seed in enumerate(entry_seeds(first, dim, wish.seed))
    ]
    results: list[xr.DataArray] = []
    for parts in zip(*entries, strict=True):
        if dim == "member":
            drawn: xr.DataArray = xr.concat(parts, dim="member", combine_attrs="override")
            results.append(drawn.assign_coords(member=member_numbers(drawn.sizes["member"])))
        else:
            joined: xr.DataArray = xr.concat(parts, dim=first[dim] if dim in first.coords else dim)
            results.append(joined.transpose("member", dim, ...))
    return [each.assign_attrs(xdownscale_seed=wish.seed) for each in results]


def _joined(pieces: Sequence[Told], dim: str | None) -> Told:
    """Pieces concatenated in time."""
    if len(pieces) == 1:
        return pieces[0]
    joined: Told = xr.concat(
        pieces, dim=dim, coords="minimal", compat="override", join="override", combine_attrs="override"
    )
    return joined


def _extra(model: Downscaler, wish: _Wish) -> dict[str, Any]:
    """Attributes with which the same ensemble can be reproduced."""
    return {
        "xdownscale_version": package_version(),
        "xdownscale_model": model.name,
        "xdownscale_model_sha256": wish.model_sha256,
        "xdownscale_seed": wish.seed,
        "xdownscale_style": model.style or "mean",
        FACTORS: list(wish.factors.blocks),
        **({} if model.sampler is None else {"xdownscale_sampler": model.sampler}),
    }
