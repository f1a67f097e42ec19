"""Baselines by name, for :func:`xdownscale.evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from xdownscale.baselines.interpolated import bicubic, conservative, linear, nearest
from xdownscale.baselines.rainfarm import rainfarm
from xdownscale.coarsen import coarsen
from xdownscale.errors import ValueRangeError
from xdownscale.field.attrs import FACTORS
from xdownscale.field.factors import Factors

if TYPE_CHECKING:
    import xarray as xr

Baseline = Callable[..., "xr.DataArray"]
"""Function ``baseline(coarse, spatial, temporal)`` that returns a fine field or an ensemble."""

NAMED: Final[dict[str, Baseline]] = {
    "nearest": nearest,
    "bicubic": bicubic,
    "linear": linear,
    "conservative": conservative,
    "rainfarm": rainfarm,
}
"""Baselines that need only the coarse field."""

LEARNED: Final = {
    "bcsd": "fine=fine_field_of_another_period",
    "edsr": "model=trained",
    "median": "model=trained",
}
"""Baselines that need another argument, and the argument."""

STOCHASTIC: Final = frozenset({"rainfarm"})
"""Baselines that return an ensemble."""


FEWEST: Final = 10
"""Minimum number of members of a stochastic baseline."""


def reference_for(
    models: Mapping[str, xr.DataArray],
    baseline: str | Baseline,
    observations: xr.DataArray,
    *,
    member_dim: str,
) -> xr.DataArray:
    """The baseline for block means of the observations, with the factors recorded in the forecasts.

    Parameters
    ----------
    models : mapping of str to DataArray
        The forecasts.
    baseline : str or callable
        Name or function of the baseline.
    observations : DataArray
        Observed field on the fine grid.
    member_dim : str
        Member dimension of the forecasts and of the result.

    Raises
    ------
    ValueRangeError
        If there is no baseline with this name, if it needs more than a coarse field, or if the factors are unknown.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((6, 20, 20))
    >>> forecast = rain.assign_attrs({FACTORS: [3, 10, 10]})
    >>> reference_for({"net": forecast}, "linear", rain, member_dim="member").sizes["y"]
    20
    """
    if isinstance(baseline, str):
        _check_name(baseline, [name for name in models if name])
    factors = _factors(models, baseline)
    if isinstance(baseline, str):
        counts = [model.sizes[member_dim] for model in models.values() if member_dim in model.dims]
        own = {"members": max([FEWEST, *counts])} if baseline in STOCHASTIC else {}
        baseline = partial(NAMED[baseline], **own)
    coarse = coarsen(observations, factors.spatial, factors.time)
    made = baseline(coarse, factors.spatial, factors.time)
    return made.rename(member=member_dim) if "member" in made.dims and member_dim != "member" else made


def _check_name(name: str, models: list[str]) -> None:
    """Raise an error if there is no such baseline, or if it needs more than a coarse field."""
    if name in LEARNED:
        msg = (
            f"the baseline {name!r} needs more than a coarse field. Pass it: evaluate(..., "
            f"reference=functools.partial(xdownscale.baselines.{name}, {LEARNED[name]}))."
        )
        raise ValueRangeError(msg)
    if name not in NAMED:
        msg = (
            f"reference {name!r} is neither among the models {models} nor one of the baselines {[*NAMED, *LEARNED]}. "
            f'Pass it too, as in evaluate(observations, {{"net": ensemble, "{name}": field}}, ...).'
        )
        raise ValueRangeError(msg)


def _factors(models: Mapping[str, xr.DataArray], baseline: str | Baseline) -> Factors:
    """The factors recorded in the attributes of the forecasts."""
    said = {
        tuple(int(n) for n in model.attrs[FACTORS]) for model in models.values() if FACTORS in model.attrs
    }
    if len(said) != 1:
        name = baseline if isinstance(baseline, str) else "baseline"
        told = f"say {sorted(said)}" if said else "say none"
        msg = (
            f"reference {name!r} is not among the models {[each for each in models if each]}; as a baseline it needs "
            f"the factors, and the forecasts {told}. Pass the field itself, as in "
            f"reference=xdownscale.baselines.nearest(coarse, spatial, temporal)."
        )
        raise ValueRangeError(msg)
    time, y, x = said.pop()
    return Factors(y=y, x=x, time=time)
