"""Networks that emulate the curves of Minkowski functionals of a frame: area, length of the edge, and pieces.

Input is a field in physical units, of a stated size; what it is normalised to is the emulator's own business, and it
has no other entrance: a field that was normalised before cannot be passed without saying that its units are others.
Output are logarithmic curves g(γ) = log(1 + γ) at the emulator's thresholds, in cells, sides of cells and 1.

Four kinds, the first three after Quarenghi et al. (2026, arXiv:2604.11422):

* ``baseline``: convolutions and pooling;
* ``lipschitz``: spectral normalisation of kernels and residual blocks with group normalisation. It bounds no norm of
  the whole (``nn.lipschitz`` says why), and is here to be compared;
* ``constrained``: the same body; areas fall with the threshold and fit into the frame, lengths keep P ≥ 4·√A, which
  holds for every set of cells whose edge is measured along sides;
* ``certified``: layers of ``nn.lipschitz`` alone, so ‖f(x) − f(y)‖₂ ≤ K·‖x − y‖₂ for normalised inputs, with a known K.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import log, log1p
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from xdownscale.errors import DimensionError, UnitsError, ValueRangeError
from xdownscale.nn.lipschitz import Fold, GroupSort, LipschitzConvolution, LipschitzLinear

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("baseline", "lipschitz", "constrained", "certified")

ROUNDING = 1e-5
"""Share by which results in single precision may differ from exact ones."""

STRETCH = 8.0
"""Factor after the last layer that a certified emulator begins with; it learns its own."""


@dataclass(frozen=True)
class EmulatorSettings:
    """What an emulator is built from, and what it may be asked.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    thresholds, levels : tuple of float
        Of the curves, sorted; thresholds in the units of the field. Data in steps may give equal ones.
    side : int
        Cells along y and x of a frame, a multiple of 16.
    units : str
        Of the field.
    cap : float
        Values above it count as this.
    epsilon : float
        Inputs are log(1 + v/ε)/log(1 + cap/ε), from 0 to 1.
    widths : tuple of int
        Channels of the four stages, multiples of 8. The reference has 32, 64, 128 and 256.

    Raises
    ------
    ValueRangeError
        If a value lies outside its range.
    """

    kind: str
    thresholds: tuple[float, ...]
    levels: tuple[float, ...]
    side: int = 80
    units: str = "mm h-1"
    cap: float = 150.0
    epsilon: float = 0.2
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"kind={self.kind!r} of an emulator is not known; pass one of {', '.join(map(repr, KINDS))}"
            raise ValueRangeError(msg)
        if self.side < 16 or self.side % 16:
            msg = f"side={self.side}: frames of an emulator have a multiple of 16 cells; pass for example side=80"
            raise ValueRangeError(msg)
        if len(self.thresholds) != len(self.levels) or list(self.thresholds) != sorted(self.thresholds):
            msg = f"thresholds={self.thresholds!r} must not decrease, and be as many as the {len(self.levels)} levels"
            raise ValueRangeError(msg)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the file."""
        return asdict(self)


