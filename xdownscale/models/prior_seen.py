"""What is seen of a trajectory when a prior is used: a coarse field, and stations beside it.

A prior works with x, its variables at zero mean and unit variance; what is seen are block means and point values of
physical values. Of a variable without a rectifier the two differ by a scale and a shift, which means of any kind leave
alone, so that x itself is looked at. Rain P = inverse(x) is looked at as P/ε, with an error that grows with it: it is
stated in log(1 + P/ε), where the prior works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from xdownscale.models.transform import HIGHEST, LogRain, Standard
from xdownscale.operators import BlockMean, Chain, EveryFrame, Known, Part, Points, Stack, Variables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xdownscale.diffusion.guide import Linear
    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.transform import Transform
    from xdownscale.operators import Operator


class Stations(NamedTuple):
    """Values at points of the fine grid, of one target, in the units of the model."""

    target: int
    """Which target."""
    places: Tensor
    """(points, 3): time, y, x in fine cells of the domain, 0 at the centre of the first one."""
    values: Tensor
    """(points,)"""
    errors: Tensor
    """Standard deviation of each, (points,)."""


@dataclass(frozen=True)
class Beside:
    """What is known of an observation besides the coarse values.

    Parameters
    ----------
    areas : Tensor, shape (y, x), optional
        Of the fine cells, by which block means are weighted; None weighs all alike.
    instant : tuple of bool
        Whether each target is seen at the first step of every coarse step rather than as a mean over it; empty for
        means of all.
    errors : tuple of float or None
        Standard deviation of the errors of each target's coarse values, in the units of the model; None for that of the
        settings, and empty for those of all.
    stations : tuple of Stations
    """

    areas: Tensor | None = None
    instant: tuple[bool, ...] = ()
    errors: tuple[float | None, ...] = ()
    stations: tuple[Stations, ...] = ()


@dataclass(frozen=True)
class Scale:
    """A target's physical values, and the two scales in which it is worked with and looked at.

    Parameters
    ----------
    transform : Transform
    centre, spread : float
        Mean and standard deviation of its latent values: x = (latent − centre)/spread.
    """

    transform: Transform
    centre: float = 0.0
    spread: float = 1.0

    @property
    def linear(self) -> bool:
        """Whether x itself is looked at."""
        return type(self.transform) is Standard

    def latent(self, x: Tensor) -> Tensor:
        """Latent values of x."""
        return self.centre + self.spread * x

    def looked_at(self, x: Tensor) -> Tensor:
        """What is looked at, of x.

        Rain grows exponentially with its latent value, and the mean of very noisy states may lie anywhere: values above
        the bound of rain count as the bound, with its slope, or they would overflow.
        """
        if self.linear:
            return x
        latent = self.latent(x)
        if isinstance(self.transform, LogRain):
            latent = latent - (latent - HIGHEST).clamp_min(0).detach()
        return self.measured(self.transform.inverse(latent))

    def measured(self, values: Tensor) -> Tensor:
        """What is looked at, of physical values."""
        if isinstance(self.transform, LogRain):
            return values / self.transform.epsilon
        return (self.transform.forward(values) - self.centre) / self.spread

    def error(self, values: Tensor, relative: float) -> Tensor:
        """The standard deviation of what is looked at, by default: a share of the spread, for rain of its logarithm."""
        if isinstance(self.transform, LogRain):
            return relative * self.spread * (1 + self.measured(values))
        return torch.full_like(values, relative)

    def stated(self, error: Tensor) -> Tensor:
        """A standard deviation in physical units as one of what is looked at."""
        if isinstance(self.transform, LogRain):
            return error / self.transform.epsilon
        return error / (getattr(self.transform, "scale", 1.0) * self.spread)


@dataclass(frozen=True)
class Look:
    """An observation of a trajectory (B, targets, time, y, x), as guidance takes it.

    Parameters
    ----------
    scales : sequence of Scale
        One for each target.
    operator : Operator
        From what is looked at to what is seen, in a row.
    values, variance : Tensor
        (1, values) and (values,).
    """

    scales: Sequence[Scale]
    operator: Operator
    values: Tensor
    variance: Tensor

    def linearised(self, x: Tensor) -> tuple[Tensor, Linear, Linear]:
        """What would be seen of x, its derivative, and the adjoint of that."""
        if all(scale.linear for scale in self.scales):
            return self.operator(x), self.operator, self.operator.adjoint
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            looked = torch.stack([scale.looked_at(each) for scale, each in self._by_target(x)], 1)
            (slope,) = torch.autograd.grad(looked.sum(), x)

        def seen(change: Tensor) -> Tensor:
            return self.operator(slope * change)

        def spread(values: Tensor) -> Tensor:
            return slope * self.operator.adjoint(values)

        return self.operator(looked.detach()), seen, spread

    def _by_target(self, x: Tensor) -> list[tuple[Scale, Tensor]]:
        return list(zip(self.scales, x.unbind(1), strict=True))


def look(
    coarse: Tensor,
    scales: Sequence[Scale],
    *,
    blocks: Blocks,
    part: Part,
    relative: Sequence[float],
    beside: Beside | None = None,
) -> Look:
    """The observation of coarse values, and of what is seen beside them.

    Parameters
    ----------
    coarse : Tensor, shape (targets, L, M, N)
        In the units of the model, NaN where nothing is known.
    scales : sequence of Scale
        One for each target.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    part : Part
        Of the trajectory that the coarse field sees.
    relative : sequence of float
        Errors by default, one for each target, as in :meth:`Scale.error`.
    beside : Beside, optional
    """
    more = beside or Beside()
    parts: list[Operator] = []
    values, errors = [], []
    for number, scale in enumerate(scales):
        own = coarse[number : number + 1]
        known = ~own.isnan()
        view = _view(part, number, blocks, more)
        parts.append(Chain([part, *view, Known(known)]))
        given = own[known]
        values.append(scale.measured(given))
        stated = more.errors[number] if more.errors else None
        errors.append(
            scale.error(given, relative[number])
            if stated is None
            else scale.stated(torch.full_like(given, stated))
        )
    for each in more.stations:
        target = torch.full((len(each.places),), each.target)
        parts.append(Chain([part, Points(part.outside, each.places, target)]))
        values.append(scales[each.target].measured(each.values))
        errors.append(scales[each.target].stated(each.errors))
    seen = torch.cat([each.to(coarse) for each in values])
    return Look(scales, Stack(parts), seen[None], torch.cat([each.to(coarse) for each in errors]).square())


def _view(part: Part, number: int, blocks: Blocks, beside: Beside) -> list[Operator]:
    """From all targets to the coarse values of one."""
    one = Variables(part.outside, (number,))
    instant = bool(beside.instant) and beside.instant[number]
    means = BlockMean(one.outside, (1, *blocks[1:]) if instant else blocks, beside.areas)
    return [one, means, EveryFrame(means.outside, blocks[0])] if instant else [one, means]
