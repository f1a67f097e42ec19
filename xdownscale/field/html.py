"""Tables for notebooks: names and values in two columns, in the colours of the notebook."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from html import escape

_LEFT = 'style="text-align: left; vertical-align: top"'


def html_tables(title: str, tables: Mapping[Hashable | None, Mapping[str, str]]) -> str:
    """A heading, and a table for each of several things.

    Parameters
    ----------
    title : str
        What is shown, in bold.
    tables : mapping of mapping of str
        Rows by name of each thing; a name that is None is not shown.

    Returns
    -------
    str
        HTML without scripts, for ``_repr_html_``.

    Examples
    --------
    >>> html_tables("plan", {None: {"time": "2 < 3"}}).count("2 &lt; 3")
    1
    """
    parts = [f"<div><strong>{escape(title)}</strong>"]
    for name, rows in tables.items():
        caption = "" if name is None else f"<caption {_LEFT}>{escape(str(name))}</caption>"
        body = "".join(
            f"<tr><th {_LEFT}>{escape(key)}</th><td {_LEFT}>{_lines(value)}</td></tr>"
            for key, value in rows.items()
        )
        parts.append(f"<table>{caption}<tbody>{body}</tbody></table>")
    return "".join([*parts, "</div>"])


def _lines(text: str) -> str:
    """Text with its line breaks."""
    return escape(text).replace("\n", "<br>")
