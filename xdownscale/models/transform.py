"""Value transforms between physical units and the latent space in which networks work.

A transform owns four things: the latent value, its inverse, the channels that show a coarse field to a network, and the
latent offset that brings an obtained block mean closer to the wanted one. Rain is zero-inflated and heavy-tailed and
gets :class:`LogRain`; a field with limits, such as relative humidity, gets :class:`Bounded`; any other
:class:`Standard`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

LOWEST, HIGHEST = -3.0, 7.5
"""Bounds of the latent value of rain: far below dry, and 0.2·expm1(7.5) = 361 mm/h."""

LEAK = 0.1
"""Share of the gradient that passes below zero. Without it pixels at the lower clip never move again, and the
smooth offset lifts thin curves out of them: bright filaments that no score shows."""


class Transform(Protocol):
    """What a method needs to know about values."""

    nonnegative: ClassVar[bool]
    """Whether much of a field is exactly zero, as of rain."""

    @property
    def channels(self) -> int:
        """How many channels :meth:`features` gives."""

    @property
    def reach(self) -> int:
        """Coarse cells to each side that :meth:`features` looks at."""

    @property
    def correction(self) -> float:
        """Latent size of what interpolation leaves, in which a network's corrections are counted."""

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """The least and the largest physical value of a field that is not rain; None without a limit."""

    def forward(self, values: Tensor) -> Tensor:
        """Physical values to latent values."""

    def inverse(self, latent: Tensor) -> Tensor:
        """Latent values to physical values, rectified where the field is non-negative."""

    def features(self, values: Tensor) -> Tensor:
        """Channels (…, channels, H, W) that show a coarse field (…, H, W) to a network."""

    def offset(self, wanted: Tensor, obtained: Tensor) -> Tensor:
        """Latent offset that moves the block mean `obtained` towards `wanted`."""

    def bound(self, latent: Tensor) -> Tensor:
        """The latent value within the bounds in which offsets still act."""

    def told(self) -> str:
        """What becomes of values, in a few words."""

    def graded(self) -> Transform:
        """The transform in whose latent units scores are taken: of the size of what is to be learned."""


@dataclass(frozen=True)
class LogRain:
    """v = log(1 + P/ε), P = ε·(exp(max(v, 0)) − 1): zero stays exactly zero.

    Parameters
    ----------
    epsilon : float
        ε in the units of the field: below it the transform is nearly linear, above it logarithmic. 0.2 mm/h is twice
        the usual detection limit of radar products.
    gain : float
        Over-relaxation of the conservation offset: a cell that is only partly wet needs more than its log-ratio.
    """

    epsilon: float = 0.2
    gain: float = 1.3

    nonnegative: ClassVar[bool] = True
    channels: ClassVar[int] = 2
    reach: ClassVar[int] = 0
    correction: ClassVar[float] = 1.0
    limits: ClassVar[tuple[float | None, float | None]] = (0.0, None)

    def forward(self, values: Tensor) -> Tensor:
        """log(1 + P/ε)."""
        return torch.log1p(values / self.epsilon)

    def inverse(self, latent: Tensor) -> Tensor:
        """ε·expm1(max(v, 0)); the gradient leaks below zero, the value does not."""
        wet = latent.clamp_min(0)
        if torch.is_grad_enabled() and latent.requires_grad:
            below = latent.clamp_max(0)
            wet = wet + LEAK * (below - below.detach())
            return self.epsilon * torch.expm1(wet)
        return wet.expm1_().mul_(self.epsilon)

    def features(self, values: Tensor) -> Tensor:
        """log(1 + P/ε) and whether it rains at all."""
        return torch.stack([self.forward(values), (values > 0).to(values.dtype)], dim=-3)

    def offset(self, wanted: Tensor, obtained: Tensor) -> Tensor:
        """δ = gain·log((c + ε)/(m + ε))."""
        return self.gain * torch.log((wanted + self.epsilon) / (obtained + self.epsilon))

    def told(self) -> str:
        """What becomes of values, in a few words."""
        return f"logarithmic above {self.epsilon:g}, zero is exact"

    def bound(self, latent: Tensor) -> Tensor:
        """Within [−3, 7.5]; beyond, only gradients that lead back inside pass."""
        bounded: Tensor = _Bound.apply(latent)
        return bounded

    def graded(self) -> LogRain:
        """Itself."""
        return self


