"""What a trained model is worth on data that it has not learned from, beside bicubic interpolation."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from xdownscale import metrics
from xdownscale.field.block_means import block_means
from xdownscale.field.interpolation import interpolate_array
from xdownscale.field.warn import warn_user
from xdownscale.inference.engine import CORE, Job, sample
from xdownscale.models.device import on_device

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from xdownscale.models.downscaler import Downscaler
    from xdownscale.training.patches import Batch, PatchSampler

WINDOWS, MEMBERS = 8, 6
"""Most windows, and members of each: some seconds of work for recipes that take minutes."""

FEW = 2
"""Members by which textures are compared."""

NEARER, FARTHER = 1.0, 3.0
"""Decibels by which another style must be nearer, or held-out texture farther than that of training, to say so."""

TITLES = {"crps": "CRPS", "rmse": "RMSE of the mean", "lsd": "log-spectral distance"}
"""Scores that bicubic interpolation has as well; the lower the better."""


def scores_of(
    model: Downscaler, training: PatchSampler, judging: PatchSampler, *, device: str = "cpu", seed: int = 0
) -> dict[str, float]:
    """Scores on windows of held-out data, drawn as :func:`xdownscale.downscale` does, in the default style.

    Parameters
    ----------
    model : Downscaler
        Trained.
    training, judging : PatchSampler
        Windows that it learned from, and of held-out data.
    device : str
        A torch device.
    seed : int
        Of the noise.

    Returns
    -------
    dict
        In the units of the model: ``crps`` (fair; the absolute error of a single member), ``rmse`` (of the ensemble
        mean), ``spread_skill`` (1 is best) and ``pit_deviation`` (0 is best); in decibels ``lsd``, the log-spectral
        distance. ``crps_bicubic``, ``rmse_bicubic`` and ``lsd_bicubic`` are those of bicubic interpolation. For a
        generator ``lsd_training`` is the distance on windows of the training data and, where there are several styles,
        ``lsd_style_NAME`` that of each.
        What cannot be said, such as the spread of a single member, is left out. Scores of one of several targets begin
        with its name: ``tas.crps``.
    """
    held_out = _some(judging)
    truth, bicubic, weights = _arrays(held_out, model)
    ensemble = _ensemble(model, held_out, MEMBERS, device=device, seed=seed)
    found: dict[str, float] = {}
    for number, target in enumerate(model.targets):
        of = {"target": number}
        scores = _scores(truth.isel(of), ensemble.isel(of), bicubic.isel(of), weights)
        found |= {_key(model, target, name): value for name, value in scores.items()}
    if model.method.calibrated and model.stochastic:
        found |= _textures(model, _some(training), held_out, device=device, seed=seed)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _key(model: Downscaler, target: str, score: str) -> str:
    """What a score of a target is called."""
    return score if len(model.targets) == 1 else f"{target}.{score}"


def _scores(
    truth: xr.DataArray, ensemble: xr.DataArray, bicubic: xr.DataArray, weights: xr.DataArray
) -> dict[str, float]:
    """Scores of one target, and those of bicubic interpolation."""
    found = {}
    for name, function in (("crps", metrics.crps_ensemble), ("rmse", metrics.rmse), ("lsd", metrics.lsd)):
        for suffix, forecast in (("", ensemble), ("_bicubic", bicubic)):
            found[name + suffix] = float(function(truth, forecast, weights=weights, skipna=True))
    found["spread_skill"] = float(metrics.spread_skill_ratio(truth, ensemble, weights=weights, skipna=True))
    if ensemble.sizes["member"] > 1:
        found["pit_deviation"] = float(metrics.pit_deviation(truth, ensemble, weights=weights, skipna=True))
    return found


def tell(model: Downscaler, judging: PatchSampler, *, shown: bool) -> None:
    """Print the scores of a model as a table, and warn where it loses to bicubic or has another texture.

    Parameters
    ----------
    model : Downscaler
        Trained; its scores are in its provenance.
    judging : PatchSampler
        Windows of held-out data.
    shown : bool
        Whether the table is printed.
    """
    if shown:
        where = f"{min(WINDOWS, len(judging.patches))} windows of {len(judging.sources)} held-out stretches of time"
        tqdm.write(where, file=sys.stderr)
    for variable in model.variables:
        scores, subject = model.scores(variable.name), ""
        if len(model.variables) > 1:
            subject = f"{variable.name}: "
        if shown:
            tqdm.write(table(scores, variable.units, title=subject), file=sys.stderr)
        for message in (lost(scores), textures(scores, model)):
            if message is not None:
                warn_user(subject + message)


def table(scores: Mapping[str, float], units: str | None, *, title: str = "") -> str:
    """Scores of a model beside those of bicubic interpolation, as text.

    >>> print(table({"crps": 0.2, "crps_bicubic": 0.4, "spread_skill": 0.9}, "mm h-1"))
                                        model  bicubic
    CRPS [mm h-1]                         0.2      0.4
    spread/skill (best: 1)                0.9
    """
    rows = [f"{title:<32}{'model':>9}{'bicubic':>9}"]
    for name, score in TITLES.items():
        if name in scores:
            unit = "dB" if name == "lsd" else units or "1"
            other = scores.get(f"{name}_bicubic", math.nan)
            rows.append(f"{f'{score} [{unit}]':<32}{scores[name]:>9.3g}{other:>9.3g}")
    if "spread_skill" in scores:
        rows.append(f"{'spread/skill (best: 1)':<32}{scores['spread_skill']:>9.3g}")
    return "\n".join(rows)


def lost(scores: Mapping[str, float]) -> str | None:
    """What to say where a model loses to bicubic interpolation; None where it does not.

    >>> print(lost({"crps": 0.5, "crps_bicubic": 0.4}))
    on held-out data the model loses to bicubic interpolation: CRPS 0.5 (bicubic 0.4). Train for longer ...
    """
    worse = [
        f"{title} {scores[name]:.3g} (bicubic {scores[f'{name}_bicubic']:.3g})"
        for name, title in TITLES.items()
        if scores.get(name, -math.inf) >= scores.get(f"{name}_bicubic", math.inf)
    ]
    if not worse:
        return None
    return (
        f"on held-out data the model loses to bicubic interpolation: {', '.join(worse)}. Train for longer "
        f"(steps=...), on more fields, or start from the weights of a model (model=...)."
    )


def textures(scores: Mapping[str, float], model: Downscaler) -> str | None:
    """What to say where another style, or one yet to be fitted, would be nearer to held-out texture."""
    by_style = {name: scores[key] for name in model.styles if (key := f"lsd_style_{name}") in scores}
    own = scores.get("lsd", math.nan)
    best = min(by_style, key=lambda name: by_style[name], default=None)
    if best is not None and by_style[best] + NEARER < own:
        return (
            f"held-out fields have the texture of the style {best!r} (log-spectral distance {by_style[best]:.3g} dB) "
            f"rather than the default one ({own:.3g} dB): take model.with_style({best!r}), or "
            f"downscale(..., style={best!r})."
        )
    if own - scores.get("lsd_training", math.nan) > FARTHER:
        return (
            f"held-out fields have another texture than the training data: log-spectral distance {own:.3g} dB, and "
            f"{scores['lsd_training']:.3g} dB on those. calibrate(field_like_them, model) fits a style to it."
        )
    return None


def _some(windows: PatchSampler) -> Batch:
    """A few windows, each once."""
    return windows.spread(min(WINDOWS, len(windows.patches)))


def _arrays(batch: Batch, model: Downscaler) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Truth, bicubic interpolation of its block means, and weights."""
    blocks, dims = model.factors.blocks, ("window", "target", "time", "y", "x")
    fine = batch.fine[:, :, : len(model.targets)].swapaxes(1, 2)
    bicubic = interpolate_array(block_means(fine, None, blocks), blocks)
    return (
        xr.DataArray(fine, dims=dims),
        xr.DataArray(bicubic, dims=dims),
        xr.DataArray(batch.weights, dims="window"),
    )


