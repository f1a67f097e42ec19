"""A training window: members drawn for it, and their score.

A coarse cell with a gap is missing as a whole. There the truth and every member are replaced by one and the same field,
the interpolated window: whatever is scored is then a functional of the known cells alone, and its CRPS stays proper.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch

from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.models.conserve import drift
from xdownscale.models.device import half_precision
from xdownscale.models.generator import draw_noise
from xdownscale.models.transform import Standard
from xdownscale.training.losses import ensemble_score
from xdownscale.training.minkowski import shape_term, squared_error
from xdownscale.training.movement import movement_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.method import Method
    from xdownscale.models.recipe import Recipe
    from xdownscale.models.transform import Transform
    from xdownscale.training.patches import Batch


class Drawn(NamedTuple):
    """Members of a window and what they are held against."""

    members: Tensor
    """(M, B, T, targets, H, W), physical units."""
    truth: Tensor
    """(B, T, targets, H, W); members and truth are those of the interpolated window where it is missing."""
    known: Tensor
    """Where it is not, bool, (B, T, targets, H, W)."""
    base: Tensor
    """The interpolated window, (B, T, targets, H, W)."""
    drift: Tensor
    """How far off block means of each target were before conservation, (targets,); 0 without gradients."""
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
    """Block means of targets and predictors, NaN where a cell has a gap, (B, L, C, M, N)."""
    truth: Tensor
    """(B, T, targets, H, W), that of the interpolated window in such cells."""
    known: Tensor
    """False in such cells, (B, T, targets, H, W)."""


def opened(method: Method, batch: Batch, device: torch.device) -> Opened:
    """Windows of one product as the method prepares them, their block means and their truth.

    Parameters
    ----------
    method : Method
    batch : Batch
        Windows of one product. One that the method does not know gets the default style.
    device : torch.device
    """
    fine = torch.from_numpy(batch.fine).to(device)
    static = None if batch.static is None else torch.from_numpy(batch.static).to(device)
    blocks = batch.blocks or method.settings.blocks
    coarse = _by_channel(partial(block_mean, blocks=blocks), fine)
    window = method.prepare(coarse, static, product_of(method, batch), blocks=blocks)
    known = ~_by_channel(partial(block_repeat, blocks=window.blocks), window.coarse.isnan())
    truth = torch.where(known, fine[:, :, : known.shape[2]], window.base)
    return Opened(window, coarse, truth, known)


def _by_channel(function: Callable[[Tensor], Tensor], fields: Tensor) -> Tensor:
    """What a function of the last three axes (time, y, x) makes of every channel of fields (B, T, C, H, W)."""
    return function(fields.transpose(1, 2)).transpose(1, 2)


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
    method = method.at(batch.scale)
    settings = method.settings
    latents = []
    with half_precision(source.device):
        with torch.set_grad_enabled(torch.is_grad_enabled() and style is None):
            window, coarse, truth, known = opened(method, batch, source.device)
        if style is not None:
            window = window.styled(style)
        for _ in range(members):
            noise = draw_noise(method.noise_maps(window.blocks), coarse.shape, generator=source)
            latents.append(method.latent(window, noise).float())
    shift = truth.new_zeros(len(settings.transforms))
    if settings.conserving and torch.is_grad_enabled():
        shift = torch.stack([_drifts(method, window, latent) for latent in latents]).mean(0)
    drawn = torch.stack([method.finish(window, latent, passes=passes) for latent in latents])
    return Drawn(torch.where(known, drawn, window.base), truth, known, window.base, shift, window.velocity)


def _drifts(method: Method, window: Any, latent: Tensor) -> Tensor:
    """How far off block means of each target are, in units of its detail, (targets,)."""
    targets = zip(method.settings.transforms, latent.unbind(2), window.coarse.unbind(2), strict=True)
    return torch.stack(
        [
            drift(values, coarse, transform=transform, blocks=window.blocks) / transform.correction**2
            for transform, values, coarse in targets
        ]
    )


@dataclass(frozen=True)
class WindowLoss:
    """The training loss of windows: the mean over the targets, and as much the score of a mixture of them.

    Parameters
    ----------
    recipe : Recipe
        Gives members, passes and the weights of the terms.
    units : tuple of float
        A typical magnitude of each target.
    """

    recipe: Recipe
    units: tuple[float, ...]

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
        blocks = batch.blocks or method.settings.blocks
        score = partial(ensemble_score, windows=windows, blocks=blocks, generator=source)
        transforms = [each.graded() for each in method.settings.transforms]
        chosen = [weights if each.nonnegative else weights.smooth for each in transforms]
        fields = zip(drawn.members.unbind(3), drawn.truth.unbind(2), strict=True)
        scores = [
            score(*values, transform=transform, unit=unit, weights=own)
            + self._extra(*values, transform, windows, share, source)
            for values, transform, unit, own in zip(fields, transforms, self.units, chosen, strict=True)
        ]
        drifts = [own.drift * each for own, each in zip(chosen, drawn.drift, strict=True)]
        total = torch.stack(scores).mean() + torch.stack(drifts).mean()
        if len(transforms) > 1 and schedule.members > 1:
            # as much as all targets together: nothing else says how they go together
            members, truth = mixture(drawn, transforms, source)
            total = total + score(members, truth, transform=Standard(), unit=1.0, weights=weights.smooth)
        if drawn.velocity is None or style is not None:
            return total
        return total + weights.movement * self._movement(
            drawn.velocity.float(), drawn, method, windows, blocks
        )

    def _extra(
        self,
        members: Tensor,
        truth: Tensor,
        transform: Transform,
        windows: Tensor,
        share: float,
        source: torch.Generator,
    ) -> Tensor:
        """What a recipe adds to the scores of the members of a target: nothing by default."""
        recipe, total = self.recipe, windows.new_zeros(())
        if recipe.squared:
            latents = transform.forward(members), transform.forward(truth)
            total = total + squared_error(*latents, windows)
        if recipe.shapes is not None:
            total = total + shape_term(
                members,
                truth,
                loss=recipe.shapes,
                forward=transform.forward,
                share=share,
                windows=windows,
                alpha=recipe.weights.alpha,
                generator=source,
            )
        return total

    def _movement(
        self, velocity: Tensor, drawn: Drawn, method: Method, windows: Tensor, blocks: Blocks
    ) -> Tensor:
        """How badly the velocity displaces the targets, which move together."""
        parts = zip(method.settings.transforms, drawn.truth.unbind(2), drawn.known.unbind(2), strict=True)
        errors = [
            movement_error(
                velocity,
                transform.forward(truth),
                known=known,
                blocks=blocks,
                windows=windows,
            )
            for transform, truth, known in parts
        ]
        return torch.stack(errors).mean()


def mixture(drawn: Drawn, transforms: Sequence[Transform], source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Members and truth of a random combination of the targets, in latent units.

    Scores of single targets are blind to how targets go together. The CRPS of combinations Σ_c w_c v_c, averaged over
    directions w, is the energy score of their joint law (Gneiting & Raftery 2007, doi:10.1198/016214506000001437,
    eq. 22; slicing: the norm is an average over directions).

    Parameters
    ----------
    drawn : Drawn
    transforms : sequence of Transform
        One for each target.
    source : torch.Generator
        Source of the direction.
    """
    direction = torch.randn(len(transforms), generator=source, device=source.device, dtype=torch.float32)
    direction = direction / direction.norm()

    def mixed(fields: Tensor) -> Tensor:
        latent = [t.forward(each) for t, each in zip(transforms, fields.unbind(-3), strict=True)]
        return torch.einsum("c...,c->...", torch.stack(latent), direction)

    return mixed(drawn.members), mixed(drawn.truth)
