"""The continuous ranked probability score of an ensemble, for numpy arrays and torch tensors.

For M members x and an observation y, with a share α of the fair correction,

    CRPS = 1/M Σ_i |x_i − y| − (1 − ε)/(2 M (M − 1)) Σ_ij |x_i − x_j|,   ε = (1 − α)/M ,

which is the fair (unbiased) score for α = 1 and the score of the ensemble as it stands for α = 0 (Ferro 2014,
doi:10.1002/qj.2270; almost fair, 0 < α < 1: Lang et al. 2024, arXiv:2412.15832).

It is also twice the mean quantile score of the sorted members x_(i), i = 0 … M − 1, taken for the quantiles at levels
τ_i = ½ + (2i + 1 − M)·k/2, since 2·(1{y < x} − τ)·(x − y) = |x − y| + (1 − 2τ)·(x − y): k = 1/(M − 1) is the fair
score, k = 1/M that of the ensemble as it stands (Bröcker 2012, doi:10.1002/qj.1891), and k = 1/(M + 1), levels
(i + 1)/(M + 1), is that of quantiles, which is α = (1 − M)/(1 + M).

Sorted members turn the double sum into one pass: Σ_ij |x_i − x_j| = 2 Σ_i (2i + 1 − M) x_(i), i = 0 … M − 1. Members
are first anchored on the observation, s = x − y, which leaves differences unchanged and keeps float32 exact where
values are large and spreads small (288 K ± 0.05 K: an error of 1e-8 instead of 1e-4).
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_POINTS = 1024
"""Points that numpy sorts at a time: with 50 members 200 to 400 KiB, which stay in the cache."""


def crps_ensemble(observation: Any, members: Any, *, axis: int = 0, alpha: float = 1.0) -> Any:
    """CRPS of an ensemble at every point.

    Parameters
    ----------
    observation : array
        What happened; the shape of `members` without `axis`.
    members : array
        The ensemble, its M members along `axis`. One member gives the absolute error, whatever `alpha`.
    axis : int
        Member axis of `members`.
    alpha : float
        1 for the fair score, 0 for the score of the finite ensemble, between them "almost fair".

    Returns
    -------
    array
        CRPS in the units of the data. NaN where the observation or any member is NaN.
    """
    if _is_torch(members):
        return _of_tensors(observation, members, axis, alpha)
    members = np.moveaxis(np.asarray(members), axis, -1)
    observation = np.broadcast_to(np.asarray(observation), members.shape[:-1])
    score = np.empty(observation.shape, np.result_type(members, observation, np.float32))
    _fill(score, observation, members, _rank_weights(members.shape[-1], alpha).astype(score.dtype))
    return score[()]


def _of_tensors(observation: Any, members: Any, axis: int, alpha: float) -> Any:
    """All points at once, as autograd needs it."""
    torch = sys.modules["torch"]
    s = (members - observation.unsqueeze(axis)).movedim(axis, 0)
    if s.shape[0] == 1:
        return s[0].abs()
    ranked = torch.sort(s, dim=0).values
    weights = torch.as_tensor(_rank_weights(s.shape[0], alpha), dtype=s.dtype, device=s.device)
    spread = (weights.reshape((-1,) + (1,) * (ranked.ndim - 1)) * ranked).sum(0)
    return abs(ranked).mean(0) - spread


def _fill(score: Array, observation: Array, members: Array, weights: Array) -> None:
    """Write the score of every point; members are on the last axis.

    Halves are taken along the first axis that has any, until the members of a piece stay in the cache: nothing of the
    size of the ensemble is copied, whatever the order of its axes.
    """
    if observation.size > _POINTS:
        axis = next(i for i, size in enumerate(observation.shape) if size > 1)
        middle = observation.shape[axis] // 2
        for part in (slice(middle), slice(middle, None)):
            at = (slice(None),) * axis + (part,)
            _fill(score[at], observation[at], members[at], weights)
        return
    s = np.empty(members.shape, score.dtype)
    np.subtract(members, observation[..., None], out=s)
    s.sort(axis=-1)
    spread = s @ weights
    np.abs(s, out=s)
    np.subtract(s.mean(-1), spread, out=score)


def _rank_weights(count: int, alpha: float) -> Array:
    """Factors of the sorted members in the second term; zero for one member."""
    share = (1 - (1 - alpha) / count) / (count * max(count - 1, 1))
    return (2 * np.arange(count, dtype=np.float64) + 1 - count) * share


def _is_torch(array: Any) -> bool:
    """True for a torch tensor, without importing torch: it cannot be one if torch was never imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)
