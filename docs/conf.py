"""How the manual is built: Markdown pages, and a reference made from the docstrings."""

from __future__ import annotations

from xdownscale.field.provenance import package_version

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
