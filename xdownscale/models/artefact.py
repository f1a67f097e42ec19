"""The model file: one safetensors file whose metadata holds a JSON document. Nothing in it is ever executed.

The document carries a sha256 over itself and the tensors, so a file that was cut short or altered anywhere is told from
a good one. Nothing is believed before it is checked: first the header against the size of the file, then the document
against its schema (``schema.py``), names and shapes of the tensors against the network that the document describes, and
the hash; only then is memory taken for weights.
"""

from __future__ import annotations

import hashlib
import json
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch

from xdownscale.errors import ModelFileError
from xdownscale.io import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

FORMAT = 3
"""Version of the document. Every version must load for ever. In the first one the hash is over the tensors alone."""

HEADER = 2**24
"""Bytes of the largest header."""

RUN = 2**20
"""Bytes that are hashed at a time."""


@dataclass(frozen=True)
class ModelFile:
    """A model file whose header is in order, open for its tensors.

    Attributes
    ----------
    path : Path
    document : dict
        As it stands in the file, not yet held against anything.
    shapes : dict
        Shape of every tensor by name.
    """

    path: Path
    document: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    _starts: dict[str, int]
    _file: IO[bytes]

    def tensors(self, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        """All tensors, once they are known to be those of a network and to have the recorded hash.

        Parameters
        ----------
        wanted : mapping
            Shape of every weight of the network by name.

        Raises
        ------
        ModelFileError
            If they are others.
        """
        if dict(wanted) != self.shapes:
            first = min({*wanted.items()} ^ {*self.shapes.items()})[0]
            msg = (
                f"the weights in {str(self.path)!r} do not fit the network that it describes ({first!r} differs): "
                "it was written by another version, before the first release. Train it again, xdownscale.train(...)."
            )
            raise ModelFileError(msg)
        recorded = {key: value for key, value in self.document.items() if key != "sha256"}
        digest = hashlib.sha256(b"" if recorded["format"] == 1 else canonical(recorded))
        for name in sorted(self.shapes):
            digest.update(_heading(name, self.shapes[name]))
            left = self._seek(name)
            while left and (run := self._file.read(min(RUN, left))):
                digest.update(run)
                left -= len(run)
        if digest.hexdigest() != self.document.get("sha256"):
            msg = (
                f"{str(self.path)!r} was altered: its sha256 is not the recorded one. Fetch or copy it again."
            )
            raise ModelFileError(msg)
        return {name: self._tensor(name) for name in self.shapes}

    def _seek(self, name: str) -> int:
        """Go to a tensor; returns its bytes."""
        self._file.seek(self._starts[name])
        return 4 * math.prod(self.shapes[name])

    def _tensor(self, name: str) -> Tensor:
        values = np.fromfile(self._file, "<f4", self._seek(name) // 4)
        return torch.from_numpy(values.astype(np.float32, copy=False).reshape(self.shapes[name]))


def write_model(path: str | Path, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> Path:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    path : path
        Target; its folder must exist.
    tensors : mapping of Tensor
        Weights by name, in single precision.
    document : mapping
        Plain values. ``format`` and ``sha256`` are added.
    """
    from safetensors.torch import save

    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    others = sorted({str(value.dtype) for value in kept.values()} - {"torch.float32"})
    if others:
        msg = f"a model file holds weights in single precision, not {others}. Convert them first: model.method.float()."
        raise ModelFileError(msg)
    full = {**document, "format": FORMAT, "sha256": fingerprint(kept, document)}
    content = save(kept, metadata={"xdownscale": json.dumps(plain(full))})
    return write_whole(path, lambda draft: draft.write_bytes(content))


@contextmanager
def open_model(path: Path) -> Iterator[ModelFile]:
    """Open a model file.

    Parameters
    ----------
    path : Path
        A file written by :func:`write_model`.

    Yields
    ------
    ModelFile

    Raises
    ------
    ModelFileError
        If it is missing, cut short, altered, of another kind, or of a newer format.
    """
    try:
        if not path.is_file():
            msg = f"no model file at {str(path)!r}. Pass a file written by Downscaler.save, or a name of zoo.list()."
            raise ModelFileError(msg)
        with path.open("rb") as file:
            header, start = _header(path, file)
            document = _document(path, header.pop("__metadata__", None))
            shapes, starts = _places(path, header, start, path.stat().st_size)
            yield ModelFile(path, document, shapes, starts, file)
    except (OSError, ValueError) as cause:
        if isinstance(cause, ModelFileError):
            raise
        raise ModelFileError(_damaged(path, cause)) from cause


def _header(path: Path, file: IO[bytes]) -> tuple[dict[str, Any], int]:
    """The JSON that a safetensors file begins with, and where the tensors begin."""
    size = int.from_bytes(file.read(8), "little")
    content = file.read(size) if size <= HEADER else b""
    if len(content) != size or not content.startswith(b"{"):
        raise ModelFileError(_damaged(path, "its header is cut short"))
    try:
        return json.loads(content), 8 + size
    except (ValueError, RecursionError) as cause:
        raise ModelFileError(_damaged(path, cause)) from cause


def _places(
    path: Path, header: dict[str, Any], start: int, size: int
) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Shape and place of every tensor; together they fill the file to its last byte."""
    try:
        entries = sorted((_entry(each), name) for name, each in header.items())
    except (KeyError, TypeError, ValueError) as cause:
        raise ModelFileError(_damaged(path, f"its header has {cause}")) from cause
    place = 0
    for (low, high, shape), _ in entries:
        if low != place or high - low != 4 * math.prod(shape):
            raise ModelFileError(_damaged(path, "its header tells of other tensors than it holds"))
        place = high
    if start + place != size:
        raise ModelFileError(_damaged(path, f"it has {size} bytes, and should have {start + place}"))
    shapes = {name: shape for (_, _, shape), name in entries}
    return shapes, {name: start + low for (low, _, _), name in entries}


def _entry(told: Any) -> tuple[int, int, tuple[int, ...]]:
    """First byte, last byte and shape of a tensor."""
    (low, high), shape = told["data_offsets"], told["shape"]
    numbers = [low, high, *shape]
    if told["dtype"] != "F32" or any(type(n) is not int or not 0 <= n < 2**48 for n in numbers):
        msg = f"a tensor of {told['dtype']!r}, {shape!r}"
        raise ValueError(msg)
    return low, high, tuple(shape)


def _document(path: Path, metadata: Any) -> dict[str, Any]:
    """The document of a file, of a format that this version reads."""
    try:
        document = json.loads(metadata["xdownscale"])
    except (KeyError, TypeError, ValueError, RecursionError) as cause:
        msg = (
            f"{str(path)!r} is a safetensors file, but not an xdownscale model. Pass a file written by "
            "Downscaler.save."
        )
        raise ModelFileError(msg) from cause
    version = document.get("format") if isinstance(document, dict) else None
    if type(version) is not int or not 1 <= version <= FORMAT:
        msg = (
            f"{str(path)!r} has format {version!r}, and this version reads 1 to {FORMAT}: it has a newer format, or is "
            "damaged. Upgrade xdownscale-sr, or fetch the file again."
        )
        raise ModelFileError(msg)
    return document


def _damaged(path: Path, cause: object) -> str:
    return f"{str(path)!r} is damaged or not a safetensors file ({cause}). Copy or fetch it again, or train again."


def fingerprint(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> str:
    """The sha256 that a model file records: over the document, ``format`` included, and the tensors."""
    digest = hashlib.sha256(canonical({**document, "format": FORMAT}))
    return _with_tensors(digest, tensors)


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes of tensors, in the order of their names."""
    return _with_tensors(hashlib.sha256(), tensors)


def canonical(document: Mapping[str, Any]) -> bytes:
    """A document as bytes that do not depend on the order of its keys."""
    return json.dumps(plain(document), sort_keys=True, separators=(",", ":")).encode()


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as JSON gives it back: lists for tuples, Python's numbers for NumPy's."""
    values: dict[str, Any] = json.loads(json.dumps(document, default=lambda value: value.item()))
    return values


def _with_tensors(digest: Any, tensors: Mapping[str, Tensor]) -> str:
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(_heading(name, array.shape, str(array.dtype)))
        digest.update(array.tobytes())
    return str(digest.hexdigest())


def _heading(name: str, shape: tuple[int, ...], dtype: str = "float32") -> bytes:
    """What is hashed of a tensor beside its bytes."""
    return f"{name} {dtype} {shape} ".encode()
