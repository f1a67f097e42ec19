"""What is needed to build a method of the scale-adaptive framework again, and what it prepares of coarse frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from xdownscale.diffusion.sample import ancestral, named_sampler
from xdownscale.errors import ArgumentError
from xdownscale.models.sampled import SampledSettings
from xdownscale.nn.adaptive import AdaptiveSize
from xdownscale.nn.blocks import repeated

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.diffusion.fuse import Region
    from xdownscale.diffusion.sample import Sampler
    from xdownscale.kernels.blocks import Blocks

ANCESTRAL = "ddpm"
"""The sampler that walks down the noise levels of training."""

SCOPES = ("frame", "cell", "none")
"""What may be conserved."""


@dataclass(frozen=True)
class AdaptiveSettings(SampledSettings):
    """Everything that is needed to build an :class:`Adaptive` again.

    Parameters
    ----------
    adaptive : AdaptiveSize
        Of both networks. (`size` belongs to other methods.)
    length : int
        L, coarse frames of the context, the last one included.
    cells : int
        Coarse cells along y and x of the windows that it learned from.
    lows, highs : tuple of float
        Values of each target that become 0 and 1, in the units of the model.
    power, threshold : float
        Of F and of the rectifier.
    kept : bool
        Whether the mean is conserved.
    scope : {"frame", "cell", "none"}
        Whether the result has the totals of frames or the means of coarse cells.
    beta : float
        β_J.
    levels : int
        J.
    standardised : bool
        Whether what is diffused is divided by `scales`.
    scales : tuple of float
        σ_r of each target, normalised: the root mean square of what the mean leaves.
    sampler : str
        "ddpm", down the levels of training, or a name of :func:`xdownscale.diffusion.sample.named_sampler`.
    steps : int, optional
        Of the sampler; None takes its default.

    Raises
    ------
    ArgumentError
        For numbers that do not fit together, or a sampler that is not known.
    """

    adaptive: AdaptiveSize = field(default_factory=AdaptiveSize)
    length: int = 5
    cells: int = 10
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    power: float = 1.0
    threshold: float = 0.0
    kept: bool = True
    scope: str = "frame"
    beta: float = 0.02
    levels: int = 1000
    standardised: bool = False
    scales: tuple[float, ...] = ()
    sampler: str = ANCESTRAL
    steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        count = len(self.transforms)
        for name, value in (("lows", 0.0), ("highs", 1.0), ("scales", 1.0)):
            if not getattr(self, name):
                object.__setattr__(self, name, (value,) * count)
        if not len(self.lows) == len(self.highs) == len(self.scales) == count:
            msg = (
                f"lows={self.lows}, highs={self.highs}, scales={self.scales}: one for each of {count} targets"
            )
            raise ArgumentError(msg)
        sizes = self.adaptive
        widths = (*sizes.mean_widths, *sizes.residual_widths)
        if any(width % sizes.heads for width in widths) or any(width % 8 for width in sizes.residual_widths):
            msg = (
                f"heads={sizes.heads} must divide all of mean_widths={sizes.mean_widths} and residual_widths="
                f"{sizes.residual_widths}, and 8 the latter"
            )
            raise ArgumentError(msg)
        if self.sampler != ANCESTRAL:
            named_sampler(self.sampler)
        if self.scope not in SCOPES:
            msg = f"scope={self.scope!r} is not known; use one of {', '.join(map(repr, SCOPES))}"
            raise ArgumentError(msg)

    @property
    def drawn(self) -> tuple[Sampler, int]:
        """The sampler, and its number of steps."""
        if self.sampler != ANCESTRAL:
            return super().drawn
        sampler = ancestral(self.beta, self.levels)
        return sampler, sampler.steps if self.steps is None else self.steps


class AdaptiveWindow(NamedTuple):
    """Coarse frames prepared once and shared by their members."""

    coarse: Tensor
    """Block means of the targets (B, K, C, M, N), NaN where missing."""
    base: Tensor
    """Interpolated targets on the fine grid (B, T·K, C, H, W), physical units."""
    chosen: list[int]
    """Which of the K frames the networks are asked for: not those that are dry."""
    last: Tensor
    """BI(x_t) of the chosen frames, normalised, (1, chosen, C, H, W)."""
    mean: Tensor
    """D of the chosen frames, normalised, (1, chosen, T·C, H, W)."""
    tokens: list[Tensor | None]
    """The context of every window of the domain, (1, chosen, L, token)."""
    regions: list[Region]
    """Windows that cover the domain."""
    style: Tensor
    """The texture that is wanted, (style,)."""
    blocks: Blocks
    """Fine cells per coarse cell along (time, y, x)."""

    @property
    def velocity(self) -> None:
        """Its noise is not advected."""

    def styled(self, style: Tensor) -> AdaptiveWindow:
        """The same with another style vector."""
        return self._replace(style=style)

    def repeated(self, members: int) -> AdaptiveWindow:
        """The same for so many members at once, without a copy; of a single window."""
        return self._replace(coarse=repeated(self.coarse, members), base=repeated(self.base, members))
