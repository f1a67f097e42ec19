"""Misspelt keywords of the methods of a class: the error names the one that may be meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from xdownscale.errors import UnknownArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

Owner = TypeVar("Owner")


def suggesting(prefix: str) -> Callable[[type[Owner]], type[Owner]]:
    """Decorate a class, so that its public methods name the argument that a misspelt one may mean.

    Parameters
    ----------
    prefix : str
        What messages call the object that has the methods.
    """

    def decorated(owner: type[Owner]) -> type[Owner]:
        for name, method in [*vars(owner).items()]:
            if not name.startswith("_") and inspect.isfunction(method):
                method.__qualname__ = f"{prefix}.{name}"
                setattr(owner, name, _suggesting(method))
        return owner

    return decorated


def _suggesting(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that refuses unknown keywords itself, with the nearest known one."""
    known = [*inspect.signature(method).parameters][1:]

    @functools.wraps(method)
    def checked(*args: Any, **options: Any) -> Any:
        unknown = next((name for name in options if name not in known), None)
        if unknown is None:
            return method(*args, **options)
        close = difflib.get_close_matches(unknown, known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"It takes {', '.join(known)}."
        msg = f"{method.__qualname__}() got an unexpected keyword argument {unknown!r}. {hint}"
        raise UnknownArgumentError(msg)

    return checked
