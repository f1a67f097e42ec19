"""The file of a pretrained model that does not ship with the package: from the cache, a folder, a web address or a DOI.

A file is fetched by pooch under a temporary name, and gets its own once its sha256 is the registered one: what was cut
short, or is a page of HTML, never lies in the cache, and two processes may fetch at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdownscale.errors import ModelFileError, WeightsNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESS = "XDOWNSCALE_WEIGHTS_URL"
"""Environment variable: a folder, a web address, or a DOI, as in ``doi:10.5281/zenodo.1234``, that holds the files."""

RETRIES = 3
"""Tries more after one that failed, with some seconds between."""


def fetched(name: str, entry: Mapping[str, Any]) -> Path:
    """The file of a model, with the registered hash. Nothing is fetched that is there already, with network or without.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    entry : mapping
        What the registry says: "file", "sha256" and, if its makers published it, "source", an address as in
        :data:`ADDRESS`, which goes first.

    Raises
    ------
    WeightsNotFoundError
        If no address is known.
    ModelFileError
        If there is no such file there, or another one.
    """
    import pooch

    cache = Path(pooch.os_cache("xdownscale"))
    kept = cache / str(entry["file"])
    if kept.is_file() and _hash(kept) == entry["sha256"]:
        return kept
    address = os.environ.get(ADDRESS) or entry.get("source")
    if not address:
        msg = (
            f"the weights of {name!r} do not ship with the package. Set {ADDRESS} to the address of a folder that "
            f"holds {entry['file']}, or load a file: xdownscale.load(path)"
        )
        raise WeightsNotFoundError(msg)
    if not address.startswith(("http:", "https:", "ftp:", "sftp:", "doi:")):
        return _in_folder(name, entry, Path(address.removeprefix("file://")))
    return _downloaded(name, entry, address, cache)


def _in_folder(name: str, entry: Mapping[str, Any], folder: Path) -> Path:
    """A file that lies in a folder, where it stays."""
    path = folder / str(entry["file"])
    if not path.is_file():
        msg = f"the weights of {name!r} are not in {str(folder)!r}: it has no {entry['file']}. Change {ADDRESS}."
        raise ModelFileError(msg)
    if _hash(path) != entry["sha256"]:
        msg = f"{str(path)!r} is damaged: its sha256 is not the registered one. Copy it again."
        raise ModelFileError(msg)
    return path


def _downloaded(name: str, entry: Mapping[str, Any], address: str, cache: Path) -> Path:
    """A file fetched into the cache."""
    import pooch

    store = pooch.create(
        path=cache,
        base_url=address.rstrip("/") + "/",
        registry={entry["file"]: f"sha256:{entry['sha256']}"},
        retry_if_failed=RETRIES,
    )
    try:
        return Path(store.fetch(entry["file"], progressbar=True))
    except PermissionError as cause:
        msg = (
            f"the weights of {name!r} cannot be stored: the cache {str(cache)!r} is not writable ({cause}). Set "
            f"XDG_CACHE_HOME to a writable folder, or fetch the file yourself: xdownscale.load(path)"
        )
        raise ModelFileError(msg) from cause
    except (OSError, ValueError) as cause:
        msg = f"the weights of {name!r} could not be fetched from {address}: {cause}. Check the address and try again."
        raise ModelFileError(msg) from cause


def _hash(path: Path) -> str:
    import pooch

    return str(pooch.file_hash(str(path), alg="sha256"))
