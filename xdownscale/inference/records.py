"""What is written beside an unfinished store: which job it is, and which regions are whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from threading import get_ident
from typing import Any

from xdownscale.errors import ResumeError

ROOT = "zarr.json"
"""Metadata of the root group: what has none is opened by nothing."""

BESIDE = ".unfinished"
"""What the folder of records has behind the name of its store."""


@dataclass(frozen=True)
class Records:
    """The records of one store. Nothing is held open, so that every process of a cluster can have its own.

    Parameters
    ----------
    store : str
        Path or fsspec address.
    storage_options : mapping, optional
        Of the file system.
    """

    store: str
    storage_options: Mapping[str, Any] | None = None

    def _there(self) -> tuple[Any, str]:
        """The file system and the place of the store in it."""
        from fsspec.core import url_to_fs

        system, path = url_to_fs(self.store, **(self.storage_options or {}))
        return system, path.rstrip("/")

    def zarr_store(self) -> Any:
        """The store as zarr takes it."""
        from zarr.storage import FsspecStore, LocalStore

        system, path = self._there()
        if _is_local(system):
            return LocalStore(path)
        return FsspecStore.from_url(self.store, storage_options=dict(self.storage_options or {}))

    def array(self, name: str) -> Any:
        """An array of the store, which need not have a root yet."""
        import zarr

        return zarr.open_array(self.zarr_store(), path=name, mode="r+", zarr_format=3)

    def begun(self) -> dict[str, Any] | None:
        """The job that has begun to write the store, if one has and is not finished."""
        return self._read(f"{BESIDE}/job.json")

    def begin(self, job: Mapping[str, Any]) -> None:
        """From now on the store is that of a job."""
        self._write(f"{BESIDE}/job.json", job)

    def finish(self, key: str, digest: str) -> None:
        """A region is whole."""
        self._write(f"{BESIDE}/{key}.json", digest)

    def record(self, key: str) -> str | None:
        """The hash of a region that was whole."""
        found: str | None = self._read(f"{BESIDE}/{key}.json")
        return found

    def finished(self) -> set[str]:
        """Keys of the regions with a record."""
        system, path = self._there()
        system.invalidate_cache()
        folder = path + BESIDE
        names = system.ls(folder, detail=False) if system.exists(folder) else []
        return {
            str(name).rsplit("/", 1)[-1].removesuffix(".json")
            for name in names
            if str(name).endswith(".json")
        }

    def progress(self) -> tuple[int, int] | None:
        """Number of finished regions, and of all, of a job that has begun and is not finished."""
        job = self.begun()
        if job is None:
            return None
        lazy = [each["chunks"] for each in job["plan"].values() if each["chunks"]]
        regions = sum(prod(len(sizes) for sizes in chunks) for chunks in lazy)
        return len(self.finished() - {"job", "root"}), regions

    def unfinished(self, keys: Iterable[str]) -> list[str]:
        """Those of some regions that have no record."""
        there = self.finished()
        return [key for key in keys if key not in there]

    def root(self) -> dict[str, Any] | None:
        """Metadata of the root, where the store is finished."""
        found: dict[str, Any] | None = self._read(f"/{ROOT}")
        return found

    def any_store(self) -> bool:
        """Whether anything is at the place of the store."""
        system, path = self._there()
        return bool(system.exists(path))

    def has_metadata(self) -> bool:
        """Whether all of the store but its regions is there."""
        return self._read(f"{BESIDE}/root.json") is not None

    def write_metadata(self, files: Mapping[str, bytes]) -> None:
        """Files of the store by their place in it; that of the root lies with the records until the store is whole."""
        system, path = self._there()
        for place, content in files.items():
            if place != ROOT:
                system.makedirs(f"{path}/{place}".rsplit("/", 1)[0], exist_ok=True)
                system.pipe_file(f"{path}/{place}", content)
        self._write(f"{BESIDE}/root.json", json.loads(files[ROOT]))

    def show_root(self, attributes: Mapping[str, str]) -> None:
        """Put the metadata of the root where it is looked for, with attributes more."""
        root = self._read(f"{BESIDE}/root.json")
        self._write(f"/{ROOT}", {**root, "attributes": {**root.get("attributes", {}), **attributes}})

    def clear_store(self) -> None:
        """Take away what lies at the place of the store if it is one, and its records."""
        system, path = self._there()
        if system.exists(path) and not self._is_store(system, path):
            msg = f"{self.store!r} is not a zarr store and is not replaced by one. Pass another name."
            raise ResumeError(msg)
        for place in (f"{path}/{ROOT}", path):  # the root first: what is left of it must not look whole
            if system.exists(place):
                system.rm(place, recursive=True)
        self.done()

    def clean(self) -> None:
        """Take away what a killed process has begun to write."""
        system, path = self._there()
        if _is_local(system):
            for pattern in (f"{path}/**/*.partial", f"{path}{BESIDE}/*.draft"):
                for left in system.glob(pattern):
                    system.rm_file(left)

    def done(self) -> None:
        """Take away the records, that of the job first."""
        system, path = self._there()
        for place in (f"{path}{BESIDE}/job.json", path + BESIDE):
            if system.exists(place):
                system.rm(place, recursive=True)

    def _is_store(self, system: Any, path: str) -> bool:
        """Whether a folder is a store, finished or not."""
        if system.exists(f"{path}/{ROOT}"):
            return True
        names = [str(name).rsplit("/", 1)[-1] for name in system.ls(path, detail=False)]
        return all(system.exists(f"{path}/{name}/{ROOT}") for name in names)

    def _read(self, name: str) -> Any:
        system, path = self._there()
        try:
            return json.loads(system.cat_file(path + name))
        except FileNotFoundError:
            return None
        except ValueError as cause:
            msg = f"{path + name!r} is damaged ({cause}). Pass overwrite=True to start again."
            raise ResumeError(msg) from cause

    def _write(self, name: str, content: Any) -> None:
        """A file, whole or not at all."""
        system, path = self._there()
        target, text = path + name, json.dumps(content).encode()
        for folder in (path + BESIDE, target.rsplit("/", 1)[0]):
            system.makedirs(folder, exist_ok=True)
        if not _is_local(system):
            system.pipe_file(target, text)  # one request, which an object store carries out whole
            return
        draft = f"{path}{BESIDE}/{os.getpid()}-{get_ident()}.draft"
        with open(draft, "wb") as file:  # noqa: PTH123  a path of fsspec
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)  # noqa: PTH105


def _is_local(system: Any) -> bool:
    protocols = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
    return "file" in protocols or "local" in protocols
