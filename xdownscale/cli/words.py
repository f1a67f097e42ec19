"""Kinds of words on a command line, by the annotations of Python that they stand for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True)
class File:
    """A file that is opened before the function is called.

    Attributes
    ----------
    path : str
        As it was typed.
    holds : {"field", "fields", "dataset", "recipe"}
        What is taken of it: the variable that is asked for, or the one or several with y and x; always a Dataset of
        those; all of it; or a recipe in JSON.
    """

    path: str
    holds: str = "field"


@dataclass(frozen=True)
class Kind:
    """A way to read one word.

    Attributes
    ----------
    shown : str
        What the help calls the word.
    read : callable
        Gives the value, or raises a ValueError for a word of another kind.
    several : bool
        Whether the option takes several words.
    named : bool
        Whether words are pairs of a name and a value, which make a mapping.
    holds : str
        What is taken of a file (:class:`File`); empty for other kinds.
    """

    shown: str
    read: Callable[[str], Any]
    several: bool = False
    named: bool = False
    holds: str = ""


def _whole_numbers(count: int) -> Callable[[str], tuple[int, ...]]:
    """Reads ``10,5``."""

    def read(word: str) -> tuple[int, ...]:
        numbers = tuple(int(each) for each in word.split(","))
        if len(numbers) != count:
            raise ValueError(word)
        return numbers

    return read


def _span(word: str) -> range:
    """``1-25``, both included, as Python's range(1, 26)."""
    first, _, last = word.partition("-")
    return range(int(first), int(last) + 1)


def _setting(value: Callable[[str], Any]) -> Callable[[str], tuple[str, Any]]:
    """Reads ``NAME=VALUE``."""

    def read(word: str) -> tuple[str, Any]:
        name, equals, said = word.partition("=")
        if not (name and equals and said):
            raise ValueError(word)
        return name, value(said)

    return read


def _names(word: str) -> tuple[str, ...]:
    """``u10,v10`` as a pair of names."""
    names = tuple(word.split(","))
    if len(names) != 2 or not all(names):
        raise ValueError(word)
    return names


def _nothing(word: str) -> None:
    """``none``."""
    if word.lower() != "none":
        raise ValueError(word)


def _existing(kind: Kind) -> Kind:
    """A file where the word may as well be a name: it must be there."""

    def read(word: str) -> File:
        if not Path(word).exists():
            raise ValueError(word)
        return File(word, kind.holds)

    return replace(kind, read=read)


def _file(holds: str) -> Kind:
    return Kind("FILE", lambda word: File(word, holds), holds=holds)


NOTHING = Kind("none", _nothing)
NUMBER, WHOLE = Kind("NUMBER", float), Kind("N", int)
NUMBERS, WHOLES = Kind("NUMBER", float, several=True), Kind("N", int, several=True)
FILES = (Kind("NAME=FILE", _setting(File), several=True, named=True),)
NAME, NAMES = Kind("NAME", str), Kind("NAME", str, several=True)

KINDS: Final[dict[str, tuple[Kind, ...]]] = {
    "int": (WHOLE,),
    "float": (NUMBER,),
    "str": (NAME,),
    "os.PathLike[str]": (NAME,),
    "tuple[int, int]": (Kind("N,N", _whole_numbers(2)),),
    "tuple[int, int, int]": (Kind("N,N,N", _whole_numbers(3)),),
    "range": (Kind("N-N", _span),),
    "Sequence[int]": (WHOLES,),
    "Sequence[float]": (NUMBERS,),
    "Sequence[str]": (NAMES,),
    "Sequence[tuple[str, str]]": (Kind("NAME,NAME", _names, several=True),),
    "Iterable[Hashable]": (NAMES,),
    "Mapping[str, str]": (Kind("ROLE=NAME", _setting(str), several=True, named=True),),
    "Metrics": (NAMES,),
    "By": (Kind("NAME=N", _setting(int), several=True, named=True), NAMES),
    "Errors": (NUMBER, Kind("NAME=NUMBER", _setting(float), several=True, named=True)),
    "xr.DataArray": (_file("field"),),
    "xr.Dataset": (_file("field"),),
    "Region": (_file("field"),),
    "Reference": (NAME, _file("field")),
    "Source": (_file("dataset"),),
    "Observations": (_file("dataset"),),
    "Static": (_file("fields"),),
    "Predictors": (_file("fields"), NAMES),
    "Literal['area']": (NAME,),
    # What only Python can give: a shell has other words for it in the same annotation.
    "list[int]": (),
    "Mapping[str, xr.DataArray]": (),
    "Sequence[xr.DataArray | xr.Dataset]": (),
    "MinkowskiLoss": (),
    "Sequence[str | MinkowskiLoss]": (NAMES,),
    "Downscaler": (),
    "Recipe": (_file("recipe"),),
    "PriorRecipe": (),
    "None": (),
}
"""What words an annotation accepts, by its source text."""

