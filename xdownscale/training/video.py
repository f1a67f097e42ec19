"""Training of a joint video diffusion: one v-loss for the downscaler and the denoiser (STVD, algorithm 1).

    r₀ = (y − ȳ)/σ_r,   r_n = α·r₀ + σ·ε,   v = α·ε − σ·r₀,   loss = |v − v̂(r_n, n, x↑, ȳ, features of μ)|²

Nothing is cut: the gradient reaches μ through r₀, through ȳ among what the denoiser is shown, and through the features.

What the loss says of ȳ. Given x, a perfect denoiser's error is that of E[r₀ | r_n, x]; a known shift of r₀ changes
neither noise nor information, so this error is the same for every ȳ, and σ_r·r̂ makes up for what ȳ lacks. Before the
denoiser is perfect, a small residual is the easiest to denoise, and so ȳ becomes a mean of a kind. `anchor` times
|y − ȳ|²/σ_r² makes it the conditional mean. σ_r, where it is used, is learned as the scale of y − ȳ, by its
likelihood alone: the v-loss gives it no gradient, since a large one would make every residual easy.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from xdownscale.diffusion.denoise import Denoiser, Velocity, denoising_error
from xdownscale.diffusion.schedule import NoiseLevel, random_angle, sigmoid
from xdownscale.errors import ArgumentError
from xdownscale.models.transform import LogRain
from xdownscale.models.video import Video, VideoSettings
from xdownscale.training.fit import Result, fit
from xdownscale.training.run import Run
from xdownscale.training.window import opened, product_of

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.models.generator import GeneratorSettings
    from xdownscale.models.recipe import Recipe
    from xdownscale.models.video_recipe import VideoRecipe
    from xdownscale.training.patches import Batch, PatchSampler

SURVEY = 32
"""Windows on which limits of values and σ_r are estimated at the start."""


def video_settings(settings: GeneratorSettings, plan: Recipe) -> VideoSettings:
    """Settings of the method from those that all share, and the recipe.

    Raises
    ------
    ArgumentError
        If the recipe is not for this method.
    """
    video = planned(plan)
    shared = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    if video.epsilon is not None:
        shared["transforms"] = tuple(
            replace(each, epsilon=video.epsilon) if isinstance(each, LogRain) else each
            for each in settings.transforms
        )
    shared |= {"stochastic": video.residual, "conserving": video.conserving}
    return VideoSettings(
        **shared,
        video=video.size,
        frames=plan.frames,
        cells=plan.cells,
        dry=video.dry,
        clip=video.clip,
        sampler=video.sampler,
    )


def planned(plan: Recipe) -> VideoRecipe:
    """The part of a recipe that is for a video diffusion."""
    if plan.video is None:
        msg = (
            'method="video" needs a recipe with sizes of its own: pass recipe="stvd-small", recipe="stvd", or an '
            "xdownscale.Recipe(..., video=xdownscale.models.recipe.VideoRecipe(...))"
        )
        raise ArgumentError(msg)
    return plan.video


def fit_video(
    model: Video,
    training: PatchSampler,
    validation: PatchSampler | None,
    *,
    recipe: Recipe,
    run: Run,
) -> Result:
    """Train downscaler and denoiser together; the limits of values become part of the settings.

    Parameters as in :func:`xdownscale.training.fit.fit`.
    """
    plan, model = planned(recipe), model.to(run.device)
    windows = training.spread(SURVEY)
    lows, highs = limits(model, windows)
    model.settings = replace(model.settings, lows=lows, highs=highs)
    if plan.standardised:
        with torch.no_grad():
            model.log_sigma.copy_(left_over(model, windows, run.device).log())
    return fit(
        model,
        training,
        validation,
        recipe=recipe,
        run=run,
        loss=partial(video_loss, plan),
    )


def limits(model: Video, windows: Batch) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The least and the largest latent value of every target on some windows; of rain the least is that of zero."""
    lows, highs = [], []
    for number, transform in enumerate(model.settings.transforms):
        values = torch.from_numpy(windows.fine[:, :, number])
        latent = transform.forward(values[~values.isnan()])
        lows.append(0.0 if transform.nonnegative else float(latent.min()))
        highs.append(max(float(latent.max()), lows[-1] + 1e-3))
    return tuple(lows), tuple(highs)


