"""Zero-inflated meta-Gaussian rain, P = ε·expm1(a·max(g − g₀, 0)) of a Gaussian field g, and its law given block means.

The law has no closed form; members come from elliptical slice sampling (Murray, Adams & MacKay 2010, arXiv:1001.0175),
which needs no tuning: a state g and a fresh draw ν from the prior span an ellipse g·cos θ + ν·sin θ, on all of which
the prior is as likely, and θ is drawn within a shrinking bracket until the likelihood of the block means allows it.
Block means are seen with an error of standard deviation τ, relative to a cell's mean; τ falls from coarse to fine, and
the last step makes block means exact by the ratio, which moves values by about τ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gaussian import Array, GaussianField
from scipy.special import ndtri

from xdownscale.kernels.blocks import Blocks, block_mean, block_repeat

ERRORS = (1.0, 0.5, 0.25, 0.1, 0.05)
"""τ, from the first sweeps to the last."""

FLOOR = 0.05
"""Absolute error, in units of the mean rain, below which a relative one is not asked for."""


@dataclass(frozen=True)
class MetaGaussianRain:
    """The law of a rain field.

    Parameters
    ----------
    field : GaussianField
        Law of g.
    wet : float
        Share of wet cells, which sets g₀.
    epsilon, slope : float
        ε and a: values are nearly Gaussian below ε, and log-normal in the tail.
    """

    field: GaussianField
    wet: float = 0.35
    epsilon: float = 0.2
    slope: float = 1.8

    def rain(self, g: Array) -> Array:
        """P from g, of any shape."""
        start = ndtri(1 - self.wet)
        return np.asarray(self.epsilon * np.expm1(self.slope * np.maximum(g - start, 0)))

    def simulate(self, frames: int, count: int, random: np.random.Generator) -> Array:
        """Rain fields (count, frames, rows, columns)."""
        return self.rain(self.field.simulate(frames, count, random))

    def conditional(
        self, coarse: Array, blocks: Blocks, *, members: int, sweeps: int = 200, random: np.random.Generator
    ) -> Array:
        """Members (members, T·L, H, W) given block means (L, M, N): as many chains, each with a start of its own.

        Parameters
        ----------
        coarse : array
        blocks : tuple of int
            Fine cells per coarse cell along (time, y, x).
        members : int
        sweeps : int
            Steps of every chain at each τ.
        random : numpy.random.Generator
        """
        frames = blocks[0] * coarse.shape[0]
        state = self.field.simulate(frames, members, random)
        for error in ERRORS:
            width = error * np.maximum(coarse, FLOOR)

            def fit(g: Array, width: Array = width) -> Array:
                off = (block_mean(self.rain(g), blocks) - coarse) / width
                return np.asarray(-0.5 * (off**2).sum((1, 2, 3)))

            for _ in range(sweeps):
                state = _slice(state, self.field.simulate(frames, members, random), fit, random)
        rain = self.rain(state)
        obtained = block_mean(rain, blocks)
        ratio = np.where(obtained > 0, coarse / np.where(obtained > 0, obtained, 1), 0)
        return np.asarray(rain * block_repeat(ratio, blocks))


def _slice(g: Array, fresh: Array, fit: Callable[[Array], Array], random: np.random.Generator) -> Array:
    """One step of elliptical slice sampling for every chain (first axis)."""
    count = len(g)
    level = fit(g) + np.log(random.random(count))
    angle = random.uniform(0, 2 * np.pi, count)
    low, high = angle - 2 * np.pi, angle.copy()
    result, todo = g.copy(), np.arange(count)
    while len(todo):
        turn = angle[todo].reshape(-1, *(1,) * (g.ndim - 1))
        tried = g[todo] * np.cos(turn) + fresh[todo] * np.sin(turn)
        good = fit(tried) > level[todo]
        result[todo[good]] = tried[good]
        todo = todo[~good]
        behind = angle[todo] < 0
        low[todo[behind]], high[todo[~behind]] = angle[todo[behind]], angle[todo[~behind]]
        angle[todo] = random.uniform(low[todo], high[todo])
    return result
