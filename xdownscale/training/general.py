"""What is different in training for many factors at many scales: windows, settings, and weights to start from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xdownscale.errors import ArgumentError
from xdownscale.models.multiscale import Multiscale, MultiscaleSettings
from xdownscale.models.scale import Scale
from xdownscale.nn.fresh import FreshWeights
from xdownscale.training.scales import Draws, ScaleSampler
from xdownscale.training.sources import wet_above
from xdownscale.training.warm_multiscale import start_from_general, start_from_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xdownscale.field.factors import FactorChoice
    from xdownscale.models.method import Method
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.data import TrainingData
    from xdownscale.training.patches import Source

COARSER = 8.0
"""Times the cells of the finest field, up to which truths are averaged."""

LONGER = 12.0
"""Times the steps of the finest field, up to which truths are averaged."""


def draws_for(choice: FactorChoice, sources: Sequence[Source]) -> Draws:
    """Factors and scales to draw: from the finest scale of the fields up to eight times its cells, twelve its steps.

    Parameters
    ----------
    choice : FactorChoice
    sources : sequence of Source
        To learn from.

    Raises
    ------
    ArgumentError
        If one of them does not tell its scale.
    """
    known = [(s.scale.km, s.scale.minutes) for s in sources if s.scale is not None]
    kms = [km for km, _ in known if km is not None]
    minutes = [step for _, step in known if step is not None]
    if len(kms) < len(sources) or len(minutes) < len(sources):
        msg = (
            "training for many factors needs the size of cells and steps, which the coordinates of the fields do not "
            'state. Add them: field.assign_coords(x=("x", x, {"units": "km"})), and times.'
        )
        raise ArgumentError(msg)
    km, step = min(kms), min(minutes)
    return Draws(choice.spatial, choice.temporal, (km, COARSER * km), (step, LONGER * step))


def windows_for(sources: Sequence[Source], draws: Draws, data: TrainingData, *, seed: int) -> ScaleSampler:
    """Windows of sources.

    Parameters
    ----------
    sources : sequence of Source
    draws : Draws
    data : TrainingData
        Of a single target without predictors and static fields.
    seed : int

    Raises
    ------
    ArgumentError
        For more than one target, predictors, or static fields.
    """
    if len(data.transforms) > 1 or data.predictors or data.static:
        msg = (
            f"a model for many factors learns one variable on its own, and the fields have {len(data.transforms)}, "
            f"{len(data.predictors)} predictors and {len(data.static)} static fields. Train for one pair of factors."
        )
        raise ArgumentError(msg)
    (transform,) = data.transforms
    wet = wet_above(data.transforms)
    return ScaleSampler(sources, draws=draws, transform=transform, wet=wet, seed=(seed + 1) % 2**64)


def settings_for(data: TrainingData, plan: Recipe, draws: Draws, given: Method | None) -> MultiscaleSettings:
    """What the network is built from: the sizes of the recipe, or those of given weights."""
    size = plan.size if given is None else given.settings.size
    return MultiscaleSettings(
        spatial=(draws.spatial[0], draws.spatial[-1]),
        temporal=(draws.temporal[0], draws.temporal[-1]),
        finest=Scale(draws.km[0], draws.minutes[0]),
        coarsest=Scale(draws.km[1], draws.minutes[1]),
        transforms=data.transforms,
        styles=data.products,
        size=replace(size, apart=None),
    )


def network_for(settings: MultiscaleSettings, given: Method | None, seed: int) -> Multiscale:
    """A network with fresh weights, or with those of a generator for a pair or for all.

    Raises
    ------
    ArgumentError
        For weights of another kind.
    """
    with FreshWeights(seed):
        made = Multiscale(settings)
    starts: dict[str, Callable[[Multiscale, Any], None]] = {
        made.kind: start_from_general,
        "generator": start_from_pair,
    }
    if given is None:
        return made
    if given.kind not in starts:
        msg = f"a model for many factors does not start from a {given.described()}: pass a generator, or none"
        raise ArgumentError(msg)
    starts[given.kind](made, given)
    return made
