"""Whole numbers that users type: seeds, members, factors."""

from __future__ import annotations

import operator
from typing import Any

from xdownscale.errors import FactorError


def as_whole(value: Any, least: int) -> int | None:
    """The value as an int of at least so much; None for anything else, 10.0 and True among it.

    Parameters
    ----------
    value : any
        Of Python's, numpy's or any other type of whole numbers.
    least : int
        The smallest that is accepted.

    Examples
    --------
    >>> import numpy as np
    >>> as_whole(np.int64(3), 1), as_whole(3.0, 1), as_whole(True, 1), as_whole(0, 1)
    (3, None, None, None)
    """
    try:
        number = operator.index(value)
    except TypeError:
        return None
    return None if number < least or isinstance(value, bool) else number


def whole(value: Any, name: str, least: int = 0) -> int:
    """The value as an int of at least so much.

    Parameters
    ----------
    value : any
        What the user passed.
    name : str
        The argument.
    least : int
        The smallest that is accepted.

    Raises
    ------
    FactorError
        If it is anything else.

    Examples
    --------
    >>> whole(3, "seed")
    3
    """
    number = as_whole(value, least)
    if number is None:
        msg = f"{name} is a whole number of at least {least}, got {value!r}. Pass for example {name}={max(least, 3)}."
        raise FactorError(msg)
    return number
