"""EDSR, the residual network of Lim et al. (2017) without batch normalisation, from a coarse frame to its fine steps.

    frame ─ convolution ─ B residual blocks ─ convolution ─ + ─ sub-pixel convolutions, ×p for primes p of S ─ T images
                       └────────────────────────────────┘

It sees one coarse frame at a time, as the network for photographs does. The mean image that the authors take off and
add again is an interpolation here, outside the network (:class:`xdownscale.models.generator.Generator`).
"""

from __future__ import annotations

from itertools import zip_longest
from math import ceil
from typing import TYPE_CHECKING, ClassVar

from einops import rearrange
from torch import nn

from xdownscale.nn.blocks import FrameConvolution
from xdownscale.nn.local import Reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xdownscale.nn.advected_noise import NoiseMaps, Shift


def prime_factors(number: int) -> list[int]:
    """Prime factors, the largest first.

    >>> prime_factors(10), prime_factors(25), prime_factors(1)
    ([5, 2], [5, 5], [])
    """
    found, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found[::-1]


class PlainBlock(nn.Module):
    """Convolution, ReLU, convolution, and what came in: a residual block without batch normalisation.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = FrameConvolution(channels, channels)
        self.second = FrameConvolution(channels, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, C, H, W), unchanged."""
        result: Tensor = x + self.second(nn.functional.relu(self.first(x)))
        return result


class SubPixel(nn.Module):
    """A convolution whose channels become the pixels of a block (Shi et al. 2016, doi:10.1109/CVPR.2016.207).

    Parameters
    ----------
    channels : int
    rows, columns : int
        Pixels of a block along y and x.
    """

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.grow = FrameConvolution(channels, channels * rows * columns)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, C, H, W) to (B, L, C, rows·H, columns·W)."""
        return rearrange(self.grow(x), "b l (c i j) h w -> b l c (h i) (w j)", i=self.rows, j=self.columns)


class EdsrNetwork(nn.Module):
    """From a coarse window to one value of each target per fine cell and step: a network of a generator without noise.

    Parameters
    ----------
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    inputs : int
        Channels of the condition on the coarse lattice.
    width : int
        Channels; 64 in the paper's baseline.
    depth : int
        Residual blocks; 16 there.
    outputs : int
        Targets.
    """

    maps: ClassVar[tuple[int, ...]] = ()
    decoder: ClassVar[tuple[nn.Module, ...]] = ()

    def __init__(
        self, *, blocks: tuple[int, int, int], inputs: int, width: int = 64, depth: int = 16, outputs: int = 1
    ) -> None:
        super().__init__()
        self.blocks = tuple(blocks)
        self.rungs = [(blocks[1], blocks[2])]
        self.growth = list(zip_longest(prime_factors(blocks[1]), prime_factors(blocks[2]), fillvalue=1))
        self.enter = FrameConvolution(inputs, width)
        self.body = nn.Sequential(*(PlainBlock(width) for _ in range(depth)), FrameConvolution(width, width))
        self.grow = nn.Sequential(*(SubPixel(width, *pixels) for pixels in self.growth))
        self.leave = FrameConvolution(
            width, blocks[0] * outputs, gain=0.01, even=True
        )  # nearly an interpolation
        self.depth = depth

    @property
    def noise_maps(self) -> list[NoiseMaps]:
        """None: it is deterministic."""
        return []

    @property
    def reach(self) -> Reach:
        """How far an output looks: one cell for each convolution of the trunk."""
        return Reach(cells=2 + 2 * self.depth + self.fine_reach.cells, frames=self.fine_reach.frames)

    @property
    def decoder_reach(self) -> Reach:
        """There is no decoder on the coarse lattice."""
        return Reach(cells=0, frames=0)

    @property
    def fine_reach(self) -> Reach:
        """One pixel of each resolution; and a frame, across which the interpolation that it is added to lies."""
        rows = columns = 1
        cells = 0.0
        for i, j in self.growth:
            cells += 1 / min(rows, columns)
            rows, columns = rows * i, columns * j
        return Reach(cells=ceil(cells + 1 / min(rows, columns)), frames=1)

    def encode(self, condition: Tensor) -> tuple[Tensor, None]:
        """Features of a window (B, L, width, M, N) from its condition (B, L, inputs, M, N); nothing moves."""
        x = self.enter(condition)
        return x + self.body(x), None

    def follow(self, velocity: Tensor | None) -> list[list[Shift]]:  # noqa: ARG002 (the signature of networks)
        """No noise is carried."""
        return []

    def decode(
        self,
        features: Tensor,
        conditions: Sequence[Tensor],  # noqa: ARG002 (the signature of networks)
        noise: Sequence[Tensor],  # noqa: ARG002
        places: Sequence[Sequence[Shift]],  # noqa: ARG002
        style: Tensor,  # noqa: ARG002
        wanted: Tensor | None = None,  # noqa: ARG002
        *,
        within: tuple[slice, slice, slice] | None = None,
    ) -> Tensor:
        """What is added to the interpolation, (B, T·L, outputs, S_y·M, S_x·N).

        Parameters
        ----------
        features : Tensor, shape (B, L, width, M, N)
            From :meth:`encode`.
        conditions, noise, places, style, wanted
            Not used.
        within : tuple of slice, optional
            Coarse frames, rows and columns that are made fine. None for all.
        """
        if within is not None:
            features = features[:, within[0], :, within[1], within[2]].contiguous()
        return rearrange(self.leave(self.grow(features)), "b l (t c) h w -> b (l t) c h w", t=self.blocks[0])