def _ensemble(model: Downscaler, batch: Batch, members: int, *, device: str, seed: int) -> xr.DataArray:
    """Members of all windows, as the engine draws them, each window with noise of its own."""
    method = on_device(model.method, device)
    drawn: list[NDArray[np.float32]] = []
    for number, fine in enumerate(batch.fine):
        job = Job(method, origin=(number * CORE[0], 0, 0), seed=seed, members=members, device=device)
        coarse = block_means(fine.swapaxes(0, 1), None, model.factors.blocks).swapaxes(0, 1)
        drawn.append(sample(job, coarse, None if batch.static is None else batch.static[number]))
    return xr.DataArray(np.stack(drawn, 1), dims=("member", "window", "time", "target", "y", "x"))


def _textures(
    model: Downscaler, training: Batch, held_out: Batch, *, device: str, seed: int
) -> dict[str, float]:
    """Log-spectral distances on training data, and of every style on held-out data where there are several."""

    def distances(styled: Downscaler, batch: Batch, name: str) -> dict[str, float]:
        truth, _, weights = _arrays(batch, styled)
        ensemble = _ensemble(styled, batch, FEW, device=device, seed=seed)
        return {
            _key(model, target, name): float(
                metrics.lsd(truth.isel(target=n), ensemble.isel(target=n), weights=weights, skipna=True)
            )
            for n, target in enumerate(model.targets)
        }

    found = distances(model, training, "lsd_training")
    for name in model.styles if len(model.styles) > 1 else ():
        found |= distances(model.with_style(name), held_out, f"lsd_style_{name}")
    return found
