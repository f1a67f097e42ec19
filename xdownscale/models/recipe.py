"""What a training run is made of: sizes, windows, schedule, score weights.

A recipe is plain values and travels in the model file. "standard" is for weights to keep, "small" for a first try; how
the shipped weights came about stands in their card, ``xdownscale.zoo.card("rain-10x3")``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xdownscale.errors import ArgumentError, FactorError
from xdownscale.models.adaptive_recipe import AdaptiveRecipe
from xdownscale.models.minkowski import MinkowskiLoss
from xdownscale.models.schedule import Schedule, Scheduled
from xdownscale.models.video_recipe import VideoRecipe
from xdownscale.nn.adaptive import AdaptiveSize
from xdownscale.nn.video import VideoSize

if TYPE_CHECKING:
    from collections.abc import Callable

    from xdownscale.field.factors import Factors


@dataclass(frozen=True)
class NetworkSize:
    """Widths and depths of the network, as in :class:`xdownscale.nn.local.LocalNetwork`.

    `apart` is settled when training starts (:meth:`settled`); a model file that does not know of it has it not.
    """

    maps: tuple[int, int, int] = (4, 2, 1)
    width: int = 96
    encoder_blocks: int = 3
    decoder_blocks: int = 3
    stages: tuple[int, int, int, int] = (64, 32, 16, 8)
    style: int = 4
    apart: bool | None = None

    def settled(self, blocks: tuple[int, int, int]) -> NetworkSize:
        """The size with `apart` decided: where time is refined, for interpolation in time cannot tell steps apart.

        >>> NetworkSize().settled((3, 10, 10)).apart, NetworkSize().settled((1, 4, 4)).apart
        (True, False)
        """
        return self if self.apart is not None else replace(self, apart=blocks[0] > 1)

    def for_targets(self, count: int) -> NetworkSize:
        """The size for several targets: noise for each, and channels that keep the cost of each about the same.

        With one map of noise in the last stage all targets of a member would move together. Channels grow as the square
        root of the number of targets, since the cost of a convolution grows as their square.

        >>> NetworkSize().for_targets(4)
        NetworkSize(maps=(16, 8, 4), width=96, encoder_blocks=3, decoder_blocks=3, stages=(128, 64, 32, 16), ...)
        >>> NetworkSize().for_targets(1) == NetworkSize()
        True
        """
        if count == 1:
            return self
        coarse, inner, last = (each * count for each in self.maps)
        first, second, third, fourth = (4 * math.ceil(each * count**0.5 / 4) for each in self.stages)
        return replace(self, maps=(coarse, inner, last), stages=(first, second, third, fourth))


@dataclass(frozen=True)
class Attention:
    """Attention in the denoiser of a diffused residual, as in :mod:`xdownscale.nn.attention`.

    Parameters
    ----------
    windows : tuple of int
        Pixels to each side that a pixel attends to, after each convolutional block of the denoiser; 0 for no attention
        there. A pixel is a patch of 2 × 2 or 3 × 3 fine cells where that divides a coarse cell. The default is the
        window of Defez et al. (2026, arXiv:2604.21903), (2n + 1)² with n = 3 in outer layers and 1 in inner ones.
    frames : int
        Coarse frames to each side that a frame attends to; 0 for an exchange between neighbours instead. The default
        makes five frames of it, theirs for factors (10, 3). Training windows should have as many.
    heads : int
        Independent attentions, which share the width of the denoiser, ``size.stages[0]``.
    """

    windows: tuple[int, ...] = (3, 3, 1, 1)
    frames: int = 2
    heads: int = 4


SMOOTH_DRIFT = 0.03
"""Share of the weight of drift for variables other than rain."""

TERMS = ("cell", "pooled", "regional", "border", "sliced", "spectral", "increment", "place", "levels")
"""What is scored: the weights of the loss that :meth:`ScoreWeights.only` sets to zero."""


@dataclass(frozen=True)
class ScoreWeights:
    """Weights of the terms of the loss (``training.terms``), chosen once.

    Parameters
    ----------
    cell, pooled, border, sliced : float
        Weights of single cells, small pools, differences across borders of coarse cells, and patches.
    regional : float
        Weight of large pools and of their changes from one step to the next, times their factors.
    physical, latent : float
        Weights of the two units in which every term is taken.
    alpha : float
        Share of the fair correction: slightly below 1, since a fair score of two members cannot tell a good pair from
        one good and one arbitrary member. It costs spread: with c = 1 − (1 − α)/M, the best Gaussian ensemble of M
        members has c/√(2 − c²) of the truth's, 0.980 for two members and 0.987 for three.
    filters : int
        Random filters per step and scale.
    drift : float
        Weight of the penalty that anchors block means before conservation.
    spectral : float
        Weight of the waves of windows of four coarse cells (``training.terms.waves``), in latent units.
    increment : float
        Weight of changes from one step to the next.
    place : float
        Weight of means by place in the coarse cell.
    levels : float
        Weight of edges, pieces, crumbs and pinholes of level sets (``training.terms.level_sets``).
    movement : float
        Weight of the error of the velocity along which noise is carried.
    late : float
        Share of a run after which large pools, waves and level sets join the loss: they are for a network that knows
        the means. A run that goes on from a trained model has them from the beginning.
    """

    cell: float = 1.0
    pooled: float = 0.5
    regional: float = 0.5
    border: float = 0.25
    sliced: float = 1.5
    physical: float = 0.5
    latent: float = 1.0
    alpha: float = 0.98
    filters: int = 12
    drift: float = 0.1
    spectral: float = 0.5
    increment: float = 0.5
    place: float = 1.0
    levels: float = 2.0
    movement: float = 0.3
    late: float = 0.5

    def at(self, share: float) -> ScoreWeights:
        """The weights when a share of the run is over.

        >>> ScoreWeights(late=0.5).at(0.4).levels, ScoreWeights(late=0.5).at(0.5).levels
        (0.0, 2.0)
        """
        return self if share >= self.late else replace(self, regional=0.0, spectral=0.0, levels=0.0)

    @property
    def smooth(self) -> ScoreWeights:
        """The weights for a variable other than rain: no level sets, and one unit, since both are the same there.

        Conservation is linear there and its gradient exact: block means before it need hardly be anchored, and an
        anchor damps waves of about two coarse cells, which have such means as well.

        >>> ScoreWeights().smooth.levels, ScoreWeights().smooth.latent
        (0.0, 1.5)
        """
        return replace(
            self,
            physical=0.0,
            latent=self.physical + self.latent,
            levels=0.0,
            drift=SMOOTH_DRIFT * self.drift,
        )

    def only(self, **weights: float) -> ScoreWeights:
        """The same with these weights, and with no other term of :data:`TERMS`.

        >>> alone = ScoreWeights().only(cell=1.0, latent=0.0)
        >>> alone.cell, alone.levels, alone.physical
        (1.0, 0.0, 0.5)
        """
        changed: dict[str, Any] = {**dict.fromkeys(TERMS, 0.0), **weights}
        return replace(self, **changed)


@dataclass(frozen=True, repr=False)
class Recipe(Scheduled):
    """Everything about a training run but the data.

    Parameters
    ----------
    cells, frames : int
        Coarse cells along y and x, and coarse frames, of a training window.
    size : NetworkSize
        Widths and depths of the network.
    schedule : Schedule
        Steps, learning rate, and how often the model is validated.
    weights : ScoreWeights
        Weights of the terms of the loss.
    attention : Attention, optional
        Of the denoiser of ``method="residual"``. None makes it of convolutions alone: a third of the time.
    video : VideoRecipe, optional
        What ``method="video"`` needs, and no other method has.
    adaptive : AdaptiveRecipe, optional
        What ``method="scale-adaptive"`` needs, and no other method has. The windows follow from it and the factors.
    unit : float, optional
        A typical magnitude of the field, by which physical terms of the loss are divided. None takes the mean of wet
        values (rain) or the standard deviation (other fields).
    squared : bool
        Whether the median net, or that of a residual, learns the mean, in latent units, by its squared error instead.
    shapes : MinkowskiLoss, optional
        A term for the shapes of level sets.

    See Also
    --------
    xdownscale.train : Takes it as ``recipe=``.
    xdownscale.PriorRecipe : The same for a generative prior.

    Examples
    --------
    >>> Recipe.named("standard").with_steps(100).schedule.steps
    100
    """

    cells: int = 12
    frames: int = 4
    size: NetworkSize = field(default_factory=NetworkSize)
    schedule: Schedule = field(default_factory=Schedule)
    weights: ScoreWeights = field(default_factory=ScoreWeights)
    attention: Attention | None = None
    video: VideoRecipe | None = None
    adaptive: AdaptiveRecipe | None = None
    unit: float | None = None
    squared: bool = False
    shapes: MinkowskiLoss | None = None

    @classmethod
    def named(cls, name: str) -> Recipe:
        """One of the recipes that come with the library.

        Parameters
        ----------
        name : {"standard", "small", "edsr", "stvd", "stvd-small", "scale-adaptive", "scale-adaptive-small"}
            "edsr" is for ``method="edsr"``: the width and depth of the baseline network of Lim et al. (2017,
            doi:10.1109/CVPRW.2017.151); their rate, 1e-4, is for runs a hundred times as long. "stvd" and "stvd-small"
            are for ``method="video"``: Srivastava et al. (2024, arXiv:2312.06071) as published, made for tiles of
            384 × 384 fine cells at factor 8; and a small one with the options that keep its spread. The last two are
            for ``method="scale-adaptive"``: Defez et al. (2026, arXiv:2604.21903) as published, made for tiles of
            100 × 100 fine cells, with their settings of the nearest factors; and a small one.

        Raises
        ------
        ArgumentError
            For any other name.
        """
        if name not in NAMED:
            known = ", ".join(f'"{each}"' for each in NAMED)
            msg = f"recipe={name!r} is not known; use recipe={known} or an xdownscale.Recipe(...)"
            raise ArgumentError(msg)
        return NAMED[name]()

    def for_factors(self, factors: Factors) -> Recipe:
        """The recipe with what depends on the factors: of the scale-adaptive framework windows and a preset.

        Parameters
        ----------
        factors : Factors
            By how much fields are refined.

        Returns
        -------
        Recipe
            A copy, or the recipe itself.

        Raises
        ------
        FactorError
            If all of them are 1, so that there is nothing to learn.
        """
        if max(factors.blocks) == 1:
            msg = "spatial=1, temporal=1: no factor above 1 to learn. Pass one, such as spatial=4."
            raise FactorError(msg)
        if self.adaptive is None:
            return self
        chosen = self.adaptive.for_factors(factors)
        return replace(self, adaptive=chosen, frames=chosen.length or 1, cells=chosen.cells(factors))


def _small() -> Recipe:
    """A generator for a first try."""
    size = NetworkSize(maps=(4, 2, 1), width=48, encoder_blocks=2, decoder_blocks=1, stages=(32, 24, 16, 8))
    schedule = Schedule(steps=150, rate=3e-3, warmup=10, check=50, average=0.98, validation=8)
    return Recipe(cells=8, frames=3, size=size, schedule=schedule)


def _edsr() -> Recipe:
    """EDSR of the width and depth of its baseline."""
    return Recipe(size=NetworkSize(width=64, encoder_blocks=16), schedule=Schedule(rate=5e-4))


def _stvd() -> Recipe:
    """Joint video diffusion as published."""
    schedule = Schedule(steps=1_000_000, batch=1, rate=1e-4, last=5e-7, warmup=1, average=0.995, check=5000)
    return Recipe(cells=48, frames=5, schedule=schedule, video=VideoRecipe())


def _stvd_small() -> Recipe:
    """The same for minutes, with the library's options."""
    size = VideoSize(base=8, multipliers=(1, 2, 4), heads=2, head=8, patch=32, positions=True)
    schedule = Schedule(steps=800, batch=1, rate=2e-3, average=0.99, warmup=50, check=400, validation=2)
    return Recipe(cells=4, frames=5, schedule=schedule, video=small_video(size))


