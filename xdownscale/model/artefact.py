"""The model file: one safetensors file whose metadata holds a JSON document. Nothing in it is ever executed.

The document carries the sha256 of the tensors, so a file that was cut short or altered is told from a good one. Files
are written beside their name and renamed, so a half-written file never carries it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from xdownscale.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

FORMAT = 1
"""Version of the document. Every released version must load for ever."""


def write_model(path: Path, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
    """Write a model file.

    Parameters
    ----------
    path : Path
        Target; its folder must exist.
    tensors : mapping of Tensor
        Weights by name.
    document : mapping
        Plain values. ``format`` and ``sha256`` are added.
    """
    from safetensors.torch import save_file

    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    full = {**document, "format": FORMAT, "sha256": tensors_hash(kept)}
    beside = path.with_name(path.name + ".part")
    try:
        save_file(kept, beside, metadata={"xdownscale": json.dumps(full)})
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_model(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read and check a model file.

    Parameters
    ----------
    path : Path
        A file written by :func:`write_model`.

    Returns
    -------
    tensors : dict of Tensor
    document : dict

    Raises
    ------
    ModelFileError
        If it is missing, cut short, altered, of another kind, or of a newer format.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        msg = f"no model file at {str(path)!r}. Give a path that Downscaler.save wrote, or a name of zoo.list()."
        raise ModelFileError(msg)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (a handle, not a mapping)
    except (SafetensorError, OSError, ValueError) as cause:
        msg = f"{str(path)!r} is damaged or no safetensors file ({cause}). Copy or fetch it again, or train anew."
        raise ModelFileError(msg) from cause
    return tensors, _checked(path, tensors, metadata)


def _checked(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Any]:
    """The document of a file whose tensors are what it says."""
    try:
        document = json.loads(metadata["xdownscale"])
    except (KeyError, ValueError) as cause:
        msg = f"{str(path)!r} is a safetensors file, but no xdownscale model. Give a file that Downscaler.save wrote."
        raise ModelFileError(msg) from cause
    if not isinstance(document, dict) or document.get("format", FORMAT + 1) > FORMAT:
        msg = f"{str(path)!r} has a newer format than this version reads ({FORMAT}). Upgrade xdownscale-sr."
        raise ModelFileError(msg)
    if tensors_hash(tensors) != document.get("sha256"):
        msg = f"the weights in {str(path)!r} were altered: their sha256 is not the recorded one. Fetch the file again."
        raise ModelFileError(msg)
    return document


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes of tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
