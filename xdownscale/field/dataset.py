"""A verb on every variable of a Dataset that has the dimensions; the others pass, and are named."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping

import xarray as xr

from xdownscale.errors import DimensionError
from xdownscale.field.axes import Axes, find_axes
from xdownscale.field.provenance import result_attrs


def map_variables(
    dataset: xr.Dataset,
    function: Callable[[xr.DataArray, Axes], xr.DataArray],
    *,
    dims: Mapping[str, str] | None = None,
    line: str | None = None,
    keep_attrs: bool | None = None,
) -> xr.Dataset:
    """Apply a function to every variable that has the space dimensions.

    Parameters
    ----------
    dataset : Dataset
        Any dataset.
    function : callable
        Takes a variable, with its bounds as coordinates, and its axes; time is None for a static field.
    dims : mapping, optional
        Names of dimensions by role.
    line : str, optional
        Line of history.
    keep_attrs : bool, optional
        As in :func:`xdownscale.coarsen`.

    Returns
    -------
    Dataset
        Changed variables; the others unchanged where they fit the new sizes. A warning names both kinds of others.

    Raises
    ------
    DimensionError
        If no variable has the dimensions.
    """
    dataset = dataset.set_coords(_of_the_grid(dataset))
    axes = {name: found for name in dataset.data_vars if (found := _axes_of(dataset[name], dims)) is not None}
    if not axes:
        find_axes(xr.DataArray(0.0).expand_dims({str(d): n for d, n in dataset.sizes.items()}), dims=dims)
        msg = f"no variable of {tuple(dataset.data_vars)} has numbers on y and x. Pass dims={{'y': ..., 'x': ...}}."
        raise DimensionError(msg)
    results = {name: function(dataset[name], found) for name, found in axes.items()}
    sizes = {dim: size for result in results.values() for dim, size in result.sizes.items()}
    others = [name for name in dataset.data_vars if name not in axes]
    passed = [name for name in others if all(sizes.get(d, n) == n for d, n in dataset[name].sizes.items())]
    _name_others(others, passed)
    kept = {name: dataset[name].variable for name in passed}
    attrs = result_attrs(dataset, line, keep_attrs=keep_attrs)
    return xr.Dataset({**results, **kept}, attrs=attrs)[list(_order(dataset, results, kept))]


def has_time(dataset: xr.Dataset, dims: Mapping[str, str] | None = None) -> bool:
    """Whether any variable with space dimensions has a time dimension too."""
    found = (_axes_of(dataset[name], dims) for name in dataset.data_vars)
    return any(axes is not None and axes.time is not None for axes in found)


def _axes_of(field: xr.DataArray, dims: Mapping[str, str] | None) -> Axes | None:
    """Axes of a variable of numbers; None where it has no y and x."""
    here = {role: name for role, name in (dims or {}).items() if name in field.dims}
    if field.dtype.kind not in "fiub" or field.ndim < 2:
        return None
    try:
        return find_axes(field, dims=here)
    except DimensionError:
        return None


def _of_the_grid(dataset: xr.Dataset) -> list[Hashable]:
    """Data variables that describe the grid: bounds and grid mappings."""
    names = set()
    for variable in dataset.variables.values():
        for source in (variable.attrs, variable.encoding):
            names |= {source.get("bounds"), *str(source.get("grid_mapping", "")).replace(":", " ").split()}
    return [name for name in dataset.data_vars if name in names]


def _order(dataset: xr.Dataset, *groups: Mapping[Hashable, object]) -> list[Hashable]:
    """Names in the order of the input."""
    return [name for name in dataset.data_vars if any(name in group for group in groups)]


def _name_others(others: list[Hashable], passed: list[Hashable]) -> None:
    """Warn of variables that were not changed."""
    dropped = [str(name) for name in others if name not in passed]
    parts = []
    if passed:
        parts.append(f"passed through unchanged, without the space dimensions: {[str(name) for name in passed]}")
    if dropped:
        parts.append(f"left out, since they do not fit the new grid: {dropped}")
    if parts:
        warnings.warn("; ".join(parts), UserWarning, stacklevel=4)
