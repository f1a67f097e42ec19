"""The noise gain of a style: how loud noise is, fitted by a proper score on windows that nothing else was fitted to.

Texture and spread are two things. A style vector that gives members the texture of a product may leave them with too
much or too little spread; noise g times as loud gives about g times the spread. The fair CRPS, of single cells and of
regions, is least where the spread is that of the truth, given what else the network says. It is a smooth and shallow
function of log g: a parabola through three values, drawn with the same noise, finds its least.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from xdownscale.kernels.crps import crps_ensemble
from xdownscale.models.conserve import PASSES
from xdownscale.training.window import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from xdownscale.models.method import Method
    from xdownscale.training.patches import Batch

STEP, LARGEST = log(1.3), log(1.7)
"""Of log g: where the score is taken beside 0, and how far from 0 it may come."""

MEMBERS = 6
"""Members of a window by which a gain is judged."""

SIDES = (1, 10)
"""Sides of the squares whose means are scored, in cells."""


def fit_gain(method: Method, judged: Batch, *, seed: int = 0) -> tuple[float, float, float]:
    """The gain of the default style with the least score.

    Parameters
    ----------
    method : Method
        Not changed. Its default style has the gain that is taken for 1 here.
    judged : Batch
        Windows that the style was not fitted to.
    seed : int
        Seed of the noise.

    Returns
    -------
    gain : float
        Times that of the method.
    before, after : float
        Score with the gain of the method and with the new one.
    """

    def score(step: float) -> float:
        return gain_score(with_gain(method, exp(step)), judged, seed=seed)

    before = score(0.0)
    found = lowest({-STEP: score(-STEP), 0.0: before, STEP: score(STEP)})
    after = score(found) if found else before
    return (exp(found), before, after) if after < before else (1.0, before, before)


def lowest(values: dict[float, float]) -> float:
    """Where the parabola through three values is least, not farther than :data:`LARGEST` from 0.

    >>> round(lowest({-1.0: 4.25, 0.0: 1.25, 1.0: 0.25}), 3) == round(LARGEST, 3)
    True
    >>> lowest({-0.2: 1.09, 0.0: 1.01, 0.2: 1.01})
    0.1
    """
    (low, a), (_, b), (high, c) = sorted(values.items())
    width = (high - low) / 2
    curved = a - 2 * b + c
    if curved <= 0:  # no least value in between: the lower end
        return max(-LARGEST, min(LARGEST, min(values, key=lambda step: values[step])))
    return max(-LARGEST, min(LARGEST, round(width * (a - c) / (2 * curved), 9)))


def gain_score(method: Method, judged: Batch, *, seed: int = 0) -> float:
    """Fair CRPS of cells and of regions in latent units, mean over windows and targets."""
    transforms, total = method.settings.transforms, 0.0
    for number in range(len(judged.fine)):
        part = judged.part(slice(number, number + 1))
        source = torch.Generator().manual_seed((seed * 1009 + number) % 2**63)
        with torch.no_grad():
            drawn = draw(method, part, members=MEMBERS, passes=PASSES, source=source)
        for channel, transform in enumerate(transforms):
            members, truth = drawn.members[:, :, :, channel], drawn.truth[:, :, channel]
            total += float(part.weights[0]) * _crps(members, truth, transform.forward)
    return total / len(judged.fine)


def _crps(
    members: torch.Tensor, truth: torch.Tensor, latent: Callable[[torch.Tensor], torch.Tensor]
) -> float:
    scores = []
    for side in SIDES:
        if side <= min(truth.shape[-2:]):
            pooled = [latent(functional.avg_pool2d(each.flatten(0, -4), side)) for each in (truth, members)]
            ensemble = pooled[1].unflatten(0, (len(members), -1))
            scores.append(crps_ensemble(pooled[0].unflatten(0, (1, -1))[0], ensemble).mean())
    return float(torch.stack(scores).sum())


def with_gain(method: Method, gain: float) -> Method:
    """The method with the noise of its default style so many times as loud."""
    import copy

    settings = method.settings
    gains = list(settings.gains or (1.0,) * len(settings.styles))
    gains[settings.styles.index(settings.default)] *= gain
    made: Method = copy.copy(method)
    made.settings = replace(settings, gains=tuple(gains))
    return made
