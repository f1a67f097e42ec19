"""A trained downscaler: networks, transform, and what they were trained on."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdownscale.diffusion.sample import named_sampler
from xdownscale.errors import FactorError, ModelFileError
from xdownscale.field.arguments import whole_number
from xdownscale.field.quantity import Quantity, read_quantity
from xdownscale.field.warn import warn_user
from xdownscale.models.artefact import ModelFile, fingerprint, open_model, plain, write_model
from xdownscale.models.kinds import outline, read_settings
from xdownscale.models.method import Method
from xdownscale.models.schema import parsed

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


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


class Downscaler:
    """A trained method, and what its values are.

    Made by :func:`xdownscale.train` or :func:`xdownscale.load`, used by :func:`xdownscale.downscale`.

    Parameters
    ----------
    method : Method
        The trained method.
    variable : Variable
        What its values are.
    provenance : Provenance
        Where it comes from.
    name : str
        Shown in the attributes of results.
    """

    def __init__(
        self, method: Method, *, variable: Variable, provenance: Provenance, name: str = "user"
    ) -> None:
        self.method = method
        self.variable = variable
        self.provenance = provenance
        self.name = name

    @property
    def factors(self) -> Any:
        """What it supports: the one pair of :class:`~xdownscale.field.factors.Factors`, or a range to choose from."""
        return self.method.factors

    @property
    def quantity(self) -> Quantity:
        """What its values measure: fields must measure the same."""
        said = {key: value for key, value in asdict(self.variable).items() if value is not None}
        return read_quantity(said.pop("name"), said)

    @property
    def stochastic(self) -> bool:
        """Whether members differ; False for the median net."""
        return self.method.settings.stochastic

    @property
    def static(self) -> tuple[str, ...]:
        """Names of the static fields that it needs."""
        return tuple(each.name for each in self.method.settings.static)

    @property
    def styles(self) -> tuple[str, ...]:
        """Products whose texture it knows."""
        return self.method.settings.styles

    @property
    def style(self) -> str | None:
        """The product whose texture it gives; None for the mean of all."""
        return self.method.settings.default

    @property
    def sampler(self) -> str | None:
        """How members are drawn by several steps, such as a diffused residual; None for one pass."""
        return self.method.sampler

    def with_style(self, style: str | None) -> Downscaler:
        """The same downscaler with the texture of another product.

        Parameters
        ----------
        style : str or None
            One of :attr:`styles`, or None for the mean of all.

        Raises
        ------
        FactorError
            For a product that it does not know.
        """
        if style is not None and style not in self.styles:
            msg = (
                f"style={style!r} is not known to the model {self.name!r}; it knows {', '.join(self.styles)}"
            )
            raise FactorError(msg)
        method = copy.copy(self.method)
        method.settings = replace(self.method.settings, default=style)
        return Downscaler(method, variable=self.variable, provenance=self.provenance, name=self.name)

    def with_conservation(self, conserve: str) -> Downscaler:
        """The same downscaler with block means conserved or not, whatever it was trained for.

        Parameters
        ----------
        conserve : {"auto", "cell", "none"}
            "auto" leaves it as it is.

        Raises
        ------
        FactorError
            For any other word.
        """
        if conserve not in ("auto", "cell", "none"):
            msg = f'conserve={conserve!r} is not accepted: conserve is "auto", "cell" or "none"'
            raise FactorError(msg)
        if conserve == "auto" or self.method.settings.conserving == (conserve == "cell"):
            return self
        method = copy.copy(self.method)
        method.settings = replace(self.method.settings, conserving=conserve == "cell")
        return Downscaler(method, variable=self.variable, provenance=self.provenance, name=self.name)

    def with_sampler(self, sampler: str | None = None, steps: int | None = None) -> Downscaler:
        """The same diffused residual drawn by another sampler, or in more or fewer steps.

        Parameters
        ----------
        sampler : {"angle", "dpm", "heun", "ddim", "ddpm"}, optional
            None keeps it.
        steps : int, optional
            None takes the sampler's default. The reach, and with it the halo of tiles, grows with them.

        Raises
        ------
        FactorError
            For a model that draws its members in one pass, another name, or no step at all.
        """
        if sampler is not None:
            named_sampler(sampler)
        taken = None if steps is None else whole_number(steps, "steps", least=1)
        method = self.method.sampled(sampler, taken)
        return Downscaler(method, variable=self.variable, provenance=self.provenance, name=self.name)

    @property
    def sha256(self) -> str:
        """Hash of the weights and of everything else that a model file says, recorded in the attributes of results."""
        return fingerprint(self.method.state_dict(), self._document())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model file: weights and everything that is needed to use and to judge them.

        Parameters
        ----------
        path : path
            Conventionally ends in ``.safetensors``; its folder must exist. A link is followed.

        Returns
        -------
        Path
            The file, complete: what was there is replaced once it is written.

        Raises
        ------
        FileError
            If no file can be written there.
        ModelFileError
            If a file of this model could not be loaded again.
        """
        document = self._document()
        _parts(plain(document))
        return write_model(Path(path), self.method.state_dict(), document)

    def _document(self) -> dict[str, Any]:
        """Everything but the weights, as plain values."""
        return {
            "kind": self.method.kind,
            "name": self.name,
            "settings": self.method.settings.to_json(),
            "variable": asdict(self.variable),
            "provenance": asdict(self.provenance),
        }

    def __repr__(self) -> str:
        """A few lines that say what this model does."""
        number = sum(p.numel() for p in self.method.parameters())
        cells, frames = self.method.halo()
        scores = _in_short(self.provenance.scores) or "n/a"
        spacing = (
            f"{self.provenance.spacing:g} {self.provenance.spacing_units or ''}"
            if self.provenance.spacing
            else "n/a"
        )
        step = f"{self.provenance.step:g} s" if self.provenance.step else "n/a"
        return "\n".join(
            [
                f"<xdownscale.Downscaler {self.name!r}>",
                f"  factors     {self.factors}",
                f"  variable    {self.variable.name} [{self.variable.units or 'n/a'}]",
                f"  quantity    {self.quantity.told()}",
                f"  values      {self.method.settings.transform.told()}",
                f"  method      {self.method.described()}, {number:,} weights",
                f"  reach       {cells} coarse cells, {frames} coarse steps",
                f"  fine grid   {spacing}, {step}",
                f"  static      {', '.join(self.static) or 'none'}",
                f"  style       {self.style or 'mean'} of {', '.join(self.styles)}",
                f"  held out    {scores}",
            ]
        )


