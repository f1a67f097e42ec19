"""What a model does, in a few rows for a console or a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.transform import Transform

AS_RAIN = "as rain: two units, shapes of level sets, windows drawn by their rain"
AS_SMOOTH = "as a smooth field: one unit, of what interpolation leaves"
"""How a recipe treats a variable (:attr:`xdownscale.models.recipe.ScoreWeights.smooth`)."""


def told(model: Downscaler) -> list[tuple[str, str]]:
    """What this model does, by name; names of rows for several targets come again."""
    number = sum(p.numel() for p in model.method.parameters())
    cells, frames = model.method.halo()
    spacing = (
        f"{model.provenance.spacing:g} {model.provenance.spacing_units or ''}"
        if model.provenance.spacing
        else "n/a"
    )
    step = f"{model.provenance.step:g} s" if model.provenance.step else "n/a"
    return [
        ("factors", str(model.factors)),
        *_targets(model),
        ("method", f"{model.method.described()}, {number:,} weights"),
        ("receptive field", f"{cells} coarse cells, {frames} coarse steps"),
        ("fine grid", f"{spacing}, {step}"),
        ("predictors", ", ".join(map(str, model.predictors)) or "none"),
        ("static", ", ".join(model.static) or "none"),
        ("style", f"{model.style or 'mean'} of {', '.join(model.styles)}"),
        *_held_out(model),
    ]


def _held_out(model: Downscaler) -> list[tuple[str, str]]:
    """A row on the scores of every target."""
    names = [f"{each}: " if len(model.targets) > 1 else "" for each in model.targets]
    return [
        ("held out", f"{name}{_in_short(model.scores(each)) or 'n/a'}")
        for name, each in zip(names, model.targets, strict=True)
    ]


def _targets(model: Downscaler) -> list[tuple[str, str]]:
    """A few rows on every target."""
    method = model.method
    pairs = zip(model.variables, method.settings.transforms, method.values_told(), strict=True)
    return [
        row
        for each, transform, values in pairs
        for row in (
            ("variable", str(each)),
            ("quantity", each.quantity.told()),
            ("values", values),
            *_learned(model, transform),
        )
    ]


def _learned(model: Downscaler, transform: Transform) -> list[tuple[str, str]]:
    """How the recipe of a generator treats a variable; other methods make no difference."""
    if not (model.method.calibrated and model.stochastic):
        return []
    return [("learned", AS_RAIN if transform.nonnegative else AS_SMOOTH)]


def _in_short(scores: Mapping[str, float]) -> str:
    """Scores in a line, those of bicubic interpolation behind those of the model.

    >>> _in_short({"crps": 0.2, "crps_bicubic": 0.4, "spread_skill": 0.9})
    'crps 0.2 (bicubic 0.4), spread_skill 0.9'
    """
    beside = {
        name: f" (bicubic {scores[key]:.3g})" for name in scores if (key := f"{name}_bicubic") in scores
    }
    shown = [name for name in scores if not name.endswith("_bicubic")]
    return ", ".join(f"{name} {scores[name]:.3g}{beside.get(name, '')}" for name in shown)
