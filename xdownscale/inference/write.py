"""Writing a lazy result into a zarr store, region by region, so that an interruption costs what was under way.

A store is written in this order: the metadata of the arrays and all that is in memory; every region once, each followed
by a record of its hashes; the metadata of the root, without which nothing opens the store. What is unfinished therefore
never looks whole. Records lie beside the store, under its name with ``.unfinished`` behind it, and say what the job
is: its plan, the hash of the model, the seed, a fingerprint of the input, the versions.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import OptionalDependencyError, ResumeError
from xdownscale.inference.records import Records
from xdownscale.io import clean_drafts

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import xarray as xr

JOB = "xdownscale_job"
"""Attribute of a finished store that says which job wrote it."""


@dataclass(frozen=True)
class Region:
    """A part of one variable that is written at once.

    Attributes
    ----------
    name : str
        Of the variable.
    number : tuple of int
        Of the chunk along every dimension.
    place : tuple of (int, int)
        First index and the one after the last along every dimension.
    """

    name: str
    number: tuple[int, ...]
    place: tuple[tuple[int, int], ...]

    @property
    def key(self) -> str:
        """A name for its record."""
        return "-".join([hashlib.sha256(self.name.encode()).hexdigest()[:8], *map(str, self.number)])

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where it lies."""
        return tuple(slice(*each) for each in self.place)


def write_regions(
    dataset: xr.Dataset,
    store: str,
    *,
    resume: bool,
    overwrite: bool,
    shards: bool,
    storage_options: Mapping[str, Any] | None,
    progress: bool,
) -> None:
    """Write a Dataset; arguments as for :func:`xdownscale.write.to_zarr`."""
    _need_zarr()
    records = Records(store, storage_options)
    clean_drafts(store)
    lazy = {name: each for name, each in dataset.data_vars.items() if each.chunks is not None}
    regions = [region for name, each in lazy.items() for region in regions_of(str(name), each)]
    job = job_of(dataset)
    if not _goes_on(records, store, job, resume=resume, overwrite=overwrite):
        return
    records.begin(job)
    records.clean()
    if not records.has_metadata():
        records.write_metadata(_metadata(dataset, lazy, shards=shards))
    wanted = set(records.unfinished([region.key for region in regions]))
    checked = [region for region in regions if region.key not in wanted]
    _run(records, lazy, regions=[r for r in regions if r.key in wanted], checked=checked, progress=progress)
    records.show_root({JOB: json.dumps(job)})
    records.done()


def regions_of(name: str, field: xr.DataArray) -> list[Region]:
    """The regions of a variable, which are its chunks: all members of a stretch of time before the next one."""
    chunks: Any = field.chunks
    edges = [np.cumsum([0, *sizes]).tolist() for sizes in chunks]
    return [
        Region(name, number, tuple((each[n], each[n + 1]) for n, each in zip(number, edges, strict=True)))
        for number in product(*(range(len(sizes)) for sizes in chunks))
    ]


def job_of(dataset: xr.Dataset) -> dict[str, Any]:
    """What must be the same for a store to be gone on with, as plain values by name."""
    from importlib.metadata import version

    from dask.base import tokenize

    from xdownscale.field.attrs import package_version

    said = [each.attrs for each in dataset.data_vars.values()]
    plan = {
        str(name): {"dims": [*map(str, each.dims)], "shape": [*each.shape], "chunks": _plain(each.chunks)}
        for name, each in dataset.data_vars.items()
    }
    names = {str(name): _identity(each) for name, each in dataset.variables.items()}
    return {
        "model": sorted(
            {str(each["xdownscale_model_sha256"]) for each in said if "xdownscale_model_sha256" in each}
        ),
        "seed": sorted({int(each["xdownscale_seed"]) for each in said if "xdownscale_seed" in each}),
        "plan": plan,
        "input or options": tokenize(names),
        "versions": {
            "xdownscale": package_version(),
            **{name: version(name) for name in ("torch", "numpy", "zarr")},
        },
    }


def _identity(variable: xr.Variable) -> str:
    """The name of a lazy array, which says from what and how it is computed; a hash of any other."""
    from dask.base import tokenize

    named = getattr(variable.data, "name", None) if variable.chunks is not None else None
    return str(tokenize(variable.dims, named if named is not None else np.asarray(variable.values)))


def _plain(chunks: Any) -> list[list[int]]:
    return [[int(size) for size in sizes] for sizes in chunks or ()]


