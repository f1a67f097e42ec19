"""What is particular to the training of the scale-adaptive framework: its presets, sizes, residual and sampler."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xdownscale.errors import ArgumentError
from xdownscale.nn.adaptive import AdaptiveSize

if TYPE_CHECKING:
    from xdownscale.field.factors import Factors

FRAMES = ("attention", "stacked", "last")
"""What :class:`~xdownscale.nn.adaptive.AdaptiveSize` may say of frames."""


@dataclass(frozen=True)
class Preset:
    """A row of table 2 of Defez et al. (2026, arXiv:2604.21903).

    Parameters
    ----------
    horizon : int
        A_T = T·L, the fine steps to which the context goes back.
    beta : float
        β_J, the largest noise of a step of the diffusion.
    power, threshold : float
        Of F(u) = u^p and of the rectifier, over the normalised field.
    """

    horizon: int
    beta: float
    power: float
    threshold: float

    def length(self, time: int) -> int:
        """L for a temporal factor: as many coarse frames as the horizon has, one at least."""
        return max(1, round(self.horizon / time))


PRESETS: dict[tuple[int, int], Preset] = {
    (1, 3): Preset(12, 1.5e-2, 0.5, 1e-2),
    (10, 1): Preset(10, 1e-2, 0.5, 1e-2),
    (10, 3): Preset(15, 2e-2, 1.0, 2e-2),
    (25, 6): Preset(18, 3.5e-2, 1.0, 4e-2),
}
"""By (S, T). Part of the printed table is illegible; these agree with what can be read, with the text, and with the
authors' public records of runs."""


def preset_for(factors: Factors) -> Preset:
    """The published preset whose volume S_y·S_x·T, the number of fine values of a coarse one, is nearest in logarithm.

    The paper has four pairs and says of them that the settings follow how underdetermined the fine field is: the number
    of unknown values for each known one. It spans three decades, so that ratios and not differences are compared. A
    nearest row is taken, and nothing is interpolated, since power, threshold and noise of a row were found together.

    Parameters
    ----------
    factors : Factors

    Examples
    --------
    >>> from xdownscale.field.factors import Factors
    >>> preset_for(Factors.parse(10, 3)) == PRESETS[10, 3], preset_for(Factors.parse(2, 1)) == PRESETS[1, 3]
    (True, True)
    """
    volume = math.log(factors.y * factors.x * factors.time)
    return min(PRESETS.items(), key=lambda each: abs(math.log(each[0][0] ** 2 * each[0][1]) - volume))[1]


@dataclass(frozen=True)
class AdaptiveRecipe:
    """The scale-adaptive framework, ``method="scale-adaptive"``. Options that are not the paper's say so.

    Parameters
    ----------
    size : AdaptiveSize
        Of both U-Nets.
    length : int, optional
        L, coarse frames of the context, the last one included. None for this and the next three takes the preset of the
        factors (:func:`preset_for`).
    beta : float, optional
        β_J.
    power, threshold : float, optional
        Of F(u) = u^p and of the rectifier, over the normalised field.
    tile : int
        Fine cells along a side of a training window, as near as whole coarse cells come; two coarse cells at least.
    levels : int
        J.
    residual : bool
        Whether a residual is diffused. Without, the mean is all: the deterministic model of the paper.
    standardised : bool
        Whether the residual is divided by its standard deviation before it is diffused. The paper's is not, and most of
        the noise levels are then far from its size.
    draws : int
        Steps of the diffusion at which every window is denoised in a step of training: the mean is asked once for all.
    conserving : bool
        Whether the totals of frames are conserved, in the mean and in its members.
    delay : float
        Share of a run after which the mean is conserved in training: 20 of 80 epochs.
    quantile : float, optional
        Of a gamma law fitted to the wet values, at which rain is cut and which becomes 1. None takes the largest value.
    sampler : str
        "ddpm" is ancestral sampling down the noise levels of training; or another name of
        :func:`xdownscale.diffusion.sample.named_sampler`.
    steps : int, optional
        Of the sampler; None takes all J of "ddpm", and the default of any other.
    """

    size: AdaptiveSize = field(default_factory=AdaptiveSize)
    length: int | None = None
    beta: float | None = None
    power: float | None = None
    threshold: float | None = None
    tile: int = 100
    levels: int = 1000
    residual: bool = True
    standardised: bool = False
    draws: int = 1
    conserving: bool = True
    delay: float = 0.25
    quantile: float | None = 0.995
    sampler: str = "ddpm"
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.size.frames not in FRAMES:
            msg = f"frames={self.size.frames!r} is not known; use one of {', '.join(map(repr, FRAMES))}"
            raise ArgumentError(msg)
        for name, least in (("length", 1), ("levels", 2), ("draws", 1), ("tile", 1), ("steps", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                msg = f"{name}={value}: {least} or more"
                raise ArgumentError(msg)
        for name, fits, words in (
            ("beta", lambda beta: 0 < beta < 1, "between 0 and 1"),
            ("power", lambda power: power > 0, "above 0"),
            ("threshold", lambda threshold: threshold >= 0, "0 or more"),
            ("quantile", lambda quantile: 0 < quantile < 1, "between 0 and 1"),
        ):
            value = getattr(self, name)
            if value is not None and not fits(value):
                msg = f"{name}={value}: {words}"
                raise ArgumentError(msg)

    def without_attention(self) -> AdaptiveRecipe:
        """The paper's ablation: no attention in space, none in time and none to the context; the last frame alone."""
        return replace(self, size=replace(self.size, windows=(), frames="last", token=0))

    def for_factors(self, factors: Factors) -> AdaptiveRecipe:
        """The recipe with what was left open taken from the preset of the factors.

        >>> from xdownscale.field.factors import Factors
        >>> AdaptiveRecipe(beta=0.1).for_factors(Factors.parse(25, 6))
        AdaptiveRecipe(size=..., length=3, beta=0.1, power=1.0, threshold=0.04, ...)
        """
        preset = preset_for(factors)
        return replace(
            self,
            length=preset.length(factors.time) if self.length is None else self.length,
            beta=preset.beta if self.beta is None else self.beta,
            power=preset.power if self.power is None else self.power,
            threshold=preset.threshold if self.threshold is None else self.threshold,
        )

    def cells(self, factors: Factors) -> int:
        """Coarse cells along a side of a training window."""
        return max(2, round(self.tile / math.sqrt(factors.y * factors.x)))