def _scale_adaptive() -> Recipe:
    """The scale-adaptive framework as published: 80 epochs, and an end after 8 without improvement."""
    schedule = Schedule(
        steps=200_000, batch=12, rate=1e-4, warmup=1, average=0.0, check=2500, patience=8, validation=200
    )
    return Recipe(schedule=schedule, adaptive=AdaptiveRecipe())


def _scale_adaptive_small() -> Recipe:
    """The same for a first try: about a minute for each of its two networks."""
    schedule = Schedule(
        steps=400, batch=2, rate=2e-3, warmup=10, average=0.98, check=50, patience=8, validation=12
    )
    return Recipe(schedule=schedule, adaptive=small_adaptive())


NAMED: dict[str, Callable[[], Recipe]] = {
    "standard": Recipe,
    "small": _small,
    "edsr": _edsr,
    "stvd": _stvd,
    "stvd-small": _stvd_small,
    "scale-adaptive": _scale_adaptive,
    "scale-adaptive-small": _scale_adaptive_small,
}
"""The recipes that come with the library."""


def small_adaptive() -> AdaptiveRecipe:
    """The scale-adaptive framework at a size for minutes on one core."""
    size = AdaptiveSize(
        mean_widths=(8, 16, 32), residual_widths=(16, 32, 64), windows=(3, 1, 1), heads=4, told=32, token=32
    )
    return AdaptiveRecipe(size=size, tile=40, standardised=True, draws=2, sampler="angle")


def small_video(size: VideoSize) -> VideoRecipe:
    """A video diffusion of some size with the library's options instead of the published ones."""
    return VideoRecipe(
        size=size,
        anchor=1.0,
        standardised=True,
        epsilon=None,
        dry=-0.4,
        clip=False,
        levels="angle",
        draws=2,
        conserving=True,
        sampler="angle",
    )
