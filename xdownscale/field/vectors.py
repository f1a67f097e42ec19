"""Which fields are the eastward and northward components of one vector, such as wind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xdownscale.errors import ArgumentError
from xdownscale.field.checks import name_of
from xdownscale.field.quantity import quantity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

_PARTNER = {"eastward": "northward", "x": "y"}
"""The word by which the standard names of the two components of a vector differ, as in ``eastward_wind``, ``x_wind``
and ``surface_downward_eastward_stress``."""

_COMPONENT = re.compile(r"(?:(.+)_)?(eastward|northward|x|y)_(.+)")


def vector_pairs(
    fields: Sequence[xr.DataArray], named: Sequence[tuple[str, str]] | None = None
) -> tuple[tuple[int, int], ...] | None:
    """Pairs of components among fields, by their places.

    Parameters
    ----------
    fields : sequence of DataArray
        Each with its name and attributes.
    named : sequence of (str, str), optional
        Names of eastward and northward components. None recognises them by standard name, and by the names that
        products use for them.

    Returns
    -------
    tuple of (int, int), or None
        None where a component stands alone, or shares its partner: it cannot be turned.

    Raises
    ------
    ArgumentError
        For a name that no field has.

    Examples
    --------
    >>> import xarray as xr
    >>> u = xr.DataArray(0.0, name="uas", attrs={"standard_name": "eastward_wind"})
    >>> v = xr.DataArray(0.0, name="vas", attrs={"standard_name": "northward_wind"})
    >>> vector_pairs([v, u])
    ((1, 0),)
    """
    names = [name_of(field) for field in fields]
    if named is not None:
        missing = [name for pair in named for name in pair if name not in names]
        if missing:
            msg = f"vectors={[tuple(pair) for pair in named]}: no field is called {missing[0]!r}; there are {names}"
            raise ArgumentError(msg)
        return tuple((names.index(east), names.index(north)) for east, north in named)
    subjects = [str(quantity_of(field).subject or "") for field in fields]
    split = [_COMPONENT.fullmatch(each) for each in subjects]
    components = [n for n, each in enumerate(split) if each is not None]
    pairs = []
    for east, found in enumerate(split):
        if found is None or found[2] not in _PARTNER:
            continue
        wanted = (found[1], _PARTNER[found[2]], found[3])
        partners = [n for n, other in enumerate(split) if other is not None and other.groups() == wanted]
        alike = [n for n in partners if names[n] == names[east].replace("u", "v", 1)]
        if len(partners) == 1 or len(alike) == 1:
            pairs.append((east, (alike or partners)[0]))
    return tuple(pairs) if sorted(n for pair in pairs for n in pair) == components else None
