"""A trained downscaler: networks, transform, and what they were trained on."""

from __future__ import annotations

import copy
import importlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdownscale.diffusion.sample import named_sampler
from xdownscale.errors import ArgumentError, ModelFileError
from xdownscale.field.arguments import whole_number
from xdownscale.field.html import html_tables
from xdownscale.field.quantity import Quantity
from xdownscale.field.warn import warn_user
from xdownscale.models.artefact import ModelFile, fingerprint, open_model, plain, write_model
from xdownscale.models.document import Document, Provenance, Variable, read_document
from xdownscale.models.kinds import outline
from xdownscale.models.method import Method
from xdownscale.models.scale import Scale
from xdownscale.models.told import told

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from xdownscale.models.prior import GuidanceSettings


class Downscaler:
    """A trained method, and what its values are.

    Made by :func:`xdownscale.train` or :func:`xdownscale.load`, used by :func:`xdownscale.downscale`.

    Parameters
    ----------
    method : Method
        The trained method.
    variables : sequence of Variable
        Its targets: what its values are.
    provenance : Provenance
        Where it comes from.
    predictors : sequence of Variable
        The coarse fields that it needs besides its targets.
    name : str
        Shown in the attributes of results.

    See Also
    --------
    xdownscale.train : Makes one from fine fields.
    xdownscale.zoo.load : A pretrained one by name.
    xdownscale.downscale : Uses it.

    Examples
    --------
    >>> import xdownscale
    >>> model = xdownscale.zoo.load("rain-10x3")
    >>> model.targets, model.stochastic
    (('rainfall_rate',), True)
    """

    def __init__(
        self,
        method: Method,
        *,
        variables: Sequence[Variable],
        provenance: Provenance,
        predictors: Sequence[Variable] = (),
        name: str = "user",
    ) -> None:
        self.method = method
        self.variables = tuple(variables)
        self.predictors = tuple(predictors)
        self.provenance = provenance
        self.name = name

    @property
    def factors(self) -> Any:
        """What it supports: the one pair of :class:`~xdownscale.field.factors.Factors`, or a range to choose from."""
        return self.method.factors

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the variables that it refines."""
        return tuple(each.name for each in self.variables)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What its targets measure: fields must measure the same."""
        return tuple(each.quantity for each in self.variables)

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

        Returns
        -------
        Downscaler
            A copy that shares the weights.

        Raises
        ------
        ArgumentError
            For a product that it does not know.
        """
        if style is not None and style not in self.styles:
            msg = f"style={style!r} is not a style of the model {self.name!r}, which has {', '.join(self.styles)}"
            raise ArgumentError(msg)
        method = copy.copy(self.method)
        method.settings = replace(self.method.settings, default=style)
        return self.with_method(method)

    def with_method(self, method: Method) -> Downscaler:
        """The same downscaler with another method.

        Parameters
        ----------
        method : Method
            Trained, for the same variables.

        Returns
        -------
        Downscaler
            A copy with this method.
        """
        made = copy.copy(self)
        made.method = method
        return made

    def with_scale(self, km: float | None = None, minutes: float | None = None) -> Downscaler:
        """The same downscaler for fields whose coordinates do not tell the size of cells and the length of steps.

        What coordinates tell goes first. A model for a single scale does not ask, and stays as it is.

        Parameters
        ----------
        km : float, optional
            Side of a *fine* cell, km. None leaves it to the coordinates.
        minutes : float, optional
            Length of a *fine* step, minutes.

        Returns
        -------
        Downscaler
            A copy that shares the weights.

        Raises
        ------
        ArgumentError
            For a value that is not above zero.
        """
        return self.with_method(self.method.at(Scale(km, minutes)))

    def with_conservation(self, conserve: str) -> Downscaler:
        """The same downscaler with block means conserved or not, whatever it was trained for.

        Parameters
        ----------
        conserve : {"auto", "cell", "frame", "none"}
            "auto" leaves it as it is. A model file says what a method was trained for; of others "frame" is not kept.

        Returns
        -------
        Downscaler
            A copy that shares the weights.

        Raises
        ------
        ArgumentError
            For any other word.
        """
        if conserve not in ("auto", "cell", "frame", "none"):
            msg = f'conserve={conserve!r} is not accepted: conserve is "auto", "cell", "frame" or "none"'
            raise ArgumentError(msg)
        if conserve in ("auto", self.method.conserves):
            return self
        return self.with_method(self.method.conserved(conserve))

    def with_sampler(self, sampler: str | None = None, steps: int | None = None) -> Downscaler:
        """The same diffused residual drawn by another sampler, or in more or fewer steps.

        Parameters
        ----------
        sampler : {"angle", "dpm", "heun", "ddim", "ddpm"}, optional
            None keeps it.
        steps : int, optional
            None takes the sampler's default. The reach, and with it the halo of tiles, grows with them.

        Returns
        -------
        Downscaler
            A copy that shares the weights.

        Raises
        ------
        ArgumentError
            For a model that draws its members in one pass, another name, or no step at all.
        """
        if sampler is not None and sampler not in self.method.own_samplers:
            named_sampler(sampler)
        taken = None if steps is None else whole_number(steps, "steps", least=1)
        method = self.method.sampled(sampler, taken)
        return self.with_method(method)

    def with_guidance(self, guidance: str | GuidanceSettings) -> Downscaler:
        """The same generative prior guided in another way by what is seen.

        Parameters
        ----------
        guidance : {"moments", "sda", "sda-free", "climate2weather"} or GuidanceSettings
            Moment matching; the guidance of SDA, with gradients of the network or without; or all that Schmidt et al.
            (2025) published: γ, the errors of their four variables, 256 steps.

        Returns
        -------
        Downscaler
            A copy that shares the weights.

        Raises
        ------
        ArgumentError
            For a model that is no prior, or another name.
        """
        return self.with_method(self.method.guided(guidance, self.targets))

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
        read_document(plain(document))
        return write_model(Path(path), self.method.state_dict(), document)

    def _document(self) -> dict[str, Any]:
        """Everything but the weights, as plain values."""
        return {
            "kind": self.method.kind,
            "name": self.name,
            "settings": self.method.settings.to_json(),
            "variables": [asdict(each) for each in self.variables],
            "predictors": [asdict(each) for each in self.predictors],
            "provenance": asdict(self.provenance),
        }

    def __repr__(self) -> str:
        """A few lines that say what this model does."""
        return "\n".join(
            [
                f"<xdownscale.Downscaler {self.name!r}>",
                *(f"  {name:<15} {value}" for name, value in told(self)),
            ]
        )

    def _repr_html_(self) -> str:
        """The same, and the data that it was trained on, for notebooks."""
        rows: dict[str, str] = {}
        for name, value in [*told(self), *(("trained on", line) for line in self.provenance.data)]:
            rows[name] = f"{rows[name]}\n{value}" if name in rows else value
        return html_tables(f"xdownscale.Downscaler {self.name!r}", {None: rows})

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the scores on held-out data beside those of bicubic interpolation: :func:`xdownscale.plot.model`.

        Parameters
        ----------
        path : path, optional
            File to write, in the format of its ending.

        Returns
        -------
        Figure
            Belongs to no window; a notebook shows it.

        Raises
        ------
        EmptyFieldError
            If the model has no scores, because nothing was held out.
        OptionalDependencyError
            Without matplotlib.

        See Also
        --------
        xdownscale.plot.model : The same as a function.
        """
        # Pictures are made above models, which import nothing of them: the function is found by its name.
        draw = importlib.import_module("xdownscale.plot").model
        figure: Figure = draw(self, path=path)
        return figure

    def scores(self, target: str | None = None) -> dict[str, float]:
        """Scores on held-out data, by the names of :func:`xdownscale.heldout.scores_of`.

        Parameters
        ----------
        target : str, optional
            One of :attr:`targets`; needed where there are several.

        Returns
        -------
        dict of float
            Empty where nothing was held out.

        Raises
        ------
        ArgumentError
            For any other name, or none where there are several.
        """
        if len(self.targets) == 1 and target in (None, *self.targets):
            return self.provenance.scores
        if target not in self.targets:
            msg = f"target={target!r}: the model {self.name!r} has the targets {', '.join(self.targets)}; name one"
            raise ArgumentError(msg)
        head = f"{target}."
        return {name[len(head) :]: v for name, v in self.provenance.scores.items() if name.startswith(head)}


def load(path: str | os.PathLike[str]) -> Downscaler:
    """Read a model file.

    Parameters
    ----------
    path : path
        A file that :meth:`Downscaler.save` wrote.

    Returns
    -------
    Downscaler
        The model, its weights loaded.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, altered, of a newer version, or no model file. Nothing in it is executed, and
        no memory is taken for weights before they are known to be what the file says.

    See Also
    --------
    xdownscale.train : Learn to downscale from fine fields.
    xdownscale.zoo.load : A pretrained model by name.

    Examples
    --------
    >>> import xdownscale
    >>> xdownscale.load(xdownscale.zoo.path("rain-10x3")).name
    'rain-10x3'
    """
    with open_model(Path(path)) as file:
        parts = read_document(
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
    return Downscaler(
        method.eval(),
        variables=parts.variables,
        provenance=parts.provenance,
        predictors=parts.predictors,
        name=parts.name,
    )


def _outlined(parts: Document, file: ModelFile) -> Method:
    """The network that a document describes, without memory for its weights."""
    try:
        return outline(parts.kind, parts.settings)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as cause:
        msg = f"{str(file.path)!r} describes an impossible network ({cause}). Fetch or copy it again."
        raise ModelFileError(msg) from cause
