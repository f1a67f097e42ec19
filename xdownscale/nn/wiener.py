"""The best linear denoiser: what a network need not learn, since it follows from spectra of the training fields.

On a torus, waves of a stationary field are independent, and for each wave k the values of all frames and variables
have a covariance S_k. The best linear estimate of x₀ from x_t = α·x₀ + σ·ε is Wiener's filter, wave by wave,

    x̂ = W·x_t ,   W_k = α·S_k·(α²·S_k + σ²)⁻¹ ,

and exact where the field is Gaussian. A tile is taken for a torus: a domain that is smaller than it leaves a gap of
cells of which nothing is known, and of the tiles of a larger one the cells along the border do not count.

S_k = L_k·L_kᴴ is kept as L_k: in single precision a smooth variable would otherwise drown in the rounding of a rough
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 1e-9
"""Variance that every mode has at least, of variables with unit variance: spectra of few frames are singular."""


class Wiener(nn.Module):
    """The best linear estimate of windows from noisy ones.

    Parameters
    ----------
    channels : int
        Frames × variables.
    torus : int
        Cells of a side, even.
    """

    factor: Tensor

    def __init__(self, channels: int, torus: int) -> None:
        super().__init__()
        self.torus = torus
        self.register_buffer("factor", torch.zeros(torus, torus // 2 + 1, channels, channels, 2))
        self._kept: tuple[object, Tensor, Tensor] | None = None

    def forward(self, x_t: Tensor, angle: Tensor) -> Tensor:
        """The estimate.

        Parameters
        ----------
        x_t : Tensor, shape (B, C, torus, torus)
            Noisy windows.
        angle : Tensor, of B or one value
            0 (signal) to π/2 (noise): α is its cosine and σ its sine.
        """
        alpha, sigma = (each(angle.to(x_t)).reshape(1, 1, 1, -1) for each in (torch.cos, torch.sin))
        variances, modes = self._modes()
        gain = alpha * variances / (alpha.square() * variances + sigma.square())
        waves = rearrange(torch.fft.rfft2(x_t), "b c y x -> y x c b")
        waves = modes @ (gain * (modes.mH @ waves))
        return torch.fft.irfft2(rearrange(waves, "y x c b -> b c y x"), s=(self.torus, self.torus))

    def _modes(self) -> tuple[Tensor, Tensor]:
        """Variances (y, x, C, 1) and modes (y, x, C, C) of every wave, a function of the factor."""
        version = (self.factor.data_ptr(), self.factor._version, self.factor.device)  # noqa: SLF001
        if self._kept is None or self._kept[0] != version:
            with torch.inference_mode(mode=False), torch.no_grad():
                factor = torch.view_as_complex(self.factor.double().contiguous())
                variances, modes = torch.linalg.eigh(factor @ factor.mH)
            kept = variances.clamp_min(LEAST).float().unsqueeze(-1), modes.to(torch.complex64)
            self._kept = (version, *kept)
        return self._kept[1], self._kept[2]


def periodic(x: Tensor) -> Tensor:
    """The periodic part of windows (..., y, x): what is left when the smoothest field with their jumps is taken away.

    A crop taken for a torus jumps across its border, which no field of the torus does, and a filter for smooth fields
    answers to that everywhere. Let v hold the jumps, v = Δs of a smooth part s with zero mean; x − s has none. The
    Laplacian of a torus is diagonal in waves (Moisan 2011, doi:10.1007/s10851-010-0227-1). A field without jumps stays
    as it is.

    Examples
    --------
    >>> ramp = torch.arange(4.0).expand(4, 4)
    >>> float(periodic(ramp).std()) < 0.3 * float(ramp.std())
    True
    """
    rows, columns = x.shape[-2:]
    jumps = torch.zeros_like(x)
    for axis in (-2, -1):
        step = x.select(axis, -1) - x.select(axis, 0)
        jumps.select(axis, 0).add_(step)
        jumps.select(axis, -1).sub_(step)
    y = torch.cos(2 * torch.pi * torch.fft.fftfreq(rows, device=x.device))[:, None]
    along = torch.cos(2 * torch.pi * torch.fft.rfftfreq(columns, device=x.device))
    laplacian = 2 * y + 2 * along - 4
    laplacian[0, 0] = 1.0
    waves = torch.fft.rfft2(jumps) / laplacian
    waves[..., 0, 0] = 0.0
    return x - torch.fft.irfft2(waves, s=(rows, columns))


def cross_spectra(series: list[Tensor], frames: int, torus: int) -> Tensor:
    """The factor L of :class:`Wiener`, from fields that were normalised.

    Spectra are those of tapered parts of the size of the torus, half overlapping, averaged over parts and time. The
    taper is Hann's squared: what leaks from large scales falls with the tenth power of the wave number, faster than any
    spectrum of weather.
    Covariances of frames are a function of their lag; they are divided by the number of frames, not of pairs, so that
    no mode has negative power.

    Parameters
    ----------
    series : list of Tensor, each of shape (variables, time, y, x)
        Without missing values, at least of the size of the torus.
    frames : int
        Of a window.
    torus : int
        Cells of a side.

    Returns
    -------
    Tensor, shape (torus, torus/2 + 1, C, C, 2)
        With C = variables × frames, variables first.
    """
    variables = len(series[0])
    lags = torch.zeros(
        frames, torus, torus // 2 + 1, variables, variables, dtype=torch.complex128, device=series[0].device
    )
    count = 0
    taper = torch.hann_window(torus, dtype=torch.float64).square()
    taper = taper / taper.square().mean().sqrt()
    for fields in series:
        for rows in _parts(fields.shape[2], torus):
            for columns in _parts(fields.shape[3], torus):
                part = fields[:, :, rows, columns].double() * taper[:, None] * taper
                waves = rearrange(torch.fft.rfft2(part) / torus, "c t y x -> t y x c")
                count += len(waves)
                for lag in range(min(frames, len(waves))):
                    later, earlier = waves[lag:], waves[: len(waves) - lag]
                    lags[lag] += torch.einsum("tyxi,tyxj->yxij", later, earlier.conj())
    lags /= count
    whole = lags.new_zeros(torus, torus // 2 + 1, variables, frames, variables, frames)
    for late in range(frames):
        for early in range(frames):
            between = lags[abs(late - early)]
            whole[:, :, :, late, :, early] = between if late >= early else between.mH
    whole = rearrange(whole, "y x i s j t -> y x (i s) (j t)")
    variances, modes = torch.linalg.eigh((whole + whole.mH) / 2)
    factor = modes * variances.clamp_min(0).sqrt().unsqueeze(-2)
    return torch.view_as_real(factor).float()


def _parts(size: int, torus: int) -> list[slice]:
    """Half-overlapping parts of an axis."""
    starts = sorted({*range(0, size - torus + 1, max(1, torus // 2)), size - torus})
    return [slice(start, start + torus) for start in starts]
