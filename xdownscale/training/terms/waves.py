"""Functionals of a field in wave space, whose CRPS is the spectral CRPS of the training loss.

The CRPS of any functional of the field is minimised by the truth's own law. Windows of four coarse cells, which
overlap by half, are tapered and transformed to waves; a loudness |k|^{3/2} brings the waves of natural fields, whose
power falls like |k|⁻³, to about one size. There are three functionals:

* **waves**: real and imaginary parts, window by window, which hold phases as well as power;
* **locked waves**: the mean of the waves over all windows of a frame. Windows begin at coarse cells, so a lattice that
  is locked to the cells (a checkerboard, the marks of interpolation) has one phase in all of n windows and survives the
  mean, where texture that lies anywhere shrinks to 1/√n. Window by window such a lattice is a small shift within a
  large spread, whose loss is of second order; here the spread is small, and it stands out;
* **bands**: the root of the mean power in a frame of waves of about one length and one direction (along x, along y, and
  the two diagonals), whatever the phases. Whole rings would set a lattice along the axes off against a gap on the
  diagonals, and both diagonals together streaks that lean one way against those that lean the other.
"""

from __future__ import annotations

from math import ceil, pi
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.training.terms.scored import Scored

CELLS = 4
"""Coarse cells along the side of a window: waves of two cells, the first that block means do not fix, are told apart
from longer ones in no shorter window."""

LEAST = 8
"""Fine cells along the side of a window at least: fewer hold no waves to tell apart."""

SLOPE = 1.5
"""Amplitudes of natural fields fall like |k| to about minus this."""

TINY = 1e-6
"""Power below which roots are not told apart, relative to fields of unit size: the gradient of √0 is infinite."""


class Waves(NamedTuple):
    """Half of the waves of a window: those of a real field that are not known from another one."""

    chosen: Tensor
    """Which entries of a half-plane transform (sy, sx // 2 + 1) they are."""
    loudness: Tensor
    """|k|^{3/2}, mean 1, shape (waves,)."""
    band: Tensor
    """(waves, bands): the share of each wave in the mean of its band."""


def waves_of_windows(scored: Scored) -> Iterator[Tensor]:
    """Waves, locked waves and bands."""
    yield from spectral_functionals(scored.values, scored.blocks)


def spectral_functionals(stacked: Tensor, blocks: Blocks) -> list[Tensor]:
    """Waves, locked waves and bands of fields.

    Parameters
    ----------
    stacked : Tensor, shape (1 + M, B, T, H, W)
        The truth, then the members, in whole coarse cells.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).

    Returns
    -------
    list of Tensor
        Shapes (1 + M, B, T, windows along y, along x, waves, 2), the same without windows, and (1 + M, B, T, bands), in
        units of the field. Empty where the field is smaller than a window.

    Examples
    --------
    >>> fields = torch.randn(3, 1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> [tuple(each.shape) for each in spectral_functionals(fields, (1, 2, 2))]
    [(3, 1, 1, 3, 3, 33, 2), (3, 1, 1, 33, 2), (3, 1, 1, 19)]
    """
    sides = window_sides(blocks)
    if any(side > size for side, size in zip(sides, stacked.shape[-2:], strict=True)):
        return []
    waves = waves_of(sides, stacked)
    local = waves.loudness[:, None] * transformed(stacked, sides, waves.chosen)
    power = local.square().sum(-1).mean((3, 4))
    return [local, local.mean((3, 4)), (power @ waves.band + TINY).sqrt()]


def window_sides(blocks: Blocks) -> tuple[int, int]:
    """Fine cells along the sides of a window: :data:`CELLS` coarse cells, or twice, three times … as many.

    >>> window_sides((3, 10, 4)), window_sides((3, 3, 1))
    ((40, 16), (12, 8))
    """
    high, wide = (CELLS * size * ceil(LEAST / (CELLS * size)) for size in blocks[1:])
    return high, wide


def transformed(stacked: Tensor, sides: tuple[int, int], chosen: Tensor) -> Tensor:
    """Real and imaginary parts of the waves of tapered windows, shape (1 + M, B, T, windows, windows, waves, 2).

    White noise of unit variance has waves of unit power. The mean under the taper is taken off first, or the longest
    waves would be full of it.
    """
    windows = stacked.unfold(-2, sides[0], sides[0] // 2).unfold(-2, sides[1], sides[1] // 2)
    taper = taper_of(sides[0], stacked)[:, None] * taper_of(sides[1], stacked)
    mean = (windows * taper).sum((-2, -1), keepdim=True) / taper.sum()
    spectrum = torch.fft.rfft2((windows - mean) * (taper / taper.square().sum().sqrt()))
    return torch.view_as_real(spectrum[..., chosen])


def taper_of(side: int, like: Tensor) -> Tensor:
    """The taper sin²(π(n + ½)/side), whose copies half a window apart add up to one."""
    return torch.sin(pi * (torch.arange(side).to(like) + 0.5) / side).square()


def waves_of(sides: tuple[int, int], like: Tensor) -> Waves:
    """The waves of a window of sy × sx cells, without the mean."""
    high, wide = sides
    y, x = torch.meshgrid(
        torch.fft.fftfreq(high, dtype=torch.float32),
        torch.fft.rfftfreq(wide, dtype=torch.float32),
        indexing="ij",
    )
    # columns that mirror themselves (no wave along x, or the shortest one): the lower half is known from the upper
    mirrored = (x == 0) | (x == 0.5)
    rows = torch.arange(high)[:, None]
    chosen = (~mirrored | (rows <= high // 2)) & ((y != 0) | (x != 0))
    length = torch.hypot(y, x)[chosen]
    loudness = length**SLOPE
    return Waves(
        chosen.to(like.device),
        (loudness / loudness.mean()).to(like),
        _bands(y[chosen], x[chosen], max(sides)).to(like),
    )


def _bands(y: Tensor, x: Tensor, side: int) -> Tensor:
    """Shares (waves, bands) of waves (y, x): of one |k|, in whole waves per side, and one direction of four.

    >>> _bands(torch.tensor([0.0, 0.1, 0.1, 0.1]), torch.tensor([0.2, 0.2, 0.1, 0.0]), 10).shape
    torch.Size([4, 4])
    """
    ring = (torch.hypot(y, x) * side).round()
    direction = (torch.atan2(y, x) * (4 / pi)).round().remainder(4)
    _, number = torch.unique(4 * ring + direction, return_inverse=True)
    members = torch.nn.functional.one_hot(number).to(y)
    return members / members.sum(0)
