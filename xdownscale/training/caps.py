"""The largest value of normalised rain: a quantile of a gamma law that is fitted to the wet training values.

Rain rates have a few values so large that a min–max normalisation by the largest one would leave the rest near zero.
Defez et al. (2026, arXiv:2604.21903, section 4) cut them at the 99.5 % quantile of a gamma law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xdownscale.errors import EmptyFieldError
from xdownscale.field.warn import warn_user
from xdownscale.training.reading import runs
from xdownscale.training.sources import RAIN_UNITS, WET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xdownscale.models.transform import Transform
    from xdownscale.training.patches import Source

LEAST = 1e-6
"""Of the range of values, over their largest magnitude: of a field that does not vary."""


def limits_of(
    sources: Sequence[Source],
    transforms: Sequence[Transform],
    *,
    quantile: float | None,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Values of each target that become 0 and 1.

    Parameters
    ----------
    sources : sequence of Source
        Training fields.
    transforms : sequence of Transform
        One for each target; one that is not negative is rain.
    quantile : float or None
        Of the gamma law of rain; None takes the largest value, as for every other field.

    Raises
    ------
    EmptyFieldError
        If there is no rain to fit the law to.

    Warns
    -----
    UserWarning
        Where every rain rate is a whole number, as of products in tenths of a millimetre.
    """
    lows, highs = [], []
    for number, transform in enumerate(transforms):
        values = [run[:, number] for source in sources for run in runs(source.values)]
        low, high = min(map(_least, values)), max(map(_largest, values))
        if transform.nonnegative:
            _warn_of_tenths(values)
            low, high = 0.0, high if quantile is None else min(high, gamma_quantile(values, quantile))
        lows.append(low)
        highs.append(max(high, low + LEAST * max(abs(low), abs(high), LEAST)))
    return tuple(lows), tuple(highs)


def gamma_quantile(values: Sequence[np.ndarray], share: float) -> float:
    """Quantile of the gamma law of the most likely shape k and scale θ, given the values that are wet.

    With s = log(mean) − mean(log), k solves log k − ψ(k) = s, and θ is the mean over k.

    Parameters
    ----------
    values : sequence of array
        In mm/h; NaN is missing.
    share : float
        Of the law, between 0 and 1.

    Raises
    ------
    EmptyFieldError
        If no value is wet.

    Examples
    --------
    >>> drawn = np.random.default_rng(0).gamma(0.8, 2.0, 100_000)
    >>> gamma_quantile([drawn[drawn > 0.1]], 0.5) > gamma_quantile([drawn[drawn > 0.1]], 0.4)
    True
    """
    from scipy.optimize import brentq
    from scipy.special import digamma, gammaincinv

    count, total, logs = 0, 0.0, 0.0
    for each in values:
        wet = each[each > WET].astype(np.float64)
        count, total, logs = count + wet.size, total + float(wet.sum()), logs + float(np.log(wet).sum())
    if not count:
        msg = f"no value above {WET} mm/h: there is no rain to learn from. Train on a wetter field."
        raise EmptyFieldError(msg)
    mean = total / count
    spread = max(float(np.log(mean)) - logs / count, 1e-6)
    shape = brentq(lambda k: np.log(k) - digamma(k) - spread, 1e-4, 1e6)
    return float(gammaincinv(shape, share) * mean / shape)


def _warn_of_tenths(values: Sequence[np.ndarray]) -> None:
    """Warn where rain looks like counts of tenths of a millimetre."""
    wet = np.concatenate([each[each > 0].ravel()[:100_000] for each in values])
    if wet.size >= 100 and float(wet.max()) >= 10 and bool((wet == np.round(wet)).all()):
        warn_user(
            f"every rain rate of the training field is a whole number of {RAIN_UNITS}: some products, such as "
            f"Coméphore, are stored in tenths of a millimetre. If this one is, train on "
            f"(field / 10).assign_attrs(field.attrs)."
        )


def _least(values: np.ndarray) -> float:
    return float(np.nanmin(values, initial=np.inf))


def _largest(values: np.ndarray) -> float:
    return float(np.nanmax(values, initial=-np.inf))
