"""What the rooms above ask of a method, and what all methods share: the wanted style, and the way from latent values.

A method turns a coarse window, static fields and noise into one fine window. Engine, model file, ``train`` and ``repr``
know it by :class:`Method` alone, which is a base class since every method is a torch module; ``kinds.py`` names the
kinds that there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from torch import nn

from xdownscale.errors import FactorError
from xdownscale.field.factors import FactorRange, Factors
from xdownscale.models.conserve import PASSES, conserve_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.transform import Transform
    from xdownscale.nn.advected_noise import NoiseMaps


class Prepared(Protocol):
    """A coarse window that a method has prepared once, shared by its members."""

    @property
    def coarse(self) -> Tensor:
        """Block means (B, L, M, N) in the units of the model, NaN where missing."""

    @property
    def base(self) -> Tensor:
        """Interpolated coarse field on the fine grid (B, T·L, H, W), physical units."""

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
    def transform(self) -> Transform:
        """From physical to latent values."""

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

    core: ClassVar[tuple[int, int, int]]
    """Coarse frames and cells (time, y, x) of the tiles that it likes."""

    calibrated: ClassVar[bool] = False
    """Whether a style can be fitted to a sample."""

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
    ) -> Any:
        """Encode a coarse window into a :class:`Prepared`, which its members share.

        Parameters
        ----------
        coarse : Tensor, shape (B, L, M, N)
            Block means in the units of the model; NaN where unknown.
        static : Tensor, shape (B, fields, S_y·M, S_x·N), optional
            Standardised static fields on the fine grid.
        style : str, optional
            As in :meth:`style`.
        blocks : tuple of int, optional
            As in :meth:`halo`.
        """

    @abstractmethod
    def latent(self, window: Any, noise: Sequence[Tensor], *, conserve: bool = True) -> Tensor:
        """Latent fine field of one member, shape (B, T·L, S_y·M, S_x·N).

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
        raise FactorError(msg)

    def style(self, name: str | None = None) -> Tensor:
        """The vector of a style: of a product by its name, or what the settings say by default."""
        chosen = name or self.settings.default
        if chosen is None:
            return self.styles.mean(0)
        return self.styles[self.settings.styles.index(chosen)]

    def finish(
        self, window: Prepared, latent: Tensor, *, conserve: bool = True, passes: int = PASSES
    ) -> Tensor:
        """Physical fine field from a latent one, block means conserved if wanted and if the method conserves."""
        if not (conserve and self.settings.conserving):
            return self.settings.transform.inverse(latent)
        return conserve_cells(
            latent, window.coarse, transform=self.settings.transform, blocks=window.blocks, passes=passes
        )

    def only(self, blocks: Blocks | None) -> Blocks:
        """The blocks of the one pair of factors; raises for any other."""
        own: Blocks = self.settings.blocks
        if blocks is not None and tuple(blocks) != tuple(own):
            msg = f"the model refines blocks of {own} (time, y, x), not of {tuple(blocks)}"
            raise FactorError(msg)
        return own
