"""What a training run adds to its loss for the shapes of level sets; plain values that travel in the model file."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import cos, exp, pi

from xdownscale.errors import ValueRangeError
from xdownscale.kernels.minkowski import LEVELS

COLDEST = 0.05
"""Least share of the temperature that annealing leaves."""


@dataclass(frozen=True)
class MinkowskiLoss:
    """The Minkowski image loss (Quarenghi et al. 2026, arXiv:2604.11422): shapes of level sets in a training loss.

    Of one prediction it is the distance of :func:`xdownscale.metrics.minkowski_distance` to the truth, as in the paper;
    of an ensemble the CRPS of its members' curves, which stays a proper score. Prediction and truth go through the same
    functionals, soft ones (``nn.soft_minkowski``) or those of an emulator.

    Parameters
    ----------
    weight : float
        Weight of the term, relative to the rest of the loss.
    thresholds : tuple of float, optional
        In the units of the field. None takes the quantiles of the (wet) training values at `levels`.
    levels : tuple of float
        Places of the thresholds on the axis that is integrated along.
    temperature : float
        Scale at which thresholds are spread at the beginning, in the units in which networks work. For rain these are
        log(1 + P/0.2 mm/h), so it is about relative: 0.3 is 30 %.
    warmup : float
        Share of a run over which the weight grows from 0, along half a cosine.
    emulator : str, optional
        File of an emulator (:func:`xdownscale.training.emulator.save_emulator`), whose curves take the place of the
        soft ones. Its thresholds are its own.
    trust : float
        Error of the emulator on the curves of the truth at which a frame counts 1/e: exp(−(error/trust)²).

    Raises
    ------
    ValueRangeError
        If a value lies outside its range.

    See Also
    --------
    xdownscale.train : Takes it as ``loss=``.
    xdownscale.metrics.minkowski_distance : The distance as a score.

    References
    ----------
    Quarenghi et al. (2026), emulating non-differentiable metrics, arXiv:2604.11422.

    Examples
    --------
    >>> loss = MinkowskiLoss(weight=2.0, warmup=0.5)
    >>> [round(loss.weight_at(share), 3) for share in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 1.0, 2.0, 2.0]
    >>> round(loss.temperature_at(0.0), 3), round(loss.temperature_at(1.0), 3)
    (0.3, 0.015)
    """

    weight: float = 0.1
    thresholds: tuple[float, ...] | None = None
    levels: tuple[float, ...] = LEVELS
    temperature: float = 0.3
    warmup: float = 0.1
    emulator: str | None = None
    trust: float = 1.0

    def __post_init__(self) -> None:
        positive = {"weight": self.weight, "temperature": self.temperature, "trust": self.trust}
        for name, value in positive.items():
            if not 0 < value < float("inf"):
                msg = f"{name}={value!r} of MinkowskiLoss must be a number above 0; pass one, or leave it out"
                raise ValueRangeError(msg)
        if not 0 <= self.warmup < 1:
            msg = (
                f"warmup={self.warmup!r} of MinkowskiLoss must be a share of the run, at least 0 and below 1"
            )
            raise ValueRangeError(msg)
        places = self.levels
        if not places or any(a >= b for a, b in itertools.pairwise(places)):
            msg = (
                f"levels={places!r} of MinkowskiLoss must increase; pass for example levels=(0.25, 0.5, 0.75)"
            )
            raise ValueRangeError(msg)
        if self.thresholds is not None and len(self.thresholds) != len(places):
            msg = (
                f"MinkowskiLoss has {len(self.thresholds)} thresholds and {len(places)} levels; pass as many levels, "
                f"such as levels=(0.25, 0.5, 0.75) for three"
            )
            raise ValueRangeError(msg)

    def weight_at(self, share: float) -> float:
        """The weight when a share of the run is over.

        Parameters
        ----------
        share : float
            Of the steps of the run, 0 to 1.

        Returns
        -------
        float
            Relative to the rest of the loss.
        """
        if share >= self.warmup:
            return self.weight
        return self.weight * 0.5 * (1 - cos(pi * share / self.warmup))

    def temperature_at(self, share: float) -> float:
        """The temperature when a share of the run is over: it falls exponentially.

        Parameters
        ----------
        share : float
            Of the steps of the run, 0 to 1.

        Returns
        -------
        float
            In the units in which networks work.
        """
        return self.temperature * max(COLDEST, exp(-3 * share))
