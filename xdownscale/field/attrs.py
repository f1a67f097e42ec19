"""Attributes that stay true: one line of history, no stale cell measures, cell methods that were applied."""

from __future__ import annotations

import datetime as dt
import functools
import os
import re
from typing import TYPE_CHECKING, Any, TypeVar

import xarray as xr

from xdownscale.field.packing import DECLARING

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping

Mapped = TypeVar("Mapped", xr.DataArray, xr.Variable)

DISTRIBUTION = "xdownscale-sr"
"""Name under which the package is installed; the import name is another project's on PyPI."""

FACTORS = "xdownscale_factors"
"""Attribute of a field that was refined: fine cells per coarse cell along (time, y, x)."""

_STALE = ("cell_measures", "ancillary_variables", "actual_range", FACTORS, *DECLARING)
"""Attributes that name variables of the grid before, or tell of it and its values: factors, range, packing, filling."""

_CELL_METHOD = re.compile(r"((?:\w+:\s*)+)(\w+)((?:\s*\([^)]*\))?)")


@functools.cache
def package_version() -> str:
    """Version of the installed distribution; ``0+unknown`` in a folder that was never installed."""
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"


def add_history(attrs: Mapping[str, Any], line: str) -> dict[str, Any]:
    """Attributes with one more line of history, newest first.

    The time is UTC, or ``SOURCE_DATE_EPOCH`` where that is set, so that a build can be reproduced to the
    byte.

    Parameters
    ----------
    attrs : mapping
        Attributes of the input; not modified.
    line : str
        What was done, as a call.

    Examples
    --------
    >>> add_history({"history": "measured"}, "coarsen(10, 3)")["history"].splitlines()[1]
    'measured'
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = dt.datetime.now(dt.UTC)
    when = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch else now
    entry = f"{when:%Y-%m-%dT%H:%M:%SZ}: {line} (xdownscale {package_version()})"
    older = str(attrs.get("history", ""))
    return {**attrs, "history": f"{entry}\n{older}" if older else entry}


def result_attrs(
    field: xr.DataArray | xr.Dataset,
    line: str | None = None,
    *,
    cell_methods: str | None = None,
    extra: Mapping[str, Any] | None = None,
    keep_attrs: bool | None = None,
) -> dict[str, Any]:
    """Attributes of a field on a new grid.

    Parameters
    ----------
    field : DataArray or Dataset
        The input, whose attributes are read.
    line : str, optional
        Line of history; none is written without it.
    cell_methods : str, optional
        Cell methods that were applied, such as ``"area: mean time: mean"``; appended unless they hold
        already.
    extra : mapping, optional
        More attributes, such as a model's name and weight hash.
    keep_attrs : bool, optional
        False gives no attributes but `extra`. None follows xarray's option, which keeps them by default.

    Returns
    -------
    dict
        New attributes without references to measures of the cells before.
    """
    keep_attrs = keeps_attrs(keep_attrs=keep_attrs)
    attrs = {name: value for name, value in field.attrs.items() if name not in _STALE} if keep_attrs else {}
    if keep_attrs and cell_methods:
        attrs["cell_methods"] = _append_methods(str(attrs.get("cell_methods", "")), cell_methods)
    if keep_attrs and line:
        attrs = add_history(attrs, line)
    return {**attrs, **(extra or {})}


def refer_to_mapping(result: Mapped, field: xr.DataArray, coords: Collection[Hashable]) -> Mapped:
    """Let a result refer to its grid mapping in ``encoding``, where xarray and rioxarray keep the reference.

    A grid mapping among the coordinates that is named in the attributes instead would be written as a coordinate,
    which it is not. Where it is not among them, the attributes stay as they are.

    Parameters
    ----------
    result : DataArray or Variable
        Changed in place.
    field : DataArray
        The input, which names the grid mapping in its attributes or its encoding.
    coords : collection
        Names of the coordinates of the result.
    """
    named = str(field.encoding.get("grid_mapping") or field.attrs.get("grid_mapping") or "")
    if named.partition(":")[0] in {str(name) for name in coords}:
        result.attrs.pop("grid_mapping", None)
        result.encoding["grid_mapping"] = named
    return result


def keeps_attrs(*, keep_attrs: bool | None = None) -> bool:
    """What a user's choice means: None follows xarray's option, which keeps attributes by default."""
    if keep_attrs is not None:
        return keep_attrs
    options = xr.get_options()  # type: ignore[no-untyped-call]
    return options["keep_attrs"] is not False


def _append_methods(before: str, added: str) -> str:
    """Append cell methods, without those that hold already: the mean of a mean is a mean."""
    new = [
        f"{names.strip()} {method}"
        for names, method, _ in _CELL_METHOD.findall(added)
        if last_method(before, names.strip().rstrip(":")) != method
    ]
    return " ".join([before, *new]).strip()


def cell_method(field: xr.DataArray, dim: str) -> str | None:
    """The last cell method of a dimension, or None where the attribute does not mention it.

    Examples
    --------
    >>> import xarray as xr
    >>> rain = xr.DataArray(0.0, attrs={"cell_methods": "area: mean time: sum (interval: 1 hour)"})
    >>> cell_method(rain, "time")
    'sum'
    """
    return last_method(str(field.attrs.get("cell_methods", "")), dim)


def last_method(methods: str, dim: str) -> str | None:
    """The last method that ``cell_methods`` gives for a dimension.

    Parameters
    ----------
    methods : str
        Text of the attribute.
    dim : str
        Name of the dimension, or "area".
    """
    found = [method for names, method, _ in _CELL_METHOD.findall(methods) if dim in re.findall(r"\w+", names)]
    return str(found[-1]) if found else None