class _Bound(torch.autograd.Function):
    """Clamp whose gradient is projected: beyond a bound a step may lead back inside, never further out.

    A plain clamp leaves pixels beyond its bounds for ever; one that lets every gradient pass lets them wander so far
    out that no noise brings them back, and members lose their spread.
    """

    @staticmethod
    def forward(ctx: Any, latent: Tensor) -> Tensor:
        """The bounded value."""
        ctx.save_for_backward(latent)
        return latent.clamp(LOWEST, HIGHEST)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Descent moves against the gradient: up where it is negative."""
        (latent,) = ctx.saved_tensors
        outwards = ((latent < LOWEST) & (gradient > 0)) | ((latent > HIGHEST) & (gradient < 0))
        return gradient.masked_fill(outwards, 0.0)


@dataclass(frozen=True)
class Standard:
    """v = (x − mean)/scale, for fields without a rectifier such as temperature.

    Parameters
    ----------
    mean, scale : float
        Mean and standard deviation of the training field, in its units.
    detail : float, optional
        Root mean square of what interpolation leaves of the training field, over `scale`. Of a smooth field, such as
        pressure, that is a few hundredths: a network whose corrections were counted in standard deviations would begin
        with noise that drowns them, and a loss would not see them beside those of other variables. None counts them so,
        as models did that were trained before.
    """

    mean: float = 0.0
    scale: float = 1.0
    detail: float | None = field(default=None, kw_only=True)

    nonnegative: ClassVar[bool] = False

    @property
    def channels(self) -> int:
        """Two where the detail is known."""
        return 1 if self.detail is None else 2

    @property
    def reach(self) -> int:
        """One cell where the detail is known."""
        return self.channels - 1

    @property
    def correction(self) -> float:
        """The detail, or one standard deviation."""
        return 1.0 if self.detail is None else self.detail

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """None."""
        return (None, None)

    def forward(self, values: Tensor) -> Tensor:
        """(x − mean)/scale."""
        return (values - self.mean) / self.scale

    def inverse(self, latent: Tensor) -> Tensor:
        """The value mean + scale·v."""
        return self.mean + self.scale * latent

    def features(self, values: Tensor) -> Tensor:
        """The standardised value, and what sets it apart from the cells around, in units of :attr:`detail`.

        The second is nothing that a convolution could not take from the first; but of a smooth field, such as pressure,
        it is so small there that hundreds of steps would pass before weights have grown to it.
        """
        latent = self.forward(values)
        if self.detail is None:
            return latent.unsqueeze(-3)
        padded = functional.pad(latent.flatten(0, -3).unsqueeze(1), (1, 1, 1, 1), mode="replicate")
        around = functional.avg_pool2d(padded, 3, stride=1).reshape(latent.shape)
        return torch.stack([latent, (latent - around) / self.detail], dim=-3)

    def offset(self, wanted: Tensor, obtained: Tensor) -> Tensor:
        """(c − m)/scale: exact for a block whose offset is constant."""
        return (wanted - obtained) / self.scale

    def bound(self, latent: Tensor) -> Tensor:
        """Unbounded."""
        return latent

    def told(self) -> str:
        """What becomes of values, in a few words."""
        return f"standardised by {self.mean:.4g} and {self.scale:.3g}"

    def graded(self) -> Standard:
        """The transform whose latent unit is what interpolation leaves: scores are taken in it."""
        return Standard(self.mean, self.scale * self.correction)


@dataclass(frozen=True)
class Bounded(Standard):
    """v = (x − mean)/scale, x = mean + scale·v within limits: wind speed, humidity, radiation, cloud cover.

    Parameters
    ----------
    low, high : float or None
        The least and the largest value; None without a limit.
    """

    low: float | None = 0.0
    high: float | None = None

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """The least and the largest value."""
        return (self.low, self.high)

    def told(self) -> str:
        """What becomes of values, in a few words."""
        low, high = (("any" if limit is None else f"{limit:g}") for limit in self.limits)
        return f"{super().told()}, within {low} and {high}"

    def inverse(self, latent: Tensor) -> Tensor:
        """The value mean + scale·v, cut at the limits; the gradient leaks beyond them, the value does not."""
        values = super().inverse(latent)
        within = values.clamp(self.low, self.high)
        if torch.is_grad_enabled() and latent.requires_grad:
            beyond = values - within
            return within + LEAK * (beyond - beyond.detach())
        return within


def transform_to_json(transform: Transform) -> dict[str, Any]:
    """Name and parameters, for the model file; :func:`xdownscale.models.schema.parsed` reads them."""
    if not isinstance(transform, (LogRain, Standard)):
        msg = f"a model file holds LogRain, Standard or Bounded, not {type(transform).__name__}"
        raise TypeError(msg)
    return {"name": type(transform).__name__, **asdict(transform)}
