"""The style vector that fits a sample of fine fields: four numbers, everything else as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from xdownscale.kernels.blocks import block_mean
from xdownscale.model.generator import Generator, draw_noise
from xdownscale.training.losses import ensemble_score

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.model.recipe import Recipe
    from xdownscale.training.patches import Batch, PatchSampler

RATE = 0.1
"""Learning rate of the vector, whose entries are of the order of 1."""


def fit_style(
    method: Generator,
    windows: PatchSampler,
    *,
    recipe: Recipe,
    unit: float,
    steps: int,
    seed: int = 0,
    progress: bool = True,
) -> tuple[Tensor, float, float]:
    """Learn a style vector on the training loss.

    Parameters
    ----------
    method : Generator
        Not changed.
    windows : PatchSampler
        Windows of the sample.
    recipe : Recipe
        Gives members, passes and the weights of the loss.
    unit : float
        A typical magnitude of the field.
    steps : int
        Windows to learn from, one for each step.
    seed : int
        Seed of noise and filters.
    progress : bool
        Show a progress bar.

    Returns
    -------
    vector : Tensor, shape (style,)
        Mean over the second half of the steps.
    before, after : float
        Loss on the same windows and noise with the style of the method and with the new one.
    """
    start = method.style().detach().clone()
    vector = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([vector], lr=RATE)
    trail = []
    for step in tqdm(range(steps), disable=not progress, unit="step", desc="calibrate"):
        source = torch.Generator().manual_seed(seed * 1_000_003 + step)
        loss = _loss(method, windows.batch(step, 1), vector, source, recipe, unit)
        optimiser.zero_grad()
        (vector.grad,) = torch.autograd.grad(loss, vector)
        optimiser.step()
        trail.append(vector.detach().clone())
    found = torch.stack(trail[len(trail) // 2 :]).mean(0)
    judged = windows.spread(8)

    def judge(style: Tensor) -> float:
        losses = []
        for number in range(len(judged.fine)):
            source = torch.Generator().manual_seed(seed + number)
            with torch.no_grad():
                losses.append(
                    float(_loss(method, judged.part(slice(number, number + 1)), style, source, recipe, unit))
                )
        return sum(losses) / len(losses)

    return found, judge(start), judge(found)


def with_vector(method: Generator, name: str, vector: Tensor) -> Generator:
    """A generator that knows one style more, or an old one anew, and gives it by default."""
    styles = [*method.settings.styles] + ([] if name in method.settings.styles else [name])
    table = torch.zeros(len(styles), vector.numel())
    table[: len(method.settings.styles)] = method.styles.detach()
    table[styles.index(name)] = vector
    with torch.random.fork_rng(devices=[]):
        calibrated = Generator(replace(method.settings, styles=tuple(styles), default=name))
    calibrated.load_state_dict({**method.state_dict(), "styles": table})
    return calibrated.eval()


def _loss(
    method: Generator, batch: Batch, style: Tensor, source: torch.Generator, recipe: Recipe, unit: float
) -> Tensor:
    """Score of the members of one window with a style."""
    truth = torch.from_numpy(batch.fine)
    coarse = block_mean(truth, method.settings.blocks)
    with torch.no_grad():
        static = None if batch.static is None else torch.from_numpy(batch.static)
        window = method.prepare(coarse, static)
    window = window._replace(style=style)
    members = [
        method(
            window,
            draw_noise(method.noise_maps, coarse.shape, generator=source),
            passes=recipe.schedule.passes,
        )
        for _ in range(recipe.schedule.members)
    ]
    return ensemble_score(
        torch.stack(members),
        truth,
        transform=method.settings.transform,
        unit=unit,
        weights=recipe.weights,
        windows=torch.from_numpy(batch.weights),
        blocks=method.settings.blocks,
        generator=source,
    )
