"""A change of grid on a DataTree: node by node, each with the coordinates that it has or inherits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from xdownscale.errors import XDownscaleError
from xdownscale.field.warn import name_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable


def map_tree(tree: xr.DataTree, change: Callable[[xr.Dataset], xr.Dataset | None]) -> xr.DataTree:
    """A tree whose nodes have been changed, or passed through.

    Parameters
    ----------
    tree : DataTree
        The input; not modified.
    change : callable
        From the dataset of a node, with inherited coordinates, to a new one; None where there is nothing to change.

    Returns
    -------
    DataTree
        Nodes to change hold all their coordinates themselves. Others are as before, but for what lies along dimensions
        that change in the nodes above or below them, with which they must agree; a warning names them.

    Raises
    ------
    XDownscaleError
        What `change` raises, with the path of the node before its message.

    Examples
    --------
    >>> import xarray as xr
    >>> tree = xr.DataTree.from_dict({"/a": xr.Dataset({"rain": ("x", [1.0, 2.0])}), "/b": xr.Dataset()})
    >>> map_tree(tree, lambda node: node.isel(x=[0]) if "x" in node.dims else None)["a"].sizes["x"]
    1
    """
    paths = {"/" + path.removeprefix("."): node for path, node in tree.subtree_with_keys}
    before = {path: node.to_dataset(inherit=True) for path, node in paths.items()}
    changed = {
        path: new for path, node in before.items() if (new := _changed(path, node, change)) is not None
    }
    own = {path: node.to_dataset(inherit=path == "/") for path, node in paths.items()}
    moved = {path: _moved(before[path], new) for path, new in changed.items()}
    nodes = {path: changed.get(path, node) for path, node in own.items()}
    kept = {
        path: _agreeing(node, _along(path, moved) - moved.get(path, set())) for path, node in nodes.items()
    }
    name_unchanged(
        [path for path, node in own.items() if node.data_vars and path not in changed],
        [f"{path.rstrip('/')}/{name}" for path in nodes for name in nodes[path] if name not in kept[path]],
        lacking="the dimensions that are wanted",
    )
    return xr.DataTree.from_dict(kept, name=tree.name)


def _changed(
    path: str, node: xr.Dataset, change: Callable[[xr.Dataset], xr.Dataset | None]
) -> xr.Dataset | None:
    """The changed node; errors say which it was."""
    try:
        return change(node)
    except XDownscaleError as error:
        msg = f"node {path!r}: {error}"
        raise type(error)(msg) from error


def _moved(before: xr.Dataset, after: xr.Dataset) -> set[str]:
    """Dimensions whose size or labels have changed."""
    return {
        str(dim)
        for dim, size in before.sizes.items()
        if after.sizes.get(dim) != size
        or (dim in before.indexes and not before.indexes[dim].equals(after.indexes.get(dim)))
    }


def _along(path: str, moved: dict[str, set[str]]) -> set[str]:
    """Dimensions that change in nodes above or below a path."""
    here = _folder(path)
    related = (dims for other, dims in moved.items() if _related(here, _folder(other)))
    return set().union(*related)


def _folder(path: str) -> str:
    """A path with one stroke at its end, so that it begins the paths of the nodes below."""
    return path.rstrip("/") + "/"


def _related(here: str, there: str) -> bool:
    """Whether one of two nodes lies above the other."""
    return here.startswith(there) or there.startswith(here)


def _agreeing(node: xr.Dataset, moved: set[str]) -> xr.Dataset:
    """A node without what lies along dimensions that have changed elsewhere."""
    return node.drop_vars([name for name, variable in node.variables.items() if moved & set(variable.dims)])
