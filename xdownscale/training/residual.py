"""Training of mean + residual diffusion: first the median net, then σ_r, then the denoiser of what is left."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from xdownscale.diffusion.denoise import Denoiser, Velocity, denoising_error
from xdownscale.diffusion.schedule import random_angle
from xdownscale.models.median import median_recipe
from xdownscale.training.fit import Result, fit, weights_in
from xdownscale.training.run import Run
from xdownscale.training.window import opened, product_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from torch import Tensor

    from xdownscale.models.recipe import Recipe
    from xdownscale.models.residual import Residual
    from xdownscale.training.patches import Batch, PatchSampler

LEVELS = 4
"""Noise levels at which every window is denoised in a step: the median net is asked once for all of them."""

MEDIAN_SHARE = 1 / 3
"""Of a budget of seconds, what the median net gets: a step of the denoiser takes several times as long."""

SURVEY = 32
"""Windows on which σ_r is estimated."""


def fit_residual(
    model: Residual,
    training: PatchSampler,
    validation: PatchSampler | None,
    *,
    recipe: Recipe,
    run: Run,
) -> Result:
    """Train median net and denoiser; σ_r becomes part of the settings.

    Each takes the steps of the recipe; its seconds, if any, are shared out between them.
    Parameters as in :func:`xdownscale.training.fit.fit`; the median net has a checkpoint of its own beside the other.
    Once the denoiser has one, the median net is the one in it: a run that goes on for longer leaves it as it is.
    """

    def mean(plan: Recipe, run: Run) -> None:
        median = fit(model.mean, training, validation, recipe=median_recipe(plan), run=run)
        model.mean.load_state_dict(median.weights)

    return mean_then_denoiser(
        model,
        training,
        recipe=recipe,
        run=run,
        mean=mean,
        left_over=left_over,
        denoiser=partial(fit, model, training, validation, loss=denoising_loss),
    )


def mean_then_denoiser(
    model: Any,
    training: PatchSampler,
    *,
    recipe: Recipe,
    run: Run,
    mean: Callable[[Recipe, Run], object],
    left_over: Callable[[Any, Batch, str], tuple[float, ...]],
    denoiser: Callable[..., Result],
) -> Result:
    """Train the mean of a method, estimate σ_r, and train the denoiser of what the mean leaves.

    Parameters
    ----------
    model : Method
        Has the mean as `mean`, and `scales` among its settings.
    training : PatchSampler
        Windows of it are those on which σ_r is estimated.
    recipe : Recipe
        Each network takes its steps; its seconds, if any, are shared out between them.
    run : Run
        Once there is a checkpoint of the denoiser, the mean is that in it.
    mean : callable
        Trains the mean by a recipe in a run of its own, and leaves the weights in `model`.
    left_over : callable
        σ_r of a model on some windows on a device.
    denoiser : callable
        Trains the denoiser, of ``recipe=`` and ``run=``.
    """
    first, second = shared_out(recipe)
    if run.checkpoint is not None and run.checkpoint.exists():
        model.to(run.device).load_state_dict(weights_in(run.checkpoint, run))
    else:
        mean(first, run.beside("mean"))
    model.mean.requires_grad_(requires_grad=False)
    scales = left_over(model.to(run.device), training.spread(SURVEY), run.device)
    model.settings = replace(model.settings, scales=scales)
    return denoiser(recipe=second, run=run)


def shared_out(recipe: Recipe) -> tuple[Recipe, Recipe]:
    """The recipe with the median net's part of the seconds, and with the denoiser's."""
    seconds = recipe.schedule.seconds
    if seconds is None:
        return recipe, recipe
    parts = (MEDIAN_SHARE * seconds, (1 - MEDIAN_SHARE) * seconds)
    first, second = (replace(recipe, schedule=replace(recipe.schedule, seconds=part)) for part in parts)
    return first, second


def left_over(model: Residual, windows: Batch, device: str = "cpu") -> tuple[float, ...]:
    """σ_r: the weighted root mean square, in latent units, of what the median net leaves of every target."""
    squares, weights = torch.zeros(len(model.settings.transforms), device=device, dtype=torch.float64), 0.0
    for number in range(len(windows.fine)):
        part = windows.part(slice(number, number + 1))
        with torch.no_grad():
            window, _, truth, known = opened(model, part, torch.device(device))
            rest = model.remainder(window, truth) * truth.new_tensor(model.settings.scales)[:, None, None]
        parts = zip(rest.unbind(2), known.unbind(2), strict=True)
        mean = torch.stack([each[where].square().mean() for each, where in parts])
        squares += float(part.weights[0]) * mean
        weights += float(part.weights[0])
    return tuple(max(float(each / weights) ** 0.5, 1e-6) for each in squares)


def denoising_loss(method: Residual, batch: Batch, source: torch.Generator, _share: float) -> Tensor:
    """The error of the denoiser at a few noise levels, for one window; the same all through a run.

    In missing cells it learns that nothing is left, so that cells beside them see in sampling what they saw here.
    """
    with torch.no_grad():
        window, _, truth, known = opened(method, batch, source.device)
        remainder = torch.where(known, method.remainder(window, truth), 0.0)
    known = method.denoiser.condition(window.window.features, window.mean)
    clean = remainder.expand(LEVELS, *remainder.shape[1:])
    level = random_angle(LEVELS, generator=source).shaped(clean.ndim)
    noise = torch.randn(clean.shape, generator=source, device=source.device, dtype=clean.dtype)
    # the style once more, since that of the window has no gradient
    network = partial(method.denoiser, known=known, style=method.style(product_of(method, batch)))
    return denoising_error(Denoiser(network, Velocity()), clean, noise, level).mean() * float(
        batch.weights[0]
    )
