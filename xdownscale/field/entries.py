"""Seeds of the entries along a dimension other than time, y and x: an entry is the same alone and in company."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.field.arguments import SEEDS

if TYPE_CHECKING:
    import xarray as xr

APART = 1_000_003
"""Seeds of entries without labels are so far apart."""


def entry_seeds(field: xr.DataArray, dim: str, seed: int) -> list[int]:
    """A seed for every entry along a dimension: a function of its label, or of its position where it has none.

    Seeds of several dimensions add up, so the order of dimensions does not matter. Of entries with the same label, each
    has another seed.

    Parameters
    ----------
    field : DataArray
        Has the dimension.
    dim : str
        Its name.
    seed : int
        Seed of the whole field.

    Examples
    --------
    >>> import xarray as xr
    >>> two = xr.DataArray([0.0, 0.0], dims="driver", coords={"driver": ["a", "b"]})
    >>> entry_seeds(two, "driver", 7)[1:] == entry_seeds(two.sel(driver=["b"]), "driver", 7)
    True
    """
    if dim not in field.coords:
        return [seed + APART * i for i in range(field.sizes[dim])]
    seen: Counter[str] = Counter()
    seeds = []
    for label in map(_text, field[dim].values):
        seen[label] += 1
        seeds.append((seed + _number(str(dim), label, str(seen[label]))) % SEEDS)
    return seeds


def _text(label: Any) -> str:
    """A label as text: 850 and 850.0 are the same, and so are times in any unit."""
    if isinstance(label, np.datetime64):
        return str(label.astype("datetime64[us]"))
    if isinstance(label, np.timedelta64):
        return str(label.astype("timedelta64[us]"))
    if isinstance(label, (float, np.floating)):
        return str(int(label)) if float(label).is_integer() else repr(float(label))
    return str(label)


def _number(*words: str) -> int:
    """A number below 2**63 for a few words, the same on every machine."""
    text = "\0".join(words).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") % SEEDS
