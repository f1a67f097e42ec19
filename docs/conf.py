"""How the manual is built: Markdown pages, and a reference made from the docstrings."""

from __future__ import annotations

from typing import Any

from xdownscale.field.attrs import package_version

project = "xdownscale"
author = "The xdownscale developers"
project_copyright = author
release = package_version()

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"xdownscale {release}"

autodoc_typehints = "none"
napoleon_google_docstring = False


def setup(app: Any) -> None:
    """Let formulas in docstrings keep their bars: |x| is no substitution of reStructuredText."""
    app.connect("autodoc-process-docstring", _escape_bars, priority=900)


def _escape_bars(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = [line if ">>>" in line or "``" in line else line.replace("|", r"\|") for line in lines]
