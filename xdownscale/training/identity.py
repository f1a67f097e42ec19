"""Which run a checkpoint belongs to: what the weights depend on, but for how long they learn."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import ModelFileError
from xdownscale.models.artefact import tensors_hash
from xdownscale.training.reading import runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xdownscale.models.generator import GeneratorSettings
    from xdownscale.models.method import Method
    from xdownscale.models.multiscale import MultiscaleSettings
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.data import TrainingData
    from xdownscale.training.patches import Source

LENGTH = ("steps", "seconds", "warmup", "check", "patience")
"""Of a schedule: how long a run is. A checkpoint may be taken up to go on for longer."""


def identity_of(
    data: TrainingData,
    plan: Recipe,
    settings: GeneratorSettings | MultiscaleSettings,
    *,
    seed: int,
    start: Method | None,
) -> dict[str, Any]:
    """What must be the same for a run to go on from a checkpoint, as plain values by name.

    Parameters
    ----------
    data : TrainingData
        What it learns from and is judged by.
    plan : Recipe
    settings : GeneratorSettings
        What the network is built from.
    seed : int
    start : Method or None
        The method whose weights are the start.
    """
    schedule = {name: value for name, value in asdict(plan.schedule).items() if name not in LENGTH}
    document = settings.to_json()
    found = {
        "fields": _fingerprint(data.sources),
        "validation": _fingerprint(data.held_out),
        "factors": document.pop("blocks", None),
        "transforms": document.pop("transforms"),
        "seed": seed,
        "recipe": {**plan.to_json(), "schedule": schedule},
        "method": {"kind": type(settings).__name__, **document},
        "model": None if start is None else f"{start.kind} {tensors_hash(start.state_dict())}",
    }
    # as they come back from a file: tuples are lists there
    return dict(json.loads(json.dumps(found)))


def check_same_run(found: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    """Raise where a checkpoint was written by another run.

    Parameters
    ----------
    found, wanted : mapping
        What the checkpoint says, and what the run is.
    path : Path
        The checkpoint, for the message.

    Raises
    ------
    ModelFileError
        Naming what differs.
    """
    different = list(_differences(found, wanted))
    if different:
        msg = (
            f"the checkpoint {str(path)!r} is of another run: {', '.join(different)}. Pass another path, "
            f"checkpoint=..., or delete the file."
        )
        raise ModelFileError(msg)


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What differs, in words; values where they are short."""
    words = []
    for name, value in wanted.items():
        there = found.get(name)
        if there == value:
            continue
        inner = _inner(there, value)
        if name in ("factors", "seed"):
            words.append(f"{name} {there} in the file, {value} here")
        else:
            words.append(f"other {name}" + (f" ({', '.join(inner)})" if inner else ""))
    return words


def _inner(there: Any, here: Any) -> list[str]:
    """Where two documents differ."""
    both = isinstance(there, dict) and isinstance(here, dict)
    return [name for name in here if there.get(name) != here[name]] if both else []


def _fingerprint(sources: Sequence[Source]) -> str:
    """A hash of values, static fields and products."""
    total = hashlib.sha256()
    for source in sources:
        total.update(f"{source.style} {source.values.shape};".encode())
        for values in runs(source.values):
            total.update(np.ascontiguousarray(values).data)
        if source.static is not None:
            total.update(np.ascontiguousarray(source.static).data)
    return total.hexdigest()
