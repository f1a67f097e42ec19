"""Pretrained weights: a registry with sha256, files inside the package, larger ones fetched by pooch.

``registry.json`` names for every model its file, the sha256 of the file, factors and variable. A file that ships with
the package is read from there; any other is fetched once into the user's cache from the base address in the environment
variable ``XDOWNSCALE_WEIGHTS_URL``, and must have the recorded hash.
"""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdownscale.errors import ModelFileError, WeightsNotFoundError
from xdownscale.field.factors import Factors

if TYPE_CHECKING:
    import builtins

    from xdownscale.models.downscaler import Downscaler

__all__ = ["card", "find", "list", "load"]

_HERE = resources.files("xdownscale.zoo")


def registry() -> dict[str, dict[str, Any]]:
    """All known models by name."""
    entries: dict[str, dict[str, Any]] = json.loads((_HERE / "registry.json").read_text("utf-8"))
    return entries


def list() -> builtins.list[str]:  # noqa: A001  (xdownscale.zoo.list() is what users type)
    """Names of all pretrained models.

    Examples
    --------
    >>> import xdownscale
    >>> "rain-10x3" in xdownscale.zoo.list()
    True
    """
    return sorted(registry())


def card(name: str) -> str:
    """The model card: data, command, scores, limits.

    Parameters
    ----------
    name : str
        One of :func:`list`.
    """
    return (_HERE / f"{_entry(name)['card']}").read_text("utf-8")


def load(name: str | os.PathLike[str]) -> Downscaler:
    """A model by name or by path.

    Parameters
    ----------
    name : str or path
        One of :func:`list`, or a file that ``Downscaler.save`` wrote.

    Raises
    ------
    WeightsNotFoundError
        If it is neither.
    ModelFileError
        If the file is damaged.

    Examples
    --------
    >>> import xdownscale
    >>> xdownscale.zoo.load("rain-10x3").factors
    Factors(y=10, x=10, time=3)
    """
    from xdownscale.models.downscaler import load as load_file

    if str(name) in registry():
        return load_file(_file(str(name)))
    if Path(name).exists() or Path(name).suffix:
        return load_file(name)
    return load_file(_file(str(name)))


def find(factors: Factors) -> Downscaler:
    """The pretrained model for a pair of factors.

    Parameters
    ----------
    factors : Factors

    Raises
    ------
    WeightsNotFoundError
        If there is none; the message lists what there is.
    """
    known = {name: Factors.parse(entry["spatial"], entry["temporal"]) for name, entry in registry().items()}
    for name, pair in known.items():
        if pair == factors:
            return load(name)
    offered = ", ".join(f"{pair} ({name!r})" for name, pair in known.items())
    msg = (
        f"there are no pretrained weights for {factors}; there are: {offered}. Train your own: "
        f"model = train(fine_field, spatial={factors.spatial}, temporal={factors.time}), then downscale(field, model)"
    )
    raise WeightsNotFoundError(msg)


def _entry(name: str) -> dict[str, Any]:
    known = registry()
    if name not in known:
        msg = f"no pretrained model {name!r}, and no file of that name; there are: {', '.join(sorted(known))}"
        raise WeightsNotFoundError(msg)
    return known[name]


def _file(name: str) -> Path:
    """The file of a model, checked against its hash."""
    import pooch

    entry = _entry(name)
    shipped = Path(str(_HERE / entry["file"]))
    if shipped.is_file():
        if pooch.file_hash(str(shipped), alg="sha256") != entry["sha256"]:
            msg = f"{str(shipped)!r} is damaged: its sha256 is not the registered one. Install xdownscale-sr again."
            raise ModelFileError(msg)
        return shipped
    base = os.environ.get("XDOWNSCALE_WEIGHTS_URL")
    if not base:
        msg = (
            f"the weights of {name!r} do not ship with the package. Set XDOWNSCALE_WEIGHTS_URL to the address of a "
            f"folder that holds {entry['file']}, or load a file: xdownscale.load(path)"
        )
        raise WeightsNotFoundError(msg)
    store = pooch.create(
        path=pooch.os_cache("xdownscale"),
        base_url=base.rstrip("/") + "/",
        registry={entry["file"]: f"sha256:{entry['sha256']}"},
        retry_if_failed=2,
    )
    try:
        return Path(store.fetch(entry["file"], progressbar=True))
    except (OSError, ValueError) as cause:
        msg = f"the weights of {name!r} could not be fetched from {base}: {cause}. Check the address and try again."
        raise ModelFileError(msg) from cause