def _goes_on(records: Records, store: str, job: dict[str, Any], *, resume: bool, overwrite: bool) -> bool:
    """Whether there is something to do; raises where another job, or one that is to be left, is in the way."""
    if overwrite:
        records.clear_store()
        return True
    begun, root = records.begun(), records.root()
    if begun is None and root is None:
        if records.any_store():
            msg = f"{store!r} exists and was not written by this call. Pass another name, or overwrite=True."
            raise ResumeError(msg)
        return True
    if not resume:
        state = "exists already" if begun is None else "holds an unfinished job"
        msg = (
            f"{store!r} {state}. Pass resume=True to continue the same job, or overwrite=True to start again."
        )
        raise ResumeError(msg)
    different = differences(begun or _job_in(root), job)
    if different:
        msg = (
            f"{store!r} is of another job: {'; '.join(different)}. Pass another name, or overwrite=True to start "
            f"again."
        )
        raise ResumeError(msg)
    if root is None:
        return True
    records.done()
    return False


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between two jobs, in words."""
    if not there:
        return ["the store does not say which one wrote it"]
    words = []
    for name, value in here.items():
        before = there.get(name)
        if before == value:
            continue
        short = name in ("seed", "versions", "model")
        words.append(f"{name} {before} there, {value} here" if short else f"another {name}")
    return words


def _job_in(root: dict[str, Any] | None) -> dict[str, Any]:
    """The job that finished a store, of its metadata; nothing if another program wrote it."""
    text = (root or {}).get("attributes", {}).get(JOB, "{}")
    return dict(json.loads(text))


def _metadata(
    dataset: xr.Dataset, lazy: Mapping[Hashable, xr.DataArray], *, shards: bool
) -> dict[str, bytes]:
    """All files of the store but the lazy values, by their place in it."""
    from zarr.storage import MemoryStore

    plain = dataset.copy()
    encoding: dict[Hashable, dict[str, Any]] = {}
    for name, each in lazy.items():
        plain[name].encoding = {}  # regions are written as they are
        encoding[name] = storage_chunks(each, shards=shards)
    files: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Consolidated metadata is currently not part"
        )  # xarray's default
        plain.to_zarr(MemoryStore(files), compute=False, encoding=encoding, consolidated=True, zarr_format=3)
    return {place: content.to_bytes() for place, content in files.items()}


def storage_chunks(field: xr.DataArray, *, shards: bool) -> dict[str, Any]:
    """Chunks of a store for a variable: parts of a region of some MB, or with `shards` one file for each region."""
    largest = [max(sizes) for sizes in field.chunks or ()]
    inner = [
        1 if dim == "member" else _divisor(size, 256) for dim, size in zip(field.dims, largest, strict=True)
    ]
    return {"chunks": tuple(inner)} | ({"shards": tuple(largest)} if shards else {})


def _divisor(size: int, most: int) -> int:
    """The largest divisor of a size that is at most `most`."""
    return next(each for each in range(min(size, most), 0, -1) if size % each == 0)


def _run(
    records: Records,
    lazy: Mapping[Hashable, xr.DataArray],
    *,
    regions: list[Region],
    checked: list[Region],
    progress: bool,
) -> None:
    """Look at what is said to be finished, and compute the rest; whatever scheduler is the current one does it."""
    from dask.base import compute
    from dask.delayed import delayed

    from xdownscale.inference.bar import bar_over

    if checked:
        verify = delayed(_is_whole)
        whole = compute(*(verify(records, region) for region in checked))
        regions = regions + [region for region, right in zip(checked, whole, strict=True) if not right]
    if not regions:
        return
    write = delayed(_write_region)
    # without optimisation variables that were drawn together keep the task in common that draws them
    blocks = {str(name): each.data.to_delayed(optimize_graph=False) for name, each in lazy.items()}
    with bar_over(records, [region.key for region in regions], shown=progress):
        compute(*(write(records, region, blocks[region.name][region.number]) for region in regions))


def _write_region(records: Records, region: Region, values: np.ndarray) -> bool:
    """One region into the store, and then its record."""
    records.array(region.name)[region.slices] = values
    records.finish(region.key, digest(values))
    return True


def _is_whole(records: Records, region: Region) -> bool:
    """Whether a region in the store is what its record says."""
    try:
        values = np.asarray(records.array(region.name)[region.slices])
    except (OSError, RuntimeError, ValueError):  # a damaged chunk
        return False
    return digest(values) == records.record(region.key)


def digest(values: np.ndarray) -> str:
    """A hash of the bits of values."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _need_zarr() -> None:
    from importlib.util import find_spec

    if find_spec("zarr") is None:
        msg = "to_zarr needs zarr, which is not installed: pip install 'xdownscale-sr[zarr]'"
        raise OptionalDependencyError(msg)
