"""One step up the ladder of a local network, and what it is given beside its features."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from xdownscale.nn.blocks import (
    FrameConvolution,
    FrameExchange,
    StyledConvolution,
    convolve_together,
    grow_space,
    sharp_swish,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from xdownscale.nn.advected_noise import Carried


class Stage(nn.Module):
    """One step up the ladder: fewer channels, more pixels, fresh noise, the interpolated input once more.

    Parameters
    ----------
    inputs, channels : int
        Channels below and here.
    conditions : int
        Channels of the interpolated input.
    maps : int
        Noise maps of all memories together; 0 for none.
    style : int
        Length of the style vector.
    deep : bool
        Two convolutions and an exchange of frames, or a single convolution.
    """

    def __init__(
        self, inputs: int, channels: int, *, conditions: int, maps: int, style: int, deep: bool
    ) -> None:
        super().__init__()
        # no activation takes off what these weights add, and kernels that prefer no direction make smooth fields twice
        # as large again: at full weight a fresh network would begin with a random texture of several latent units
        self.narrow = StyledConvolution(inputs, channels, style=style, size=1, gain=0.3)
        self.first = FrameConvolution(channels, channels, even=True)
        self.given = StyledConvolution(conditions + maps, channels, style=style, even=True)
        self.exchange = FrameExchange() if deep else None
        self.second = FrameConvolution(channels, channels, gain=0.5, even=True) if deep else None

    def forward(self, x: Tensor, given: Given) -> Tensor:
        """Features at `given.before` pixels per cell to features at `given.after` pixels per cell."""
        h = self.enter(x, given)
        return h if self.exchange is None else self.mix(h, self.exchange(h))

    def enter(self, x: Tensor, given: Given) -> Tensor:
        """Every frame for itself: grow, and take in condition and noise."""
        x = grow_space(self.narrow([x], given.style), given.before, given.after)
        # features, condition and noise in one convolution: a sum of two would pass over the field twice more
        first, (weight, bias) = self.first.convolution, self.given.styled(given.style)
        h = convolve_together(
            [x, given.condition, *(each.values() for each in given.noise)],
            torch.cat([first.weight, weight], dim=1),
            first.get_parameter("bias") + bias,
        )
        return sharp_swish(h)

    def mix(self, h: Tensor, exchanged: Tensor) -> Tensor:
        """What frames make of their neighbours."""
        if self.second is None:
            return h
        return sharp_swish(h + self.second(exchanged))

    def run_by_run(self, runs: Iterable[Tensor], given: Given) -> Iterator[Tensor]:
        """The same as :meth:`forward` for a stream of short runs of frames, so that features stay in the cache."""
        entered = self._entered(runs, given)
        if self.exchange is None:
            yield from entered
            return
        before = None
        for h, after in pairwise(chain(entered, [None])):
            if h is None:
                return
            first, last = h[:, :1] if before is None else before, h[:, -1:] if after is None else after
            yield self.mix(h, self.exchange.between(first, h, last))
            before = h

    def _entered(self, runs: Iterable[Tensor], given: Given) -> Iterator[Tensor]:
        start = 0
        for x in runs:
            stop = start + x.shape[1]
            yield self.enter(x, given.frames(start, stop))
            start = stop


class Given(NamedTuple):
    """What a stage gets beside its features."""

    condition: Tensor
    """(B, L, conditions, H, W), interpolated to this stage."""
    noise: tuple[Carried, ...]
    """By its memory."""
    style: Tensor
    """(style,)"""
    before: tuple[int, int]
    """Pixels per cell below."""
    after: tuple[int, int]
    """Pixels per cell here."""

    def frames(self, start: int, stop: int) -> Given:
        """What a run of frames gets."""
        noise = tuple(each._replace(frames=slice(start, stop)) for each in self.noise)
        return self._replace(condition=self.condition[:, start:stop], noise=noise)

    def part(self, window: Window) -> Given:
        """What a window of cells gets."""
        y, x = window.of(self.after)
        noise = tuple(each._replace(y=y, x=x) for each in self.noise)
        return self._replace(condition=self.condition[..., y, x], noise=noise)


class Window(NamedTuple):
    """A rectangle of coarse cells."""

    y: slice
    x: slice

    def of(self, rung: tuple[int, int]) -> tuple[slice, slice]:
        """The same in pixels."""
        return (
            slice(self.y.start * rung[0], self.y.stop * rung[0]),
            slice(self.x.start * rung[1], self.x.stop * rung[1]),
        )

    def widened(self, halo: int, size: tuple[int, int]) -> Window:
        """With `halo` cells more to each side, inside a field of `size` cells."""
        return Window(
            slice(max(0, self.y.start - halo), min(size[0], self.y.stop + halo)),
            slice(max(0, self.x.start - halo), min(size[1], self.x.stop + halo)),
        )

    def within(self, other: Window) -> Window:
        """The same counted from the corner of another rectangle."""
        return Window(
            slice(self.y.start - other.y.start, self.y.stop - other.y.start),
            slice(self.x.start - other.x.start, self.x.stop - other.x.start),
        )
