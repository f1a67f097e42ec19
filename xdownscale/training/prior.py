"""Training of a prior: windows of fine fields, noised at levels of all sizes, and the error of the denoiser."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xdownscale.diffusion.denoise import Denoiser, denoising_error
from xdownscale.diffusion.schedule import NoiseLevel
from xdownscale.errors import EmptyFieldError
from xdownscale.field.warn import warn_user
from xdownscale.models.prior import LARGEST, PREDICTIONS, Prior, PriorSettings
from xdownscale.models.residual import latent_truth
from xdownscale.nn.fresh import FreshWeights
from xdownscale.nn.wiener import cross_spectra, periodic
from xdownscale.training.fit import Result, fit
from xdownscale.training.identity import identity_of
from xdownscale.training.patches import PatchSampler, Source
from xdownscale.training.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from xdownscale.models.prior_recipe import PriorRecipe
    from xdownscale.models.transform import Transform
    from xdownscale.training.data import TrainingData
    from xdownscale.training.patches import Batch

AT_ONCE = 4
"""Noise levels at which every window is denoised in a step, one from each quarter of the range."""

SMALLEST = 4e-3
"""Least noise over signal that is learned: a fraction of the error of coarse values by default."""

JUDGED = 16
"""Noise levels at which held-out windows are judged."""


class WholeWindows(PatchSampler):
    """Windows of fine fields without any gap, as they lie: neither turned nor masked, all alike.

    A prior is of the weather of one place, where winds have their directions, and of dry weather too.

    Parameters
    ----------
    sources : sequence of Source
    recipe : PriorRecipe
        Says how large windows are.
    targets : int
        How many variables.
    seed : int

    Raises
    ------
    EmptyFieldError
        If no window fits.
    """

    def __init__(self, sources: Sequence[Source], recipe: PriorRecipe, *, targets: int, seed: int) -> None:
        try:
            super().__init__(
                sources,
                blocks=(1, 1, 1),
                cells=recipe.cells,
                frames=recipe.frames,
                targets=targets,
                vectors=None,
                wet=None,
                seed=seed,
            )
        except EmptyFieldError as cause:
            sizes = ", ".join(f"{each.name}: {each.shape}" for each in sources)
            window = (recipe.frames, recipe.cells, recipe.cells)
            msg = (
                f"no window of {window} (time, y, x) without gaps fits into the fields ({sizes}). Train on larger "
                f"fields, or with smaller windows, recipe=xdownscale.PriorRecipe(cells=16, frames=3)."
            )
            raise EmptyFieldError(msg) from cause

    def _known(self, values: NDArray[np.float32]) -> float:
        return float(np.isfinite(values[:, : self.targets]).all())

    def _masked(self, fine: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:  # noqa: ARG002
        return fine


def learn_prior(
    data: TrainingData,
    recipe: PriorRecipe,
    *,
    judged: bool,
    seed: int,
    device: str,
    checkpoint: Path | None,
    progress: bool,
) -> tuple[Prior, Result]:
    """Train a prior on gathered fields.

    Parameters
    ----------
    data : TrainingData
    recipe : PriorRecipe
    judged : bool
        Whether held-out windows choose the best weights.
    seed, device, checkpoint, progress
        As in :func:`xdownscale.training.fit.fit`.

    Returns
    -------
    Prior
        With the averaged weights, on the CPU.
    Result
    """
    windows = partial(WholeWindows, recipe=recipe, targets=len(data.transforms), seed=(seed + 1) % 2**64)
    training = windows(data.sources)
    settings = prior_settings(data, recipe)
    with FreshWeights(seed):
        network = Prior(settings)
    if network.linear is not None:
        network.linear.factor.copy_(_spectra(data, settings))
    result = fit(
        network,
        training,
        _judging(data, windows) if judged else None,
        recipe=recipe,  # type: ignore[arg-type]  # all that is asked of it is its schedule
        run=Run(
            units=(1.0,) * len(data.transforms),
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            identity={} if checkpoint is None else identity_of(data, recipe, settings, seed=seed, start=None),  # type: ignore[arg-type]
            progress=progress,
        ),
        loss=partial(prior_loss, levels=recipe.levels),
        judge=partial(held_out_error, levels=recipe.levels),
    )
    network.load_state_dict(result.weights)
    return network.to("cpu").eval(), result


def _judging(data: TrainingData, windows: Any) -> PatchSampler | None:
    """Windows to judge by; a warning where none fits."""
    try:
        found: PatchSampler = windows(data.held_out)
    except EmptyFieldError:
        warn_user(
            "no held-out window is left to validate on: the last weights are kept, not the best. Pass "
            "validation=another_field to judge by, or validation=0."
        )
        return None
    return found


def prior_settings(data: TrainingData, recipe: PriorRecipe) -> PriorSettings:
    """Settings of a prior: the sizes of the recipe, and how each variable is normalised."""
    from xdownscale.models.prior import ERROR

    pairs = [
        _normalised(transform, [source.values[:, number] for source in data.sources], recipe.normalisation)
        for number, transform in enumerate(data.transforms)
    ]
    return PriorSettings(
        transforms=data.transforms,
        centres=tuple(centre for centre, _ in pairs),
        spreads=tuple(spread for _, spread in pairs),
        errors=(ERROR,) * len(pairs),
        cells=recipe.cells,
        frames=recipe.frames,
        blanket=recipe.blanket,
        overlap=recipe.overlap,
        size=recipe.size,
        prediction=recipe.prediction,
        linear=recipe.linear,
        margin=recipe.margin,
    )


def _complete(data: TrainingData, cells: int) -> list[Source]:
    """Fields that have no gap and hold a window."""
    whole = [each for each in data.sources if np.isfinite(each.values).all() and min(each.shape[1:]) >= cells]
    if not whole:
        msg = (
            "all fields have gaps, and the linear denoiser takes spectra of whole ones. Fill them, crop the fields, or "
            "train without it, recipe=xdownscale.PriorRecipe(linear=False)."
        )
        raise EmptyFieldError(msg)
    return whole


def _spectra(data: TrainingData, settings: PriorSettings) -> Tensor:
    """Those of the fields at zero mean and unit variance."""
    series = []
    for source in _complete(data, settings.cells):
        parts = [
            (latent_truth(scale.transform, torch.from_numpy(source.values[:, number])) - scale.centre)
            / scale.spread
            for number, scale in enumerate(settings.scales)
        ]
        series.append(torch.stack(parts))
    return cross_spectra(series, settings.frames, settings.cells)


def _normalised(transform: Transform, values: Sequence[NDArray[np.float32]], how: str) -> tuple[float, float]:
    """What latent values are shifted and divided by: mean and standard deviation, or 5 % and from there to 95 %."""
    every = np.concatenate([each[np.isfinite(each)] for each in values])
    latent = latent_truth(transform, torch.from_numpy(every)).double().numpy()
    if how == "quantiles":
        low, high = np.quantile(latent, [0.05, 0.95])
        return float(low), float(high - low) or 1.0
    return float(latent.mean()), float(latent.std()) or 1.0


def normalised(method: Prior, fine: Tensor) -> Tensor:
    """Physical windows at zero mean and unit variance: (B, C, T, H, W) from (B, T, C, H, W)."""
    scales = method.settings.scales
    parts = [
        (latent_truth(scale.transform, each) - scale.centre) / scale.spread
        for scale, each in zip(scales, fine.unbind(2), strict=True)
    ]
    return torch.stack(parts, 1)


def prior_loss(method: Prior, batch: Batch, source: torch.Generator, _share: float, *, levels: str) -> Tensor:
    """The error of the denoiser for one window at a few noise levels, each from a part of their range."""
    x_0 = normalised(method, torch.from_numpy(batch.fine).to(source.device))
    weight = float(batch.weights.mean())
    drawn = torch.rand(AT_ONCE, generator=source, device=source.device)
    places = (torch.arange(AT_ONCE, device=source.device) + drawn) / AT_ONCE
    return _errors(method, x_0, places, levels, source).mean() * weight


def held_out_error(method: Prior, batch: Batch, source: Any, *, levels: str) -> dict[str, float]:
    """Mean error of the denoiser over held-out windows, at fixed noise levels."""
    places = (torch.arange(JUDGED) + 0.5) / JUDGED
    total = 0.0
    with torch.no_grad():
        for number in range(len(batch.fine)):
            random = source(number)
            x_0 = normalised(method, torch.from_numpy(batch.fine[number : number + 1]).to(random.device))
            total += float(_errors(method, x_0, places.to(random.device), levels, random).mean())
    return {"denoising_error": total / len(batch.fine)}


def _errors(method: Prior, x_0: Tensor, places: Tensor, levels: str, source: torch.Generator) -> Tensor:
    """Squared errors of one window at noise levels that are told by places between 0 and 1."""
    clean = _of_a_torus(method, x_0).expand(len(places), *x_0.shape[1:])
    noise = torch.randn(clean.shape, generator=source, device=source.device, dtype=clean.dtype)
    level = levels_at(places, levels).shaped(clean.ndim)
    denoiser = Denoiser(method.answer, PREDICTIONS[method.settings.prediction])
    errors, edge = denoising_error(denoiser, clean, noise, level), method.settings.margin
    return errors[..., edge : errors.shape[-2] - edge, edge : errors.shape[-1] - edge]


def _of_a_torus(method: Prior, x_0: Tensor) -> Tensor:
    """Windows as a method that takes a tile for a torus will meet them; rain keeps its zeros."""
    if not method.settings.linear:
        return x_0
    parts = zip(method.settings.transforms, x_0.unbind(1), strict=True)
    return torch.stack([each if transform.nonnegative else periodic(each) for transform, each in parts], 1)


def levels_at(places: Tensor, how: str) -> NoiseLevel:
    """Noise levels from the least noise (0) to the most (1).

    Parameters
    ----------
    places : Tensor
        Between 0 and 1.
    how : {"wide", "cosine"}
        Even in log(σ/α), or in the time of ``diffusion.schedule.cosine_squared``.

    Examples
    --------
    >>> [round(float(each), 3) for each in levels_at(torch.tensor([0.0, 0.5, 1.0]), "wide").ratio]
    [0.004, 0.566, 80.0]
    """
    if how == "wide":
        low, high = math.log(SMALLEST), math.log(1.6 * LARGEST)
        return NoiseLevel.from_ratio(torch.exp(low + (high - low) * places))
    rest = 1e-3
    alpha = torch.cos(places * math.acos(math.sqrt(rest))).square()
    return NoiseLevel(alpha, (1 - alpha.square() + rest**2).sqrt())
