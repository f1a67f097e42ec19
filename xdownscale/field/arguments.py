"""Numbers that a user typed: checked once, where they come in."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

from xdownscale.errors import ArgumentError

SEEDS = 2**63
"""Whole numbers lie below this, and seeds not below its negative: what attributes of a file can hold."""


def as_whole(value: Any, *, least: int, most: int = SEEDS - 1) -> int | None:
    """The value as a Python int within a range; None for anything else, 10.0 and True among it.

    Parameters
    ----------
    value : any
        Of Python's, numpy's or any other type of whole numbers.
    least, most : int
        The range that is accepted, both ends included.

    Examples
    --------
    >>> import numpy as np
    >>> as_whole(np.int64(3), least=1), as_whole(3.0, least=1), as_whole(True, least=1), as_whole(0, least=1)
    (3, None, None, None)
    """
    try:
        number = operator.index(value)
    except TypeError:
        return None
    return None if isinstance(value, bool) or not least <= number <= most else number


def whole_number(value: Any, name: str, *, least: int, most: int = SEEDS - 1) -> int:
    """The value as a Python int; any integer type is welcome, 10.0 and True are not.

    Parameters
    ----------
    value : int
        What was passed.
    name : str
        Name of the argument, for the message.
    least, most : int
        The range that is accepted, both ends included.

    Raises
    ------
    ArgumentError
        For anything else.

    Examples
    --------
    >>> import numpy as np
    >>> whole_number(np.int16(3), "members", least=1)
    3
    """
    number = as_whole(value, least=least, most=most)
    if number is None:
        limits = "" if least == -SEEDS else f" of at least {least}"
        limits += "" if most == SEEDS - 1 else f" and at most {most}"
        msg = f"{name}={value!r} is not accepted: {name} is a whole number{limits}, as in {name}={max(least, 1)}"
        raise ArgumentError(msg)
    return number


def is_number(value: Any) -> bool:
    """Whether a value is one number, of Python or numpy."""
    return isinstance(value, Real)


def share_of(value: Any, name: str) -> float:
    """The value as a share from 0 on and below 1.

    Parameters
    ----------
    value : float
        What was passed.
    name : str
        Name of the argument, for the message.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    if isinstance(value, bool) or not is_number(value) or not 0 <= value < 1:
        msg = f"{name}={value!r} is not accepted: a share is a number from 0 on and below 1, as in {name}=0.1"
        raise ArgumentError(msg)
    return float(value)


def seed_number(value: Any) -> int:
    """The value as a seed: any whole number that fits into 64 bits with a sign.

    Parameters
    ----------
    value : int
        What was passed.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    return whole_number(value, "seed", least=-SEEDS)
