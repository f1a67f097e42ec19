"""How recipes are shown: a line for each setting, in a console and in a notebook."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from xdownscale.field.html import html_tables


class Shown:
    """A dataclass whose fields are shown one a line; those of dataclasses in it share one."""

    def _rows(self) -> dict[str, str]:
        """Values by the names of fields."""
        return {each.name: _told(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(map(len, rows))
        return "\n".join(
            [
                f"<xdownscale.{type(self).__name__}>",
                *(f"  {name:<{width}}  {value}" for name, value in rows.items()),
            ]
        )

    def _repr_html_(self) -> str:
        return html_tables(f"xdownscale.{type(self).__name__}", {None: self._rows()})


def _told(value: Any) -> str:
    """A value, or those of a dataclass by name.

    >>> from xdownscale.models.recipe import Attention
    >>> _told(Attention(heads=2))
    'windows=(3, 3, 1, 1), frames=2, heads=2'
    """
    if not is_dataclass(value):
        return repr(value)
    return ", ".join(f"{each.name}={getattr(value, each.name)!r}" for each in fields(value))
