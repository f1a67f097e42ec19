"""The verbs in a shell: ``xdownscale coarsen IN OUT --spatial 10``.

A command is its Python function: options, choices, defaults and help come from its signature and docstring. IN is the
data, OUT the file for the result, and every other argument an option of its name. Files are written whole or not at
all, never over an input, and over another file only with ``--overwrite``.
"""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import App, CycloptsError

import xdownscale
from xdownscale.cli.files import unfinished
from xdownscale.cli.info import info
from xdownscale.cli.messages import in_shell
from xdownscale.cli.verbs import NAMES, Verb
from xdownscale.cli.zoo import zoo
from xdownscale.errors import XDownscaleError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb on files.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; those of the process by default.

    Returns
    -------
    int
        0 for success, 1 for an error that the user can mend, 2 for words that are not understood, 130 for an
        interruption.

    Examples
    --------
    >>> main(["coarsen", "no_such_file.nc", "coarse.nc"])
    1
    """
    words, app = sys.argv[1:] if arguments is None else [*arguments], _app()
    verb = words[0] if words and words[0] in {*app} - {*"-"} else ""
    try:
        with _warnings_of(verb):
            said = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        _say(verb, f"{error} (see {_called(verb)} --help)")
        return 2
    except (XDownscaleError, OSError) as error:
        _say(verb, str(error))
        return 1
    except KeyboardInterrupt:
        _say(verb, _interrupted(words))
        return 130
    if said is not None:
        print(said)
    return 0


def _interrupted(words: Sequence[str]) -> str:
    """What is left of an interrupted command, and how it goes on."""
    left = next((found for word in words if (found := unfinished(word))), "")
    if not left:
        return "interrupted; no output was written"
    again = [word for word in words if word not in ("--overwrite", "--resume")]
    return f"interrupted. {left}. This continues it: xdownscale {shlex.join([*again, '--resume'])}"


def _app() -> App:
    """All commands."""
    app = App(
        name="xdownscale",
        help="Make climate fields finer in space and time.",
        version=lambda: f"xdownscale {xdownscale.__version__}",
        help_format="plaintext",
        version_flags=["--version"],
        suppress_keyboard_interrupt=False,
    )
    for name in NAMES:
        if hasattr(xdownscale, name):
            app.command(Verb(name).command(), name=name)
    app.command(info)
    app.command(zoo)
    app.register_install_completion_command()
    return app


@contextmanager
def _warnings_of(verb: str) -> Iterator[None]:
    """Show warnings as lines of the command, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_args, **_options: _say(verb, f"warning: {message}")
        yield


def _say(verb: str, message: str) -> None:
    """A message of the library as one line of the command, in the words of the shell."""
    said = " ".join(in_shell(message, verb).split())
    print(f"{_called(verb)}: {said}", file=sys.stderr)


def _called(verb: str) -> str:
    """How a command is called."""
    return f"xdownscale {verb}".rstrip()