def left_over(model: Video, windows: Batch, device: str = "cpu") -> Tensor:
    """σ_r: the weighted root mean square of y − ȳ on some windows, for every target, in units of [−1, 1]."""
    squares, weights = torch.zeros(len(model.settings.transforms), device=device), 0.0
    for number in range(len(windows.fine)):
        part = windows.part(slice(number, number + 1))
        with torch.no_grad():
            window, _, truth, known = opened(model, part, torch.device(device))
            rest = model.latent_truth(truth) - window.mean
        squares += float(part.weights[0]) * _mean_square(rest, known)
        weights += float(part.weights[0])
    return (squares / weights).sqrt().clamp_min(1e-6)


def video_loss(
    plan: VideoRecipe, method: Video, batch: Batch, source: torch.Generator, _share: float
) -> Tensor:
    """The joint loss for one window; the same all through a run.

    In missing cells it learns that nothing is left, so that cells beside them see in sampling what they saw here.
    """
    window, _, truth, known = opened(method, batch, source.device)
    left = torch.where(known, method.latent_truth(truth) - window.mean, 0.0)
    square = _mean_square(left.detach(), known)
    left = left / method.spread
    total = plan.anchor * (left.square().sum() / known.sum()) if plan.anchor else left.new_zeros(())
    if plan.standardised:  # the likelihood of σ_r, at its best where σ_r² is the mean square
        total = total + (0.5 * square * (-2 * method.log_sigma).exp() + method.log_sigma).mean()
    if plan.residual:
        # the style once more: it belongs to the denoiser alone
        style = method.style(product_of(method, batch))
        mean, features = window.mean, window.features or []
        if not plan.joint:
            left, mean, features = left.detach(), mean.detach(), [each.detach() for each in features]
        network = partial(method.answer, shown=window.shown, mean=mean, features=features, style=style)
        clean = left.expand(plan.draws, *left.shape[1:])
        level = _levels(plan, clean, source)
        noise = torch.randn(clean.shape, generator=source, device=source.device, dtype=clean.dtype)
        total = total + denoising_error(Denoiser(_told(network), Velocity()), clean, noise, level).mean()
    return total * float(batch.weights[0])


def _told(network: Any) -> Any:
    """A network that is told angles of levels which are shaped to broadcast."""

    def asked(r_n: Tensor, angle: Tensor) -> Tensor:
        found: Tensor = network(r_n, angle[:, :, 0, 0, 0])
        return found

    return asked


def _levels(plan: VideoRecipe, clean: Tensor, source: torch.Generator) -> NoiseLevel:
    """Noise levels of sequences (B, T, …), shape (B, 1 or T, 1, 1, 1)."""
    frames = clean.shape[1] if plan.per_frame else 1
    count = len(clean) * frames
    if plan.levels == "angle":
        drawn = random_angle(count, generator=source)
    else:
        known = sigmoid()
        chosen = torch.randint(len(known) - 1, (count,), generator=source, device=source.device).cpu()
        drawn = NoiseLevel(
            *(each.float().to(source.device) for each in (known.alpha[chosen], known.sigma[chosen]))
        )
    shape = (len(clean), frames, 1, 1, 1)
    return NoiseLevel(drawn.alpha.reshape(shape), drawn.sigma.reshape(shape))


def _mean_square(left: Tensor, known: Tensor) -> Tensor:
    """Of every target, where it is known."""
    parts = zip(left.unbind(2), known.unbind(2), strict=True)
    return torch.stack(
        [each[where].square().mean() if where.any() else each.new_zeros(()) for each, where in parts]
    )
