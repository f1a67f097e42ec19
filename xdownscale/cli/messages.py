"""Messages of the library in the words of a shell: an argument is shown as its option, a call as its command.

A message names the call that works, ``boundary='trim'`` or ``evaluate(truth, ensemble)``; a shell has
``--boundary trim`` and ``xdownscale evaluate ensemble.nc OUT --observations truth.nc``. Names of options and of their
values are those of the command, which come from the signature of the function.
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Sequence
from functools import cache

import xdownscale
from xdownscale.cli.verbs import NAMES, Verb

_PART = re.compile(
    r"""(?P<text>(?<!\w)(?:'[^']*'(?!\w)|"[^"]*"))           # a path or a name, which stays as it is
    |(?P<pick>\bdataset\[name\])
    |\bxdownscale\.(?P<function>[a-z]+)\b(?!\.?\w|\()
    |(?:\bxdownscale\.)?\bzoo\.(?P<zoo>[a-z]+)\(\)
    |pathlib\.Path\((?P<folder>'[^']*')\)\.mkdir\(parents=True\)
    |(?<![\w.])(?P<call>(?:model\ =\ )?[A-Za-z_]\w*(?:\[[^]]*\])?(?:\.\w+)*)\(
    |(?<![\w./-])(?P<name>[a-z_]+)=
    |(?<![\w./-])(?P<word>[a-z]+_[a-z_]+)(?![\w./(])""",
    re.VERBOSE,
)
_VALUE = re.compile(
    r"""'[^']*'|"[^"]*"|-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|\.\.\.|[A-Za-z_]\w*(?:\.\w+)*(?=[\[(]?)|(?=[\[({])"""
)


def in_shell(message: str, verb: str) -> str:
    """A message as the user of a command understands it.

    Parameters
    ----------
    message : str
        Of the library.
    verb : str
        The command that was called; arguments of other functions stay as they are.

    Examples
    --------
    >>> in_shell("Cut it, field.isel(time=slice(0, 3)), or pass boundary='trim'.", "coarsen")
    'Cut it, field.isel(time=slice(0, 3)), or pass --boundary trim.'
    >>> in_shell("swap them: evaluate(truth, ensemble)", "evaluate")
    'swap them: xdownscale evaluate ensemble.nc OUT --observations truth.nc'
    """
    said, done = "", 0
    for match in _PART.finditer(message):
        if match.start() < done:
            continue
        end = _end(message, match)
        said += message[done : match.start()] + _translated(match, message[match.start() : end], verb)
        done = end
    return said + message[done:]


def _end(message: str, match: re.Match[str]) -> int:
    """Where a call, or an argument with its value, ends."""
    if match["call"]:
        return _closed(message, match.end() - 1)
    value = _VALUE.match(message, match.end()) if match["name"] else None
    if value is None:
        return match.end()
    return (
        _closed(message, value.end()) if message[value.end() : value.end() + 1] in {*"[({"} else value.end()
    )


def _closed(message: str, start: int) -> int:
    """The place behind the bracket that closes the one at `start`; the end of the message if none does."""
    depth = 0
    for each in re.compile(r"""'[^']*'|"[^"]*"|[\[({]|[\])}]""").finditer(message, start):
        depth += (each[0] in {*"[({"}) - (each[0] in {*"])}"})
        if depth == 0:
            return each.end()
    return len(message)


def _translated(match: re.Match[str], text: str, verb: str) -> str:
    """A part of a message in the words of the shell, or as it is where there are none."""
    options = _options(verb)
    if match["pick"] and "variable" in options:
        return "--variable NAME"
    if match["folder"]:
        return f"mkdir -p {match['folder']}"
    if match["zoo"] or _options(match["function"]):
        return f"xdownscale {match['function'] or 'zoo ' + match['zoo']}"
    if match["word"] in options:
        return _flag(match["word"])
    if match["name"] in options:
        return _argument(match["name"], text.partition("=")[2], options) or text
    return (match["call"] and _call(text.removeprefix("model = "), verb)) or text


@cache
def _options(verb: str | None) -> dict[str, str]:
    """Options of a command, and what its help calls their values; nothing for a flag."""
    if verb not in NAMES or not hasattr(xdownscale, verb):
        return {}
    parameters = inspect.signature(Verb(verb).command()).parameters.values()
    return {
        each.name: (each.annotation.__metadata__[0].metavar or "").replace(" ...", "")
        for each in parameters
        if each.kind is each.KEYWORD_ONLY
    }


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _argument(name: str, value: str, options: dict[str, str]) -> str | None:
    """``name=value`` as an option."""
    if not value:
        return _flag(name)
    try:
        node = ast.parse(value, mode="eval").body
    except SyntaxError:
        return None
    return _option(name, node, options[name])


def _option(name: str, node: ast.expr, shown: str) -> str | None:
    """An option with the words of its value; None where a shell cannot say it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return _flag(name) if node.value else _flag(f"no_{name}")
    words = _words(node, shown)
    return None if words is None else f"{_flag(name)} {words}"


def _words(node: ast.expr, shown: str) -> str | None:
    """A value as words; `shown` is what the help calls it."""
    kinds, words = shown.split(" OR "), None
    match node:
        case ast.Constant(value=value):
            words = kinds[0] if value is Ellipsis else "none" if value is None else shlex.quote(str(value))
        case ast.UnaryOp():
            words = ast.unparse(node)
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            words = f"{name}.nc" if "FILE" in kinds else kinds[0]
        case ast.List(elts=several) | ast.Tuple(elts=several):
            pair = isinstance(node, ast.Tuple) and "," in shown
            words = _joined("," if pair else " ", [_words(each, shown) for each in several])
        case ast.Dict(keys=keys, values=values):
            kind = next((each.partition("=")[2] for each in kinds if "=" in each), "")
            words = _joined(" ", [_pair(*each, kind) for each in zip(keys, values, strict=True)])
        case ast.Call(
            func=ast.Name(id="range"), args=[ast.Constant(value=int(first)), ast.Constant(value=int(end))]
        ):
            words = f"{first}-{end - 1}"
    return words


def _pair(key: ast.expr | None, value: ast.expr, shown: str) -> str | None:
    """``NAME=VALUE`` for an option that takes such pairs."""
    words = _words(value, shown) if shown else None
    return f"{key.value!s}={words}" if words and isinstance(key, ast.Constant) else None


def _joined(between: str, words: Sequence[str | None]) -> str | None:
    """All words, or None if one of them is missing."""
    found = [each for each in words if each is not None]
    return between.join(found) if len(found) == len(words) else None


def _call(text: str, verb: str) -> str | None:
    """A call of a function, or of the method of the accessor, as the command of that name."""
    try:
        call = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    match call:
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(attr=name, value=ast.Name(id="xdownscale")), args=passed
        ):
            pass
        case ast.Call(func=ast.Attribute(attr=name, value=ast.Attribute(attr="sr", value=field)), args=rest):
            passed = [field, *rest]
        case _:
            return None
    options = _options(name)
    if not options:
        return None
    listed = [each for each in passed if not (isinstance(each, ast.Constant) and each.value is Ellipsis)]
    given = dict(zip(Verb(name).signature.parameters, listed, strict=False))
    given |= {str(each.arg): each.value for each in call.keywords}
    source, words = _input(given.pop(Verb(name).read, None))
    words += [_option(key, value, options[key]) if key in options else None for key, value in given.items()]
    said = _joined(" ", words)
    if source is None or said is None:
        return None
    if not source and (name == verb or not said):
        return said or f"xdownscale {name}"
    files = [source or "IN", *(["OUT"] if Verb(name).suffixes else [])]
    return " ".join(["xdownscale", name, *files, said]).rstrip()


def _input(node: ast.expr | None) -> tuple[str | None, list[str | None]]:
    """What IN is, "" where nothing is passed and None where it is no file, and the options that it needs."""
    match node:
        case None:
            return "", []
        case ast.Name(id=name):
            return f"{name}.nc", []
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(variable))):
            return f"{name}.nc", [f"--variable {shlex.quote(variable)}"]
        case ast.Dict():
            return "IN", [_option("others", node, "NAME=FILE")]
    return None, []
