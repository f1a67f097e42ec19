"""Attention over a sequence of frames, one axis at a time: the four kinds of STVD, and windows of a Swin transformer.

Queries, keys and values of H heads with C channels each are convolved out of feature maps [B·T, H·C, X, Y]. What is a
token, and what its channels, tells the kinds apart (Srivastava et al. 2024, arXiv:2312.06071, appendix A.1):

=================  ==================  ==============  ==============================================
kind               tokens              channels        one attention for each
=================  ==================  ==============  ==============================================
`QuadraticSpace`   pixels              C               frame, head
`QuadraticTime`    frames              C·X·Y           head
`LinearSpace`      pixels of a patch   C               frame, head, patch of P × P pixels
`LinearTime`       frames              C               head, pixel
`WindowSpace`      pixels of a patch   C               as the last but one, quadratic, patches moved or not
=================  ==================  ==============  ==============================================

Nothing tells frames or pixels apart but what is in them: attention in time is equivariant to permutations of frames.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def quadratic(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(q·kᵀ/√C)·v over tokens; all (…, tokens, C)."""
    return functional.scaled_dot_product_attention(query, key, value)


def linear(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax_C(q)/√C · (softmax_tokens(k)ᵀ·v): the cost grows with the number of tokens, not with its square.

    Shen et al. 2021 (arXiv:1812.01243, eq. 4). All (…, tokens, C).
    """
    context = key.softmax(-2).transpose(-1, -2) @ value
    return (query.softmax(-1) @ context) * query.shape[-1] ** -0.5


class _Attention(nn.Module, ABC):
    """x + norm(W·attention(q, k, v)), q, k and v from a convolution of x.

    Parameters
    ----------
    channels : int
    heads, width : int
        H heads of C channels.
    """

    def __init__(self, channels: int, *, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.enter = nn.Conv2d(channels, 3 * heads * width, 3, padding=1, bias=False)
        self.leave = nn.Conv2d(heads * width, channels, 1)
        self.norm = nn.GroupNorm(1, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (B, T, channels, X, Y), the same shape."""
        frames = x.shape[1]
        parts = self.enter(x.flatten(0, 1)).chunk(3, dim=1)
        parts = [rearrange(p, "(b t) (h c) x y -> b t h c x y", t=frames, h=self.heads) for p in parts]
        found = self.attend(*parts)
        after: Tensor = self.norm(self.leave(rearrange(found, "b t h c x y -> (b t) (h c) x y")))
        return x + after.unflatten(0, (-1, frames))

    @abstractmethod
    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Of (B, T, H, C, X, Y), the same shape."""


class QuadraticSpace(_Attention):
    """Every pixel of a frame to every other."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Q-Spatial."""
        tokens = [rearrange(each, "b t h c x y -> b t h (x y) c") for each in (query, key, value)]
        return rearrange(quadratic(*tokens), "b t h (x y) c -> b t h c x y", x=query.shape[-2])


class QuadraticTime(_Attention):
    """Every frame, as a whole, to every other."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Q-Temporal."""
        tokens = [rearrange(each, "b t h c x y -> b h t (c x y)") for each in (query, key, value)]
        _, _, _, c, x, y = query.shape
        return rearrange(quadratic(*tokens), "b h t (c x y) -> b t h c x y", c=c, x=x, y=y)


class LinearTime(_Attention):
    """Every pixel of a frame to the same pixel of the others."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """L-Temporal."""
        tokens = [rearrange(each, "b t h c x y -> b h x y t c") for each in (query, key, value)]
        return rearrange(linear(*tokens), "b h x y t c -> b t h c x y")


class LinearSpace(_Attention):
    """Every pixel of a patch to every other of the patch.

    Parameters
    ----------
    channels, heads, width : int
        As of every kind.
    patch : int
        P, pixels along a side of a patch; maps that it does not divide are cut into the fewest patches of at most P
        pixels that have one size.
    """

    def __init__(self, channels: int, *, heads: int, width: int, patch: int) -> None:
        super().__init__(channels, heads=heads, width=width)
        self.patch = patch

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """L-Spatial."""
        rows, columns = (patches_along(size, self.patch) for size in query.shape[-2:])
        tokens = [in_patches(each, rows, columns) for each in (query, key, value)]
        found = linear(*tokens)
        return rearrange(
            found, "b t h i j (p q) c -> b t h c (i p) (j q)", i=rows, j=columns, p=query.shape[-2] // rows
        )


class WindowSpace(_Attention):
    """Quadratic attention within windows, which every other layer moves by half a window.

    Liu et al. 2021 (arXiv:2103.14030), without their mask: maps are rolled, so windows at the border see the other
    side.

    Parameters
    ----------
    channels, heads, width, patch : int
        As for :class:`LinearSpace`.
    moved : bool
        Whether windows are moved.
    """

    def __init__(self, channels: int, *, heads: int, width: int, patch: int, moved: bool) -> None:
        super().__init__(channels, heads=heads, width=width)
        self.patch, self.moved = patch, moved

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Within each window."""
        rows, columns = (patches_along(size, self.patch) for size in query.shape[-2:])
        step = self.patch // 2 if self.moved else 0
        parts = [torch.roll(each, (-step, -step), (-2, -1)) for each in (query, key, value)]
        found = quadratic(*(in_patches(each, rows, columns) for each in parts))
        whole = rearrange(
            found, "b t h i j (p q) c -> b t h c (i p) (j q)", i=rows, j=columns, p=query.shape[-2] // rows
        )
        return torch.roll(whole, (step, step), (-2, -1))


def patches_along(size: int, patch: int) -> int:
    """The fewest equal parts of an axis that have at most so many pixels.

    >>> patches_along(384, 192), patches_along(24, 192), patches_along(36, 16)
    (2, 1, 3)
    """
    return next(count for count in range(1, size + 1) if size % count == 0 and size // count <= patch)


def in_patches(maps: Tensor, rows: int, columns: int) -> Tensor:
    """Maps (B, T, H, C, X, Y) as tokens of so many patches along X and Y, (B, T, H, rows, columns, tokens, C)."""
    return rearrange(maps, "b t h c (i p) (j q) -> b t h i j (p q) c", i=rows, j=columns)
