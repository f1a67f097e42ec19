"""Training of an emulator of Minkowski functionals, its file, and its place in a loss.

Targets are exact and computed anew for every frame that is shown: mixtures of two frames have shapes of their own,
which are no mixture of theirs. Losses of the three functionals weigh against each other by learned variances (Kendall
et al. 2018, doi:10.1109/CVPR.2018.00781): Σ_c ½·exp(−s_c)·M_c + ½·s_c, least at s_c = log M_c.
"""

from __future__ import annotations

import json
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xdownscale.errors import EmptyFieldError, ModelFileError
from xdownscale.io import write_whole
from xdownscale.kernels.minkowski import Measure, level_functionals, trapezoid
from xdownscale.nn.emulator import Emulator, EmulatorSettings
from xdownscale.nn.fresh import FreshWeights

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

MIX, NOISE = 0.2, 0.05
"""Mixtures λ·x + (1 − λ)·(x' + ε): λ of a beta distribution with both parameters 0.2, ε normal of 0.05 mm/h."""

WETTEST = 0.02
"""Share of cells above the lowest threshold that a frame has at least: of dry ones there is little to learn."""


def exact_curves(frames: NDArray[Any], settings: EmulatorSettings) -> NDArray[np.float32]:
    """What an emulator should say of frames: log(1 + γ) of area, length along sides and pieces, exact.

    Parameters
    ----------
    frames : array, shape (..., side, side)
    settings : EmulatorSettings

    Returns
    -------
    array, shape (..., Q, 3)
    """
    from scipy import ndimage

    curves = level_functionals(frames, settings.thresholds, Measure("edges"))
    for place in np.ndindex(frames.shape[:-2]):
        curves[(*place, ..., 2)] = [ndimage.label(frames[place] >= u)[1] for u in settings.thresholds]
    return np.log1p(curves).astype(np.float32)


class FrameSampler:
    """Draws square frames out of fields, the same for the same seed and step.

    Parameters
    ----------
    fields : sequence of array, each (time, y, x)
        Physical values; frames with missing ones are left out.
    settings : EmulatorSettings
    seed : int

    Raises
    ------
    EmptyFieldError
        If no frame fits.
    """

    def __init__(
        self, fields: Sequence[NDArray[np.float32]], settings: EmulatorSettings, *, seed: int
    ) -> None:
        self.fields = [field for field in fields if min(field.shape[-2:]) >= settings.side]
        self.settings, self.seed = settings, seed
        if not any(self._good(frame) for frame in self._tries(np.random.default_rng([seed, 1]), 200)):
            msg = (
                f"no frame of {settings.side} × {settings.side} cells with {WETTEST:.0%} of them above "
                f"{settings.thresholds[0]:g} is in the fields; pass larger or wetter ones, or a smaller side"
            )
            raise EmptyFieldError(msg)

    def batch(self, step: int, size: int, *, mixed: bool = True) -> NDArray[np.float32]:
        """Frames (size, side, side) of a step, turned and mirrored; half of them mixtures with another if wanted."""
        random = np.random.default_rng([self.seed, 2, step])
        drawn = self._drawn(random, 2 * size if mixed else size)
        turned = np.stack([_turned(frame, random) for frame in drawn])
        if not mixed:
            return turned
        first, other = turned[:size], turned[size:]
        share = random.beta(MIX, MIX, (size, 1, 1)).astype(np.float32)
        share[random.random(size) < 0.5] = 1.0
        noise = random.normal(0, NOISE, other.shape).astype(np.float32)
        mixture = share * first + (1 - share) * (other + noise)
        return np.maximum(mixture, 0)

    def _drawn(self, random: np.random.Generator, size: int) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = []
        while len(found) < size:
            found += [frame for frame in self._tries(random, size) if self._good(frame)]
        return found[:size]

    def _tries(self, random: np.random.Generator, count: int) -> list[NDArray[np.float32]]:
        side, frames = self.settings.side, []
        if not self.fields:
            return []
        for field in (self.fields[n] for n in random.integers(0, len(self.fields), count)):
            t, y, x = (random.integers(0, n) for n in (len(field), *(m - side + 1 for m in field.shape[1:])))
            frames.append(field[t, y : y + side, x : x + side])
        return frames

    def _good(self, frame: NDArray[np.float32]) -> bool:
        wet = float((frame >= self.settings.thresholds[0]).mean())
        return wet >= WETTEST and not np.isnan(frame).any()


