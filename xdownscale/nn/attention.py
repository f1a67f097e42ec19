"""Attention of a pixel within a window around it, and of a frame to its neighbours at the same place.

Both are the factorised self-attention of Defez et al. (2026, arXiv:2604.21903, section 3.2.1): for a query q of a
pixel, and keys k_o and values v_o of the pixels (or frames) at the offsets o of its neighbourhood,

    a = Σ_o p_o·v_o,    p = softmax_o(q·k_o/√d + b_o),

for each head, with d channels. The window is theirs too: (2n + 1)² pixels centred on the one that asks. It travels with
its pixel, so no lattice is laid over the field. What departs from the paper keeps a network local:

- Their frames attend to the L latest frames of an input. Here a frame sees those within a stated distance before and
  after it, so that every frame of a series of any length is treated alike.
- They tell no positions. Here every head has a learned b_o for each offset, never for a position of a pixel or frame:
  that would differ between a tile and the whole.
- What lies beyond the border of the field, or before its first and after its last frame, gets no weight.
- Normalisation is that of single pixels, and the convolutions around an attention stand in for its feed-forward layer.

An attention has no effect until it is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn

from xdownscale.nn.blocks import FrameConvolution, PixelNorm

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 4
"""Queries along the side of a patch that shares its keys: larger patches multiply what lies in no window, smaller ones
copy every key more often."""

BEYOND = -1e9
"""Added to the score of a pixel beyond the border. It is finite, since a patch may stand out so far that its outermost
queries find nothing else."""

GAIN = 0.5**0.5
"""Of the weights that make queries and keys: scores start with about unit variance."""


class WindowAttention(nn.Module):
    """Every pixel of a frame attends to the (2·radius + 1)² pixels around it.

    Parameters
    ----------
    channels : int
        Channels in and out.
    heads : int
        Independent attentions that share the channels.
    radius : int
        Pixels to each side.
    """

    def __init__(self, channels: int, *, heads: int, radius: int) -> None:
        super().__init__()
        self.projections = Projections(channels, heads)
        self.bias = nn.Parameter(torch.zeros(heads, 2 * radius + 1, 2 * radius + 1))

    @property
    def reach(self) -> tuple[int, int]:
        """Pixels and frames to each side."""
        return self.bias.shape[-1] // 2, 0

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, C, H, W), unchanged."""
        query, key, value = (rearrange(each, "b l ... -> (b l) ...") for each in self.projections(x))
        found = attend_window(query, key, value, bias=self.bias)
        return x + self.projections.merged(rearrange(found, "(b l) ... -> b l ...", l=x.shape[1]))


