"""Terms of the training loss, one file each: what is scored of an ensemble, by the name of its weight.

Every term is a set of functionals of the field, scored by their (almost fair) CRPS. The truth's own law minimises each
of them, so none trades against calibration. A term is a function of :class:`~xdownscale.training.terms.scored.Scored`
that yields tensors of shape (1 + M, B, ...), the truth first; a new one is a file here and an entry below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from xdownscale.training.terms.border import jumps_across_borders
from xdownscale.training.terms.cell import cells
from xdownscale.training.terms.increment import increments
from xdownscale.training.terms.level_sets import shapes_of_level_sets
from xdownscale.training.terms.place import means_by_place
from xdownscale.training.terms.pooled import small_pools
from xdownscale.training.terms.regional import large_pools
from xdownscale.training.terms.sliced import patches
from xdownscale.training.terms.waves import waves_of_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

    from xdownscale.training.terms.scored import Scored

Term: TypeAlias = "Callable[[Scored], Iterator[Tensor]]"
"""What is scored, of an ensemble and its truth in some units."""

IN_BOTH_UNITS: Mapping[str, Term] = {
    "cell": cells,
    "border": jumps_across_borders,
    "place": means_by_place,
    "pooled": small_pools,
    "regional": large_pools,
    "increment": increments,
    "sliced": patches,
}
"""Terms that are taken in physical and in latent units."""

IN_LATENT_UNITS: Mapping[str, Term] = {"spectral": waves_of_windows, "levels": shapes_of_level_sets}
"""Expensive terms of latent units alone, of which one is taken at a step."""
