"""What the document of a model file may say: the fields of the dataclasses that are made of it, and their ranges."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

from xdownscale.errors import ModelFileError, XDownscaleError
from xdownscale.models.transform import Bounded, LogRain, Standard, Transform

T = TypeVar("T")

RANGES: Final[dict[str, tuple[float, float]]] = {
    "blocks": (1, 1000),
    "maps": (0, 64),
    "width": (1, 4096),
    "mean_widths": (1, 4096),
    "residual_widths": (1, 4096),
    "told": (2, 4096),
    "token": (0, 4096),
    "length": (1, 1000),
    "levels": (2, 1e6),
    "beta": (1e-9, 1),
    "power": (1e-3, 1e3),
    "threshold": (0, 1e30),
    "base": (1, 4096),
    "multipliers": (1, 256),
    "head": (1, 4096),
    "patch": (1, 100_000),
    "lows": (-1e30, 1e30),
    "highs": (-1e30, 1e30),
    "encoder_blocks": (0, 256),
    "decoder_blocks": (0, 256),
    "stages": (1, 4096),
    "style": (1, 256),
    "dilations": (1, 1000),
    "windows": (0, 1000),
    "frames": (0, 1000),
    "heads": (1, 4096),
    "epsilon": (1e-30, 1e30),
    "scale": (1e-30, 1e30),
    "scales": (1e-30, 1e30),
    "spacing": (1e-30, 1e30),
    "step": (1e-30, 1e30),
    "steps": (0, 1e12),
    "cells": (1, 1e5),
    "channels": (1, 4096),
    "depth": (1, 256),
    "margin": (0, 1e5),
    "blanket": (0, 1e5),
    "overlap": (0, 1e5),
    "waves": (2, 4096),
    "centres": (-1e30, 1e30),
    "spreads": (1e-30, 1e30),
    "errors": (1e-30, 1e30),
    "detail": (1e-9, 1e9),
    "mean": (-1e30, 1e30),
    "low": (-1e30, 1e30),
    "high": (-1e30, 1e30),
    "gain": (-1e30, 1e30),
    "gains": (0, 1e3),
}
"""Least and largest value of a number by the name of its field. Scores and seeds may be any."""

LONGEST: Final = 256
"""Entries of the longest list of numbers."""


def parsed(kind: type[T], value: object, where: str) -> T:
    """An instance of a dataclass from the values that a document holds for its fields.

    Parameters
    ----------
    kind : type
        A dataclass. Fields of it may be plain values, tuples, mappings and other dataclasses.
    value : object
        What the document says.
    where : str
        Its key in the document, for messages.

    Raises
    ------
    ModelFileError
        For a key that is missing or not known, a value of another type, or a number out of range.

    Examples
    --------
    >>> parsed(Standard, {"name": "Standard", "mean": 280.0, "scale": 8.0}, "transform")
    Standard(mean=280.0, scale=8.0, detail=None)
    >>> parsed(Standard, {"name": "Standard", "mean": "280"}, "transform")
    Traceback (most recent call last):
    xdownscale.errors.ModelFileError: the document of the model file says transform.mean='280', which is not a number
    """
    told = _mapping(value, where)
    if kind in (Bounded, LogRain, Standard):
        told = {key: each for key, each in told.items() if key != "name"}
    hints = get_type_hints(kind)
    known = {each.name: each for each in fields(cast("Any", kind))}
    for key in told.keys() - known.keys():
        msg = f"{where}.{key}"
        raise _wrong(msg, told[key], "not known")
    for key, each in known.items():
        if key not in told and each.default is MISSING and each.default_factory is MISSING:
            msg = f"the document of the model file lacks {where}.{key}"
            raise ModelFileError(msg)
    values = {key: _value(hints[key], each, f"{where}.{key}", key) for key, each in told.items()}
    try:
        return kind(**values)
    except XDownscaleError as cause:
        msg = f"the document of the model file says in {where}: {cause}"
        raise ModelFileError(msg) from cause


def _value(hint: Any, value: object, where: str, key: str) -> Any:
    """A value of the type that a field has."""
    if hint is Any:
        return value
    if hint is Transform:
        return _transform(value, where)
    if is_dataclass(hint):
        return parsed(cast("type[Any]", hint), value, where)
    if isinstance(hint, type):
        return _plain(hint, value, where, key)
    return _composed(hint, value, where, key)


def _composed(hint: Any, value: object, where: str, key: str) -> Any:
    """A tuple, a mapping with text for keys, or a value that may be left out."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _tuple(inner, value, where, key)
    if origin is dict:
        told = _mapping(value, where)
        return {name: _value(inner[1], each, f"{where}.{name}", "") for name, each in told.items()}
    if value is None:
        return None
    (wanted,) = (each for each in inner if each is not type(None))
    return _value(wanted, value, where, key)


def _transform(value: object, where: str) -> Transform:
    """A value transform, told by its name."""
    known: dict[str, type[Transform]] = {"LogRain": LogRain, "Standard": Standard, "Bounded": Bounded}
    name = _mapping(value, where).get("name")
    if not isinstance(name, str) or name not in known:
        msg = f"{where}.name"
        raise _wrong(msg, name, f"none of {[*known]}")
    return parsed(known[name], value, where)


def _tuple(inner: tuple[Any, ...], value: object, where: str, key: str) -> tuple[Any, ...]:
    """A tuple of one type, of a fixed or of any length."""
    if not isinstance(value, list):
        raise _wrong(where, value, "not a list")
    open_end = len(inner) == 2 and inner[1] is Ellipsis
    if not open_end and len(value) != len(inner):
        raise _wrong(where, value, f"not {len(inner)} values")
    if inner[0] in (int, float) and len(value) > LONGEST:
        raise _wrong(where, f"{len(value)} values", f"more than {LONGEST}")
    return tuple(_value(inner[0], each, f"{where}[{n}]", key) for n, each in enumerate(value))


def _plain(hint: Any, value: object, where: str, key: str) -> Any:
    """A word, a truth value, or a number within its range."""
    if hint in (str, bool):
        if not isinstance(value, hint) or (isinstance(value, str) and not _printable(value)):
            raise _wrong(where, value, "not text" if hint is str else "neither true nor false")
        return value
    allowed = (int,) if hint is int else (int, float)
    if type(value) not in allowed:
        raise _wrong(where, value, "not a whole number" if hint is int else "not a number")
    number = cast("float", value)
    low, high = RANGES.get(key, (number, number))
    if key in RANGES and not low <= number <= high:
        raise _wrong(where, value, f"not within {low:g} and {high:g}")
    return value


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, value, "not a mapping")
    return value


def _printable(text: str) -> bool:
    """Whether a text can be written to a file."""
    return text.encode("utf-8", "ignore").decode() == text


def _wrong(where: str, value: object, why: str) -> ModelFileError:
    return ModelFileError(
        f"the document of the model file says {where}={str(repr(value))[:80]}, which is {why}"
    )
