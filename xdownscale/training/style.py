"""The style vector that fits a sample of fine fields: four numbers, everything else as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from tqdm.auto import tqdm

from xdownscale.models.kinds import kind_named
from xdownscale.nn.fresh import FreshWeights
from xdownscale.training.window import WindowLoss

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.models.method import Method
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.patches import Batch, PatchSampler

RATE = 0.1
"""Learning rate of the vector, whose entries are of the order of 1."""


def fit_style(
    method: Method,
    windows: PatchSampler,
    judged: Batch,
    *,
    recipe: Recipe,
    units: tuple[float, ...],
    steps: int,
    seed: int = 0,
    progress: bool = True,
) -> tuple[Tensor, float, float]:
    """Learn a style vector on the training loss.

    Parameters
    ----------
    method : Method
        Not changed.
    windows : PatchSampler
        Windows to learn from.
    judged : Batch
        Windows to judge by.
    recipe : Recipe
        Gives members, passes and the weights of the loss.
    units : tuple of float
        A typical magnitude of each target.
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
        Loss on the windows to judge by, and the same noise, with the style of the method and with the new one.
    """
    score = WindowLoss(recipe, units)
    start = method.style().detach().clone()
    vector = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([vector], lr=RATE)
    trail = []
    for step in tqdm(range(steps), disable=not progress, unit="step", desc="calibrate"):
        loss = score(method, windows.batch(step, 1), _source(seed * 1_000_003 + step), style=vector)
        optimiser.zero_grad()
        (vector.grad,) = torch.autograd.grad(loss, vector)
        optimiser.step()
        trail.append(vector.detach().clone())
    found = torch.stack(trail[len(trail) // 2 :]).mean(0)

    def judge(style: Tensor) -> float:
        parts = [judged.part(slice(n, n + 1)) for n in range(len(judged.fine))]
        with torch.no_grad():
            losses = [
                float(score(method, part, _source(seed + n), style=style)) for n, part in enumerate(parts)
            ]
        return sum(losses) / len(losses)

    return found, judge(start), judge(found)


def with_vector(method: Method, name: str, vector: Tensor) -> Method:
    """A method that knows one style more, or an old one anew, and gives it by default."""
    styles = [*method.settings.styles] + ([] if name in method.settings.styles else [name])
    table = torch.zeros(len(styles), vector.numel(), dtype=vector.dtype)
    table[: len(method.settings.styles)] = method.styles.detach()
    table[styles.index(name)] = vector
    with FreshWeights(0):
        calibrated = kind_named(method.kind).build(
            replace(method.settings, styles=tuple(styles), default=name, gains=_gains(method, styles, name))
        )
    calibrated.load_state_dict({**method.state_dict(), "styles": table})
    made: Method = calibrated.eval()
    return made


def _gains(method: Method, styles: list[str], name: str) -> tuple[float, ...]:
    """Gains of old styles, and 1 for the new one; none where all are 1."""
    settings = method.settings
    known = dict(zip(settings.styles, settings.gains or (1.0,) * len(settings.styles), strict=True))
    gains = tuple(1.0 if each == name else known[each] for each in styles)
    return () if set(gains) == {1.0} else gains


def _source(seed: int) -> torch.Generator:
    """A source of noise and filters."""
    return torch.Generator().manual_seed(seed % 2**63)
