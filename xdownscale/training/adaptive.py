"""Training of the scale-adaptive framework: first the mean, by its squared error, then the denoiser, by its v-loss.

Defez et al. 2026 (arXiv:2604.21903, section 5 and algorithm 1): normalised values, Adam with a cosine to zero, the best
validated weights, and an end after eight epochs without improvement. An epoch is what lies between two validations.
The mean of the last frame of a window is conserved from the share `delay` of the run on; its validation always is.

The authors' stored code trains both networks by the v-loss alone, as STVD does; the text, which is followed here, has a
predictor of the mean first. Nothing but a squared error makes D a mean (``training.video``).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from einops import rearrange

from xdownscale.diffusion.denoise import Velocity
from xdownscale.diffusion.schedule import linear_beta
from xdownscale.errors import ArgumentError
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.models.adaptive import Adaptive
from xdownscale.models.adaptive_settings import AdaptiveSettings
from xdownscale.training.caps import limits_of
from xdownscale.training.fit import Result, fit
from xdownscale.training.residual import mean_then_denoiser
from xdownscale.training.run import Run
from xdownscale.training.window import product_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from xdownscale.models.adaptive_recipe import AdaptiveRecipe
    from xdownscale.models.generator import GeneratorSettings
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.patches import Batch, PatchSampler

JUDGED = 4
"""Steps of the diffusion at which a window is judged."""


def adaptive_settings(settings: GeneratorSettings, plan: Recipe) -> AdaptiveSettings:
    """Settings of the method from those that all share, and the recipe.

    Raises
    ------
    ArgumentError
        If the recipe is not for this method.
    """
    recipe = planned(plan)
    shared = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    shared |= {"stochastic": recipe.residual, "conserving": recipe.conserving}
    return AdaptiveSettings(
        **shared,
        adaptive=recipe.size,
        length=recipe.length,
        cells=plan.cells,
        power=recipe.power,
        threshold=recipe.threshold,
        kept=recipe.conserving,
        scope="frame" if recipe.conserving else "none",
        beta=recipe.beta,
        levels=recipe.levels,
        standardised=recipe.standardised,
        sampler=recipe.sampler,
        steps=recipe.steps,
    )


def planned(plan: Recipe) -> Any:
    """The part of a recipe that is for the scale-adaptive framework; for chosen factors nothing of it is open."""
    if plan.adaptive is None:
        msg = (
            'method="scale-adaptive" needs a recipe with sizes of its own: pass recipe="scale-adaptive-small", '
            'recipe="scale-adaptive", or an xdownscale.Recipe(..., adaptive=AdaptiveRecipe())'
        )
        raise ArgumentError(msg)
    return plan.adaptive


def fit_adaptive(
    model: Adaptive,
    training: PatchSampler,
    validation: PatchSampler | None,
    *,
    recipe: Recipe,
    run: Run,
) -> Result:
    """Train the mean and the denoiser; limits of values and σ_r become part of the settings.

    Each takes the steps of the recipe; its seconds, if any, are shared out between them.
    Parameters as in :func:`xdownscale.training.fit.fit`; the mean has a checkpoint of its own beside the other. Once
    the denoiser has one, the mean is the one in it: a run that goes on for longer leaves it as it is.
    """
    plan = planned(recipe)
    lows, highs = limits_of(training.sources, model.settings.transforms, quantile=plan.quantile)
    model.settings = replace(model.settings, lows=lows, highs=highs)

    def mean(plan_of_mean: Recipe, run: Run) -> Result:
        result = fit(
            model.deterministic(), training, validation, recipe=plan_of_mean, run=run,
            loss=partial(mean_loss, plan), judge=partial(judge, partial(mean_loss, plan, share=1.0)),
        )  # fmt: skip
        model.load_state_dict(result.weights)
        return result

    if not model.settings.stochastic:
        return mean(recipe, run)
    judged = partial(judge, partial(residual_loss, replace(plan, draws=JUDGED)))
    return mean_then_denoiser(
        model,
        training,
        recipe=recipe,
        run=run,
        mean=mean,
        left_over=left_over,
        denoiser=partial(fit, model, training, validation, loss=partial(residual_loss, plan), judge=judged),
    )


class Last(NamedTuple):
    """The last frame of a window, and its context."""

    context: Tensor
    """What the networks are shown, (1, L, channels, H, W)."""
    coarse: Tensor
    """Block means of the targets, (1, targets, M, N), NaN where missing."""
    truth: Tensor
    """Normalised, (1, 1, T·targets, H, W); zero where missing."""
    known: Tensor
    """Where it is not, (1, 1, T·targets, H, W)."""


def last_of(method: Adaptive, batch: Batch, device: torch.device) -> Last | None:
    """The last frame of a single window, values cut at the largest of normalised rain; None where all is dry.

    Where the last frame is dry, the latest that is not stands for it, so that no window is wasted. Its context is
    shorter by what follows, and made up with the first frame as at the start of a series.
    """
    settings = method.settings
    targets, blocks = len(settings.transforms), settings.blocks
    fine = torch.from_numpy(_cut(batch.fine, method)).to(device)
    coarse = block_mean(fine.transpose(1, 2), blocks).transpose(1, 2)
    frame = coarse.shape[1] - 1
    if all(each.nonnegative for each in settings.transforms):
        wet = (coarse[0, :, :targets] > 0).flatten(1).any(1).nonzero()
        if not len(wet):
            return None
        frame = int(wet[-1])
    past = torch.arange(frame + 1 - settings.length, frame + 1, device=device).clamp_min(0)
    own = coarse[:, frame, :targets]
    static = None if batch.static is None else torch.from_numpy(batch.static).to(device)
    known = block_repeat(~own[:, :, None].isnan(), blocks)
    truth = method.normalised_truth(fine[:, frame * blocks[0] : (frame + 1) * blocks[0], :targets])
    known = rearrange(known, "b c t h w -> b 1 (t c) h w")
    return Last(method.shown(coarse[:, past], static), own, torch.where(known, truth, 0.0), known)


def _cut(fine: np.ndarray, method: Adaptive) -> np.ndarray:
    """Rain cut at the value that becomes 1; other channels as they are."""
    pairs = zip(method.settings.transforms, method.settings.highs, strict=True)
    highest = [high if transform.nonnegative else np.inf for transform, high in pairs]
    highest += [np.inf] * (fine.shape[2] - len(highest))
    limit = np.asarray(highest, np.float32)[:, None, None]
    return np.where(fine > limit, limit, fine)  # NaN stays


def mean_loss(
    plan: AdaptiveRecipe, method: Adaptive, batch: Batch, source: torch.Generator, share: float
) -> Tensor:
    """The squared error of the mean of the last frame of one window, normalised."""
    last = last_of(method, batch, source.device)
    if last is None:
        return _nothing(method)
    kept = plan.conserving and share >= plan.delay
    mean = method.mean_of(last.context, last.coarse, kept=kept)[:, None]
    return _mean((mean - last.truth).square(), last.known) * float(batch.weights[0])


def residual_loss(
    plan: AdaptiveRecipe,
    method: Adaptive,
    batch: Batch,
    source: torch.Generator,
    share: float = 1.0,  # noqa: ARG001
) -> Tensor:
    """The error |v − v̂|² at a few steps of the diffusion, for the last frame of one window.

    In missing cells it learns that nothing is left, so that cells beside them see in sampling what they saw here.
    """
    last = last_of(method, batch, source.device)
    if last is None:
        return _nothing(method)
    with torch.no_grad():
        mean = method.mean_of(last.context, last.coarse)[:, None]
        left = torch.where(last.known, last.truth - mean, 0.0) / method.spread
    settings = method.settings
    tokens = None if method.context is None else method.context(last.context)[:, None]
    clean = left.expand(plan.draws, *left.shape[1:])
    step = torch.randint(1, settings.levels + 1, (plan.draws,), generator=source, device=source.device)
    level = linear_beta(settings.levels, last=settings.beta)[settings.levels - step.cpu()]
    level = level.to(clean).shaped(clean.ndim)
    noise = torch.randn(clean.shape, generator=source, device=source.device, dtype=clean.dtype)
    said = method.answer(
        level.noised(clean, noise),
        step,
        last=last.context[:, -1:, : len(settings.transforms)],
        mean=mean,
        tokens=tokens,
        style=method.style(product_of(method, batch)),
    )
    return (said - Velocity().target(clean, noise, level)).square().mean() * float(batch.weights[0])


def judge(
    loss: Callable[..., Tensor], method: Adaptive, batch: Batch, source: Callable[[int], torch.Generator]
) -> dict[str, float]:
    """The mean loss of the windows that were judged, by their weights: of any number of windows, a mean of these."""
    total, weights = 0.0, 0.0
    for number in range(len(batch.fine)):
        part = batch.part(slice(number, number + 1))
        with torch.no_grad():
            total += float(loss(method, part, source(number)))
        weights += float(part.weights[0])
    return {"loss": total / weights}


def left_over(method: Adaptive, windows: Batch, device: str = "cpu") -> tuple[float, ...]:
    """σ_r: the weighted root mean square of what the mean leaves of the last frames of some windows, normalised."""
    targets = len(method.settings.transforms)
    squares, weights = torch.zeros(targets, dtype=torch.float64), 0.0
    for number in range(len(windows.fine)):
        part = windows.part(slice(number, number + 1))
        last = last_of(method, part, torch.device(device))
        if last is None:
            continue
        with torch.no_grad():
            left = last.truth - method.mean_of(last.context, last.coarse)[:, None]
        for target in range(targets):
            square = _mean(left[:, :, target::targets].square(), last.known[:, :, target::targets])
            squares[target] += float(part.weights[0]) * float(square)
        weights += float(part.weights[0])
    return tuple(max(float(each / max(weights, 1e-12)) ** 0.5, 1e-6) for each in squares)


def _mean(values: Tensor, known: Tensor) -> Tensor:
    """Over what is known."""
    return (values * known).sum() / known.sum().clamp_min(1)


def _nothing(method: Adaptive) -> Tensor:
    """Zero, with a gradient: of dry frames, which the networks are never asked for, there is nothing to learn."""
    return 0.0 * method.styles.sum()
