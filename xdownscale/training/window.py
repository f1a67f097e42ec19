"""A training window: members drawn for it, and their score.

A coarse cell with a gap is missing as a whole. There the truth and every member are replaced by one and the same field,
the interpolated window: whatever is scored is then a functional of the known cells alone, and its CRPS stays proper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch

from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.models.conserve import drift
from xdownscale.models.device import half_precision
from xdownscale.models.generator import draw_noise
from xdownscale.training.losses import ensemble_score
from xdownscale.training.movement import movement_error

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.models.method import Method
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.patches import Batch


class Drawn(NamedTuple):
    """Members of a window and what they are held against."""

    members: Tensor
    """(M, B, T, H, W), physical units."""
    truth: Tensor
    """(B, T, H, W); members and truth are those of the interpolated window where it is missing."""
    known: Tensor
    """Where it is not, bool, (B, T, H, W)."""
    base: Tensor
    """The interpolated window, (B, T, H, W)."""
    drift: Tensor
    """How far off block means were before conservation; 0 without gradients."""
    velocity: Tensor | None
    """Along which noise was carried, as in :class:`~xdownscale.models.method.Prepared`; None if it was not."""


class WindowScore(Protocol):
    """What a training run minimises."""

    def __call__(self, method: Any, batch: Batch, source: torch.Generator, share: float, /) -> Tensor:
        """A number for windows of one product, with gradients, from random numbers of `source`.

        `share` of the run is over.
        """
        ...


def product_of(method: Method, batch: Batch) -> str | None:
    """The product of windows of one product; None, the default style, for one that the method does not know."""
    return batch.styles[0] if batch.styles[0] in method.settings.styles else None


class Opened(NamedTuple):
    """Windows of one product, ready for a method."""

    window: Any
    """As the method prepares them."""
    coarse: Tensor
    """Their block means, NaN where a cell has a gap, (B, L, M, N)."""
    truth: Tensor
    """(B, T, H, W), that of the interpolated window in such cells."""
    known: Tensor
    """False in such cells, (B, T, H, W)."""


def opened(method: Method, batch: Batch, device: torch.device) -> Opened:
    """Windows of one product as the method prepares them, their block means and their truth.

    Parameters
    ----------
    method : Method
    batch : Batch
        Windows of one product. One that the method does not know gets the default style.
    device : torch.device
    """
    truth = torch.from_numpy(batch.fine).to(device)
    static = None if batch.static is None else torch.from_numpy(batch.static).to(device)
    coarse = block_mean(truth, method.settings.blocks)
    window = method.prepare(coarse, static, product_of(method, batch))
    known = ~block_repeat(coarse.isnan(), window.blocks)
    return Opened(window, coarse, torch.where(known, truth, window.base), known)


def draw(
    method: Method,
    batch: Batch,
    *,
    members: int,
    passes: int,
    source: torch.Generator,
    style: Tensor | None = None,
) -> Drawn:
    """Draw members of windows of one product.

    Parameters
    ----------
    method : Method
        Draws them.
    batch : Batch
        Windows of one product. One that the method does not know gets the default style.
    members : int
        How many for each window.
    passes : int
        Passes of conservation.
    source : torch.Generator
        Source of the noise, on the device of the method.
    style : Tensor, shape (style,), optional
        A vector instead of that of the product. Then nothing but the vector gets a gradient.
    """
    settings = method.settings
    latents = []
    with half_precision(source.device):
        with torch.set_grad_enabled(torch.is_grad_enabled() and style is None):
            window, coarse, truth, known = opened(method, batch, source.device)
        if style is not None:
            window = window.styled(style)
        for _ in range(members):
            noise = draw_noise(method.noise_maps(), coarse.shape, generator=source)
            latents.append(method.latent(window, noise).float())
    shift = truth.new_zeros(())
    if settings.conserving and torch.is_grad_enabled():
        shifts = [
            drift(latent, coarse, transform=settings.transform, blocks=window.blocks) for latent in latents
        ]
        shift = torch.stack(shifts).mean()
    drawn = torch.stack([method.finish(window, latent, passes=passes) for latent in latents])
    return Drawn(torch.where(known, drawn, window.base), truth, known, window.base, shift, window.velocity)


@dataclass(frozen=True)
class WindowLoss:
    """The training loss of windows.

    Parameters
    ----------
    recipe : Recipe
        Gives members, passes and the weights of the terms.
    unit : float
        A typical magnitude of the field.
    """

    recipe: Recipe
    unit: float

    def __call__(
        self,
        method: Method,
        batch: Batch,
        source: torch.Generator,
        share: float = 1.0,
        style: Tensor | None = None,
    ) -> Tensor:
        """Score of the members of windows of one product, and the penalty on their drift; arguments as in `draw`."""
        schedule, weights = self.recipe.schedule, self.recipe.weights.at(share)
        drawn = draw(
            method, batch, members=schedule.members, passes=schedule.passes, source=source, style=style
        )
        windows = torch.from_numpy(batch.weights).to(drawn.truth.device)
        transform, blocks = method.settings.transform, method.settings.blocks
        score = ensemble_score(
            drawn.members,
            drawn.truth,
            transform=transform,
            unit=self.unit,
            weights=weights,
            windows=windows,
            blocks=blocks,
            generator=source,
        )
        score = score + weights.drift * drawn.drift
        if drawn.velocity is None or style is not None:
            return score
        latent = transform.forward(drawn.truth)
        return score + weights.movement * movement_error(
            drawn.velocity.float(), latent, known=drawn.known, blocks=blocks, windows=windows
        )
