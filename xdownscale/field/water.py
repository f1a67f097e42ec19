"""Units of water, read as text: how many metres, or metres per second, one unit stands for."""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Final

DENSITY: Final = 1000
"""kg m-3; so 1 kg m-2 of water stands 1 mm deep."""

_FOOT: Final = Fraction(3048, 10_000)

_SCALES: Final = {
    "length": {
        **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), Fraction(1)),
        **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), Fraction(1, 100)),
        **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), Fraction(1, 1000)),
        **dict.fromkeys(("um", "micrometre", "micrometres", "micrometer", "micrometers"), Fraction(1, 10**6)),
        **dict.fromkeys(("in", "inch", "inches"), _FOOT / 12),
        **dict.fromkeys(("ft", "foot", "feet"), _FOOT),
    },
    "volume": dict.fromkeys(("l", "litre", "litres", "liter", "liters"), Fraction(1, 1000)),
    "mass": {
        **dict.fromkeys(("kg", "kilogram", "kilograms"), Fraction(1)),
        **dict.fromkeys(("g", "gram", "grams"), Fraction(1, 1000)),
    },
    "time": {
        **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), Fraction(1)),
        **dict.fromkeys(("min", "mins", "minute", "minutes"), Fraction(60)),
        **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), Fraction(3600)),
        **dict.fromkeys(("d", "day", "days"), Fraction(86400)),
    },
}
"""Metres, cubic metres, kilograms and seconds in one unit of each name."""

_NAMED: Final = {name: (kind, scale) for kind, names in _SCALES.items() for name, scale in names.items()}

_WORDS: Final = (
    (r"\*\*", "^"),
    (r"\b10\^([+-]?\d+)", r"1e\1"),
    (r"[µμ]", "u"),
    (r"\b(of )?(liquid )?water( equivalent)?\b", " "),
    (r"\bper\b", "/"),
    (r"[·*]|(?<!\d)\.|\.(?!\d)", " "),
)
"""Spellings and what they mean; a full stop is a point within a number, else a sign of multiplication."""

_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_NAME = r"(?P<name>[a-z]+)\^?(?P<power>[+-]?\d+)?"
_TERM: Final = re.compile(
    rf"(?P<over>/)?\s*(?:(?P<number>{_NUMBER})\s*(?:{_NAME})?|{_NAME.replace('P<', 'P<bare_')})\s*"
)


@functools.cache
def metres_of_water(units: str) -> tuple[Fraction, bool] | None:
    """Metres of water (per second, where the flag is set) that one unit stands for; None for other units.

    Parameters
    ----------
    units : str
        Lengths, masses per area or volumes per area, as such or per time, in any common spelling, with or without a
        number before them.

    Examples
    --------
    >>> metres_of_water("kg m-2 s-1")
    (Fraction(1, 1000), True)
    >>> metres_of_water("0.1 mm"), metres_of_water("K")
    ((Fraction(1, 10000), False), None)
    """
    read = _read(units)
    if read is None or read[0] == 0:
        return None
    scale, powers = read
    if powers == {"mass": 1, "length": -2}:
        return scale / DENSITY, False
    if powers == {"mass": 1, "length": -2, "time": -1}:
        return scale / DENSITY, True
    if powers in ({"length": 1}, {"length": 1, "time": -1}):
        return scale, "time" in powers
    return None


def _read(units: str) -> tuple[Fraction, dict[str, int]] | None:
    """Scale to metres, kilograms and seconds, and the power of each; None where a part is not understood."""
    text, position = _plain(units), 0
    scale, powers = Fraction(1), {"length": 0, "mass": 0, "time": 0}
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            return None
        sign, name = (-1 if term["over"] else 1), term["name"] or term["bare_name"]
        scale *= Fraction(term["number"] or 1) ** sign if Fraction(term["number"] or 1) else 0
        if name:
            if name not in _NAMED:
                return None
            kind, unit = _NAMED[name]
            power = sign * int(term["power"] or term["bare_power"] or 1)
            scale *= unit**power
            powers["length" if kind == "volume" else kind] += 3 * power if kind == "volume" else power
        position = term.end()
    return scale, {kind: power for kind, power in powers.items() if power}


def _plain(units: str) -> str:
    """Units in small letters, with blanks between factors and a stroke before each divisor."""
    text = units.translate(_SUPERSCRIPTS).lower()
    for pattern, meaning in _WORDS:
        text = re.sub(pattern, meaning, text)
    text = re.sub(r"/\s*\(([^()/]*)\)", lambda group: " ".join(f"/{part}" for part in group[1].split()), text)
    return " ".join(text.split())
