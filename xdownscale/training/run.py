"""How a network is trained, apart from what is learned: the options of a run, handed on whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """Options of a run.

    Parameters
    ----------
    units : tuple of float
        A typical magnitude of each target.
    seed : int
        Seed of the noise and of the filters.
    device : str
        A torch device.
    checkpoint : Path, optional
        File that is written at every validation and, if it exists, resumed from.
    identity : mapping
        Which run this is, as :func:`~xdownscale.training.identity.identity_of` says: a checkpoint of another is
        refused.
    progress : bool
        Say how long it will take, and show a progress bar with loss and validation CRPS.
    """

    units: tuple[float, ...]
    seed: int = 0
    device: str = "cpu"
    checkpoint: Path | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    progress: bool = True

    def beside(self, part: str) -> Run:
        """The same run with a checkpoint of its own for a part of the method.

        Parameters
        ----------
        part : str
            End of the name of the file.
        """
        if self.checkpoint is None:
            return self
        return replace(self, checkpoint=self.checkpoint.with_name(f"{self.checkpoint.name}.{part}"))
