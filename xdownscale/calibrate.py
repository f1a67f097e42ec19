"""``calibrate``: fit texture and spread of a model to a sample of fine fields."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from xdownscale.errors import ArgumentError
from xdownscale.field.arguments import seed_number, whole_number

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from xdownscale.field.factors import Factors
    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.training.covariates import Predictors
    from xdownscale.training.patches import PatchSampler, Source

JUDGED = 8
"""Number of windows on which the style and its gain are scored."""

HELD_OUT, FRAMES = 1 / 3, 2
"""Share of the steps that is held out from the fit of the vector, and its minimum number of coarse frames."""


def calibrate(
    field: xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset],
    model: Downscaler | str | os.PathLike[str],
    *,
    spatial: int | tuple[int, int] | None = None,
    temporal: int | None = None,
    name: str = "calibrated",
    predictors: Predictors = None,
    static: Static | None = None,
    steps: int = 40,
    seed: int = 0,
    progress: bool = True,
    dims: Mapping[str, str] | None = None,
) -> Downscaler:
    """Fit a style vector and the gain of the noise to the texture and the spread of a fine field.

    Radar networks and models differ in how smooth their fields are and how fast they change, and a coarse field does
    not determine this. A few frames of the product do. The vector is fitted to two thirds of the steps. The gain is
    fitted to the remaining third with a proper score (fair CRPS of cells and of regions). If the sample is too short to
    be split, all of it is used for the vector, and the gain is not changed.

    Parameters
    ----------
    field : DataArray, Dataset or sequence of them
        Fine field(s) with y, x and time, at the scales of the model's output; from a Dataset, the targets of the model
        are used. A dozen steps with rain are enough.
    model : Downscaler, path or name
        The model; it is not modified.
    spatial, temporal : optional
        Factors by which the sample is coarsened, within the range of the model; required for a model whose factors are
        chosen at inference.
    name : str
        Name of the new style, which is the default style of the result.
    predictors : DataArray, Dataset, mapping or sequence of str, optional
        The predictors that the model was trained with, as for :func:`xdownscale.train`.
    static : DataArray, Dataset or mapping, optional
        The static fields that the model was trained with.
    steps : int
        Optimiser steps (Adam), one window each.
    seed : int
        Seed of windows, noise and filters.
    progress : bool
        Show a progress bar.
    dims : mapping, optional
        Dimension names by role, where they cannot be recognised.

    Returns
    -------
    Downscaler
        ``provenance.scores`` holds the loss before and after, and the score and the value of the gain
        (``gain_score_before``, ``gain_score_after``, ``noise_gain``), on the held-out steps.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, EmptyFieldError, ArgumentError
        Before any computation; the message names the call that fixes it.

    See Also
    --------
    xdownscale.train : Train a model on fine fields.
    xdownscale.downscale : Draw an ensemble of fine fields.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((12, 80, 80))
    >>> model = xdownscale.calibrate(rain, "rain-10x3", name="simulated", steps=2, progress=False)
    >>> model.style
    'simulated'
    """
    from xdownscale import zoo
    from xdownscale.field.static import named_static
    from xdownscale.field.vectors import vector_pairs
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.recipe import Recipe
    from xdownscale.models.threads import threads_for
    from xdownscale.training.data import like_model
    from xdownscale.training.gain import fit_gain, with_gain
    from xdownscale.training.sources import magnitudes, sources_of
    from xdownscale.training.style import fit_style, with_vector

    steps, seed = whole_number(steps, "steps", least=1), seed_number(seed)
    chosen = model if isinstance(model, Downscaler) else zoo.load(model)
    if not chosen.stochastic:
        msg = f"{chosen.name!r} is a median net, which has no texture. Calibrate a generator, train(...)."
        raise ArgumentError(msg)
    if not chosen.method.calibrated:
        msg = (
            f"the style of {chosen.name!r}, a {chosen.method.described()}, is not calibrated: train on your fields, or "
            f"use a generator"
        )
        raise ArgumentError(msg)
    factors = chosen.factors.chosen(spatial, temporal)
    events = like_model(field, chosen, factors, predictors=predictors, dims=dims)
    pieces = [sources_of(event, named_static(static), chosen.method.settings.static) for event in events]
    learned, kept = _parted(pieces, factors)
    method = chosen.method.at(pieces[0][0].scale)
    windows = partial(
        _windows,
        chosen,
        factors,
        vectors=vector_pairs([*events[0].targets, *events[0].predictors]),
        seed=(seed + 1) % 2**64,
    )
    training = windows(learned)
    judging = windows(kept) if kept else None
    with threads_for():
        vector, before, after = fit_style(
            method,
            training,
            (judging or training).spread(JUDGED),
            recipe=Recipe(),
            units=magnitudes(learned, method.settings.transforms),
            steps=steps,
            seed=seed,
            progress=progress,
        )
        styled = with_vector(chosen.method, name, vector)
        scores = {"loss_before_calibration": before, "loss_after_calibration": after}
        if judging is not None:
            gain, *told = fit_gain(styled.at(pieces[0][0].scale), judging.spread(JUDGED), seed=seed)
            styled = with_gain(styled, gain)
            scores |= {"noise_gain": gain, "gain_score_before": told[0], "gain_score_after": told[1]}
    made = copy.copy(chosen)
    made.method = styled
    made.provenance = replace(chosen.provenance, scores={**chosen.provenance.scores, **scores})
    return made


def _parted(pieces: Sequence[list[Source]], factors: Factors) -> tuple[list[Source], list[Source]]:
    """Two thirds of the steps of every event for the fit, and the rest, if it is long enough."""
    from xdownscale.training.blocks import hold_out

    parts = [hold_out(event, HELD_OUT, FRAMES * factors.time) for event in pieces]
    learned, kept = ([source for part in parts for source in part[side]] for side in range(2))
    return learned, kept


def _windows(
    model: Downscaler,
    factors: Factors,
    sources: Sequence[Source],
    *,
    vectors: Any,
    seed: int,
) -> PatchSampler:
    """Windows of the size of the recipe, or smaller if the sources require it."""
    from xdownscale.models.recipe import Recipe
    from xdownscale.training.patches import PatchSampler
    from xdownscale.training.sources import wet_above

    recipe = Recipe()
    smallest = [
        min(source.shape[axis] // factor for source in sources) for axis, factor in enumerate(factors.blocks)
    ]
    return PatchSampler(
        sources,
        blocks=factors.blocks,
        cells=min(recipe.cells, smallest[1], smallest[2]),
        frames=min(recipe.frames, smallest[0]),
        targets=len(model.targets),
        vectors=vectors,
        wet=wet_above(model.method.settings.transforms),
        seed=seed,
    )
