"""What a training run is made of: sizes, windows, schedule, score weights.

A recipe is plain values and travels in the model file. "standard" is for weights to keep, "small" for a first try; how
the shipped weights came about stands in their card, ``xdownscale.zoo.card("rain-10x3")``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from xdownscale.errors import FactorError


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


TERMS = ("cell", "pooled", "regional", "border", "sliced", "spectral", "increment", "place", "levels")
"""What is scored: the weights of the loss that :meth:`ScoreWeights.only` sets to zero."""


@dataclass(frozen=True)
class ScoreWeights:
    """Weights of the terms of the loss (``training.losses``), chosen once.

    Parameters
    ----------
    cell, pooled, border, sliced : float
        Weights of single cells, small pools, differences across borders of coarse cells, and patches.
    regional : float
        Weight of large pools and of their changes from one step to the next, times the factors of ``losses.REGIONS``.
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
        Weight of the waves of windows of four coarse cells (``training.spectral``), in latent units.
    increment : float
        Weight of changes from one step to the next.
    place : float
        Weight of means by place in the coarse cell.
    levels : float
        Weight of edges, pieces, crumbs and pinholes of level sets (``training.levels``).
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

    def only(self, **weights: float) -> ScoreWeights:
        """The same with these weights, and with no other term of :data:`TERMS`.

        >>> alone = ScoreWeights().only(cell=1.0, latent=0.0)
        >>> alone.cell, alone.levels, alone.physical
        (1.0, 0.0, 0.5)
        """
        changed: dict[str, Any] = {**dict.fromkeys(TERMS, 0.0), **weights}
        return replace(self, **changed)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Parameters
    ----------
    steps : int
        Optimiser steps.
    seconds : float, optional
        Wall-clock budget of steps and validations: the cosine schedule follows the clock where that is further than the
        step count, and no step begins that would end after it, but for the first. Such a run is not reproducible to the
        bit.
    batch : int
        Windows per step.
    members : int
        Members per window in the loss.
    rate : float
        Peak learning rate of Adam.
    style_rate : float
        Learning rate of the style, relative to the rest: few weights, each moved by a part of the windows.
    warmup : int
        Steps of linear warm-up.
    average : float
        Decay of the exponential moving average of the weights, reached gradually.
    clip : float
        Largest norm of the gradient.
    check : int
        Steps between validations and checkpoints.
    patience : int
        Validations without improvement before stopping.
    passes : int
        Conservation passes in training; sampling takes more.
    validation : int
        Windows of the validation split that are scored.
    """

    steps: int = 4000
    seconds: float | None = None
    batch: int = 4
    members: int = 2
    rate: float = 1.5e-3
    style_rate: float = 4.0
    warmup: int = 50
    average: float = 0.998
    clip: float = 1.0
    check: int = 200
    patience: int = 20
    passes: int = 4
    validation: int = 24

    def progress(self, step: int, elapsed: float) -> float:
        """Share of the run that is over, 0 to 1, by steps or by the clock, whichever is further.

        >>> Schedule(steps=100, seconds=10.0).progress(20, 5.0)
        0.5
        """
        by_clock = elapsed / self.seconds if self.seconds else 0.0
        return min(1.0, max(step / self.steps, by_clock))


@dataclass(frozen=True)
class Recipe:
    """Everything about a training run but the data.

    Parameters
    ----------
    cells, frames : int
        Coarse cells along y and x, and coarse frames, of a training window.
    size : NetworkSize
    schedule : Schedule
    weights : ScoreWeights
    attention : Attention, optional
        Of the denoiser of ``method="residual"``. None makes it of convolutions alone: a third of the time.
    unit : float, optional
        A typical magnitude of the field, by which physical terms of the loss are divided. None takes the mean of wet
        values (rain) or the standard deviation (other fields).

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
    unit: float | None = None

    @classmethod
    def named(cls, name: str) -> Recipe:
        """One of the recipes that come with the library.

        Parameters
        ----------
        name : {"standard", "small"}

        Raises
        ------
        FactorError
            For any other name.
        """
        if name == "standard":
            return cls()
        if name == "small":
            size = NetworkSize(
                maps=(4, 2, 1), width=48, encoder_blocks=2, decoder_blocks=1, stages=(32, 24, 16, 8)
            )
            schedule = Schedule(steps=150, rate=3e-3, warmup=10, check=50, average=0.98, validation=8)
            return cls(cells=8, frames=3, size=size, schedule=schedule)
        msg = f'recipe={name!r} is not known; use recipe="standard", recipe="small" or an xdownscale.Recipe(...)'
        raise FactorError(msg)

    def with_steps(self, steps: int | None) -> Recipe:
        """The recipe with another number of steps; warm-up and checks shrink with it. None changes nothing."""
        if steps is None:
            return self
        warmup, check = (
            min(self.schedule.warmup, max(1, steps // 10)),
            min(self.schedule.check, max(1, steps // 2)),
        )
        return replace(self, schedule=replace(self.schedule, steps=steps, warmup=warmup, check=check))

    def to_json(self) -> dict[str, Any]:
        """Plain values for the model file."""
        return asdict(self)
