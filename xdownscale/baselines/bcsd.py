r"""BCSD: bias-corrected spatial disaggregation, and temporal disaggregation by analogues (Wood et al. 2002, 2004).

With c the coarse field, f a fine field observed over several years, ⟨·⟩ its mean over time, A the block mean in
space, B⁻¹ bilinear interpolation, and a(k) the step of f, coarsened, that is most like step k of c:

    d_k = ⟨f⟩ · B⁻¹(c_k / A⟨f⟩),    fine_{k,t} = d_k · f_{a(k),t} / mean_t f_{a(k),t}

for rain; for all other variables, ratios are replaced by differences and products by sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.baselines.fields import Coarse
from xdownscale.coarsen import coarsen
from xdownscale.correct import correct
from xdownscale.errors import DimensionError
from xdownscale.field.arguments import seed_number, whole_number
from xdownscale.field.axes import find_axes
from xdownscale.field.compare import check_same
from xdownscale.field.interpolation import interpolate_array
from xdownscale.field.quantity import quantity_of
from xdownscale.field.units import to_units
from xdownscale.kernels.blocks import block_mean, block_repeat

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["bcsd"]

Array = np.ndarray[Any, np.dtype[np.float64]]


def bcsd(
    coarse: xr.DataArray,
    spatial: int | tuple[int, int] = 1,
    temporal: int = 1,
    *,
    fine: xr.DataArray,
    historical: xr.DataArray | None = None,
    members: int | None = None,
    seed: int = 0,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Downscale with the climatology of a fine field: its mean in space, and analogue steps in time.

    Parameters
    ----------
    coarse : DataArray, dims (time, y, x)
        Coarse field. It is loaded into memory.
    spatial : int or (int, int)
        Fine cells per coarse cell, for both axes or for (y, x).
    temporal : int
        Fine steps per coarse step, such as 24 from days to hours.
    fine : DataArray, dims (time, y, x)
        Observations or a reanalysis on the fine grid of `coarse`, over another period, with complete coarse steps that
        begin at the same time of day. Units are converted. The longer it is, the better the analogues.
    historical : DataArray, optional
        The coarse model over the period of `fine`. Then `coarse` is corrected first, by empirical quantile mapping of
        every month (:func:`xdownscale.correct`, which needs xsdba). None treats `coarse` as unbiased, as block means of
        observations are.
    members : int, optional
        Members of an ensemble. The analogue of each step is drawn from the √n nearest of n steps of `fine`, the j-th
        nearest with probability ∝ 1/j (Lall and Sharma 1996). None uses the nearest, and gives a single field.
    seed : int
        Seed of these draws.
    dims : mapping, optional
        Names of dimensions by role, where they are not recognised.

    Returns
    -------
    DataArray, dims (time, y, x) or (member, time, y, x)
        In the units of `coarse`, on the fine grid. Block means are close to those of `coarse`, but not equal.

    Raises
    ------
    DimensionError
        If `fine` does not cover the same cells.
    TimeAxisError, ArgumentError, QuantityError, UnitsError, OptionalDependencyError
        The message names the call that fixes it.

    References
    ----------
    Wood et al. (2002), doi:10.1029/2001JD000659; Wood et al. (2004), doi:10.1023/B:CLIM.0000013685.99609.9e; Lall and
    Sharma (1996), doi:10.1029/95WR02966.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((36, 40, 40))
    >>> coarse = rain[24:].sr.coarsen(spatial=8, temporal=3)
    >>> fine = bcsd(coarse, spatial=8, temporal=3, fine=rain[:24])
    >>> dict(fine.sizes)
    {'time': 12, 'y': 40, 'x': 40}
    """
    seed, count = seed_number(seed), 1 if members is None else whole_number(members, "members", least=1)
    past = _past(fine, coarse, spatial, temporal, dims)
    if historical is not None:
        coarse = correct(
            coarse, coarsen(fine, spatial, temporal, dims=dims), historical=historical, dims=dims
        )
    given = Coarse.of(coarse.load(), spatial, temporal, dims)
    if past.shape[1:] != given.shape[1:]:
        msg = (
            f"fine has {past.shape[1:]} (y, x) cells, and {given.field.name!r} refined by {given.factors} has "
            f"{given.shape[1:]}. Pass a fine field of the same domain: fine.sel(y=..., x=...)."
        )
        raise DimensionError(msg)
    rain = quantity_of(given.field, given.axes.time).precipitation
    steps = past.reshape(-1, given.blocks[0], *past.shape[1:])
    space = (1, *given.blocks[1:])
    nearest = _nearest(given.values, block_mean(steps.mean(1), space), rain=rain)
    day = _disaggregated(given, np.nanmean(past, axis=0), rain=rain)
    made = []
    for member in range(count):
        random = None if members is None else np.random.default_rng([seed, member])
        analogue = steps[_drawn(nearest, random)]
        made.append(_cut(day, analogue, given.blocks, rain=rain).reshape(given.shape))
    line = f"bcsd(spatial={given.factors.spatial}, temporal={given.factors.time}, members={members}, seed={seed})"
    return given.dressed(made[0] if members is None else np.stack(made), line)


