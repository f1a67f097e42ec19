"""What the rooms above ask of a method, and what all methods share: the wanted style, and the way from latent values.

A method turns a coarse window, static fields and noise into one fine window. Engine, model file, ``train`` and ``repr``
know it by :class:`Method` alone, which is a base class since every method is a torch module; ``kinds.py`` names the
kinds that there are.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from torch import nn

from xdownscale.errors import ArgumentError, FactorError
from xdownscale.field.factors import FactorRange, Factors
from xdownscale.models.conserve import PASSES, conserve_cells
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.spans import Span, Spans, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.scale import Scale
    from xdownscale.models.transform import Transform
    from xdownscale.nn.advected_noise import NoiseMaps


ENCODED, FINE = 8, 12
"""Fields that live at the same time where most memory is taken: of the width of the encoder, and on the fine grid."""


def by_target(function: Callable[..., Tensor], transforms: Sequence[Transform], *fields: Tensor) -> Tensor:
    """What a function makes of each target, side by side again.

    Parameters
    ----------
    function : callable
        Of a transform and fields (B, T, H, W) of one target; gives such a field.
    transforms : sequence of Transform
        One for each target.
    *fields : Tensor, shape (B, T, targets, H, W)
    """
    parts = zip(transforms, *(each.unbind(2) for each in fields), strict=True)
    return side_by_side([function(*part) for part in parts])


def side_by_side(fields: Sequence[Tensor]) -> Tensor:
    """Fields (B, T, H, W) of targets as one, (B, T, targets, H, W); a single one without a copy."""
    return fields[0].unsqueeze(2) if len(fields) == 1 else torch.stack([*fields], dim=2)


class Prepared(Protocol):
    """A coarse window that a method has prepared once, shared by its members."""

    @property
    def coarse(self) -> Tensor:
        """Block means of the targets (B, L, C, M, N) in the units of the model, NaN where missing."""

    @property
    def base(self) -> Tensor:
        """Interpolated targets on the fine grid (B, T·L, C, H, W), physical units."""

    @property
    def velocity(self) -> Tensor | None:
        """Along which noise is advected, (B, L, 2, M, N) in coarse cells per coarse frame; None where it is not."""

    @property
    def blocks(self) -> Blocks:
        """Fine cells per coarse cell along (time, y, x)."""

    def repeated(self, members: int) -> Any:
        """The same for so many members at once."""

    def styled(self, style: Tensor) -> Any:
        """The same with another style vector."""


class Settings(Protocol):
    """What a method says of itself, and all that is needed to build it again: a frozen dataclass of plain values."""

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """From physical to latent values, one for each target."""

    @property
    def predictors(self) -> Sequence[Any]:
        """The coarse fields that it is shown besides its targets, in order, each with name, mean and scale."""

    @property
    def static(self) -> Sequence[Any]:
        """The static fields that it needs, in order, each with name, mean and scale."""

    @property
    def styles(self) -> tuple[str, ...]:
        """Products whose texture it knows."""

    @property
    def default(self) -> str | None:
        """The style that is taken unless another one is asked for; None for the mean of all."""

    @property
    def stochastic(self) -> bool:
        """Whether members differ."""

    @property
    def conserving(self) -> bool:
        """Whether block means are conserved."""

    def to_json(self) -> dict[str, Any]:
        """A document of plain values for the model file."""


class Method(nn.Module, ABC):
    """A method: what the rooms above ask of it, and what all methods share.

    Attributes
    ----------
    settings : Settings
        Replaced, never changed, where a user asks for another style, sampler or conservation.
    styles : Parameter, shape (styles, style)
        A vector for each of the products.
    """

    calibrated: ClassVar[bool] = False
    """Whether a style can be fitted to a sample."""

    scaled: ClassVar[bool] = False
    """Whether it asks for the scale of a field, which :meth:`at` sets."""

    whole: ClassVar[bool] = False
    """Whether the domain is one window, which the method cuts into its own tiles if it must."""

    causal: ClassVar[bool] = False
    """Whether no frame depends on a later one, so that a domain that is one window in space is cut in time."""

    own_samplers: ClassVar[tuple[str, ...]] = ()
    """Samplers that it has besides those of ``diffusion.sample``."""

    framed: bool = False
    """Whether totals of whole frames will be conserved by who puts its tiles together: a wish, in no model file."""

    beside: Any = None
    """What it is told of the field besides its values, for a method that asks for it."""

    settings: Any
    styles: nn.Parameter

    @property
    @abstractmethod
    def kind(self) -> str:
        """Its name in model files, one of :data:`xdownscale.models.kinds.KINDS`."""

    @abstractmethod
    def described(self) -> str:
        """What it is, in a few words."""

    @abstractmethod
    def halo(self, blocks: Blocks | None = None) -> tuple[int, int]:
        """Coarse cells and coarse frames to each side on which a fine value depends.

        Parameters
        ----------
        blocks : tuple of int, optional
            Fine cells per coarse cell along (time, y, x). None takes the only ones that it supports, or those that look
            farthest.
        """

    @abstractmethod
    def noise_maps(self, blocks: Blocks | None = None) -> list[NoiseMaps]:
        """The noise that one member needs; parameters as for :meth:`halo`."""

    @abstractmethod
    def prepare(
        self,
        coarse: Tensor,
        static: Tensor | None = None,
        style: str | None = None,
        *,
        blocks: Blocks | None = None,
        spans: Spans | None = None,
    ) -> Any:
        """Encode a coarse window into a :class:`Prepared`, which its members share.

        Parameters
        ----------
        coarse : Tensor, shape (B, L, C, M, N)
            Block means of the targets, then of the predictors, in the units of the model; NaN where unknown.
        static : Tensor, shape (B, fields, S_y·M, S_x·N), optional
            Standardised static fields on the fine grid.
        style : str, optional
            As in :meth:`style`.
        blocks : tuple of int, optional
            As in :meth:`halo`.
        spans : Spans, optional
            From :meth:`spans`: the part of the window whose fine values are wanted, and what is prepared. None for all.
        """

    def spans(self, core: Span, shape: tuple[int, int, int], blocks: Blocks | None = None) -> Spans:  # noqa: ARG002
        """The parts of a window that must be worked on for the values of its core; all of it unless a method says less.

        Parameters
        ----------
        core : tuple of slice
            Coarse frames, rows and columns, counted from the corner of the window.
        shape : tuple of int
            Those of the window.
        blocks : tuple of int, optional
            As in :meth:`halo`.
        """
        return Spans(whole(shape), whole(shape))

    def footprint(self, blocks: Blocks | None = None) -> tuple[float, float]:
        """Bytes of memory per coarse cell and frame: of the window that is encoded, and of what is made fine.

        Of all that lives at the same time where that is most, found by measurement.

        Parameters
        ----------
        blocks : tuple of int, optional
            As in :meth:`halo`.
        """
        fine = prod(self.only(None) if blocks is None else blocks)
        size = getattr(self.settings, "size", NetworkSize())
        targets = len(self.settings.transforms)
        return 4.0 * ENCODED * size.width, 4.0 * (FINE * fine * targets + ENCODED * size.stages[0])

    @property
    def coarse_maps(self) -> int:
        """How many of its sets of noise maps, the first ones, lie on the outer one of its spans."""
        return 0

    @abstractmethod
    def latent(self, window: Any, noise: Sequence[Tensor], *, conserve: bool = True) -> Tensor:
        """Latent fine fields of one member, shape (B, T·L, targets, S_y·M, S_x·N).

        Parameters
        ----------
        window : Prepared
        noise : sequence of Tensor
            As :meth:`noise_maps` says.
        conserve : bool
            Whether block means will be conserved: what conservation makes zero need not be computed.
        """

    @property
    def trunk(self) -> Any:
        """The network whose weights other methods may start from."""
        return self

    @property
    def factors(self) -> Factors | FactorRange:
        """The factors that it supports: those of its settings, unless it says otherwise."""
        time, y, x = self.settings.blocks
        return Factors(y=y, x=x, time=time)

    def at(self, scale: Scale | None) -> Any:
        """The same method for fields of a scale; one that knows a single scale stays as it is.

        Parameters
        ----------
        scale : Scale or None
            As far as it is known, None if it is not at all.
        """
        del scale
        return self

    @property
    def sampler(self) -> str | None:
        """How members are drawn by several steps, in a few words; None for one pass."""
        return None

    def sampled(self, sampler: str | None, steps: int | None) -> Any:
        """The same method with another sampler or number of steps; one that draws in one pass refuses."""
        msg = (
            f"sampler={sampler!r}, steps={steps}: the model is a {self.described()} and takes no steps. "
            f'Leave both out, or train(method="residual").'
        )
        raise ArgumentError(msg)

    @property
    def conserves(self) -> str:
        """What a result has of the coarse field: means of cells, "cell", totals of frames, "frame", or "none"."""
        if self.framed:
            return "frame"
        return "cell" if self.settings.conserving else "none"

    def conserved(self, what: str) -> Any:
        """The same method, which conserves something else; frames are put right outside of a method that is local.

        Parameters
        ----------
        what : {"cell", "frame", "none"}
        """
        method = copy.copy(self)
        method.settings = replace(self.settings, conserving=what == "cell")
        method.framed = what == "frame"
        return method

    def values_told(self) -> list[str]:
        """What becomes of the values of each target, in a few words."""
        return [each.told() for each in self.settings.transforms]

    def seeing(self, beside: Any) -> Any:  # noqa: ARG002 (the shared signature)
        """The same method, told what is known of a field besides its values."""
        return self

    def guided(self, guidance: Any, names: Sequence[str]) -> Any:  # noqa: ARG002 (the shared signature)
        """The same method with other guidance; one that is not guided refuses."""
        msg = (
            f"guidance={guidance!r}: the model is a {self.described()} and is not guided. "
            f'Leave it out, or train(field, method="prior").'
        )
        raise ArgumentError(msg)

    def style(self, name: str | None = None) -> Tensor:
        """The vector of a style: of a product by its name, or what the settings say by default."""
        chosen = name or self.settings.default
        if chosen is None:
            return self.styles.mean(0)
        return self.styles[self.settings.styles.index(chosen)]

    def finish(
        self, window: Prepared, latent: Tensor, *, conserve: bool = True, passes: int = PASSES
    ) -> Tensor:
        """Physical fine fields from latent ones, block means conserved if wanted and if the method conserves."""

        def physical(transform: Transform, values: Tensor, coarse: Tensor) -> Tensor:
            if not (conserve and self.settings.conserving):
                return transform.inverse(values)
            return conserve_cells(values, coarse, transform=transform, blocks=window.blocks, passes=passes)

        return by_target(physical, self.settings.transforms, latent, window.coarse)

    def only(self, blocks: Blocks | None) -> Blocks:
        """The blocks of the one pair of factors; raises for any other."""
        own: Blocks = self.settings.blocks
        if blocks is not None and tuple(blocks) != tuple(own):
            msg = f"the model refines blocks of {own} (time, y, x), not of {tuple(blocks)}"
            raise FactorError(msg)
        return own
