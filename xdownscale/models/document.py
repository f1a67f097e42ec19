"""What a model file says beside its weights: what the values are, where the model comes from, how it is built."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from xdownscale.errors import ModelFileError
from xdownscale.field.quantity import Quantity, read_quantity
from xdownscale.models.kinds import read_settings
from xdownscale.models.schema import parsed


@dataclass(frozen=True)
class Variable:
    """What the values are.

    Parameters
    ----------
    name : str
        Name of the training field.
    units : str or None
        Units in which the networks work; None for a field without units.
    standard_name : str or None
        CF standard name.
    cell_methods : str or None
        Such as "time: sum", where the training field said so.
    """

    name: str
    units: str | None = None
    standard_name: str | None = None
    cell_methods: str | None = None

    def __str__(self) -> str:
        """Name and units."""
        return f"{self.name} [{self.units or 'n/a'}]"

    @property
    def quantity(self) -> Quantity:
        """What it measures."""
        said = {key: value for key, value in asdict(self).items() if value is not None}
        return read_quantity(said.pop("name"), said)


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from.

    Parameters
    ----------
    data : tuple of str
        One line per training field: what, where, when, licence.
    spacing : float or None
        Width of a fine cell of the training field, in `spacing_units`.
    spacing_units : str or None
    step : float or None
        Fine time step in seconds.
    recipe : dict
        The recipe, as plain values.
    steps : int
        Optimiser steps that were taken.
    seed : int
    scores : dict
        Scores on held-out data, as :func:`xdownscale.heldout.scores_of` names them.
    versions : dict
        Versions of the libraries that trained it.
    """

    data: tuple[str, ...] = ()
    spacing: float | None = None
    spacing_units: str | None = None
    step: float | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    seed: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """What a model file holds beside the weights."""

    kind: str
    name: str
    settings: Any
    variables: tuple[Variable, ...]
    provenance: Provenance
    predictors: tuple[Variable, ...] = ()


def read_document(document: dict[str, Any]) -> Document:
    """A document of plain values, checked.

    Parameters
    ----------
    document : dict
        Of any format that there was, without ``format`` and ``sha256``.

    Raises
    ------
    ModelFileError
        For what does not fit.
    """
    parts = parsed(Document, _today(document), "document")
    settings = read_settings(parts.kind, parts.settings)
    for what, told, needed in (
        ("variables", parts.variables, settings.transforms),
        ("predictors", parts.predictors, settings.predictors),
    ):
        if len(told) != len(needed):
            msg = f"the document of the model file says {len(told)} {what}, and its settings are for {len(needed)}"
            raise ModelFileError(msg)
    return replace(parts, settings=settings)


def _today(document: dict[str, Any]) -> dict[str, Any]:
    """A document as it is written today: files of formats 1 and 2 hold one variable and one transform."""
    if "variable" not in document:
        return document
    one = dict(document)
    one["variables"] = [one.pop("variable")]
    if isinstance(one.get("settings"), dict) and "transform" in one["settings"]:
        settings = dict(one["settings"])
        settings["transforms"] = [settings.pop("transform")]
        if "scale" in settings:
            settings["scales"] = [settings.pop("scale")]
        one["settings"] = settings
    return one
