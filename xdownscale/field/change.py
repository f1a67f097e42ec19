"""A change of grid, applied to a DataArray, or to every variable of a Dataset or DataTree that has the dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.attrs import add_history, refer_to_mapping
from xdownscale.field.axes import Axes, check_dims, find_axes
from xdownscale.field.chunks import even_chunks
from xdownscale.field.labels import label_of
from xdownscale.field.position import ends_its_step, says_position, with_step_type
from xdownscale.field.times import notes_of_bounds
from xdownscale.field.tree import map_tree
from xdownscale.field.unstructured import no_grid, unstructured_dims
from xdownscale.field.warn import name_unchanged, warn_user

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping

    from xdownscale.field.bounds import Coordinates
    from xdownscale.field.labels import Source

Field = TypeVar("Field", xr.DataArray, xr.Dataset, xr.DataTree)


class Change(Protocol):
    """How a verb changes values, coordinates and attributes."""

    def variable(self, field: xr.DataArray, grid: Source, axes: Axes) -> xr.Variable:
        """New values and attributes of a field; `grid` holds coordinates, with bounds in a Dataset."""

    def coords(self, field: xr.DataArray, grid: Source, axes: Axes) -> Coordinates:
        """New coordinates."""

    def attrs(self, field: Source) -> dict[str, object]:
        """Attributes that are kept of a DataArray or Dataset."""

    def changed(self, axes: Axes) -> set[str]:
        """Dimensions that change."""


def apply_change(
    field: Field, change: Change, *, dims: Mapping[str, str] | None, need_time: bool, line: str, history: bool
) -> Field:
    """Apply a change of grid.

    Parameters
    ----------
    field : DataArray, Dataset or DataTree
        The input; not modified.
    change : Change
        What to do.
    dims : mapping or None
        Names of dimensions by role.
    need_time : bool
        Whether a field without time is an error.
    line : str
        Line of history.
    history : bool
        Whether to write it.

    Returns
    -------
    DataArray, Dataset or DataTree
        The same type. A tree is changed node by node. Of a Dataset, variables without the space dimensions pass
        through where they fit the new sizes; a warning names them and those that do not.

    Raises
    ------
    DimensionError
        If dimensions are not found, or `field` is nothing of xarray's.
    """
    check_field(field)
    if isinstance(field, xr.DataTree):
        return _change_tree(field, change, dims, need_time=need_time, line=line if history else None)
    if isinstance(field, xr.Dataset):
        check_dims(field, dims or {})
        return _change_dataset(field, change, dims, need_time=need_time, line=line if history else None)
    axes = find_axes(field, dims=dims, need_time=need_time)
    variable = change.variable(field, field, axes)
    coords = change.coords(field, field, axes)
    attrs = add_history(variable.attrs, line) if history else variable.attrs
    values = even_chunks(variable.data)
    result = xr.DataArray(values, dims=variable.dims, coords=coords, name=field.name, attrs=attrs)
    return refer_to_mapping(result, field, coords)


def check_field(field: Any) -> None:
    """Raise where a field has no names of dimensions, as arrays of numpy have none.

    Parameters
    ----------
    field : any
        What was passed.

    Raises
    ------
    DimensionError
        For anything but a DataArray, a Dataset or a DataTree.
    """
    if not isinstance(field, (xr.DataArray, xr.Dataset, xr.DataTree)):
        msg = (
            f"a field is an xarray.DataArray, Dataset or DataTree, not {type(field).__name__}. Name its dimensions, "
            f'as in xarray.DataArray(field, dims=("time", "y", "x")).'
        )
        raise DimensionError(msg)


def only_field(field: Source, *, dims: Mapping[str, str] | None = None) -> xr.DataArray:
    """The field itself, or the only variable of a Dataset with y and x.

    It comes with the grid mapping as a coordinate, and its times say what their bounds said, which a DataArray
    cannot hold.

    Parameters
    ----------
    field : DataArray or Dataset
        Where to look.
    dims : mapping, optional
        Names of dimensions by role.

    Raises
    ------
    DimensionError
        If a Dataset has none, or several.

    Examples
    --------
    >>> import xarray as xr
    >>> rain = xr.DataArray([[0.0]], dims=("y", "x"), name="rain")
    >>> only_field(xr.Dataset({"rain": rain, "crs": 0})).name
    'rain'
    """
    if isinstance(field, xr.DataArray):
        return field
    check_dims(field, dims or {})
    dataset = with_grid_as_coords(field)
    names = list(fields_of(dataset, dims))
    if not names and (cells := _cells(dataset)):
        raise DimensionError(no_grid(cells))
    if len(names) != 1:
        found = [str(name) for name in names] or f"none among {[str(name) for name in dataset.data_vars]}"
        msg = f"one field is wanted, the dataset has {found}. Choose one: dataset[name]."
        raise DimensionError(msg)
    return field_of(dataset, names[0])


def field_of(dataset: xr.Dataset, name: Hashable) -> xr.DataArray:
    """One variable, with its grid mapping as a coordinate and times that say what their bounds said.

    Parameters
    ----------
    dataset : Dataset
        Where to look.
    name : hashable
        Name of the variable.
    """
    dataset = with_grid_as_coords(dataset)
    chosen = dataset[name]
    typed = with_step_type(dataset, [chosen])
    notes = {label_of(dataset, str(dim)): notes_of_bounds(typed, str(dim)) for dim in chosen.dims}
    return chosen.assign_coords(
        {label: chosen[label].assign_attrs(said) for label, said in notes.items() if said}
    )


def with_grid_as_coords(dataset: xr.Dataset) -> xr.Dataset:
    """A Dataset whose bounds and grid mappings are coordinates, whatever they were read as.

    Parameters
    ----------
    dataset : Dataset
        Any.
    """
    names: set[str] = set()
    for variable in dataset.variables.values():
        for source in (variable.attrs, variable.encoding):
            names |= {str(source.get("bounds"))}
            names |= set(str(source.get("grid_mapping", "")).replace(":", " ").split())
    return dataset.set_coords([name for name in dataset.data_vars if name in names])


def fields_of(dataset: xr.Dataset, dims: Mapping[str, str] | None) -> dict[Hashable, Axes]:
    """The variables of numbers on y and x, with their dimensions.

    Parameters
    ----------
    dataset : Dataset
        Where to look.
    dims : mapping or None
        Names of dimensions by role.
    """
    found = {name: _axes_of(dataset[name], dims) for name in dataset.data_vars}
    return {name: axes for name, axes in found.items() if axes is not None}


def check_dims_of_tree(tree: xr.DataTree, dims: Mapping[str, str] | None) -> None:
    """Raise where no node of a tree has a dimension that the user named.

    Parameters
    ----------
    tree : DataTree
        Where to look.
    dims : mapping or None
        Names of dimensions by role.
    """
    every = xr.Dataset(coords={str(dim): [0] for node in tree.subtree for dim in node.dims})
    check_dims(every, dims or {})


def without_fields(
    dataset: xr.Dataset, names: Collection[Hashable], sizes: Mapping[Any, int]
) -> dict[Hashable, xr.Variable]:
    """The other variables of a Dataset, as far as they fit new sizes; a warning names them and those that do not.

    Parameters
    ----------
    dataset : Dataset
        All variables.
    names : collection
        Those that have been changed.
    sizes : mapping
        Sizes of the dimensions after the change.
    """
    others = {name: dataset[name].variable for name in dataset.data_vars if name not in names}
    passed = {
        name: v for name, v in others.items() if all(sizes.get(dim, n) == n for dim, n in v.sizes.items())
    }
    name_unchanged(passed, [name for name in others if name not in passed], lacking="the space dimensions")
    return passed


def _change_tree(
    tree: xr.DataTree, change: Change, dims: Mapping[str, str] | None, *, need_time: bool, line: str | None
) -> xr.DataTree:
    """Apply a change to every node that has the dimensions, in time where it has time."""
    check_dims_of_tree(tree, dims)
    axes = [found for node in tree.subtree for found in fields_of(node.to_dataset(), dims).values()]
    if not axes or (need_time and not any(found.time for found in axes)):
        wanted, example = _wanted(need_time=bool(axes))
        msg = (
            f"no variable in the nodes {[node.path for node in tree.subtree]} has {wanted}. Name the dimensions, "
            f"for example dims={example}."
        )
        raise DimensionError(msg)

    def changed(node: xr.Dataset) -> xr.Dataset | None:
        return (
            _change_dataset(node, change, dims, need_time=False, line=line) if fields_of(node, dims) else None
        )

    return map_tree(tree, changed)


def _change_dataset(
    dataset: xr.Dataset, change: Change, dims: Mapping[str, str] | None, *, need_time: bool, line: str | None
) -> xr.Dataset:
    """Apply a change to every variable that has the dimensions."""
    dataset = with_grid_as_coords(dataset)
    axes = fields_of(dataset, dims)
    if not axes or (need_time and not any(found.time for found in axes.values())):
        raise DimensionError(_nothing_to_change(dataset, need_time=bool(axes)))
    timed = {name: found.time for name, found in axes.items() if found.time in change.changed(found)}
    grid = dataset.drop_vars(list(dataset.data_vars))
    _warn_of_mixed_ends(dataset, timed)
    grid = with_step_type(grid, [dataset[name] for name in timed])
    changed = {name: change.variable(dataset[name], grid, found) for name, found in axes.items()}
    coords = _coords(dataset, grid, change, axes)
    for name, variable in changed.items():
        variable.data = even_chunks(variable.data)
        refer_to_mapping(variable, dataset[name], coords)
    sizes = {
        dim: n for variable in (*changed.values(), *coords.values()) for dim, n in variable.sizes.items()
    }
    both = changed | without_fields(dataset, axes, sizes)
    attrs = change.attrs(dataset)
    return xr.Dataset(
        {name: both[name] for name in dataset.data_vars if name in both},
        coords=coords,
        attrs=add_history(attrs, line) if line else attrs,
    )


def _warn_of_mixed_ends(dataset: xr.Dataset, timed: Mapping[Hashable, str | None]) -> None:
    """Say that one time axis labels the ends of some fields' steps and the starts of others'."""
    ends = [name for name, time in timed.items() if time and ends_its_step(dataset[name])]
    if 0 < len(ends) < len(timed) and not any(
        says_position(dataset, time) for time in timed.values() if time
    ):
        warn_user(
            f"by GRIB_stepType the times are the ends of the steps of {ends}, and not of the other variables; they are "
            f"taken for starts. For the right times change these by themselves: dataset[{ends}]."
        )


def _coords(
    dataset: xr.Dataset, grid: xr.Dataset, change: Change, axes: Mapping[Hashable, Axes]
) -> Coordinates:
    """Coordinates of all variables, each from the variables whose grid changes along it."""
    touched = {dim for found in axes.values() for dim in change.changed(found)}
    coords: Coordinates = {}
    for found in sorted(set(axes.values()), key=lambda one: one.time is not None):
        first = next(name for name in axes if axes[name] == found)
        elsewhere = touched - change.changed(found)
        new = change.coords(dataset[first], grid, found)
        coords |= {name: variable for name, variable in new.items() if not elsewhere & set(variable.dims)}
    return coords


def _axes_of(field: xr.DataArray, dims: Mapping[str, str] | None) -> Axes | None:
    """Axes of a variable of numbers, durations and complex ones too; None where it has no y and x."""
    if field.dtype.kind not in "fiubmc" or field.ndim < 2:
        return None
    try:
        return find_axes(
            field, dims={role: name for role, name in (dims or {}).items() if name in field.dims}
        )
    except DimensionError:
        return None


def _nothing_to_change(dataset: xr.Dataset, *, need_time: bool) -> str:
    """Say that no variable has what is needed."""
    if not need_time and (cells := _cells(dataset)):
        return no_grid(cells)
    wanted, example = _wanted(need_time=need_time)
    return (
        f"no variable of {[str(name) for name in dataset.data_vars]} has {wanted}; "
        f"the dimensions are {dict(dataset.sizes)}. Name them, for example dims={example}."
    )


def _wanted(*, need_time: bool) -> tuple[str, dict[str, str]]:
    """What a field must have, and an example of how to name it."""
    return (
        ("a time dimension", {"time": "t"})
        if need_time
        else ("numbers on y and x", {"y": "north", "x": "east"})
    )


def _cells(dataset: xr.Dataset) -> set[str]:
    """Dimensions that count the cells of unstructured grids."""
    return {dim for variable in dataset.data_vars.values() for dim in unstructured_dims(variable)}
