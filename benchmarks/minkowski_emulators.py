"""How well emulators of Minkowski functionals do on radar rain of a network that they have not seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import TEST_EVENTS, event_rain

from xdownscale.kernels.minkowski import Measure, level_functionals, trapezoid
from xdownscale.nn.emulator import KINDS, Emulator, EmulatorSettings
from xdownscale.nn.soft_minkowski import soft_functionals
from xdownscale.training.emulator import curve_errors, exact_curves, load_emulator
from xdownscale.training.minkowski import signed_log

NAMES = ("area", "perimeter", "components")

EVERY = 8
"""Every eighth frame of an event is cut into tiles."""

TARGETS = 3
"""Frames whose curves are aimed at."""

DRAWS = 400
"""Of the bootstrap."""


def table(folder: Path, models: Path, only: list[str] | None) -> dict[str, dict[str, str | float]]:
    """A row for every emulator that is there, or those of some names."""
    made = {
        kind: load_emulator(models / f"emulator_{kind}.safetensors")
        for kind in KINDS
        if (models / f"emulator_{kind}.safetensors").exists() and (not only or kind in only)
    }
    settings = next(iter(made.values())).settings
    frames, blocks = tiles(folder, settings)
    wanted = torch.from_numpy(exact_curves(frames, settings))
    targets = frames[np.argsort([-f.mean() for f in frames])[:: len(frames) // TARGETS]][:TARGETS]
    rows = {
        "truth": violations(wanted) | {"Crofton's P² < 4π·A": of_crofton(frames, settings)},
    }
    for kind, emulator in made.items():
        began = time.perf_counter()
        with torch.no_grad():
            found = torch.cat([emulator(f, units=settings.units) for f in torch.from_numpy(frames).split(64)])
        seconds = time.perf_counter() - began
        rows[kind] = agreement(found, wanted, settings, blocks) | violations(found)
        rows[kind] |= {
            "weights": sum(weight.numel() for weight in emulator.parameters()),
            "ms per frame": 1000 * seconds / len(frames),
            "steepest found": steepest(emulator, frames[:4]),
            "bound": emulator.bound or float("inf"),
            "inversion": inversion(emulated(emulator), targets, settings),
        }
    rows["soft functionals"] = {"inversion": inversion(soft_of(settings), targets, settings)}
    return rows


def tiles(folder: Path, settings: EmulatorSettings) -> tuple[np.ndarray, np.ndarray]:
    """Tiles of the test events with some rain, and the event and frame that each is from."""
    found, blocks = [], []
    for number, date in enumerate(TEST_EVENTS):
        values = event_rain(folder, date).values[::EVERY]
        for step, frame in enumerate(values):
            for y in range(0, frame.shape[0] - settings.side + 1, settings.side):
                for x in range(0, frame.shape[1] - settings.side + 1, settings.side):
                    tile = frame[y : y + settings.side, x : x + settings.side]
                    if not np.isnan(tile).any() and (tile >= settings.thresholds[0]).mean() >= 0.02:
                        found.append(tile)
                        blocks.append(1000 * number + step)
    return np.stack(found), np.asarray(blocks)


def agreement(
    found: torch.Tensor, wanted: torch.Tensor, settings: EmulatorSettings, blocks: np.ndarray
) -> dict[str, str | float]:
    """Least and largest R² over thresholds of each functional, and the Minkowski distance with its interval."""
    ours, theirs = np.expm1(found.double().numpy()), np.expm1(wanted.double().numpy())
    left = np.square(ours - theirs).sum(0) / np.square(theirs - theirs.mean(0)).sum(0)
    rows: dict[str, str | float] = {
        f"R² {name}": f"{1 - left[:, c].max():.3f} … {1 - left[:, c].min():.3f}"
        for c, name in enumerate(NAMES)
    }
    distance = curve_errors(found, wanted, settings.levels).sum(-1).numpy()
    rows["distance"] = with_interval(distance, blocks)
    return rows


def with_interval(values: np.ndarray, blocks: np.ndarray) -> str:
    """A mean with 95 % by bootstrap of frames."""
    random, kinds = np.random.default_rng(0), np.unique(blocks)
    groups = [values[blocks == kind] for kind in kinds]
    means = [
        np.concatenate([groups[i] for i in random.integers(0, len(kinds), len(kinds))]).mean()
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{values.mean():.3f} ({low:.3f} … {high:.3f})"


def violations(curves: torch.Tensor) -> dict[str, str | float]:
    """Shares of frames and thresholds, in %, that no set of cells could have."""
    area, length, _ = torch.expm1(curves.double()).unbind(-1)
    slack = 1e-4
    return {
        "area rises, %": 100 * float((area.diff(dim=-1) > slack * (1 + area[..., 1:])).double().mean()),
        "P < 4·√A, %": 100 * float((length < 4 * area.sqrt() * (1 - slack) - slack).double().mean()),
        "P² < 4π·A, %": 100 * float((length**2 < 4 * np.pi * area * (1 - slack) - slack).double().mean()),
    }


def of_crofton(frames: np.ndarray, settings: EmulatorSettings) -> float:
    """How often, in %, the truth itself breaks the inequality where its perimeter is Crofton's."""
    area, length, _ = np.moveaxis(level_functionals(frames, settings.thresholds, Measure("crofton")), -1, 0)
    return 100 * float((length**2 < 4 * np.pi * area - 1e-9).mean())