def _past(fine: xr.DataArray, coarse: xr.DataArray, spatial: Any, temporal: Any, dims: Any) -> Array:
    """The fine field (time, y, x) in the units of the coarse one, as means of its fine steps."""
    axes = find_axes(fine, dims=dims, need_time=True)
    check_same(
        quantity_of(fine, axes.time), quantity_of(coarse), what="fine=", whose="the coarse field measures"
    )
    units = coarse.attrs.get("units")
    fine = fine if units is None or fine.attrs.get("units") is None else to_units(fine, str(units))
    coarsen(fine, spatial, temporal, dims=dims)  # raises where it is not made of whole blocks
    return np.asarray(Coarse.of(fine, 1, 1, dims).values)


def _nearest(coarse: Array, past: Array, *, rain: bool) -> NDArray[np.intp]:
    """For every step of a coarse field, the steps of another field in order of similarity, shape (K, √n).

    Square roots of rain are compared, so that a single heavy cell does not dominate; missing cells are ignored.
    """
    known = np.isfinite(coarse).all(0) & np.isfinite(past).all(0)
    here, there = (np.sqrt(each[:, known]) if rain else each[:, known] for each in (coarse, past))
    # |h − t|² = |h|² + |t|² − 2 h·t, and the first is the same for all
    distance = (there**2).sum(1) - 2 * here @ there.T
    return np.argsort(distance, axis=1, kind="stable")[:, : max(1, round(len(past) ** 0.5))]


def _drawn(nearest: NDArray[np.intp], random: np.random.Generator | None) -> NDArray[np.intp]:
    """One of the nearest steps for each step; the nearest without a random generator."""
    if random is None:
        return nearest[:, 0]
    weights = 1 / np.arange(1, nearest.shape[1] + 1)
    chosen = random.choice(nearest.shape[1], size=len(nearest), p=weights / weights.sum())
    return np.asarray(nearest[np.arange(len(nearest)), chosen])


def _disaggregated(given: Coarse, mean: Array, *, rain: bool) -> Array:
    """Every coarse step on the fine cells, (K, H, W): the interpolated anomaly from the mean, on the fine mean."""
    space = (1, *given.blocks[1:])
    below = block_mean(mean[None], space)
    with np.errstate(divide="ignore", invalid="ignore"):
        anomaly = np.where(below > 0, given.values / below, 1.0) if rain else given.values - below
    anomaly = np.where(np.isnan(given.values), np.nan, anomaly)
    fine = interpolate_array(anomaly, space, "linear", periodic=given.periodic)
    if not rain:
        return np.asarray(fine + mean)
    # where it never rained in the past, what falls now is even
    held = block_repeat(given.values, space)
    return np.asarray(np.where(block_repeat(below, space) > 0, fine * mean, held))


def _cut(day: Array, analogue: Array, blocks: tuple[int, int, int], *, rain: bool) -> Array:
    """Every coarse step divided into fine steps like its analogue, (K, T, H, W) from (K, H, W) and (K, T, H, W)."""
    if not rain:
        return np.asarray(day[:, None] + (analogue - analogue.mean(1, keepdims=True)))
    space = (1, *blocks[1:])
    around = block_repeat(block_mean(analogue, space), space)
    shape = np.ones_like(analogue)
    for values in (
        around,
        analogue,
    ):  # a cell that was dry takes the course of its coarse cell, else an even one
        mean = values.mean(1, keepdims=True)
        shape = np.where(mean > 0, values / np.where(mean > 0, mean, 1), shape)
    return np.asarray(day[:, None] * shape)
