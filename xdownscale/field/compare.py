"""Whether two fields measure the same thing."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from xdownscale.errors import QuantityError, UnitsError
from xdownscale.field.units import dimension, unit_scale
from xdownscale.field.water import metres_of_water

if TYPE_CHECKING:
    from xdownscale.field.quantity import Quantity

_FAST: Final = Fraction(1, 1000)
"""Metres per second (1 kg m-2 s-1): what is counted in larger units, such as m s-1, may be a speed instead of rain."""


def check_same(field: Quantity, wanted: Quantity, *, what: str = "the field", whose: str) -> None:
    """Raise where a field measures another quantity than is wanted.

    Subjects must agree where both are known, and units must convert where both are given. Metres per second convert
    into millimetres an hour, so that wind is told from rain by what is measured. A field that says nothing passes.

    Parameters
    ----------
    field, wanted : Quantity
        What is there, and what is wanted.
    what, whose : str
        What messages call them, such as "the forecast" and "the observations measure".

    Raises
    ------
    QuantityError

    Examples
    --------
    >>> from xdownscale.field.quantity import read_quantity
    >>> rain = read_quantity("pr", {"units": "kg m-2 s-1"})
    >>> check_same(rain, read_quantity("tp", {"units": "mm"}), whose="the model refines")
    """
    why = _difference(field, wanted)
    if why is None:
        return
    name = wanted.standard_name or wanted.subject or field.standard_name or field.subject
    said = [] if name is None else [f"standard_name={name!r}"]
    said += [f"units={wanted.units!r}"] if why.startswith("cannot") else []
    msg = (
        f"{what} {field} is not what {whose}: {wanted}; {why.rstrip('.')}. If both are the same quantity, "
        f"state it in the attributes: .assign_attrs({', '.join(said)}); otherwise pass the intended field."
    )
    raise QuantityError(msg)


def _difference(field: Quantity, wanted: Quantity) -> str | None:
    """In what two quantities differ; None where they agree, as far as they say."""
    if field.subject and wanted.subject and field.subject != wanted.subject:
        return "the quantities differ"
    if not field.units or not wanted.units:
        return None
    water = {dimension(field.units), dimension(wanted.units)} <= {"rate", "amount"}
    if water and not (field.subject and wanted.subject) and _fast(field.units) != _fast(wanted.units):
        return f"{field.units!r} may be a speed or rain"
    try:
        unit_scale(field.units, wanted.units, step=np.timedelta64(1, "h"))
    except UnitsError as cause:
        return str(cause)
    return None


def _fast(units: str) -> bool:
    """Whether units suit a speed rather than a rate of rain."""
    water = metres_of_water(units)
    return water is not None and water[1] and water[0] > _FAST
