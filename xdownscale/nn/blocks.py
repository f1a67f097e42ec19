"""Building blocks of local networks: every one looks at a bounded neighbourhood of a pixel and of a frame.

Convolutions see frames as a batch; frames meet in :class:`FrameExchange` and where noise enters alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn

from xdownscale.kernels.resize import resize_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


SMALL, SMALL_THIN = 1024, 8192
"""Pixels of a frame below which it is not convolved alone: for more than eight channels, and for fewer."""


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
    even : bool
        Start with kernels that the symmetries of the square leave unchanged.
    """

    def __init__(
        self, inputs: int, outputs: int, *, size: int = 3, gain: float = 1.0, even: bool = False
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        with torch.no_grad():
            if even:
                self.convolution.weight.copy_(_symmetric(self.convolution.weight))
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
        return self.between(x[:, :1], x, x[:, -1:])

    def between(self, before: Tensor, here: Tensor, after: Tensor) -> Tensor:
        """The same for a run of frames, given those before and after it."""
        share = max(1, here.shape[2] // 8)
        early, late = slice(share), slice(share, 2 * share)
        earlier = torch.cat([before[:, -1:, early], here[:, :-1, early]], dim=1)
        later = torch.cat([here[:, 1:, late], after[:, :1, late]], dim=1)
        return torch.cat([earlier, later, here[:, :, 2 * share :]], dim=2)


class GrownApart(nn.Module):
    """What each fine step of a coarse frame has of its own, from the features of the frame and its two neighbours.

    Interpolation in time cannot tell steps apart: what it makes of any features is what conservation takes off again
    (a smooth offset, interpolated from the same lattice, brings block means back). Where no later operation mixes
    frames, a slope within a coarse frame could hardly be learned; where some do, they cannot tell the first step of
    a frame from the last. Starts with no effect.

    Parameters
    ----------
    channels : int
        Channels in and out.
    steps : int
        Fine steps of a coarse frame.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.parts = FrameConvolution(3 * channels, steps * channels, size=1, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, C, H, W) to (B, steps·L, C, H, W); beyond the ends the last frame is repeated."""
        before, after = torch.cat([x[:, :1], x[:, :-1]], dim=1), torch.cat([x[:, 1:], x[:, -1:]], dim=1)
        parts = self.parts(torch.cat([before, x, after], dim=2))
        return rearrange(parts, "b l (t c) h w -> b (l t) c h w", t=self.steps)


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
        power = convolve_frames(x.square(), x.new_full((1, x.shape[2], 1, 1), 1 / x.shape[2]), None)
        return x / torch.sqrt(power + 1e-6) * rearrange(self.scale, "c -> c 1 1")


class StyledConvolution(nn.Module):
    """A convolution whose inputs are scaled, and whose results are shifted, by a style vector.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    style : int
        Length of the style vector.
    size : int
        Side of the kernel, odd.
    gain : float
        Factor on the initial weights.
    even : bool
        Start with kernels that prefer no direction: a texture that leans at the start hardly ever straightens up.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        style: int,
        size: int = 3,
        gain: float = 1.0,
        even: bool = False,
    ) -> None:
        super().__init__()
        self.convolution = FrameConvolution(inputs, outputs, size=size, gain=gain, even=even).convolution
        self.scale = nn.Parameter(torch.zeros(style, inputs))
        self.shift = nn.Parameter(torch.zeros(style, outputs))

    def forward(self, parts: Sequence[Tensor], style: Tensor) -> Tensor:
        """Parts (B, L, C_i, H, W), which together have all channels, to (B, L, C', H, W).

        Scaling the weights instead of the inputs costs nothing per pixel.
        """
        return convolve_together(parts, *self.styled(style))

    def styled(self, style: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and bias for a style."""
        weight = self.convolution.weight * (1 + style @ self.scale)[:, None, None]
        return weight, self.convolution.get_parameter("bias") + style @ self.shift


def convolve_together(parts: Sequence[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve parts (B, L, C_i, H, W), which together have the channels of `weight`, as one field."""
    odd = -weight.shape[1] % 4
    if odd:  # some odd numbers of channels are summed in an order that depends on the size of the field
        weight = nn.functional.pad(weight, (0, 0, 0, 0, 0, odd))
        first = parts[0]
        parts = [*parts, first.new_zeros(1, 1, 1, 1, 1).expand(*first.shape[:2], odd, *first.shape[3:])]
    if len(parts) == 1:
        return convolve_frames(parts[0], weight, bias)
    # laid down with channels innermost, as convolutions take them
    together = torch.cat([rearrange(part, "b l c h w -> b l h w c") for part in parts], dim=-1)
    return convolve_frames(rearrange(together, "b l h w c -> b l c h w"), weight, bias)


def with_neighbours(noise: Tensor) -> list[Tensor]:
    """Maps of the frame before, of the frame itself and of the frame after, from (B, L + 2, maps, H, W).

    Sharing maps between neighbouring frames is what lets texture persist in time across any border.
    """
    return [noise[:, :-2], noise[:, 1:-1], noise[:, 2:]]


class ResidualBlock(nn.Module):
    """Exchange, norm, two convolutions, and noise between them if there is any.

    Parameters
    ----------
    channels : int
        Channels in and out.
    maps : int
        Noise maps; 0 for a block without noise.
    style : int
        Length of the style vector; 0 for a block that does not see it.
    """

    def __init__(self, channels: int, *, maps: int = 0, style: int = 0) -> None:
        super().__init__()
        self.exchange = FrameExchange()
        self.norm = PixelNorm(channels)
        self.first = FrameConvolution(channels, channels)
        self.noise = StyledConvolution(3 * maps, channels, style=style, size=1) if maps else None
        self.second = FrameConvolution(channels, channels, gain=0.2)

    def forward(self, x: Tensor, noise: Tensor | None = None, style: Tensor | None = None) -> Tensor:
        """Shape (B, L, C, H, W), unchanged; noise (B, L + 2, maps, H, W), one frame more at either end."""
        h = self.first(swish(self.norm(self.exchange(x))))
        if self.noise is not None and noise is not None and style is not None:
            h = h + self.noise(with_neighbours(noise), style)
        return x + self.second(swish(h))


def _symmetric(weight: Tensor) -> Tensor:
    """Kernels averaged over the eight symmetries of the square, at unchanged variance."""
    turned = [torch.rot90(w, k, (2, 3)) for w in (weight, weight.flip(3)) for k in range(4)]
    mean = torch.stack(turned).mean(0)
    return mean * (weight.std() / mean.std().clamp_min(1e-12))


def convolve_frames(x: Tensor, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Tensor:
    """Convolve every frame of (B, L, C, H, W), zeros beyond the border, channels innermost in memory."""
    frames = _channels_innermost(rearrange(x, "b l c h w -> (b l) c h w"))
    count, channels = frames.shape[0], weight.shape[0]
    if channels == 1 and not torch.is_grad_enabled():  # eight results are had in less time than one
        weight = nn.functional.pad(weight, (*[0, 0] * 3, 0, 7))
        bias = None if bias is None else nn.functional.pad(bias, (0, 7))
    least = SMALL if min(weight.shape[:2]) > 8 else SMALL_THIN
    if count < 3 and x.shape[-1] * x.shape[-2] < least:
        # convolutions of one small frame are summed in another order than those of a large one
        frames = _channels_innermost(torch.cat([frames, *[frames[:1]] * (3 - count)]))
    if (
        weight.shape[-1] == 1
    ):  # torch takes dilated ones down one way, others by threads and the number of frames
        dilation = 2
    reach = dilation * (weight.shape[-1] // 2)
    result = nn.functional.conv2d(frames, weight, bias, padding=reach, dilation=dilation)[:count, :channels]
    return rearrange(result, "(b l) c h w -> b l c h w", l=x.shape[1])


def _channels_innermost(frames: Tensor) -> Tensor:
    """(N, C, H, W) in the layout that convolutions like."""
    count, channels, high, wide = frames.shape
    if count == 1 or high * wide == 1:
        # strides along an axis of one entry say nothing, but the layout of convolutions is chosen by them
        strides = (high * wide * channels, 1, wide * channels, channels)
        return rearrange(frames, "n c h w -> n h w c").contiguous().as_strided(frames.shape, strides)
    return frames.contiguous(memory_format=torch.channels_last)


def grow_space(x: Tensor, before: tuple[int, int], after: tuple[int, int]) -> Tensor:
    """Interpolate (B, L, C, H, W) in y and x from `before` to `after` pixels per cell, keeping channels innermost."""
    x = rearrange(x, "b l c h w -> b l h w c")
    x = resize_axis(resize_axis(x, before[1], after[1], dim=3), before[0], after[0], dim=2)
    return rearrange(x, "b l h w c -> b l c h w")


def repeated(values: Tensor, members: int) -> Tensor:
    """What is known of one window, (1, …), for so many members at once, (members, …), without a copy."""
    return values.expand(members, *values.shape[1:])


def swish(x: Tensor) -> Tensor:
    """x·sigmoid(x), the same bits at every place.

    The last values of a field, and of the share of each thread, are not in whole vectors of the processor; torch's own
    "silu" and "sigmoid" round differently there, its exponential does not.
    """
    if torch.is_grad_enabled():
        return nn.functional.silu(x)
    return torch.div(x, (-x).exp_().add_(1))


def sharp_swish(x: Tensor) -> Tensor:
    """x·min(max(x + 3, 0), 6)/6, for large fields: a sixth of the time of the smooth one, the same bits at every place.

    The "hard swish" of Howard et al. (2019, doi:10.1109/ICCV.2019.00140). Without gradients `x` is overwritten.
    """
    return nn.functional.hardswish(x, inplace=not torch.is_grad_enabled())
