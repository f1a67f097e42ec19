"""Building blocks of local networks: every one looks at a bounded neighbourhood of a pixel and of a frame.

Convolutions see frames as a batch; frames meet in :class:`FrameExchange` and in :class:`NoiseInjection` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn

from xdownscale.kernels.resize import resize_axis

if TYPE_CHECKING:
    from torch import Tensor


class FrameConvolution(nn.Module):
    """A 3×3 (or 1×1) convolution of every frame, zeros beyond the border.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    size : int
        Side of the kernel, odd.
    gain : float
        Factor on the initial weights; 0 starts with no effect.
    """

    def __init__(self, inputs: int, outputs: int, *, size: int = 3, gain: float = 1.0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        with torch.no_grad():
            self.convolution.weight.mul_(gain)
            self.convolution.get_parameter("bias").zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, C, H, W) to (B, L, C', H, W)."""
        return convolve_frames(x, self.convolution.weight, self.convolution.get_parameter("bias"))


class FrameExchange(nn.Module):
    """Each frame takes an eighth of its channels from the frame before and an eighth from the frame after.

    The temporal shift of Lin et al. (2019, doi:10.1109/ICCV.2019.00718): time is mixed at no arithmetic cost, and the
    reach is one frame per exchange. The first and the last frame keep their own.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, C, H, W), unchanged."""
        share = max(1, x.shape[2] // 8)
        early, late = x[:, :, :share], x[:, :, share : 2 * share]
        before = torch.cat([early[:, :1], early[:, :-1]], dim=1)
        after = torch.cat([late[:, 1:], late[:, -1:]], dim=1)
        return torch.cat([before, after, x[:, :, 2 * share :]], dim=2)


class PixelNorm(nn.Module):
    """Divide by the root mean square of the channels of a pixel: no pixel knows of another one.

    Parameters
    ----------
    channels : int
        Channels, each with a learned scale.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, C, H, W), unchanged."""
        # a mean over an axis and rsqrt round differently at the end of a row; a convolution, a root and a quotient do
        # not, and a crop gives the bits of the whole
        frames = rearrange(x, "b l c h w -> (b l) c h w")
        share = x.new_full((1, x.shape[2], 1, 1), 1 / x.shape[2])
        power = nn.functional.conv2d(frames.square(), share)
        normal = frames / torch.sqrt(power + 1e-6) * rearrange(self.scale, "c -> c 1 1")
        return rearrange(normal, "(b l) c h w -> b l c h w", l=x.shape[1])


class NoiseInjection(nn.Module):
    """Add a learned mixture of noise maps: those of the frame itself, of the one before and of the one after.

    Sharing maps between neighbouring frames is what lets texture persist in time across any border.

    Parameters
    ----------
    maps : int
        Noise maps per frame.
    channels : int
        Channels of the features.
    gain : float
        Factor on the initial weights.
    """

    def __init__(self, maps: int, channels: int, *, gain: float = 0.3) -> None:
        super().__init__()
        self.mixture = FrameConvolution(3 * maps, channels, size=1, gain=gain)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """Features (B, L, C, H, W) and noise (B, L + 2, maps, H, W), one frame more at either end."""
        return x + self.mixture(torch.cat(with_neighbours(noise), dim=2))


def with_neighbours(noise: Tensor) -> list[Tensor]:
    """Maps of the frame before, of the frame itself and of the frame after, from (B, L + 2, maps, H, W)."""
    return [noise[:, :-2], noise[:, 1:-1], noise[:, 2:]]


class ResidualBlock(nn.Module):
    """Exchange, norm, two convolutions, and noise between them if there is any.

    Parameters
    ----------
    channels : int
        Channels in and out.
    maps : int
        Noise maps; 0 for a block without noise.
    """

    def __init__(self, channels: int, *, maps: int = 0) -> None:
        super().__init__()
        self.exchange = FrameExchange()
        self.norm = PixelNorm(channels)
        self.first = FrameConvolution(channels, channels)
        self.noise = NoiseInjection(maps, channels) if maps else None
        self.second = FrameConvolution(channels, channels, gain=0.2)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Shape (B, L, C, H, W), unchanged; `noise` as in :class:`NoiseInjection`."""
        h = self.first(nn.functional.silu(self.norm(self.exchange(x))))
        if self.noise is not None and noise is not None:
            h = self.noise(h, noise)
        return x + self.second(nn.functional.silu(h))


def convolve_frames(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve every frame of (B, L, C, H, W), zeros beyond the border, channels innermost in memory."""
    frames = rearrange(x, "b l c h w -> (b l) c h w").contiguous(memory_format=torch.channels_last)
    result = nn.functional.conv2d(frames, weight, bias, padding=weight.shape[-1] // 2)
    return rearrange(result, "(b l) c h w -> b l c h w", l=x.shape[1])


def grow_space(x: Tensor, before: tuple[int, int], after: tuple[int, int]) -> Tensor:
    """Interpolate (B, L, C, H, W) in y and x from `before` to `after` pixels per cell, keeping channels innermost."""
    x = rearrange(x, "b l c h w -> b l h w c")
    x = resize_axis(resize_axis(x, before[1], after[1], dim=3), before[0], after[0], dim=2)
    return rearrange(x, "b l h w c -> b l c h w")
