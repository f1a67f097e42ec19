"""The training loop: Adam, cosine schedule, averaged weights, checkpoints that resume to the same weights.

Nothing random is drawn in order across steps: the windows of step n and its noise are functions of (seed, n), so a run
that was interrupted at any checkpoint goes on as if it never had been.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from xdownscale.errors import ModelFileError, TrainingError
from xdownscale.io import write_whole
from xdownscale.kernels.crps import crps_ensemble
from xdownscale.models.conserve import PASSES
from xdownscale.models.generator import is_style
from xdownscale.models.threads import threads_for
from xdownscale.training.clock import Clock
from xdownscale.training.identity import check_same_run
from xdownscale.training.progress import Progress
from xdownscale.training.run import Run
from xdownscale.training.window import WindowLoss, WindowScore, draw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from xdownscale.models.method import Method
    from xdownscale.models.recipe import Recipe
    from xdownscale.models.schedule import Schedule
    from xdownscale.training.patches import Batch, PatchSampler


Judge: TypeAlias = "Callable[[Any, Batch, Callable[[int], torch.Generator]], dict[str, float]]"
"""Scores of windows."""

MEMBERS = 6
"""Members by which weights are judged."""


@dataclass
class Result:
    """What a run leaves behind."""

    weights: dict[str, Tensor]
    """Averaged weights at the best validation."""
    scores: dict[str, float]
    """Validation scores of these weights."""
    steps: int
    """Steps taken."""
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    model: Method,
    training: PatchSampler,
    validation: PatchSampler | None,
    *,
    recipe: Recipe,
    run: Run,
    loss: WindowScore | None = None,
    judge: Judge | None = None,
) -> Result:
    """Train a method, by default on the score of its members.

    Parameters
    ----------
    model : Method
        Trained in place.
    training, validation : PatchSampler
        Windows to learn from and windows to judge by, from different events.
    recipe : Recipe
    run : Run
    loss : callable, optional
        What is minimised, of (method, windows of one product, random source).
    judge : callable, optional
        Scores of held-out windows, of (method, windows, random source by number of the window): the less the first one,
        the better. None takes those of members.
    """
    model.to(run.device)
    loop = _Loop(model, loss or WindowLoss(recipe, run.units), recipe.schedule, run)
    loop.judged_by = judge
    if run.checkpoint is not None and run.checkpoint.exists():
        loop.load(run.checkpoint)
    judged = None if validation is None else validation.spread(recipe.schedule.validation)
    keep = partial(loop.save, run.checkpoint) if run.checkpoint and _place()[0] == 0 else None
    with threads_for():  # windows are small, and a step has many operations
        _run(loop, training, judged, keep, shown=run.progress and _place()[0] == 0)
    return Result(loop.best, loop.best_scores, loop.step, loop.history)


def _run(
    loop: _Loop, training: PatchSampler, judged: Batch | None, keep: Callable[[], None] | None, *, shown: bool
) -> None:
    """All steps, with their validations and checkpoints."""
    schedule = loop.schedule
    clock = Clock(schedule, loop.elapsed, loop.validation_steps(judged))
    with Progress(clock, step=loop.step, shown=shown) as bar:
        if shown and schedule.seconds is None and loop.step < schedule.steps:
            rest = schedule.steps - loop.step
            bar.announce(loop.rehearsed(training.batch(loop.step, 1), judged), steps=rest)
            clock.mark()
        while loop.step < schedule.steps and not loop.exhausted:
            loop.elapsed = clock.elapsed
            share = _agreed(clock.share(loop.step))
            if share >= 1.0:
                break
            error = loop.advance(training.batch(loop.step, schedule.batch), share)
            clock.stepped()
            bar.stepped(loop.step, error, loop.latest)
            if loop.step % schedule.check == 0 and loop.step < schedule.steps:
                loop.judge(judged)
                if keep is not None:
                    keep()
                clock.judged()
        bar.finished()
    loop.judge(judged, final=True)
    if keep is not None:
        keep()


class _Loop:
    """State of a run: everything that a checkpoint holds."""

    def __init__(
        self,
        model: Method,
        loss: WindowScore,
        schedule: Schedule,
        run: Run,
    ) -> None:
        self.model, self.loss, self.schedule, self.run = model, loss, schedule, run
        self.judged_by: Judge | None = None
        groups = [
            {"params": [weight], "share": schedule.style_rate if is_style(name) else 1.0}
            for name, weight in model.named_parameters()
        ]
        self.optimiser = torch.optim.Adam(groups, lr=schedule.rate, betas=(0.9, 0.99))
        self.average = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self.best = dict(self.average)
        self.best_scores: dict[str, float] = {}
        self.step, self.elapsed, self.since_best = 0, 0.0, 0
        self.latest: float | None = None
        self.history: list[dict[str, float]] = []

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.since_best >= self.schedule.patience

    def validation_steps(self, judged: Batch | None) -> float:
        """Steps that a validation takes as long as: passes through the network, of which gradients cost two more."""
        schedule = self.schedule
        return 0.0 if judged is None else len(judged.fine) * MEMBERS / (3 * schedule.batch * schedule.members)

    def rehearsed(self, batch: Batch, judged: Batch | None) -> float:
        """Seconds that the rest of the run will take, from one window with the terms of its beginning and its end."""
        schedule, times = self.schedule, []
        for share in (0.0, 0.0, 1.0):  # the first time is longer than all others
            started = time.monotonic()
            self.loss(self.model, batch, self._generator(self.step, 0), share).backward()
            times.append((time.monotonic() - started) * schedule.batch)
        self.optimiser.zero_grad(set_to_none=True)
        weights = getattr(self.loss, "recipe", None)
        late = 0.0 if weights is None else min(1.0, weights.weights.late)
        rest = schedule.steps - self.step
        early = max(0.0, late * schedule.steps - self.step)
        checks = schedule.steps // schedule.check - self.step // schedule.check
        return (
            early * times[1] + (rest - early) * times[2] + checks * self.validation_steps(judged) * times[1]
        )

    def advance(self, batch: Batch, share: float) -> float:
        """One optimiser step; returns the loss."""
        schedule = self.schedule
        fall = schedule.rate - schedule.last
        rate = schedule.last + (
            fall * min(1.0, (self.step + 1) / schedule.warmup) * 0.5 * (1 + math.cos(math.pi * share))
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        rank, ranks = _place()
        for number in range(rank, len(batch.fine), ranks):
            # windows go one by one: their features fit into the cache, and the gradient is the same
            part = batch.part(slice(number, number + 1))
            loss = self.loss(self.model, part, self._generator(self.step, number), share)
            (loss / len(batch.fine)).backward()
            total += float(loss.detach())
        self._share_gradients(ranks)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), schedule.clip)
        if not torch.isfinite(norm):  # a step along it would make every weight NaN
            msg = (
                f"training diverged at step {self.step + 1}: its gradient is not finite. Train with a smaller learning "
                f"rate: recipe=dataclasses.replace(recipe, schedule=dataclasses.replace(recipe.schedule, "
                f"rate={schedule.rate / 3:.1g}))"
            )
            raise TrainingError(msg)
        self.optimiser.step()
        self.step += 1
        decay = min(schedule.average, self.step / (self.step + 20))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
        return total * ranks / len(batch.fine)

    def _share_gradients(self, ranks: int) -> None:
        """Add up the gradients of all processes."""
        weights = list(self.model.parameters())
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        if ranks > 1:
            flat = torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None])
            torch.distributed.all_reduce(flat)
            for weight, part in zip(weights, flat.split([w.numel() for w in weights]), strict=True):
                weight.grad = part.view_as(weight)

    def judge(self, batch: Batch | None, *, final: bool = False) -> None:
        """Validation scores of the averaged weights; keeps them if they are the best so far."""
        if batch is None:
            self.best = {name: value.clone() for name, value in self.average.items()}
            return
        kept = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        scores = self.scores(batch)
        self.model.load_state_dict(kept)
        name, self.latest = next(iter(scores.items()))
        self.history.append({"step": float(self.step), "seconds": self.elapsed, **scores})
        if self.latest < self.best_scores.get(name, math.inf):
            self.best = {name: value.clone() for name, value in self.average.items()}
            self.best_scores, self.since_best = scores, 0
        elif not final:
            self.since_best += 1

    def scores(self, batch: Batch) -> dict[str, float]:
        """Fair CRPS (absolute error for a deterministic net) and spread/skill, by which the best weights are chosen.

        Means over the targets, the others' values taken times what makes their magnitude that of the first.
        """
        if self.judged_by is not None:
            return self.judged_by(self.model, batch, partial(self._generator, -1))
        count = MEMBERS if self.model.settings.stochastic else 1
        weight = torch.from_numpy(batch.weights).to(self.run.device)[:, None, None, None, None]
        alike = weight.new_tensor([self.run.units[0] / each for each in self.run.units])[:, None, None]
        sums = dict.fromkeys(("cells", "crps", "variance", "squared"), 0.0)
        for number in range(len(batch.fine)):
            part, w = batch.part(slice(number, number + 1)), weight[number : number + 1]
            with torch.no_grad():
                source = self._generator(-1, number)
                drawn = draw(self.model, part, members=count, passes=PASSES, source=source)
            ensemble, truth = drawn.members * alike, drawn.truth * alike
            sums["cells"] += float((drawn.known * w).sum())
            sums["crps"] += float((crps_ensemble(truth, ensemble) * w).sum())
            sums["squared"] += float(((ensemble.mean(0) - truth).square() * w).sum())
            if count > 1:
                sums["variance"] += float((ensemble.var(0) * w).sum())
        spread = math.sqrt((count + 1) / count * sums["variance"] / max(sums["squared"], 1e-12))
        return {"crps": sums["crps"] / sums["cells"], "spread_skill": spread}

    def save(self, path: Path) -> None:
        """Write a checkpoint: tensors as safetensors, numbers as JSON in its metadata."""
        from safetensors.torch import save

        moments = self.optimiser.state_dict()["state"]
        tensors = {
            **{f"model/{k}": v for k, v in self.model.state_dict().items()},
            **{f"average/{k}": v for k, v in self.average.items()},
            **{f"best/{k}": v for k, v in self.best.items()},
            **{f"moment/{i}/{k}": torch.as_tensor(v) for i, s in moments.items() for k, v in s.items()},
        }
        numbers = {
            "step": self.step, "elapsed": self.elapsed, "latest": self.latest, "since_best": self.since_best,
            "best_scores": self.best_scores, "history": self.history,
        }  # fmt: skip
        tensors = {k: v.contiguous().clone() for k, v in tensors.items()}
        content = save(
            tensors, metadata={"numbers": json.dumps(numbers), "run": json.dumps(dict(self.run.identity))}
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda draft: draft.write_bytes(content))

    def load(self, path: Path) -> None:
        """Take up a checkpoint of the same run."""
        groups, numbers, other = _read(path, self.run.device)
        check_same_run(other, self.run.identity, path)
        self.model.load_state_dict(groups["model"])
        self.average, self.best = groups["average"], groups["best"]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in groups["moment"].items():
            index, name = key.split("/")
            state.setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        for name, value in numbers.items():
            setattr(self, name, value)

    def _generator(self, step: int, number: int) -> torch.Generator:
        """The random source of a window of a step: the same however many processes share the work."""
        seed = ((self.run.seed + 1) * 1_000_003 + step) * 1009 + number
        return torch.Generator(self.run.device).manual_seed(seed % 2**63)


def weights_in(path: Path, run: Run) -> dict[str, Tensor]:
    """The weights that a checkpoint of the same run goes on from.

    Parameters
    ----------
    path : Path
        The checkpoint.
    run : Run
    """
    groups, _, other = _read(path, run.device)
    check_same_run(other, run.identity, path)
    return groups["model"]


def _read(path: Path, device: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Tensors of a checkpoint by group, its numbers, and the run that it is of."""
    from safetensors import SafetensorError, safe_open

    groups: dict[str, dict[str, Any]] = {"model": {}, "average": {}, "best": {}, "moment": {}}
    try:
        with safe_open(path, framework="pt", device=device) as file:
            metadata = file.metadata() or {}
            for key in file.keys():  # noqa: SIM118  (a safe_open handle is no mapping)
                group, name = key.split("/", 1)
                groups[group][name] = file.get_tensor(key)
        return groups, json.loads(metadata["numbers"]), json.loads(metadata.get("run", "{}"))
    except (SafetensorError, OSError, KeyError, ValueError) as cause:
        msg = f"{str(path)!r} is not the checkpoint of a run. Pass another path, checkpoint=..., or delete the file."
        raise ModelFileError(msg) from cause


def _place() -> tuple[int, int]:
    """Rank of this process and number of processes that share the windows of a step."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _agreed(share: float) -> float:
    """What the first process says: clocks differ."""
    if _place()[1] == 1:
        return share
    told = torch.tensor([share], dtype=torch.float64)
    torch.distributed.broadcast(told, 0)
    return float(told)
