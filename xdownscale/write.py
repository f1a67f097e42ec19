"""``to_zarr``: a result into a zarr store, region by region, gone on with after an interruption."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import xarray as xr

from xdownscale.errors import DimensionError

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGE = 2**26
"""Bytes of a variable in memory from which on it is written in regions, too."""

MANY = 8
"""Regions from which on a progress bar is shown by default."""


def to_zarr(
    result: xr.DataArray | xr.Dataset,
    store: str | os.PathLike[str],
    *,
    resume: bool = False,
    overwrite: bool = False,
    shards: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> None:
    """Write a lazy result into a zarr store, each region once; after an interruption the rest of it.

    A region is a chunk of the result. The store opens once all of them are written, and not before: the metadata of its
    root comes last. Memory does not grow with the length of the result. Whatever scheduler of dask is the current one
    computes, one of :mod:`distributed` as well if its workers see the store.

    Parameters
    ----------
    result : DataArray or Dataset
        What :func:`xdownscale.downscale` makes of a field in chunks, or any other field.
    store : path or str
        A local path, or an address that fsspec knows. Format 3 of zarr.
    resume : bool
        Go on with the same job: regions whose hash is that of their record are kept, all others are written. A job is
        the same if model, seed, plan, versions, and the names of the lazy arrays are, which dask derives from what they
        are computed from: of a file, its path and when it was changed. A finished store of the same job is left as it
        is. With nothing there it begins.
    overwrite : bool
        Begin anew, whatever store is there.
    shards : bool
        One file for each region, which few programs besides zarr can read yet, instead of one for some MB.
    storage_options : mapping, optional
        Of the file system of an address.
    progress : bool, optional
        Show a progress bar with the time left; by default for many regions or large ones.

    Raises
    ------
    ResumeError
        If the store holds another job, saying what differs; or any, and neither `resume` nor `overwrite` is given.
    OptionalDependencyError
        Without zarr.

    Examples
    --------
    >>> import tempfile, xdownscale
    >>> coarse = xdownscale.tutorial.rain((6, 60, 60)).sr.coarsen(spatial=10, temporal=3)
    >>> ensemble = coarse.chunk(time=1).sr.downscale(spatial=10, temporal=3, members=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ensemble.sr.to_zarr(f"{folder}/ensemble.zarr", resume=True)
    ...     dict(xr.open_zarr(f"{folder}/ensemble.zarr").sizes)
    {'member': 2, 'time': 6, 'y': 60, 'x': 60}
    """
    from xdownscale.inference.bar import LONG
    from xdownscale.inference.write import write_regions

    dataset = _as_dataset(result)
    lazy = [each for each in dataset.data_vars.values() if each.chunks is not None]
    long = sum(int(each.data.npartitions) for each in lazy) >= MANY or sum(each.size for each in lazy) > LONG
    write_regions(
        dataset,
        _address(store),
        resume=resume,
        overwrite=overwrite,
        shards=shards,
        storage_options=storage_options,
        progress=long if progress is None else progress,
    )


def _address(store: str | os.PathLike[str]) -> str:
    """A path from the root, so that workers elsewhere find it; an address as it is."""
    text = os.fspath(store)
    return text if "://" in text else os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111


def _as_dataset(result: Any) -> xr.Dataset:
    """Variables with chunks of one size, as stores want them."""
    from xdownscale.field.chunks import even_chunks

    if isinstance(result, xr.DataArray):
        result = result.to_dataset(name="field" if result.name is None else result.name)
    if not isinstance(result, xr.Dataset):
        msg = f"to_zarr writes a DataArray or Dataset, got {type(result).__name__}"
        raise DimensionError(msg)
    return result.assign(
        {name: each.copy(data=even_chunks(_parted(each).data)) for name, each in result.data_vars.items()}
    )


def _parted(field: xr.DataArray) -> xr.DataArray:
    """A large field in memory in chunks, anything else as it is."""
    return field.chunk("auto") if field.chunks is None and field.nbytes > LARGE else field