class TemporalAttention(nn.Module):
    """Every pixel attends to itself in the frames around its own.

    Parameters
    ----------
    channels : int
        Channels in and out.
    heads : int
        Independent attentions that share the channels.
    horizon : int
        Frames to each side.
    """

    def __init__(self, channels: int, *, heads: int, horizon: int) -> None:
        super().__init__()
        self.projections = Projections(channels, heads)
        self.bias = nn.Parameter(torch.zeros(heads, 2 * horizon + 1))

    @property
    def reach(self) -> tuple[int, int]:
        """Pixels and frames to each side."""
        return 0, self.bias.shape[-1] // 2

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, L, C, H, W), unchanged."""
        return x + self.projections.merged(attend_frames(*self.projections(x), bias=self.bias))


class Projections(nn.Module):
    """Queries, keys and values of normalised pixels, and the way back from what the heads found.

    Parameters
    ----------
    channels : int
        Channels in and out.
    heads : int
        Parts of the channels.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = PixelNorm(channels)
        self.enter = FrameConvolution(channels, 3 * channels, size=1, gain=GAIN)
        self.leave = FrameConvolution(channels, channels, size=1, gain=0.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value, each of shape (B, L, heads, C/heads, H, W), from (B, L, C, H, W)."""
        three = self.enter(self.norm(x))
        query, key, value = rearrange(three, "b l (k n d) h w -> k b l n d h w", k=3, n=self.heads)
        return query, key, value

    def merged(self, found: Tensor) -> Tensor:
        """Shape (B, L, heads, C/heads, H, W) to (B, L, C, H, W)."""
        return self.leave(rearrange(found, "b l n d h w -> b l (n d) h w"))


def attend_window(query: Tensor, key: Tensor, value: Tensor, *, bias: Tensor) -> Tensor:
    """Attention within a window around each pixel.

    Parameters
    ----------
    query, key, value : Tensor, shape (F, heads, d, H, W)
    bias : Tensor, shape (heads, 2·radius + 1, 2·radius + 1)
        b of every head and offset (y, x).

    Returns
    -------
    Tensor, shape (F, heads, d, H, W)

    Notes
    -----
    Patches of queries share the keys of all their windows, so that scores are products of matrices; those outside a
    query's own window get no weight. Where the patches lie changes the order of sums, and with it nothing but the last
    bits.
    """
    height, width = query.shape[-2:]
    radius = bias.shape[-1] // 2
    spare = (-width % SIDE, -height % SIDE)
    around = (radius, radius + spare[0], radius, radius + spare[1])
    wide = SIDE + 2 * radius
    beyond = nn.functional.pad(query.new_zeros(1, 1, 1, height, width), around, value=BEYOND)
    allowed = _bias_of_a_patch(bias) + _patches(beyond, wide).mT

    def of_a_frame(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        q = _patches(nn.functional.pad(query, (0, spare[0], 0, spare[1])), SIDE)
        k, v = (_patches(nn.functional.pad(each, around), wide) for each in (key, value))
        found = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5 + allowed, dim=-1) @ v
        rows = (height + spare[1]) // SIDE
        return rearrange(found, "(i j) n (y x) d -> 1 n d (i y) (j x)", i=rows, y=SIDE)

    # frame by frame: a patch has several times as many scores as numbers
    frames = [of_a_frame(*each) for each in zip(query.split(1), key.split(1), value.split(1), strict=True)]
    return torch.cat(frames)[..., :height, :width]


def attend_frames(query: Tensor, key: Tensor, value: Tensor, *, bias: Tensor) -> Tensor:
    """Attention of each frame to those around it, pixel by pixel.

    Parameters
    ----------
    query, key, value : Tensor, shape (B, L, heads, d, H, W)
    bias : Tensor, shape (heads, 2·horizon + 1)
        b of every head and offset in frames.

    Returns
    -------
    Tensor, shape (B, L, heads, d, H, W)
    """
    length, offsets = query.shape[1], bias.shape[1]
    horizon = offsets // 2
    key, value = (nn.functional.pad(each, (0,) * 8 + (horizon, horizon)) for each in (key, value))
    scores = torch.stack(
        [(query * key[:, o : o + length]).sum(3) for o in range(offsets)]
    )  # (offsets, B, L, heads, H, W)
    there = torch.arange(offsets, device=bias.device)[:, None] + torch.arange(length, device=bias.device)
    beyond = (there < horizon) | (there >= horizon + length)
    scores = scores * query.shape[3] ** -0.5 + rearrange(bias, "n o -> o 1 1 n 1 1")
    shares = torch.softmax(scores.masked_fill(rearrange(beyond, "o l -> o 1 l 1 1 1"), -torch.inf), dim=0)
    found = torch.zeros_like(query)
    for offset, share in enumerate(shares):
        found = found + share.unsqueeze(3) * value[:, offset : offset + length]
    return found


def _bias_of_a_patch(bias: Tensor) -> Tensor:
    """The bias between the queries of a patch and all keys around it, (heads, queries, keys); −∞ beyond a window.

    >>> near = _bias_of_a_patch(torch.arange(9.0).reshape(1, 3, 3))
    >>> near.shape, near[0, 0].reshape(6, 6)[:4, :4]
    (torch.Size([1, 16, 36]), tensor([[0., 1., 2., -inf],
            [3., 4., 5., -inf],
            [6., 7., 8., -inf],
            [-inf, -inf, -inf, -inf]]))
    """
    window = bias.shape[-1]
    place = torch.arange(SIDE + window - 1, device=bias.device)
    offset = place - place[:SIDE, None]
    inside = (offset >= 0) & (offset < window)
    offset = offset.clamp(0, window - 1)
    spread = bias[:, offset[:, None, :, None], offset[None, :, None, :]]
    spread = spread.masked_fill(~(inside[:, None, :, None] & inside[None, :, None, :]), -torch.inf)
    return rearrange(spread, "n y x j i -> n (y x) (j i)")


def _patches(x: Tensor, side: int) -> Tensor:
    """Patches of (F, heads, d, H, W), one at every :data:`SIDE` pixels, as (F·patches, heads, pixels, d)."""
    cut = x.unfold(3, side, SIDE).unfold(4, side, SIDE)
    return rearrange(cut, "f n d i j y x -> (f i j) n (y x) d")