def _in_short(scores: Mapping[str, float]) -> str:
    """Scores in a line, those of bicubic interpolation behind those of the model.

    >>> _in_short({"crps": 0.2, "crps_bicubic": 0.4, "spread_skill": 0.9})
    'crps 0.2 (bicubic 0.4), spread_skill 0.9'
    """
    beside = {
        name: f" (bicubic {scores[key]:.3g})" for name in scores if (key := f"{name}_bicubic") in scores
    }
    shown = [name for name in scores if not name.endswith("_bicubic")]
    return ", ".join(f"{name} {scores[name]:.3g}{beside.get(name, '')}" for name in shown)


def load(path: str | os.PathLike[str]) -> Downscaler:
    """Read a model file.

    Parameters
    ----------
    path : path
        A file that :meth:`Downscaler.save` wrote.

    Returns
    -------
    Downscaler

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, altered, of a newer version, or no model file. Nothing in it is executed, and
        no memory is taken for weights before they are known to be what the file says.
    """
    with open_model(Path(path)) as file:
        parts = _parts(
            {key: value for key, value in file.document.items() if key not in ("format", "sha256")}
        )
        method = _outlined(parts, file)
        shapes = {name: tuple(weight.shape) for name, weight in method.state_dict().items()}
        method.load_state_dict(file.tensors(shapes), assign=True)
    if file.document["format"] == 1:
        warn_user(
            f"{str(path)!r} is of the first format, whose hash does not cover what the file says beside its weights. "
            "Write it again: xdownscale.load(path).save(path)."
        )
    return Downscaler(method.eval(), variable=parts.variable, provenance=parts.provenance, name=parts.name)


@dataclass(frozen=True)
class _Document:
    """What a model file holds beside the weights."""

    kind: str
    name: str
    settings: Any
    variable: Variable
    provenance: Provenance


def _parts(document: dict[str, Any]) -> _Document:
    """A document of plain values, checked."""
    parts = parsed(_Document, document, "document")
    return replace(parts, settings=read_settings(parts.kind, parts.settings))


def _outlined(parts: _Document, file: ModelFile) -> Method:
    """The network that a document describes, without memory for its weights."""
    try:
        return outline(parts.kind, parts.settings)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as cause:
        msg = (
            f"{str(file.path)!r} describes no network that there could be ({cause}). Fetch or copy it again."
        )
        raise ModelFileError(msg) from cause