class Emulator(nn.Module):
    """Logarithmic curves of Minkowski functionals from fields in physical units.

    Parameters
    ----------
    settings : EmulatorSettings
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        super().__init__()
        self.settings = settings
        count = len(settings.thresholds)
        body, heads = {
            "baseline": (_plain_body, FreeHead),
            "lipschitz": (_normalised_body, FreeHead),
            "constrained": (_normalised_body, ConstrainedHead),
            "certified": (_certified_body, CertifiedHead),
        }[settings.kind]
        self.body = body(settings.widths)
        self.head = heads(2 * settings.widths[-1], count, cells=settings.side**2)

    @property
    def bound(self) -> float | None:
        """K in ‖f(x) − f(y)‖₂ ≤ K·‖x − y‖₂ for normalised inputs; None where there is none."""
        if not isinstance(self.head, CertifiedHead):
            return None
        bound, side = float(self.head.stretch.detach().exp()), self.settings.side
        for layer in self.body:
            if isinstance(layer, Fold):
                side //= 2
            elif isinstance(layer, LipschitzConvolution):
                bound *= layer.norm(side)
        return bound * (1 + ROUNDING)

    def forward(self, values: Tensor, *, units: str) -> Tensor:
        """Logarithmic curves of frames.

        Parameters
        ----------
        values : Tensor, shape (..., side, side)
            Physical values, none below zero and none missing.
        units : str
            What they are in.

        Returns
        -------
        Tensor, shape (..., Q, 3)
            log(1 + γ) of area, length along sides of cells, and pieces.

        Raises
        ------
        UnitsError, DimensionError, ValueRangeError
            If the fields are not what the emulator was trained on.
        """
        self._guard(values, units)
        frames = self.normalised(values.flatten(0, -3) if values.ndim > 3 else values)
        frames = frames if values.ndim > 2 else frames[None]
        curves: Tensor = self.of_normalised(frames)
        return curves.reshape(*values.shape[:-2], *curves.shape[-2:])

    def normalised(self, values: Tensor) -> Tensor:
        """From 0 to 1."""
        settings = self.settings
        scale = log1p(settings.cap / settings.epsilon)
        return torch.log1p(values.clamp(0, settings.cap) / settings.epsilon) / scale

    def of_normalised(self, frames: Tensor) -> Tensor:
        """Curves of frames (B, side, side) from 0 to 1: what :attr:`bound` is about."""
        features: Tensor = self.body(frames[:, None])
        return self.head(features)

    def _guard(self, values: Tensor, units: str) -> None:
        settings = self.settings
        if units != settings.units:
            msg = f"the emulator takes fields in {settings.units!r}, these are in {units!r}. Convert them first."
            raise UnitsError(msg)
        if values.ndim < 2 or tuple(values.shape[-2:]) != (settings.side, settings.side):
            msg = (
                f"the emulator takes frames of {settings.side} × {settings.side} cells, these are "
                f"{tuple(values.shape[-2:])}. Cut them, or train an emulator for frames of this size."
            )
            raise DimensionError(msg)
        with torch.no_grad():
            least = float(values.min()) if values.numel() else 0.0
        if not least >= 0:
            msg = f"the smallest value is {least:g}: the emulator takes physical values, none below 0 and none missing."
            raise ValueRangeError(msg)


class FreeHead(nn.Module):
    """Positive curves, and nothing else is sure about them.

    Parameters
    ----------
    features, count : int
        Features, and thresholds.
    cells : int
        Of a frame.
    """

    def __init__(self, features: int, count: int, *, cells: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 3 * count)
        nn.init.constant_(self.linear.bias, log(cells) / 2)

    def forward(self, features: Tensor) -> Tensor:
        """(B, features) to (B, Q, 3)."""
        return functional.softplus(self.linear(features)).unflatten(-1, (-1, 3))


class ConstrainedHead(nn.Module):
    """Curves that sets of cells could have.

    With shares p ≥ 0 of thresholds, Σ p = 1: A_q = N·σ(t)·Σ_{r ≥ q} p_r falls with q and is at most N, all cells of the
    frame; P = 4·√A·(1 + softplus(r)).

    Parameters
    ----------
    features, count, cells
        As for :class:`FreeHead`.
    """

    def __init__(self, features: int, count: int, *, cells: int) -> None:
        super().__init__()
        self.cells = cells
        self.total = nn.Linear(features, 1)
        self.linear = nn.Linear(features, 3 * count)

    def forward(self, features: Tensor) -> Tensor:
        """(B, features) to (B, Q, 3)."""
        shares, ratios, pieces = self.linear(features).unflatten(-1, (-1, 3)).unbind(-1)
        below = torch.softmax(shares, dim=-1).flip(-1).cumsum(-1).flip(-1).clamp(max=1.0)
        area = self.cells * torch.sigmoid(self.total(features)) * below
        length = 4 * torch.sqrt(area + 1e-6) * (1 + functional.softplus(ratios))
        curves = torch.stack([area, length], dim=-1)
        return torch.cat([torch.log1p(curves), functional.softplus(pieces)[..., None]], dim=-1)


class CertifiedHead(nn.Module):
    """Positive curves that change by at most a learned factor times as much as the features.

    Parameters
    ----------
    features, count, cells
        As for :class:`FreeHead`.
    """

    def __init__(self, features: int, count: int, *, cells: int) -> None:
        super().__init__()
        self.linear = LipschitzLinear(features, 3 * count)
        self.shift = nn.Parameter(torch.full((3 * count,), log(cells) / 2))
        self.stretch = nn.Parameter(torch.tensor(log(STRETCH)))

    def forward(self, features: Tensor) -> Tensor:
        """(B, features) to (B, Q, 3)."""
        values = self.stretch.exp() * self.linear(features) + self.shift
        return functional.softplus(values).unflatten(-1, (-1, 3))


class RootMean(nn.Module):
    """√N times the mean over N cells: an orthogonal projection."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C)."""
        return x.flatten(2).sum(-1) / (x.shape[-1] * x.shape[-2]) ** 0.5


class ResidualBlock(nn.Module):
    """Group norm, GELU and a spectrally normalised convolution, twice, beside the identity.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            *(
                layer
                for _ in range(2)
                for layer in (nn.GroupNorm(8, channels), nn.GELU(), _spectral(channels, channels))
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, C, H, W), unchanged."""
        return x + self.inner(x)


def _spectral(inputs: int, outputs: int) -> nn.Module:
    module: nn.Module = spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))
    return module


def _plain_body(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip((1, *widths), widths, strict=False):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, *_pooled(widths[-1]))


def _normalised_body(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(1, widths[0], 5, padding=2)]
    for inputs, outputs in zip((widths[0], *widths), widths, strict=False):
        layers += [_spectral(inputs, outputs), nn.GELU(), nn.MaxPool2d(2), ResidualBlock(outputs)]
    return nn.Sequential(*layers, *_pooled(widths[-1]))


def _pooled(width: int) -> list[nn.Module]:
    """The mean over all cells, and a layer that mixes features."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2 * width), nn.GELU()]


def _certified_body(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = [LipschitzConvolution(1, widths[0], 5), GroupSort()]
    for inputs, outputs in zip((widths[0], *widths), widths, strict=False):
        layers += [Fold(), LipschitzConvolution(4 * inputs, outputs), GroupSort()]
    last = widths[-1]
    return nn.Sequential(*layers, RootMean(), LipschitzLinear(last, 2 * last), GroupSort())
