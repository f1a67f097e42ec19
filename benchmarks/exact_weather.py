"""The exact posterior of ``tutorial.weather``: every variable given block means of all, in closed form.

The Gaussian variables of the simulator have the cross-covariances of
:meth:`xdownscale.tutorial.atmosphere.Law.covariance` on a periodic domain, of which fields are a crop. Block means of
the crop are linear in them, so that mean and covariance of the posterior follow as in ``gaussian.py``; only what is
asked for is computed: the covariance of all cells with the block means, and the variance of every cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xdownscale.kernels.blocks import block_mean
from xdownscale.tutorial.atmosphere import Law

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WeatherPosterior:
    """The law of standardised variables given their block means with an error.

    Parameters
    ----------
    law : Law
    names : tuple of str
        Gaussian variables.
    shape : (int, int, int)
        Fine time, y, x of the crop.
    blocks : (int, int, int)
        Fine cells per coarse cell along (time, y, x).
    scales : tuple of float
        By which anomalies of each variable are divided.
    error : float
        Standard deviation of the error of block means, in these units.
    """

    law: Law
    names: tuple[str, ...]
    shape: tuple[int, int, int]
    blocks: tuple[int, int, int]
    scales: tuple[float, ...]
    error: float

    @cached_property
    def _lags(self) -> Array:
        """C[τ + T − 1, i, j, d_y, d_x] = Cov[v_i(t, p), v_j(t + τ, p + d)] for all lags τ within the crop."""
        factor = np.asarray(self.scales)
        ahead = [self.law.covariance(self.names, lag) for lag in range(self.shape[0])]
        behind = [
            np.roll(each[..., ::-1, ::-1], (1, 1), (-2, -1)).swapaxes(0, 1) for each in reversed(ahead[1:])
        ]
        return np.stack([*behind, *ahead]) / (factor[:, None] * factor)[..., None, None]

    @cached_property
    def crossed(self) -> Array:
        """Covariance of block means with cells: (variables, L, M, N, variables, time, y, x)."""
        time, rows, columns = self.shape
        t, s_y, s_x = self.blocks
        smooth = self._smoothed()
        size, found = smooth.shape[-1], []
        for k in range(time // t):
            lags = np.stack([smooth[n - k * t + time - 1] for n in range(time)])  # (time, i, j, d_y, d_x)
            for m in range(rows // s_y):
                for n in range(columns // s_x):
                    y = (np.arange(rows) - m * s_y) % size
                    x = (np.arange(columns) - n * s_x) % size
                    found.append(lags[..., y[:, None], x].transpose(1, 2, 0, 3, 4))
        grid = (time // t, rows // s_y, columns // s_x)
        stacked = np.stack(found).reshape(*grid, *found[0].shape)
        return np.moveaxis(stacked, 3, 0)

    def _smoothed(self) -> Array:
        """Lags with the earlier place averaged over a block that begins at it."""
        t, s_y, s_x = self.blocks
        kept = np.concatenate([self._lags, np.zeros((t - 1, *self._lags.shape[1:]))])
        total = np.zeros_like(self._lags)
        for dt in range(t):
            # the later place is nearer by as much as the cell lies behind the start of its block
            shifted = np.roll(kept, dt, axis=0)[: len(total)]
            for dy in range(s_y):
                for dx in range(s_x):
                    total += np.roll(shifted, (dy, dx), (-2, -1))
        return total / (t * s_y * s_x)

    @cached_property
    def gain(self) -> Array:
        """K, shape (cells, block means)."""
        count = int(np.prod(self.crossed.shape[:4]))
        flat = self.crossed.reshape(count, -1)
        cells = self.crossed.reshape(count, len(self.names), *self.shape)
        seen = block_mean(cells, self.blocks).reshape(count, count)
        seen = (seen + seen.T) / 2 + self.error**2 * np.eye(count)
        return np.linalg.solve(seen, flat).T

    def mean(self, coarse: Array) -> Array:
        """E[x | y] of coarse anomalies (variables, L, M, N), shape (variables, time, y, x)."""
        return (self.gain @ coarse.ravel()).reshape(len(self.names), *self.shape)

    @cached_property
    def deviation(self) -> Array:
        """Standard deviation of every cell, (variables, time, y, x)."""
        explained = (self.gain * self.crossed.reshape(self.gain.shape[1], -1).T).sum(1)
        variance = np.array([self._lags[self.shape[0] - 1, i, i, 0, 0] for i in range(len(self.names))])
        whole = np.broadcast_to(variance[:, None, None, None], (len(self.names), *self.shape))
        return np.sqrt((whole - explained.reshape(whole.shape)).clip(0))