def train_emulator(
    fields: Sequence[NDArray[np.float32]],
    settings: EmulatorSettings,
    *,
    steps: int = 2000,
    seconds: float | None = None,
    batch: int = 32,
    rate: float = 1e-3,
    seed: int = 0,
) -> Emulator:
    """Train an emulator of Minkowski functionals.

    Parameters
    ----------
    fields : sequence of array, each (time, y, x)
        Physical values in the units of the settings.
    settings : EmulatorSettings
    steps : int
        Optimiser steps of Adam; its rate rises over a twentieth of them, then falls along a cosine.
    seconds : float, optional
        Wall-clock budget: the schedule follows the clock where that is further. Such a run is not reproducible to the
        bit.
    batch : int
        Frames per step.
    rate : float
        Peak learning rate.
    seed : int
        Of weights and frames.

    Raises
    ------
    EmptyFieldError
        If no frame fits into the fields.
    """
    sampler = FrameSampler(fields, settings, seed=seed)
    with FreshWeights(seed):
        emulator = Emulator(settings)
    variances = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([*emulator.parameters(), variances], lr=rate)
    schedule = partial(_rate_at, rate=rate)
    started = time.monotonic()
    for step in range(steps):
        passed = (time.monotonic() - started) / seconds if seconds else 0.0
        share = max(step / steps, passed)
        if share >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = schedule(share)
        frames = sampler.batch(step, batch)
        targets = torch.from_numpy(exact_curves(frames, settings))
        found = emulator(torch.from_numpy(frames), units=settings.units)
        loss = weighed(curve_errors(found, targets, settings.levels).mean(0), variances)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(emulator.parameters(), 5.0)
        optimiser.step()
    return emulator.eval()


def curve_errors(found: Tensor, wanted: Tensor, levels: Sequence[float]) -> Tensor:
    """∫ |g(γ̂_c) − g(γ_c)| dq of logarithmic curves (..., Q, 3): one number for each functional, (..., 3)."""
    weights = torch.as_tensor(trapezoid(levels)).to(found)
    return ((found - wanted).abs() * weights[:, None]).sum(-2)


def weighed(errors: Tensor, variances: Tensor) -> Tensor:
    """Σ_c ½·exp(−s_c)·M_c + ½·s_c."""
    return (0.5 * torch.exp(-variances) * errors + 0.5 * variances).sum()


def trust_in(emulator: Emulator, truth: Tensor, scale: float) -> Tensor:
    """How far an emulator is to be believed about frames: exp(−(error on the truth/scale)²).

    Parameters
    ----------
    emulator : Emulator
    truth : Tensor, shape (..., side, side)
        In its units.
    scale : float

    Returns
    -------
    Tensor, shape (...)
    """
    settings = emulator.settings
    with torch.no_grad():
        wanted = torch.from_numpy(exact_curves(truth.cpu().numpy(), settings)).to(truth.device)
        error = curve_errors(emulator(truth, units=settings.units), wanted, settings.levels).sum(-1)
    return torch.exp(-((error / scale) ** 2))


def emulated(emulator: Emulator) -> Callable[[Tensor], Tensor]:
    """The logarithmic curves of fields that are known to be in the emulator's units."""
    return partial(emulator, units=emulator.settings.units)


def save_emulator(emulator: Emulator, path: str | os.PathLike[str]) -> None:
    """Write an emulator: tensors as safetensors, settings as JSON in its metadata."""
    from safetensors.torch import save

    tensors = {name: value.contiguous().clone() for name, value in emulator.state_dict().items()}
    content = save(tensors, metadata={"emulator": json.dumps(emulator.settings.to_json())})
    write_whole(path, lambda draft: draft.write_bytes(content))


def load_emulator(path: str | os.PathLike[str]) -> Emulator:
    """Read what :func:`save_emulator` wrote; without gradients of its weights.

    Raises
    ------
    ModelFileError
        If it is no file of an emulator.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})["emulator"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
        lists = {name: tuple(value) for name, value in document.items() if isinstance(value, list)}
        emulator = Emulator(EmulatorSettings(**{**document, **lists}))
        emulator.load_state_dict(tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as cause:
        msg = (
            f"{str(path)!r} is not the file of an emulator. Write one with "
            "xdownscale.training.emulator.save_emulator."
        )
        raise ModelFileError(msg) from cause
    return emulator.eval().requires_grad_(requires_grad=False)


def opened_emulator(path: str) -> Emulator:
    """The emulator of a file, read once for every state of the file."""
    return _opened(path, Path(path).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _opened(path: str, _changed: int) -> Emulator:
    return load_emulator(path)


def _rate_at(share: float, rate: float) -> float:
    return rate * min(1.0, 20 * share + 0.01) * 0.5 * (1 + float(np.cos(np.pi * share)))


def _turned(frame: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """One of the eight symmetries of the square."""
    turned = np.rot90(frame, int(random.integers(0, 4)))
    return np.ascontiguousarray(turned[:, ::-1] if random.random() < 0.5 else turned)
