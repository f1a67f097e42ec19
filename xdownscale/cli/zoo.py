"""``xdownscale zoo``: pretrained weights."""

from __future__ import annotations

from cyclopts import App

from xdownscale import zoo as weights

zoo = App(name="zoo", help="Pretrained weights: list them, show a model card, fetch a file.")


@zoo.command(name="list")
@zoo.default
def listed() -> str:
    """List the pretrained models and what they are for."""
    return str(weights.list()) or "no weights are installed"


@zoo.command
def show(name: str, /) -> str:
    """Show the card of a model: data, command, scores, limits.

    Parameters
    ----------
    name
        One of those that are listed.
    """
    return weights.card(name)


@zoo.command
def fetch(name: str, /) -> str:
    """Fetch the weights of a model, check them, and print the path of the file.

    Parameters
    ----------
    name
        One of those that are listed.
    """
    return str(weights.path(name))
