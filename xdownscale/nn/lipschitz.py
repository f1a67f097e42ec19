r"""Layers that hardly stretch, and the exact factor by which they do: ‖f(x) − f(y)‖₂ ≤ K·‖x − y‖₂ with a computed K.

The norm of a convolution is that of its Fourier transform, the largest singular value of K̂(ω) over all waves ω of a
torus; with zero padding, on frames that fit into the torus, it is at most that. In training a kernel is divided by an
estimate of it (power iteration with the convolution itself, a step at a time); of a trained network the exact norms of
all layers are computed, and their product bounds the whole. Activations sort pairs of channels (GroupSort, Anil et al.
2019, arXiv:1811.05381), which keeps norms; cells are folded into channels, which moves values about; and a sum over N
positions, divided by √N, is an orthogonal projection.

Spectral normalisation of the kernel as a matrix does not do it: the convolution may stretch by as much as the side of
the kernel times that. Group normalisation has no bound at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

PROBE = 12
"""Cells along a side of the frame on which the norm of a kernel is estimated."""


class LipschitzConvolution(nn.Module):
    """A convolution whose kernel is divided by an estimate of its norm.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    size : int
        Side of the kernel, odd.
    """

    def __init__(self, inputs: int, outputs: int, size: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.weight, std=0.1 / (inputs * size**2) ** 0.5)
        with torch.no_grad():  # signals begin as large as they are allowed to be
            self.weight[:, :, size // 2, size // 2] += nn.init.orthogonal_(torch.empty(outputs, inputs))
        self.register_buffer("probe", torch.randn(1, inputs, PROBE, PROBE))
        for _ in range(10):
            self._iterate()

    @property
    def kernel(self) -> Tensor:
        """The kernel over the estimate of its norm."""
        probe: Tensor = self.get_buffer("probe")
        return self.weight / self._convolved(probe, self.weight).norm()

    def norm(self, side: int) -> float:
        """By how much the layer stretches at most, on frames of `side` cells along y and x."""
        kernel = self.kernel.detach()
        return convolution_norm(kernel, side + kernel.shape[-1] - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, inputs, H, W) to (B, outputs, H, W); beyond the border lie zeros."""
        if self.training:
            self._iterate()
        return self._convolved(x, self.kernel) + self.bias[:, None, None]

    @torch.no_grad()
    def _iterate(self) -> None:
        """A step of power iteration: the probe becomes more like what is stretched most."""
        probe = self.get_buffer("probe")
        forth = self._convolved(probe, self.weight)
        back = functional.conv_transpose2d(forth, self.weight, padding=self.weight.shape[-1] // 2)
        probe.copy_(back / back.norm().clamp_min(1e-12))

    def _convolved(self, x: Tensor, kernel: Tensor) -> Tensor:
        return functional.conv2d(x, kernel, padding=kernel.shape[-1] // 2)


class LipschitzLinear(nn.Module):
    """A linear map with ‖W·x‖₂ ≤ ‖x‖₂.

    Parameters
    ----------
    inputs, outputs : int
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(outputs, inputs)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    @property
    def kernel(self) -> Tensor:
        """The matrix over its norm."""
        return self.weight / torch.linalg.matrix_norm(self.weight, ord=2)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, inputs) to (B, outputs)."""
        return functional.linear(x, self.kernel, self.bias)


class GroupSort(nn.Module):
    """Sorts pairs of channels: differences do not grow, and gradients keep their norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, C, ...), C even."""
        first, second = rearrange(x, "b (c two) ... -> two b c ...", two=2)
        return rearrange(
            torch.stack([torch.minimum(first, second), torch.maximum(first, second)]),
            "two b c ... -> b (c two) ...",
        )


class Fold(nn.Module):
    """Squares of 2 × 2 cells become channels: values move, and no norm changes."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, C, H, W), H and W even, to (B, 4·C, H/2, W/2)."""
        return functional.pixel_unshuffle(x, 2)


def convolution_norm(kernel: Tensor, size: int) -> float:
    """Largest factor by which a convolution on a torus of `size` stretches: exact, by its Fourier transform.

    That of the same kernel with zero padding on frames of ``size - side + 1`` cells is at most as large, for such a
    frame lies in the torus.
    """
    waves = torch.fft.fft2(kernel.double(), s=(size, size))
    return float(torch.linalg.matrix_norm(rearrange(waves, "o i h w -> h w o i"), ord=2).max())