WHOLE_ANNOTATIONS: Final[dict[str, tuple[Kind, ...]]] = {
    "xr.DataArray | xr.Dataset | Mapping[str, xr.DataArray] | None": (_file("fields"),),
    **dict.fromkeys(
        ("Models | None", "xr.DataArray | Mapping[str, xr.DataArray] | None"), (*FILES, _file("field"))
    ),
}
"""Unions that mean something else than their parts."""

_ORDER: Final = ("N", "N,N", "N,N,N", "N-N", "NUMBER", "NAME=N", "NAME=NUMBER", "NAME=FILE", "FILE")
"""Order in which kinds are tried: those that refuse most words first, names last."""


def kinds_of(annotation: str) -> tuple[Kind, ...]:
    """Kinds of words that an annotation accepts, the strictest first.

    Parameters
    ----------
    annotation : str
        Source text, as ``from __future__ import annotations`` keeps it.

    Returns
    -------
    tuple of Kind
        Empty where a shell has no word for it.

    Raises
    ------
    TypeError
        For an annotation that :data:`KINDS` does not know.

    Examples
    --------
    >>> [kind.shown for kind in kinds_of("int | tuple[int, int] | range | list[int]")]
    ['N', 'N,N', 'N-N']
    """
    text = ast.unparse(ast.parse(annotation, mode="eval").body)
    if text in WHOLE_ANNOTATIONS:
        return WHOLE_ANNOTATIONS[text]
    parts = [ast.unparse(part) for part in _members(ast.parse(text, mode="eval").body)]
    unknown = [part for part in parts if part not in KINDS]
    if unknown:
        msg = f"no word of a command line is known for {' | '.join(unknown)}; add it to xdownscale.cli.words.KINDS"
        raise TypeError(msg)
    found = list(dict.fromkeys(kind for part in parts for kind in KINDS[part]))
    if any(kind.read is str for kind in found):
        found = [_existing(kind) if kind.holds else kind for kind in found]
    return tuple(
        sorted(found, key=lambda kind: _ORDER.index(kind.shown) if kind.shown in _ORDER else len(_ORDER))
    )


def _members(node: ast.expr) -> list[ast.expr]:
    """Members of a union."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_members(node.left), *_members(node.right)]
    return [node]


def read_words(words: Sequence[str], kinds: Sequence[Kind]) -> Any:
    """The value that some words stand for: a mapping, one value, or a list.

    Parameters
    ----------
    words : sequence of str
        What was typed for one option.
    kinds : sequence of Kind
        What they may be, the strictest first.

    Raises
    ------
    ValueError
        For a word of none of these kinds.

    Examples
    --------
    >>> read_words(["10,5"], kinds_of("int | tuple[int, int]"))
    (10, 5)
    """
    found = [_read_one(word, kinds) for word in words]
    values = [value for value, _ in found]
    if all(kind.named for _, kind in found):
        return dict(values)
    return values[0] if len(found) == 1 and not found[0][1].several else values


def _read_one(word: str, kinds: Sequence[Kind]) -> tuple[Any, Kind]:
    """The value of a word, and its kind."""
    for kind in kinds:
        try:
            return kind.read(word), kind
        except ValueError:
            continue
    msg = f"{word!r} is not understood: write {shown(kinds)}"
    raise ValueError(msg)


def shown(kinds: Sequence[Kind]) -> str:
    """What the help calls the words of an option.

    >>> shown(kinds_of("float | Sequence[float] | None")), shown(kinds_of("By"))
    ('NUMBER ...', 'NAME=N ... or NAME ...')
    """
    several = {kind.shown for kind in kinds if kind.several}
    names = dict.fromkeys(kind.shown for kind in kinds)
    return " or ".join(f"{name} ..." if name in several else name for name in names)
