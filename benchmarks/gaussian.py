"""Gaussian space–time fields whose law given block means is known in closed form.

On a periodic domain every wave k has power P(k) ∝ (k_0² + k²)^{−β/2}, moves with velocity v and forgets:

    x̂(k, t + 1) = ρ·e^{−ik·v}·x̂(k, t) + √(1 − ρ²)·√P(k)·ŵ ,

so that Cov(x(t, p), x(t + τ, p + d)) = c_τ(d) = IFFT(P·ρ^τ·e^{−ik·vτ})(d) for τ ≥ 0. Given block means y = A·x,

    E[x | y] = K·y,   K = C·Aᵀ·(A·C·Aᵀ)⁻¹,   Cov[x | y] = C − K·A·C   (the same for every y).

x may be a window of the domain, beyond which nothing is given. Matrices are dense: windows of up to some three thousand
fine cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xdownscale.kernels.blocks import Blocks, block_mean

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GaussianField:
    """The law of a field of unit variance.

    Parameters
    ----------
    rows, columns : int
        Fine cells of the periodic domain.
    slope : float
        β, the slope of the power of a plane at small scales.
    scale : float
        Fine cells of the outer scale 2π/k_0, beyond which power is flat.
    velocity : (float, float)
        Fine cells per step along y and x.
    persistence : float
        ρ, the correlation of a wave with itself one step later, seen from where it has moved.
    """

    rows: int
    columns: int
    slope: float = 3.0
    scale: float = 12.0
    velocity: tuple[float, float] = (0.4, 0.7)
    persistence: float = 0.9

    @cached_property
    def power(self) -> Array:
        """P(k), mean 1. Waves at the limit of resolution are left out: they cannot move by parts of a cell."""
        y, x = self._waves
        power = (1 / self.scale**2 + y**2 + x**2) ** (-self.slope / 2)
        if self.rows % 2 == 0:
            power[self.rows // 2] = 0
        if self.columns % 2 == 0:
            power[:, self.columns // 2] = 0
        return np.asarray(power / power.mean())

    @property
    def _waves(self) -> tuple[Array, Array]:
        """Cycles per cell along y and x."""
        y, x = np.meshgrid(np.fft.fftfreq(self.rows), np.fft.fftfreq(self.columns), indexing="ij")
        return y, x

    def _turn(self, steps: int) -> NDArray[np.complex128]:
        """e^{−ik·v} after some steps."""
        y, x = self._waves
        phase = 2 * np.pi * (y * self.velocity[0] + x * self.velocity[1])
        return np.asarray(np.exp(-1j * phase * steps))

    def covariance(self, frames: int, window: tuple[int, int] | None = None) -> Array:
        """C of (time, y, x) in this order, shape (n, n) with n = frames·rows·columns, of a window or the domain."""
        lags = [
            np.fft.ifft2(self.power * self.persistence**lag * self._turn(lag)).real for lag in range(frames)
        ]
        rows, columns = window or (self.rows, self.columns)
        size = rows * columns
        y, x = np.divmod(np.arange(size), columns)
        down, right = (y[None] - y[:, None]) % self.rows, (x[None] - x[:, None]) % self.columns
        full = np.empty((frames, size, frames, size))
        for lag, correlation in enumerate(lags):
            part = correlation[down, right]
            for t in range(frames - lag):
                full[t, :, t + lag] = part
                full[t + lag, :, t] = part.T
        return full.reshape(frames * size, frames * size)

    def simulate(self, frames: int, count: int, random: np.random.Generator) -> Array:
        """Fields (count, frames, rows, columns)."""
        root = np.sqrt(self.power)

        def fresh() -> NDArray[np.complex128]:
            return np.asarray(root * np.fft.fft2(random.standard_normal((count, self.rows, self.columns))))

        wave, fields = fresh(), []
        for _ in range(frames):
            fields.append(np.fft.ifft2(wave).real)
            wave = self.persistence * self._turn(1) * wave + np.sqrt(1 - self.persistence**2) * fresh()
        return np.stack(fields, axis=1)


class Posterior:
    """The law of a field given the means of its blocks.

    Parameters
    ----------
    field : GaussianField
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    frames : int
        Coarse frames of the window.
    window : (int, int), optional
        Its rows and columns of fine cells. None takes the whole domain, which knows no borders.
    """

    def __init__(
        self, field: GaussianField, blocks: Blocks, frames: int, window: tuple[int, int] | None = None
    ) -> None:
        self.field, self.blocks, self.frames = field, blocks, frames
        self.shape = (blocks[0] * frames, *(window or (field.rows, field.columns)))
        prior = field.covariance(self.shape[0], window)
        crossed = block_mean(prior.reshape(-1, *self.shape), blocks)
        crossed = crossed.reshape(len(prior), -1)
        seen = block_mean(crossed.T.reshape(-1, *self.shape), blocks).reshape(crossed.shape[1], -1)
        self.gain = np.linalg.solve(seen, crossed.T).T
        self.covariance = prior - self.gain @ crossed.T

    def mean(self, coarse: Array) -> Array:
        """E[x | y] for coarse fields (…, L, M, N), shape (…, T·L, H, W)."""
        flat = coarse.reshape(*coarse.shape[:-3], -1)
        return np.asarray((flat @ self.gain.T).reshape(*coarse.shape[:-3], *self.shape))

    @property
    def deviation(self) -> Array:
        """Standard deviation of every fine cell, (T·L, H, W)."""
        return np.sqrt(np.diag(self.covariance).clip(0)).reshape(self.shape)

    @cached_property
    def modes(self) -> tuple[Array, Array]:
        """Variances of the independent modes of x − E[x | y], and the modes as columns."""
        variances, modes = np.linalg.eigh(self.covariance)
        return variances.clip(0), modes

    def truths(self, count: int, random: np.random.Generator) -> Array:
        """Windows (count, T·L, H, W) of simulated fields."""
        time, rows, columns = self.shape
        return self.field.simulate(time, count, random)[..., :rows, :columns]

    def sample(self, coarse: Array, members: int, random: np.random.Generator) -> Array:
        """Exact members (members, T·L, H, W)."""
        variances, modes = self.modes
        z = random.standard_normal((members, len(variances)))
        return self.mean(coarse) + ((z * np.sqrt(variances)) @ modes.T).reshape(members, *self.shape)
