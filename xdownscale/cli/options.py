"""Options of a command, read from the signature and the docstring of a Python function.

Annotations say what a word may be (:data:`~xdownscale.cli.words.KINDS`), the docstring what it means and its choices.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from cyclopts import Parameter
from docstring_parser import parse_from_object

from xdownscale.cli.words import NOTHING, kinds_of, read_words, shown

EMPTY: Final = inspect.Parameter.empty


def options_of(function: Callable[..., Any], *, without: Sequence[str] = ()) -> list[inspect.Parameter]:
    """Keyword-only options for the parameters of a function.

    Parameters
    ----------
    function : callable
        Annotated, with a numpydoc docstring.
    without : sequence of str
        Parameters that are given in another way.

    Returns
    -------
    list of inspect.Parameter
        Annotated for cyclopts: what a word may be, what it means, its choices and its default.
    """
    told = described(function)
    parameters = inspect.signature(function).parameters.values()
    return [_option(each, *told.get(each.name, ("", ""))) for each in parameters if each.name not in without]


def described(function: Callable[..., Any]) -> dict[str, tuple[str, str]]:
    """Type and meaning of every parameter, from the docstring.

    >>> from xdownscale.coarsen import coarsen
    >>> described(coarsen)["boundary"][0]
    '{"exact", "trim", "pad"}'
    """
    found = parse_from_object(function).params
    return {
        name.strip(): (each.type_name or "", plain(" ".join((each.description or "").split())))
        for each in found
        for name in each.arg_name.split(",")
    }


def plain(text: str) -> str:
    """A docstring without marks of reStructuredText.

    >>> plain("As :func:`xdownscale.coarsen` does with ``boundary``, or `dims`.")
    'As xdownscale.coarsen does with boundary, or dims.'
    """
    return re.sub(r"`+([^`]*)`+", r"\1", re.sub(r":[a-z:]+:`~?([^`]*)`", r"\1", text))


def _option(parameter: inspect.Parameter, type_name: str, text: str) -> inspect.Parameter:
    """One parameter as an option."""
    default, annotation = parameter.default, str(parameter.annotation)
    if annotation in ("bool", "bool | None"):
        return _typed(parameter.name, bool, default, Parameter(help=text))
    kinds = kinds_of(annotation)
    if default not in (EMPTY, None) and annotation.endswith("None"):
        kinds = (NOTHING, *kinds)
    several = any(kind.several for kind in kinds)
    listed = re.match(r'\{("[^"]+"(?:, "[^"]+")*)\}', type_name)
    marks = Parameter(
        help=text,
        converter=lambda _, tokens: read_words([token.value for token in tokens], kinds),
        metavar=shown(kinds).upper(),
        choices=listed and re.findall(r'"([^"]+)"', listed[1]),
        consume_multiple=several,
        negative=(),
        show_default=default not in (EMPTY, None),
    )
    return _typed(parameter.name, list[str] if several else str, default, marks)


def _typed(name: str, hint: Any, default: Any, marks: Parameter) -> inspect.Parameter:
    """A keyword-only parameter."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hint, marks]
    )
