"""The calls that messages name, so that tests can execute them."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

_START = re.compile(r"(?:observations|forecasts|weights|xarray|numpy|ensemble|truth|field)(?:\.\w+)+\(")
_ITEM = re.compile(r'(?:\["\w+"\])?')


def calls(message):
    """Every call in a message, as text."""
    found = []
    for match in _START.finditer(str(message)):
        depth, end = 0, match.end() - 1
        for end in range(match.end() - 1, len(message)):
            depth += {"(": 1, ")": -1}.get(message[end], 0)
            if depth == 0:
                break
        end += len(_ITEM.match(message, end + 1).group())
        if not any(match.start() < before[1] for before in found):
            found.append((match.start(), end + 1))
    return [message[start:end] for start, end in found]


def mended(message, number=0, **fields):
    """The fields after the call that a message names."""
    call = calls(message)[number]
    result = eval(call, {"xarray": xr, "numpy": np, **fields})
    if call.startswith("xarray.align"):
        return fields | dict(zip(re.findall(r"observations|forecasts", call)[:2], result, strict=True))
    return fields | {next(name for name in re.findall(r"\w+", call) if name in fields): result}