def steepest(emulator: Emulator, frames: np.ndarray, steps: int = 30) -> float:
    """The largest change of curves over that of normalised frames which gradient ascent finds."""
    x = emulator.normalised(torch.from_numpy(frames))
    offset = 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    offset.requires_grad_()
    optimiser, largest = torch.optim.Adam([offset], lr=0.003), 0.0
    with torch.no_grad():
        before = emulator.of_normalised(x)
    for _ in range(steps):
        change = (emulator.of_normalised(x + offset) - before).flatten(1).norm(dim=1)
        ratio = change / offset.flatten(1).norm(dim=1)
        largest = max(largest, float(ratio.detach().max()))
        optimiser.zero_grad()
        (-ratio.sum()).backward()
        optimiser.step()
    return largest


def emulated(emulator: Emulator) -> Callable[[torch.Tensor, float], torch.Tensor]:
    """Curves by an emulator, which has no temperature."""
    return lambda values, _: emulator(values, units=emulator.settings.units)


def soft_of(settings: EmulatorSettings) -> Callable[[torch.Tensor, float], torch.Tensor]:
    """Curves of soft functionals of log(1 + P/ε), with the Euler characteristic in the place of pieces."""
    levels = torch.log1p(torch.tensor(settings.thresholds) / settings.epsilon)

    def curves(values: torch.Tensor, share: float) -> torch.Tensor:
        tau = 0.3 * max(0.05, float(np.exp(-3 * share)))
        soft = soft_functionals(torch.log1p(values / settings.epsilon), levels, tau, Measure("edges"))
        return signed_log(soft)

    return curves


def inversion(
    curves: Callable[[torch.Tensor, float], torch.Tensor],
    targets: np.ndarray,
    settings: EmulatorSettings,
    steps: int = 200,
) -> str:
    """Exact distance to the curves of target frames, before and after a field of noise was optimised to have them.

    Adam with a rate of 0.1 on log(1 + P/ε), with total variation at 1e-5 and the square at 1e-6.
    """
    goal = torch.from_numpy(targets)
    z = (1 + 0.5 * torch.randn(goal.shape, generator=torch.Generator().manual_seed(1))).requires_grad_()
    optimiser, weights = torch.optim.Adam([z], lr=0.1), torch.from_numpy(trapezoid(settings.levels)).float()

    def field() -> torch.Tensor:
        return settings.epsilon * torch.expm1(z.clamp(0, 6.5))

    def exact() -> float:
        pair = [torch.from_numpy(exact_curves(f, settings)) for f in (field().detach().numpy(), targets)]
        return float(curve_errors(*pair, settings.levels).sum(-1).mean())

    before = exact()
    for step in range(steps):
        share = step / steps
        with torch.no_grad():
            wanted = curves(goal, share)
        error = ((curves(field(), share) - wanted).abs() * weights[:, None]).sum((-2, -1)).mean()
        smooth = z.diff(dim=-1).abs().sum() + z.diff(dim=-2).abs().sum()
        optimiser.zero_grad()
        (error + 1e-5 * smooth + 1e-6 * z.square().sum()).backward()
        optimiser.step()
    return f"{before:.2f} → {exact():.2f}"
