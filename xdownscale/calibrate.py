"""``calibrate``: the texture of a model fitted to a sample of fine fields."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xdownscale.errors import FactorError
from xdownscale.field.arguments import seed_number, whole_number

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from xdownscale.field.static import Static
    from xdownscale.models.downscaler import Downscaler


def calibrate(
    field: xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset],
    model: Downscaler | str | os.PathLike[str],
    *,
    name: str = "calibrated",
    static: Static | None = None,
    steps: int = 40,
    seed: int = 0,
    progress: bool = True,
    dims: Mapping[str, str] | None = None,
) -> Downscaler:
    """Give a model the texture of a fine field: its style vector is fitted, and nothing else.

    Radar networks and models differ in how smooth their fields are and how fast they change, and a coarse field does
    not tell. A few frames of the product that is wanted do; seconds, not hours.

    Parameters
    ----------
    field : DataArray, Dataset or sequence of them
        Fine field(s), of a Dataset its only one, with y, x and time, on the scales that the model makes: a dozen steps
        with rain are enough.
    model : Downscaler, path or name
        The model; it is left as it is.
    name : str
        Name of the new style, the default of the result.
    static : DataArray, Dataset or mapping, optional
        The static fields that the model was trained with.
    steps : int
        Steps of Adam, one window each.
    seed : int
        Seed of windows, noise and filters.
    progress : bool
        Show a progress bar.
    dims : mapping, optional
        Dimension names by role, where they cannot be recognised.

    Returns
    -------
    Downscaler
        ``provenance.scores`` holds the loss on the sample before and after.

    Raises
    ------
    DimensionError, TimeAxisError, UnitsError, ValueRangeError, EmptyFieldError, FactorError
        Before any work starts, with the call that mends it.

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
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.recipe import Recipe
    from xdownscale.models.threads import threads_for
    from xdownscale.training.patches import PatchSampler
    from xdownscale.training.sources import WET, alike, as_list, magnitude, prepared, sources_of
    from xdownscale.training.style import fit_style, with_vector

    steps, seed = whole_number(steps, "steps", least=1), seed_number(seed)
    chosen = model if isinstance(model, Downscaler) else zoo.load(model)
    if not chosen.stochastic:
        msg = f"{chosen.name!r} is a median net, which has no texture. Calibrate a generator, train(...)."
        raise FactorError(msg)
    if not chosen.method.calibrated:
        msg = (
            f"the style of {chosen.name!r}, a {chosen.method.described()}, is not calibrated: train on your fields, or "
            f"take a generator"
        )
        raise FactorError(msg)
    settings, recipe = chosen.method.settings, Recipe()
    events = alike(
        [prepared(each, chosen.factors, dims) for each in as_list(field, dims)],
        chosen.quantity,
        what="the field",
        whose="the model refines",
    )
    fields = named_static(static)
    sources = [source for event in events for source in sources_of(*event, fields, settings.static)]
    smallest = [
        min(source.values.shape[axis] // factor for source in sources)
        for axis, factor in enumerate(chosen.factors.blocks)
    ]
    windows = PatchSampler(
        sources,
        blocks=chosen.factors.blocks,
        cells=min(recipe.cells, smallest[1], smallest[2]),
        frames=min(recipe.frames, smallest[0]),
        wet=WET if settings.transform.nonnegative else None,
        seed=(seed + 1) % 2**64,
    )
    with threads_for():
        vector, before, after = fit_style(
            chosen.method,
            windows,
            recipe=recipe,
            unit=magnitude(sources, settings.transform),
            steps=steps,
            seed=seed,
            progress=progress,
        )
    scores = {**chosen.provenance.scores, "loss_before_calibration": before, "loss_after_calibration": after}
    return Downscaler(
        with_vector(chosen.method, name, vector),
        variable=chosen.variable,
        provenance=replace(chosen.provenance, scores=scores),
        name=chosen.name,
    )
